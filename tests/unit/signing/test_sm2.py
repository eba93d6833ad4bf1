"""SM2 keys: made, loaded, signing by both URI pairs, with the customs signer id and raw r||s."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from signing import (
    CEB_PROFILES,
    CEB_RSA_SHA1,
    CEB_SM2_SM3,
    CEB_SM2_UNOFFICIAL,
    Certificate,
    KeyKind,
    SM2Names,
    VerifyPolicy,
    load_file,
    load_pem,
    load_pkcs12,
    profile_for,
    sign,
    verify,
    verify_own,
)
from signing import libcrypto as sm2
from signing.der import der_of_raw, is_der_signature, raw_of_der
from signing.errors import (
    CertificateExpired,
    CertificateMismatch,
    CertificateMissing,
    CertificateUntrusted,
    ChainTooLong,
    DigestMismatch,
    KeyFileUnreadable,
    KeyKindRefused,
    KeyUsageRefused,
    PassphraseWrong,
    PrivateKeyMissing,
    ProfileMismatch,
    ProviderMissing,
    SignatureMalformed,
    SignatureMismatch,
    WeakAlgorithmRefused,
)
from signing.libcrypto import SM2PrivateKey, SM2PublicKey
from tests.unit.signing.make import BODY, CEB, DS, NOW, XSI, file_key, policy
from tests.unit.signing.make_sm2 import SM2_SERIAL, new_sm2_key, sm2_issued, sm2_key

OFFICIAL = "http://www.chinaport.gov.cn/2022/04/xmldsig#"


def sm2_policy(**changes: object) -> VerifyPolicy:
    made = VerifyPolicy(
        profiles=CEB_PROFILES, at=NOW, pinned=(sm2_key().certificate,), weak_until=NOW
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_probe_passes_where_openssl_3_is() -> None:
    sm2.probe()


@pytest.mark.parametrize(
    "name, function",
    [("missing library", "nothing-of-that-name.so"), ("not libcrypto", "libc.so.6")],
)
def test_what_is_missing_is_named(
    name: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sm2, "_NAMES", (function,))
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    monkeypatch.setattr(sm2, "_library", sm2._library.__wrapped__)
    with pytest.raises(ProviderMissing, match="OpenSSL 3"):
        sm2.probe()


def test_a_libcrypto_without_sm2_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(sm2._Library):
        def __getattr__(self, name: str) -> object:
            raise AttributeError(name)

        def __setattr__(self, name: str, value: object) -> None:
            lacking = name in {"EVP_MD_fetch", "EVP_PKEY_CTX_new_from_name"}
            object.__setattr__(self, name, (lambda *_: None) if lacking else value)

    with pytest.raises(ProviderMissing, match="without SM2"):
        Bare("libcrypto.so.3")


def test_a_libcrypto_that_ignores_the_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SM2PublicKey.verify
    monkeypatch.setattr(
        SM2PublicKey, "verify", lambda self, signature, data, _=b"": real(self, signature, data)
    )
    with pytest.raises(ProviderMissing, match="signer id"):
        sm2.probe()


def test_the_signer_id_is_never_openssls_empty_one() -> None:
    key = SM2PrivateKey.generate()
    signature = key.sign(b"data")
    key.public.verify(signature, b"data", b"1234567812345678")
    with pytest.raises(SignatureMismatch):
        key.public.verify(signature, b"data", b"")


def test_the_profile_follows_from_the_certificate() -> None:
    certificate = sm2_key().certificate
    assert (certificate.key_kind, certificate.key_bits) == (KeyKind.SM2, 256)
    assert profile_for(certificate) is CEB_SM2_SM3
    assert profile_for(certificate, SM2Names.UNOFFICIAL) is CEB_SM2_UNOFFICIAL
    assert profile_for(file_key().certificate, SM2Names.UNOFFICIAL) is CEB_RSA_SHA1
    with pytest.raises(ProfileMismatch):
        sign(BODY, file_key(), CEB_SM2_SM3)
    with pytest.raises(ProfileMismatch):
        sign(BODY, sm2_key(), CEB_RSA_SHA1)
    with pytest.raises(ProfileMismatch):
        certificate.public_rsa_key()
    with pytest.raises(ProfileMismatch):
        file_key().certificate.public_sm2_key()


@pytest.mark.parametrize("canonical", [True, False])
def test_the_signed_bytes_are_the_template_with_the_official_uris(canonical: bool) -> None:
    signed = sign(BODY, sm2_key(), canonical=canonical)
    verify_own(signed, sm2_key())
    info = (
        f'<ds:SignedInfo xmlns:ceb="{CEB}" xmlns:ds="{DS}" xmlns:xsi="{XSI}">'
        '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">'
        f'</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{OFFICIAL}sm2-sm3">'
        '</ds:SignatureMethod><ds:Reference URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{OFFICIAL}sm3"></ds:DigestMethod>'
        f"<ds:DigestValue>{signed.digest_base64}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    ).encode()
    sm2_key().certificate.public_sm2_key().verify(signed.signature, info)
    assert len(signed.signature) == 64
    assert signed.key_name == f"{SM2_SERIAL:016x}"


def test_verify_returns_what_was_signed_under_both_pairs() -> None:
    for profile in (CEB_SM2_SM3, CEB_SM2_UNOFFICIAL):
        content = sign(BODY, sm2_key(), profile, canonical=True).content
        verified = verify(content, sm2_policy())
        assert (verified.content, verified.profile) == (BODY, profile)
    content = sign(BODY, sm2_key(), CEB_SM2_UNOFFICIAL, canonical=True).content
    with pytest.raises(WeakAlgorithmRefused):
        verify(content, sm2_policy(weak_until=None))


def test_der_where_raw_is_due_is_refused() -> None:
    signed = sign(BODY, sm2_key(), canonical=True)
    raw = base64.b64encode(signed.signature)
    der = base64.b64encode(der_of_raw(signed.signature))
    with pytest.raises(SignatureMalformed):
        verify(signed.content.replace(raw, der), sm2_policy())


def test_a_changed_document_and_a_changed_signature_are_refused() -> None:
    signed = sign(BODY, sm2_key(), canonical=True)
    with pytest.raises(DigestMismatch):
        verify(signed.content.replace(b"401.49", b"401.48"), sm2_policy())
    old = base64.b64encode(signed.signature)
    new = base64.b64encode(signed.signature[:-1] + bytes([signed.signature[-1] ^ 1]))
    with pytest.raises(SignatureMismatch):
        verify(signed.content.replace(old, new), sm2_policy())
    zero = base64.b64encode(bytes(64))
    with pytest.raises(SignatureMismatch):
        verify(signed.content.replace(old, zero), sm2_policy())


@pytest.mark.parametrize("phrase", [None, b"secret"])
def test_keys_are_loaded_from_pem_and_pkcs12(phrase: bytes | None, tmp_path: Path) -> None:
    new = new_sm2_key()
    for data in (new.pem(phrase), new.pkcs12(phrase)):
        (tmp_path / "key").write_bytes(data)
        loaded = load_file(tmp_path / "key", name="k", passphrase=phrase)
        assert loaded.certificate == new.certificate
        verify(sign(BODY, loaded, canonical=True).content, sm2_policy())


def test_each_fault_of_a_key_file_is_named() -> None:
    new, other = new_sm2_key(), new_sm2_key(5)
    private = new.pem().partition(b"-----BEGIN CERTIFICATE")[0]
    for data, phrase, refused in (
        (new.pem(b"right"), b"wrong", PassphraseWrong),
        (new.pem(b"right"), None, PassphraseWrong),
        (private, None, CertificateMissing),
        (private + other.certificate_pem(), None, CertificateMismatch),
        (new.certificate_pem(), None, PrivateKeyMissing),
        (new.pem().replace(b"MIG", b"MIX"), None, KeyFileUnreadable),
    ):
        with pytest.raises(refused):
            load_pem(data, name="k", passphrase=phrase)
    with pytest.raises(PassphraseWrong):
        load_pkcs12(new.pkcs12(b"right"), name="k", passphrase=b"wrong")
    with pytest.raises(KeyFileUnreadable):
        load_pkcs12(new.pkcs12()[:-30], name="k")


def test_other_keys_are_no_sm2_keys() -> None:
    with pytest.raises(ValueError, match="not an SM2 key"):
        SM2PublicKey.from_spki(file_key().certificate.spki)
    with pytest.raises(ValueError, match="not a public key"):
        SM2PublicKey.from_spki(b"\x30\x00")


@given(st.binary(min_size=64, max_size=64))
def test_raw_and_der_are_two_forms_of_one_signature(raw: bytes) -> None:
    if any(int.from_bytes(half, "big") == 0 for half in (raw[:32], raw[32:])):
        return
    der = der_of_raw(raw)
    assert raw_of_der(der) == raw
    assert is_der_signature(der)


@given(st.binary(max_size=80))
def test_no_bytes_are_a_signature_in_two_ways(data: bytes) -> None:
    if is_der_signature(data):
        assert der_of_raw(raw_of_der(data)) == data


@pytest.mark.parametrize(
    "bad",
    ["", "3000", "30060201010201", "3006020101020100", "30070202000102010100", "3103020101"],
)
def test_loose_der_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"DER|integer"):
        raw_of_der(bytes.fromhex(bad))
    with pytest.raises(ValueError, match="64 bytes"):
        der_of_raw(b"1" * 63)


def chain() -> tuple[Certificate, Certificate, Certificate, SM2PrivateKey]:
    """Root, intermediate, leaf, and the leaf's key."""
    root_key, middle_key, leaf_key = (SM2PrivateKey.generate() for _ in range(3))
    root = sm2_issued(root_key, holder=root_key, subject="root", issuer="root", is_authority=True)
    middle = sm2_issued(
        root_key, holder=middle_key, subject="middle", issuer="root", is_authority=True
    )
    leaf = sm2_issued(middle_key, holder=leaf_key, subject="leaf", issuer="middle")
    return root, middle, leaf, leaf_key


def test_a_chain_of_sm2_certificates_leads_to_a_trusted_issuer() -> None:
    root, middle, leaf, key = chain()
    pem = key.pem() + leaf.parsed.public_bytes(Encoding.PEM)
    content = sign(BODY, load_pem(pem, name="leaf"), canonical=True).content
    trusting = sm2_policy(pinned=(), issuers=(root,), intermediates=(middle,))
    assert verify(content, trusting).certificate == leaf
    assert verify(content, replace(trusting, issuers=(middle,))).certificate == leaf
    with pytest.raises(CertificateUntrusted):
        verify(content, replace(trusting, intermediates=()))
    other, _, _, _ = chain()
    with pytest.raises(CertificateUntrusted):
        verify(content, replace(trusting, issuers=(other,)))


def test_every_member_of_a_chain_is_judged() -> None:
    root_key, middle_key, leaf_key = (SM2PrivateKey.generate() for _ in range(3))
    root = sm2_issued(root_key, holder=root_key, subject="r", issuer="r", is_authority=True)
    leaf = sm2_issued(middle_key, holder=leaf_key, subject="leaf", issuer="m")
    pem = leaf_key.pem() + leaf.parsed.public_bytes(Encoding.PEM)
    content = sign(BODY, load_pem(pem, name="leaf"), canonical=True).content

    def middle(*, may: bool = True, ended: bool = False) -> Certificate:
        until = NOW.replace(year=2025) if ended else NOW.replace(year=2030)
        return sm2_issued(
            root_key, holder=middle_key, subject="m", issuer="r", is_authority=may, until=until
        )

    for one, refused in (
        (middle(may=False), KeyUsageRefused),
        (middle(ended=True), CertificateExpired),
    ):
        with pytest.raises(refused):
            verify(content, sm2_policy(pinned=(), issuers=(root,), intermediates=(one,)))
    looping = sm2_issued(middle_key, holder=middle_key, subject="m", issuer="m", is_authority=True)
    with pytest.raises(ChainTooLong):
        verify(content, sm2_policy(pinned=(), issuers=(root,), intermediates=(looping,)))


def test_an_rsa_signature_is_not_taken_for_sm2() -> None:
    content = sign(BODY, file_key(), canonical=True).content
    verify(content, policy())
    bent = content.replace(f"{DS}rsa-sha1".encode(), f"{DS}sm2-sm3".encode())
    with pytest.raises(KeyKindRefused):
        verify(bent, sm2_policy(pinned=(file_key().certificate,)))


def test_a_key_whose_point_is_written_short_verifies_the_same() -> None:
    spki = sm2_key().certificate.spki
    x, y = spki[-64:-32], spki[-32:]
    short = bytes.fromhex("3039301306072a8648ce3d020106082a811ccf5501822d032200")
    key = SM2PublicKey.from_spki(short + bytes([2 + y[-1] % 2]) + x)
    for _ in range(4):
        key.verify(sm2_key().sign(b"data"), b"data")
    with pytest.raises(SignatureMismatch):
        key.verify(sm2_key().sign(b"data"), b"date")
