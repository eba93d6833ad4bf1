"""SM2 through the system's OpenSSL 3 libcrypto, which `cryptography` does not offer.

Called by ctypes, which lets go of the interpreter lock for the time of a call. What is signed is
SM3(ZA || data); ZA, the hash of signer id, curve and public key (GB/T 32918.2, 5.5), is taken once
for a key. OpenSSL's own default is the empty id, and a signature made under it is refused by
customs. Nothing is loaded before the first use; `probe` says at start what is missing.
"""

import ctypes
import ctypes.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

from signing.der import der_of_raw, raw_of_der, read
from signing.errors import (
    CertificateMissing,
    KeyFailed,
    KeyFileUnreadable,
    PassphraseWrong,
    PrivateKeyMissing,
    ProviderMissing,
    SignatureMismatch,
)

SIGNER_ID: Final = b"1234567812345678"
"""The default signer id of GM/T 0009, which every customs device uses."""

_COORDINATE_BYTES: Final = 32
_P256: Final = 2**256 - 2**224 - 2**96 + 2**64 - 1
# a, b and the base point of the recommended curve (GB/T 32918.5), as ZA takes them in.
_CURVE: Final = bytes.fromhex(
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
_B: Final = int.from_bytes(_CURVE[32:64], "big")
_NAMES: Final = ("libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64.dll")
_OLDEST: Final = 0x30000000
_PKCS8_CIPHER: Final = b"AES-256-CBC"
_SIGNATURE_SPACE: Final = 80
_P = ctypes.c_void_p
_I = ctypes.c_int
_S = ctypes.c_char_p
_N = ctypes.c_size_t
_FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "OpenSSL_version_num": (ctypes.c_ulong, ()),
    "ERR_clear_error": (None, ()),
    "BIO_new": (_P, (_P,)),
    "BIO_s_mem": (_P, ()),
    "BIO_new_mem_buf": (_P, (_S, _I)),
    "BIO_free": (_I, (_P,)),
    "BIO_read": (_I, (_P, _P, _I)),
    "BIO_ctrl_pending": (_N, (_P,)),
    "EVP_MD_fetch": (_P, (_P, _S, _S)),
    "EVP_MD_free": (None, (_P,)),
    "EVP_CIPHER_fetch": (_P, (_P, _S, _S)),
    "EVP_PKEY_CTX_new_from_name": (_P, (_P, _S, _S)),
    "EVP_PKEY_CTX_new": (_P, (_P, _P)),
    "EVP_PKEY_CTX_free": (None, (_P,)),
    "EVP_PKEY_keygen_init": (_I, (_P,)),
    "EVP_PKEY_generate": (_I, (_P, _P)),
    "EVP_PKEY_free": (None, (_P,)),
    "EVP_PKEY_is_a": (_I, (_P, _S)),
    "EVP_PKEY_sign_init": (_I, (_P,)),
    "EVP_PKEY_sign": (_I, (_P, _P, _P, _S, _N)),
    "EVP_PKEY_verify_init": (_I, (_P,)),
    "EVP_PKEY_verify": (_I, (_P, _S, _N, _S, _N)),
    "PEM_read_bio_PrivateKey": (_P, (_P, _P, _P, _S)),
    "PEM_write_bio_PKCS8PrivateKey": (_I, (_P, _P, _P, _S, _I, _P, _P)),
    "d2i_PUBKEY": (_P, (_P, _P, ctypes.c_long)),
    "i2d_PUBKEY": (_I, (_P, _P)),
    "d2i_PKCS12_bio": (_P, (_P, _P)),
    "PKCS12_parse": (_I, (_P, _S, _P, _P, _P)),
    "PKCS12_verify_mac": (_I, (_P, _S, _I)),
    "PKCS12_create": (_P, (_S, _S, _P, _P, _P, _I, _I, _I, _I, _I)),
    "PKCS12_free": (None, (_P,)),
    "i2d_PKCS12_bio": (_I, (_P, _P)),
    "d2i_X509": (_P, (_P, _P, ctypes.c_long)),
    "i2d_X509": (_I, (_P, _P)),
    "X509_free": (None, (_P,)),
}
# The C types above are values of ctypes, whose own classes have no common annotation.


class _Library:
    """libcrypto with the functions used here."""

    def __init__(self, name: str) -> None:
        try:
            loaded = ctypes.CDLL(name)
            for each, (result, arguments) in _FUNCTIONS.items():
                function = getattr(loaded, each)
                function.restype, function.argtypes = result, arguments
                setattr(self, each, function)
        except (OSError, AttributeError) as error:
            raise ProviderMissing("libcrypto of OpenSSL 3 cannot be loaded") from error
        if self.OpenSSL_version_num() < _OLDEST:
            raise ProviderMissing("libcrypto is older than OpenSSL 3")
        sm3 = self.EVP_MD_fetch(None, b"SM3", None)
        context = self.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        self.EVP_PKEY_CTX_free(context)
        self.EVP_MD_free(sm3)
        if not sm3 or not context:
            raise ProviderMissing("this libcrypto was built or configured without SM2 and SM3")

    def __getattr__(self, name: str) -> Any:
        """A function of the table above (Any: ctypes' functions have no types)."""
        raise AttributeError(name)


@cache
def _library() -> _Library:
    """Load libcrypto once, the first time anything of SM2 is wanted."""
    found = ctypes.util.find_library("crypto")
    refusal: ProviderMissing | None = None
    for name in (*_NAMES, *((found,) if found else ())):
        try:
            return _Library(name)
        except ProviderMissing as error:
            # The most telling one: of a library that is there and cannot do it.
            if refusal is None or error.detail != "libcrypto of OpenSSL 3 cannot be loaded":
                refusal = error
    assert refusal is not None
    raise refusal


@dataclass(frozen=True, slots=True, eq=False)
class _Handle:
    """A pointer of libcrypto that is freed with this object."""

    pointer: int
    free: Callable[[int], None]

    def __del__(self) -> None:
        self.free(self.pointer)


@dataclass(frozen=True, slots=True, eq=False)
class SM2PublicKey:
    """A public key that checks SM2-SM3 signatures."""

    spki: bytes = field(repr=False)
    _key: _Handle = field(repr=False)

    @classmethod
    def from_spki(cls, spki: bytes) -> "SM2PublicKey":
        """Read a SubjectPublicKeyInfo. Raises `ProviderMissing`, `ValueError` for another key."""
        library = _library()
        buffer = ctypes.create_string_buffer(spki, len(spki))
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        pointer = library.d2i_PUBKEY(None, ctypes.byref(position), len(spki))
        library.ERR_clear_error()
        if not pointer:
            raise ValueError("not a public key")
        key = _Handle(pointer, library.EVP_PKEY_free)
        if not library.EVP_PKEY_is_a(pointer, b"SM2"):
            raise ValueError("not an SM2 key")
        return cls(spki, key)

    def verify(self, signature: bytes, data: bytes, signer_id: bytes = SIGNER_ID) -> None:
        """Return if the raw signature is of the data, else raise `SignatureMismatch`."""
        try:
            encoded = der_of_raw(signature)
        except ValueError as error:
            raise SignatureMismatch from error
        library, digest = _library(), _digest(self.spki, signer_id, data)
        context = library.EVP_PKEY_CTX_new(self._key.pointer, None)
        try:
            valid = library.EVP_PKEY_verify_init(context) == 1 and (
                library.EVP_PKEY_verify(context, encoded, len(encoded), digest, len(digest)) == 1
            )
        finally:
            library.EVP_PKEY_CTX_free(context)
        if not valid:
            library.ERR_clear_error()
            raise SignatureMismatch


@dataclass(frozen=True, slots=True, eq=False)
class SM2PrivateKey:
    """A private key in this process's memory. Any number of threads may sign with it at once."""

    public: SM2PublicKey
    _key: _Handle = field(repr=False)

    @classmethod
    def generate(cls) -> "SM2PrivateKey":
        """Make a new key. Raises `ProviderMissing`."""
        library = _library()
        context = library.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        pointer = ctypes.c_void_p()
        try:
            done = library.EVP_PKEY_keygen_init(context) == 1
            if not done or library.EVP_PKEY_generate(context, ctypes.byref(pointer)) != 1:
                raise KeyFailed("SM2 key generation")
        finally:
            library.EVP_PKEY_CTX_free(context)
        return cls._of(int(pointer.value or 0))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> "SM2PrivateKey":
        """Read a PEM private key. Raises `PassphraseWrong` or `KeyFileUnreadable`."""
        library = _library()
        # Without a phrase of its own OpenSSL would ask the terminal.
        with _memory(pem) as source:
            pointer = library.PEM_read_bio_PrivateKey(source, None, None, passphrase or b"")
        library.ERR_clear_error()
        if not pointer:
            raise PassphraseWrong if b"ENCRYPTED" in pem else KeyFileUnreadable
        return cls._of(pointer)

    @classmethod
    def _of(cls, pointer: int) -> "SM2PrivateKey":
        library = _library()
        key = _Handle(pointer, library.EVP_PKEY_free)
        if not library.EVP_PKEY_is_a(pointer, b"SM2"):
            raise KeyFileUnreadable("not an SM2 key")
        spki = _encoded(library.i2d_PUBKEY, pointer)
        return cls(SM2PublicKey(spki, key), key)

    def sign(self, data: bytes, signer_id: bytes = SIGNER_ID) -> bytes:
        """Return raw r||s over SM3(ZA || data). Raises `KeyFailed`."""
        library, digest = _library(), _digest(self.public.spki, signer_id, data)
        space = ctypes.create_string_buffer(_SIGNATURE_SPACE)
        length = ctypes.c_size_t(_SIGNATURE_SPACE)
        context = library.EVP_PKEY_CTX_new(self._key.pointer, None)
        try:
            done = library.EVP_PKEY_sign_init(context) == 1 and (
                library.EVP_PKEY_sign(context, space, ctypes.byref(length), digest, len(digest))
                == 1
            )
        finally:
            library.EVP_PKEY_CTX_free(context)
        if not done:
            library.ERR_clear_error()
            raise KeyFailed("libcrypto")
        return raw_of_der(space.raw[: length.value])

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key as PKCS#8 PEM, encrypted by the passphrase if any."""
        library = _library()
        cipher = library.EVP_CIPHER_fetch(None, _PKCS8_CIPHER, None) if passphrase else None
        size = len(passphrase) if passphrase else 0
        with _memory() as target:
            library.PEM_write_bio_PKCS8PrivateKey(
                target, self._key.pointer, cipher, passphrase, size, None, None
            )
            return _content(target)

    def pkcs12(self, certificate: bytes, name: str, passphrase: bytes) -> bytes:
        """Return key and certificate (DER) as PKCS#12."""
        library = _library()
        with _certificate(certificate) as parsed, _memory() as target:
            store = library.PKCS12_create(
                passphrase, name.encode(), self._key.pointer, parsed, None, 0, 0, 0, 0, 0
            )
            if not store:
                library.ERR_clear_error()
                raise KeyFailed("PKCS#12")
            library.i2d_PKCS12_bio(target, store)
            library.PKCS12_free(store)
            return _content(target)


def load_sm2_pkcs12(data: bytes, passphrase: bytes | None) -> tuple[SM2PrivateKey, bytes]:
    """Read key and certificate (DER) from PKCS#12.

    Raises `KeyFileUnreadable`, `PassphraseWrong`, `PrivateKeyMissing` or `CertificateMissing`.
    """
    library = _library()
    with _memory(data) as source:
        store = library.d2i_PKCS12_bio(source, None)
    if not store:
        library.ERR_clear_error()
        raise KeyFileUnreadable
    key, certificate = ctypes.c_void_p(), ctypes.c_void_p()
    try:
        if library.PKCS12_verify_mac(store, passphrase or b"", -1) != 1:
            raise PassphraseWrong
        parsed = library.PKCS12_parse(
            store, passphrase or b"", ctypes.byref(key), ctypes.byref(certificate), None
        )
    finally:
        library.PKCS12_free(store)
        library.ERR_clear_error()
    if parsed != 1:
        raise KeyFileUnreadable
    if not key.value:
        raise PrivateKeyMissing
    private = SM2PrivateKey._of(key.value)
    if not certificate.value:
        raise CertificateMissing
    held = _Handle(certificate.value, library.X509_free)
    return private, _encoded(library.i2d_X509, held.pointer)


def probe() -> None:
    """Return if SM2 works here, else raise `ProviderMissing` naming what is missing.

    Signs with a new key and tests that the signer id matters: a signature made under the customs
    id must hold under it and under no other.
    """
    key = SM2PrivateKey.generate()
    signature = key.sign(b"probe")
    try:
        key.public.verify(signature, b"probe")
    except SignatureMismatch as error:
        raise ProviderMissing("libcrypto refuses its own SM2 signature") from error
    try:
        key.public.verify(signature, b"probe", b"another id")
    except SignatureMismatch:
        return
    raise ProviderMissing("libcrypto ignores the SM2 signer id")


def _digest(spki: bytes, signer_id: bytes, data: bytes) -> bytes:
    """SM3(ZA || data): what an SM2 key signs."""
    sm3 = _after_za(spki, signer_id).copy()
    sm3.update(data)
    return sm3.finalize()


@lru_cache(maxsize=256)
def _after_za(spki: bytes, signer_id: bytes) -> Hash:
    """SM3 that has taken ZA in, for the key of a SubjectPublicKeyInfo; copied, never changed."""
    za = Hash(SM3())
    za.update((8 * len(signer_id)).to_bytes(2, "big") + signer_id + _CURVE + _point(spki))
    sm3 = Hash(SM3())
    sm3.update(za.finalize())
    return sm3


def _point(spki: bytes) -> bytes:
    """The two coordinates of the public key, whichever form it is written in."""
    _, content, _ = read(spki, 0)
    _, _, after_algorithm = read(content, 0)
    _, bits, _ = read(content, after_algorithm)
    form, x = bits[1], bits[2 : 2 + _COORDINATE_BYTES]
    if form not in (2, 3):
        return bits[2:]
    value = int.from_bytes(x, "big")
    y = pow(value**3 - 3 * value + _B, (_P256 + 1) // 4, _P256)
    y = y if y % 2 == form % 2 else _P256 - y
    return x + y.to_bytes(_COORDINATE_BYTES, "big")


@contextmanager
def _memory(content: bytes | None = None) -> Iterator[int]:
    """A BIO that reads the content, or an empty one to write to."""
    library = _library()
    if content is None:
        made = library.BIO_new(library.BIO_s_mem())
    else:
        made = library.BIO_new_mem_buf(content, len(content))
    try:
        yield made
    finally:
        library.BIO_free(made)


def _content(memory: int) -> bytes:
    library = _library()
    space = ctypes.create_string_buffer(library.BIO_ctrl_pending(memory))
    length = library.BIO_read(memory, space, len(space))
    return space.raw[: max(length, 0)]


@contextmanager
def _certificate(der: bytes) -> Iterator[int]:
    library = _library()
    buffer = ctypes.create_string_buffer(der, len(der))
    position = ctypes.c_void_p(ctypes.addressof(buffer))
    parsed = library.d2i_X509(None, ctypes.byref(position), len(der))
    try:
        yield parsed
    finally:
        library.X509_free(parsed)


def _encoded(encode: Any, pointer: int) -> bytes:
    """DER of an object (Any: a ctypes function)."""
    space = ctypes.create_string_buffer(encode(pointer, None))
    position = ctypes.c_void_p(ctypes.addressof(space))
    encode(pointer, ctypes.byref(position))
    return space.raw
