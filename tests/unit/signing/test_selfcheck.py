"""The check of our own output finds whatever the signer could have got wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from signing import Certificate, SignedDocument, sign, verify_own
from signing.errors import KeyFailed, SelfCheckFailed
from tests.unit.signing.make import BODY, INNER, file_key, glue, parts


def good() -> SignedDocument:
    return sign(BODY, file_key(), canonical=True)


def with_content(content: bytes) -> SignedDocument:
    return replace(good(), content=content)


def test_what_was_just_signed_holds() -> None:
    verify_own(good(), file_key())
    verify_own(sign(b"\n" + BODY + b"\n", file_key()), file_key())


def flipped(signature: bytes) -> bytes:
    return bytes([signature[0] ^ 1]) + signature[1:]


@pytest.mark.parametrize(
    "part, old, new",
    [
        ("structure", b"<ds:KeyInfo>", b"<ds:KeyInfo >"),
        ("structure", b"</ds:Signature>", b"</ds:Signature>\n"),
        ("structure", b"<ds:SignedInfo>", b"<ds:SignedInfo>\n"),
        ("structure", b"<ds:Signature ", b"<ds:Sig "),
        ("structure", b'URI=""', b'URI="#a"'),
        ("c14n", b"REC-xml-c14n-20010315", b"REC-xml-c14n"),
        ("method", b"#rsa-sha1", b"#rsa-sha256"),
        ("transform", b"#enveloped-signature", b"#other"),
        ("digest_method", b'#sha1"', b'#md5"'),
        ("key_name", b"<ds:KeyName>0", b"<ds:KeyName>1"),
        ("certificate", b"<ds:X509Certificate>M", b"<ds:X509Certificate>N"),
        ("digest of the document", b"401.49", b"401.48"),
        ("digest of the document", INNER.encode(), b""),
        ("digest of the document", b'version="1.0"', b'version="1.1"'),
    ],
)
def test_a_changed_part_is_named(part: str, old: bytes, new: bytes) -> None:
    content = good().content
    assert content.count(old) == 1
    with pytest.raises(SelfCheckFailed) as refusal:
        verify_own(with_content(content.replace(old, new)), file_key())
    assert refusal.value.detail == part


def test_facts_that_differ_from_the_bytes_are_found() -> None:
    for changed in (
        replace(good(), digest_base64="AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        replace(good(), signature=flipped(good().signature)),
        replace(good(), content=BODY),
        replace(good(), content=b""),
    ):
        with pytest.raises(SelfCheckFailed):
            verify_own(changed, file_key())


def test_a_signature_over_other_bytes_is_found() -> None:
    wrong_scope = parts(scope="")
    content = glue(BODY, wrong_scope.signature_element)
    assert content != good().content
    value = content.split(b"<ds:SignatureValue>")[1].split(b"</")[0]
    import base64

    with pytest.raises(SelfCheckFailed) as refusal:
        verify_own(replace(good(), content=content, signature=base64.b64decode(value)), file_key())
    assert refusal.value.detail == "signature of SignedInfo"


def test_another_key_is_found() -> None:
    with pytest.raises(SelfCheckFailed):
        verify_own(good(), file_key(7))


def test_a_parsed_document_is_checked_in_full() -> None:
    signed = sign(BODY + b"\n", file_key())
    for changed in (
        replace(signed, content=signed.content.replace(b"401.49", b"1.49")),
        replace(signed, digest_base64="AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        replace(signed, content=BODY),
    ):
        with pytest.raises(SelfCheckFailed):
            verify_own(changed, file_key())


@dataclass(frozen=True)
class BrokenDevice:
    """A device that answers, wrongly."""

    answer: bytes
    name: str = "broken"

    @property
    def certificate(self) -> Certificate:
        return file_key().certificate

    @property
    def key_name(self) -> str:
        return self.certificate.serial

    def sign(self, data: bytes) -> bytes:
        return self.answer


def test_a_device_that_answers_garbage_is_found() -> None:
    with pytest.raises(KeyFailed):
        sign(BODY, BrokenDevice(b"x" * 64), canonical=True)
    key = BrokenDevice(b"\x01" * 256)
    with pytest.raises(SelfCheckFailed) as refusal:
        verify_own(sign(BODY, key, canonical=True), key)
    assert refusal.value.detail == "signature of SignedInfo"


def test_a_device_signs_the_same_bytes_as_anyone() -> None:
    @dataclass(frozen=True)
    class Recording(BrokenDevice):
        seen: tuple[bytes, ...] = ()

        def sign(self, data: bytes) -> bytes:
            assert not data.endswith(b"\n")
            assert data.startswith(b"<ds:SignedInfo xmlns:ceb=")
            assert data.endswith(b"</ds:SignedInfo>")
            return file_key().sign(data)

    assert sign(BODY, Recording(b""), canonical=True).content == good().content
