"""The signature of a message as a stranger sees it: is it sound, and what does its certificate say.

Trust is not judged here: offline nobody knows which certificates customs has registered. The
signature is checked against the certificate it carries, as of a moment in its validity, so that an
expired certificate and a broken signature are told apart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from lxml import etree

from gateway.domain.findings import Severity
from schemas.loader import LARGE
from signing import (
    CAUSE_TEXTS,
    CEB_PROFILES,
    Cause,
    Certificate,
    CertificateFacts,
    Finding,
    Profile,
    SigningError,
    VerificationError,
    VerifyPolicy,
    examine,
    facts_of,
    profile_for,
    verify,
)
from signing.errors import (
    CanonicalizationRefused,
    CertificateExpired,
    CertificateNotYetValid,
    DigestMethodRefused,
    KeyNameMismatch,
    MismatchError,
    SignatureMethodRefused,
    WhitespaceRefused,
)

_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_BEIJING: Final = timedelta(hours=8)
_ARMOUR: Final = re.compile(r"-----(?:BEGIN|END) CERTIFICATE-----")
_APP_TIME: Final = re.compile(r"[0-9]{14}", re.ASCII)
_BOTH: Final = (Finding.HOLDS, Finding.HOLDS)
_HOLDS: Final = (
    "摘要与签名值本身均成立，仅签名的写法不合规范。",
    "Digest and signature hold by themselves; only the form is not the profile's.",
)
_REFUSALS_ZH: Final = {
    "SIGN-207": "本机缺少该算法（SM2 需要系统的 OpenSSL 3），未校验签名。",
    "SIGN-206": "该类密钥不属于任何签名规范，未校验签名。",
    "SIGN-209": "X509Certificate 不是可读的证书。",
    "SIGN-402": "报文含有多个签名。",
    "SIGN-403": "签名不是根节点的最后一个子节点。",
    "SIGN-404": "签名内部或之后有空白字符（海关客户端可能拒收）。",
    "SIGN-405": "签名内含有注释。",
    "SIGN-409": "签名引用的不是整个报文（URI 应为空）。",
    "SIGN-410": "签名的转换算法不是唯一的 enveloped-signature。",
    "SIGN-412": "签名结构与规范不符。",
    "SIGN-413": "KeyInfo 应只含 KeyName 与一张证书。",
    "SIGN-421": "规范化算法与规范不符。",
    "SIGN-422": "签名算法不是规范所列，未校验签名。",
    "SIGN-423": "摘要算法与签名算法不配套，未校验签名。",
    "SIGN-431": "摘要值格式有误。",
    "SIGN-432": "签名值格式有误。",
    "SIGN-433": "X509Certificate 不是可读的证书。",
    "SIGN-444": "证书的用途不含签名。",
    "SIGN-445": "KeyName 不是证书编号。",
    "SIGN-446": "密钥类型与签名算法不符。",
    "SIGN-451": "摘要不符：签名后报文内容被改动。",
    "SIGN-452": "签名值与证书不符：签名后 SignedInfo 被改动，或用了别的密钥。",
}


class SignatureState(StrEnum):
    """What became of checking a signature."""

    ABSENT = "absent"
    VALID = "valid"
    INVALID = "invalid"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class SignatureFinding:
    """Something to tell about a signature or its certificate."""

    rule: str
    severity: Severity
    zh: str
    en: str


_NO_CERTIFICATE: Final = SignatureFinding(
    "SIGN-413",
    Severity.BLOCK,
    "KeyInfo 没有 X509Certificate，无从校验签名。",
    "KeyInfo holds no X509Certificate: nobody can check the signature.",
)


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """The verdict with the algorithm it names, its certificate and what to tell."""

    state: SignatureState
    method: str = ""
    key_name: str = ""
    certificate: CertificateFacts | None = None
    findings: tuple[SignatureFinding, ...] = ()


def inspect_signature(
    data: bytes, root: etree._Element, app_time: str, now: datetime
) -> SignatureReport:
    """Check the signature of a message; ``app_time`` says in 14 digits when its records were sent.

    Where it is no moment the certificate is judged as of ``now``. Raises nothing for what a
    document holds.
    """
    element = root.find(f"{_DS}Signature")
    if element is None:
        return SignatureReport(SignatureState.ABSENT)
    method = element.find(f".//{_DS}SignatureMethod")
    base = SignatureReport(
        SignatureState.INVALID,
        method=(method.get("Algorithm") or "")[:100] if method is not None else "",
        key_name=_text(element, "KeyName")[:40],
    )
    held = "".join(_ARMOUR.sub("", _text(element, "X509Certificate")).split())
    if not held:
        return replace(base, state=SignatureState.UNCHECKED, findings=(_NO_CERTIFICATE,))
    try:
        certificate = Certificate.from_base64(held)
    except SigningError as error:
        return replace(base, findings=(_refusal(error),))
    base = replace(base, certificate=facts_of(certificate))
    told = [*_old_key(base.certificate), *_validity(certificate, _moment(app_time) or now)]
    state, refusals = _verdict(data, certificate)
    return replace(base, state=state, findings=(*refusals, *told))


def _verdict(
    data: bytes, certificate: Certificate
) -> tuple[SignatureState, tuple[SignatureFinding, ...]]:
    """Strictly first; then with what other senders are known to do, each told as a note."""
    notes: list[SignatureFinding] = []
    try:
        policy = VerifyPolicy(
            profiles=_profiles(certificate),
            at=certificate.not_before,
            pinned=(certificate,),
            weak_until=certificate.not_after,
            limits=LARGE,
        )
        while (error := _forgivable(data, policy)) is not None:
            policy = _milder(policy, error)
            notes.append(_refusal(error, Severity.NOTE))
        return SignatureState.VALID, tuple(notes)
    except (SignatureMethodRefused, DigestMethodRefused) as error:
        told = (_refusal(error, Severity.WARN), *_causes(data, error))
        return SignatureState.UNCHECKED, (*notes, *told)
    except VerificationError as error:
        return SignatureState.INVALID, (*notes, _refusal(error), *_causes(data, error))
    except SigningError as error:
        # No algorithm of ours fits the key, or the machine lacks it: nobody knows.
        return SignatureState.UNCHECKED, (*notes, _refusal(error, Severity.WARN))


def _profiles(certificate: Certificate) -> tuple[Profile, ...]:
    """What the certificate's key may sign with, under official URIs or the unofficial ones.

    Raises `KeyUnsupported` for a key that no profile knows.
    """
    kind = profile_for(certificate).key_kind
    return tuple(profile for profile in CEB_PROFILES if profile.key_kind is kind)


def _causes(data: bytes, error: VerificationError) -> tuple[SignatureFinding, ...]:
    """Why a digest or a signature differs, byte for byte; or that both hold, and only the form of
    the signature is not the profile's.
    """
    try:
        found = examine(data, limits=LARGE)
    except SigningError:
        return ()
    causes = dict.fromkeys((*found.digest_causes, *found.signature_causes))
    told = [CAUSE_TEXTS[cause] for cause in causes if cause is not Cause.UNEXPLAINED]
    if not isinstance(error, MismatchError) and not causes:
        told += [_HOLDS] if (found.digest, found.signature) == _BOTH else []
    return tuple(SignatureFinding(error.code, Severity.NOTE, zh, en) for zh, en in told)


def _forgivable(data: bytes, policy: VerifyPolicy) -> VerificationError | None:
    """What a milder policy would take, None when the signature is sound; raises the rest."""
    try:
        verify(data, policy)
    except (WhitespaceRefused, KeyNameMismatch, CanonicalizationRefused) as error:
        if _milder(policy, error) == policy:
            raise
        return error
    return None


def _milder(policy: VerifyPolicy, error: VerificationError) -> VerifyPolicy:
    """The policy that takes what was refused; the same one when it is taken already."""
    if isinstance(error, WhitespaceRefused):
        return replace(policy, strict_layout=False)
    if isinstance(error, KeyNameMismatch):
        return replace(policy, key_name_is_serial=False)
    return replace(policy, with_comments_uri=True)


def _validity(certificate: Certificate, moment: datetime) -> tuple[SignatureFinding, ...]:
    if certificate.is_valid_at(moment):
        return ()
    until = f"{certificate.not_before:%Y-%m-%d} – {certificate.not_after:%Y-%m-%d}"
    is_late = moment > certificate.not_after
    return (
        SignatureFinding(
            CertificateExpired.code if is_late else CertificateNotYetValid.code,
            Severity.WARN,
            f"报送时证书不在有效期内（{until}）。",
            f"The certificate was not valid when the message was sent ({until}).",
        ),
    )


def _old_key(facts: CertificateFacts | None) -> Iterator[SignatureFinding]:
    if facts is not None and "key-1024-bit" in facts.warnings:
        yield SignatureFinding(
            "SIGN-KEY-1024",
            Severity.WARN,
            "1024 位旧密钥（旧版卡介质），请向电子口岸更换。",
            "A 1024-bit key, as in old UKeys: ask the issuer for a newer one.",
        )


def _refusal(error: SigningError, severity: Severity = Severity.BLOCK) -> SignatureFinding:
    zh = _REFUSALS_ZH.get(error.code, "签名未通过校验。")
    return SignatureFinding(error.code, severity, zh, str(error))


def _text(element: etree._Element, name: str) -> str:
    found = element.find(f".//{_DS}{name}")
    return "" if found is None else "".join(str(part) for part in found.itertext()).strip()


def _moment(app_time: str) -> datetime | None:
    """Beijing time of appTime, None when it is no moment."""
    if not _APP_TIME.fullmatch(app_time):
        return None
    try:
        local = datetime.strptime(app_time, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return local - _BEIJING
