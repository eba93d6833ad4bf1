"""From bytes to domain values: one parse, every fault with its path, nothing guessed.

``decode`` is on the path of every order: the bytes go to pydantic-core once, and plain functions
turn the checked model into frozen domain values. Everything slow (where a fault stands, what it is
called) happens only after something was wrong.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.api.edge import (
    BATCH_LINE,
    AnyIn,
    BuyerIn,
    ConsigneeIn,
    DeductionIn,
    ExportLineIn,
    ExportOrderIn,
    ExportWaybillIn,
    FundsReceiptIn,
    GoodsIn,
    LineIn,
    OrderIn,
    PaperIn,
    PayerIn,
    PaymentIn,
    WaybillIn,
)
from gateway.api.faults import (
    Fault,
    InvalidFields,
    InvalidJSON,
    broken_json,
    faults_of,
    text_fault,
    too_many_faults,
)
from gateway.api.repeats import repeated_keys
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import Direction, ProfileId
from gateway.domain.money import CNY, Currency, Money
from gateway.domain.papers import (
    Consignee,
    Deduction,
    DeductionKind,
    IdentityCheck,
    Order,
    OrderLine,
    Paper,
    PaymentPart,
    PaymentRef,
    PaymentSlip,
    Person,
    Waybill,
    as_sent,
    copy_source,
)

M = TypeVar("M", bound=BaseModel)

# Characters that XML 1.0 cannot carry and that JSON can smuggle in: as an escape, or raw as the
# two non-characters U+FFFE and U+FFFF. Lone surrogates never get past the JSON parser.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LOOSE_COLON: Final = re.compile(rb'"[ \t\r\n]+:')
# Building the details of a fault costs microseconds: a hostile body may not ask for a million.
FAULTS_BUILT: Final = 20_000
_NESTED: Final[dict[type[BaseModel], tuple[str, ...]]] = {}
_NO_REF: Final = PaymentRef()
_CHINA: Final = "142"


@dataclass(frozen=True, slots=True)
class PaperItem:
    """A paper as a caller sent it, with the profile it names."""

    profile_id: ProfileId
    order_no: str | None
    paper: Paper
    direction: Direction = Direction.IMPORT
    filed_by: str | None = None

    def source(self, usual: str) -> str:
        """The source of the paper: ``usual``, or the enterprise whose filed copy it is."""
        return usual if self.filed_by is None else copy_source(self.filed_by)


@dataclass(frozen=True, slots=True)
class GoodsItem:
    """A goods record as a caller sent it; its scope follows from the profile it names."""

    profile_id: ProfileId
    model: GoodsIn

    def record(self, scope: GoodsScope) -> GoodsRecord:
        """The domain value, version 0 until it is stored. Raises ``InvalidValue``."""
        record = _goods(self.model, scope)
        record.check()
        return record


def decode(adapter: TypeAdapter[M], raw: bytes) -> M:
    """The model that bytes hold.

    Raises :class:`InvalidJSON` when they are no JSON and :class:`InvalidFields` with every fault.
    """
    try:
        model: M = adapter.validator.validate_json(raw)
    except ValidationError as error:
        raise _refusal(raw, error, adapter is BATCH_LINE) from None
    if b"\\" in raw or b"\xef\xbf" in raw:
        faults = list(illegal_characters(model))
        if faults:
            raise InvalidFields(faults)
    if raw.count(b'":') != key_count(model) or _LOOSE_COLON.search(raw):
        faults = repeated_keys(raw)
        if faults:
            raise InvalidFields(faults)
    return model


def key_count(model: BaseModel) -> int:
    """How many different keys of the sender's objects a model was made of.

    No model takes an unknown key. So when ``":`` stands in the bytes just as often, and no colon
    stands off its key, no key is repeated; anything else (text may hold ``":`` too) is looked into.
    """
    number = len(model.__pydantic_fields_set__)
    nested = _NESTED.get(type(model))
    if nested is None:
        nested = _NESTED[type(model)] = _nesting_fields(type(model))
    values = model.__dict__
    for name in nested:
        value = values[name]
        for item in value if type(value) is list else (value,):
            number += 0 if item is None else key_count(item)
    return number


def _nesting_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields of a model that hold models: looking at every value is slow."""
    return tuple(
        name for name, field in model.model_fields.items() if _holds_models(field.annotation)
    )


def _holds_models(kind: object) -> bool:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return True
    return any(_holds_models(one) for one in get_args(kind))


def decode_line(raw: bytes) -> PaperItem | GoodsItem:
    """One line of a mixed batch, told apart by its ``type``; raises as :func:`decode`."""
    return to_item(decode(BATCH_LINE, raw))


def to_item(model: AnyIn) -> PaperItem | GoodsItem:
    """The domain side of a checked model."""
    if isinstance(model, GoodsIn):
        return GoodsItem(ProfileId(model.profile), model)
    is_export = isinstance(model, ExportOrderIn | FundsReceiptIn | ExportWaybillIn)
    direction = Direction.EXPORT if is_export else Direction.IMPORT
    filed_by = None if is_export else getattr(model, "filed_by", None)
    return PaperItem(ProfileId(model.profile), model.order_no, to_paper(model), direction, filed_by)


def to_paper(model: PaperIn) -> Paper:
    """The paper of a checked model."""
    return _CONVERT[type(model)](model)


def _refusal(raw: bytes, error: ValidationError, is_tagged: bool) -> InvalidJSON | InvalidFields:
    if error.error_count() > FAULTS_BUILT:
        return InvalidFields([too_many_faults(error.error_count())])
    details = error.errors(include_url=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return broken_json(raw, details[0]["ctx"]["error"])
    return InvalidFields(faults_of(details, is_tagged=is_tagged))


def illegal_characters(model: BaseModel) -> Iterator[Fault]:
    """Every text of a model that holds a character which XML cannot carry, by path."""
    pending: list[tuple[str, object]] = [("", model)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            if _ILLEGAL.search(value):
                yield text_fault(path)
        elif isinstance(value, BaseModel):
            prefix = f"{path}." if path else ""
            pending.extend((prefix + name, item) for name, item in value.__dict__.items())
        elif isinstance(value, list):
            pending.extend((f"{path}[{index}]", item) for index, item in enumerate(value))


# --- domain values ----------------------------------------------------------------------------


def _order(model: OrderIn) -> Order:
    currency = Currency(model.currency)
    buyer, payment = model.buyer, model.payment
    return Order(
        model.order_no,
        Money(Decimal(model.goods_value), currency),
        Money(Decimal(model.freight), currency),
        Money(Decimal(model.discount), currency),
        Money(Decimal(model.tax), currency),
        Money(Decimal(model.paid), currency),
        tuple([_line(line, currency) for line in model.lines]),
        _person(buyer),
        _consignee(model.consignee),
        _NO_REF
        if payment is None
        else PaymentRef(payment.company_code, payment.company_name, payment.transaction_id),
        model.waybill_no,
        model.batch_numbers,
        model.ordered_at,
        model.note,
        model.shop_order_no,
        tuple([_deduction(one, currency) for one in model.deductions]),
    )


def _deduction(model: DeductionIn, currency: Currency) -> Deduction:
    amount = Money(Decimal(model.amount), currency)
    return Deduction(DeductionKind(model.kind), amount, model.line_no, model.is_in_prices)


def _line(line: LineIn, currency: Currency) -> OrderLine:
    return OrderLine(
        line.line_no,
        line.sku,
        line.name,
        line.model,
        Decimal(line.quantity),
        line.unit,
        Money(Decimal(line.price), currency),
        Money(Decimal(line.total), currency),
        line.origin,
        line.barcode,
        line.description,
        line.note,
    )


def _consignee(model: ConsigneeIn) -> Consignee:
    return Consignee(
        as_sent(model.name), as_sent(model.phone), as_sent(model.address, "**"), model.district
    )


def _person(model: BuyerIn | PayerIn) -> Person:
    return Person(
        as_sent(model.name),
        model.id_type,
        as_sent(model.id_number),
        as_sent(model.phone),
        model.account,
    )


def _payment(model: PaymentIn) -> PaymentSlip:
    payer, check = model.payer, model.identity_check
    return PaymentSlip(
        transaction_id=model.transaction_id,
        amount=Money(Decimal(model.amount), Currency(model.currency)),
        order_no=model.order_no,
        company_code=model.company_code,
        company_name=model.company_name,
        payer=_person(payer),
        identity_check=None if check is None else IdentityCheck(check),
        paid_at=model.paid_at,
        note=model.note,
        part=None if model.part is None else PaymentPart(model.part),
        original_id=model.original_id,
        original_amount=_money(model.original_amount, model.currency),
        refunded=_money(model.refunded, model.currency),
        attempt_no=model.attempt_no,
        place=model.place,
    )


def _money(amount: str | int | None, currency: str = CNY) -> Money | None:
    return None if amount is None else Money(Decimal(amount), Currency(currency))


def _decimal(amount: str | int | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)


def _waybill(model: WaybillIn) -> Waybill:
    return Waybill(
        waybill_no=model.waybill_no,
        order_no=model.order_no,
        carrier_code=model.carrier_code,
        carrier_name=model.carrier_name,
        freight=_money(model.freight),
        insurance=_money(model.insurance),
        gross_weight_kg=_decimal(model.gross_weight_kg),
        net_weight_kg=_decimal(model.net_weight_kg),
        pack_count=model.pack_count,
        goods_info=model.goods_info,
        consignee=_consignee(model.consignee),
        bill_no=model.bill_no,
        transport_no=model.transport_no,
        voyage_no=model.voyage_no,
        note=model.note,
    )


def _goods(model: GoodsIn, scope: GoodsScope) -> GoodsRecord:
    return GoodsRecord(
        sku=model.sku,
        scope=scope,
        version=0,
        hs_code=model.hs_code,
        name=model.name,
        model=model.model,
        origin=model.origin,
        unit=model.unit,
        unit1=model.unit1,
        factor1=Decimal(model.factor1),
        net_weight_kg=Decimal(model.net_weight_kg),
        gross_weight_kg=Decimal(model.gross_weight_kg),
        unit2=model.unit2,
        factor2=_decimal(model.factor2),
        item_record_no=model.item_record_no,
        barcode=model.barcode,
        vat_rate=_decimal(model.vat_rate),
        consumption_rate=_decimal(model.consumption_rate),
        tariff_rate=_decimal(model.tariff_rate),
        rate_year=model.rate_year,
        valid_from=model.valid_from,
        valid_to=model.valid_to,
    )


def _export_order(model: ExportOrderIn) -> Order:
    """An order without what only imports declare: no discount, no tax, no buyer's identity."""
    currency = Currency(model.currency)
    goods_value, freight = Decimal(model.goods_value), Decimal(model.freight)
    nothing = Money(Decimal(0), currency)
    return Order(
        order_no=model.order_no,
        goods_value=Money(goods_value, currency),
        freight=Money(freight, currency),
        discount=nothing,
        tax=nothing,
        paid=Money(goods_value + freight, currency),
        lines=tuple([_export_line(line, currency) for line in model.lines]),
        waybill_no=model.waybill_no,
        ordered_at=model.ordered_at,
        note=model.note,
        destination=model.destination,
    )


def _export_line(line: ExportLineIn, currency: Currency) -> OrderLine:
    return OrderLine(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        model="",
        quantity=Decimal(line.quantity),
        unit=line.unit,
        price=Money(Decimal(line.price), currency),
        total=Money(Decimal(line.total), currency),
        origin=_CHINA,
        barcode=line.barcode,
        description=line.description,
        note=line.note,
    )


def _funds(model: FundsReceiptIn) -> PaymentSlip:
    return PaymentSlip(
        transaction_id=model.receipt_no,
        amount=Money(Decimal(model.amount), Currency(model.currency)),
        order_no=model.order_no,
        company_code=model.company_code,
        company_name=model.company_name,
        paid_at=model.received_at,
        note=model.note,
    )


def _export_waybill(model: ExportWaybillIn) -> Waybill:
    return Waybill(
        waybill_no=model.waybill_no,
        order_no=model.order_no,
        carrier_code=model.carrier_code,
        carrier_name=model.carrier_name,
        freight=_money(model.freight, model.currency),
        insurance=_money(model.insurance, model.currency),
        gross_weight_kg=Decimal(model.gross_weight_kg),
        pack_count=model.pack_count,
        goods_info=model.goods_info,
        bill_no=model.bill_no,
        transport_no=model.transport_no,
        voyage_no=model.voyage_no,
        note=model.note,
    )


# Any: each converter takes its own model, and the table is keyed by that model's type.
_CONVERT: Final[dict[type[PaperIn], Callable[[Any], Paper]]] = {
    OrderIn: _order,
    PaymentIn: _payment,
    WaybillIn: _waybill,
    ExportOrderIn: _export_order,
    FundsReceiptIn: _funds,
    ExportWaybillIn: _export_waybill,
}


def split_lines(body: bytes) -> Sequence[tuple[int, int]]:
    """Offset and length of each line of NDJSON that is not blank; a carriage return may end it."""
    found: list[tuple[int, int]] = []
    start, size = 0, len(body)
    while start < size:
        end = body.find(b"\n", start)
        end = size if end < 0 else end
        length = end - start - (end > start and body[end - 1] == 13)
        if length and not body[start : start + length].isspace():
            found.append((start, length))
        start = end + 1
    return found
