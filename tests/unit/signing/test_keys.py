"""Keys in files, new development keys, and the facts of certificates."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from signing import (
    CEB_RSA_SHA1,
    Certificate,
    KeyKind,
    load_file,
    load_pem,
    load_pkcs12,
    new_development_key,
    profile_for,
)
from signing.certificate import serial_text
from signing.errors import (
    CertificateMismatch,
    CertificateMissing,
    CertificateUnreadable,
    KeyFileUnreadable,
    KeyUnsupported,
    PassphraseWrong,
    PrivateKeyMissing,
    SigningError,
)
from tests.unit.signing.make import NOW, SERIAL, SUBJECT, file_key, new_key, private_key

SECRET = b"open sesame"


@pytest.mark.parametrize(
    "serial, text",
    [
        (1, "00000001"),
        (0x1A2B3C4, "01a2b3c4"),
        (0xFFFFFFFF, "ffffffff"),
        (0x100000000, "0000000100000000"),
        (0x300000000012345, "0300000000012345"),
        (0xABCDEF0123456789, "abcdef0123456789"),
        (0x10000000000000000, "010000000000000000"),
        (1 << 158, "40" + "0" * 38),
    ],
)
def test_a_serial_is_written_as_customs_does(serial: int, text: str) -> None:
    assert serial_text(serial) == text


@given(st.integers(min_value=1, max_value=(1 << 159) - 1))
def test_a_serial_keeps_its_value_in_whole_bytes(serial: int) -> None:
    text = serial_text(serial)
    assert int(text, 16) == serial
    assert text == text.lower()
    assert len(text) % 2 == 0
    assert len(text) in (8, 16) or len(text) > 16


def test_a_certificate_tells_its_facts_but_not_its_holder() -> None:
    certificate = new_key().certificate
    assert certificate.serial == "0300000000012345"
    assert certificate.key_kind is KeyKind.RSA
    assert certificate.key_bits == 2048
    assert SUBJECT in certificate.subject
    assert certificate.not_before == NOW - timedelta(days=30)
    shown = repr(certificate) + repr(file_key()) + repr(new_key())
    der = base64.b64encode(certificate.der).decode()
    assert not any(secret in shown for secret in (SUBJECT, "110101199003070003", der[:40]))
    assert certificate.fingerprint in shown


def test_a_certificate_is_read_from_every_form() -> None:
    certificate = new_key().certificate
    assert Certificate.from_der(certificate.der) == certificate
    assert Certificate.from_pem(new_key().certificate_pem()) == certificate
    assert Certificate.from_base64(certificate.der_base64.decode()) == certificate
    assert hash(Certificate.from_der(certificate.der)) == hash(certificate)
    assert new_key(7).certificate != certificate


@pytest.mark.parametrize(
    "read",
    [
        lambda: Certificate.from_der(b""),
        lambda: Certificate.from_der(b"\x30\x03\x02\x01\x05"),
        lambda: Certificate.from_der(new_key().certificate.der + b"\x00"),
        lambda: Certificate.from_base64("no base64!"),
        lambda: Certificate.from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n"),
    ],
)
def test_an_unreadable_certificate_is_refused(read: Callable[[], Certificate]) -> None:
    with pytest.raises(CertificateUnreadable):
        read()


def test_validity_includes_both_ends() -> None:
    certificate = new_key().certificate
    tick = timedelta(seconds=1)
    assert certificate.is_valid_at(certificate.not_before)
    assert certificate.is_valid_at(certificate.not_after)
    assert not certificate.is_valid_at(certificate.not_before - tick)
    assert not certificate.is_valid_at(certificate.not_after + tick)


@pytest.mark.parametrize("passphrase", [None, SECRET])
def test_a_key_comes_back_from_pem_and_pkcs12(passphrase: bytes | None, tmp_path: Path) -> None:
    new = new_key()
    for name, data in (("k.pem", new.pem(passphrase)), ("k.p12", new.pkcs12(passphrase))):
        path = tmp_path / name
        path.write_bytes(data)
        key = load_file(path, name="slot-1", passphrase=passphrase)
        assert (key.name, key.key_name) == ("slot-1", "0300000000012345")
        assert key.certificate == new.certificate
        assert key.sign(b"x") == file_key().sign(b"x")


def test_a_passphrase_for_a_plain_pem_is_passed_over() -> None:
    assert load_pem(new_key().pem(), name="k", passphrase=SECRET).key_name


def test_the_certificate_may_stand_anywhere_among_others() -> None:
    data = new_key(7).certificate_pem() + new_key().certificate_pem() + new_key().pem()
    assert load_pem(data, name="k").certificate == new_key().certificate


def test_an_expired_key_is_loaded_for_the_caller_to_judge() -> None:
    old = new_development_key(
        subject="old",
        serial=9,
        not_before=NOW - timedelta(days=900),
        not_after=NOW - timedelta(days=800),
        bits=1024,
    )
    key = load_pem(old.pem(), name="old")
    assert not key.certificate.is_valid_at(NOW)
    assert len(key.sign(b"x")) == 128


def test_a_private_key_cannot_be_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(file_key())


def _private_pem(serial: int = SERIAL) -> bytes:
    return private_key(serial).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _elliptic_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _bits_3072() -> bytes:
    private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return _self_signed(private)


def _self_signed(private: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, private.public_key(), 5)
    built = builder.not_valid_before(NOW).not_valid_after(NOW).sign(private, SHA256())
    plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return plain + built.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    "data, passphrase, refused",
    [
        (lambda: b"", None, KeyFileUnreadable),
        (lambda: b"hello", None, KeyFileUnreadable),
        (lambda: new_key().certificate_pem(), None, PrivateKeyMissing),
        (_private_pem, None, CertificateMissing),
        (lambda: new_key().pem(SECRET), b"wrong", PassphraseWrong),
        (lambda: new_key().pem(SECRET), None, PassphraseWrong),
        (lambda: new_key().pem(SECRET), b"", PassphraseWrong),
        (lambda: _private_pem() + new_key(7).certificate_pem(), None, CertificateMismatch),
        (lambda: _elliptic_pem() + new_key().certificate_pem(), None, KeyUnsupported),
        (_bits_3072, None, KeyUnsupported),
        (lambda: new_key().pem().replace(b"MII", b"MIJ", 1), None, KeyFileUnreadable),
        (
            lambda: _private_pem() + b"-----BEGIN CERTIFICATE-----\nAAAA\n",
            None,
            KeyFileUnreadable,
        ),
    ],
    ids=[
        "empty",
        "text",
        "certificate only",
        "key only",
        "wrong passphrase",
        "no passphrase",
        "empty passphrase",
        "certificate of another key",
        "elliptic key",
        "3072 bits",
        "damaged key",
        "damaged certificate",
    ],
)
def test_a_pem_that_is_no_key_is_refused(
    data: Callable[[], bytes], passphrase: bytes | None, refused: type[SigningError]
) -> None:
    with pytest.raises(SigningError) as refusal:
        load_pem(data(), name="k", passphrase=passphrase)
    assert type(refusal.value) is refused


def _pkcs12(
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None,
    certificate: x509.Certificate | None,
) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"k", private, certificate, None, BestAvailableEncryption(SECRET)
    )


@pytest.mark.parametrize(
    "data, passphrase, refused",
    [
        (lambda: b"", None, KeyFileUnreadable),
        (lambda: b"\x30\x82\x00\x01\x00", None, KeyFileUnreadable),
        (lambda: new_key().pkcs12(SECRET)[:-40], SECRET, KeyFileUnreadable),
        (lambda: new_key().pkcs12(SECRET), b"wrong", PassphraseWrong),
        (lambda: new_key().pkcs12(SECRET), None, PassphraseWrong),
        (lambda: _pkcs12(private_key(), None), SECRET, CertificateMissing),
        (lambda: _pkcs12(None, new_key().certificate.parsed), SECRET, PrivateKeyMissing),
        (lambda: _pkcs12(ec.generate_private_key(ec.SECP256R1()), None), SECRET, KeyUnsupported),
    ],
    ids=[
        "empty",
        "not pkcs12",
        "truncated",
        "wrong passphrase",
        "no passphrase",
        "key only",
        "certificate only",
        "elliptic key",
    ],
)
def test_a_pkcs12_that_is_no_key_is_refused(
    data: Callable[[], bytes], passphrase: bytes | None, refused: type[SigningError]
) -> None:
    with pytest.raises(SigningError) as refusal:
        load_pkcs12(data(), name="k", passphrase=passphrase)
    assert type(refusal.value) is refused


def test_a_missing_file_is_refused_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnreadable) as refusal:
        load_file(tmp_path / "none.p12", name="k")
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize("bits", [1024, 2048])
def test_an_rsa_certificate_selects_the_rsa_profile(bits: int) -> None:
    assert profile_for(new_key(SERIAL, bits).certificate) is CEB_RSA_SHA1


@pytest.mark.parametrize(
    "serial, not_after, bits, refused",
    [
        (0, NOW, 2048, ValueError),
        (1 << 63, NOW, 2048, ValueError),
        (1, NOW.replace(tzinfo=None), 2048, ValueError),
        (1, NOW, 512, KeyUnsupported),
    ],
)
def test_a_new_key_with_wrong_settings_is_refused(
    serial: int, not_after: datetime, bits: int, refused: type[Exception]
) -> None:
    with pytest.raises(refused):
        new_development_key(
            subject="x", serial=serial, not_before=NOW, not_after=not_after, bits=bits
        )


# The library warns of what a later release will refuse, such as a negative serial number.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.data())
def test_a_damaged_certificate_is_read_or_refused_by_an_error_of_ours(data: st.DataObject) -> None:
    der = bytearray(new_key().certificate.der)
    for place in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=3)):
        der[place] = data.draw(st.integers(0, 255))
    try:
        found = Certificate.from_der(bytes(der))
    except CertificateUnreadable:
        return
    found.may_sign()
    found.may_issue()
    found.is_issued_by(new_key().certificate)


def test_a_certificate_without_constraints_may_not_issue() -> None:
    bare = Certificate.from_pem(_self_signed(private_key()))
    assert bare.may_sign()
    assert not bare.may_issue()


def test_a_development_certificate_may_sign_but_not_issue() -> None:
    certificate = new_key().certificate
    assert certificate.may_sign()
    assert not certificate.may_issue()
