"""Secrets at rest: sealed blobs, wrapped data keys, keyed look-ups, signed checkpoints, evidence.

One master key (32 bytes, given by the caller) gives every other key by HKDF-SHA256, each under its
own label. A case, a message and a receipt file each have a data key of their own, kept beside them
*wrapped*; forgetting the wrapped key shreds what it sealed.

A sealed blob is ``version | nonce (12) | AES-256-GCM ciphertext and tag``. Version 1 is the plain
text, 2 its raw DEFLATE form, whichever is shorter. The version, the table and the row's id are
authenticated with it, so a blob cannot be moved to another row. A wrapped key is sealed under a key
derived for its row alone: no two rows share a wrapping key, so random nonces never run out.
"""

import hmac
import zlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.ports import Lookup, Rng
from store.errors import DamagedBlob, WrongMasterKey

KEY_BYTES: Final = 32
LOOKUP_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_PLAIN: Final = b"\x01"
_DEFLATED: Final = b"\x02"
_WRAPPED: Final = b"\x03"
# Below this a blob saves fewer bytes than its time is worth; above the second a bigger window pays.
_COMPRESS_FROM: Final = 512
_SMALL: Final = 8 * 1024


def _compressed(plaintext: bytes) -> bytes:
    """Raw DEFLATE, level 1: a small window costs a tenth of the set-up of the default one."""
    small = len(plaintext) < _SMALL
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -12 if small else -15, 5 if small else 8)
    return squeeze.compress(plaintext) + squeeze.flush()


def _place(version: bytes, table: str, row_id: str) -> bytes:
    return b"%b%b\x00%b" % (version, table.encode(), row_id.encode())


class DataKey:
    """The key of one case, message or receipt file: seals and opens the blobs that belong to it."""

    __slots__ = ("_cipher",)

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)

    def seal(self, table: str, row_id: str, plaintext: bytes, rng: Rng) -> bytes:
        """The blob of a plain text for one row of one table."""
        version, content = _PLAIN, plaintext
        if len(plaintext) >= _COMPRESS_FROM:
            squeezed = _compressed(plaintext)
            if len(squeezed) < len(plaintext):
                version, content = _DEFLATED, squeezed
        nonce = rng.bytes(_NONCE_BYTES)
        return (
            version + nonce + self._cipher.encrypt(nonce, content, _place(version, table, row_id))
        )

    def open(self, table: str, row_id: str, blob: bytes) -> bytes:
        """The plain text of a blob; raises :class:`DamagedBlob` unless it was sealed right here."""
        version, nonce, content = blob[:1], blob[1:13], blob[13:]
        if version not in (_PLAIN, _DEFLATED):
            raise DamagedBlob(f"a blob of {table} has an unknown version")
        try:
            plaintext = self._cipher.decrypt(nonce, content, _place(version, table, row_id))
        except (InvalidTag, ValueError) as fault:
            raise DamagedBlob(f"a blob of {table} does not open") from fault
        return plaintext if version == _PLAIN else zlib.decompress(plaintext, -15)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A new data key: the key to seal with, and what is stored beside the row."""

    key: DataKey
    wrapped: bytes


class StoreKeys:
    """Every key of one database, derived from its master key."""

    __slots__ = ("_checkpoint", "_evidence", "_lookup", "_vault", "_wrap", "check_value")

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise WrongMasterKey(f"a master key has {KEY_BYTES} bytes")
        self._wrap = _derived(master_key, b"clearance/wrap/1")
        self._lookup = _derived(master_key, b"clearance/lookup/1")
        self._checkpoint = _derived(master_key, b"clearance/checkpoint/1")
        self._evidence = Ed25519PrivateKey.from_private_bytes(
            _derived(master_key, b"clearance/evidence/1")
        )
        self._vault = DataKey(_derived(master_key, b"clearance/vault/1"))
        self.check_value = _derived(master_key, b"clearance/check/1")[:16].hex()

    def new_key(self, table: str, row_id: str, rng: Rng) -> WrappedKey:
        """A fresh data key for one row."""
        secret = rng.bytes(KEY_BYTES)
        nonce = rng.bytes(_NONCE_BYTES)
        sealed = self._row_cipher(table, row_id).encrypt(nonce, secret, _WRAPPED)
        return WrappedKey(DataKey(secret), _WRAPPED + nonce + sealed)

    def unwrap(self, table: str, row_id: str, wrapped: bytes | None) -> DataKey:
        """The data key of a row; raises :class:`DamagedBlob` when it is shredded or not its own."""
        if wrapped is None:
            raise DamagedBlob(f"the data key of a row of {table} was shredded")
        if wrapped[:1] != _WRAPPED:
            raise DamagedBlob(f"a wrapped key of {table} has an unknown version")
        cipher = self._row_cipher(table, row_id)
        try:
            return DataKey(cipher.decrypt(wrapped[1:13], wrapped[13:], _WRAPPED))
        except (InvalidTag, ValueError) as fault:
            raise DamagedBlob(f"a wrapped key of {table} does not open") from fault

    def _row_cipher(self, table: str, row_id: str) -> AESGCM:
        return AESGCM(hmac.digest(self._wrap, _place(_WRAPPED, table, row_id), "sha256"))

    def lookup_hash(self, lookup: Lookup) -> bytes:
        """The keyed hash under which a reference is stored: without the key it tells nothing."""
        text = f"{lookup.kind}\x1f{lookup.value}".encode()
        return hmac.digest(self._lookup, text, "sha256")[:LOOKUP_BYTES]

    def seal_secret(self, table: str, row_id: str, plaintext: bytes, rng: Rng) -> bytes:
        """Seal a secret of the deployment itself (an endpoint's), under the vault key."""
        return self._vault.seal(table, row_id, plaintext, rng)

    def open_secret(self, table: str, row_id: str, blob: bytes) -> bytes:
        """Open a secret of the deployment; raises :class:`DamagedBlob`."""
        return self._vault.open(table, row_id, blob)

    def sign_evidence(self, content: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) of a manifest; who has the public key can verify it."""
        return self._evidence.sign(content)

    @property
    def evidence_public_key(self) -> bytes:
        """The public key of ``sign_evidence`` as PEM; the same for the life of a master key."""
        return self._evidence.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def sign_checkpoint(self, content: bytes) -> bytes:
        """HMAC-SHA256 over a checkpoint of the event chain heads."""
        return hmac.digest(self._checkpoint, content, "sha256")

    def verify_checkpoint(self, content: bytes, signature: bytes) -> None:
        """Raise :class:`DamagedBlob` unless the signature is ours over exactly this content."""
        if not hmac.compare_digest(self.sign_checkpoint(content), signature):
            raise DamagedBlob("the signature of a checkpoint does not fit")


def _derived(master_key: bytes, label: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=label).derive(master_key)
