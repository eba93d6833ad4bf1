"""Keys, documents and hand-made signatures for the tests of signing.

The hand-made signature is text put together here, sharing no code with the package, so that it can
be wrong in exactly one way.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from signing import (
    CEB_RSA_SHA1,
    FileKey,
    NewKey,
    SigningError,
    VerifyPolicy,
    load_pem,
    new_development_key,
)
from signing.errors import DigestMismatch, SignatureMismatch

CEB = "http://www.chinaport.gov.cn/ceb"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
DS = "http://www.w3.org/2000/09/xmldsig#"
ROOT = (
    f'<ceb:CEB311Message xmlns:ceb="{CEB}" xmlns:xsi="{XSI}"'
    ' guid="4CDE1CFD-EDED-46B1-946C-B8022E42FC94" version="1.0">'
)
END = "</ceb:CEB311Message>"
INNER = (
    "<ceb:Order><ceb:OrderHead><ceb:orderNo>SIGN-0001</ceb:orderNo>"
    "<ceb:goodsValue>401.49</ceb:goodsValue><ceb:note>奶粉 &amp; 面霜 &lt;2&gt;</ceb:note>"
    "</ceb:OrderHead></ceb:Order>"
)
BODY = f"{ROOT}{INNER}{END}".encode()

SERIAL = 0x0300000000012345
NOW = datetime(2026, 9, 1, 4, 0, tzinfo=UTC)
SUBJECT = "开发测试 110101199003070003"


def new_key(serial: int = SERIAL, bits: int = 2048) -> NewKey:
    return _made_once(serial, bits)


@cache
def _made_once(serial: int, bits: int) -> NewKey:
    return new_development_key(
        subject=SUBJECT,
        serial=serial,
        not_before=NOW - timedelta(days=30),
        not_after=NOW + timedelta(days=30),
        bits=bits,
    )


@cache
def file_key(serial: int = SERIAL, bits: int = 2048) -> FileKey:
    return load_pem(new_key(serial, bits).pem(), name="test-key")


@cache
def private_key(serial: int = SERIAL) -> rsa.RSAPrivateKey:
    private = load_pem_private_key(new_key(serial).pem(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return private


def policy(
    *,
    at: datetime = NOW,
    serial: int = SERIAL,
    strict_layout: bool = True,
    key_name_is_serial: bool = True,
    with_comments_uri: bool = False,
    root_name: str | None = None,
    weak_until: datetime | None = NOW + timedelta(days=365),
) -> VerifyPolicy:
    return VerifyPolicy(
        profiles=(CEB_RSA_SHA1,),
        at=at,
        pinned=(file_key(serial).certificate,),
        weak_until=weak_until,
        strict_layout=strict_layout,
        key_name_is_serial=key_name_is_serial,
        with_comments_uri=with_comments_uri,
        root_name=root_name,
    )


SCOPE = f' xmlns:ceb="{CEB}" xmlns:ds="{DS}" xmlns:xsi="{XSI}"'
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

INFO = (
    "<ds:SignedInfo{scope}>"
    f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="{DS}rsa-sha1"></ds:SignatureMethod>'
    f'<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="{DS}enveloped-signature">'
    f'</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="{DS}sha1"></ds:DigestMethod>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)


@dataclass(frozen=True)
class Parts:
    """A signature taken apart: what is signed, what is written, where it goes."""

    info: str
    signature_element: str


def parts(
    body: bytes = BODY,
    *,
    info: str = INFO,
    scope: str = SCOPE,
    key_name: str | None = None,
    serial: int = SERIAL,
    prefix: str = "ds",
) -> Parts:
    """Sign `body`, taken as canonical, and write the Signature element as rule 4 wants it."""
    digest = base64.b64encode(hashlib.sha1(body).digest()).decode()
    signed = info.format(scope=scope, digest=digest)
    written = info.format(scope="", digest=digest)
    if prefix != "ds":
        signed, written = _unprefixed(signed), _unprefixed(written)
    value = private_key(serial).sign(signed.encode(), padding.PKCS1v15(), SHA1())
    certificate = new_key(serial).certificate
    element = (
        f'<ds:Signature xmlns:ds="{DS}">{{info}}'
        f"<ds:SignatureValue>{base64.b64encode(value).decode()}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:KeyName>{key_name or certificate.serial}</ds:KeyName><ds:X509Data>"
        f"<ds:X509Certificate>{certificate.der_base64.decode()}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )
    if prefix != "ds":
        element = _unprefixed(element).replace("xmlns:ds=", "xmlns=")
    return Parts(signed, element.replace("{info}", written))


def _unprefixed(text: str) -> str:
    return text.replace("<ds:", "<").replace("</ds:", "</")


def glue(body: bytes, element: str, *, before: str = "", after: str = "") -> bytes:
    """Put the element before the root's end tag."""
    end = body.rindex(b"</")
    return body[:end] + f"{before}{element}{after}".encode() + body[end:]


def signed_by_hand(body: bytes = BODY) -> bytes:
    return glue(body, parts(body).signature_element)


def _self_closed() -> bytes:
    text = signed_by_hand().decode()
    for name in ("CanonicalizationMethod", "SignatureMethod", "Transform", "DigestMethod"):
        text = text.replace(f"></ds:{name}>", "/>")
    assert text.count("/>") == 4
    return text.encode()


def _attribute_order() -> bytes:
    ordered = 'guid="4CDE1CFD-EDED-46B1-946C-B8022E42FC94" version="1.0"'
    turned = "version='1.0' guid='4CDE1CFD-EDED-46B1-946C-B8022E42FC94'"
    text = signed_by_hand().decode()
    return text.replace(f'xmlns:xsi="{XSI}" {ordered}', f'{turned} xmlns:xsi="{XSI}"').encode()


def _crlf() -> bytes:
    lines = BODY.replace(b"><ceb:", b">\n<ceb:")
    assert lines.count(b"\n") > 3
    return signed_by_hand(lines).replace(b"\n", b"\r\n")


def _without_xsi() -> bytes:
    return signed_by_hand(BODY.replace(f' xmlns:xsi="{XSI}"'.encode(), b""))


def _extra_namespace() -> bytes:
    return signed_by_hand(BODY.replace(b' guid="', b' xmlns:zz="urn:more" guid="'))


def _default_namespace() -> bytes:
    scope = f' xmlns="{DS}" xmlns:ceb="{CEB}" xmlns:xsi="{XSI}"'
    return glue(BODY, parts(scope=scope, prefix="").signature_element)


def _pretty_info() -> bytes:
    pretty = parts().signature_element.replace("><ds:Reference", ">\n  <ds:Reference")
    return glue(BODY, pretty)


@dataclass(frozen=True)
class Variant:
    """One property changed, and what a W3C verifier then says (`None`: valid)."""

    name: str
    build: Callable[[], bytes]
    refused: type[SigningError] | None


VARIANTS = (
    Variant("compact, glued before the end tag", signed_by_hand, None),
    Variant("self-closed empty tags", _self_closed, None),
    Variant("attribute order and quotes", _attribute_order, None),
    Variant(
        "XML declaration",
        lambda: b'<?xml version="1.0" encoding="UTF-8"?>\n' + signed_by_hand(),
        None,
    ),
    Variant("CRLF file", _crlf, None),
    Variant("default namespace, signed in place", _default_namespace, None),
    Variant("root without xsi, usual bytes signed", _without_xsi, SignatureMismatch),
    Variant("extra namespace on the root", _extra_namespace, SignatureMismatch),
    Variant(
        "newline before the signature",
        lambda: glue(BODY, parts().signature_element, before="\n"),
        DigestMismatch,
    ),
    Variant(
        "newline after the signature",
        lambda: glue(BODY, parts().signature_element, after="\n"),
        DigestMismatch,
    ),
    Variant("pretty SignedInfo, compact form signed", _pretty_info, SignatureMismatch),
)
"""The table of outcomes, one property changed at a time."""
