"""Signing profiles: which algorithms a document is signed with, under which names.

A profile is a value. The one of a signature follows from the key of the certificate, never from
configuration alone (announcement 2018-113 package, spec chapter 6; edition 202205 crypto guide).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from signing.errors import KeyUnsupported, ProfileMismatch, ProviderMissing

if TYPE_CHECKING:
    from signing.certificate import Certificate

CEB_NAMESPACE: Final = "http://www.chinaport.gov.cn/ceb"
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
    """A digest by its name in `hashlib`."""

    SHA1 = "sha1"


class SignatureEncoding(StrEnum):
    """How a signature's bytes are made and written."""

    RSA_PKCS1_V15 = "rsa-pkcs1-v1.5"


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


def profile_for(certificate: "Certificate") -> Profile:
    """Return the CEB profile that the certificate's key signs with.

    Raises `ProviderMissing` for an SM2 key, `KeyUnsupported` for a kind or size no profile names.
    """
    match certificate.key_kind:
        case KeyKind.RSA:
            profile = CEB_RSA_SHA1
        case KeyKind.SM2:
            raise ProviderMissing
        case KeyKind.OTHER:
            raise KeyUnsupported("neither RSA nor SM2")
        case _:
            assert_never(certificate.key_kind)
    if certificate.key_bits not in profile.key_bits:
        raise KeyUnsupported(f"{certificate.key_kind} with {certificate.key_bits} bits")
    return profile


def require_fit(profile: Profile, certificate: "Certificate") -> None:
    """Raise `ProfileMismatch` unless the certificate's key can sign under the profile."""
    fits = certificate.key_kind is profile.key_kind and certificate.key_bits in profile.key_bits
    if not fits:
        raise ProfileMismatch(f"{certificate.key_kind}, {profile.name}")
