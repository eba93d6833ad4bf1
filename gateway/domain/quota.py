"""The quota ledger of a buyer: what of the annual limit is reserved, used and left.

Pure decisions over values; the store keeps an account per buyer (a keyed hash, never an identity
number), tenant and calendar year. An amount is reserved when the order comes in, committed when
customs first has the inventory (2, 3 or 120), and given back when customs refuses it, cancels it,
or the goods are back after a return. Our sum is a lower bound, because buyers shop elsewhere: what
customs says it has counted raises the floor.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.domain.declaration import DeclarationKind, Word
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import Order, known
from gateway.domain.party import normal_id

_ZERO: Final = Decimal(0)
RESERVED_FOR_US: Final = 72 * 3600 * 1_000_000
"""How long a reservation holds when nothing is said: microseconds, as long as papers are due."""


class QuotaStage(StrEnum):
    """Where the amount of one case stands."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    GIVEN_BACK = "given_back"


class AccountKey(NamedTuple):
    """Which account: a buyer (keyed hash) of one tenant in one calendar year (Beijing)."""

    tenant: TenantId
    buyer: str
    year: int


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


def asked(
    account: QuotaAccount, case_id: CaseId, amount: Decimal, limit: Decimal, now: int
) -> QuotaAccount:
    """The account after a case asked for room: reserved when it fits, else kept without any.

    What does not fit holds nothing back from the buyer's other orders; should customs take it all
    the same, it is committed.
    """
    free = standing(account, limit, now, without=case_id)
    held = reserve(account, case_id, amount, now)
    if free.left >= amount or held is account:
        return held
    return account.with_entry(QuotaEntry(case_id, amount, QuotaStage.GIVEN_BACK, now))


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


class QuotaStep(StrEnum):
    """What can happen to the amount of one case, or to customs' figure about its buyer."""

    COMMIT = "commit"
    GIVE_BACK = "give_back"
    RETURN = "return"
    FLOOR = "floor"


class QuotaMove(NamedTuple):
    """One step in the account that a case stands in, at a time (UTC microseconds).

    ``value`` (CNY) is what came back with a return, or what customs says is used; customs' figure
    holds the case's own amount too where ``includes_case``. ``code`` is customs' answer.
    """

    case_id: CaseId
    step: QuotaStep
    at: int
    value: Decimal = _ZERO
    code: str = ""
    includes_case: bool = False

    @property
    def is_about_account(self) -> bool:
        """Whether it moves more than the entry of its case."""
        return self.step is QuotaStep.FLOOR


def step_of(kind: DeclarationKind, word: Word) -> QuotaStep | None:
    """What a receipt does: the first 2, 3 or 120 commits, a refusal gives back.

    Only the inventory counts, and an approved return of its lines. A refusal that settles nothing
    (system, signature, duplicate) moves nothing.
    """
    if kind is DeclarationKind.RETURN and word is Word.APPROVED:
        return QuotaStep.RETURN
    if kind is not DeclarationKind.INVENTORY:
        return None
    if word in _COMMITS:
        return QuotaStep.COMMIT
    return QuotaStep.GIVE_BACK if word in _GIVES_BACK else None


def moved(account: QuotaAccount, move: QuotaMove) -> QuotaAccount:
    """The account after a step; a step of a case that has no entry moves nothing.

    A granted cancellation (624 = 399) gives everything back, an approved return (626) the value of
    its lines, though never more than the case has used: a receipt is applied in any event. Raises
    :class:`InvalidValue` when what comes back or customs' figure is below 0.
    """
    entry = account.entry(move.case_id)
    if entry is None:
        return account
    match move.step:
        case QuotaStep.COMMIT:
            return _committed(account, entry, move)
        case QuotaStep.GIVE_BACK:
            if entry.stage is QuotaStage.GIVEN_BACK:
                return account
            return account.with_entry(
                replace(entry, stage=QuotaStage.GIVEN_BACK, at=move.at, until=None)
            )
        case QuotaStep.RETURN:
            return _returned(account, entry, move.value)
        case QuotaStep.FLOOR:
            own = entry.amount if move.includes_case else _ZERO
            return raise_floor(account, max(move.value - own, _ZERO), move.code, move.at)


def _committed(account: QuotaAccount, entry: QuotaEntry, move: QuotaMove) -> QuotaAccount:
    if entry.stage is QuotaStage.COMMITTED:
        return account
    counted = replace(entry, stage=QuotaStage.COMMITTED, at=move.at, until=None, returned=_ZERO)
    return account.with_entry(counted)


def _returned(account: QuotaAccount, entry: QuotaEntry, value: Decimal) -> QuotaAccount:
    if entry.stage is not QuotaStage.COMMITTED:
        return account
    if value < 0:
        raise InvalidValue("value", "must not be below 0")
    # The time of its commit stays: customs' figure of before or after it counted the whole.
    return account.with_entry(replace(entry, returned=min(entry.returned + value, entry.amount)))


# How customs words its figures: "totalPrice:26400.00,limitPrice:26000.00" with the case's own
# amount in it (1313), "已用25000，本次2000" without (-621018).
_TOTAL: Final = re.compile(r"totalPrice\s*[:：=]\s*([0-9]{1,12}(?:\.[0-9]{1,5})?)", re.IGNORECASE)
_USED: Final = re.compile(r"已(?:使?用|累计)[^0-9，,;；]{0,12}([0-9]{1,12}(?:\.[0-9]{1,5})?)")
_FIGURE_CODES: Final = ("1313", "-621018")


def told_by_customs(case_id: CaseId, codes: Iterable[str], text: str, at: int) -> QuotaMove | None:
    """Customs' figure in the text of a refusal for the annual limit; None where it gives none."""
    code = next((one for one in codes if one in _FIGURE_CODES), None)
    if code is None:
        return None
    for pattern, includes_case in ((_USED, False), (_TOTAL, True)):
        found = pattern.search(text)
        if found is not None:
            value = Decimal(found[1])
            return QuotaMove(case_id, QuotaStep.FLOOR, at, value, code, includes_case)
    return None


def buyer_of(order: Order) -> str | None:
    """Who an order counts for: kind and normal form of the document; None while it is not known."""
    number = known(order.buyer.id_number)
    return None if number is None else f"{order.buyer.id_type or '1'}|{normal_id(number)}"


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
