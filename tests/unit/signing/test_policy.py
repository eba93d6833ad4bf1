"""Who may sign, when, and under which algorithms."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from signing import CEB_RSA_SHA1, Certificate, FileKey, VerifyPolicy, sign, verify
from signing.errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUntrusted,
    KeyKindRefused,
    KeyNameMismatch,
    KeyUsageRefused,
    PolicyInvalid,
    ProfileMismatch,
    SigningError,
    WeakAlgorithmRefused,
)
from tests.unit.signing.make import (
    BODY,
    C14N,
    INFO,
    NOW,
    SERIAL,
    file_key,
    glue,
    new_key,
    parts,
    policy,
    private_key,
    signed_by_hand,
)

DAY = timedelta(days=1)


def usage(*, sign: bool = False, issue: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=not sign,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issue,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def certificate(
    *,
    issuer: str,
    issuer_serial: int,
    ca: bool = False,
    key_usage: x509.KeyUsage | None = None,
    subject: str = "holder",
    serial: int = SERIAL,
    until: datetime = NOW + DAY,
) -> Certificate:
    """A certificate for the key of `serial`, signed by the key of `issuer_serial`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(private_key(serial).public_key())
        .serial_number(serial)
        .not_valid_before(NOW - DAY)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    return Certificate.of(builder.sign(private_key(issuer_serial), SHA256()))


CA = 0x51


@cache
def authority(*, until: datetime = NOW + DAY, ca: bool = True) -> Certificate:
    issue = usage(sign=True, issue=True)
    return certificate(
        issuer="authority",
        issuer_serial=CA,
        ca=ca,
        key_usage=issue if ca else None,
        subject="authority",
        serial=CA,
        until=until,
    )


def key_with(certificate: Certificate) -> FileKey:
    return FileKey("test-key", certificate, private_key())


def trusting(*issuers: Certificate) -> VerifyPolicy:
    return replace(policy(), pinned=(), issuers=issuers)


def test_a_certificate_of_a_trusted_issuer_is_accepted() -> None:
    issued = certificate(issuer="authority", issuer_serial=CA, key_usage=usage(sign=True))
    content = sign(BODY, key_with(issued)).content
    assert verify(content, trusting(authority())).certificate == issued


@pytest.mark.parametrize(
    "issued, trusted",
    [
        (lambda: certificate(issuer="authority", issuer_serial=0x52), authority),
        (lambda: certificate(issuer="somebody", issuer_serial=CA), authority),
        (lambda: new_key().certificate, authority),
    ],
    ids=["key of another issuer", "name of another issuer", "self-signed"],
)
def test_a_certificate_of_nobody_trusted_is_refused(issued: object, trusted: object) -> None:
    assert callable(issued)
    assert callable(trusted)
    content = sign(BODY, key_with(issued())).content
    with pytest.raises(CertificateUntrusted):
        verify(content, trusting(trusted()))


def test_an_expired_issuer_trusts_nobody() -> None:
    issued = certificate(issuer="authority", issuer_serial=CA)
    with pytest.raises(CertificateExpired):
        verify(sign(BODY, key_with(issued)).content, trusting(authority(until=NOW - DAY / 2)))


def test_a_key_that_is_not_for_signing_is_refused() -> None:
    issued = certificate(issuer="authority", issuer_serial=CA, key_usage=usage(sign=False))
    with pytest.raises(KeyUsageRefused):
        verify(sign(BODY, key_with(issued)).content, trusting(authority()))


def test_a_pinned_certificate_must_be_the_very_same() -> None:
    twin = certificate(issuer="holder", issuer_serial=SERIAL)
    with pytest.raises(CertificateUntrusted):
        verify(sign(BODY, key_with(twin)).content, policy())


@pytest.mark.parametrize(
    "at, refused",
    [
        (NOW - 31 * DAY, CertificateNotYetValid),
        (NOW + 31 * DAY, CertificateExpired),
        (NOW - 30 * DAY, None),
        (NOW + 30 * DAY, None),
    ],
)
def test_the_certificate_must_be_valid_at_the_time_of_signing(
    at: datetime, refused: type[SigningError] | None
) -> None:
    if refused is None:
        verify(signed_by_hand(), policy(at=at))
    else:
        with pytest.raises(refused):
            verify(signed_by_hand(), policy(at=at))


@pytest.mark.parametrize("weak_until", [None, NOW - DAY])
def test_a_weak_digest_needs_a_date_that_has_not_passed(weak_until: datetime | None) -> None:
    with pytest.raises(WeakAlgorithmRefused):
        verify(signed_by_hand(), policy(weak_until=weak_until))


def test_a_key_that_does_not_fit_the_profile_is_refused() -> None:
    only_1024 = replace(CEB_RSA_SHA1, key_bits=(1024,))
    with pytest.raises(KeyKindRefused):
        verify(signed_by_hand(), replace(policy(), profiles=(only_1024,)))
    with pytest.raises(ProfileMismatch):
        sign(BODY, file_key(), only_1024, canonical=True)


def test_the_key_name_may_be_another_text_where_the_policy_says_so() -> None:
    document = glue(BODY, parts(key_name="0001").signature_element)
    with pytest.raises(KeyNameMismatch):
        verify(document, policy())
    assert verify(document, policy(key_name_is_serial=False)).key_name == "0001"


def test_a_device_may_call_the_canonicalisation_with_comments() -> None:
    info = INFO.replace(C14N, f"{C14N}#WithComments")
    document = glue(BODY, parts(info=info).signature_element)
    assert verify(document, policy(with_comments_uri=True)).content == BODY


def test_a_loose_layout_takes_white_space_that_was_there_when_signing() -> None:
    spaced = BODY[: BODY.rindex(b"</")] + b"\n" + BODY[BODY.rindex(b"</") :]
    element = parts(spaced).signature_element
    wrapped = element.replace("<ds:SignatureValue>", "<ds:SignatureValue>\n")
    wrapped = wrapped.replace("</ds:SignatureValue>", "\n</ds:SignatureValue>\n")
    after = glue(BODY, wrapped, after="\n")
    assert verify(after, policy(strict_layout=False)).content == spaced


@pytest.mark.parametrize(
    "change",
    [
        {"profiles": ()},
        {"pinned": ()},
        {"at": NOW.replace(tzinfo=None)},
        {"weak_until": NOW.replace(tzinfo=None)},
        {"issuers": (new_key,)},
    ],
    ids=["no profile", "nobody trusted", "naive time", "naive date", "issuer is no authority"],
)
def test_a_policy_that_cannot_work_is_refused(change: dict[str, object]) -> None:
    if "issuers" in change:
        change = {"issuers": (new_key().certificate,)}
    fields: dict[str, object] = {
        "profiles": (CEB_RSA_SHA1,),
        "at": datetime(2026, 9, 1, tzinfo=UTC),
        "pinned": (file_key().certificate,),
    }
    with pytest.raises(PolicyInvalid):
        VerifyPolicy(**{**fields, **change})  # type: ignore[arg-type]


def test_an_authority_without_the_constraint_cannot_be_trusted() -> None:
    with pytest.raises(PolicyInvalid):
        trusting(authority(ca=False))


def test_a_1024_bit_key_signs_128_bytes() -> None:
    key = file_key(0x01A2B3C4, 1024)
    signed = sign(BODY, key, canonical=True)
    assert len(signed.signature) == 128
    assert signed.certificate_serial == "01a2b3c4"
    pinned = replace(policy(), pinned=(key.certificate,))
    assert verify(signed.content, pinned).content == BODY
    assert isinstance(key.certificate.rsa_key, rsa.RSAPublicKey)
