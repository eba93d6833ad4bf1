"""Finding numbers in stored bytes, without parsing XML and without trusting it.

A number of a message or receipt is the whole text of an element. Transport envelopes carry their
content as base64 text; what decodes is looked through as well.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from schemas import loader
from schemas.errors import DocumentError

_TEXT: Final = re.compile(rb">([^<>&]{1,64})</")
_BASE64: Final = re.compile(rb">([A-Za-z0-9+/=\s]{40,})</")
_MESSAGE: Final = re.compile(rb"<(\w+:)?CEB\d{3}Message\b")
_HEAD_BYTES: Final = 1024
_DEPTH: Final = 2
_MAX_TEXTS: Final = 100_000


def layers(body: bytes) -> Iterator[bytes]:
    """The bytes themselves, then what they carry as base64, two envelopes deep."""
    level = [body]
    for _ in range(_DEPTH + 1):
        yield from level
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return


def _inner(body: bytes) -> Iterator[bytes]:
    for found in _BASE64.finditer(body):
        try:
            inner = binascii.a2b_base64(b"".join(found[1].split()), strict_mode=True)
        except binascii.Error:
            continue
        if b"<" in inner:
            yield inner


def element_texts(body: bytes) -> set[str]:
    """Every short element text in the bytes and what they carry, at most 100,000."""
    found: set[str] = set()
    for layer in layers(body):
        for match in _TEXT.finditer(layer):
            found.add(match[1].decode("utf-8", "replace").strip())
            if len(found) >= _MAX_TEXTS:
                return found
    return found


def records_of(body: bytes) -> list[bytes]:
    """The records of a receipt message, in their order, each as a document of its own; none when
    the bytes hold no such message that can be read.
    """
    for layer in layers(body):
        if _MESSAGE.search(layer[:_HEAD_BYTES]) is None:
            continue
        try:
            root = loader.parse(layer, loader.LARGE)
        except DocumentError:
            continue
        return [
            etree.tostring(one, encoding="UTF-8", with_tail=False)
            for one in root.iterchildren(etree.Element)
        ]
    return []


def names_number(body: bytes, number: str) -> bool:
    """Whether some element, in the bytes or what they carry, holds exactly this number."""
    element = re.compile(rb">\s*" + re.escape(number.encode()) + rb"\s*</")
    return any(element.search(layer) is not None for layer in layers(body))
