"""Errors of the gateway.

::

    GatewayError
    ├── DomainError                a value that the domain refuses
    │   ├── InvalidValue           DOMAIN-101  one field holds a value that can never be right
    │   ├── CurrencyMismatch       DOMAIN-102  arithmetic over two currencies
    │   ├── IllegalTransition      DOMAIN-103  the lifecycle table has no such row
    │   └── PackInvalid            DOMAIN-104  a rule pack cannot be used
    ├── StoreError
    │   ├── Overloaded             STORE-201   the command queue is full
    │   ├── Fenced                 STORE-202   somebody else owns this work now
    │   ├── Conflict               STORE-203   a unique fact is already taken
    │   └── StoreClosed            STORE-204   the store is shutting down
    └── FlowError
        ├── BuildFailed            FLOW-301    a record could not be written from its papers
        ├── TooLate                FLOW-302    the case has gone past what was asked of it
        ├── RingUnknown            FLOW-303    a profile names a key ring that has no key
        └── VersionMoved           FLOW-304    the case is no longer at the version asked about

Expected business outcomes (a mismatch, a rejection) are return values, never errors. Every class
has a stable ``code`` and a ``retry`` class; texts carry no personal data.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """Whether doing the same thing again can help."""

    NEVER = "never"
    LATER = "later"
    UNKNOWN_OUTCOME = "unknown-outcome"


class GatewayError(Exception):
    """Root of every error that the gateway raises on purpose."""

    code: ClassVar[str] = "GATEWAY-000"
    retry: ClassVar[Retry] = Retry.NEVER


class DomainError(GatewayError):
    """A value or a step that the domain refuses."""

    code = "DOMAIN-100"


class InvalidValue(DomainError):
    """One field holds a value that can never be right.

    ``path`` names the field, ``reason`` says what is wrong and how to mend it, without the value.
    """

    code = "DOMAIN-101"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class CurrencyMismatch(DomainError):
    """Two amounts of different currencies were added or compared."""

    code = "DOMAIN-102"


class IllegalTransition(DomainError):
    """The lifecycle table has no row for this state and event."""

    code = "DOMAIN-103"


@dataclass(frozen=True, slots=True)
class PackFault:
    """What is wrong at one place of a rule pack: its path, the line of it (from 1) where there is
    one, and a sentence in English and in Chinese.
    """

    path: str
    en: str
    zh: str
    line: int | None = None

    def told(self, locale: str) -> str:
        """The sentence with its place, in ``zh`` or ``en``."""
        is_chinese = locale == "zh"
        colon = "：" if is_chinese else ": "
        parts = [self.path] if self.path else []
        if self.line is not None:
            parts.insert(0, f"第 {self.line} 行" if is_chinese else f"line {self.line}")
        return colon.join([*parts, self.zh if is_chinese else self.en])


class PackInvalid(DomainError):
    """A rule pack cannot be used; ``details`` are all of its faults, each naming its place."""

    code = "DOMAIN-104"

    def __init__(self, details: tuple[PackFault, ...]) -> None:
        self.details = details
        super().__init__("; ".join(self.faults))

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults as English sentences with their places."""
        return tuple(one.told("en") for one in self.details)


class StoreError(GatewayError):
    """The store could not do what was asked."""

    code = "STORE-200"
    retry = Retry.LATER


class Overloaded(StoreError):
    """The bounded command queue is full: nothing was stored, ask again later."""

    code = "STORE-201"


class Fenced(StoreError):
    """The lease or attempt this speaks for is no longer the live one; nothing was stored."""

    code = "STORE-202"
    retry = Retry.NEVER


class Conflict(StoreError):
    """A fact that must be unique is already taken; nothing was stored."""

    code = "STORE-203"
    retry = Retry.NEVER


class StoreClosed(StoreError):
    """The store is shutting down and takes no more commands."""

    code = "STORE-204"


class FlowError(GatewayError):
    """A stage could not do its work."""

    code = "FLOW-300"


class BuildFailed(FlowError):
    """A record could not be written from its papers; ``path`` names the field."""

    code = "FLOW-301"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class TooLate(FlowError):
    """The case has gone past the point where this can be done; nothing was changed."""

    code = "FLOW-302"


class RingUnknown(FlowError):
    """A profile names a key ring for which no key is configured: configure one, nothing is lost."""

    code = "FLOW-303"
    retry = Retry.LATER


class VersionMoved(FlowError):
    """The case is no longer at the version that the caller saw; nothing was changed."""

    code = "FLOW-304"
