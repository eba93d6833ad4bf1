"""Edge models: what a caller may send, checked once, with every fault and its path.

Lengths are those of the customs schema (CEB 202205: messages 311, 411, 511, 621), so that a paper
which is accepted here can be written there. Amounts are JSON strings, or integers, of the format
N19,5; a JSON float is refused because it has already lost digits.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

AMOUNT_PATTERN: Final = r"^(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,5})?$"
REFERENCE_PATTERN: Final = r"^\S(?:.*\S)?$"
MAX_LINES: Final = 999
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class _AmountSchema:
    """A decimal of N19,5 as text or whole number; one fault for every way to get it wrong."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.union_schema(
            [
                core_schema.str_schema(pattern=AMOUNT_PATTERN, strict=True),
                core_schema.int_schema(ge=0, lt=10**14, strict=True),
            ],
            mode="left_to_right",
            custom_error_type="amount",
            custom_error_message="not an amount",
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "description": "Decimal N19,5: a string, or an integer. Never a JSON float.",
            "examples": ["199.00"],
            "oneOf": [
                {"type": "string", "pattern": AMOUNT_PATTERN},
                {"type": "integer", "minimum": 0, "exclusiveMaximum": 10**14},
            ],
        }


def read_moment(text: str) -> datetime:
    """An RFC 3339 time with its zone, as UTC. Raises ``PydanticCustomError`` otherwise."""
    if _MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("moment", "not a time with zone")


def read_day(text: str) -> date:
    """A calendar day ``YYYY-MM-DD``. Raises ``PydanticCustomError`` otherwise."""
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise PydanticCustomError("day", "not a day")


class _MomentSchema:
    """An RFC 3339 time with zone, read from text."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        text = core_schema.str_schema(strict=True, max_length=40)
        return core_schema.no_info_after_validator_function(read_moment, text)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class _DaySchema:
    """A calendar day, read from text."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        text = core_schema.str_schema(strict=True, max_length=40)
        return core_schema.no_info_after_validator_function(read_day, text)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


Amount = Annotated[str | int, _AmountSchema]
Moment = Annotated[datetime, _MomentSchema]
Day = Annotated[date, _DaySchema]


def _text(limit: int, least: int = 1) -> Any:
    return StringConstraints(min_length=least, max_length=limit)


def _reference(limit: int) -> Any:
    return StringConstraints(min_length=1, max_length=limit, pattern=REFERENCE_PATTERN)


Number = Annotated[str, _reference(60)]
Code = Annotated[str, _reference(18)]
Sku = Annotated[str, _reference(30)]
Code3 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{3}$")]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
ProfileRef = Annotated[str, _reference(64)]
Name = Annotated[str, _text(60)]
CompanyName = Annotated[str, _text(100)]
Note = Annotated[str, _text(1000, 0)]


class Edge(BaseModel):
    """Strict and closed: no coercion, no unknown field."""

    model_config = ConfigDict(strict=True, extra="forbid")


class BuyerIn(Edge):
    """Who bought (订购人); his identity is what customs checks."""

    account: Annotated[str, _text(60)]
    name: Name
    phone: Annotated[str, _text(30)]
    id_type: Annotated[str, StringConstraints(pattern=r"^[0-9]$")] = "1"
    id_number: Number


class ConsigneeIn(Edge):
    """Who receives the parcel (收货人)."""

    name: CompanyName
    phone: Annotated[str, _text(50)]
    address: Annotated[str, _text(200)]
    district: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] | None = None


class PaymentRefIn(Edge):
    """What the order says of its payment."""

    company_code: Code | None = None
    company_name: CompanyName | None = None
    transaction_id: Number | None = None


class LineIn(Edge):
    """One line of an order; ``total`` as the shop sums it."""

    line_no: Annotated[int, Field(ge=1, le=9999)]
    sku: Sku
    name: Annotated[str, _text(250)]
    model: Annotated[str, _text(510)]
    barcode: Annotated[str, _text(50)] | None = None
    description: Note | None = None
    unit: Code3
    quantity: Amount
    price: Amount
    total: Amount
    origin: Code3
    note: Note | None = None


class DeductionIn(Edge):
    """One reason for paying less in cash; ``is_in_prices``: the line prices are lower by it."""

    kind: Literal[
        "price_cut", "coupon", "points", "voucher", "gift_card", "virtual_money", "unknown"
    ]
    amount: Amount
    line_no: Annotated[int, Field(ge=1, le=9999)] | None = None
    is_in_prices: bool = False


class OrderIn(Edge):
    """The order (订单): what was bought, by whom, for how much.

    With ``filed_by`` (also of the other papers) it is the copy that this enterprise filed with
    customs: the case's own paper stays, and is held against it.
    """

    type: Literal["order"] = "order"
    profile: ProfileRef
    order_no: Number
    ordered_at: Moment | None = None
    currency: CurrencyCode = "CNY"
    goods_value: Amount
    freight: Amount
    discount: Amount
    tax: Amount
    paid: Amount
    buyer: BuyerIn
    consignee: ConsigneeIn
    payment: PaymentRefIn | None = None
    waybill_no: Number | None = None
    batch_numbers: Annotated[str, _text(100)] | None = None
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=MAX_LINES)]
    note: Note | None = None
    shop_order_no: Number | None = None
    deductions: Annotated[list[DeductionIn], Field(max_length=100)] = []
    filed_by: Code | None = None


class PayerIn(Edge):
    """Who paid (支付人), as far as the payment company tells."""

    name: Name | None = None
    id_type: Annotated[str, StringConstraints(pattern=r"^[0-9]$")] | None = None
    id_number: Number | None = None
    phone: Name | None = None
    account: Name | None = None


class PaymentIn(Edge):
    """The payment slip (支付单): who paid how much.

    Without ``order_no`` it waits until an order names its ``transaction_id``.
    """

    type: Literal["payment"] = "payment"
    profile: ProfileRef
    order_no: Number | None = None
    transaction_id: Number
    company_code: Code | None = None
    company_name: CompanyName | None = None
    payer: PayerIn
    identity_check: Literal["SAME", "DIFFERENT", "UNCHECKED"] | None = None
    amount: Amount
    currency: CurrencyCode = "CNY"
    paid_at: Moment | None = None
    note: Note | None = None
    part: Literal["whole", "deposit", "balance", "merged"] | None = None
    original_id: Number | None = None
    original_amount: Amount | None = None
    refunded: Amount | None = None
    attempt_no: Number | None = None
    place: Annotated[str, _reference(64)] | None = None
    filed_by: Code | None = None


class WaybillIn(Edge):
    """The waybill (运单): which parcel goes to whom; weights in kilograms.

    Without ``order_no`` it waits until an order names its ``waybill_no``.
    """

    type: Literal["waybill"] = "waybill"
    profile: ProfileRef
    order_no: Number | None = None
    waybill_no: Number
    carrier_code: Code | None = None
    carrier_name: CompanyName | None = None
    freight: Amount | None = None
    insurance: Amount | None = None
    gross_weight_kg: Amount | None = None
    net_weight_kg: Amount | None = None
    pack_count: Annotated[int, Field(ge=1, le=999_999_999)] | None = None
    goods_info: Annotated[str, _text(200)] | None = None
    consignee: ConsigneeIn
    bill_no: Annotated[str, _reference(37)] | None = None
    transport_no: Annotated[str, _reference(100)] | None = None
    voyage_no: Annotated[str, _reference(32)] | None = None
    note: Note | None = None
    filed_by: Code | None = None


class ExportLineIn(Edge):
    """One line of an export order; ``total`` as the shop sums it."""

    line_no: Annotated[int, Field(ge=1, le=9999)]
    sku: Annotated[str, _reference(20)]
    name: Annotated[str, _text(250)]
    barcode: Annotated[str, _text(50)] | None = None
    description: Note | None = None
    unit: Code3
    quantity: Amount
    price: Amount
    total: Amount
    note: Note | None = None


class ExportOrderIn(Edge):
    """An export order (出口订单, 303); of 9810 its number is the booking's.

    ``destination`` is the country that the goods go to, by default the profile's.
    """

    type: Literal["export_order"] = "export_order"
    profile: ProfileRef
    order_no: Number
    ordered_at: Moment | None = None
    currency: CurrencyCode
    goods_value: Amount
    freight: Amount
    destination: Code3 | None = None
    waybill_no: Number | None = None
    lines: Annotated[list[ExportLineIn], Field(min_length=1, max_length=100)]
    note: Note | None = None


class FundsReceiptIn(Edge):
    """A receipt of funds (收款单, 403): the seller's money that arrived for one order."""

    type: Literal["funds_receipt"] = "funds_receipt"
    profile: ProfileRef
    order_no: Number
    receipt_no: Number
    company_code: Code | None = None
    company_name: CompanyName | None = None
    amount: Amount
    currency: CurrencyCode
    received_at: Moment
    note: Note | None = None


class ExportWaybillIn(Edge):
    """The waybill of an export (出口运单, 505); weights in kilograms.

    Without ``order_no`` it waits until an order names its ``waybill_no``. What is known of the
    conveyance only later is left to the list of the consignment.
    """

    type: Literal["export_waybill"] = "export_waybill"
    profile: ProfileRef
    order_no: Number | None = None
    waybill_no: Annotated[str, _reference(32)]
    carrier_code: Code | None = None
    carrier_name: CompanyName | None = None
    currency: CurrencyCode
    freight: Amount | None = None
    insurance: Amount | None = None
    gross_weight_kg: Amount
    pack_count: Annotated[int, Field(ge=1, le=999_999_999)] = 1
    goods_info: Annotated[str, _text(200)] | None = None
    bill_no: Annotated[str, _reference(37)] | None = None
    transport_no: Annotated[str, _reference(100)] | None = None
    voyage_no: Annotated[str, _reference(32)] | None = None
    note: Note | None = None


def _positive(amount: str | int) -> str | int:
    if not str(amount).strip("0."):
        raise PydanticCustomError("positive", "must be greater than 0")
    return amount


_RATE_PATTERN: Final = r"^(?:0(?:\.[0-9]{1,5})?|1(?:\.0{1,5})?)$"
Factor = Annotated[Amount, AfterValidator(_positive)]
Rate = Annotated[
    str,
    StringConstraints(pattern=_RATE_PATTERN),
    WithJsonSchema(
        {"type": "string", "pattern": _RATE_PATTERN, "description": "Fraction of one: 0.13 is 13 %"}
    ),
]


class GoodsIn(Edge):
    """A goods record (商品备案): what customs must know and an order does not carry."""

    type: Literal["goods"] = "goods"
    profile: ProfileRef
    sku: Sku
    hs_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$")]
    name: Annotated[str, _text(250)]
    model: Annotated[str, _text(510)]
    origin: Code3
    unit: Code3
    unit1: Code3
    factor1: Factor
    unit2: Code3 | None = None
    factor2: Factor | None = None
    net_weight_kg: Amount
    gross_weight_kg: Amount
    item_record_no: Annotated[str, _reference(30)] | None = None
    barcode: Annotated[str, _text(50)] | None = None
    vat_rate: Rate | None = None
    consumption_rate: Rate | None = None
    tariff_rate: Rate | None = None
    rate_year: Annotated[int, Field(ge=2000, le=2999)] | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


PaperIn = OrderIn | PaymentIn | WaybillIn | ExportOrderIn | FundsReceiptIn | ExportWaybillIn
AnyIn = PaperIn | GoodsIn
LineOfBatch = Annotated[AnyIn, Field(discriminator="type")]

ORDER: Final[TypeAdapter[OrderIn]] = TypeAdapter(OrderIn)
PAYMENT: Final[TypeAdapter[PaymentIn]] = TypeAdapter(PaymentIn)
WAYBILL: Final[TypeAdapter[WaybillIn]] = TypeAdapter(WaybillIn)
EXPORT_ORDER: Final[TypeAdapter[ExportOrderIn]] = TypeAdapter(ExportOrderIn)
FUNDS_RECEIPT: Final[TypeAdapter[FundsReceiptIn]] = TypeAdapter(FundsReceiptIn)
EXPORT_WAYBILL: Final[TypeAdapter[ExportWaybillIn]] = TypeAdapter(ExportWaybillIn)
GOODS: Final[TypeAdapter[GoodsIn]] = TypeAdapter(GoodsIn)
BATCH_LINE: Final[TypeAdapter[AnyIn]] = TypeAdapter(LineOfBatch)


class AckIn(Edge):
    """One answer of a warehouse to one notice."""

    notice_id: Annotated[str, _reference(64)]
    status: Literal["accepted", "refused"]
    at: Moment


class AcksIn(Edge):
    """Answers to up to 1,000 notices."""

    acks: Annotated[list[AckIn], Field(min_length=1, max_length=1000)]


class HoldIn(Edge):
    """Why a case is stopped; stands in its history, so it must not name persons."""

    reason: Annotated[str, _text(200)]


class DeliveryIn(Edge):
    """When a parcel was delivered, as its carrier says."""

    at: Moment


class _ReportIn(Edge):
    """Something that became of parcels of one bill: up to 1,000 cases, which go into one record.

    ``bill_no`` is said where their waybills name no bill, as of goods from a special zone.
    """

    cases: Annotated[list[Annotated[str, _reference(64)]], Field(min_length=1, max_length=1000)]
    bill_no: Annotated[str, _reference(37)] | None = None


class SiteArrivalIn(_ReportIn):
    """Parcels of one bill reached the supervised site, on which vehicle (its plate)."""

    vehicle_no: Annotated[str, _reference(100)]


class DepartureIn(_ReportIn):
    """Parcels of one bill left the country. What the waybills say of ship, flight and voyage need
    not be said again.
    """

    left_at: Moment
    transport_no: Annotated[str, _reference(100)] | None = None
    voyage_no: Annotated[str, _reference(32)] | None = None


class TallyIn(Edge):
    """The exported goods of a return are back and counted; ``location`` is where they stand."""

    location: Annotated[str, _text(250)] | None = None


class SignatureIn(Edge):
    """What is to be signed, as base64: a whole ``document``, or ``data``, a SignedInfo built over
    one. ``key`` names a key ring that was offered to you.
    """

    key: Annotated[str, _text(64)]
    document: Annotated[str, Field(max_length=1_000_000)] | None = None
    data: Annotated[str, Field(max_length=8_000)] | None = None


class ReturnLineIn(Edge):
    """How much of one order line comes back."""

    line_no: Annotated[int, Field(ge=1, le=999)]
    quantity: Amount


class JourneyIn(Edge):
    """What exported goods come home on: flight, vessel or vehicle, its number and the bill.

    ``mode`` is a customs code of transport, the profile's where it is left out; goods that come by
    mail (6) have no bill.
    """

    transport_no: Annotated[str, _reference(100)]
    voyage_no: Annotated[str, _reference(32)]
    bill_no: Annotated[str, _reference(37)] | None = None
    mode: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]$")] | None = None


class AskIn(Edge):
    """Why it is asked; stands in the history of the case, so it must not name persons.

    ``lines`` matter to a return alone: without them everything comes back. The return of exported
    goods (213) also names the ``journey`` home.
    """

    reason: Annotated[str, _text(180)]
    lines: Annotated[list[ReturnLineIn], Field(max_length=999)] = []
    journey: JourneyIn | None = None


class ResolutionIn(Edge):
    """How one finding was settled.

    ``new_paper`` names the paper and the revision that mended it; ``accepted_risk`` is for findings
    that do not block.
    """

    case: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{1,64}$")]
    finding: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
    how: Literal["new_paper", "accepted_risk"]
    reason: Annotated[str, _text(200)]
    paper: Literal["order", "payment", "waybill"] | None = None
    revision: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class ResolutionsIn(Edge):
    """Up to 200 settlements."""

    resolutions: Annotated[list[ResolutionIn], Field(min_length=1, max_length=200)]


class RepairIn(Edge):
    """A fix of a finding to be applied: ``path`` is one of those that the finding proposes.

    ``scope`` ``cause`` takes every open case with the same cause along, 500 at most. ``value``
    is for a fix that has none. Without ``redeclare`` the case is held after it.
    """

    case: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{1,64}$")]
    finding: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
    path: Annotated[str, _reference(120)]
    reason: Annotated[str, _text(200)]
    value: Annotated[str, _text(1000)] | None = None
    scope: Literal["case", "cause"] = "case"
    dry_run: bool = False
    redeclare: bool = True


class RepairAskIn(Edge):
    """What the owner of a paper is asked for, and how many hours there are to answer."""

    case: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{1,64}$")]
    finding: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
    path: Annotated[str, _reference(120)]
    reason: Annotated[str, _text(200)]
    hours: Annotated[int, Field(ge=1, le=720)] = 24


class RepairApprovalIn(Edge):
    """A confirmation: on what ground, and the value where one was asked for."""

    statement: Annotated[str, _text(200)] | None = None
    value: Annotated[str, _text(1000)] | None = None


class RepairRefusalIn(Edge):
    """Why a repair is dropped."""

    reason: Annotated[str, _text(200)]


class PackIn(Edge):
    """A rule pack as TOML, for one port or, without it, for all; ``dry_run`` only checks."""

    text: Annotated[str, Field(min_length=1, max_length=200_000)]
    port: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] | None = None
    dry_run: bool = False


class PackMoveIn(Edge):
    """Where a version is to go: beside the one in force, in force, or out of use."""

    to: Literal["shadow", "active", "retired"]
    port: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] | None = None


class PreflightIn(Edge):
    """Papers of one order to be tried, and goods records to be tried with them.

    Those of an export have names of their own; one body is of one direction.
    """

    order: OrderIn | None = None
    payment: PaymentIn | None = None
    waybill: WaybillIn | None = None
    export_order: ExportOrderIn | None = None
    funds_receipt: FundsReceiptIn | None = None
    export_waybill: ExportWaybillIn | None = None
    goods: Annotated[list[GoodsIn], Field(max_length=100)] = []


class PackTrialIn(Edge):
    """A pack to be tried, on the papers given (one set an order), else on the newest cases that
    moved within some days.
    """

    text: Annotated[str, Field(min_length=1, max_length=200_000)]
    days: Annotated[int, Field(ge=1, le=90)] = 7
    papers: Annotated[list[PreflightIn], Field(max_length=100)] = []


class EndpointIn(Edge):
    """Where notices of some types are to be sent; without a ``url`` they wait to be fetched.

    ``ed25519`` adds a signature that anybody can verify with the public key.
    """

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000)] | None = (
        None
    )
    role: Literal["seller", "warehouse"]
    event_types: Annotated[list[Annotated[str, _reference(64)]], Field(max_length=50)] = []
    batch_size: Annotated[int, Field(ge=1, le=100)] = 1
    ed25519: bool = False


class RotationIn(Edge):
    """How long the old secrets sign along; then only the new ones do."""

    overlap_hours: Annotated[int, Field(ge=0, le=720)] = 24


class DisableIn(Edge):
    """Why an endpoint is switched off."""

    reason: Annotated[str, _text(200)]


class ReplayIn(Edge):
    """Which parked notices to try again: these, or all that fit; times are those of parking."""

    notices: Annotated[list[Annotated[str, _reference(64)]], Field(max_length=1000)] = []
    endpoint: Annotated[str, _reference(64)] | None = None
    event_type: Annotated[str, _reference(64)] | None = None
    since: Moment | None = None
    until: Moment | None = None


ACKS: Final[TypeAdapter[AcksIn]] = TypeAdapter(AcksIn)
ASK: Final[TypeAdapter[AskIn]] = TypeAdapter(AskIn)
RESOLUTIONS: Final[TypeAdapter[ResolutionsIn]] = TypeAdapter(ResolutionsIn)
REPAIR: Final[TypeAdapter[RepairIn]] = TypeAdapter(RepairIn)
REPAIR_ASK: Final[TypeAdapter[RepairAskIn]] = TypeAdapter(RepairAskIn)
REPAIR_APPROVAL: Final[TypeAdapter[RepairApprovalIn]] = TypeAdapter(RepairApprovalIn)
REPAIR_REFUSAL: Final[TypeAdapter[RepairRefusalIn]] = TypeAdapter(RepairRefusalIn)
PACK: Final[TypeAdapter[PackIn]] = TypeAdapter(PackIn)
PACK_MOVE: Final[TypeAdapter[PackMoveIn]] = TypeAdapter(PackMoveIn)
PACK_TRIAL: Final[TypeAdapter[PackTrialIn]] = TypeAdapter(PackTrialIn)
PREFLIGHT: Final[TypeAdapter[PreflightIn]] = TypeAdapter(PreflightIn)
TALLY: Final[TypeAdapter[TallyIn]] = TypeAdapter(TallyIn)
SITE_ARRIVAL: Final[TypeAdapter[SiteArrivalIn]] = TypeAdapter(SiteArrivalIn)
DEPARTURE: Final[TypeAdapter[DepartureIn]] = TypeAdapter(DepartureIn)
DELIVERY: Final[TypeAdapter[DeliveryIn]] = TypeAdapter(DeliveryIn)
HOLD: Final[TypeAdapter[HoldIn]] = TypeAdapter(HoldIn)
ROTATION: Final[TypeAdapter[RotationIn]] = TypeAdapter(RotationIn)
DISABLE: Final[TypeAdapter[DisableIn]] = TypeAdapter(DisableIn)
REPLAY: Final[TypeAdapter[ReplayIn]] = TypeAdapter(ReplayIn)
ENDPOINT: Final[TypeAdapter[EndpointIn]] = TypeAdapter(EndpointIn)
