"""What may be told of a certificate: everything but its holder's name and identity number.

Operator cards' certificates embed both, in the subject and under the private identifiers
1.3.6.1.4.1.5315.100.5. Facts carry organisations, times, kinds and a fingerprint.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signing.certificate import Certificate, serial_text
from signing.profiles import KeyKind

# They name a place or an organisation. Everything else of a subject may be a person.
_TELLABLE: Final = frozenset({"C", "ST", "L", "O", "OU", "organizationIdentifier"})
# A telephone, an identity number of the old kind. An 18-digit credit code is an enterprise's.
_NUMBER: Final = re.compile(r"(?<!\d)\d{11,17}[Xx]?(?![0-9A-Za-z])")
_IDENTITY: Final = re.compile(r"(?<!\d)\d{6}(?:19|20)\d{2}[01]\d[0-3]\d\d{3}[\dXx](?![0-9A-Za-z])")
_ELEMENT: Final = re.compile(rb"(<(?:[^\s<>/:]+:)?X509Certificate[^<>]*>)([^<]*)(</)")
_PRIVATE: Final = "1.3.6.1.4.1.5315.100.5"
_OLD_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Facts for screens, reports and exports."""

    serial: str
    fingerprint: str
    key_kind: KeyKind
    key_bits: int
    not_before: datetime
    not_after: datetime
    holder: str
    """Organisation attributes of the subject; a person's are replaced by `***`."""
    issuer: str
    enterprise_codes: tuple[str, ...]
    is_operator_card: bool
    """Whether it carries the private identifiers of an operator's card."""
    warnings: tuple[str, ...]


def facts_of(certificate: Certificate) -> CertificateFacts:
    """Return what may be told of a certificate."""
    parsed = certificate.parsed
    warnings = []
    if certificate.key_kind is KeyKind.RSA and certificate.key_bits < _OLD_BITS:
        warnings.append("key-1024-bit")
    if not certificate.may_sign():
        warnings.append("key-usage")
    return CertificateFacts(
        serial=serial_text(parsed.serial_number),
        fingerprint=certificate.fingerprint,
        key_kind=certificate.key_kind,
        key_bits=certificate.key_bits,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        holder=", ".join(
            f"{one.label}={_told(one.text) if one.label in _TELLABLE else '***'}"
            for one in certificate.holder
        ),
        issuer=", ".join(
            _told(one.text) for one in certificate.authority if one.label in _TELLABLE
        ),
        enterprise_codes=tuple(sorted(certificate.enterprise_codes())),
        is_operator_card=_has_private(certificate),
        warnings=tuple(warnings),
    )


def without_certificates(document: bytes) -> bytes:
    """Return the document for an export: each X509Certificate replaced by its fingerprint.

    The signature of such a copy cannot be verified; the original stays where it is.
    """

    def fingerprint(hit: re.Match[bytes]) -> bytes:
        digest = hashlib.sha256(b"".join(hit[2].split())).hexdigest()[:16]
        return hit[1] + b"redacted " + digest.encode() + hit[3]

    return _ELEMENT.sub(fingerprint, document)


def _told(text: str) -> str:
    """The text without numbers that may be a person's, wherever they stand."""
    return _NUMBER.sub("***", _IDENTITY.sub("***", text))


def _has_private(certificate: Certificate) -> bool:
    try:
        return any(
            one.oid.dotted_string.startswith(_PRIVATE) for one in certificate.parsed.extensions
        )
    except ValueError:
        return False
