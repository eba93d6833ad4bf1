"""The primitives behind a profile: digest, length and check of a signature."""

import hashlib
from typing import assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SM3, Hash

from signing.certificate import Certificate
from signing.der import RAW_BYTES
from signing.errors import SignatureMismatch
from signing.profiles import DigestKind, Profile, SignatureEncoding


def digest_of(profile: Profile, *parts: bytes | memoryview) -> bytes:
    """Return the profile's digest over the parts, one after the other, without joining them."""
    if profile.digest is DigestKind.SM3:
        # Python's own OpenSSL may lack SM3; that of `cryptography` always has it.
        sm3 = Hash(SM3())
        for part in parts:
            sm3.update(part)
        return sm3.finalize()
    hasher = hashlib.new(profile.digest.value)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def signature_length(profile: Profile, certificate: Certificate) -> int:
    """Return how many bytes a signature by the certificate's key has under the profile."""
    match profile.encoding:
        case SignatureEncoding.RSA_PKCS1_V15:
            return certificate.key_bits // 8
        case SignatureEncoding.SM2_RAW:
            return RAW_BYTES
        case _:
            assert_never(profile.encoding)


def check_signature(
    profile: Profile, certificate: Certificate, signature: bytes, data: bytes
) -> None:
    """Return if the certificate's key signed the data; raise `SignatureMismatch` if it did not."""
    match profile.encoding:
        case SignatureEncoding.RSA_PKCS1_V15:
            public = certificate.public_rsa_key()
            try:
                # The one digest CEB's RSA profile has; `VerifyPolicy.weak_until` bounds it in time.
                public.verify(signature, data, padding.PKCS1v15(), SHA1())  # noqa: S303
            except InvalidSignature as error:
                raise SignatureMismatch from error
        case SignatureEncoding.SM2_RAW:
            certificate.public_sm2_key().verify(signature, data)
        case _:
            assert_never(profile.encoding)
