"""Fuzz targets: what must hold for any bytes at all. A target returns, or raises what is a bug.

One for the parser, one for envelopes, one for any file, and one for the reader of each message. The
input of a reader is the content of the root, so that chance finds fields and not only noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from lxml import etree

from schemas.catalog import editions
from schemas.envelope import open_file
from schemas.errors import SchemaError
from schemas.library import Document, Library
from schemas.loader import Limits, parse
from schemas.reader import MessageReader, ReadMessage
from schemas.sentences import sentence

Target = Callable[[bytes], None]

_LIMITS: Final = Limits(size_bytes=100_000)


def _parser(data: bytes) -> None:
    try:
        root = parse(data, _LIMITS)
    except SchemaError as error:
        sentence(error)
        return
    # What was taken holds nothing that a document of ours could not.
    assert root.getroottree().docinfo.internalDTD is None
    assert not root.xpath("boolean(//@xml:*)")
    assert parse(etree.tostring(root, encoding="utf-8"), _LIMITS).tag == root.tag


def _envelope(data: bytes) -> None:
    with suppress(SchemaError):
        open_file(data, _LIMITS)


def _any_file(library: Library, data: bytes) -> None:
    try:
        document = library.open(data, _LIMITS)
    except SchemaError as error:
        sentence(error)
        return
    if isinstance(document, Document):
        _check(document.message, {path for path, _ in document.plan.record.leaves()})
        assert all(odd.path for odd in document.all_notes())


def _message(reader: MessageReader, paths: set[str], data: bytes) -> None:
    plan = reader.plan
    start = f'<{plan.name} xmlns="{plan.namespace}" guid="" version="1.0">'.encode()
    with suppress(SchemaError):
        root = parse(start + data + f"</{plan.name}>".encode(), _LIMITS)
        _check(reader.read(root), paths)


def _check(message: ReadMessage, paths: set[str]) -> None:
    for record in message.records:
        for path, value in record.fields.items():
            assert path in paths
            assert value == value.strip(" \t\r\n")
        for path, items in record.lists.items():
            assert all(f"{path}/{name}" in paths for item in items for name in item)


def targets() -> Mapping[str, Target]:
    """Return every target by name."""
    found: dict[str, Target] = {"parser": _parser, "envelope": _envelope}
    for edition in editions("ceb"):
        found[f"file-{edition}"] = partial(_any_file, Library(edition))
    library = Library(editions("ceb")[-1])
    for name, plan in library.plans.items():
        paths = {path for path, _ in plan.record.leaves()}
        found[name] = partial(_message, library.reader(name), paths)
    return found
