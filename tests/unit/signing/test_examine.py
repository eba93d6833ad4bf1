"""Explanations: each way of writing a document other than it was signed is named for what it is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from signing import (
    CAUSE_TEXTS,
    CEB_SM2_SM3,
    Cause,
    Examination,
    Finding,
    examine,
    sign,
    without_certificates,
)
from signing.der import der_of_raw
from signing.errors import UnreadableDocument
from tests.unit.signing.make import (
    BODY,
    CEB,
    DS,
    END,
    INFO,
    INNER,
    NOW,
    ROOT,
    SCOPE,
    SUBJECT,
    VARIANTS,
    XSI,
    file_key,
    glue,
    new_key,
    parts,
    private_key,
    signed_by_hand,
)
from tests.unit.signing.make_sm2 import sm2_key

LINES = BODY.replace(b"><ceb:", b">\n  <ceb:").replace(b"></ceb:", b">\n</ceb:")
EMPTY = f"{ROOT}{INNER}<ceb:note></ceb:note>{END}".encode()


def hashed(form: bytes, body: bytes, algorithm: str = "sha1") -> bytes:
    """A document whose digest was taken over another form of it."""
    right = base64.b64encode(hashlib.sha1(body).digest()).decode()
    digest = base64.b64encode(hashlib.new(algorithm, form).digest()).decode()
    element = parts(body).signature_element
    info = parts_info(digest)
    value = base64.b64encode(private_key().sign(info.encode(), padding.PKCS1v15(), SHA1()))
    old = element.split("<ds:SignatureValue>")[1].split("</ds:SignatureValue>")[0]
    return glue(body, element.replace(right, digest).replace(old, value.decode()))


def parts_info(digest: str, scope: str = SCOPE) -> str:
    return INFO.format(scope=scope, digest=digest)


def pretty() -> bytes:
    return signed_by_hand().replace(b"><ceb:", b">\n  <ceb:").replace(b"</ceb:CEB", b"\n</ceb:CEB")


DIGESTS: list[tuple[str, Callable[[], bytes], set[Cause]]] = [
    (
        "new line before the signature",
        lambda: glue(BODY, parts().signature_element, before="\n"),
        {Cause.SPACE_AROUND_SIGNATURE},
    ),
    (
        "new line after the signature",
        lambda: glue(BODY, parts().signature_element, after="\r\n"),
        {Cause.SPACE_AROUND_SIGNATURE},
    ),
    ("pretty-printed after it was signed", pretty, {Cause.SPACE_BETWEEN_ELEMENTS}),
    (
        "self-closing tags hashed",
        lambda: hashed(EMPTY.replace(b"></ceb:note>", b"/>"), EMPTY),
        {Cause.SELF_CLOSING},
    ),
    (
        "self-closing tags with a space hashed",
        lambda: hashed(EMPTY.replace(b"></ceb:note>", b" />"), EMPTY),
        {Cause.SELF_CLOSING},
    ),
    (
        "hashed without xsi",
        lambda: hashed(BODY.replace(f' xmlns:xsi="{XSI}"'.encode(), b""), BODY),
        {Cause.NAMESPACE},
    ),
    (
        "hashed in the default namespace",
        lambda: hashed(
            BODY.replace(b"<ceb:", b"<")
            .replace(b"</ceb:", b"</")
            .replace(b"xmlns:ceb=", b"xmlns="),
            BODY,
        ),
        {Cause.PREFIX},
    ),
    (
        "hashed as GB18030",
        lambda: hashed(BODY.decode().encode("gb18030"), BODY),
        {Cause.ENCODING},
    ),
    (
        "hashed with Windows line ends",
        lambda: hashed(LINES.replace(b"\n", b"\r\n"), LINES),
        {Cause.LINE_ENDINGS},
    ),
    ("hashed with a last new line", lambda: hashed(BODY + b"\n", BODY), {Cause.TRAILING_NEWLINE}),
    (
        "hashed with its XML declaration",
        lambda: hashed(b'<?xml version="1.0" encoding="UTF-8"?>' + BODY, BODY),
        {Cause.DECLARATION},
    ),
    (
        "hashed with a byte order mark",
        lambda: hashed(b"\xef\xbb\xbf" + BODY, BODY),
        {Cause.BYTE_ORDER_MARK},
    ),
    (
        "hashed with comments",
        lambda: hashed(
            BODY.replace(b"<ceb:Order>", b"<!--c--><ceb:Order>"),
            BODY.replace(b"<ceb:Order>", b"<!--c--><ceb:Order>"),
        ),
        {Cause.COMMENTS},
    ),
    (
        "hashed as the file's own bytes",
        lambda: hashed(
            BODY.replace(b'version="1.0"', b"version='1.0'"),
            BODY.replace(b'version="1.0"', b"version='1.0'"),
        ),
        {Cause.NOT_CANONICAL},
    ),
    ("hashed by SHA-256", lambda: hashed(BODY, BODY, "sha256"), {Cause.OTHER_DIGEST}),
    (
        "two things at once",
        lambda: hashed(EMPTY.replace(b"></ceb:note>", b"/>") + b"\n", EMPTY),
        {Cause.SELF_CLOSING, Cause.TRAILING_NEWLINE},
    ),
    (
        "values with white space",
        lambda: signed_by_hand().replace(b"401.49<", b" 401.49 <"),
        {Cause.SPACE_BETWEEN_ELEMENTS, Cause.SPACE_IN_VALUES},
    ),
    (
        "greater-than signs not escaped",
        lambda: hashed(BODY.replace(b"&gt;", b">"), BODY),
        {Cause.ESCAPES},
    ),
    (
        "an amount changed",
        lambda: signed_by_hand().replace(b"401.49", b"1.49"),
        {Cause.UNEXPLAINED},
    ),
]


@pytest.mark.parametrize("name, build, causes", DIGESTS, ids=[one[0] for one in DIGESTS])
def test_a_digest_that_differs_is_explained(
    name: str, build: Callable[[], bytes], causes: set[Cause]
) -> None:
    found = examine(build())
    assert (found.digest, set(found.digest_causes)) == (Finding.DIFFERS, causes)


def signed_form(form: Callable[[str], str], scope: str = SCOPE, **options: object) -> bytes:
    """A document whose SignedInfo was signed in another form than it is written in."""
    digest = base64.b64encode(hashlib.sha1(BODY).digest()).decode()
    info = form(parts_info(digest, scope)).encode()
    algorithm = SHA256() if options.get("sha256") else SHA1()
    value = base64.b64encode(private_key().sign(info, padding.PKCS1v15(), algorithm)).decode()
    element = parts().signature_element
    old = element.split("<ds:SignatureValue>")[1].split("</ds:SignatureValue>")[0]
    return glue(BODY, element.replace(old, value))


SIGNATURES: list[tuple[str, Callable[[], bytes], set[Cause]]] = [
    ("new line signed", lambda: signed_form(lambda t: t + "\n"), {Cause.TRAILING_NEWLINE}),
    (
        "no namespace in scope signed",
        lambda: signed_form(str, scope=f' xmlns:ds="{DS}"'),
        {Cause.NAMESPACE},
    ),
    (
        "xsi missing on the root",
        lambda: signed_by_hand(BODY).replace(f' xmlns:xsi="{XSI}"'.encode(), b""),
        {Cause.NAMESPACE},
    ),
    (
        "namespace added to the root",
        lambda: signed_by_hand().replace(b' guid="', b' xmlns:z="urn:z" guid="'),
        {Cause.NAMESPACE},
    ),
    (
        "self-closing tags signed",
        lambda: signed_form(
            lambda t: (
                t.replace("></ds:CanonicalizationMethod>", "/>")
                .replace("></ds:SignatureMethod>", "/>")
                .replace("></ds:Transform>", "/>")
                .replace("></ds:DigestMethod>", "/>")
            )
        ),
        {Cause.SELF_CLOSING},
    ),
    (
        "pretty form written, compact form signed",
        lambda: glue(
            BODY, parts().signature_element.replace("><ds:Reference", ">\n  <ds:Reference")
        ),
        {Cause.SPACE_BETWEEN_ELEMENTS},
    ),
    ("signed by SHA-256", lambda: signed_form(str, sha256=True), {Cause.OTHER_DIGEST}),
    ("other bytes signed", lambda: signed_form(lambda _: "x"), {Cause.OTHER_BYTES}),
    (
        "other key",
        lambda: signed_by_hand().replace(
            new_key().certificate.der_base64, new_key(0x9).certificate.der_base64
        ),
        {Cause.OTHER_KEY},
    ),
]


@pytest.mark.parametrize("name, build, causes", SIGNATURES, ids=[one[0] for one in SIGNATURES])
def test_a_signature_that_differs_is_explained(
    name: str, build: Callable[[], bytes], causes: set[Cause]
) -> None:
    found = examine(build())
    assert (found.signature, set(found.signature_causes)) == (Finding.DIFFERS, causes)
    assert found.refused is not None


@pytest.mark.parametrize(
    "variant", [one for one in VARIANTS if one.refused is None], ids=lambda one: one.name
)
def test_what_a_stock_verifier_takes_holds(variant: object) -> None:
    found = examine(variant.build())  # type: ignore[attr-defined]
    assert (found.digest, found.signature) == (Finding.HOLDS, Finding.HOLDS)
    assert found.refused is None


def test_everything_is_told_of_a_good_document() -> None:
    found = examine(signed_by_hand(), at=NOW, pinned=(file_key().certificate,), issuers=())
    assert found == Examination(
        is_signed=True,
        digest=Finding.HOLDS,
        signature=Finding.HOLDS,
        key_name="0300000000012345",
        key_name_fits=True,
        certificate=found.certificate,
        is_trusted=True,
        was_valid=True,
        algorithms=(
            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", f"{DS}rsa-sha1", f"{DS}sha1"
        ),
    )  # fmt: skip
    assert found.certificate is not None
    assert found.certificate.holder == "CN=***"
    late = examine(signed_by_hand(), at=NOW + timedelta(days=90), issuers=(new_key(9).certificate,))
    assert (late.was_valid, late.is_trusted) == (False, False)


def test_sm2_signatures_are_examined_too() -> None:
    signed = sign(BODY, sm2_key(), CEB_SM2_SM3, canonical=True)
    good = examine(signed.content)
    assert (good.digest, good.signature, good.refused) == (Finding.HOLDS, Finding.HOLDS, None)
    raw = base64.b64encode(signed.signature)
    der = signed.content.replace(raw, base64.b64encode(der_of_raw(signed.signature)))
    assert examine(der).signature_causes == (Cause.DER_SIGNATURE,)
    info = signed.content[signed.content.index(b"<ds:SignedInfo>") :]
    info = info[: info.index(b"</ds:SignedInfo>") + len(b"</ds:SignedInfo>")]
    info = info.replace(b"<ds:SignedInfo>", b"<ds:SignedInfo%b>" % SCOPE.encode())
    private = sm2_key()._private
    empty_id = private.sign(info, b"")  # type: ignore[call-arg, arg-type]
    other = signed.content.replace(raw, base64.b64encode(empty_id))
    assert examine(other).signature_causes == (Cause.EMPTY_SIGNER_ID,)
    foreign = signed.content.replace(raw, base64.b64encode(bytes(63) + b"\1"))
    assert examine(foreign).signature_causes == (Cause.UNEXPLAINED,)


@pytest.mark.parametrize(
    "change, note",
    [
        (lambda d: d.replace(b"<ds:KeyName>03", b"<ds:KeyName>3"), "key-name-padding"),
        (lambda d: d.replace(b"0300000000012345<", b"0001<"), "key-name-foreign"),
        (lambda d: d.replace(b"rsa-sha1", b"hmac-sha1"), "signature-method-unknown"),
        (lambda d: d.replace(b"MII", b"!II", 1), "certificate-unreadable"),
        (
            lambda d: d.replace(
                parts().signature_element.encode(), parts().signature_element.encode() * 2
            ),
            "signatures-repeated",
        ),
        (
            lambda d: d.replace(b"</ds:Signature>", b"</ds:Signature><ceb:x/>"),
            "signature-misplaced",
        ),
    ],
)
def test_departures_are_noted(change: Callable[[bytes], bytes], note: str) -> None:
    document = change(signed_by_hand())
    assert document != signed_by_hand()
    assert note in examine(document).notes


def test_other_notes() -> None:
    old = sign(BODY, file_key(bits=1024), canonical=True).content
    assert "key-1024-bit" in examine(old).notes
    upper = 0x0300000000ABCDEF
    document = sign(BODY, file_key(upper), canonical=True).content
    bent = document.replace(b"0300000000abcdef", b"0300000000ABCDEF")
    assert "key-name-upper-case" in examine(bent).notes


def test_a_document_without_certificate_is_tried_with_pinned_ones() -> None:
    document = signed_by_hand()
    start, end = document.index(b"<ds:X509Data>"), document.index(b"</ds:X509Data>")
    bare = document[:start] + document[end + len(b"</ds:X509Data>") :]
    assert examine(bare).signature is Finding.UNCHECKED
    assert "certificate-missing" in examine(bare).notes
    assert examine(bare, pinned=(file_key().certificate,)).signature is Finding.HOLDS


def test_unsigned_and_unreadable() -> None:
    assert examine(BODY) == Examination(is_signed=False)
    with pytest.raises(UnreadableDocument):
        examine(b"<a")
    empty = f'{ROOT}<ds:Signature xmlns:ds="{DS}"></ds:Signature>{END}'.encode()
    assert examine(empty).digest is Finding.UNCHECKED


def test_a_large_document_is_examined_without_trying_every_pair() -> None:
    body = BODY.replace(INNER.encode(), INNER.encode() * 1500)
    assert len(body) > 256 * 1024
    assert examine(signed_by_hand(body).replace(b"401.49", b"1.49", 1)).digest is Finding.DIFFERS


def test_an_export_holds_no_certificate() -> None:
    copy = without_certificates(signed_by_hand())
    assert new_key().certificate.der_base64 not in copy
    assert b"redacted " in copy
    assert SUBJECT.encode() not in copy
    assert CEB.encode() in copy


def test_every_cause_is_told_in_both_languages() -> None:
    assert set(CAUSE_TEXTS) == set(Cause)
    for chinese, english in CAUSE_TEXTS.values():
        assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese)
        assert english.isascii()
        assert chinese.endswith("。")
        assert english.endswith(".")
