"""Keys in files: PEM (key and certificate in one text) and PKCS#12, loaded once.

Loading costs as much as some sixty signatures, so a `FileKey` is made once and kept.
"""

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
)
from signing.libcrypto import SM2PrivateKey, load_sm2_pkcs12
from signing.profiles import KeyKind, profile_for


@dataclass(frozen=True, slots=True, eq=False)
class FileKey:
    """A key held in this process's memory. For development and for hosts without a device."""

    name: str
    certificate: Certificate
    _private: rsa.RSAPrivateKey | SM2PrivateKey = field(repr=False)
    _padding: padding.PKCS1v15 = field(default_factory=padding.PKCS1v15, repr=False)
    # The one algorithm customs accepts from RSA keys; verifiers bound it in time by their policy.
    _hash: SHA1 = field(default_factory=SHA1, repr=False)

    @property
    def key_name(self) -> str:
        """Serial number of the certificate."""
        return self.certificate.serial

    def sign(self, data: bytes) -> bytes:
        """Sign as `Key.sign` says. Raises `KeyFailed`."""
        if isinstance(self._private, SM2PrivateKey):
            return self._private.sign(data)
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
    `CertificateMissing`, `CertificateMismatch`, `KeyUnsupported`, `ProviderMissing` (SM2 without
    OpenSSL 3) or `KeyFileUnreadable`. An expired certificate is loaded: the caller decides.
    """
    if b"-----BEGIN " not in data:
        raise KeyFileUnreadable
    if b"PRIVATE KEY-----" not in data:
        raise PrivateKeyMissing
    certificates = _pem_certificates(data)
    is_encrypted = b"ENCRYPTED" in data
    if is_encrypted and not passphrase:
        raise PassphraseWrong
    if any(each.key_kind is KeyKind.SM2 for each in certificates):
        return _sm2_key(name, SM2PrivateKey.from_pem(data, passphrase), certificates)
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
        if SM2_CURVE not in str(error):
            raise KeyUnsupported from error
        sm2, der = load_sm2_pkcs12(data, passphrase)
        return _sm2_key(name, sm2, [Certificate.from_der(der)])
    except (ValueError, TypeError) as error:
        is_passphrase = "assword" in str(error)
        raise (PassphraseWrong if is_passphrase else KeyFileUnreadable) from error
    if private is None:
        raise PrivateKeyMissing
    found = [Certificate.of(each) for each in (certificate, *others) if each is not None]
    return _file_key(name, private, found)


def _pem_certificates(data: bytes) -> list[Certificate]:
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise CertificateMissing
    try:
        return [Certificate.of(each) for each in x509.load_pem_x509_certificates(data)]
    except ValueError as error:
        raise KeyFileUnreadable("certificate") from error


def _sm2_key(name: str, private: SM2PrivateKey, certificates: list[Certificate]) -> FileKey:
    for certificate in certificates:
        if certificate.spki == private.public.spki:
            return FileKey(name, certificate, private)
    raise CertificateMismatch


def _file_key(name: str, private: object, certificates: list[Certificate]) -> FileKey:
    """Pair the private key with the certificate of its public half."""
    if not isinstance(private, rsa.RSAPrivateKey):
        raise KeyUnsupported("neither RSA nor SM2")
    if not certificates:
        raise CertificateMissing
    own = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for certificate in certificates:
        if certificate.spki == own:
            profile_for(certificate)
            return FileKey(name, certificate, private)
    raise CertificateMismatch
