"""Keys between us and a partner."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from adapters.base import KeyUnusable, PartnerKeys, SignatureRefused
from adapters.rsa import RSAKeys, Sealing


@pytest.fixture(scope="module")
def ours() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def theirs() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def private_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, word: bytes = b"") -> bytes:
    locked = BestAvailableEncryption(word) if word else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_one_signs_the_other_verifies(
    ours: rsa.RSAPrivateKey, theirs: rsa.RSAPrivateKey
) -> None:
    near: PartnerKeys = RSAKeys.load("A", private_pem(ours), {"B": public_pem(theirs)})
    far = RSAKeys.load(
        "B", private_pem(theirs, b"word"), {"A": public_pem(ours)}, passphrase=b"word"
    )
    signature = near.sign(b"data")
    far.verify(near.serial, b"data", signature)
    for serial, data, broken in (
        ("A", b"datA", signature),
        ("A", b"data", signature[:-1] + b"\0"),
        ("A", b"data", b""),
        ("C", b"data", signature),
    ):
        with pytest.raises(SignatureRefused):
            far.verify(serial, data, broken)


@pytest.mark.parametrize("sealing", Sealing)
def test_only_the_partner_opens_what_is_sealed(
    ours: rsa.RSAPrivateKey, theirs: rsa.RSAPrivateKey, sealing: Sealing
) -> None:
    keys = RSAKeys("A", ours, {"B": theirs.public_key()}, sealing)
    serial, sealed = keys.seal("测试甲")
    oaep = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)
    opening = oaep if sealing is Sealing.OAEP_SHA1 else padding.PKCS1v15()
    assert (serial, theirs.decrypt(sealed, opening).decode()) == ("B", "测试甲")
    with pytest.raises(KeyUnusable):
        keys.seal("x" * 300)


def test_keys_that_cannot_be_used(ours: rsa.RSAPrivateKey) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    small = rsa.generate_private_key(65537, 1024)
    pem, public = private_pem(ours), public_pem(ours)
    for private, partner in (
        (b"", {"B": public}),
        (pem, {}),
        (pem, {"B": b"-----BEGIN CERTIFICATE-----\n"}),
        (pem, {"B": public_pem(curve)}),
        (private_pem(curve), {"B": public}),
        (private_pem(small), {"B": public}),
        (private_pem(ours, b"word"), {"B": public}),
    ):
        with pytest.raises(KeyUnusable):
            RSAKeys.load("A", private, partner)
