"""Verify an enveloped signature and hand back what was signed, never the document it came in.

Order of the checks: structure, algorithms, values, certificate, signature, digest. Each refusal has
its own error. The result is parsed afresh from the canonical signed bytes, so nothing a wrapper,
comment or second parser could hide survives into what the caller reads.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from lxml import etree

from schemas.errors import SchemaError
from schemas.loader import LARGE, Limits, parse
from signing.algorithms import check_signature, digest_of, signature_length
from signing.c14n import canonicalise, cut, has_instruction, has_xml_attribute
from signing.certificate import Certificate
from signing.errors import (
    CanonicalizationRefused,
    CertificateExpired,
    CertificateMalformed,
    CertificateNotYetValid,
    CertificateUnreadable,
    CertificateUntrusted,
    ChainTooLong,
    CommentRefused,
    DigestMalformed,
    DigestMethodRefused,
    DigestMismatch,
    ElementRefused,
    InheritedAttribute,
    InstructionRefused,
    KeyInfoRefused,
    KeyKindRefused,
    KeyNameMismatch,
    KeyUsageRefused,
    ObjectRefused,
    PolicyInvalid,
    ReferenceForeign,
    ReferenceRepeated,
    RootUnexpected,
    SignatureMalformed,
    SignatureMethodRefused,
    SignatureMisplaced,
    SignatureMissing,
    SignatureRepeated,
    SignedInfoRepeated,
    StrayElement,
    TextRefused,
    TransformRefused,
    UnreadableDocument,
    ValueMalformed,
    WeakAlgorithmRefused,
    WhitespaceRefused,
)
from signing.profiles import C14N_WITH_COMMENTS, DS_NAMESPACE, Profile

_DS: Final = f"{{{DS_NAMESPACE}}}"
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_LONGEST_CHAIN: Final = 4
_LEAVES: Final = frozenset({"DigestValue", "SignatureValue", "KeyName", "X509Certificate"})


@dataclass(frozen=True, slots=True)
class VerifyPolicy:
    """What a document must be to be accepted. Strict unless a setting says otherwise.

    Raises `PolicyInvalid` when it could accept nothing or its times are naive.
    """

    profiles: tuple[Profile, ...]
    """Allow-list. A profile with a weak digest also needs `weak_until`."""
    at: datetime
    """Time of signing, time-zone aware: certificates must be valid then."""
    pinned: tuple[Certificate, ...] = ()
    """Certificates that may sign. KeyInfo only selects among them."""
    issuers: tuple[Certificate, ...] = ()
    """Authorities whose certificates may sign, directly issued or by way of `intermediates`."""
    intermediates: tuple[Certificate, ...] = ()
    """Certificates that may stand between; each must itself lead to one of `issuers`."""
    weak_until: datetime | None = None
    """Last moment of signing at which a profile with a weak digest is accepted."""
    root_name: str | None = None
    """Expected name of the root, `{namespace}local`; any when absent."""
    key_name_is_serial: bool = True
    """Whether KeyName must be the certificate's serial (2018 note on KeyName)."""
    strict_layout: bool = True
    """Whether white space inside and right after the Signature is refused (byte rule 4)."""
    with_comments_uri: bool = False
    """Whether the canonicalisation may call itself `#WithComments`, as one device does.

    It changes no byte, because comments inside the signature are refused in any case.
    """
    limits: Limits = LARGE

    def __post_init__(self) -> None:
        if not self.profiles:
            raise PolicyInvalid("no profile")
        if not self.pinned and not self.issuers:
            raise PolicyInvalid("no trusted certificate")
        times = (self.at, self.weak_until)
        if any(moment is not None and moment.tzinfo is None for moment in times):
            raise PolicyInvalid("time without zone")
        if not all(issuer.may_issue() for issuer in self.issuers):
            raise PolicyInvalid("issuer that may not issue")


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedDocument:
    """What was signed, and by whom."""

    content: bytes = field(repr=False)
    """Canonical XML of the document without its signature: the very bytes that were digested."""
    root: etree._Element = field(repr=False)
    """Root of a fresh parse of `content`."""
    certificate: Certificate
    key_name: str
    profile: Profile
    digest_base64: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a well-formed Signature element says, not yet believed."""

    signature: etree._Element
    signed_info: etree._Element
    canonicalization: str
    signature_method: str
    digest_method: str
    digest: str
    value: str
    key_name: str
    certificate: str | None
    """None where KeyInfo is KeyName alone."""


def verify(document: bytes, policy: VerifyPolicy) -> VerifiedDocument:
    """Return what was signed, or raise a `VerificationError` that says why it is refused."""
    try:
        root = parse(document, _with_xml_attributes(policy.limits))
        canonical = canonicalise(root)
    except (SchemaError, etree.C14NError) as error:
        raise UnreadableDocument from error
    claim = _claim(root, policy)
    profile = _profile(claim, policy)
    digest = _decoded(claim.digest, DigestMalformed)
    if len(digest) != profile.digest_bytes:
        raise DigestMalformed("length")
    value = _decoded(claim.value, SignatureMalformed)
    certificate = _certificate(claim, profile, policy)
    if len(value) != signature_length(profile, certificate):
        raise SignatureMalformed("length")
    parts = cut(canonical, claim.signature, claim.signed_info)
    check_signature(profile, certificate, value, parts.signed_info)
    if not hmac.compare_digest(digest_of(profile, parts.body), digest):
        raise DigestMismatch
    return VerifiedDocument(
        content=parts.body,
        root=_parse_again(parts.body, policy),
        certificate=certificate,
        key_name=claim.key_name,
        profile=profile,
        digest_base64=claim.digest,
    )


@lru_cache(maxsize=16)
def _with_xml_attributes(limits: Limits) -> Limits:
    """Let the parser take `xml:` attributes: what is refused of them has a reason of its own."""
    return replace(limits, xml_attributes=True)


def _parse_again(body: bytes, policy: VerifyPolicy) -> etree._Element:
    """Parse what was signed, which libxml2's C14N does not always leave well-formed."""
    try:
        return parse(body, _with_xml_attributes(policy.limits))
    except SchemaError as error:
        raise UnreadableDocument from error


def _claim(root: etree._Element, policy: VerifyPolicy) -> _Claim:
    """Find the one signature and read it, refusing every structure but the profile's."""
    signature = _the_signature(root, policy)
    if next(signature.iter(etree.Comment), None) is not None:
        raise CommentRefused
    for name, refusal in (("SignedInfo", SignedInfoRepeated), ("Reference", ReferenceRepeated)):
        if sum(1 for _ in signature.iter(_DS + name)) != 1:
            raise refusal
    if next(signature.iter(_DS + "Object"), None) is not None:
        raise ObjectRefused
    info, value, key_info = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    c14n, method, reference = _children(
        info, "CanonicalizationMethod", "SignatureMethod", "Reference"
    )
    if dict(reference.attrib) != {"URI": ""}:
        raise ReferenceForeign
    transforms, digest_method, digest = _children(
        reference, "Transforms", "DigestMethod", "DigestValue", attributes=("URI",)
    )
    _require_enveloped(transforms, policy)
    key_name, certificate = _key_info(key_info)
    claim = _Claim(
        signature=signature,
        signed_info=info,
        canonicalization=_algorithm(c14n),
        signature_method=_algorithm(method),
        digest_method=_algorithm(digest_method),
        digest=_value(digest, policy),
        value=_value(value, policy),
        key_name=_value(key_name, policy),
        certificate=None if certificate is None else _value(certificate, policy),
    )
    _refuse_text(signature, policy)
    return claim


def _the_signature(root: etree._Element, policy: VerifyPolicy) -> etree._Element:
    found = list(root.iter(_DS + "Signature"))
    if not found:
        raise SignatureMissing
    if len(found) > 1:
        raise SignatureRepeated(str(len(found)))
    (signature,) = found
    if has_instruction(root):
        raise InstructionRefused
    if signature.getparent() is not root or signature.getnext() is not None:
        raise SignatureMisplaced
    if policy.root_name is not None and root.tag != policy.root_name:
        raise RootUnexpected
    if has_xml_attribute(root):
        raise InheritedAttribute
    if sum(1 for _ in root.iter(_DS + "*")) != sum(1 for _ in signature.iter(_DS + "*")):
        raise StrayElement
    return signature


def _refuse_text(signature: etree._Element, policy: VerifyPolicy) -> None:
    """Refuse text between the elements, and white space where the layout is strict."""
    for text in _texts_between(signature):
        if _SPACE.sub("", text):
            raise TextRefused
        if policy.strict_layout:
            raise WhitespaceRefused


def _texts_between(signature: etree._Element) -> Iterator[str]:
    for element in signature.iter(etree.Element):
        if element.tail:
            yield element.tail
        if element.text and etree.QName(element).localname not in _LEAVES:
            yield element.text


def _children(
    parent: etree._Element, *names: str, attributes: tuple[str, ...] = ()
) -> list[etree._Element]:
    """Return the children, which must be exactly the named ones in order."""
    if [child.tag for child in parent] != [_DS + name for name in names]:
        raise ElementRefused(f"children of {etree.QName(parent).localname}")
    if tuple(parent.attrib) != attributes:
        raise ElementRefused(f"attributes of {etree.QName(parent).localname}")
    return list(parent)


def _require_enveloped(transforms: etree._Element, policy: VerifyPolicy) -> None:
    if [child.tag for child in transforms] != [_DS + "Transform"]:
        raise TransformRefused
    (transform,) = _children(transforms, "Transform")
    if len(transform) or _algorithm(transform) not in {
        profile.transform for profile in policy.profiles
    }:
        raise TransformRefused


def _key_info(key_info: etree._Element) -> tuple[etree._Element, etree._Element | None]:
    """Return KeyName and X509Certificate, the only contents KeyInfo may have.

    Whether the certificate may be left out is the profile's to say.
    """
    try:
        if len(key_info) == 1:
            (name,) = _children(key_info, "KeyName")
            return name, None
        key_name, data = _children(key_info, "KeyName", "X509Data")
        (certificate,) = _children(data, "X509Certificate")
    except ElementRefused as error:
        raise KeyInfoRefused(error.detail) from None
    return key_name, certificate


def _algorithm(element: etree._Element) -> str:
    _children(element, attributes=("Algorithm",))
    return str(element.attrib["Algorithm"])


def _value(element: etree._Element, policy: VerifyPolicy) -> str:
    """Read the whole text of an element that may hold text alone."""
    _children(element)
    # Whole: it has no child, not even a comment or an instruction.
    text = element.text or ""
    folded = _SPACE.sub("", text) if _has_space(text) else text
    if policy.strict_layout and folded != text:
        raise WhitespaceRefused(etree.QName(element).localname)
    return folded


def _has_space(text: str) -> bool:
    return " " in text or "\n" in text or "\t" in text or "\r" in text


def _profile(claim: _Claim, policy: VerifyPolicy) -> Profile:
    """Select the profile the signature names, from the allow-list only."""
    named = [each for each in policy.profiles if each.signature_method == claim.signature_method]
    has_certificate = claim.certificate is not None
    # CEB and DXP share their URIs and differ in what KeyInfo holds.
    profile = next((one for one in named if one.has_certificate is has_certificate), None) or (
        named[0] if named else None
    )
    if profile is None:
        raise SignatureMethodRefused
    if (claim.certificate is not None) is not profile.has_certificate:
        raise KeyInfoRefused("certificate")
    if claim.digest_method != profile.digest_method:
        raise DigestMethodRefused
    accepted = {profile.canonicalization}
    if policy.with_comments_uri:
        accepted.add(C14N_WITH_COMMENTS)
    if claim.canonicalization not in accepted:
        raise CanonicalizationRefused
    if profile.is_weak and (policy.weak_until is None or policy.at > policy.weak_until):
        raise WeakAlgorithmRefused
    return profile


def _decoded(text: str, refusal: type[ValueMalformed]) -> bytes:
    """Decode base64 that is written the one canonical way."""
    try:
        value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise refusal from error
    if base64.b64encode(value).decode() != text:
        raise refusal("not canonical")
    return value


def _certificate(claim: _Claim, profile: Profile, policy: VerifyPolicy) -> Certificate:
    """Return the trusted certificate KeyInfo selects, valid for signing at the policy's time."""
    if claim.certificate is None:
        certificate = _named(claim.key_name, policy)
    else:
        der = _decoded(claim.certificate, CertificateMalformed)
        pinned = next((each for each in policy.pinned if each.der == der), None)
        certificate = pinned or _issued(der, policy)
    if certificate.key_kind is not profile.key_kind or (
        certificate.key_bits not in profile.key_bits
    ):
        raise KeyKindRefused
    _require_validity(certificate, policy.at)
    if not certificate.may_sign():
        raise KeyUsageRefused
    if policy.key_name_is_serial and claim.key_name != certificate.serial:
        raise KeyNameMismatch
    return certificate


def _named(key_name: str, policy: VerifyPolicy) -> Certificate:
    """Return the pinned certificate of this serial, where KeyInfo carries none."""
    for certificate in policy.pinned:
        if certificate.serial == key_name:
            return certificate
    raise CertificateUntrusted


def _issued(der: bytes, policy: VerifyPolicy) -> Certificate:
    """Return the certificate if a chain of valid certificates leads from it to a trusted issuer.

    A chain has at most `_LONGEST_CHAIN` issuers, so issuers that issued each other end too.
    """
    certificate, chain = _chain(der, policy.issuers, policy.intermediates)
    for above in chain:
        _require_validity(above, policy.at)
    return certificate


@lru_cache(maxsize=256)
def _chain(
    der: bytes, issuers: tuple[Certificate, ...], intermediates: tuple[Certificate, ...]
) -> tuple[Certificate, tuple[Certificate, ...]]:
    """The certificate and who stands above it; whatever the moment, so a verdict holds for good.

    A refusal is not kept: strangers cannot crowd out what is known.
    """
    try:
        certificate = Certificate.from_der(der)
    except CertificateUnreadable as error:
        raise CertificateMalformed from error
    below = certificate
    chain: list[Certificate] = []
    for _ in range(_LONGEST_CHAIN):
        for issuer in issuers:
            if below.is_issued_by(issuer):
                return certificate, (*chain, issuer)
        found = [one for one in intermediates if below.is_issued_by(one)]
        if not found:
            raise CertificateUntrusted
        below = found[0]
        if not below.may_issue():
            raise KeyUsageRefused("intermediate")
        chain.append(below)
    raise ChainTooLong


def _require_validity(certificate: Certificate, moment: datetime) -> None:
    if moment < certificate.not_before:
        raise CertificateNotYetValid
    if moment > certificate.not_after:
        raise CertificateExpired
