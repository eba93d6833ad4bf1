"""Facts of certificates: organisations are told, people are not; devices may come late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from signing import Certificate, FileKey, KeyKind, LateKey, facts_of
from signing.errors import AgentUnreachable, DeviceMissing
from tests.unit.signing.make import NOW, file_key, private_key
from tests.unit.signing.make_sm2 import sm2_key

NAME, NUMBER = "张三", "110101199003070003"
CODE = "91330100MA27WXY812"


def card(*, bits: int = 2048) -> Certificate:
    """An operator's card: name and number in subject and private extension."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"示例企业 {NUMBER}"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{CODE},3301000001"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{NAME} {NUMBER}"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, NUMBER),
        ]
    )
    private = private_key()
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=True,
        data_encipherment=False, key_agreement=False, key_cert_sign=False, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    held = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.5315.100.5.1"), NUMBER.encode()
    )
    return Certificate.of(
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(0x1ABCDEF)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(usage, critical=True)
        .add_extension(held, critical=False)
        .sign(private, SHA256())
    )


def test_an_operator_is_left_out_of_everything_that_is_told() -> None:
    certificate = card()
    facts = facts_of(certificate)
    assert facts.is_operator_card
    assert facts.holder == (f"C=CN, O=示例企业 ***, OU={CODE},3301000001, CN=***, 2.5.4.5=***")
    assert facts.enterprise_codes == ("3301000001", CODE)
    assert facts.serial == "01abcdef"
    assert facts.warnings == ("key-usage",)
    for text in (repr(facts), str(facts), repr(certificate), facts.holder, facts.issuer):
        assert NAME not in text
        assert NUMBER not in text


def test_an_identity_number_is_no_enterprise_code() -> None:
    assert NUMBER not in facts_of(card()).enterprise_codes
    assert facts_of(file_key().certificate).enterprise_codes == ()


def test_plain_certificates_have_no_warnings() -> None:
    facts = facts_of(sm2_key().certificate)
    assert (facts.key_kind, facts.key_bits, facts.warnings) == (KeyKind.SM2, 256, ())
    assert not facts.is_operator_card
    assert facts_of(file_key(bits=1024).certificate).warnings == ("key-1024-bit",)


def test_a_device_may_come_late() -> None:
    tries: list[FileKey | None] = [None, file_key()]

    def opening() -> FileKey:
        found = tries.pop(0)
        if found is None:
            raise AgentUnreachable
        return found

    late = LateKey("late", file_key().certificate, opening)
    assert late.key_name == file_key().key_name
    with pytest.raises(AgentUnreachable):
        late.sign(b"data")
    assert late.sign(b"data") == file_key().sign(b"data") == late.sign(b"data")
    assert tries == []


def test_another_device_than_the_configured_one_is_refused() -> None:
    late = LateKey("late", file_key().certificate, lambda: file_key(0x99))
    with pytest.raises(DeviceMissing):
        late.sign(b"data")
