"""Make a development key, RSA or SM2, with a self-signed certificate nobody outside trusts."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

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
from signing.libcrypto import SM2PrivateKey
from signing.profiles import KeyKind
from signing.sm2_certificate import CertificateRequest, issue


@dataclass(frozen=True, slots=True, eq=False)
class NewKey:
    """A key that was just made and is written nowhere yet."""

    certificate: Certificate
    _private: rsa.RSAPrivateKey | SM2PrivateKey = field(repr=False)

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """Return key and certificate as one PEM text, encrypted by the passphrase if any."""
        if isinstance(self._private, SM2PrivateKey):
            private = self._private.pem(passphrase)
        else:
            private = self._private.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase)
            )
        return private + self.certificate.parsed.public_bytes(Encoding.PEM)

    def certificate_pem(self) -> bytes:
        """Return the certificate alone as PEM."""
        return self.certificate.parsed.public_bytes(Encoding.PEM)

    def pkcs12(self, passphrase: bytes | None = None) -> bytes:
        """Return key and certificate as PKCS#12."""
        name = self.certificate.serial
        if isinstance(self._private, SM2PrivateKey):
            return self._private.pkcs12(self.certificate.der, name, passphrase or b"")
        return pkcs12.serialize_key_and_certificates(
            name.encode(),
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
    kind: KeyKind = KeyKind.RSA,
) -> NewKey:
    """Make a key and a certificate signed by itself; `bits` is the size of an RSA key.

    `subject` becomes the common name, `serial` (up to 63 bits) the KeyName. The validity is
    given by the caller in time-zone-aware moments. Raises `KeyUnsupported` for a size other than
    1024 or 2048 bits, `ProviderMissing` for SM2 without OpenSSL 3, `ValueError` for a naive time
    or a serial out of range.
    """
    if kind is KeyKind.OTHER or bits not in (1024, 2048):
        raise KeyUnsupported(f"{kind} with {bits} bits")
    if not_before.tzinfo is None or not_after.tzinfo is None:
        raise ValueError("validity must be time-zone aware")
    if not 0 < serial < 1 << 63:
        raise ValueError("serial must be positive and below 2**63")
    if kind is KeyKind.SM2:
        return _new_sm2(subject, serial, not_before, not_after)
    # 1024 bits only as a stand-in for an old UKey, of which customs still accepts signatures.
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .sign(private, SHA256())
    )
    return NewKey(Certificate.of(certificate), private)


def _new_sm2(subject: str, serial: int, not_before: datetime, not_after: datetime) -> NewKey:
    private = SM2PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    request = CertificateRequest(
        subject=name,
        issuer=name,
        serial=serial,
        not_before=not_before.astimezone(UTC),
        not_after=not_after.astimezone(UTC),
        spki=private.public.spki,
        extensions=((x509.BasicConstraints(ca=False, path_length=None), True), (_usage(), True)),
    )
    return NewKey(issue(request, private), private)


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
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


def _encryption(passphrase: bytes | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
