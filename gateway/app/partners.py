"""Partners: a payment company's or a carrier's adapter, an account, and the one HTTP client.

The flow sees :class:`gateway.ports.partners.Partner`; what an adapter says becomes a stage of the
filing here. A refusal ends a filing only when it answers the filing itself: a question that was
refused tells nothing of what was filed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, TypeVar

from adapters.base import (
    Caller,
    CallFailed,
    Cargo,
    CarrierAdapter,
    Contact,
    Exchange,
    FilingOutcome,
    FilingState,
    PaymentAdapter,
    PaymentFiling,
    Shipment,
    ShipmentOutcome,
    ShipmentState,
)
from adapters.discovery import carrier as carrier_adapter
from adapters.discovery import payment as payment_adapter
from adapters.http import HTTPClient
from adapters.rsa import RSAKeys, Sealing
from gateway.app.config import (
    CarrierSection,
    ConfigError,
    PartnerKeysSection,
    PaymentSection,
    Settings,
)
from gateway.app.pulling import account_of
from gateway.domain.errors import GatewayError, Retry
from gateway.domain.filing import FilingStage
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.money import Money
from gateway.domain.papers import PaperKind
from gateway.ports import Clock, Rng
from gateway.ports.partners import FilingAnswer, FilingRequest, Pace, Partner

T = TypeVar("T")

_FILED: Final[Mapping[FilingState, FilingStage]] = {
    FilingState.NOT_FILED: FilingStage.NOT_SEEN,
    FilingState.PENDING: FilingStage.PENDING,
    FilingState.FILED: FilingStage.FILED,
    FilingState.REFUSED: FilingStage.REFUSED,
    FilingState.FAULTED: FilingStage.FAULTED,
    FilingState.UNKNOWN: FilingStage.UNKNOWN,
}
_SHIPPED: Final[Mapping[ShipmentState, FilingStage]] = {
    ShipmentState.ACCEPTED: FilingStage.FILED,
    ShipmentState.IN_REVIEW: FilingStage.PENDING,
    ShipmentState.REFUSED: FilingStage.REFUSED,
    ShipmentState.UNKNOWN: FilingStage.UNKNOWN,
}
_SENT: Final[Mapping[Retry, FilingStage]] = {
    Retry.NEVER: FilingStage.REFUSED,
    Retry.LATER: FilingStage.REQUESTED,
    Retry.UNKNOWN_OUTCOME: FilingStage.UNKNOWN,
}


class Unfit(GatewayError):
    """The papers cannot be told to this partner; the text names what is missing."""

    code = "PARTNER-101"


@dataclass(slots=True)
class _Kept:
    """Drives an exchange and keeps the bytes of its last answer."""

    raw: bytes = b""

    def of(self, exchange: Exchange[T]) -> Exchange[T]:
        try:
            request = next(exchange)
            while True:
                response = yield request
                self.raw = response.body
                request = exchange.send(response)
        except StopIteration as end:
            result: T = end.value
            return result


@dataclass(frozen=True, slots=True)
class PaymentPartner:
    """A payment company that files payment slips with customs."""

    name: str
    section: PaymentSection
    adapter: PaymentAdapter
    caller: Caller
    client: HTTPClient

    @property
    def pace(self) -> Pace:
        """As the company's adapter says."""
        polling = self.adapter.polling
        return Pace(
            polling.pauses_s, polling.alarm_after_s, polling.refile_gap_s, polling.refile_most
        )

    async def file(self, request: FilingRequest) -> FilingAnswer:
        """File, have the buyer's identity checked, ask once what became of it."""
        try:
            exchange = self.adapter.declare(self.caller, self._filing(request))
            return await self._run(exchange, is_filing=True)
        except GatewayError as error:
            # Nothing was sent: the papers do not fit this company.
            return FilingAnswer(FilingStage.REFUSED, code=error.code)

    async def ask(self, request: FilingRequest) -> FilingAnswer:
        """Ask what became of it."""
        exchange = self.adapter.query(self.caller, self._filing(request))
        return await self._run(exchange, is_filing=False)

    async def push(self, request: FilingRequest) -> FilingAnswer:
        """Have it pushed to customs once more."""
        exchange = self.adapter.refile(self.caller, self._filing(request))
        answer = await self._run(exchange, is_filing=True)
        is_refused = answer.stage is FilingStage.REFUSED and answer.paper is None
        return replace(answer, stage=FilingStage.FAULTED) if is_refused else answer

    def _filing(self, request: FilingRequest) -> PaymentFiling:
        slip, order = request.slip, request.order
        if slip is None:
            raise Unfit("there is no payment slip")
        return PaymentFiling(
            transaction_id=slip.original_id or slip.transaction_id,
            payment_order_no=slip.attempt_no or order.order_no,
            order_no=order.order_no,
            customs_place=slip.place or self.section.customs_place,
            merchant_code=self.section.merchant_code,
            amount=slip.amount,
            freight=order.freight,
            tax=order.tax,
            buyer=order.buyer,
            is_change=request.is_change,
        )

    async def _run(
        self, exchange: Exchange[FilingOutcome | CallFailed], *, is_filing: bool
    ) -> FilingAnswer:
        kept = _Kept()
        outcome = await self.client.run(kept.of(exchange))
        if isinstance(outcome, CallFailed):
            return _failed(outcome, is_filing=is_filing)
        slip = replace(outcome.slip, company_code=self.section.company, company_name=None)
        return FilingAnswer(_FILED[outcome.state], slip, kept.raw)


@dataclass(frozen=True, slots=True)
class CarrierPartner:
    """A carrier that gives waybill numbers; one parcel an order."""

    name: str
    section: CarrierSection
    adapter: CarrierAdapter
    caller: Caller
    client: HTTPClient
    pace: Pace = field(default_factory=Pace)

    async def file(self, request: FilingRequest) -> FilingAnswer:
        """Ask for the waybill of the order's parcel."""
        try:
            exchange = self.adapter.create(self.caller, self._shipment(request))
            return await self._run(exchange, is_filing=True)
        except GatewayError as error:
            return FilingAnswer(FilingStage.REFUSED, code=error.code)

    async def ask(self, request: FilingRequest) -> FilingAnswer:
        """Look the parcel up by our reference."""
        exchange = self.adapter.find(self.caller, self._shipment(request))
        answer = await self._run(exchange, is_filing=False)
        if answer.stage is None and answer.code is not None and not answer.code.startswith("http."):
            # The carrier answered and has none; the same reference never makes a second parcel.
            return replace(answer, stage=FilingStage.NOT_SEEN)
        return answer

    async def push(self, request: FilingRequest) -> FilingAnswer:
        """A carrier has nothing to push: look it up."""
        return await self.ask(request)

    async def _run(
        self, exchange: Exchange[ShipmentOutcome | CallFailed], *, is_filing: bool
    ) -> FilingAnswer:
        kept = _Kept()
        outcome = await self.client.run(kept.of(exchange))
        if isinstance(outcome, CallFailed):
            return _failed(outcome, is_filing=is_filing)
        stage = _SHIPPED[outcome.state]
        if not outcome.waybills:
            return FilingAnswer(stage, raw=kept.raw)
        waybill = replace(outcome.waybills[0], carrier_code=self.section.company, carrier_name=None)
        return FilingAnswer(stage, waybill, kept.raw)

    def _shipment(self, request: FilingRequest) -> Shipment:
        order, section = request.order, self.section
        to = order.consignee
        name, phone, address = to.name, to.phone, to.address
        if not (isinstance(name, str) and isinstance(phone, str) and isinstance(address, str)):
            raise Unfit("the consignee is masked or incomplete")
        cargo = tuple(
            Cargo(
                name=line.name,
                quantity=line.quantity,
                unit=section.units.get(line.unit, line.unit),
                weight_kg=request.goods[line.sku].gross_weight_kg,
                price=line.price,
                origin=section.origins.get(line.origin, line.origin),
            )
            for line in order.lines
            if line.sku in request.goods
        )
        if len(cargo) != len(order.lines):
            raise Unfit("a goods record is missing")
        weight = sum((one.quantity * one.weight_kg for one in cargo), Decimal(0))
        sender = section.sender
        return Shipment(
            reference=request.reference,
            order_no=order.order_no,
            sender=Contact(
                sender.name, sender.phone, sender.address, sender.province, sender.city,
                sender.county,
            ),
            consignee=Contact(name, phone, address, district=to.district),
            cargo=cargo,
            declared=Money(order.goods_value.amount, order.goods_value.currency),
            weight_kg=weight,
        )  # fmt: skip


def _failed(failed: CallFailed, *, is_filing: bool) -> FilingAnswer:
    return FilingAnswer(_SENT[failed.retry] if is_filing else None, code=failed.code)


@dataclass(frozen=True, slots=True)
class ConfiguredPartners:
    """Implements ``ports.partners.Partners`` over the settings."""

    held: Mapping[tuple[TenantId, ProfileId, PaperKind], Mapping[str, Partner]]

    def partner(
        self, tenant: TenantId, profile_id: ProfileId, kind: PaperKind, code: str | None
    ) -> Partner | None:
        """The only partner of a profile for a paper, or the one of the company's code."""
        found = self.held.get((tenant, profile_id, kind), {})
        if code is not None and code in found:
            return found[code]
        return next(iter(found.values())) if len(found) == 1 and code is None else None


def configured_partners(
    settings: Settings, client: HTTPClient, clock: Clock, rng: Rng
) -> ConfiguredPartners:
    """The partners of the settings. Raises :class:`ConfigError` for what is wrong there,
    ``AdapterUnknown`` for an adapter that is not installed.
    """
    held: dict[tuple[TenantId, ProfileId, PaperKind], dict[str, Partner]] = {}

    def add(section: PaymentSection | CarrierSection, kind: PaperKind, made: Partner) -> None:
        place = (TenantId(section.tenant), ProfileId(section.profile), kind)
        if section.company in held.setdefault(place, {}):
            raise ConfigError(
                f"{made.name}: two partners file for company {section.company}",
                "有两个合作方为同一企业申报",
            )
        held[place][section.company] = made

    for name, paid in settings.payments.items():
        payer = payment_adapter(paid.adapter)
        account = account_of(f"payments.{name}", paid, payer, _keys(f"payments.{name}", paid.keys))
        caller = Caller(account, clock, rng)
        add(paid, PaperKind.PAYMENT, PaymentPartner(name, paid, payer, caller, client))
    for name, carried in settings.carriers.items():
        carrier = carrier_adapter(carried.adapter)
        account = account_of(f"carriers.{name}", carried, carrier)
        caller = Caller(account, clock, rng)
        add(carried, PaperKind.WAYBILL, CarrierPartner(name, carried, carrier, caller, client))
    return ConfiguredPartners(held)


def _keys(place: str, section: PartnerKeysSection | None) -> RSAKeys | None:
    """The keys between us and a partner, loaded once. Raises :class:`ConfigError`."""
    if section is None:
        return None
    try:
        phrase = section.passphrase_file
        return RSAKeys.load(
            section.serial,
            section.private_key_file.read_bytes(),
            {serial: file.read_bytes() for serial, file in section.partner_keys.items()},
            passphrase=None if phrase is None else phrase.read_bytes().strip(),
            sealing=Sealing(section.sealing),
        )
    except (OSError, GatewayError) as error:
        raise ConfigError(f"{place}.keys: {error}", "密钥无法使用") from error
