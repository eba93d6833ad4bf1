"""The authority's own check of a CEB signature (RSA-SHA1, and SM2-SM3 of 2022).

Written from the signature specification alone: take the Signature out, canonicalise what is
left, compare the digest, then verify the signature over SignedInfo as it stands in its
document. Every surprise is a refusal.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from adapters.sandbox.customs import sm2
from adapters.sandbox.customs.messages import DSIG

C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA1: Final = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
SHA1: Final = "http://www.w3.org/2000/09/xmldsig#sha1"
SM2_SM3: Final = "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3"
SM3: Final = "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"


class SignatureRefusedError(Exception):
    """The signature does not hold; ``code`` is the exchange platform's response code."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SignatureVerifier:
    """Checks signatures; keeps decoded certificates, since decoding costs more than checking."""

    def __init__(self) -> None:
        self._certificates: dict[bytes, x509.Certificate] = {}

    def check(
        self, root: etree._Element, registered: Mapping[str, bytes] | None, now: datetime
    ) -> None:
        """Check the one Signature of a parsed message, removing it from the tree.

        ``registered`` maps serial texts to DER certificates; ``None`` takes any certificate.
        Raises SignatureRefusedError with 1001, 1002 or 1004.
        """
        signature = _only_signature(root)
        info = _child(signature, "SignedInfo")
        method = _signature_method(info)
        key_name, der = _key_info(signature)
        certificate = self._certificate(der)
        _check_certificate(key_name, der, certificate, registered, now)
        signed = _signed_info_bytes(root, signature, info)
        value = _decode(_child(signature, "SignatureValue"), "SignatureValue")
        expected = _decode(_child(_child(info, "Reference"), "DigestValue"), "DigestValue")
        _remove(root, signature)
        body = etree.tostring(root, method="c14n", with_comments=False)
        digest = sm2.sm3(body) if method == SM2_SM3 else hashlib.sha1(body).digest()
        if not hmac.compare_digest(digest, expected):
            raise SignatureRefusedError("1004", "digest differs from the message")
        if method == SM2_SM3:
            _check_sm2(der, value, signed)
        else:
            _check_rsa(certificate, value, signed)

    def _certificate(self, der: bytes) -> x509.Certificate:
        found = self._certificates.get(der)
        if found is None:
            try:
                found = x509.load_der_x509_certificate(der)
            except ValueError as fault:
                raise SignatureRefusedError("1001", "certificate cannot be read") from fault
            if len(self._certificates) < 1000:
                self._certificates[der] = found
        return found


def _check_sm2(der: bytes, value: bytes, signed: bytes) -> None:
    key = sm2.public_point(der)
    if key is None:
        raise SignatureRefusedError("1001", "certificate key is not SM2")
    if not sm2.holds(key, value, signed):
        raise SignatureRefusedError("1001", "signature value does not verify")


def _check_rsa(certificate: x509.Certificate, value: bytes, signed: bytes) -> None:
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        raise SignatureRefusedError("1001", "certificate key is not RSA")
    try:
        key.verify(value, signed, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the profile's own digest
    except InvalidSignature as fault:
        raise SignatureRefusedError("1001", "signature value does not verify") from fault


def has_signature(root: etree._Element) -> bool:
    """Tell whether the root has a Signature child."""
    return root.find(f"{{{DSIG}}}Signature") is not None


def _only_signature(root: etree._Element) -> etree._Element:
    found = list(root.iter(f"{{{DSIG}}}Signature"))
    if len(found) != 1 or found[0] is not root[-1]:
        raise SignatureRefusedError("1001", "exactly one Signature, as the last child, is expected")
    return found[0]


def _child(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"{{{DSIG}}}{name}")
    if len(found) != 1:
        raise SignatureRefusedError("1001", f"{name} must occur once")
    return found[0]


def _decode(element: etree._Element, name: str) -> bytes:
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise SignatureRefusedError("1001", f"{name} is not base64") from fault


def _signature_method(info: etree._Element) -> str:
    """The signature method, in one of the two sets of algorithms that the specification lists."""
    reference = _child(info, "Reference")
    transforms = _child(reference, "Transforms")
    named = (
        _child(info, "CanonicalizationMethod").get("Algorithm"),
        _child(info, "SignatureMethod").get("Algorithm"),
        _child(transforms, "Transform").get("Algorithm"),
        _child(reference, "DigestMethod").get("Algorithm"),
    )
    if named not in ((C14N, RSA_SHA1, ENVELOPED, SHA1), (C14N, SM2_SM3, ENVELOPED, SM3)):
        raise SignatureRefusedError("1001", f"algorithms not served: {named}")
    if reference.get("URI") != "":
        raise SignatureRefusedError("1001", 'Reference URI must be ""')
    return str(named[1])


def _key_info(signature: etree._Element) -> tuple[str, bytes]:
    info = _child(signature, "KeyInfo")
    name = (_child(info, "KeyName").text or "").strip()
    der = _decode(_child(_child(info, "X509Data"), "X509Certificate"), "X509Certificate")
    return name, der


def _check_certificate(
    key_name: str,
    der: bytes,
    certificate: x509.Certificate,
    registered: Mapping[str, bytes] | None,
    now: datetime,
) -> None:
    if registered is not None and registered.get(key_name.lower()) != der:
        raise SignatureRefusedError("1001", "certificate is not registered under this KeyName")
    try:
        same = int(key_name, 16) == certificate.serial_number
    except ValueError:
        same = False
    if not same:
        raise SignatureRefusedError("1001", "KeyName is not the certificate's serial")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise SignatureRefusedError("1002", "certificate is not valid now")


def _signed_info_bytes(
    root: etree._Element, signature: etree._Element, info: etree._Element
) -> bytes:
    if signature.prefix is not None:
        return etree.tostring(info, method="c14n", with_comments=False)
    # lxml's subtree form puts a bogus xmlns="" on a default-namespace Signature, so the piece
    # is cut out of the whole document and given the namespaces in scope on its start tag.
    whole = etree.tostring(root, method="c14n", with_comments=False)
    start = whole.index(b"<SignedInfo")
    end = whole.index(b"</SignedInfo>", start) + len(b"</SignedInfo>")
    scope = {prefix: uri for prefix, uri in info.nsmap.items() if prefix is not None}
    names = f' xmlns="{DSIG}"' + "".join(
        f' xmlns:{prefix}="{scope[prefix]}"' for prefix in sorted(scope)
    )
    return b"<SignedInfo" + names.encode() + whole[start + len(b"<SignedInfo") : end]


def _remove(root: etree._Element, signature: etree._Element) -> None:
    # remove() drops the tail with the element, but the text after a Signature is signed text.
    tail = signature.tail
    if tail:
        previous = signature.getprevious()
        if previous is None:
            root.text = (root.text or "") + tail
        else:
            previous.tail = (previous.tail or "") + tail
    root.remove(signature)
