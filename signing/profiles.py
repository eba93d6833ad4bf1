"""Signing profiles: which algorithms a document is signed with, under which names.

A profile is a value. The one of a signature follows from the key of the certificate, never from
configuration alone (announcement 2018-113 package, spec chapter 6; edition 202205 crypto guide).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from signing.errors import KeyUnsupported, ProfileMismatch

if TYPE_CHECKING:
    from signing.certificate import Certificate

CEB_NAMESPACE: Final = "http://www.chinaport.gov.cn/ceb"
DXP_NAMESPACE: Final = "http://www.chinaport.gov.cn/dxp"
XSI_NAMESPACE: Final = "http://www.w3.org/2001/XMLSchema-instance"
DS_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"
C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_WITH_COMMENTS: Final = f"{C14N}#WithComments"


class KeyKind(StrEnum):
    """What a certificate's public key is, as far as customs profiles tell keys apart."""

    RSA = "rsa"
    SM2 = "sm2"
    OTHER = "other"


class DigestKind(StrEnum):
    """A digest customs profiles use."""

    SHA1 = "sha1"
    SM3 = "sm3"


class SignatureEncoding(StrEnum):
    """How a signature's bytes are made and written."""

    RSA_PKCS1_V15 = "rsa-pkcs1-v1.5"
    SM2_RAW = "sm2-raw"


class SM2Names(StrEnum):
    """Which algorithm URIs a signature by an SM2 key carries; a setting of each key.

    `official` is the pair of the 202205 crypto guide. `unofficial` is what one widespread signer
    writes instead (another method URI, with a SHA-1 digest); it is not in the specification.
    """

    OFFICIAL = "official"
    UNOFFICIAL = "unofficial"


@dataclass(frozen=True, slots=True)
class Profile:
    """The fixed algorithms of an enveloped XML signature over a whole document.

    `namespaces` are what the root must declare, no more and no less, for the signed bytes to be
    the form customs' devices sign. `is_weak` marks a digest that a verification policy must
    allow by name and until a date.
    """

    name: str
    key_kind: KeyKind
    key_bits: tuple[int, ...]
    encoding: SignatureEncoding
    digest: DigestKind
    digest_bytes: int
    is_weak: bool
    canonicalization: str
    signature_method: str
    transform: str
    digest_method: str
    namespaces: tuple[tuple[str, str], ...]
    has_certificate: bool = True
    """Whether KeyInfo carries the certificate beside KeyName."""


CEB_RSA_SHA1: Final = Profile(
    name="CEB-RSA-SHA1",
    key_kind=KeyKind.RSA,
    key_bits=(1024, 2048),
    encoding=SignatureEncoding.RSA_PKCS1_V15,
    digest=DigestKind.SHA1,
    digest_bytes=20,
    is_weak=True,
    canonicalization=C14N,
    signature_method=f"{DS_NAMESPACE}rsa-sha1",
    transform=f"{DS_NAMESPACE}enveloped-signature",
    digest_method=f"{DS_NAMESPACE}sha1",
    namespaces=(("ceb", CEB_NAMESPACE), ("xsi", XSI_NAMESPACE)),
)
"""RSA profile ("general") of messages CEB3xx to CEB7xx: 1024-bit UKeys, 2048-bit devices."""


CEB_SM2_SM3: Final = Profile(
    name="CEB-SM2-SM3",
    key_kind=KeyKind.SM2,
    key_bits=(256,),
    encoding=SignatureEncoding.SM2_RAW,
    digest=DigestKind.SM3,
    digest_bytes=32,
    is_weak=False,
    canonicalization=C14N,
    signature_method="http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3",
    transform=f"{DS_NAMESPACE}enveloped-signature",
    digest_method="http://www.chinaport.gov.cn/2022/04/xmldsig#sm3",
    namespaces=(("ceb", CEB_NAMESPACE), ("xsi", XSI_NAMESPACE)),
)
"""SM2 profile ("preferred" since 2022-05): signer id 1234567812345678, raw r||s."""

CEB_SM2_UNOFFICIAL: Final = replace(
    CEB_SM2_SM3,
    name="CEB-SM2-UNOFFICIAL",
    digest=DigestKind.SHA1,
    digest_bytes=20,
    is_weak=True,
    signature_method=f"{DS_NAMESPACE}sm2-sm3",
    digest_method=f"{DS_NAMESPACE}sha1",
)
"""SM2 under the URIs of one widespread signer: accepted on verify, made where a key says so."""

_DXP_NAMESPACES: Final = (("dxp", DXP_NAMESPACE),)
DXP_RSA_SHA1: Final = replace(
    CEB_RSA_SHA1, name="DXP-RSA-SHA1", namespaces=_DXP_NAMESPACES, has_certificate=False
)
"""Enveloped signature over a DxpMsg: KeyInfo is KeyName alone, its certificate is known already."""

DXP_SM2_SM3: Final = replace(
    CEB_SM2_SM3, name="DXP-SM2-SM3", namespaces=_DXP_NAMESPACES, has_certificate=False
)
"""As `DXP_RSA_SHA1`, by an SM2 key."""

CEB_PROFILES: Final = (CEB_RSA_SHA1, CEB_SM2_SM3, CEB_SM2_UNOFFICIAL)
"""Everything a CEB message may be signed with, for a verification policy."""

DXP_PROFILES: Final = (DXP_RSA_SHA1, DXP_SM2_SM3)
"""Everything a DxpMsg may be signed with, for a verification policy."""


def profile_for(certificate: "Certificate", sm2_names: SM2Names = SM2Names.OFFICIAL) -> Profile:
    """Return the CEB profile that the certificate's key signs with.

    The certificate alone decides between RSA and SM2; `sm2_names` only which URIs an SM2 signature
    carries. Raises `KeyUnsupported` for a kind or size no profile names.
    """
    match certificate.key_kind:
        case KeyKind.RSA:
            profile = CEB_RSA_SHA1
        case KeyKind.SM2:
            is_official = sm2_names is SM2Names.OFFICIAL
            profile = CEB_SM2_SM3 if is_official else CEB_SM2_UNOFFICIAL
        case KeyKind.OTHER:
            raise KeyUnsupported("neither RSA nor SM2")
        case _:
            assert_never(certificate.key_kind)
    if certificate.key_bits not in profile.key_bits:
        raise KeyUnsupported(f"{certificate.key_kind} with {certificate.key_bits} bits")
    return profile


def dxp_profile_for(certificate: "Certificate") -> Profile:
    """Return the profile of a DxpMsg's own signature. Raises `KeyUnsupported`."""
    is_sm2 = profile_for(certificate).key_kind is KeyKind.SM2
    return DXP_SM2_SM3 if is_sm2 else DXP_RSA_SHA1


def require_fit(profile: Profile, certificate: "Certificate") -> None:
    """Raise `ProfileMismatch` unless the certificate's key can sign under the profile."""
    fits = certificate.key_kind is profile.key_kind and certificate.key_bits in profile.key_bits
    if not fits:
        raise ProfileMismatch(f"{certificate.key_kind}, {profile.name}")
