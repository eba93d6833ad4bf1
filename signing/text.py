"""Signatures over plain strings, such as the joined JSON members of announcement 2018-179."""

import base64
import binascii
from dataclasses import dataclass, field

from signing.algorithms import check_signature, signature_length
from signing.certificate import Certificate
from signing.errors import KeyFailed, KeyNameInvalid, SignatureMalformed
from signing.keys.base import Key
from signing.profiles import profile_for
from signing.sign import is_key_name


@dataclass(frozen=True, slots=True)
class SignedText:
    """The signature of a string and whose it is."""

    value: str = field(repr=False)
    """Base64: 172 characters (RSA-1024), 344 (RSA-2048) or 88 (SM2). The `signValue` of 179."""
    key_name: str
    """The certificate number, lower-case hex. The `certNo` of 179."""
    profile_name: str


def sign_text(text: str, key: Key) -> SignedText:
    """Sign the UTF-8 bytes of a string as they are: no newline is added, nothing is escaped.

    RSA: PKCS#1 v1.5 over SHA-1. SM2: SM3 with the default signer id, raw r||s. The signature is
    checked against the certificate before it is returned. Raises a `SigningKeyError`.
    """
    profile = profile_for(key.certificate)
    if not is_key_name(key.key_name):
        raise KeyNameInvalid
    data = text.encode()
    signature = key.sign(data)
    if len(signature) != signature_length(profile, key.certificate):
        raise KeyFailed("length of the signature")
    check_signature(profile, key.certificate, signature, data)
    return SignedText(base64.b64encode(signature).decode(), key.key_name, profile.name)


def verify_text(text: str, value: str, certificate: Certificate) -> None:
    """Return if the base64 value is the certificate's signature of the string.

    Raises `SignatureMalformed` or `SignatureMismatch`. Trust and validity are the caller's.
    """
    try:
        signature = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as error:
        raise SignatureMalformed from error
    profile = profile_for(certificate)
    if len(signature) != signature_length(profile, certificate):
        raise SignatureMalformed("length")
    check_signature(profile, certificate, signature, text.encode())
