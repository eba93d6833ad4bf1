"""What rules read: the papers of one case with everything around them, prepared once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from operator import lt
from typing import Final

from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.codec import to_micros
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId
from gateway.domain.limits import PersonalLimit
from gateway.domain.matching.texts import (
    TextFault,
    TextTable,
    order_faults,
    text_table,
    waybill_faults,
)
from gateway.domain.money import Money
from gateway.domain.papers import (
    Basis,
    Order,
    OrderLine,
    PaperKind,
    PaperRevision,
    PaymentSlip,
    Waybill,
)
from gateway.domain.profile import FiledBy, FilingProfile, Party, TradeMode

# Customs' clock is Beijing time, all year.
_BEIJING_US: Final = 8 * 3600 * 1_000_000
_DAY_US: Final = 24 * 3600 * 1_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

_ZERO: Final = Money(Decimal(0))

# Stand for papers that have not come: rules that need them are not asked.
NO_ORDER: Final = Order("", _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, ())
NO_PAYMENT: Final = PaymentSlip("", _ZERO)
NO_WAYBILL: Final = Waybill("")


@dataclass(frozen=True, slots=True)
class ProfileView:
    """What rules ask of a filing profile again and again, worked out once per profile."""

    profile: FilingProfile
    carriers: frozenset[str]
    payment_companies: frozenset[str]
    sole_carrier: str | None
    sole_payment_company: str | None
    files_order: bool
    files_waybill: bool
    filed_elsewhere: frozenset[PaperKind]
    is_direct: bool
    texts: TextTable


def view_of(profile: FilingProfile) -> ProfileView:
    """The view of a profile."""
    files_order = profile.filing(PaperKind.ORDER).filed_by is FiledBy.US
    is_direct = profile.mode is TradeMode.DIRECT
    return ProfileView(
        profile=profile,
        carriers=_codes(profile.carriers),
        payment_companies=_codes(profile.payment_companies),
        sole_carrier=_sole(profile.carriers),
        sole_payment_company=_sole(profile.payment_companies),
        files_order=files_order,
        files_waybill=profile.filing(PaperKind.WAYBILL).filed_by is FiledBy.US,
        filed_elsewhere=frozenset(
            kind for kind in PaperKind if profile.filing(kind).filed_by is FiledBy.OTHER
        ),
        is_direct=is_direct,
        texts=text_table(files_order=files_order, is_direct=is_direct),
    )


def _codes(parties: tuple[Party, ...]) -> frozenset[str]:
    return frozenset(party.code for party in parties)


def _sole(parties: tuple[Party, ...]) -> str | None:
    return parties[0].code if len(parties) == 1 else None


@dataclass(slots=True)
class Facts:
    """One case as rules see it. Rules read; only the matcher writes.

    ``lines`` follow ``line_no``, whatever order the source gave them. ``day`` is the day in
    Beijing. ``now`` is UTC microseconds.
    """

    order: Order
    payment: PaymentSlip
    waybill: Waybill
    lines: Sequence[OrderLine]
    papers: Mapping[PaperKind, PaperRevision]
    goods: Mapping[str, GoodsRecord]
    view: ProfileView
    taken: Mapping[str, CaseId]
    now: int
    day: date
    limit: PersonalLimit
    around: Circumstances = NOTHING_KNOWN
    _weighed: bool = field(default=False, init=False)
    _weights: tuple[Decimal, Decimal] | None = field(default=None, init=False)
    _order_texts: list[TextFault] | None = field(default=None, init=False)
    _waybill_texts: list[TextFault] | None = field(default=None, init=False)

    @property
    def profile(self) -> FilingProfile:
        """The filing profile of the case."""
        return self.view.profile

    @property
    def holds_waybill_as_filed(self) -> bool:
        """Whether our waybill is what customs has: we file it, or hold the filed copy."""
        if self.view.files_waybill:
            return True
        revision = self.papers.get(PaperKind.WAYBILL)
        return revision is not None and revision.basis is Basis.AS_FILED

    def deadline(self, name: str) -> int:
        """Until when a case waits for what is missing, as long as its source has for it.

        ``name`` is a paper or ``goods:SKU``. UTC microseconds, counted from the first fact
        received; without any fact from ``now``.
        """
        profile = self.profile
        wait_s = profile.waits.get(name.partition(":")[0], profile.waiting_s)
        heard = (revision.first_heard for revision in self.papers.values())
        received = [to_micros(one) for one in heard if one is not None]
        return min(received, default=self.now) + wait_s * 1_000_000

    def costs(self) -> Decimal:
        """Freight and insurance as the inventory will declare them: the waybill's go first."""
        waybill = self.waybill
        freight = (waybill.freight or self.order.freight).amount
        return freight if waybill.insurance is None else freight + waybill.insurance.amount

    def dutiable(self) -> Decimal:
        """The dutiable value: goods, freight and insurance, without tax."""
        return self.order.goods_value.amount + self.costs()

    def goods_weights(self) -> tuple[Decimal, Decimal] | None:
        """Net and gross kilograms of all goods, summed once; None while a record is missing."""
        if not self._weighed:
            self._weighed = True
            self._weights = self._sum_weights()
        return self._weights

    def _sum_weights(self) -> tuple[Decimal, Decimal] | None:
        net = gross = Decimal(0)
        for line in self.lines:
            record = self.goods.get(line.sku)
            if record is None:
                return None
            net += line.quantity * record.net_weight_kg
            gross += line.quantity * record.gross_weight_kg
        return net, gross

    def order_texts(self) -> list[TextFault]:
        """The faulty texts of the order, looked for once."""
        if self._order_texts is None:
            self._order_texts = order_faults(self.order, self.lines, self.view.texts)
        return self._order_texts

    def waybill_texts(self) -> list[TextFault]:
        """The faulty texts of the waybill, looked for once."""
        if self._waybill_texts is None:
            self._waybill_texts = waybill_faults(self.waybill, self.view.texts)
        return self._waybill_texts


def beijing_day(now: int) -> date:
    """The day in Beijing of UTC microseconds."""
    return date.fromordinal(_EPOCH_DAY + (now + _BEIJING_US) // _DAY_US)


def in_line_order(lines: tuple[OrderLine, ...]) -> Sequence[OrderLine]:
    """The lines by their numbers; lines that share a number by what they say."""
    numbers = [line.line_no for line in lines]
    if all(map(lt, numbers, numbers[1:])):
        return lines
    return sorted(lines, key=lambda line: (line.line_no, repr(line)))
