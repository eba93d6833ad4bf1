"""Every way of bending a signed document that we know is refused, each for its own reason."""

# Lambdas delay the making of keys until a test runs: collecting tests must stay quick.
# ruff: noqa: PLW0108

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest

from signing import VerifyPolicy, verify
from signing.errors import (
    CanonicalizationRefused,
    CertificateMalformed,
    CertificateUntrusted,
    CommentRefused,
    DigestMalformed,
    DigestMethodRefused,
    DigestMismatch,
    ElementRefused,
    InheritedAttribute,
    InstructionRefused,
    KeyInfoRefused,
    KeyNameMismatch,
    ObjectRefused,
    ReferenceForeign,
    ReferenceRepeated,
    RootUnexpected,
    SignatureMalformed,
    SignatureMethodRefused,
    SignatureMismatch,
    SignatureMisplaced,
    SignatureMissing,
    SignatureRepeated,
    SignedInfoRepeated,
    SigningError,
    StrayElement,
    TextRefused,
    TransformRefused,
    UnreadableDocument,
    WhitespaceRefused,
)
from tests.unit.signing.make import (
    BODY,
    C14N,
    CEB,
    DS,
    END,
    INNER,
    NOW,
    ROOT,
    new_key,
    parts,
    policy,
    signed_by_hand,
)

OTHER = 0x0300000000099999


@cache
def element() -> str:
    return parts().signature_element


@cache
def good() -> str:
    return signed_by_hand().decode()


def between(name: str) -> str:
    """The text of a leaf of the good signature."""
    return good().split(f"<ds:{name}>")[1].split(f"</ds:{name}>")[0]


def whole(name: str) -> str:
    """A whole element of the good signature."""
    start, end = good().index(f"<ds:{name}"), f"</ds:{name.rstrip()}>"
    return good()[start : good().index(end, start) + len(end)]


def swap(old: str, new: str) -> Callable[[], str]:
    def build() -> str:
        assert good().count(old) == 1, old
        return good().replace(old, new)

    return build


def after(name: str, more: str) -> Callable[[], str]:
    return lambda: swap(f"</ds:{name}>", f"</ds:{name}>{more}")()


def text_of(name: str, change: Callable[[str], str]) -> Callable[[], str]:
    return lambda: swap(f">{between(name)}</ds:{name}>", f">{change(between(name))}</ds:{name}>")()


def twice(name: str) -> Callable[[], str]:
    return lambda: swap(whole(name), whole(name) * 2)()


EVIL = INNER.replace("401.49", "1.00")
LAST_BITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def unused_bits(text: str) -> str:
    """Another spelling of the same base64 value: a bit nobody reads is set."""
    kept = text.rstrip("=")
    last = LAST_BITS[LAST_BITS.index(kept[-1]) | 1]
    assert last != kept[-1]
    return kept[:-1] + last + "=" * (len(text) - len(kept))


def other_certificate() -> str:
    return new_key(OTHER).certificate.der_base64.decode()


@dataclass(frozen=True)
class Bend:
    name: str
    build: Callable[[], str]
    refused: type[SigningError]


WRAPPINGS = (
    Bend(
        "signed root moved into a new root",
        lambda: f"{ROOT}{EVIL}{good()}{END}",
        SignatureMisplaced,
    ),
    Bend(
        "signed root moved into an Object of its signature",
        lambda: (
            f"{ROOT}{EVIL}"
            + element().replace(
                "</ds:KeyInfo>", f"</ds:KeyInfo><ds:Object>{ROOT}{INNER}{END}</ds:Object>"
            )
            + END
        ),
        ObjectRefused,
    ),
    Bend(
        "signed root kept beside new content, signature last",
        lambda: f"{ROOT}{EVIL}<ceb:old>{ROOT}{INNER}{END}</ceb:old>{element()}{END}",
        DigestMismatch,
    ),
    Bend(
        "signature moved into a business record",
        lambda: f"{ROOT}{INNER.replace('</ceb:Order>', element() + '</ceb:Order>')}{END}",
        SignatureMisplaced,
    ),
    Bend(
        "new content after the signature",
        lambda: f"{ROOT}{INNER}{element()}{EVIL}{END}",
        SignatureMisplaced,
    ),
    Bend(
        "signature as the first child",
        lambda: f"{ROOT}{element()}{INNER}{END}",
        SignatureMisplaced,
    ),
    Bend(
        "signature as the root",
        lambda: swap_root(),
        SignatureMisplaced,
    ),
    Bend(
        "signature inside a signature",
        lambda: swap("</ds:KeyInfo>", f"</ds:KeyInfo><ds:Object>{element()}</ds:Object>")(),
        SignatureRepeated,
    ),
    Bend(
        "two signatures",
        lambda: f"{ROOT}{INNER}{element()}{element()}{END}",
        SignatureRepeated,
    ),
    Bend(
        "SignedInfo of the signature namespace in the body",
        lambda: swap(INNER, INNER + whole("SignedInfo").replace(">", f' xmlns:ds="{DS}">', 1))(),
        StrayElement,
    ),
)


def swap_root() -> str:
    return element().replace(
        "</ds:KeyInfo>", f"</ds:KeyInfo><ds:Object>{BODY.decode()}</ds:Object>"
    )


STRUCTURE = (
    Bend("no signature", BODY.decode, SignatureMissing),
    Bend(
        "signature in a look-alike namespace",
        swap(f'xmlns:ds="{DS}"', 'xmlns:ds="http://www.w3.org/2000/09/xmldsig"'),
        SignatureMissing,
    ),
    Bend("another root", lambda: good().replace("CEB311Message", "CEB621Message"), RootUnexpected),
    Bend("two SignedInfo", twice("SignedInfo"), SignedInfoRepeated),
    Bend("SignedInfo left out", lambda: swap(whole("SignedInfo"), "")(), SignedInfoRepeated),
    Bend("two References", twice("Reference"), ReferenceRepeated),
    Bend(
        "second Reference to a part",
        lambda: after("Reference", whole("Reference").replace('URI=""', 'URI="#a"'))(),
        ReferenceRepeated,
    ),
    Bend("no Reference", lambda: swap(whole("Reference"), "")(), ReferenceRepeated),
    Bend("reference by id", swap('URI=""', 'URI="#part"'), ReferenceForeign),
    Bend(
        "reference to the outside", swap('URI=""', 'URI="file:///etc/hostname"'), ReferenceForeign
    ),
    Bend("reference without URI", swap(' URI=""', ""), ReferenceForeign),
    Bend("reference with Type", swap('URI=""', f'URI="" Type="{DS}Object"'), ReferenceForeign),
    Bend("two transforms", twice("Transform "), TransformRefused),
    Bend("no transform", lambda: swap(whole("Transform "), "")(), TransformRefused),
    Bend(
        "XSLT transform",
        swap(f"{DS}enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        TransformRefused,
    ),
    Bend(
        "XPath transform added",
        after(
            "Transform",
            '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
            "<ds:XPath>not(ancestor::ceb:Order)</ds:XPath></ds:Transform>",
        ),
        TransformRefused,
    ),
    Bend(
        "parameter inside the transform",
        swap("</ds:Transform>", "<ds:XPath>true()</ds:XPath></ds:Transform>"),
        TransformRefused,
    ),
    Bend("Transforms left out", lambda: swap(whole("Transforms"), "")(), ElementRefused),
    Bend("Object added", after("KeyInfo", "<ds:Object></ds:Object>"), ObjectRefused),
    Bend("two SignatureValues", twice("SignatureValue"), ElementRefused),
    Bend("two DigestValues", twice("DigestValue"), ElementRefused),
    Bend("two DigestMethods", twice("DigestMethod"), ElementRefused),
    Bend("Id on the Signature", swap("<ds:Signature ", '<ds:Signature Id="s" '), ElementRefused),
    Bend("Id on SignedInfo", swap("<ds:SignedInfo>", '<ds:SignedInfo Id="s">'), ElementRefused),
    Bend(
        "HMAC output length",
        swap(
            "</ds:SignatureMethod>",
            "<ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>",
        ),
        ElementRefused,
    ),
    Bend("KeyInfo left out", lambda: swap(whole("KeyInfo"), "")(), ElementRefused),
    Bend("two KeyInfos", twice("KeyInfo"), ElementRefused),
    Bend("two KeyNames", twice("KeyName"), KeyInfoRefused),
    Bend("two certificates", twice("X509Certificate"), KeyInfoRefused),
    Bend("certificate left out", lambda: swap(whole("X509Data"), "")(), KeyInfoRefused),
    Bend(
        "bare key beside the certificate",
        after("X509Data", "<ds:KeyValue><ds:RSAKeyValue></ds:RSAKeyValue></ds:KeyValue>"),
        KeyInfoRefused,
    ),
    Bend("children in another order", lambda: turned(), ElementRefused),
    Bend(
        "foreign element inside", after("SignatureValue", '<x xmlns="urn:x"></x>'), ElementRefused
    ),
    Bend("xml:lang on the root", swap(' guid="', ' xml:lang="zh" guid="'), InheritedAttribute),
    Bend(
        "xml:space on the Signature",
        swap("<ds:Signature ", '<ds:Signature xml:space="preserve" '),
        ElementRefused,
    ),
)


def turned() -> str:
    value, key_info = whole("SignatureValue"), whole("KeyInfo")
    return swap(value + key_info, key_info + value)()


TEXTS = (
    Bend("comment in DigestValue", text_of("DigestValue", lambda t: f"<!---->{t}"), CommentRefused),
    Bend(
        "another digest before a comment",
        text_of("DigestValue", lambda t: f"{'A' * 27}=<!--{t}-->"),
        CommentRefused,
    ),
    Bend(
        "comment in the certificate",
        text_of("X509Certificate", lambda t: f"{t[:8]}<!-- -->{t[8:]}"),
        CommentRefused,
    ),
    Bend("comment in SignedInfo", after("SignatureMethod", "<!-- -->"), CommentRefused),
    Bend("comment after the signature", after("Signature", "<!-- -->"), SignatureMisplaced),
    Bend("instruction in the signature", after("KeyInfo", "<?x y?>"), InstructionRefused),
    Bend(
        "instruction that looks like a signature, after the root",
        lambda: f'{good()}<?x <ds:Signature xmlns:ds="{DS}"></ds:Signature> ?>',
        InstructionRefused,
    ),
    Bend("instruction in the body", swap(INNER, f"<?x?>{INNER}"), InstructionRefused),
    Bend("newline after the signature", after("Signature", "\n"), WhitespaceRefused),
    Bend("newline in SignedInfo", after("SignatureMethod", "\n"), WhitespaceRefused),
    Bend("space in the digest", text_of("DigestValue", lambda t: f" {t}"), WhitespaceRefused),
    Bend(
        "wrapped signature",
        text_of("SignatureValue", lambda t: f"{t[:64]}\n{t[64:]}"),
        WhitespaceRefused,
    ),
    Bend("text in SignedInfo", after("SignatureMethod", "x"), TextRefused),
    Bend("text after the signature", after("Signature", "x"), TextRefused),
    Bend(
        "element inside DigestValue", text_of("DigestValue", lambda t: f"{t}<b/>"), ElementRefused
    ),
    Bend("document type", lambda: f"<!DOCTYPE a>{good()}", UnreadableDocument),
    Bend(
        "entity in the digest",
        lambda: f'<!DOCTYPE a [<!ENTITY d "x">]>{text_of("DigestValue", lambda t: "&d;")()}',
        UnreadableDocument,
    ),
    Bend("truncated file", lambda: good()[:-5], UnreadableDocument),
    Bend("not XML", lambda: "RELEASED", UnreadableDocument),
    Bend("relative namespace", swap(INNER, f'<a xmlns="rel/ative"/>{INNER}'), UnreadableDocument),
)

ALGORITHMS = (
    Bend(
        "RSA-SHA256",
        swap(f"{DS}rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
        SignatureMethodRefused,
    ),
    Bend(
        "HMAC with the public key", swap(f"{DS}rsa-sha1", f"{DS}hmac-sha1"), SignatureMethodRefused
    ),
    Bend("no such method", swap(f"{DS}rsa-sha1", ""), SignatureMethodRefused),
    Bend(
        "SM2 under a policy of RSA",
        swap(f"{DS}rsa-sha1", "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3"),
        SignatureMethodRefused,
    ),
    Bend(
        "mixed digest",
        swap(
            f'DigestMethod Algorithm="{DS}sha1"',
            'DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"',
        ),
        DigestMethodRefused,
    ),
    Bend(
        "MD5 digest",
        swap(
            f'DigestMethod Algorithm="{DS}sha1"',
            'DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#md5"',
        ),
        DigestMethodRefused,
    ),
    Bend(
        "C14N with comments", swap(f'"{C14N}"', f'"{C14N}#WithComments"'), CanonicalizationRefused
    ),
    Bend(
        "exclusive C14N",
        swap(f'"{C14N}"', '"http://www.w3.org/2001/10/xml-exc-c14n#"'),
        CanonicalizationRefused,
    ),
    Bend("algorithm left out", swap(f' Algorithm="{DS}rsa-sha1"', ""), ElementRefused),
)

VALUES = (
    Bend("empty digest", text_of("DigestValue", lambda _: ""), DigestMalformed),
    Bend("truncated digest", text_of("DigestValue", lambda t: t[:-5]), DigestMalformed),
    Bend("short digest", text_of("DigestValue", lambda _: "QUJD"), DigestMalformed),
    Bend("respelled digest", text_of("DigestValue", unused_bits), DigestMalformed),
    Bend(
        "other digest",
        text_of("DigestValue", lambda _: base64.b64encode(bytes(20)).decode()),
        SignatureMismatch,
    ),
    Bend("empty signature", text_of("SignatureValue", lambda _: ""), SignatureMalformed),
    Bend("truncated signature", text_of("SignatureValue", lambda t: t[:-3]), SignatureMalformed),
    Bend("short signature", text_of("SignatureValue", lambda t: t[4:]), SignatureMalformed),
    Bend("respelled signature", text_of("SignatureValue", unused_bits), SignatureMalformed),
    Bend(
        "other signature",
        text_of("SignatureValue", lambda _: base64.b64encode(b"\x01" * 256).decode()),
        SignatureMismatch,
    ),
    Bend("foreign alphabet", text_of("SignatureValue", lambda t: "-_" + t[2:]), SignatureMalformed),
    Bend(
        "certificate is not base64",
        text_of("X509Certificate", lambda t: "*" + t[1:]),
        CertificateMalformed,
    ),
    Bend(
        "certificate is no certificate",
        text_of("X509Certificate", lambda _: "AAAA"),
        CertificateMalformed,
    ),
    Bend(
        "certificate swapped",
        text_of("X509Certificate", lambda _: other_certificate()),
        CertificateUntrusted,
    ),
    Bend(
        "signed by a stranger in full",
        lambda: f"{ROOT}{INNER}{parts(serial=OTHER).signature_element}{END}",
        CertificateUntrusted,
    ),
    Bend("KeyName of another", text_of("KeyName", lambda _: "0300000000099999"), KeyNameMismatch),
    Bend("KeyName in capitals", text_of("KeyName", lambda t: t[:-5] + "1234A"), KeyNameMismatch),
    Bend("KeyName without its zero", text_of("KeyName", lambda t: t[1:]), KeyNameMismatch),
    Bend("amount changed", lambda: good().replace("401.49", "1.49"), DigestMismatch),
    Bend("record added", lambda: good().replace(INNER, INNER * 2), DigestMismatch),
    Bend("white space in the body", lambda: good().replace(INNER, f"{INNER} "), DigestMismatch),
    Bend("attribute changed", swap('version="1.0"', 'version="1.1"'), DigestMismatch),
    Bend(
        "unused namespace in the body",
        swap("<ceb:Order>", '<ceb:Order xmlns:z="urn:z">'),
        DigestMismatch,
    ),
    Bend(
        "prefix bound anew in the body",
        swap("<ceb:Order>", '<ceb:Order xmlns:ceb="urn:x">'),
        DigestMismatch,
    ),
    Bend(
        "namespace added to the root", swap(' guid="', ' xmlns:z="urn:z" guid="'), SignatureMismatch
    ),
    Bend(
        "namespace added to the Signature",
        swap("<ds:Signature ", '<ds:Signature xmlns:z="urn:z" '),
        SignatureMismatch,
    ),
    Bend(
        "namespace added to SignedInfo",
        swap("<ds:SignedInfo>", '<ds:SignedInfo xmlns:z="urn:z">'),
        SignatureMismatch,
    ),
)

ALL = (*WRAPPINGS, *STRUCTURE, *TEXTS, *ALGORITHMS, *VALUES)


def strict() -> VerifyPolicy:
    return policy(root_name=f"{{{CEB}}}CEB311Message")


@pytest.mark.parametrize("bend", ALL, ids=lambda bend: bend.name)
def test_a_bent_document_is_refused_for_its_own_reason(bend: Bend) -> None:
    bent = bend.build()
    assert bent != good()
    with pytest.raises(SigningError) as refusal:
        verify(bent.encode(), strict())
    assert type(refusal.value) is bend.refused
    assert refusal.value.code.startswith("SIGN-4")


def test_the_unbent_document_is_accepted() -> None:
    verified = verify(good().encode(), strict())
    assert verified.content == BODY
    assert verified.certificate == new_key().certificate
    assert verified.key_name == "0300000000012345"


def test_comments_in_the_body_never_reach_the_reader() -> None:
    commented = (
        good().replace("401.49", "40<!-- 99 -->1.49").replace("<ceb:Order>", "<!-- --><ceb:Order>")
    )
    verified = verify(commented.encode(), strict())
    assert verified.content == BODY
    value = verified.root.find(f".//{{{CEB}}}goodsValue")
    assert value is not None
    assert value.text == "401.49"


def test_the_result_is_another_tree_without_signature() -> None:
    verified = verify(good().encode(), strict())
    assert verified.root.find(f"{{{DS}}}Signature") is None
    assert [child.tag for child in verified.root] == [f"{{{CEB}}}Order"]


def test_character_references_and_cdata_say_the_same_thing() -> None:
    spelled = text_of("DigestValue", lambda t: f"&#{ord(t[0])};<![CDATA[{t[1:]}]]>")()
    assert verify(spelled.encode(), strict()).content == BODY


def test_no_refusal_repeats_a_value_of_the_document() -> None:
    for bend in ALL:
        with pytest.raises(SigningError) as refusal:
            verify(bend.build().encode(), strict())
        text = str(refusal.value)
        assert not any(word in text for word in ("SIGN-0001", "401.49", "03000000", "奶粉"))


def test_every_document_is_judged_at_the_time_of_signing() -> None:
    assert verify(good().encode(), policy(at=NOW)).content == BODY


def test_the_corpus_is_large_and_no_variant_stands_twice() -> None:
    built = [bend.build() for bend in ALL]
    assert len(set(built)) == len(built) >= 80
    assert len({bend.name for bend in ALL}) == len(ALL)
