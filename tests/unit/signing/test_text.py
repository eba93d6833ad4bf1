"""Plain strings, by the worked example of announcement 2018-179, and a DxpMsg's own signature."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1

from signing import (
    CEB_PROFILES,
    DXP_PROFILES,
    DXP_RSA_SHA1,
    DXP_SM2_SM3,
    FileKey,
    SigningError,
    VerifyPolicy,
    dxp_profile_for,
    sign,
    sign_text,
    verify,
    verify_own,
    verify_text,
)
from signing.errors import (
    CertificateUntrusted,
    KeyFailed,
    KeyInfoRefused,
    KeyNameInvalid,
    RootUnusual,
    SignatureMalformed,
    SignatureMismatch,
)
from tests.unit.signing.make import BODY, NOW, file_key
from tests.unit.signing.make_sm2 import sm2_key

TEXT = (Path(__file__).parents[2] / "samples" / "announcement-179.txt").read_text("utf-8")
SHA1_OF_TEXT = "d0872a437547d40faa1b6142041dac739761345f"
ENVELOPE = (
    b'<dxp:DxpMsg xmlns:dxp="http://www.chinaport.gov.cn/dxp" ver="1.0"><dxp:TransInfo>'
    b"<dxp:CopMsgId>6B0D</dxp:CopMsgId></dxp:TransInfo><dxp:Data>QQ==</dxp:Data></dxp:DxpMsg>"
)


def test_the_worked_example_is_hashed_as_it_is() -> None:
    signed = sign_text(TEXT, file_key())
    public = file_key().certificate.public_rsa_key()
    value = base64.b64decode(signed.value)
    recovered = public.recover_data_from_signature(value, padding.PKCS1v15(), SHA1())
    assert recovered.hex() == SHA1_OF_TEXT
    assert (signed.key_name, signed.profile_name) == ("0300000000012345", "CEB-RSA-SHA1")


@pytest.mark.parametrize(
    "key, length", [(file_key(bits=1024), 172), (file_key(), 344), (sm2_key(), 88)]
)
def test_a_value_has_its_length_and_verifies(key: FileKey, length: int) -> None:
    signed = sign_text(TEXT, key)
    assert len(signed.value) == length
    verify_text(TEXT, signed.value, key.certificate)
    with pytest.raises(SignatureMismatch):
        verify_text(TEXT + "\n", signed.value, key.certificate)
    for bad in (signed.value[:-5], "*", signed.value[4:]):
        with pytest.raises(SignatureMalformed):
            verify_text(TEXT, bad, key.certificate)


def test_a_key_that_fails_is_told() -> None:
    class Odd:
        name, certificate, key_name = "odd", file_key().certificate, "01"

        def sign(self, data: bytes) -> bytes:
            return b"short"

    odd = Odd()
    with pytest.raises(KeyFailed):
        sign_text(TEXT, odd)
    odd.key_name = "not valid"
    with pytest.raises(KeyNameInvalid):
        sign_text(TEXT, odd)


@pytest.mark.parametrize("key", [file_key(), sm2_key()])
@pytest.mark.parametrize("canonical", [True, False])
def test_an_envelope_carries_its_own_signature(key: FileKey, canonical: bool) -> None:
    profile = dxp_profile_for(key.certificate)
    assert profile in (DXP_RSA_SHA1, DXP_SM2_SM3)
    signed = sign(ENVELOPE, key, profile, canonical=canonical)
    assert b"X509" not in signed.content
    assert b"<ds:KeyInfo><ds:KeyName>" + key.key_name.encode() in signed.content
    verify_own(signed, key)
    policy = VerifyPolicy(
        profiles=(*CEB_PROFILES, *DXP_PROFILES), at=NOW, pinned=(key.certificate,), weak_until=NOW
    )
    assert verify(signed.content, policy).content == ENVELOPE


def refusal(content: bytes, *profiles: object, key: FileKey | None = None) -> type[SigningError]:
    key = key or file_key()
    policy = VerifyPolicy(
        profiles=profiles,  # type: ignore[arg-type]
        at=NOW,
        pinned=(key.certificate,),
        weak_until=NOW,
    )
    with pytest.raises(SigningError) as raised:
        verify(content, policy)
    return type(raised.value)


def test_profiles_of_message_and_envelope_are_not_taken_for_each_other() -> None:
    envelope = sign(ENVELOPE, file_key(), DXP_RSA_SHA1).content
    assert refusal(envelope, *CEB_PROFILES) is KeyInfoRefused
    assert refusal(sign(BODY, file_key()).content, *DXP_PROFILES) is KeyInfoRefused
    assert refusal(envelope, *DXP_PROFILES, key=file_key(0x99)) is CertificateUntrusted
    with pytest.raises(RootUnusual):
        sign(BODY, file_key(), DXP_RSA_SHA1)
