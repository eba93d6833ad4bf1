"""The quota ledger of a buyer: what of the annual limit is reserved, used and left.

Pure decisions over values; the store keeps an account per buyer (a keyed hash, never an identity
number), tenant and calendar year. An amount is reserved when the order comes in, committed when
customs first has the inventory (2, 3 or 120), and given back when customs refuses it, cancels it,
or the goods are back after a return. Our sum is a lower bound, because buyers shop elsewhere: what
customs says it has counted raises the floor.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from gateway.domain.declaration import DeclarationKind, Word
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId

_ZERO: Final = Decimal(0)
RESERVED_FOR_US: Final = 72 * 3600 * 1_000_000
"""How long a reservation holds when nothing is said: microseconds, as long as papers are due."""


class QuotaStage(StrEnum):
    """Where the amount of one case stands."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    GIVEN_BACK = "given_back"


@dataclass(frozen=True, slots=True)
class QuotaEntry:
    """The dutiable value (CNY) of one case in the account of its buyer.

    ``at`` is when it last moved and ``until`` the end of a reservation, both UTC microseconds.
    ``returned`` is what came back by lines of a return, never above ``amount``.
    """

    case_id: CaseId
    amount: Decimal
    stage: QuotaStage
    at: int
    until: int | None = None
    returned: Decimal = _ZERO

    def reserved(self, now: int) -> Decimal:
        """What it holds back; a reservation that ran out holds nothing."""
        if self.stage is not QuotaStage.RESERVED:
            return _ZERO
        return _ZERO if self.until is not None and self.until <= now else self.amount

    def used(self) -> Decimal:
        """What it has used for good."""
        return self.amount - self.returned if self.stage is QuotaStage.COMMITTED else _ZERO


@dataclass(frozen=True, slots=True)
class QuotaFloor:
    """What customs said a buyer has used, at a time (UTC microseconds); ``code`` is its answer."""

    used: Decimal
    at: int
    code: str


@dataclass(frozen=True, slots=True)
class QuotaAccount:
    """One buyer in one calendar year (Beijing). ``buyer`` is a keyed hash."""

    buyer: str
    year: int
    entries: tuple[QuotaEntry, ...] = ()
    floor: QuotaFloor | None = None

    def entry(self, case_id: CaseId) -> QuotaEntry | None:
        """The entry of a case."""
        return next((one for one in self.entries if one.case_id == case_id), None)

    def with_entry(self, entry: QuotaEntry) -> "QuotaAccount":
        """The account with an entry put in place of the case's earlier one."""
        others = tuple(one for one in self.entries if one.case_id != entry.case_id)
        return replace(self, entries=(*others, entry))

    def used(self, without: CaseId | None = None) -> Decimal:
        """What is used: our own sum, or customs' figure with what we committed since, if greater.

        ``without`` leaves one case out of our own sums; customs' figure stays as it is.
        """
        own = [one for one in self.entries if one.case_id != without]
        total = sum((one.used() for one in own), _ZERO)
        floor = self.floor
        if floor is None:
            return total
        since = sum((one.used() for one in own if one.at > floor.at), _ZERO)
        return max(total, floor.used + since)

    def reserved(self, now: int, without: CaseId | None = None) -> Decimal:
        """What is held back for cases that are on their way."""
        return sum((one.reserved(now) for one in self.entries if one.case_id != without), _ZERO)


class QuotaAnswer(StrEnum):
    """Whether an amount still fits."""

    FREE = "free"
    NEAR = "near"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class QuotaStanding:
    """How much of the annual limit is left for one more case, in CNY."""

    year: int
    limit: Decimal
    used: Decimal
    reserved: Decimal
    floor: QuotaFloor | None = None

    @property
    def left(self) -> Decimal:
        """What is left after everything used and reserved; below 0 when it is overdrawn."""
        return self.limit - self.used - self.reserved

    def answer(self, amount: Decimal, near_share: Decimal) -> QuotaAnswer:
        """Whether ``amount`` fits; near when less than ``near_share`` of the limit stays."""
        left = self.left - amount
        if left < 0:
            return QuotaAnswer.OVER
        return QuotaAnswer.NEAR if left < self.limit * near_share else QuotaAnswer.FREE


def standing(
    account: QuotaAccount, limit: Decimal, now: int, *, without: CaseId | None = None
) -> QuotaStanding:
    """How an account stands for a case, whose own entry is left out."""
    return QuotaStanding(
        account.year,
        limit,
        account.used(without),
        account.reserved(now, without),
        account.floor,
    )


def account_year(day: date) -> int:
    """The calendar year that an amount counts in: ``day`` is Beijing's."""
    return day.year


def reserve(
    account: QuotaAccount,
    case_id: CaseId,
    amount: Decimal,
    now: int,
    *,
    hold_us: int = RESERVED_FOR_US,
) -> QuotaAccount:
    """Hold an amount back for a case: at intake, and again whenever its amount changed.

    A committed entry stays as it is: customs has counted it. Raises :class:`InvalidValue` for an
    amount below 0.
    """
    if amount < 0:
        raise InvalidValue("amount", "must not be below 0")
    before = account.entry(case_id)
    if before is not None and before.stage is QuotaStage.COMMITTED:
        return account
    return account.with_entry(
        QuotaEntry(case_id, amount, QuotaStage.RESERVED, now, until=now + hold_us)
    )


def release(account: QuotaAccount, case_id: CaseId, now: int) -> QuotaAccount:
    """Let go of a reservation, because the case was abandoned; what is committed stays."""
    entry = account.entry(case_id)
    if entry is None or entry.stage is not QuotaStage.RESERVED:
        return account
    return account.with_entry(replace(entry, stage=QuotaStage.GIVEN_BACK, at=now, until=None))


# Customs has the inventory from its first sign of life on.
_COMMITS: Final = frozenset(
    {
        Word.LODGED,
        Word.ACCEPTED,
        Word.REVIEW,
        Word.APPROVED,
        Word.INSPECTION,
        Word.DETAINED,
        Word.SUSPENDED,
        Word.RELEASED,
        Word.CLOSED,
    }
)
_GIVES_BACK: Final = frozenset(
    {
        Word.REJECTED,
        Word.FAILED,
        Word.FAILED_LIMIT,
        Word.FAILED_RIGHTS,
        Word.RETURNED_ABROAD,
    }
)


def on_word(
    account: QuotaAccount, case_id: CaseId, kind: DeclarationKind, word: Word, now: int
) -> QuotaAccount:
    """What a receipt does to the account: the first 2, 3 or 120 commits, a refusal gives back.

    Only the inventory counts. A refusal that settles nothing (system, signature, duplicate) moves
    nothing, nor does any word about a case that has no entry.
    """
    entry = account.entry(case_id)
    if entry is None or kind is not DeclarationKind.INVENTORY:
        return account
    if word in _COMMITS and entry.stage is not QuotaStage.COMMITTED:
        return account.with_entry(
            replace(entry, stage=QuotaStage.COMMITTED, at=now, until=None, returned=_ZERO)
        )
    if word in _GIVES_BACK and entry.stage is not QuotaStage.GIVEN_BACK:
        return account.with_entry(replace(entry, stage=QuotaStage.GIVEN_BACK, at=now, until=None))
    return account


def on_cancelled(account: QuotaAccount, case_id: CaseId, now: int) -> QuotaAccount:
    """Give everything back: customs granted a cancellation (624 = 399)."""
    entry = account.entry(case_id)
    if entry is None or entry.stage is QuotaStage.GIVEN_BACK:
        return account
    return account.with_entry(replace(entry, stage=QuotaStage.GIVEN_BACK, at=now, until=None))


def on_returned(account: QuotaAccount, case_id: CaseId, value: Decimal, now: int) -> QuotaAccount:
    """Give back the value of returned lines: the return is approved and the goods are back.

    Raises :class:`InvalidValue` when more comes back than the case has used.
    """
    entry = account.entry(case_id)
    if entry is None or entry.stage is not QuotaStage.COMMITTED:
        return account
    if value < 0 or entry.returned + value > entry.amount:
        raise InvalidValue("value", "must lie between 0 and what the case has still used")
    # The time of its commit stays: customs' figure of before or after it counted the whole.
    return account.with_entry(replace(entry, returned=entry.returned + value))


def raise_floor(account: QuotaAccount, used: Decimal, code: str, now: int) -> QuotaAccount:
    """Keep what customs says a buyer has used (in the text of -621018 or 1313).

    An older or smaller figure never lowers the floor.
    """
    if used < 0:
        raise InvalidValue("used", "must not be below 0")
    before = account.floor
    if before is not None and used <= before.used:
        return account
    return replace(account, floor=QuotaFloor(used, now, code))
