"""Passwords: argon2id, and what makes one too weak to be kept."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 12
LONGEST: Final = 256
# What somebody without an account is compared with, so that the answer takes as long.
_NOBODY: Final = "nobody's password"


class Passwords:
    """Makes and compares hashes; each takes some tens of milliseconds of a thread."""

    def __init__(self, *, is_cheap: bool = False) -> None:
        # Cheap ones are for tests, which make many.
        self._hasher = PasswordHasher(time_cost=1, memory_cost=8) if is_cheap else PasswordHasher()
        self._nobody = self._hasher.hash(_NOBODY)

    def hash(self, password: str) -> str:
        """The hash to store."""
        return self._hasher.hash(password)

    def holds(self, stored: str | None, password: str) -> bool:
        """Whether a password belongs to a stored hash; as slow without one."""
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def weakness(password: str, login: str) -> str | None:
    """Why a password cannot be kept, as a stable word; None for a good one."""
    if len(password) < SHORTEST:
        return "too_short"
    if len(password) > LONGEST:
        return "too_long"
    if login.lower() in password.lower() or len(set(password)) < 5:
        return "too_simple"
    return None
