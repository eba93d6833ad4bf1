"""Ours against xmlsec1, signxml and OpenSSL: what one makes the other takes, and refuses alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from signing import Certificate, KeyKind, SigningError
from signing.sign import sign
from signing.verify import verify
from tests.tools import require_tool
from tests.unit.signing.make import (
    BODY,
    C14N,
    CEB,
    DS,
    END,
    INNER,
    NOW,
    ROOT,
    VARIANTS,
    XSI,
    Variant,
    file_key,
    new_key,
    policy,
)
from tests.unit.signing.test_laws import documents


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("xmlsec")
    (path / "cert.pem").write_bytes(new_key().certificate_pem())
    (path / "key.pem").write_bytes(new_key().pem())
    return path


def accepted_by_xmlsec1(document: bytes, folder: Path) -> bool:
    """Whether xmlsec1, trusting our certificate, verifies the document."""
    (folder / "signed.xml").write_bytes(document)
    command = [require_tool("xmlsec1"), "--verify", "--trusted-pem", str(folder / "cert.pem")]
    done = subprocess.run(
        [*command, "--verification-time", "2026-09-01 12:00:00", str(folder / "signed.xml")],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def accepted_by_signxml(document: bytes) -> bytes:
    """The signed bytes signxml returns; SHA-1 must be asked for by name."""
    result = XMLVerifier().verify(
        document,
        x509_cert=new_key().certificate_pem().decode(),
        expect_config=SignatureConfiguration(
            signature_methods=frozenset({SignatureMethod.RSA_SHA1}),
            digest_algorithms=frozenset({DigestAlgorithm.SHA1}),
            verification_time=NOW,
        ),
    )
    assert not isinstance(result, list)
    return result.signed_data


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_table_of_outcomes_is_xmlsec1s(variant: Variant, folder: Path) -> None:
    assert accepted_by_xmlsec1(variant.build(), folder) is (variant.refused is None)


@pytest.mark.parametrize(
    "document",
    [
        f"{ROOT}{INNER}{END}",
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n{ROOT}\r\n{INNER}<!-- x --><ceb:a/>\r\n{END}\n',
        '<r xmlns="urn:d" xmlns:b="urn:b" z="1"><b:x xmlns=""><y/></b:x></r>',
        f'<r xmlns:ds="{DS}"><x/></r>',
        '<r xmlns:ds="urn:other"><ds:x/></r>',
        "<r>text</r>",
    ],
    ids=["usual", "spelled", "default", "ds-declared", "ds-is-another", "none"],
)
def test_xmlsec1_verifies_what_we_sign(document: str, folder: Path) -> None:
    signed = sign(document.encode(), file_key(), any_root=True)
    assert accepted_by_xmlsec1(signed.content, folder)
    assert not accepted_by_xmlsec1(
        signed.content.replace(b"<ds:DigestValue>", b"<ds:DigestValue>A"), folder
    )
    verify(signed.content, policy())


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(document=documents)
def test_xmlsec1_verifies_whatever_we_sign(document: bytes, folder: Path) -> None:
    assert accepted_by_xmlsec1(sign(document, file_key()).content, folder)


@given(documents)
def test_signxml_returns_the_same_signed_bytes(document: bytes) -> None:
    content = sign(document, file_key()).content
    assert accepted_by_signxml(content) == verify(content, policy()).content


def test_signxml_refuses_what_we_refuse() -> None:
    content = sign(BODY, file_key()).content.replace(b"401.49", b"401.48")
    with pytest.raises(SignXMLException):
        accepted_by_signxml(content)
    with pytest.raises(SigningError):
        verify(content, policy())


TEMPLATE = (
    "<{p}Signature xmlns{c}='{ds}'><{p}SignedInfo>"
    "<{p}CanonicalizationMethod Algorithm='{c14n}'/>"
    "<{p}SignatureMethod Algorithm='{ds}rsa-sha1'/><{p}Reference URI=''><{p}Transforms>"
    "<{p}Transform Algorithm='{ds}enveloped-signature'/></{p}Transforms>"
    "<{p}DigestMethod Algorithm='{ds}sha1'/><{p}DigestValue/></{p}Reference></{p}SignedInfo>"
    "<{p}SignatureValue/><{p}KeyInfo><{p}KeyName>{name}</{p}KeyName><{p}X509Data>"
    "<{p}X509Certificate/></{p}X509Data></{p}KeyInfo></{p}Signature>"
)


@pytest.mark.parametrize("prefix", ["ds", ""])
@pytest.mark.parametrize(
    "body",
    [
        BODY,
        f'<CEB311Message xmlns="{CEB}" xmlns:xsi="{XSI}">\n<a/>奶粉\n</CEB311Message>'.encode(),
        b'<r xmlns="urn:d"><x xmlns=""/></r>',
        b"<r><x/></r>",
    ],
    ids=["usual", "default-namespace", "urn", "none"],
)
def test_we_verify_what_xmlsec1_signs(body: bytes, prefix: str, folder: Path) -> None:
    tool = require_tool("xmlsec1")
    serial = new_key().certificate.serial
    template = TEMPLATE.format(
        p=f"{prefix}:" if prefix else "",
        c=f":{prefix}" if prefix else "",
        ds=DS,
        c14n=C14N,
        name=serial,
    )
    end = body.rindex(b"</")
    (folder / "template.xml").write_bytes(body[:end] + template.encode() + body[end:])
    subprocess.run(
        [
            tool,
            "--sign",
            *("--privkey-pem:" + serial, f"{folder / 'key.pem'},{folder / 'cert.pem'}"),
            *("--output", str(folder / "made.xml"), str(folder / "template.xml")),
        ],
        capture_output=True,
        check=True,
    )
    made = (folder / "made.xml").read_bytes()
    verified = verify(made, policy(strict_layout=False))
    assert verified.content == etree.tostring(etree.fromstring(body), method="c14n")
    assert verified.certificate == new_key().certificate
    with pytest.raises(SigningError):
        verify(
            made.replace(b"<x", b"<y").replace(b"<a/>", b"<z/>").replace(b"401", b"402"),
            policy(strict_layout=False),
        )


def test_a_certificate_of_an_unknown_kind_of_key_is_told(tmp_path: Path) -> None:
    openssl = require_tool("openssl")
    certificate = tmp_path / "c.pem"
    subprocess.run(
        [
            openssl,
            "req",
            "-new",
            "-x509",
            "-newkey",
            "ed25519",
            "-nodes",
            "-subj",
            "/CN=dev",
            "-keyout",
            str(tmp_path / "k.pem"),
            "-out",
            str(certificate),
        ],
        capture_output=True,
        check=True,
    )
    assert Certificate.from_pem(certificate.read_bytes()).key_kind is KeyKind.OTHER
