"""XML signatures of customs messages: sign, check one's own output, verify what others signed."""

from signing.certificate import Certificate
from signing.errors import Retry, SigningError, VerificationError
from signing.keys import (
    FileKey,
    Key,
    NewKey,
    load_file,
    load_pem,
    load_pkcs12,
    new_development_key,
)
from signing.profiles import CEB_RSA_SHA1, KeyKind, Profile, profile_for
from signing.selfcheck import verify_own
from signing.sign import SignedDocument, sign
from signing.verify import VerifiedDocument, VerifyPolicy, verify

__all__ = [
    "CEB_RSA_SHA1",
    "Certificate",
    "FileKey",
    "Key",
    "KeyKind",
    "NewKey",
    "Profile",
    "Retry",
    "SignedDocument",
    "SigningError",
    "VerificationError",
    "VerifiedDocument",
    "VerifyPolicy",
    "load_file",
    "load_pem",
    "load_pkcs12",
    "new_development_key",
    "profile_for",
    "sign",
    "verify",
    "verify_own",
]
