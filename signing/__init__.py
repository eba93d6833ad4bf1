"""XML signatures of customs messages: sign, check one's own output, verify what others signed."""

from signing.cause_texts import CAUSE_TEXTS
from signing.certificate import Certificate
from signing.certificate_facts import CertificateFacts, facts_of, without_certificates
from signing.error_texts import ERROR_TEXTS_ZH
from signing.errors import Reaction, Retry, SigningError, VerificationError
from signing.examine import Examination, Finding, examine
from signing.keys import (
    FileKey,
    Key,
    LateKey,
    NewKey,
    Pin,
    PKCS11Key,
    PKCS11Settings,
    RemoteKey,
    RemoteSettings,
    UKey,
    UKeyAgent,
    UKeySettings,
    load_file,
    load_pem,
    load_pkcs12,
    new_development_key,
    open_pkcs11,
    open_ukey,
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
from signing.ring import Priority, Ring, RingKey, RingWatch, Urgency
from signing.selfcheck import verify_own
from signing.sign import SignedDocument, sign
from signing.spellings import Cause
from signing.text import SignedText, sign_text, verify_text
from signing.verify import VerifiedDocument, VerifyPolicy, verify

__all__ = [
    "CAUSE_TEXTS",
    "CEB_PROFILES",
    "CEB_RSA_SHA1",
    "CEB_SM2_SM3",
    "CEB_SM2_UNOFFICIAL",
    "DXP_PROFILES",
    "DXP_RSA_SHA1",
    "DXP_SM2_SM3",
    "ERROR_TEXTS_ZH",
    "Cause",
    "Certificate",
    "CertificateFacts",
    "Examination",
    "FileKey",
    "Finding",
    "Key",
    "KeyKind",
    "LateKey",
    "NewKey",
    "PKCS11Key",
    "PKCS11Settings",
    "Pin",
    "Priority",
    "Profile",
    "Reaction",
    "RemoteKey",
    "RemoteSettings",
    "Retry",
    "Ring",
    "RingKey",
    "RingWatch",
    "SM2Names",
    "SignedDocument",
    "SignedText",
    "SigningError",
    "UKey",
    "UKeyAgent",
    "UKeySettings",
    "Urgency",
    "VerificationError",
    "VerifiedDocument",
    "VerifyPolicy",
    "dxp_profile_for",
    "examine",
    "facts_of",
    "load_file",
    "load_pem",
    "load_pkcs12",
    "new_development_key",
    "open_pkcs11",
    "open_ukey",
    "profile_for",
    "sign",
    "sign_text",
    "verify",
    "verify_own",
    "verify_text",
    "without_certificates",
]
