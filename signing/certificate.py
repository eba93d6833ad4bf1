"""Facts of a certificate: serial number in customs' writing, validity, kind of key.

An operator card's certificate embeds the holder's name and national id number (private OIDs under
1.3.6.1.4.1.5315.100.5), so neither the subject nor the DER bytes appear in a `repr`.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.der import raw_of_der, read
from signing.errors import CertificateUnreadable, ProfileMismatch, SignatureMismatch
from signing.libcrypto import SM2PublicKey
from signing.names import NamePart, name_of
from signing.profiles import KeyKind

SM2_CURVE: Final = "1.2.156.10197.1.301"
"""Object identifier of the SM2 curve."""

SM2_WITH_SM3: Final = "1.2.156.10197.1.501"
"""Object identifier of SM2 signatures over SM3, in certificates."""

_ORGANISATION: Final = frozenset({"O", "OU", "organizationIdentifier"})
# 18 characters of the social credit alphabet, or 10 of a customs code that begins with its office.
_CODE: Final = re.compile(
    r"(?<![0-9A-Z])(?:[0-9A-HJ-NPQRTUWXY]{18}|[0-9]{4}[0-9A-Z]{6})(?![0-9A-Z])"
)
# An identity number has the length of a social credit code, and a date of birth in it.
_IDENTITY: Final = re.compile(r"\d{6}(?:19|20)\d{2}[01]\d[0-3]\d\d{3}[\dX]")
_SM2_CURVE_DER: Final = bytes.fromhex("06082a811ccf5501822d")


def serial_text(serial: int) -> str:
    """Write a serial number as customs does: lower-case hex, zero padded to 8 or 16 characters.

    Old RSA keys have 8 characters, newer RSA and all SM2 keys 16. A longer serial, which no
    customs certificate has, is written in whole bytes.

    >>> serial_text(0x1A2B3C4)
    '01a2b3c4'
    >>> serial_text(0x300000000012345)
    '0300000000012345'
    """
    digits = f"{serial:x}"
    width = next((width for width in (8, 16) if len(digits) <= width), len(digits) + 1 & ~1)
    return digits.zfill(width)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One X.509 certificate and what signing needs to know of it. Equal when its DER is equal."""

    der: bytes = field(repr=False)
    der_base64: bytes = field(repr=False, compare=False)
    fingerprint: str = field(compare=False)
    """SHA-256 of the DER in hex: a name for logs that tells nothing about the holder."""
    serial: str = field(compare=False)
    subject: str = field(repr=False, compare=False)
    """Attributes in order, `O=…,CN=…`. Personal data: for those who may see it, never for logs."""
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    key_kind: KeyKind = field(compare=False)
    key_bits: int = field(compare=False)
    parsed: x509.Certificate = field(repr=False, compare=False)
    rsa_key: rsa.RSAPublicKey | None = field(repr=False, compare=False)
    spki: bytes = field(repr=False, compare=False)
    """SubjectPublicKeyInfo of the key."""
    holder: tuple[NamePart, ...] = field(repr=False, compare=False)
    """The subject's attributes. Personal data as `subject` is."""
    authority: tuple[NamePart, ...] = field(repr=False, compare=False)
    """The issuer's attributes."""

    @classmethod
    def from_der(cls, der: bytes) -> "Certificate":
        """Read one DER certificate. Raises `CertificateUnreadable`."""
        try:
            parsed = x509.load_der_x509_certificate(der)
            return cls._of(parsed, der)
        except (ValueError, TypeError, x509.InvalidVersion) as error:
            raise CertificateUnreadable from error

    @classmethod
    def from_base64(cls, text: str) -> "Certificate":
        """Read the text of an X509Certificate element. Raises `CertificateUnreadable`."""
        try:
            der = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error) as error:
            raise CertificateUnreadable from error
        return cls.from_der(der)

    @classmethod
    def from_pem(cls, pem: bytes) -> "Certificate":
        """Read the first certificate of a PEM text. Raises `CertificateUnreadable`."""
        try:
            parsed = x509.load_pem_x509_certificate(pem)
        except ValueError as error:
            raise CertificateUnreadable from error
        return cls.of(parsed)

    @classmethod
    def of(cls, parsed: x509.Certificate) -> "Certificate":
        """Take the facts of an already parsed certificate. Raises `CertificateUnreadable`."""
        return cls.from_der(parsed.public_bytes(Encoding.DER))

    @classmethod
    def _of(cls, parsed: x509.Certificate, der: bytes) -> "Certificate":
        kind, rsa_key, spki = _key_of(parsed)
        named = name_of(parsed.tbs_certificate_bytes, "subject")
        return cls(
            der=der,
            der_base64=base64.b64encode(der),
            fingerprint=hashlib.sha256(der).hexdigest(),
            serial=serial_text(parsed.serial_number),
            subject=",".join(f"{part.label}={part.text}" for part in named),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            key_kind=kind,
            key_bits=rsa_key.key_size if rsa_key else 256 if kind is KeyKind.SM2 else 0,
            parsed=parsed,
            rsa_key=rsa_key,
            spki=spki,
            holder=named,
            authority=name_of(parsed.tbs_certificate_bytes, "issuer"),
        )

    def public_rsa_key(self) -> rsa.RSAPublicKey:
        """Return the RSA key, or raise `ProfileMismatch` for a key of another kind."""
        if self.rsa_key is None:
            raise ProfileMismatch(self.key_kind.value)
        return self.rsa_key

    def public_sm2_key(self) -> SM2PublicKey:
        """Return the SM2 key, or raise `ProfileMismatch` for a key of another kind.

        Raises `ProviderMissing` where the system has no libcrypto that knows SM2.
        """
        if self.key_kind is not KeyKind.SM2:
            raise ProfileMismatch(self.key_kind.value)
        return _sm2_key(self.spki)

    def enterprise_codes(self) -> frozenset[str]:
        """Return the customs and social credit codes that the subject names as an organisation.

        Only from organisation attributes: an operator's common name may hold an identity number of
        the same length.
        """
        found = set()
        for part in self.holder:
            if part.label in _ORGANISATION:
                found.update(_CODE.findall(part.text))
        return frozenset(code for code in found if not _IDENTITY.fullmatch(code))

    def may_sign(self) -> bool:
        """Tell whether the key usage, where the certificate names one, includes signing."""
        return _may_sign(self)

    def may_issue(self) -> bool:
        """Tell whether this is a certificate authority's that may sign certificates."""
        try:
            constraints = self.parsed.extensions.get_extension_for_class(x509.BasicConstraints)
            usage = _key_usage(self.parsed)
        except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
            return False
        return constraints.value.ca and (usage is None or usage.key_cert_sign)

    def is_issued_by(self, issuer: "Certificate") -> bool:
        """Tell whether the issuer's key signed this certificate under the issuer's name."""
        if issuer.key_kind is KeyKind.SM2:
            return self._is_issued_by_sm2(issuer)
        try:
            self.parsed.verify_directly_issued_by(issuer.parsed)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def _is_issued_by_sm2(self, issuer: "Certificate") -> bool:
        """As `is_issued_by`, for what `cryptography` cannot check."""
        if self.parsed.signature_algorithm_oid.dotted_string != SM2_WITH_SM3:
            return False
        if self.authority != issuer.holder:
            return False
        try:
            raw = raw_of_der(self.parsed.signature)
            issuer.public_sm2_key().verify(raw, self.parsed.tbs_certificate_bytes)
        except (ValueError, SignatureMismatch):
            return False
        return True

    def is_valid_at(self, moment: datetime) -> bool:
        """Tell whether the time-zone-aware moment lies inside the validity, ends included."""
        return self.not_before <= moment <= self.not_after


@lru_cache(maxsize=256)
def _may_sign(certificate: Certificate) -> bool:
    """Looking for an extension costs as much as an RSA verification."""
    try:
        usage = _key_usage(certificate.parsed)
    except (x509.DuplicateExtension, ValueError):
        return False
    return usage is None or usage.digital_signature or usage.content_commitment


@lru_cache(maxsize=256)
def _sm2_key(spki: bytes) -> SM2PublicKey:
    """Reading a key costs as much as a tenth of a verification: a few are kept."""
    try:
        return SM2PublicKey.from_spki(spki)
    except ValueError as error:
        raise CertificateUnreadable("SM2 key") from error


def _key_of(parsed: x509.Certificate) -> tuple[KeyKind, rsa.RSAPublicKey | None, bytes]:
    """Tell the kind of the public key; `cryptography` itself does not know the SM2 curve."""
    spki = _spki_of(parsed.tbs_certificate_bytes)
    if _has_sm2_curve(spki):
        return KeyKind.SM2, None, spki
    try:
        public = parsed.public_key()
    except UnsupportedAlgorithm:
        return KeyKind.OTHER, None, spki
    if isinstance(public, rsa.RSAPublicKey):
        return KeyKind.RSA, public, spki
    return KeyKind.OTHER, None, spki


def _spki_of(tbs: bytes) -> bytes:
    """Cut SubjectPublicKeyInfo out of a TBSCertificate. Raises `ValueError`."""
    _, content, _ = read(tbs, 0)
    at, skipped = 0, 0
    # Version, where there is one, then serial, algorithm, issuer, validity and subject.
    wanted = 6 if content[:1] == b"\xa0" else 5
    while skipped < wanted:
        _, _, at = read(content, at)
        skipped += 1
    _, _, end = read(content, at)
    return content[at:end]


def _has_sm2_curve(spki: bytes) -> bool:
    """Tell whether the key's own algorithm parameters name the SM2 curve."""
    _, content, _ = read(spki, 0)
    _, algorithm, _ = read(content, 0)
    return algorithm.endswith(_SM2_CURVE_DER)


def _key_usage(parsed: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
