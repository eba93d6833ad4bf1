"""What a device or a service handed back, brought to the form customs wants and checked."""

import base64
import binascii

from signing.algorithms import check_signature, signature_length
from signing.certificate import Certificate
from signing.der import is_der_signature, raw_of_der
from signing.errors import KeyFailed, SignatureIsDER, SignatureMismatch
from signing.profiles import KeyKind, profile_for


def decoded(text: object) -> bytes:
    """Decode the base64 of a reply. Raises `KeyFailed` for anything else, such as a cut one."""
    try:
        if not isinstance(text, str):
            raise TypeError
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise KeyFailed("base64 of the signature") from error


def raw_signature(
    certificate: Certificate, signature: bytes, *, converts_der: bool = False
) -> bytes:
    """Return the signature as raw bytes of its right length.

    DER from an SM2 key is turned into r||s when the key's setting `converts_der` says so, else
    refused by `SignatureIsDER`. Raises `KeyFailed` for another length.
    """
    if len(signature) == signature_length(profile_for(certificate), certificate):
        return signature
    if certificate.key_kind is KeyKind.SM2 and is_der_signature(signature):
        if not converts_der:
            raise SignatureIsDER
        return raw_of_der(signature)
    raise KeyFailed("length of the signature")


def is_made_by(certificate: Certificate, signature: bytes, data: bytes) -> bool:
    """Tell whether the raw signature is the certificate's, of this data."""
    try:
        check_signature(profile_for(certificate), certificate, signature, data)
    except SignatureMismatch:
        return False
    return True
