"""Other ways in which the same content may have been written before it was hashed or signed.

A digest that differs says nothing of why. These are the rewritings seen in the field, each with its
name; `signing.examine` tries them and names those that make the digest or the signature fit.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from enum import StrEnum
from typing import Final

from lxml import etree

from signing.profiles import CEB_NAMESPACE, DS_NAMESPACE, XSI_NAMESPACE


class Cause(StrEnum):
    """Why bytes that were hashed or signed are not those that the document has now."""

    SPACE_AROUND_SIGNATURE = "space-around-signature"
    SPACE_BETWEEN_ELEMENTS = "space-between-elements"
    SPACE_IN_VALUES = "space-in-values"
    SELF_CLOSING = "self-closing"
    LINE_ENDINGS = "line-endings"
    TRAILING_NEWLINE = "trailing-newline"
    DECLARATION = "declaration"
    BYTE_ORDER_MARK = "byte-order-mark"
    ENCODING = "encoding"
    NAMESPACE = "namespace"
    PREFIX = "prefix"
    ESCAPES = "escapes"
    COMMENTS = "comments"
    EXCLUSIVE = "exclusive-canonicalisation"
    NOT_CANONICAL = "not-canonical"
    OTHER_DIGEST = "other-digest"
    OTHER_BYTES = "other-bytes"
    OTHER_KEY = "other-key"
    DER_SIGNATURE = "der-signature"
    EMPTY_SIGNER_ID = "empty-signer-id"
    UNEXPLAINED = "unexplained"


_EMPTY: Final = re.compile(rb"<([^\s<>/]+)([^<>]*)></\1>")
_BETWEEN: Final = re.compile(rb">\s+<")
_XSI: Final = b' xmlns:xsi="%b"' % XSI_NAMESPACE.encode()
_CEB: Final = b' xmlns:ceb="%b"' % CEB_NAMESPACE.encode()
_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>'
_SIGNATURE: Final = re.compile(rb"<(?:([^\s<>/:]+):)?Signature[\s>].*</(?:\1:)?Signature\s*>", re.S)
_BOM: Final = b"\xef\xbb\xbf"

Rewrite = Callable[[bytes], bytes]


def rewritings() -> list[tuple[Cause, Rewrite]]:
    """What a program may do to canonical bytes before it hashes them."""
    return [
        (Cause.SELF_CLOSING, lambda body: _EMPTY.sub(rb"<\1\2/>", body)),
        (Cause.SELF_CLOSING, lambda body: _EMPTY.sub(rb"<\1\2 />", body)),
        (Cause.NAMESPACE, lambda body: _in_start_tag(body, _XSI, b"")),
        (Cause.NAMESPACE, lambda body: _in_start_tag(body, _CEB, _CEB + _XSI)),
        (Cause.PREFIX, _without_prefix),
        (Cause.PREFIX, _with_prefix),
        (Cause.ESCAPES, lambda body: body.replace(b"&gt;", b">")),
        (Cause.ESCAPES, lambda body: body.replace(b"&#xD;", b"")),
        (Cause.LINE_ENDINGS, lambda body: body.replace(b"\n", b"\r\n")),
        (Cause.LINE_ENDINGS, lambda body: body.replace(b"&#xD;", b"\r")),
        (Cause.ENCODING, lambda body: body.decode().encode("gb18030")),
        (Cause.TRAILING_NEWLINE, lambda body: body + b"\n"),
        (Cause.TRAILING_NEWLINE, lambda body: body + b"\r\n"),
        (Cause.DECLARATION, lambda body: _DECLARATION + body),
        (Cause.DECLARATION, lambda body: _DECLARATION + b"\n" + body),
        (Cause.DECLARATION, lambda body: _DECLARATION + b"\r\n" + body),
        (Cause.BYTE_ORDER_MARK, lambda body: _BOM + body),
    ]


def _in_start_tag(body: bytes, old: bytes, new: bytes) -> bytes:
    end = body.find(b">") + 1
    return body[:end].replace(old, new, 1) + body[end:]


def _without_prefix(body: bytes) -> bytes:
    plain = body.replace(b"<ceb:", b"<").replace(b"</ceb:", b"</")
    return plain.replace(_CEB, _CEB.replace(b":ceb=", b"="), 1)


def _with_prefix(body: bytes) -> bytes:
    plain = _CEB.replace(b":ceb=", b"=")
    if plain not in body[: body.find(b">")]:
        return body
    return re.sub(rb"<(/?)(?=[^!?/])", rb"<\1ceb:", body.replace(plain, _CEB, 1))


def layouts(root: etree._Element, signature: etree._Element) -> Iterator[tuple[set[Cause], bytes]]:
    """The document without its Signature as it may have stood when it was hashed, canonical.

    The first is the document as it is. White space beside the Signature is the field's commonest
    fault: hashed before the Signature went in, pretty-printed after.
    """
    bare = _removed(root, signature, "both")
    yield set(), _c14n(bare)
    for kept in ("before", "after", "none"):
        yield {Cause.SPACE_AROUND_SIGNATURE}, _c14n(_removed(root, signature, kept))
    compact = _removed(root, signature, "none")
    _drop_space_between(compact)
    yield {Cause.SPACE_BETWEEN_ELEMENTS}, _c14n(compact)
    trimmed = deepcopy(compact)
    for element in trimmed.iter(etree.Element):
        if len(element) == 0 and element.text:
            element.text = element.text.strip()
    yield {Cause.SPACE_BETWEEN_ELEMENTS, Cause.SPACE_IN_VALUES}, _c14n(trimmed)
    yield {Cause.COMMENTS}, etree.tostring(bare, method="c14n", with_comments=True)


def exclusive_form(root: etree._Element, signature: etree._Element) -> bytes:
    """The document without its Signature by exclusive canonicalisation."""
    return etree.tostring(_removed(root, signature, "both"), method="c14n", exclusive=True)


def raw_forms(document: bytes) -> Iterator[tuple[set[Cause], bytes]]:
    """The file's own bytes without the Signature: hashed without canonicalising."""
    bare = _SIGNATURE.sub(b"", document)
    without = re.sub(rb"\A(?:\xef\xbb\xbf)?<\?xml[^>]*\?>\s*", b"", bare)
    for form in (bare, bare.strip(), without, without.strip()):
        yield {Cause.NOT_CANONICAL}, form


def _removed(root: etree._Element, signature: etree._Element, keep: str) -> etree._Element:
    """A copy without the signature; `keep` says which text beside it stays."""
    copy = deepcopy(root)
    place = list(root.iter()).index(signature)
    twin = list(copy.iter())[place]
    parent = twin.getparent()
    if parent is None:
        return copy
    previous = twin.getprevious()
    before = (previous.tail if previous is not None else parent.text) or ""
    after = twin.tail or ""
    text = {"both": before + after, "before": before, "after": after, "none": ""}[keep]
    parent.remove(twin)
    if previous is not None:
        previous.tail = text
    else:
        parent.text = text
    return copy


def _drop_space_between(root: etree._Element) -> None:
    for element in root.iter(etree.Element):
        if len(element) and element.text and not element.text.strip():
            element.text = None
        if element.tail and not element.tail.strip():
            element.tail = None


def _c14n(root: etree._Element) -> bytes:
    return etree.tostring(root, method="c14n", with_comments=False)


def signed_infos(
    canonical: bytes, signed_info: etree._Element
) -> Iterator[tuple[set[Cause], bytes]]:
    """SignedInfo as it may have been signed; the first is as it stands, canonical in its place."""
    prefix = f"{signed_info.prefix}:" if signed_info.prefix else ""
    name = f"{prefix}SignedInfo".encode()
    start = max(canonical.rfind(b"<" + name + stop) for stop in (b" ", b">"))
    content_at = canonical.find(b">", start) + 1
    end = canonical.find(b"</" + name + b">", content_at)
    if start < 0 or end < 0:
        return
    content = canonical[content_at:end]
    own = {key or "": uri for key, uri in signed_info.nsmap.items() if uri and key != "xml"}
    for causes, inner in _contents(content):
        for more, scope in _scopes(own, prefix):
            info = b"<%b%b>%b</%b>" % (name, scope, inner, name)
            for last, form in _endings(info):
                yield causes | more | last, form


def _contents(content: bytes) -> Iterator[tuple[set[Cause], bytes]]:
    compact = _BETWEEN.sub(b"><", content.strip())
    yield set(), content
    yield {Cause.SPACE_BETWEEN_ELEMENTS}, compact
    yield {Cause.SPACE_BETWEEN_ELEMENTS}, b"\n" + compact.replace(b"><", b">\n<") + b"\n"
    # Only between the elements, not between an empty one's own tags.
    lines = re.sub(rb">(?=<[^/])|(?<=[a-zA-Z]>)(?=</)", lambda hit: hit[0] + b"\n", compact)
    yield {Cause.SPACE_BETWEEN_ELEMENTS}, b"\n" + lines + b"\n"
    yield {Cause.SELF_CLOSING}, _EMPTY.sub(rb"<\1\2/>", content)
    yield {Cause.SPACE_BETWEEN_ELEMENTS, Cause.SELF_CLOSING}, _EMPTY.sub(rb"<\1\2/>", compact)


def _scopes(own: dict[str, str], prefix: str) -> Iterator[tuple[set[Cause], bytes]]:
    ds_prefix = prefix.rstrip(":")
    usual = {"ceb": CEB_NAMESPACE, "xsi": XSI_NAMESPACE, ds_prefix: DS_NAMESPACE}
    yield set(), _declared(own)
    without_xsi = {key: uri for key, uri in own.items() if key != "xsi"}
    for other in (usual, {ds_prefix: DS_NAMESPACE}, {}, without_xsi, own | {"xsi": XSI_NAMESPACE}):
        if other != own:
            yield {Cause.NAMESPACE}, _declared(other)


def _declared(namespaces: dict[str, str]) -> bytes:
    return b"".join(
        b' %b="%b"' % (b"xmlns:" + key.encode() if key else b"xmlns", uri.encode())
        for key, uri in sorted(namespaces.items())
    )


def _endings(info: bytes) -> Sequence[tuple[set[Cause], bytes]]:
    return (
        (set(), info),
        ({Cause.TRAILING_NEWLINE}, info + b"\n"),
        ({Cause.TRAILING_NEWLINE}, info + b"\r\n"),
    )
