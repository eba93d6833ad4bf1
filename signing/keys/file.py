"""Keys in files: PEM (key and certificate in one text) and PKCS#12, loaded once.

Loading costs as much as some sixty signatures, so a `FileKey` is made once and kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)

from signing.certificate import SM2_CURVE, Certificate
from signing.errors import (
    CertificateMismatch,
    CertificateMissing,
    KeyFailed,
    KeyFileUnreadable,
    KeyUnsupported,
    PassphraseWrong,
    PrivateKeyMissing,
    ProviderMissing,
)
from signing.profiles import KeyKind, profile_for


@dataclass(frozen=True, slots=True, eq=False)
class FileKey:
    """An RSA key held in this process's memory. For development and for hosts without a device."""

    name: str
    certificate: Certificate
    _private: rsa.RSAPrivateKey = field(repr=False)
    _padding: padding.PKCS1v15 = field(default_factory=padding.PKCS1v15, repr=False)
    # The one algorithm customs accepts from RSA keys; verifiers bound it in time by their policy.
    _hash: SHA1 = field(default_factory=SHA1, repr=False)

    @property
    def key_name(self) -> str:
        """Serial number of the certificate."""
        return self.certificate.serial

    def sign(self, data: bytes) -> bytes:
        """Return the RSA PKCS#1 v1.5 signature over SHA-1 of the data. Raises `KeyFailed`."""
        try:
            return self._private.sign(data, self._padding, self._hash)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyFailed from error


def load_file(path: Path, *, name: str, passphrase: bytes | None = None) -> FileKey:
    """Load a key from a PEM or PKCS#12 file, told apart by content.

    Raises `KeyFileUnreadable` when the file cannot be read, else as `load_pem` and `load_pkcs12`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KeyFileUnreadable(type(error).__name__) from error
    load = load_pem if b"-----BEGIN " in data else load_pkcs12
    return load(data, name=name, passphrase=passphrase)


def load_pem(data: bytes, *, name: str, passphrase: bytes | None = None) -> FileKey:
    """Load a key from a PEM text holding the private key and, in any order, its certificate.

    Further certificates are passed over. Raises `PassphraseWrong`, `PrivateKeyMissing`,
    `CertificateMissing`, `CertificateMismatch`, `KeyUnsupported`, `ProviderMissing` (SM2) or
    `KeyFileUnreadable`. An expired certificate is loaded; the caller decides what it is good for.
    """
    if b"-----BEGIN " not in data:
        raise KeyFileUnreadable
    if b"PRIVATE KEY-----" not in data:
        raise PrivateKeyMissing
    certificates = _pem_certificates(data)
    _refuse_sm2(certificates)
    is_encrypted = b"ENCRYPTED" in data
    if is_encrypted and not passphrase:
        raise PassphraseWrong
    try:
        private = load_pem_private_key(data, passphrase if is_encrypted else None)
    except UnsupportedAlgorithm as error:
        raise KeyUnsupported from error
    except (ValueError, TypeError) as error:
        raise (PassphraseWrong if is_encrypted else KeyFileUnreadable) from error
    return _file_key(name, private, certificates)


def load_pkcs12(data: bytes, *, name: str, passphrase: bytes | None = None) -> FileKey:
    """Load a key and its certificate from PKCS#12. Raises as `load_pem`."""
    if not data.startswith(b"\x30"):
        raise KeyFileUnreadable
    try:
        private, certificate, others = pkcs12.load_key_and_certificates(data, passphrase or None)
    except UnsupportedAlgorithm as error:
        raise (ProviderMissing if SM2_CURVE in str(error) else KeyUnsupported) from error
    except (ValueError, TypeError) as error:
        is_passphrase = "assword" in str(error)
        raise (PassphraseWrong if is_passphrase else KeyFileUnreadable) from error
    if private is None:
        raise PrivateKeyMissing
    found = [Certificate.of(each) for each in (certificate, *others) if each is not None]
    _refuse_sm2(found)
    return _file_key(name, private, found)


def _pem_certificates(data: bytes) -> list[Certificate]:
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise CertificateMissing
    try:
        return [Certificate.of(each) for each in x509.load_pem_x509_certificates(data)]
    except ValueError as error:
        raise KeyFileUnreadable("certificate") from error


def _refuse_sm2(certificates: Iterable[Certificate]) -> None:
    for certificate in certificates:
        if certificate.key_kind is KeyKind.SM2:
            raise ProviderMissing


def _file_key(name: str, private: object, certificates: list[Certificate]) -> FileKey:
    """Pair the private key with the certificate of its public half."""
    if not isinstance(private, rsa.RSAPrivateKey):
        raise KeyUnsupported("not an RSA key")
    if not certificates:
        raise CertificateMissing
    own = _spki(private.public_key())
    for certificate in certificates:
        public = certificate.rsa_key
        if public is not None and _spki(public) == own:
            profile_for(certificate)
            return FileKey(name, certificate, private)
    raise CertificateMismatch


def _spki(public: rsa.RSAPublicKey) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
