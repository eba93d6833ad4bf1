"""Make a development key: RSA with a self-signed certificate that nobody outside trusts."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from signing.certificate import Certificate
from signing.errors import KeyUnsupported


@dataclass(frozen=True, slots=True, eq=False)
class NewKey:
    """A key that was just made and is written nowhere yet."""

    certificate: Certificate
    _private: rsa.RSAPrivateKey = field(repr=False)

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """Return key and certificate as one PEM text, encrypted by the passphrase if any."""
        private = self._private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase)
        )
        return private + self.certificate.parsed.public_bytes(Encoding.PEM)

    def certificate_pem(self) -> bytes:
        """Return the certificate alone as PEM."""
        return self.certificate.parsed.public_bytes(Encoding.PEM)

    def pkcs12(self, passphrase: bytes | None = None) -> bytes:
        """Return key and certificate as PKCS#12."""
        return pkcs12.serialize_key_and_certificates(
            self.certificate.serial.encode(),
            self._private,
            self.certificate.parsed,
            None,
            _encryption(passphrase),
        )


def new_development_key(
    *,
    subject: str,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    bits: int = 2048,
) -> NewKey:
    """Make an RSA key and a certificate signed by itself.

    `subject` becomes the common name, `serial` (up to 63 bits) the KeyName. The validity is
    given by the caller in time-zone-aware moments. Raises `KeyUnsupported` for a size other than
    1024 or 2048 bits, `ValueError` for a naive time or a serial out of range.
    """
    if bits not in (1024, 2048):
        raise KeyUnsupported(f"{bits} bits")
    if not_before.tzinfo is None or not_after.tzinfo is None:
        raise ValueError("validity must be time-zone aware")
    if not 0 < serial < 1 << 63:
        raise ValueError("serial must be positive and below 2**63")
    # 1024 bits only as a stand-in for an old UKey, of which customs still accepts signatures.
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(private, SHA256())
    )
    return NewKey(Certificate.of(certificate), private)


def _encryption(passphrase: bytes | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
