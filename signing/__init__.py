"""XML signatures of customs messages: sign, check one's own output, verify what others signed."""

from signing.certificate import Certificate
from signing.errors import Reaction, Retry, SigningError, VerificationError
from signing.keys import (
    FileKey,
    Key,
    NewKey,
    load_file,
    load_pem,
    load_pkcs12,
    new_development_key,
)
from signing.profiles import (
    CEB_PROFILES,
    CEB_RSA_SHA1,
    CEB_SM2_SM3,
    CEB_SM2_UNOFFICIAL,
    DXP_PROFILES,
    DXP_RSA_SHA1,
    DXP_SM2_SM3,
    KeyKind,
    Profile,
    SM2Names,
    dxp_profile_for,
    profile_for,
)
from signing.selfcheck import verify_own
from signing.sign import SignedDocument, sign
from signing.text import SignedText, sign_text, verify_text
from signing.verify import VerifiedDocument, VerifyPolicy, verify

__all__ = [
    "CEB_PROFILES",
    "CEB_RSA_SHA1",
    "CEB_SM2_SM3",
    "CEB_SM2_UNOFFICIAL",
    "DXP_PROFILES",
    "DXP_RSA_SHA1",
    "DXP_SM2_SM3",
    "Certificate",
    "FileKey",
    "Key",
    "KeyKind",
    "NewKey",
    "Profile",
    "Reaction",
    "Retry",
    "SM2Names",
    "SignedDocument",
    "SignedText",
    "SigningError",
    "VerificationError",
    "VerifiedDocument",
    "VerifyPolicy",
    "dxp_profile_for",
    "load_file",
    "load_pem",
    "load_pkcs12",
    "new_development_key",
    "profile_for",
    "sign",
    "sign_text",
    "verify",
    "verify_own",
    "verify_text",
]
