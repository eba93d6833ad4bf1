"""Returns of released goods: their ledger, their days, and what they give back of limit and tax.

Tax on returned goods is not levied and the buyer's annual sum is corrected by them (announcement
2020 no. 45). Both are known per order only, so each line carries its share, freight and insurance
included; whatever comes back in however many returns, the shares add up to the whole. Exported
goods that come home (213) give nothing back, and have a year (announcement 2020 no. 44).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationStage, DeclarationState
from gateway.domain.errors import InvalidValue
from gateway.domain.lifecycle import OVER
from gateway.domain.papers import Order
from gateway.domain.profile import FilingProfile
from gateway.domain.tax import TaxSum

_ZERO: Final = Decimal(0)
_FEN: Final = Decimal("0.01")
_MAIL: Final = "6"
_S: Final = DeclarationStage
_NOT_LODGED: Final = frozenset({_S.PLANNED, _S.CLAIMED, _S.SENT, _S.UNKNOWN})


class GivenBack(NamedTuple):
    """What a return gives back in CNY: dutiable value for the limit, and tax withheld."""

    value: Decimal = _ZERO
    tax: Decimal = _ZERO


class ReturnDays(NamedTuple):
    """The last days on which a return may be asked for, and on which its goods must be back."""

    apply_until: date
    back_until: date


@dataclass(frozen=True, slots=True)
class Journey:
    """What exported goods come home on, and under which bill: a 213 and its 215 name it.

    ``mode`` is a customs code of transport, the profile's where it is not said. Goods that come by
    mail have no bill.
    """

    transport_no: str
    voyage_no: str
    bill_no: str | None = None
    mode: str | None = None

    def to_request(self, usual_mode: str) -> dict[str, str]:
        """What a request to customs says of it. Raises :class:`InvalidValue`."""
        mode = self.mode or usual_mode
        if not self.bill_no and mode != _MAIL:
            raise InvalidValue("journey.bill_no", "is required: only mail travels under no bill")
        return {
            "transport_mode": mode,
            "transport_no": self.transport_no,
            "voyage_no": self.voyage_no,
            "bill_no": self.bill_no or "",
        }


class ReturnedLine(NamedTuple):
    """One line of an order in the ledger of its returns; ``left`` may still be asked back.

    ``pending`` waits for customs, ``approved`` came or may come back, ``arrived`` is back.
    """

    line_no: int
    ordered: Decimal
    pending: Decimal
    approved: Decimal
    arrived: Decimal
    left: Decimal


def return_days(state: CaseState, profile: FilingProfile) -> ReturnDays | None:
    """The days of a released case, by customs' calendar; None before a release."""
    inventory = state.inventory()
    if inventory is None or inventory.released_at is None:
        return None
    # Eight digits of the day in Beijing stand first in customs' time.
    released = date.fromisoformat(inventory.released_at[:8])
    if profile.export is not None:
        home = released + timedelta(days=profile.export.return_days)
        return ReturnDays(home, home)
    return ReturnDays(
        released + timedelta(days=profile.return_apply_days),
        released + timedelta(days=profile.return_back_days),
    )


def ledger(state: CaseState, order: Order) -> list[ReturnedLine]:
    """What became of each line of an order whose goods come back, in the order of the lines."""
    standing = standing_returns(state)
    approved = [one for one in standing if one.stage is DeclarationStage.APPROVED]
    arrived = quantities_back([one for one in standing if is_back(one)])
    granted, asked = quantities_back(approved), quantities_back(standing)
    return [
        ReturnedLine(
            line.line_no,
            line.quantity,
            asked.get(line.line_no, _ZERO) - granted.get(line.line_no, _ZERO),
            granted.get(line.line_no, _ZERO),
            arrived.get(line.line_no, _ZERO),
            line.quantity - asked.get(line.line_no, _ZERO),
        )
        for line in order.lines
    ]


def is_back(one: DeclarationState) -> bool:
    """Whether the goods of a return were said to be back."""
    return "arrived" in one.request


def is_unasked(one: DeclarationState) -> bool:
    """Whether customs does not have a return yet, or refused it: it must be asked for, again."""
    return one.stage in _NOT_LODGED or one.stage in OVER


def standing_returns(state: CaseState) -> list[DeclarationState]:
    """The returns of a case that were not refused."""
    return [one for one in state.declarations if one.kind.is_return and one.stage not in OVER]


def is_on_its_way(state: CaseState) -> bool:
    """Whether a return of the case has not come to customs yet."""
    return any(one.stage in _NOT_LODGED for one in standing_returns(state))


def quantities_back(returns: Sequence[DeclarationState]) -> dict[int, Decimal]:
    """How much of each order line these returns ask back."""
    back: dict[int, Decimal] = {}
    for one in returns:
        lines = one.request.get("lines", {})
        assert isinstance(lines, Mapping)
        for line_no, quantity in lines.items():
            back[int(line_no)] = back.get(int(line_no), _ZERO) + Decimal(quantity)
    return back


def given_back(one: DeclarationState) -> GivenBack:
    """What a return gives back once customs approves it; nothing where it was never worked out."""
    value, tax = one.request.get("value", "0"), one.request.get("tax", "0")
    return GivenBack(Decimal(str(value)), Decimal(str(tax)))


def tax_given_back(state: CaseState) -> Decimal:
    """The tax (CNY) on what customs approved to come back: its bill may have left that out."""
    approved = (one for one in standing_returns(state) if one.stage is DeclarationStage.APPROVED)
    return sum((given_back(one).tax for one in approved), _ZERO)


def share_of_lines(
    state: CaseState,
    order: Order,
    lines: Mapping[int, Decimal],
    *,
    dutiable: Decimal,
    taxes: TaxSum | None = None,
) -> GivenBack:
    """The share that ``lines`` (line number → quantity) have in an order, to the fen.

    ``dutiable`` (CNY) is the order's whole dutiable value, spread by the lines' totals. Tax goes by
    the tax that the rates come to, where ``taxes`` knows every line, else by the totals, too. It is
    the share of all that came back so far, less what earlier returns gave back.
    """
    returns = standing_returns(state)
    back = quantities_back(returns)
    for line_no, quantity in lines.items():
        back[line_no] = back.get(line_no, _ZERO) + quantity
    totals = {line.line_no: line.total.amount for line in order.lines}
    weights = totals
    if taxes is not None and not taxes.unknown and taxes.total > 0:
        weights = {line.line_no: line.total for line in taxes.lines}
    before = [given_back(one) for one in returns]
    value = _share(dutiable, order, back, totals) - sum((one.value for one in before), _ZERO)
    tax = _share(order.tax.amount, order, back, weights) - sum((one.tax for one in before), _ZERO)
    return GivenBack(max(value, _ZERO), max(tax, _ZERO))


def _share(
    whole: Decimal, order: Order, back: Mapping[int, Decimal], weights: Mapping[int, Decimal]
) -> Decimal:
    """The part of a whole that quantities have, each line by its weight."""
    if all(back.get(line.line_no, _ZERO) >= line.quantity for line in order.lines):
        return whole
    weight = sum(weights.values(), _ZERO)
    if weight <= 0:
        return _ZERO
    taken = sum(
        (
            weights.get(line.line_no, _ZERO) * min(back[line.line_no] / line.quantity, Decimal(1))
            for line in order.lines
            if line.line_no in back and line.quantity > 0
        ),
        _ZERO,
    )
    return (whole * taken / weight).quantize(_FEN, ROUND_HALF_UP)
