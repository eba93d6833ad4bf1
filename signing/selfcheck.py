"""Check what was just signed, before it is stored, by other code than made it.

Shares with `signing.sign` only the digest and RSA primitives and the values of the profile: the
parts are found again in the bytes that would be sent, by a pattern written down separately.
"""

import base64
import re
from typing import Final

from signing.algorithms import check_signature, digest_of
from signing.errors import SelfCheckFailed, SignatureMismatch, VerificationError
from signing.keys.base import Key
from signing.profiles import DS_NAMESPACE
from signing.sign import SignedDocument
from signing.verify import VerifyPolicy, verify

_OPENING: Final = b'<ds:Signature xmlns:ds="%b">' % DS_NAMESPACE.encode()
_ELEMENT: Final = re.compile(
    rb"<ds:SignedInfo>(?P<info>"
    rb'<ds:CanonicalizationMethod Algorithm="(?P<c14n>[^"]+)"></ds:CanonicalizationMethod>'
    rb'<ds:SignatureMethod Algorithm="(?P<method>[^"]+)"></ds:SignatureMethod>'
    rb'<ds:Reference URI=""><ds:Transforms>'
    rb'<ds:Transform Algorithm="(?P<transform>[^"]+)"></ds:Transform></ds:Transforms>'
    rb'<ds:DigestMethod Algorithm="(?P<digest_method>[^"]+)"></ds:DigestMethod>'
    rb"<ds:DigestValue>(?P<digest>[^<]+)</ds:DigestValue></ds:Reference>)</ds:SignedInfo>"
    rb"<ds:SignatureValue>(?P<signature>[^<]+)</ds:SignatureValue><ds:KeyInfo>"
    rb"<ds:KeyName>(?P<key_name>[^<]+)</ds:KeyName>"
    rb"(?:<ds:X509Data><ds:X509Certificate>(?P<certificate>[^<]+)</ds:X509Certificate>"
    rb"</ds:X509Data>)?</ds:KeyInfo></ds:Signature>(?P<end></[^<>]+>)"
)
_NAMESPACE: Final = re.compile(rb' xmlns(:[^\s="]+)?="[^"]*"')


def verify_own(signed: SignedDocument, key: Key) -> None:
    """Return if the signed document holds, raise `SelfCheckFailed` naming the part that does not.

    The digest is taken again over the bytes around the Signature, the RSA signature is checked
    with the certificate's public key, and every fixed part is compared with the profile and the
    key. A document that was not canonical is parsed and verified in full instead.
    """
    if not signed.was_canonical:
        _verify_parsed(signed, key)
        return
    content = signed.content
    start = content.rfind(_OPENING)
    found = _ELEMENT.fullmatch(content, start + len(_OPENING)) if start > 0 else None
    if found is None:
        raise SelfCheckFailed("structure")
    profile = signed.profile
    expected = {
        "c14n": profile.canonicalization.encode(),
        "method": profile.signature_method.encode(),
        "transform": profile.transform.encode(),
        "digest_method": profile.digest_method.encode(),
        "digest": signed.digest_base64.encode(),
        "signature": base64.b64encode(signed.signature),
        "key_name": key.key_name.encode(),
        "certificate": key.certificate.der_base64 if profile.has_certificate else None,
    }
    for part, value in expected.items():
        if found[part] != value:
            raise SelfCheckFailed(part)
    view = memoryview(content)
    digest = digest_of(profile, view[:start], view[found.start("end") :])
    if base64.b64encode(digest) != found["digest"]:
        raise SelfCheckFailed("digest of the document")
    signed_info = _in_place(content, found["info"])
    try:
        check_signature(profile, key.certificate, signed.signature, signed_info)
    except SignatureMismatch as error:
        raise SelfCheckFailed("signature of SignedInfo") from error


def _in_place(content: bytes, info: bytes) -> bytes:
    """Give SignedInfo the declarations of the root's start tag and of the Signature."""
    declared = {
        hit[1] or b"": hit[0] for hit in _NAMESPACE.finditer(content, 0, content.index(b">") + 1)
    }
    declared[b":ds"] = b' xmlns:ds="%b"' % DS_NAMESPACE.encode()
    in_order = b"".join(declared[prefix] for prefix in sorted(declared))
    return b"<ds:SignedInfo%b>%b</ds:SignedInfo>" % (in_order, info)


def _verify_parsed(signed: SignedDocument, key: Key) -> None:
    """Check through the verifier, at a moment at which the certificate is valid."""
    policy = VerifyPolicy(
        profiles=(signed.profile,),
        pinned=(key.certificate,),
        at=key.certificate.not_before,
        weak_until=key.certificate.not_after,
        key_name_is_serial=key.key_name == key.certificate.serial,
    )
    try:
        verified = verify(signed.content, policy)
    except VerificationError as error:
        raise SelfCheckFailed(error.code) from error
    if verified.digest_base64 != signed.digest_base64 or verified.key_name != key.key_name:
        raise SelfCheckFailed("facts")
