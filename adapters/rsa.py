"""Keys between us and a partner, held in memory: sign, verify and seal with RSA.

For partners that sign with SHA256withRSA in both directions. Other holders (tokens, services)
implement :class:`adapters.base.PartnerKeys` as well.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self, assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from adapters.base import KeyUnusable, SignatureRefused

_LEAST_BITS = 2048


class Sealing(StrEnum):
    """How a personal value is encrypted; the partner's documents name one of the two."""

    OAEP_SHA1 = "oaep-sha1"
    PKCS1_V15 = "pkcs1-v1.5"


class RSAKeys:
    """Our private key and the partner's public keys by serial number.

    The partner's first key seals. Loading is slow, so it is done once and kept.
    """

    def __init__(
        self,
        serial: str,
        private: rsa.RSAPrivateKey,
        partner: Mapping[str, rsa.RSAPublicKey],
        sealing: Sealing = Sealing.OAEP_SHA1,
    ) -> None:
        if not partner:
            raise KeyUnusable("at least one public key of the partner is needed")
        if min(private.key_size, *(key.key_size for key in partner.values())) < _LEAST_BITS:
            raise KeyUnusable(f"an RSA key needs at least {_LEAST_BITS} bits")
        self._serial = serial
        self._private = private
        self._partner = dict(partner)
        self._sealing = sealing

    @classmethod
    def load(
        cls,
        serial: str,
        private_pem: bytes,
        partner_pems: Mapping[str, bytes],
        *,
        passphrase: bytes | None = None,
        sealing: Sealing = Sealing.OAEP_SHA1,
    ) -> Self:
        """Load PEM texts: our private key, the partner's public keys or certificates.

        Raises :class:`KeyUnusable` without any part of a key in its text.
        """
        try:
            private = load_pem_private_key(private_pem, passphrase)
            partner = {name: _public(pem) for name, pem in partner_pems.items()}
        except (ValueError, TypeError) as error:
            raise KeyUnusable("a key is not a readable PEM text, or its passphrase") from error
        if not isinstance(private, rsa.RSAPrivateKey):
            raise KeyUnusable("our key is not an RSA key")
        return cls(serial, private, partner, sealing)

    @property
    def serial(self) -> str:
        """The serial number of our own certificate, as the partner knows it."""
        return self._serial

    def sign(self, data: bytes) -> bytes:
        """Our signature: RSASSA-PKCS1-v1_5 over SHA-256."""
        return self._private.sign(data, padding.PKCS1v15(), SHA256())

    def verify(self, serial: str, data: bytes, signature: bytes) -> None:
        """Raise :class:`SignatureRefused` unless the partner's key ``serial`` made this."""
        key = self._partner.get(serial)
        if key is None:
            raise SignatureRefused("the answer names a key that is not known here")
        try:
            key.verify(signature, data, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            raise SignatureRefused("the signature of the answer does not hold") from None

    def seal(self, text: str) -> tuple[str, bytes]:
        """A personal value that only the partner can read: their key's serial, ciphertext."""
        serial, key = next(iter(self._partner.items()))
        try:
            return serial, key.encrypt(text.encode(), self._padding())
        except ValueError:
            raise KeyUnusable("a value is too long to be sealed") from None

    def _padding(self) -> padding.AsymmetricPadding:
        match self._sealing:
            case Sealing.OAEP_SHA1:
                # The partner's choice of hash; OAEP's security does not rest on its collisions.
                return padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)  # noqa: S303
            case Sealing.PKCS1_V15:
                return padding.PKCS1v15()
            case _:
                assert_never(self._sealing)


def _public(pem: bytes) -> rsa.RSAPublicKey:
    is_certificate = b"BEGIN CERTIFICATE" in pem
    key = (
        load_pem_x509_certificate(pem).public_key() if is_certificate else load_pem_public_key(pem)
    )
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyUnusable("the partner's key is not an RSA key")
    return key
