"""The byte rules of the CEB signature, one test each, and the table of a stock verifier."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1

from signing import sign, verify, verify_own
from signing.errors import (
    AlreadySigned,
    CarriageReturnKept,
    DocumentNotCanonical,
    DocumentUnreadable,
    KeyNameInvalid,
    RootNotSignable,
    RootUnusual,
    SelfCheckFailed,
    SigningError,
    UnreadableDocument,
    WhitespaceRefused,
)
from tests.unit.signing.make import (
    BODY,
    CEB,
    DS,
    END,
    INFO,
    INNER,
    ROOT,
    SCOPE,
    VARIANTS,
    XSI,
    Variant,
    file_key,
    new_key,
    parts,
    policy,
    signed_by_hand,
)

EXTRA = ROOT.replace(" guid=", ' xmlns:zz="urn:more" guid=')


def test_the_digest_is_over_the_document_without_its_signature() -> None:
    signed = sign(BODY, file_key(), canonical=True)
    assert signed.digest_base64 == base64.b64encode(hashlib.sha1(BODY).digest()).decode()


def test_the_signed_bytes_are_the_template_of_rule_two() -> None:
    signed = sign(BODY, file_key(), canonical=True)
    signed_info = INFO.format(scope=SCOPE, digest=signed.digest_base64).encode()
    assert b"\n" not in signed_info
    public = new_key().certificate.public_rsa_key()
    public.verify(signed.signature, signed_info, padding.PKCS1v15(), SHA1())


def test_the_whole_document_equals_one_made_by_hand() -> None:
    assert sign(BODY, file_key(), canonical=True).content == signed_by_hand()


def test_the_signature_is_glued_before_the_end_tag_and_nothing_else_changes() -> None:
    content = sign(BODY, file_key(), canonical=True).content
    head, end = BODY[: -len(END)], END.encode()
    assert content.startswith(head + f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>'.encode())
    assert content.endswith(b"</ds:KeyInfo></ds:Signature>" + end)
    assert b"\n" not in content
    assert content.replace(parts().signature_element.encode(), b"") == BODY


def test_a_document_with_declaration_and_crlf_keeps_its_bytes() -> None:
    spelled = (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n{ROOT}\r\n  {INNER}<ceb:a/>\r\n{END}\r\n'
    ).encode()
    signed = sign(spelled, file_key())
    start = signed.content.index(b"<ds:Signature")
    end = signed.content.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    assert signed.content[:start] + signed.content[end:] == spelled
    assert verify(signed.content, policy()).content == (
        f"{ROOT}\n  {INNER}<ceb:a></ceb:a>\n{END}".encode()
    )
    verify_own(signed, file_key())


def test_parsed_and_promised_canonical_documents_are_signed_alike() -> None:
    assert sign(BODY, file_key()).content == sign(BODY, file_key(), canonical=True).content


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize(
    "root",
    [
        ROOT.replace(f' xmlns:xsi="{XSI}"', ""),
        EXTRA,
        ROOT.replace(" xmlns:ceb=", ' xmlns="urn:default" xmlns:ceb='),
        ROOT.replace(CEB, "http://www.chinaport.gov.cn/other"),
    ],
    ids=["without-xsi", "extra", "default", "other-uri"],
)
def test_the_root_declares_ceb_and_xsi_and_nothing_else(root: str, canonical: bool) -> None:
    with pytest.raises(RootUnusual):
        sign(f"{root}{END}".encode(), file_key(), canonical=canonical)


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize(
    "document",
    [
        f"{EXTRA}{INNER}{END}",
        '<a xmlns="urn:default" x="1>2"><b></b></a>',
        f'<a xmlns:ds="{DS}"><b></b></a>',
        '<a xmlns:ds="urn:not-a-signature"><ds:SignedInfo></ds:SignedInfo></a>',
        "<a>text</a>",
    ],
    ids=["extra", "default", "ds-declared", "ds-is-another", "none"],
)
def test_any_root_is_signed_in_place_when_asked(document: str, canonical: bool) -> None:
    signed = sign(document.encode(), file_key(), canonical=canonical, any_root=True)
    verify_own(signed, file_key())
    verified = verify(signed.content, policy())
    if canonical:
        assert verified.content == document.encode()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_table_of_outcomes(variant: Variant) -> None:
    document, w3c = variant.build(), policy(strict_layout=False)
    if variant.refused is None:
        verify(document, policy())
        verify(document, w3c)
    else:
        with pytest.raises(variant.refused):
            verify(document, w3c)


@pytest.mark.parametrize(
    "name", ["newline after the signature", "pretty SignedInfo, compact form signed"]
)
def test_strict_layout_names_the_white_space(name: str) -> None:
    (variant,) = (each for each in VARIANTS if each.name == name)
    with pytest.raises(WhitespaceRefused):
        verify(variant.build(), policy())


@pytest.mark.parametrize(
    "document, refused",
    [
        (b'<?xml version="1.0"?>' + BODY, DocumentNotCanonical),
        (b"\xef\xbb\xbf" + BODY, DocumentNotCanonical),
        (BODY + b"\n", DocumentNotCanonical),
        (BODY.replace(b"><ceb:Order>", b">\r\n<ceb:Order>"), DocumentNotCanonical),
        (BODY.replace(b'"1.0"', b"'1.0'"), DocumentNotCanonical),
        (b"<a/>", DocumentNotCanonical),
        (b"", DocumentNotCanonical),
        (BODY.replace(b" guid=", b' xml:lang="zh" guid='), RootNotSignable),
        (BODY.replace(b" guid=", b' xmlns:zz="urn:a&amp;b" guid='), RootNotSignable),
        (signed_by_hand(), AlreadySigned),
    ],
    ids=[
        "declaration",
        "mark",
        "trailing-newline",
        "carriage-return",
        "single-quotes",
        "self-closed",
        "empty",
        "xml-attribute",
        "namespace-with-ampersand",
        "signed",
    ],
)
def test_a_broken_promise_of_canonical_bytes_is_refused(
    document: bytes, refused: type[SigningError]
) -> None:
    with pytest.raises(refused):
        sign(document, file_key(), canonical=True, any_root=True)


@pytest.mark.parametrize(
    "document, refused",
    [
        (signed_by_hand(), AlreadySigned),
        (BODY.replace(b"SIGN-0001", b"SIGN&#13;0001"), CarriageReturnKept),
        (BODY.replace(b" guid=", b' xml:space="preserve" guid='), RootNotSignable),
        (BODY + b"<!-- </x> -->", RootNotSignable),
        (BODY + b"<?pi?>", RootNotSignable),
        (b"<?pi?>" + BODY, RootNotSignable),
        (BODY.replace(INNER.encode() + END.encode(), b"").rstrip(b">") + b"/>", RootNotSignable),
        (BODY[:-3], DocumentUnreadable),
        (b'<!DOCTYPE a><a xmlns:b="urn:b"></a>', DocumentUnreadable),
        (BODY.replace(CEB.encode(), b"relative/uri"), DocumentUnreadable),
    ],
    ids=[
        "signed",
        "carriage-return",
        "xml-attribute",
        "trailing-comment",
        "trailing-instruction",
        "leading-instruction",
        "self-closed",
        "truncated",
        "doctype",
        "relative-namespace",
    ],
)
def test_a_document_that_cannot_be_signed_is_refused(
    document: bytes, refused: type[SigningError]
) -> None:
    with pytest.raises(refused):
        sign(document, file_key())


def test_bytes_that_are_not_utf8_are_not_canonical() -> None:
    broken = BODY.replace(b' xmlns:xsi="', b' xmlns:xsi="\xff')
    with pytest.raises(DocumentNotCanonical):
        sign(broken, file_key(), canonical=True, any_root=True)


def test_a_namespace_that_c14n_leaves_malformed_is_never_read() -> None:
    inner = '<z:a xmlns:z="urn:a&amp;b"></z:a>'
    signed = sign(f"{ROOT}{inner}{END}".encode(), file_key())
    with pytest.raises(UnreadableDocument):
        verify(signed.content, policy())
    with pytest.raises(SelfCheckFailed):
        verify_own(signed, file_key())


def test_a_gb_document_is_signed_over_its_canonical_text() -> None:
    spelled = f'<?xml version="1.0" encoding="GB2312"?>{ROOT}{INNER}{END}'.encode("gb2312")
    signed = sign(spelled, file_key())
    assert verify(signed.content, policy()).content == BODY


def test_key_info_carries_the_serial_and_one_certificate_without_armour() -> None:
    content = sign(BODY, file_key(), canonical=True).content
    assert b"<ds:KeyName>0300000000012345</ds:KeyName>" in content
    der = base64.b64encode(new_key().certificate.der)
    assert b"<ds:X509Certificate>" + der + b"</ds:X509Certificate>" in content


def test_a_key_name_that_is_not_plain_is_refused() -> None:
    class Odd:
        name = "odd"
        certificate = file_key().certificate
        key_name = "0001</ds:KeyName>"

        def sign(self, data: bytes) -> bytes:
            raise AssertionError

    with pytest.raises(KeyNameInvalid):
        sign(BODY, Odd(), canonical=True)
