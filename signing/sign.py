"""Sign a document: digest it, sign SignedInfo, glue the Signature before the root's end tag.

No byte of the document is changed. SHA-1 and the key's own operation are the cost; the rest is a
few slices.
"""

import base64
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from lxml import etree

from schemas.errors import SchemaError
from schemas.loader import LARGE, Limits, parse
from signing.algorithms import digest_of, signature_length
from signing.c14n import (
    DS_DECLARATION,
    canonicalise,
    has_instruction,
    has_xml_attribute,
    is_plain_uri,
    namespace_declarations,
    namespaces_at,
    signed_info_bytes,
    signed_info_content,
)
from signing.certificate import Certificate
from signing.errors import (
    AlreadySigned,
    CarriageReturnKept,
    DocumentNotCanonical,
    DocumentUnreadable,
    KeyFailed,
    KeyNameInvalid,
    RootNotSignable,
    RootUnusual,
)
from signing.keys.base import Key
from signing.profiles import DS_NAMESPACE, Profile, profile_for, require_fit

_KEY_NAME: Final = re.compile(r"[0-9A-Za-z]{1,40}")
_START_TAG: Final = re.compile(rb'<([^\s<>/="&!?]+)((?: [^\s<>="]+="[^<"]*")*)>')
_DECLARATION: Final = re.compile(r' xmlns(?::([^\s=]+))?="([^"]*)"')
_END_TAG: Final = re.compile(rb"</([^\s<>]+)\s*>\s*\Z")


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A signed document and the facts that are kept beside it."""

    content: bytes = field(repr=False)
    """The document with its Signature: what is stored and sent, byte for byte."""
    digest_base64: str
    """Digest of the document without the signature, as in DigestValue."""
    signature: bytes = field(repr=False)
    certificate_serial: str
    key_name: str
    """Text of ds:KeyName; the serial unless the device has a string of its own."""
    profile: Profile
    was_canonical: bool
    """Whether the document's own bytes were digested, not its canonical form."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the Signature goes, and what is in scope there."""

    digested: bytes
    namespaces: tuple[tuple[str, str], ...]
    end_tag: int


def sign(
    document: bytes,
    key: Key,
    profile: Profile | None = None,
    *,
    canonical: bool = False,
    any_root: bool = False,
    limits: Limits = LARGE,
) -> SignedDocument:
    """Return the document with an enveloped signature as the last child of its root.

    With `canonical` the caller promises that the document *is* its Canonical XML (UTF-8, no
    declaration, no comment): these very bytes are digested and nothing is parsed. Otherwise the
    document is parsed within `limits` and canonicalised for the digest. Either way its bytes stay
    as they are but for the inserted element.

    The root must declare the profile's namespaces and no others (spec chapter 6: the bytes customs
    devices sign); `any_root` lifts this and signs with whatever is in scope.

    Raises a `DocumentError`, `ProfileMismatch`, or a `SigningKeyError` of the key.
    """
    if profile is None:
        profile = profile_for(key.certificate)
    else:
        require_fit(profile, key.certificate)
    key_name = key.key_name
    if not is_key_name(key_name):
        raise KeyNameInvalid
    place = _in_canonical(document) if canonical else _in_parsed(document, limits)
    if place.namespaces != profile.namespaces:
        if not any_root:
            raise RootUnusual
        if not all(is_plain_uri(uri) for _, uri in place.namespaces):
            raise RootNotSignable("namespace URI")
    digest = base64.b64encode(digest_of(profile, place.digested))
    signature = key.sign(signed_info_bytes(profile, _in_scope(place.namespaces), digest))
    if len(signature) != signature_length(profile, key.certificate):
        raise KeyFailed("length of the signature")
    element = _signature_element(profile, digest, signature, key)
    view = memoryview(document)
    return SignedDocument(
        content=b"".join((view[: place.end_tag], element, view[place.end_tag :])),
        digest_base64=digest.decode(),
        signature=signature,
        certificate_serial=key.certificate.serial,
        key_name=key_name,
        profile=profile,
        was_canonical=canonical,
    )


@lru_cache(maxsize=64)
def _in_scope(namespaces: tuple[tuple[str, str], ...]) -> bytes:
    """The declarations in scope at SignedInfo under a root that has these."""
    return namespace_declarations({**dict(namespaces), "ds": DS_NAMESPACE}.items())


def is_key_name(text: str) -> bool:
    """Tell whether the text may stand in ds:KeyName: 1 to 40 letters and digits."""
    return _KEY_NAME.fullmatch(text) is not None


def _signature_element(profile: Profile, digest: bytes, signature: bytes, key: Key) -> bytes:
    return (
        b"<ds:Signature%b><ds:SignedInfo>%b</ds:SignedInfo>"
        b"<ds:SignatureValue>%b</ds:SignatureValue>"
        b"%b</ds:Signature>"
    ) % (
        DS_DECLARATION,
        signed_info_content(profile, digest),
        base64.b64encode(signature),
        _key_info(profile, key.key_name, key.certificate),
    )


@lru_cache(maxsize=64)
def _key_info(profile: Profile, key_name: str, certificate: Certificate) -> bytes:
    """The same with every message of a key."""
    data = b""
    if profile.has_certificate:
        data = (
            b"<ds:X509Data><ds:X509Certificate>%b</ds:X509Certificate></ds:X509Data>"
            % certificate.der_base64
        )
    return b"<ds:KeyInfo><ds:KeyName>%b</ds:KeyName>%b</ds:KeyInfo>" % (key_name.encode(), data)


def _in_canonical(document: bytes) -> _Place:
    """Find the place in promised canonical bytes, testing of the promise what costs nothing."""
    start = _START_TAG.match(document)
    if start is None or b"\r" in document:
        raise DocumentNotCanonical
    end_tag = b"</%b>" % start.group(1)
    if not document.endswith(end_tag):
        raise DocumentNotCanonical("end of the root")
    if document.endswith(b"</ds:Signature>" + end_tag):
        raise AlreadySigned
    attributes = start.group(2)
    if b" xml:" in attributes:
        raise RootNotSignable("xml: attribute")
    try:
        declared = _DECLARATION.findall(attributes.decode())
    except UnicodeDecodeError as error:
        raise DocumentNotCanonical("not UTF-8") from error
    return _Place(
        digested=document,
        namespaces=tuple(declared),
        end_tag=len(document) - len(end_tag),
    )


def _in_parsed(document: bytes, limits: Limits) -> _Place:
    """Parse and canonicalise, and find the root's end tag in the bytes as they came."""
    try:
        root = parse(document, replace(limits, xml_attributes=True))
        digested = canonicalise(root)
    except (SchemaError, etree.C14NError) as error:
        raise DocumentUnreadable from error
    if b"&#xD;" in digested:
        raise CarriageReturnKept
    if next(root.iter(f"{{{DS_NAMESPACE}}}Signature"), None) is not None:
        raise AlreadySigned
    if has_xml_attribute(root):
        raise RootNotSignable("xml: attribute")
    if has_instruction(root):
        raise RootNotSignable("processing instruction")
    end = _END_TAG.search(document, max(0, len(document) - 1024))
    if end is None or root.getnext() is not None:
        raise RootNotSignable("no end tag at the end")
    return _Place(
        digested=digested,
        namespaces=tuple(sorted(namespaces_at(root).items())),
        end_tag=end.start(),
    )
