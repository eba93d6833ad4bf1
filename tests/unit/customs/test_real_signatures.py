"""Signatures as others write them: each is told for what it is, and its certificate is read.

Put together here from the standard, sharing no code with the signer.
"""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from lxml import etree

from adapters.customs.ceb.verify import Inspector, SignatureReport, SignatureState
from signing.der import der_of_raw
from signing.libcrypto import SM2PrivateKey
from tests.unit.customs.test_verify import ORDER, inspector
from tests.unit.signing.make import private_key
from tests.unit.signing.make_sm2 import sm2_key

__all__ = ["inspector"]

VALID, WRONG, OPEN = SignatureState.VALID, SignatureState.INVALID, SignatureState.UNCHECKED
DS = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
GOV = "http://www.chinaport.gov.cn/2022/04/xmldsig#"
ENVELOPED = f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'
SERIAL = 0x03000000000ABCDE
KEY_NAME = "03000000000abcde"
NAME, NUMBER = "张三", "110101199003070003"
AT = datetime(2026, 9, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


def named(text: str, kind: _ASN1Type = _ASN1Type.UTF8String) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "示例企业", kind),
            x509.NameAttribute(NameOID.COMMON_NAME, text, kind),
        ]
    )


@cache
def small_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


def certificate(
    key: rsa.RSAPrivateKey | None = None,
    *,
    subject: x509.Name | None = None,
    issuer: x509.Name | None = None,
    years: tuple[int, int] = (-1, 1),
) -> bytes:
    key, subject = key or private_key(), subject or named(f"{NAME} {NUMBER}")
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(SERIAL)
        .not_valid_before(AT + years[0] * YEAR)
        .not_valid_after(AT + years[1] * YEAR)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def in_gb18030(tag: int) -> bytes:
    """A common name in GB18030 bytes under the tag of another kind of string."""
    der = certificate(subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AAAAAAAA")]))
    return der.replace(b"\x0c\x08AAAAAAAA", bytes([tag, 8]) + "张三丰来".encode("gb18030"))


def by_rsa(data: bytes) -> bytes:
    return private_key().sign(data, padding.PKCS1v15(), hashes.SHA1())


def without_signer_id(data: bytes) -> bytes:
    private = sm2_key()._private
    assert isinstance(private, SM2PrivateKey)
    return private.sign(data, b"")


def sm3(data: bytes) -> bytes:
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


def _namespace_prefix(declaration: bytes) -> bytes:
    return declaration.partition(b"=")[0]


@dataclass(frozen=True)
class Written:
    """One way to write a signature."""

    prefix: str = "ds:"
    c14n: str = C14N
    method: str = DS + "rsa-sha1"
    digest_method: str = DS + "sha1"
    transforms: str = ENVELOPED
    key_info: str = "<ds:KeyName>{name}</ds:KeyName><ds:X509Data>{held}</ds:X509Data>"
    key_name: str = KEY_NAME
    der: bytes = b""
    wrap: int = 0
    space: str = ""
    attributes: str = ""
    digest: Callable[[bytes], bytes] = lambda data: hashlib.sha1(data).digest()
    sign: Callable[[bytes], bytes] = by_rsa

    def on(self, body: bytes) -> bytes:
        end = body.rindex(b"</")
        value = base64.b64encode(self.digest(body)).decode()
        spaced = self.space.join
        info = spaced(
            (
                "<ds:SignedInfo>",
                f'<ds:CanonicalizationMethod Algorithm="{self.c14n}"></ds:CanonicalizationMethod>',
                f'<ds:SignatureMethod Algorithm="{self.method}"></ds:SignatureMethod>',
                f'<ds:Reference URI=""><ds:Transforms>{self.transforms}</ds:Transforms>'
                f'<ds:DigestMethod Algorithm="{self.digest_method}"></ds:DigestMethod>'
                f"<ds:DigestValue>{value}</ds:DigestValue></ds:Reference>",
                "</ds:SignedInfo>",
            )
        )
        scope: list[bytes] = re.findall(rb" xmlns:[^=]+=\"[^\"]*\"", body[: body.index(b">")])
        ours = f' xmlns{":ds" if self.prefix else ""}="{DS}"'.encode()
        declared = sorted([*scope, ours], key=_namespace_prefix)
        namespaces = b"".join(declared)
        opening = b"<ds:SignedInfo" + namespaces + b">"
        signed = info.encode().replace(b"<ds:SignedInfo>", opening, 1)
        made = self._base64(self.sign(self._prefixed(signed)))
        der = self._base64(self.der or certificate())
        held = f"<ds:X509Certificate>{der}</ds:X509Certificate>"
        block = spaced(
            (
                f"<ds:Signature{ours.decode()}{self.attributes}>",
                info,
                f"<ds:SignatureValue>{made}</ds:SignatureValue>",
                f"<ds:KeyInfo>{self.key_info.format(name=self.key_name, held=held, der=der)}"
                "</ds:KeyInfo>",
                "</ds:Signature>",
            )
        )
        return body[:end] + self._prefixed(block.encode()) + body[end:]

    def _prefixed(self, text: bytes) -> bytes:
        return re.sub(rb"<(/?)ds:", rb"<\1" + self.prefix.encode(), text)

    def _base64(self, value: bytes) -> str:
        text = base64.b64encode(value).decode()
        return "\n".join(["", *textwrap.wrap(text, self.wrap), ""]) if self.wrap else text


PLAIN = Written()
SM2 = replace(
    PLAIN, method=GOV + "sm2-sm3", digest_method=GOV + "sm3", digest=sm3,
    sign=lambda data: sm2_key().sign(data), der=sm2_key().certificate.der,
    key_name=sm2_key().key_name,
)  # fmt: skip
FORM = "only the form is not the profile's"
WITH_CHAIN = PLAIN.key_info.replace("{held}", "{held}{held}")
WITH_ISSUER = PLAIN.key_info.replace(
    "{held}",
    "<ds:X509IssuerSerial><ds:X509IssuerName>x</ds:X509IssuerName>"
    "<ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>{held}",
)
ARMOURED = PLAIN.key_info.replace(
    "{held}",
    "<ds:X509Certificate>-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----"
    "</ds:X509Certificate>",
)
SHA256 = replace(
    PLAIN,
    method="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    digest_method="http://www.w3.org/2001/04/xmlenc#sha256",
    digest=lambda data: hashlib.sha256(data).digest(),
    sign=lambda data: private_key().sign(data, padding.PKCS1v15(), hashes.SHA256()),
)
SOUND = {
    "as the profile says": (PLAIN, ()),
    "without prefix": (replace(PLAIN, prefix=""), ()),
    "base64 in lines": (replace(PLAIN, wrap=76), ("SIGN-404",)),
    "white space inside": (replace(PLAIN, space="\n"), ("SIGN-404",)),
    "key name in capitals": (replace(PLAIN, key_name=KEY_NAME.upper()), ("SIGN-445",)),
    "key name not padded": (replace(PLAIN, key_name=KEY_NAME.lstrip("0")), ("SIGN-445",)),
    "key name of the samples": (replace(PLAIN, key_name="0001"), ("SIGN-445",)),
    "with comments": (replace(PLAIN, c14n=C14N + "#WithComments"), ("SIGN-421",)),
    "old key": (
        replace(
            PLAIN,
            der=certificate(small_key()),
            sign=lambda data: small_key().sign(data, padding.PKCS1v15(), hashes.SHA1()),
        ),
        ("SIGN-KEY-1024",),
    ),
    "expired when it was sent": (replace(PLAIN, der=certificate(years=(-9, -8))), ("SIGN-443",)),
    "issuer not at hand": (replace(PLAIN, der=certificate(issuer=named("电子口岸"))), ()),
    "two-byte strings": (
        replace(PLAIN, der=certificate(subject=named(NAME, _ASN1Type.BMPString))),
        (),
    ),
    "GB18030 called UTF-8": (replace(PLAIN, der=in_gb18030(0x0C)), ()),
    "GB18030 called T.61": (replace(PLAIN, der=in_gb18030(0x14)), ()),
    "SM2": (SM2, ()),
    "SM2 without prefix": (replace(SM2, prefix=""), ()),
    "SM2 under the unofficial names": (
        replace(SM2, method=DS + "sm2-sm3", digest_method=DS + "sha1", digest=PLAIN.digest),
        (),
    ),
}
ODD = {
    "two transforms": (
        replace(PLAIN, transforms=f'{ENVELOPED}<ds:Transform Algorithm="{C14N}"></ds:Transform>'),
        WRONG, "SIGN-410", FORM,
    ),
    "an id": (replace(PLAIN, attributes=' Id="S1"'), WRONG, "SIGN-412", FORM),
    "issuer and serial": (replace(PLAIN, key_info=WITH_ISSUER), WRONG, "SIGN-413", FORM),
    "a chain": (replace(PLAIN, key_info=WITH_CHAIN), WRONG, "SIGN-413", FORM),
    "no key name": (
        replace(PLAIN, key_info="<ds:X509Data>{held}</ds:X509Data>"), WRONG, "SIGN-413", FORM,
    ),
    "no certificate": (
        replace(PLAIN, key_info="<ds:KeyName>{name}</ds:KeyName>"), OPEN, "SIGN-413", "no X509Cert",
    ),
    "PEM armour": (replace(PLAIN, key_info=ARMOURED), WRONG, "SIGN-4", ""),
    "SHA-256": (SHA256, OPEN, "SIGN-422", FORM),
    "SM2 in DER": (
        replace(SM2, sign=lambda data: der_of_raw(sm2_key().sign(data))), WRONG, "SIGN-432", "DER",
    ),
    "SM2 without signer id": (
        replace(SM2, sign=without_signer_id),
        WRONG, "SIGN-452", "signer id is empty",
    ),
    "SM2 with SHA-1": (
        replace(SM2, digest_method=DS + "sha1", digest=PLAIN.digest), OPEN, "SIGN-423", FORM,
    ),
    "a newline was signed": (
        replace(PLAIN, sign=lambda data: by_rsa(data + b"\n")), WRONG, "SIGN-452", "newline",
    ),
    "hashed in GB18030": (
        replace(PLAIN, digest=lambda d: hashlib.sha1(d.decode().encode("gb18030")).digest()),
        WRONG, "SIGN-451", "GB18030",
    ),
}  # fmt: skip


def report_of(inspector: Inspector, written: Written) -> SignatureReport:
    document = written.on(ORDER)
    assert etree.fromstring(document) is not None
    report = inspector.inspect(document).signature
    assert report is not None
    return report


@pytest.mark.parametrize("name", SOUND)
def test_what_others_write_is_valid_with_its_notes(inspector: Inspector, name: str) -> None:
    written, rules = SOUND[name]
    report = report_of(inspector, written)
    assert report.state is VALID
    assert report.certificate is not None
    assert NAME not in repr(report)
    assert NUMBER not in repr(report)
    told = {one.rule for one in report.findings} - {"SIGN-442"}
    assert told == set(rules)


@pytest.mark.parametrize("name", ODD)
def test_what_is_wrong_says_why(inspector: Inspector, name: str) -> None:
    written, state, rule, why = ODD[name]
    report = report_of(inspector, written)
    assert report.state is state
    assert report.findings[0].rule.startswith(rule)
    assert any(why in one.en for one in report.findings)
    assert all(re.search("[\u4e00-\u9fff]", one.zh) for one in report.findings)


def test_a_file_in_gbk_is_verified_as_it_came(inspector: Inspector) -> None:
    signed = PLAIN.on(ORDER).decode().encode("gb18030")
    report = inspector.inspect(b'<?xml version="1.0" encoding="GBK"?>' + signed).signature
    assert report is not None
    assert report.state is VALID
