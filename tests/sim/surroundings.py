"""Time, chance, CPU, crash points and the signing key of a simulated world."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from signing import FileKey, load_pem

T = TypeVar("T")

START: Final = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""The instant worlds begin at: 09:00 in Beijing, a Monday, after the orders were paid."""

_MR_ROUNDS: Final = 24
_EXPONENT: Final = 65537


class SimulatedCrash(BaseException):
    """The gateway's process is gone: nothing may catch this and go on."""


class SeededRng:
    """Implements the ``Rng`` port: predictable, one stream for all lives of a world."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"gateway {seed}")

    def bytes(self, count: int) -> bytes:
        """The next bytes of the stream."""
        return self._random.randbytes(count)

    def guid(self) -> str:
        """The next guid of the stream, as upper-case text."""
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4)).upper()


class InlineExecutor:
    """Implements the ``Executor`` port without threads."""

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The result of the call; other tasks run before it is known, as with real threads."""
        result = function(*arguments)
        await asyncio.sleep(0)
        return result


@cache
def signing_key() -> FileKey:
    """A development key that is the same in every process, made from primes of a fixed seed."""
    rng = random.Random("signing key of the simulation")
    first, second = _prime(rng), _prime(rng)
    phi = (first - 1) * (second - 1)
    private = pow(_EXPONENT, -1, phi)
    key = rsa.RSAPrivateNumbers(
        p=first,
        q=second,
        d=private,
        dmp1=private % (first - 1),
        dmq1=private % (second - 1),
        iqmp=pow(second, -1, first),
        public_numbers=rsa.RSAPublicNumbers(_EXPONENT, first * second),
    ).private_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulation")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x0300000000000051)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2028, 1, 1, tzinfo=UTC))
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return load_pem(pem + certificate.public_bytes(Encoding.PEM), name="default")


def _prime(rng: random.Random, bits: int = 512) -> int:
    while True:
        candidate = rng.getrandbits(bits) | 1 | (3 << (bits - 2))
        if candidate % _EXPONENT != 1 and _is_prime(candidate, rng):
            return candidate


def _is_prime(number: int, rng: random.Random) -> bool:
    """Miller-Rabin."""
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, rng.randrange(2, number - 1), odd, twos) for _ in range(_MR_ROUNDS))


def _passes(number: int, base: int, odd: int, twos: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
