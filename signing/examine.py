"""Say everything there is to say about a signature, and why it does not hold where it does not.

This is the tolerant way for old and foreign material: nothing is refused but what cannot be read,
and nothing that comes out of here may be used as verified content. The flow never calls it;
`signing.verify` is the judge.
"""

import base64
import hashlib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SM3, Hash
from lxml import etree

from schemas.errors import SchemaError
from schemas.loader import LARGE, Limits, parse
from signing.c14n import canonicalise
from signing.certificate import Certificate
from signing.certificate_facts import CertificateFacts, facts_of
from signing.der import is_der_signature, raw_of_der
from signing.errors import (
    CertificateUnreadable,
    SignatureMismatch,
    SigningError,
    UnreadableDocument,
    VerificationError,
)
from signing.keys.made import decoded
from signing.libcrypto import SIGNER_ID
from signing.profiles import CEB_PROFILES, DS_NAMESPACE, DXP_PROFILES, KeyKind
from signing.spellings import Cause, exclusive_form, layouts, raw_forms, rewritings, signed_infos
from signing.verify import VerifyPolicy, verify

_DS: Final = f"{{{DS_NAMESPACE}}}"
_PAIRS_BELOW_BYTES: Final = 256 * 1024
_SPACE: Final = re.compile(r"\s+")


class Finding(StrEnum):
    """How one check ended."""

    HOLDS = "holds"
    DIFFERS = "differs"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Examination:
    """What a signed document says of itself, and how much of it holds.

    `digest_causes` and `signature_causes` say why a check differs; `refused` is the code and text
    of the strict verifier, None when it accepts the document under the certificate it carries.
    """

    is_signed: bool
    digest: Finding = Finding.UNCHECKED
    digest_causes: tuple[Cause, ...] = ()
    signature: Finding = Finding.UNCHECKED
    signature_causes: tuple[Cause, ...] = ()
    refused: str | None = None
    key_name: str = ""
    key_name_fits: bool | None = None
    certificate: CertificateFacts | None = None
    is_trusted: bool | None = None
    was_valid: bool | None = None
    algorithms: tuple[str, ...] = ()
    """Canonicalisation, signature method, digest method as the signature names them."""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Parts:
    signature: etree._Element
    signed_info: etree._Element | None
    algorithms: tuple[str, ...]
    digest: str
    value: str
    key_name: str
    certificate: str


def examine(
    document: bytes,
    *,
    at: datetime | None = None,
    pinned: Sequence[Certificate] = (),
    issuers: Sequence[Certificate] = (),
    intermediates: Sequence[Certificate] = (),
    limits: Limits = LARGE,
) -> Examination:
    """Look at every part of a signature and explain what differs.

    `at` is the time of signing, where it is known. `pinned` are also tried for documents that carry
    no certificate. Raises `UnreadableDocument` only.
    """
    try:
        root = parse(document, limits)
        canonical = canonicalise(root)
    except (SchemaError, etree.C14NError) as error:
        raise UnreadableDocument from error
    found = root.findall(f".//{_DS}Signature")
    if not found:
        return Examination(is_signed=False)
    parts = _read(found[-1])
    certificate = _certificate(parts, pinned)
    digest, digest_causes = _judge_digest(document, root, parts)
    signature, signature_causes = _judge_signature(canonical, parts, certificate)
    return Examination(
        is_signed=True,
        digest=digest,
        digest_causes=digest_causes,
        signature=signature,
        signature_causes=signature_causes,
        refused=_refusal(document, certificate, limits),
        key_name=parts.key_name,
        key_name_fits=None if certificate is None else parts.key_name == certificate.serial,
        certificate=None if certificate is None else facts_of(certificate),
        is_trusted=_is_trusted(certificate, pinned, issuers, intermediates),
        was_valid=None if certificate is None or at is None else certificate.is_valid_at(at),
        algorithms=parts.algorithms,
        notes=tuple(_notes(root, found, parts, certificate)),
    )


def _read(signature: etree._Element) -> _Parts:
    def text(name: str) -> str:
        element = signature.find(f".//{_DS}{name}")
        if element is None:
            return ""
        return _SPACE.sub("", "".join(str(piece) for piece in element.itertext()))

    def algorithm(name: str) -> str:
        element = signature.find(f".//{_DS}{name}")
        return "" if element is None else str(element.get("Algorithm", ""))

    return _Parts(
        signature=signature,
        signed_info=signature.find(f"{_DS}SignedInfo"),
        algorithms=tuple(
            algorithm(name)
            for name in ("CanonicalizationMethod", "SignatureMethod", "DigestMethod")
        ),
        digest=text("DigestValue"),
        value=text("SignatureValue"),
        key_name=text("KeyName"),
        certificate=text("X509Certificate"),
    )


def _certificate(parts: _Parts, pinned: Iterable[Certificate]) -> Certificate | None:
    if parts.certificate:
        try:
            return Certificate.from_base64(parts.certificate)
        except CertificateUnreadable:
            return None
    return next((one for one in pinned if one.serial == parts.key_name.lower()), None)


# --- the digest --------------------------------------------------------------------------------


def _judge_digest(
    document: bytes, root: etree._Element, parts: _Parts
) -> tuple[Finding, tuple[Cause, ...]]:
    if not parts.digest:
        return Finding.UNCHECKED, ()
    wanted, named = parts.digest, _digest_named(parts.algorithms[2])
    others = [name for name in ("sha1", "sm3", "sha256", "md5") if name != named]
    for causes, body in _bodies(document, root, parts.signature):
        if _digest(named, body) == wanted:
            return _found(causes)
    for causes, body in layouts(root, parts.signature):
        for name in others:
            if _digest(name, body) == wanted:
                return _found(causes | {Cause.OTHER_DIGEST})
    return Finding.DIFFERS, (Cause.UNEXPLAINED,)


def _found(causes: Collection[Cause]) -> tuple[Finding, tuple[Cause, ...]]:
    """No cause: it holds as it is. Else in the order of their declaration."""
    return (Finding.DIFFERS if causes else Finding.HOLDS), tuple(
        cause for cause in Cause if cause in causes
    )


def _bodies(
    document: bytes, root: etree._Element, signature: etree._Element
) -> Iterator[tuple[set[Cause], bytes]]:
    """Everything that may have been hashed, the simplest explanation first."""
    forms = list(layouts(root, signature))
    yield from forms
    single = rewritings()
    for causes, body in forms:
        for cause, rewrite in single:
            yield causes | {cause}, _rewritten(body, rewrite)
    yield from raw_forms(document)
    yield {Cause.EXCLUSIVE}, exclusive_form(root, signature)
    if len(document) > _PAIRS_BELOW_BYTES:
        return
    for causes, body in forms:
        for (first, one), (second, other) in itertools.permutations(single, 2):
            yield causes | {first, second}, _rewritten(_rewritten(body, one), other)


def _rewritten(body: bytes, rewrite: object) -> bytes:
    assert callable(rewrite)
    try:
        result = rewrite(body)
    except UnicodeError:
        return body
    assert isinstance(result, bytes)
    return result


def _digest_named(uri: str) -> str:
    if uri.endswith("sm3"):
        return "sm3"
    return "sha256" if uri.endswith("sha256") else "sha1"


def _digest(name: str, body: bytes) -> str:
    return base64.b64encode(_hash(name, body)).decode()


def _hash(name: str, body: bytes) -> bytes:
    if name == "sm3":
        sm3 = Hash(SM3())
        sm3.update(body)
        return sm3.finalize()
    return hashlib.new(name, body, usedforsecurity=False).digest()


# --- the signature -----------------------------------------------------------------------------


def _judge_signature(
    canonical: bytes, parts: _Parts, certificate: Certificate | None
) -> tuple[Finding, tuple[Cause, ...]]:
    if certificate is None or parts.signed_info is None or not parts.value:
        return Finding.UNCHECKED, ()
    try:
        value = decoded(parts.value)
    except SigningError:
        return Finding.DIFFERS, (Cause.UNEXPLAINED,)
    forms = list(signed_infos(canonical, parts.signed_info))
    forms.append(({Cause.OTHER_BYTES}, parts.digest.encode()))
    if certificate.key_kind is KeyKind.RSA:
        named = "sha256" if parts.algorithms[1].endswith("sha256") else "sha1"
        return _judge_rsa(value, certificate, named, forms)
    if certificate.key_kind is KeyKind.SM2:
        return _judge_sm2(value, certificate, forms)
    return Finding.UNCHECKED, ()


def _judge_rsa(
    value: bytes,
    certificate: Certificate,
    named: str,
    forms: Iterable[tuple[set[Cause], bytes]],
) -> tuple[Finding, tuple[Cause, ...]]:
    """An RSA signature gives its digest back: another key and other bytes are told apart."""
    public = certificate.public_rsa_key()
    for name, algorithm in (("sha1", SHA1()), ("sha256", SHA256())):  # noqa: S303
        try:
            signed = public.recover_data_from_signature(value, padding.PKCS1v15(), algorithm)
        except (InvalidSignature, ValueError):
            continue
        other = {Cause.OTHER_DIGEST} if name != named else set()
        for causes, form in forms:
            if _hash(name, form) == signed:
                return _found(causes | other)
        return _found({Cause.OTHER_BYTES} | other)
    return Finding.DIFFERS, (Cause.OTHER_KEY,)


def _judge_sm2(
    value: bytes, certificate: Certificate, forms: Iterable[tuple[set[Cause], bytes]]
) -> tuple[Finding, tuple[Cause, ...]]:
    """An SM2 signature does not give its digest back: every form is tried."""
    public, of_form = certificate.public_sm2_key(), set()
    if is_der_signature(value):
        value, of_form = raw_of_der(value), {Cause.DER_SIGNATURE}
    ids: tuple[tuple[set[Cause], bytes], ...] = ((set(), SIGNER_ID), ({Cause.EMPTY_SIGNER_ID}, b""))
    for (causes, form), (more, signer_id) in itertools.product(forms, ids):
        try:
            public.verify(value, form, signer_id)
        except SignatureMismatch:
            continue
        return _found(causes | more | of_form)
    return Finding.DIFFERS, (Cause.UNEXPLAINED,)


# --- the rest ----------------------------------------------------------------------------------


def _refusal(document: bytes, certificate: Certificate | None, limits: Limits) -> str | None:
    """What the strict verifier says under the document's own certificate, in its time."""
    if certificate is None:
        return "SIGN-433: no certificate that can be read"
    moment = certificate.not_before
    policy = VerifyPolicy(
        profiles=(*CEB_PROFILES, *DXP_PROFILES),
        at=moment,
        pinned=(certificate,),
        weak_until=moment,
        limits=limits,
    )
    try:
        verify(document, policy)
    except VerificationError as error:
        return f"{error.code}: {error}"
    return None


def _is_trusted(
    certificate: Certificate | None,
    pinned: Sequence[Certificate],
    issuers: Sequence[Certificate],
    intermediates: Sequence[Certificate],
) -> bool | None:
    """Whether it is pinned or leads to an issuer; None when nobody was named to trust."""
    if certificate is None or not (pinned or issuers):
        return None
    if certificate in pinned:
        return True
    below, left = certificate, list(intermediates)
    while True:
        if any(below.is_issued_by(issuer) for issuer in issuers):
            return True
        found = next((one for one in left if below.is_issued_by(one)), None)
        if found is None:
            return False
        left.remove(found)
        below = found


def _notes(
    root: etree._Element,
    found: Sequence[etree._Element],
    parts: _Parts,
    certificate: Certificate | None,
) -> Iterator[str]:
    """Departures from the profile that are no fault of the cryptography."""
    if len(found) > 1:
        yield "signatures-repeated"
    if parts.signature.getparent() is not root or parts.signature.getnext() is not None:
        yield "signature-misplaced"
    known = {profile.signature_method for profile in CEB_PROFILES}
    if parts.algorithms[1] not in known:
        yield "signature-method-unknown"
    if certificate is None:
        yield "certificate-unreadable" if parts.certificate else "certificate-missing"
        return
    if certificate.key_kind is KeyKind.RSA and certificate.key_bits < 2048:
        yield "key-1024-bit"
    if parts.key_name != certificate.serial:
        yield _key_name_note(parts.key_name, certificate.serial)


def _key_name_note(written: str, serial: str) -> str:
    if written.lower() == serial:
        return "key-name-upper-case"
    if written.lower().lstrip("0") == serial.lstrip("0"):
        return "key-name-padding"
    return "key-name-foreign"
