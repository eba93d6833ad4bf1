"""The key ring of file keys: signs on the thread pool and checks what it made."""

from collections.abc import Mapping

from gateway.domain.errors import RingUnknown
from gateway.ports import Executor, SignedMessage
from signing import FileKey, sign, verify_own


class FileKeyRing:
    """One file key for each ring, loaded once."""

    def __init__(self, keys: Mapping[str, FileKey], executor: Executor) -> None:
        self._keys = dict(keys)
        self._executor = executor

    @property
    def keys(self) -> Mapping[str, FileKey]:
        """The keys by ring name."""
        return self._keys

    async def sign(self, ring: str, body: bytes) -> SignedMessage:
        """Sign canonical bytes, verify the result. Raises ``RingUnknown`` or ``SigningError``."""
        key = self._keys.get(ring)
        if key is None:
            raise RingUnknown(f"no key is configured for the key ring {ring!r}")
        return await self._executor.run(sign_and_check, key, body)


def sign_and_check(key: FileKey, body: bytes) -> SignedMessage:
    """Sign and verify with independent code before anyone stores the bytes."""
    signed = sign(body, key, canonical=True)
    verify_own(signed, key)
    return SignedMessage(signed.content, signed.certificate_serial, signed.profile.name)
