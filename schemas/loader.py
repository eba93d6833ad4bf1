"""The only XML parser of the project.

Nobody else builds an lxml parser. What is promised for every document that comes out of
:func:`parse`:

* no document type declaration, hence no entities beyond the five of XML and no default attributes;
* nothing was fetched: no network, no file, no schema location hint was followed;
* bytes, elements, attributes per element and depth are inside the given :class:`Limits`;
* no recovery: the document is well-formed or it is refused.

The limits are tested on the bytes before libxml2 sees them wherever that is possible, because an
attacker's cost must stay above ours: counting on bytes is some ten times cheaper than parsing.
"""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Final

from lxml import etree

from schemas.catalog import Catalog
from schemas.errors import (
    DoctypeRefusedError,
    DocumentTooLargeError,
    EncodingRefusedError,
    MalformedDocumentError,
    ReservedAttributeError,
    StaleFileError,
    TooDeepError,
    TooManyAttributesError,
    TooManyElementsError,
)

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost.

    ``elements`` is tested as the number of start tags in the bytes, tags inside CDATA included:
    an upper bound that needs no tree. Namespace declarations count as attributes. Attributes of
    the namespace ``xml`` (base, id, lang, space) change how a document is read and signed; no
    message has one, so they are refused unless ``xml_attributes`` allows them.
    """

    size_bytes: int = MIB
    elements: int = 50_000
    attributes: int = 64
    depth: int = 64
    xml_attributes: bool = False


DEFAULT: Final = Limits()
"""For everything that did not agree on more: 1 MiB, 50,000 elements."""

LARGE: Final = Limits(size_bytes=10 * MIB, elements=250_000)
"""For declared customs channels. A full 621 (100 records of 99 lines) has 203,000 elements."""

_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\0", b"\0<")
_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,200}?\?>")
_ENCODING: Final = re.compile(rb"\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_PROLOG: Final = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_ATTRIBUTE: Final = rb"(?:[^>\"']*+(?:\"[^\"]*+\"|'[^']*+')){%d}"
_XML_ATTRIBUTE: Final = etree.XPath("boolean(//@xml:*)")
_REFERENCE: Final = re.compile(rb"\sschemaLocation=\"([^\"]*)\"")
_UTF8: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_CHINESE: Final = frozenset({b"gb2312", b"gbk", b"gb18030", b"cp936"})
_SHORTEST_ELEMENT: Final = len("<a/>")


def declared_encoding(data: bytes) -> str:
    """Return the encoding that the XML declaration names, in lower case; empty when it names none.

    A document in another encoding than UTF-8 was turned into it by :func:`parse`.
    """
    declaration = _DECLARATION.match(data.removeprefix(_BOM))
    encoding = _ENCODING.search(declaration.group()) if declaration else None
    return encoding.group(1).decode("ascii").lower() if encoding else ""


def foreign_encoding(data: bytes) -> str:
    """Return the encoding that the XML declaration names, empty when it is UTF-8 or none."""
    declared = declared_encoding(data)
    return "" if declared.encode() in _UTF8 else declared


def parse(data: bytes, limits: Limits = DEFAULT) -> etree._Element:
    """Return the root element of ``data``, parsed under ``limits``.

    UTF-8 is expected (with or without mark and declaration); GB2312, GBK and GB18030 are taken
    when declared. Raises a :class:`~schemas.errors.DocumentError`; its text names limits and
    positions, never content.
    """
    if len(data) > limits.size_bytes:
        raise DocumentTooLargeError(len(data), limits.size_bytes)
    data = _as_utf8(data)
    prolog = _PROLOG.match(data)
    if prolog is not None and data.startswith(b"<!DOCTYPE", prolog.end()):
        raise DoctypeRefusedError
    if len(data) > limits.elements * _SHORTEST_ELEMENT:
        _refuse_many_elements(data, limits.elements)
    if _has_many_quotes(data, 2 * limits.attributes):
        _refuse_many_attributes(data, limits.attributes)
    parser = _parser()
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise _malformed(error, parser) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise DoctypeRefusedError
    _refuse_depth(root, limits.depth)
    if b"xml:" in data and not limits.xml_attributes and _XML_ATTRIBUTE(root):
        raise ReservedAttributeError
    return root


def _parser() -> etree.XMLParser:
    """Build the one hardened parser; a fresh one per document, parsers keep state."""
    return etree.XMLParser(
        encoding="utf-8",
        attribute_defaults=False,
        dtd_validation=False,
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        recover=False,
        huge_tree=False,
        strip_cdata=True,
    )


def _as_utf8(data: bytes) -> bytes:
    """Return the document as UTF-8 bytes without mark; raise when it is in another encoding."""
    if data.startswith(_BOM):
        return data[len(_BOM) :]
    if data.startswith(_WIDE):
        raise EncodingRefusedError("the document is UTF-16, neither UTF-8 nor a GB encoding")
    if not data.startswith(b"<?xml"):
        return data
    declaration = _DECLARATION.match(data)
    encoding = _ENCODING.search(declaration.group()) if declaration else None
    if declaration is None or encoding is None:
        return data
    name = encoding.group(1).lower()
    if name in _UTF8:
        return data
    if name not in _CHINESE:
        raise EncodingRefusedError("declared encoding is neither UTF-8 nor a GB encoding")
    try:
        # GB18030 holds GBK and GB2312 whole. The declaration no longer tells the truth: it goes.
        return data[declaration.end() :].decode("gb18030").encode()
    except UnicodeDecodeError as error:
        raise EncodingRefusedError(
            f"bytes are not of the declared encoding at offset {declaration.end() + error.start}"
        ) from None


def _refuse_many_elements(data: bytes, limit: int) -> None:
    """Refuse when there are more start tags than allowed; end tags are counted only in doubt."""
    opened = data.count(b"<")
    if opened > limit and opened - data.count(b"</") > limit:
        raise TooManyElementsError(limit)


def _has_many_quotes(data: bytes, most: int) -> bool:
    """Say whether there are more quotation marks than so many attributes need."""
    found = 0
    for mark in (b'"', b"'"):
        position = data.find(mark)
        while position >= 0:
            found += 1
            if found > most:
                return True
            position = data.find(mark, position + 1)
    return False


def _refuse_many_attributes(data: bytes, limit: int) -> None:
    """Refuse when one start tag holds more quoted values than allowed.

    A start tag cannot contain an unescaped ``<``, so each lies inside one piece. No more of it is
    looked at than is needed to know.
    """
    many = re.compile(_ATTRIBUTE % (limit + 1))
    for piece in data.split(b"<"):
        if piece.count(b"=") <= limit or piece.startswith((b"!", b"?", b"/")):
            continue
        if many.match(piece) is not None:
            raise TooManyAttributesError(limit)


def _malformed(error: etree.XMLSyntaxError, parser: etree.XMLParser) -> MalformedDocumentError:
    """Turn libxml2's complaint into ours, without its text (which may repeat content)."""
    entry = parser.error_log.last_error
    line, column = error.position
    return MalformedDocumentError(entry.type_name if entry else "ERR_DOCUMENT_EMPTY", line, column)


def _refuse_depth(root: etree._Element, limit: int) -> None:
    """Refuse when an element lies below the allowed depth (in C: 7 ns an element)."""
    if root.xpath("boolean(" + "/*" * (limit + 1) + ")"):
        raise TooDeepError(limit)


def load_schema(
    catalog: Catalog, name: str, *, signature_optional: bool = False
) -> etree.XMLSchema:
    """Compile one schema file of a set, with everything it includes taken from the same set.

    The file and all that it includes or imports are held against their digests first, so what the
    compiler then loads by its relative name is ours. (A resolver of our own would not do: libxml2
    has one loader for the whole process, and two threads compiling at once would take it away from
    each other.)

    ``signature_optional`` compiles the variant in which ``ds:Signature`` may be absent, for
    messages that are validated before they are signed. One compiled schema must not be used by
    two threads at once: its error log is shared. Raises CatalogError.
    """
    with as_file(files("schemas") / catalog.folder / name) as path:
        root = etree.fromstring(_checked(catalog, name), _parser(), base_url=str(path))
        if signature_optional:
            for element in root.iterfind(".//{*}element[@ref='ds:Signature']"):
                element.set("minOccurs", "0")
        try:
            return _compiled(root)
        except etree.XMLSchemaParseError as error:
            raise StaleFileError(f"{catalog.folder}/{name} does not compile: {error}") from error


# libxml2 has one loader of what a schema includes, for all threads: lxml sets it for a compile and
# for a parse and puts back what it found, so that another thread at the same moment may find an
# include gone. The files are proven by then, so a compile that fails is tried again.
_COMPILING: Final = threading.Lock()
_COMPILES: Final = 5


def _compiled(root: etree._Element) -> etree.XMLSchema:
    with _COMPILING:
        for _ in range(_COMPILES - 1):
            try:
                return etree.XMLSchema(root)
            except etree.XMLSchemaParseError:
                continue
        return etree.XMLSchema(root)


def _checked(catalog: Catalog, name: str) -> bytes:
    """Return one file of a set after holding it and everything it refers to against the digests."""
    content = catalog.read(name)
    seen, pending = {name}, _referred_in(content)
    while pending:
        file = pending.pop()
        if file not in seen:
            seen.add(file)
            pending += _referred_by(catalog, file)
    return content


def _referred_in(content: bytes) -> list[str]:
    return [other.decode() for other in _REFERENCE.findall(content)]


def _referred_by(catalog: Catalog, name: str) -> Sequence[str]:
    """What a file refers to. All messages of a set share a few files: each is read and held against
    its digest once in a process.
    """
    digest = catalog.sha256.get(name)
    found = None if digest is None else _sound_files().get((catalog.folder, name, digest))
    if found is None:
        found = tuple(_referred_in(catalog.read(name)))
        _sound_files()[catalog.folder, name, catalog.sha256[name]] = found
    return found


@cache
def _sound_files() -> dict[tuple[str, str, str], Sequence[str]]:
    """Files that fitted their digests, with what they refer to."""
    return {}
