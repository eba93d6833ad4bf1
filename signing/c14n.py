"""Canonical XML 1.0 (inclusive, without comments), as far as an enveloped signature needs it.

lxml canonicalises a subtree wrongly when it uses the default namespace (it adds `xmlns=""`), so
only whole documents are canonicalised here. The signature and its SignedInfo are cut out of the
canonical bytes, and SignedInfo's start tag is given the namespaces that are in scope at its place,
which is what canonicalising it in place means.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lxml import etree

from signing.profiles import DS_NAMESPACE, Profile

_NOT_PLAIN: Final = re.compile(r"""[&<>"'\s]""")
_INSTRUCTION: Final = etree.XPath("boolean(//processing-instruction())")
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"


@dataclass(frozen=True, slots=True)
class CanonicalParts:
    """The two byte strings a signature is about: what is digested and what is signed."""

    body: bytes
    """The canonical document without its Signature element."""
    signed_info: bytes
    """SignedInfo, canonicalised in place."""


def namespace_declarations(namespaces: Iterable[tuple[str, str]]) -> bytes:
    """Write declarations as C14N orders them, each with a space before it.

    Takes pairs of prefix and URI, the default namespace with an empty prefix. URIs are written as
    they are: libxml2's C14N does not escape `&` in them either, whatever the standard says, so a
    signer must not use one (`is_plain_uri`), and a verifier must read the canonical bytes.
    """
    return b"".join(
        b' %b="%b"' % (b"xmlns:" + prefix.encode() if prefix else b"xmlns", uri.encode())
        for prefix, uri in sorted(namespaces)
    )


def signed_info_bytes(profile: Profile, declarations: bytes, digest_base64: bytes) -> bytes:
    """Build what is signed: SignedInfo on one line, no white space, explicit end tags.

    `declarations` are the namespaces in scope including `ds`, from `namespace_declarations`.
    """
    return b"<ds:SignedInfo%b>%b</ds:SignedInfo>" % (
        declarations,
        signed_info_content(profile, digest_base64),
    )


def signed_info_content(profile: Profile, digest_base64: bytes) -> bytes:
    """Build the children of SignedInfo, the same wherever the element stands."""
    before, after = _around_digest(profile)
    return b"%b%b%b" % (before, digest_base64, after)


@lru_cache(maxsize=16)
def _around_digest(profile: Profile) -> tuple[bytes, bytes]:
    """What stands before and after the digest."""
    before = (
        b'<ds:CanonicalizationMethod Algorithm="%b"></ds:CanonicalizationMethod>'
        b'<ds:SignatureMethod Algorithm="%b"></ds:SignatureMethod>'
        b'<ds:Reference URI=""><ds:Transforms>'
        b'<ds:Transform Algorithm="%b"></ds:Transform>'
        b'</ds:Transforms><ds:DigestMethod Algorithm="%b"></ds:DigestMethod>'
        b"<ds:DigestValue>"
    ) % (
        profile.canonicalization.encode(),
        profile.signature_method.encode(),
        profile.transform.encode(),
        profile.digest_method.encode(),
    )
    return before, b"</ds:DigestValue></ds:Reference>"


def canonicalise(root: etree._Element) -> bytes:
    """Canonicalise the whole document of a root element. Raises `lxml.etree.C14NError`."""
    return etree.tostring(root.getroottree(), method="c14n", exclusive=False, with_comments=False)


def namespaces_at(element: etree._Element) -> dict[str, str]:
    """Return the namespaces in scope at an element, the default one under an empty prefix."""
    return {prefix or "": uri for prefix, uri in element.nsmap.items() if uri and prefix != "xml"}


def is_plain_uri(uri: str) -> bool:
    """Tell whether a namespace URI is the same text in every writer's attribute value."""
    return _NOT_PLAIN.search(uri) is None


def has_xml_attribute(element: etree._Element) -> bool:
    """Tell whether the element has an attribute such as `xml:lang`, which C14N hands down."""
    return any(str(name).startswith(_XML) for name in element.attrib)


def has_instruction(root: etree._Element) -> bool:
    """Tell whether the document holds a processing instruction, outside the root included."""
    return bool(_INSTRUCTION(root))


def cut(canonical: bytes, signature: etree._Element, signed_info: etree._Element) -> CanonicalParts:
    """Cut the signature out of a canonical document and SignedInfo out of the signature.

    Only for a structure that was checked before: one Signature as the last node of the root, one
    SignedInfo in it, both without attributes, no processing instruction anywhere. In canonical
    bytes `<` then stands for nothing but tags, so the last tag of that name is the right one.
    """
    outer, inner = _tag_name(signature), _tag_name(signed_info)
    start = max(canonical.rfind(b"<%b%b" % (outer, stop)) for stop in (b" ", b">"))
    end = canonical.index(b"</%b>" % outer, start) + len(outer) + 3
    info_start = canonical.index(b"<" + inner, start, end)
    content = canonical.index(b">", info_start, end) + 1
    info_end = canonical.index(b"</%b>" % inner, content, end) + len(inner) + 3
    declarations = namespace_declarations(namespaces_at(signed_info).items())
    return CanonicalParts(
        body=canonical[:start] + canonical[end:],
        signed_info=b"<%b%b>%b" % (inner, declarations, canonical[content:info_end]),
    )


def _tag_name(element: etree._Element) -> bytes:
    local = etree.QName(element).localname
    return (f"{element.prefix}:{local}" if element.prefix else local).encode()


DS_DECLARATION: Final = b' xmlns:ds="%b"' % DS_NAMESPACE.encode()
"""The declaration every Signature element of ours carries."""
