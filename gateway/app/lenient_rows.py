"""What a faulty row says all the same: the paper of an object that the API refuses.

A name that is too long, a quantity of 0 or a missing phone is something that a rule has a name for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gateway.api.edge import read_moment
from gateway.app.import_rows import FileKind
from gateway.domain.ids import Direction
from gateway.domain.money import Currency, Money, plain
from gateway.domain.papers import (
    Consignee,
    Deduction,
    DeductionKind,
    IdentityCheck,
    Masked,
    Order,
    OrderLine,
    Paper,
    PaymentPart,
    PaymentRef,
    PaymentSlip,
    Person,
    Waybill,
    as_sent,
)

_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,10})?", re.ASCII)
_CHINA: Final = "142"
# Any: a JSON object.
Doc = dict[str, Any]


class _Unreadable(Exception):
    """A number without which nothing can be said of a paper."""


def lenient(kind: FileKind, direction: Direction | None, doc: Doc) -> Paper | None:
    """The paper of an object that the API refuses; None when a number of it cannot be read."""
    make = _MAKE.get(kind)
    try:
        if make is None:
            return None
        return make(_as_import(kind, doc) if direction is Direction.EXPORT else doc)
    except _Unreadable:
        return None


def number_of(doc: Doc, path: str) -> str | None:
    """A number of a paper without the space around it, for which the row has its fault."""
    text = _text(doc, path)
    return text and text.strip()


def _as_import(kind: FileKind, doc: Doc) -> Doc:
    """A paper of an export in the fields of an import, as intake fills what it does not say."""
    match kind:
        case FileKind.ORDER:
            paid = _decimal(doc, "goods_value") + _decimal(doc, "freight")
            given = doc.get("lines")
            lines = [
                {"model": "", "origin": _CHINA, **one}
                for one in (given if isinstance(given, list) else [])
                if isinstance(one, dict)
            ]
            return {**doc, "discount": "0", "tax": "0", "paid": plain(paid), "lines": lines}
        case FileKind.PAYMENT:
            renamed = {"transaction_id": doc.get("receipt_no"), "paid_at": doc.get("received_at")}
            return {**doc, **renamed}
        case _:
            return doc


def _at(doc: Doc, path: str) -> Any:
    """The JSON value at a dotted path, None where there is none."""
    found: Any = doc
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(doc: Doc, path: str) -> str | None:
    value = _at(doc, path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _maybe_decimal(doc: Doc, path: str) -> Decimal | None:
    value = _at(doc, path)
    text = str(value) if isinstance(value, str | int | float) else ""  # a JSON float is its text
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _decimal(doc: Doc, path: str) -> Decimal:
    found = _maybe_decimal(doc, path)
    if found is None:
        raise _Unreadable
    return found


def _moment(doc: Doc, path: str) -> datetime | None:
    try:
        return read_moment(_text(doc, path) or "")
    except ValueError:
        return None


def _person(doc: Doc, path: str) -> Person:
    def personal(name: str) -> str | Masked | None:
        return as_sent(_text(doc, f"{path}.{name}"))

    return Person(
        name=personal("name"),
        id_type=_text(doc, f"{path}.id_type"),
        id_number=personal("id_number"),
        phone=personal("phone"),
        account=_text(doc, f"{path}.account"),
    )


def _consignee(doc: Doc) -> Consignee:
    return Consignee(
        as_sent(_text(doc, "consignee.name")),
        as_sent(_text(doc, "consignee.phone")),
        as_sent(_text(doc, "consignee.address"), "**"),
        _text(doc, "consignee.district"),
    )


def _buyer(doc: Doc) -> Person:
    """Who ordered; a row that is silent about the document means the resident identity card."""
    found = _person(doc, "buyer")
    return found if found.id_type is not None else replace(found, id_type="1")


def _order(doc: Doc) -> Order:
    currency = Currency(_text(doc, "currency") or "CNY")
    lines = doc.get("lines")

    def money(name: str) -> Money:
        return Money(_decimal(doc, name), currency)

    return Order(
        order_no=number_of(doc, "order_no") or "",
        goods_value=money("goods_value"),
        freight=money("freight"),
        discount=money("discount"),
        tax=money("tax"),
        paid=money("paid"),
        lines=tuple(
            _line(one, index, currency)
            for index, one in enumerate(lines if isinstance(lines, list) else [], 1)
        ),
        buyer=_buyer(doc),
        consignee=_consignee(doc),
        payment=PaymentRef(
            *(
                _text(doc, f"payment.{name}")
                for name in ("company_code", "company_name", "transaction_id")
            )
        ),
        waybill_no=number_of(doc, "waybill_no"),
        batch_numbers=_text(doc, "batch_numbers"),
        ordered_at=_moment(doc, "ordered_at"),
        note=_text(doc, "note"),
        destination=_text(doc, "destination"),
        shop_order_no=_text(doc, "shop_order_no"),
        deductions=_deductions(doc, currency),
    )


def _line(one: Any, index: int, currency: Currency) -> OrderLine:
    doc: Doc = one if isinstance(one, dict) else {}
    number = doc.get("line_no", index)
    return OrderLine(
        line_no=number if isinstance(number, int) else index,
        sku=_text(doc, "sku") or "",
        name=_text(doc, "name") or "",
        model=_text(doc, "model") or "",
        quantity=_decimal(doc, "quantity"),
        unit=_text(doc, "unit") or "",
        price=Money(_decimal(doc, "price"), currency),
        total=Money(_decimal(doc, "total"), currency),
        origin=_text(doc, "origin") or "",
        barcode=_text(doc, "barcode"),
        description=_text(doc, "description"),
        note=_text(doc, "note"),
    )


def _deductions(doc: Doc, currency: Currency) -> tuple[Deduction, ...]:
    """The deductions that can be read; of those that cannot the row has its faults."""
    given = doc.get("deductions")
    found: list[Deduction] = []
    for one in given if isinstance(given, list) else []:
        kind, amount, line = _text(one, "kind"), _maybe_decimal(one, "amount"), _at(one, "line_no")
        if kind in tuple(DeductionKind) and amount is not None:
            money, line_no = Money(amount, currency), line if isinstance(line, int) else None
            is_inside = _at(one, "is_in_prices") is True
            found.append(Deduction(DeductionKind(kind), money, line_no, is_inside))
    return tuple(found)


def _payment(doc: Doc) -> PaymentSlip:
    check, part = _text(doc, "identity_check"), _text(doc, "part")
    currency = Currency(_text(doc, "currency") or "CNY")

    def maybe_money(name: str) -> Money | None:
        found = _maybe_decimal(doc, name)
        return None if found is None else Money(found, currency)

    return PaymentSlip(
        transaction_id=number_of(doc, "transaction_id") or "",
        amount=Money(_decimal(doc, "amount"), currency),
        order_no=number_of(doc, "order_no"),
        company_code=_text(doc, "company_code"),
        company_name=_text(doc, "company_name"),
        payer=_person(doc, "payer"),
        identity_check=IdentityCheck(check) if check in tuple(IdentityCheck) else None,
        paid_at=_moment(doc, "paid_at"),
        note=_text(doc, "note"),
        part=PaymentPart(part) if part in tuple(PaymentPart) else None,
        original_id=_text(doc, "original_id"),
        original_amount=maybe_money("original_amount"),
        refunded=maybe_money("refunded"),
        attempt_no=_text(doc, "attempt_no"),
        place=_text(doc, "place"),
    )


def _waybill(doc: Doc) -> Waybill:
    freight, insurance = _maybe_decimal(doc, "freight"), _maybe_decimal(doc, "insurance")
    currency = Currency(_text(doc, "currency") or "CNY")
    count = doc.get("pack_count")
    return Waybill(
        waybill_no=number_of(doc, "waybill_no") or "",
        order_no=number_of(doc, "order_no"),
        carrier_code=_text(doc, "carrier_code"),
        carrier_name=_text(doc, "carrier_name"),
        freight=None if freight is None else Money(freight, currency),
        insurance=None if insurance is None else Money(insurance, currency),
        gross_weight_kg=_maybe_decimal(doc, "gross_weight_kg"),
        net_weight_kg=_maybe_decimal(doc, "net_weight_kg"),
        pack_count=count if isinstance(count, int) and not isinstance(count, bool) else None,
        goods_info=_text(doc, "goods_info"),
        consignee=_consignee(doc),
        bill_no=_text(doc, "bill_no"),
        transport_no=_text(doc, "transport_no"),
        voyage_no=_text(doc, "voyage_no"),
        note=_text(doc, "note"),
    )


_MAKE: Final[Mapping[FileKind, Callable[[Doc], Paper]]] = {
    FileKind.ORDER: _order,
    FileKind.PAYMENT: _payment,
    FileKind.WAYBILL: _waybill,
}
