"""What signing asks of a key, whatever holds it."""

from typing import Protocol

from signing.certificate import Certificate


class Key(Protocol):
    """A private key somebody keeps for us: a file, a token, a device, a service.

    `sign` blocks and is called in a worker thread; a provider with one device makes its callers
    wait for each other. A provider that cannot sign now raises `KeyFailed`.
    """

    @property
    def name(self) -> str:
        """Name of the key for people and logs, such as its slot in the key ring."""

    @property
    def certificate(self) -> Certificate:
        """The certificate whose public key verifies what `sign` makes."""

    @property
    def key_name(self) -> str:
        """Text of ds:KeyName: the device's own string where it has one, else the serial."""

    def sign(self, data: bytes) -> bytes:
        """Hash and sign the data by the algorithm that follows from the certificate's key.

        RSA: PKCS#1 v1.5 over SHA-1, as long as the modulus. SM2: raw r and s, 64 bytes.
        """
