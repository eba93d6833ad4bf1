"""The authority's own SM2: it takes what OpenSSL makes, and nothing that is changed by one bit."""

from __future__ import annotations

import pytest

from adapters.sandbox.customs import sm2
from adapters.sandbox.customs.signature import SignatureRefusedError, SignatureVerifier
from schemas import loader
from signing import sign
from signing.profiles import CEB_PROFILES
from tests.unit.signing.make import BODY, NOW, file_key
from tests.unit.signing.make_sm2 import sm2_key

ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
KEY = sm2.public_point(sm2_key().certificate.der)
DATA = b"SignedInfo"


def refused(document: bytes) -> str:
    with pytest.raises(SignatureRefusedError) as caught:
        SignatureVerifier().check(loader.parse(document), None, NOW)
    return caught.value.reason


def test_the_hash_is_that_of_the_standard() -> None:
    # GB/T 32905, example 1.
    wanted = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm2.sm3(b"abc").hex() == wanted


def test_it_takes_what_openssl_makes_and_nothing_else() -> None:
    assert KEY is not None
    assert all(sm2.holds(KEY, sm2_key().sign(DATA), DATA) for _ in range(3))
    made = sm2_key().sign(DATA)
    assert not sm2.holds(KEY, made, DATA + b"\n")
    for at in (0, 31, 32, 63):
        changed = bytearray(made)
        changed[at] ^= 1
        assert not sm2.holds(KEY, bytes(changed), DATA)
    other = sm2.public_point(sm2_key(0x0300000000054322).certificate.der)
    assert other is not None
    assert not sm2.holds(other, made, DATA)


@pytest.mark.parametrize("r, s", [(0, 1), (1, 0), (ORDER, 1), (1, ORDER), (1, ORDER - 1), (5, 7)])
def test_values_out_of_range_are_no_signature(r: int, s: int) -> None:
    assert KEY is not None
    assert not sm2.holds(KEY, r.to_bytes(32, "big") + s.to_bytes(32, "big"), DATA)
    assert not sm2.holds(KEY, r.to_bytes(32, "big"), DATA)


def test_a_point_off_the_curve_and_another_key_are_no_sm2_key() -> None:
    der = sm2_key().certificate.der
    at = der.index(bytes.fromhex("03420004")) + 10
    assert sm2.public_point(der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]) is None
    assert sm2.public_point(file_key().certificate.der) is None


def test_a_message_under_the_official_names_holds() -> None:
    signed = sign(BODY, sm2_key(), canonical=True).content
    SignatureVerifier().check(loader.parse(signed), None, NOW)
    assert refused(signed.replace(b"SIGN-0001", b"SIGN-0002")) == "digest differs from the message"
    value = signed.index(b"<ds:SignatureValue>") + 25
    other = b"A" if signed[value : value + 1] != b"A" else b"B"
    broken = signed[:value] + other + signed[value + 1 :]
    assert refused(broken) == "signature value does not verify"


def test_the_unofficial_names_and_the_wrong_kind_of_key_are_refused() -> None:
    (unofficial,) = (one for one in CEB_PROFILES if one.name == "CEB-SM2-UNOFFICIAL")
    assert "algorithms" in refused(sign(BODY, sm2_key(), unofficial, canonical=True).content)
    signed = sign(BODY, sm2_key(), canonical=True).content
    rsa = sign(BODY, file_key(), canonical=True).content
    inside = signed[signed.index(b"<ds:SignedInfo>") : signed.index(b"<ds:KeyInfo>")]
    holder = rsa[rsa.index(b"<ds:KeyInfo>") :]
    start = signed.index(b"<ds:SignedInfo>")
    assert refused(signed[:start] + inside + holder) == "certificate key is not SM2"
