"""The rows of files to be tried, each as a paper or a reason: NDJSON, JSON, CSV, XLSX, CEB XML.

A row that the API would refuse is judged all the same where it can be: a name that is too long, a
quantity of 0 or a missing phone is something that a rule has a name for. What no rule speaks of is
told as a fault of the row.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

import orjson

from gateway.api.decode import GoodsItem, PaperItem, decode, to_item
from gateway.api.edge import BATCH_LINE, read_moment
from gateway.api.faults import Fault, InvalidFields, InvalidJSON
from gateway.app.ceb_rows import CEBFile, CEBRecord, docs_of, read_messages, schema_faults
from gateway.app.import_columns import columns_of
from gateway.app.import_files import open_rows
from gateway.app.import_rows import FileKind, Item, RowFaulty, UnusableFile
from gateway.app.import_sheet import header_of
from gateway.domain.money import Currency, Money
from gateway.domain.papers import (
    Consignee,
    IdentityCheck,
    Masked,
    Order,
    OrderLine,
    Paper,
    PaperKind,
    PaymentRef,
    PaymentSlip,
    Person,
    Waybill,
    as_sent,
)
from schemas.errors import SchemaError
from schemas.explain import Fault as SchemaFault

UNNAMED_PROFILE: Final = "unnamed-profile"
MOST_ROWS: Final = 200_000
_XML_BYTES: Final = 10 * 1024 * 1024
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,10})?", re.ASCII)
# Any: a JSON object.
Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """One row: what it holds as far as it could be read, and what the API would say of it.

    ``item`` is what intake takes; ``paper`` is there for a faulty row too where it can be judged.
    ``head`` are the fields of the head by element, of customs' XML; ``is_inventory`` marks what an
    inventory says of a paper or of its goods.
    """

    place: str
    kind: FileKind | None
    profile: str | None
    order_no: str | None = None
    item: Item | None = None
    paper: Paper | None = None
    faults: tuple[Fault, ...] = ()
    head: Mapping[str, str] = field(default_factory=dict)
    is_inventory: bool = False

    @property
    def paper_kind(self) -> PaperKind | None:
        """Which paper the row is, None for goods records and what could not be read."""
        return next((one for one in PaperKind if one.value == self.kind), None)


@dataclass(frozen=True, slots=True)
class GivenFile:
    """The rows of a file; ``messages`` are those of customs' XML, ``schema`` what each breaks."""

    rows: tuple[Given, ...]
    messages: tuple[CEBFile, ...] = ()
    schema: tuple[tuple[SchemaFault, ...], ...] = ()


def read_rows(path: Path, kind: FileKind | None) -> GivenFile:
    """All rows of a file by its name's ending; ``kind`` is for rows that do not say what they are.

    Raises ``UnusableFile`` when nothing of it can be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return _read_xml(path)
    if suffix == ".json":
        return GivenFile(tuple(_json_rows(path)))
    with path.open("rb") as file:
        given = GivenFile(tuple(_table_rows(path, file, kind)))
    if given.rows and all(row.kind is None for row in given.rows):
        fault = given.rows[0].faults[0]
        raise UnusableFile(
            f"{path.name}: no row can be read; {given.rows[0].place}: {fault.message}"
        )
    return given


def _table_rows(path: Path, file: IO[bytes], kind: FileKind | None) -> Iterator[Given]:
    wanted = kind or _kind_of_header(path, file)
    source = open_rows(path, file, wanted, None)
    for count, row in enumerate(source.rows()):
        if count >= MOST_ROWS:
            raise UnusableFile(f"{path.name}: has more than {MOST_ROWS} rows; split the file")
        place = f"row {row.number}"
        if row.faults:
            yield Given(place, None, None, faults=row.faults)
            continue
        try:
            doc = source.doc(row)
        except RowFaulty as error:
            yield Given(place, None, None, faults=error.faults)
            continue
        if wanted is not FileKind.MIXED:
            doc["type"] = wanted.value
        yield given_of(place, doc)


def _kind_of_header(path: Path, file: IO[bytes]) -> FileKind:
    """What the rows of a table are, by its columns; other files say so row by row."""
    match path.suffix.lower():
        case ".csv":
            head = file.readline(64 * 1024).decode("utf-8-sig", errors="replace")
            file.seek(0)
            names = {name.strip().strip('"') for name in head.split(",")}
        case ".xlsx":
            names = {name.strip() for name in header_of(file)}
        case _:
            return FileKind.MIXED
    if "type" in names:
        return FileKind.MIXED
    kinds = (FileKind.ORDER, FileKind.PAYMENT, FileKind.WAYBILL, FileKind.GOODS)
    return max(kinds, key=lambda one: len(names & set(columns_of(one))))


def _json_rows(path: Path) -> Iterator[Given]:
    """One object, several in an array, or the body of ``POST /v1/preflight``."""
    if path.stat().st_size > _XML_BYTES:
        raise UnusableFile(f"{path.name}: has more than 10 MiB; give NDJSON instead")
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise UnusableFile(f"{path.name}: is no JSON: {error}") from None
    for index, one in enumerate(found if isinstance(found, list) else [found]):
        if not isinstance(one, dict):
            raise UnusableFile(f"{path.name}: must hold objects, one for each paper")
        parts = [(kind.value, one[kind.value]) for kind in PaperKind if kind.value in one]
        parts = [(name, part) for name, part in parts if isinstance(part, dict)]
        if not parts or "order_no" in one:
            yield given_of(f"item {index + 1}", one)
            continue
        goods = one.get("goods", [])
        parts += [("goods", part) for part in goods if isinstance(part, dict)]
        for name, part in parts:
            yield given_of(f"item {index + 1} {name}", {**part, "type": name})


def _read_xml(path: Path) -> GivenFile:
    if path.stat().st_size > _XML_BYTES:
        raise UnusableFile(f"{path.name}: has more than 10 MiB")
    return read_xml(path.name, path.read_bytes())


def read_xml(name: str, data: bytes, most_records: int | None = None) -> GivenFile:
    """The rows of customs' XML; ``name`` is for what is told of it.

    Raises ``UnusableFile`` when it is no message of papers, or has more records than it may.
    """
    try:
        messages = read_messages(data)
    except SchemaError as error:
        raise UnusableFile(f"{name}: {error} [{error.code}]") from None
    if not any(one.records for one in messages):
        names = ", ".join(dict.fromkeys(one.name for one in messages))
        raise UnusableFile(
            f"{name}: holds no order, payment, waybill or inventory (it is a {names})"
        )
    if most_records is not None and sum(len(one.records) for one in messages) > most_records:
        raise UnusableFile(f"{name}: holds more than {most_records} records; send it in parts")
    rows = [
        replace(given_of(place, doc), head=record.head, is_inventory=record.is_inventory)
        for message in messages
        for record in message.records
        for place in [_place(record, message.name if len(messages) > 1 else "")]
        for doc in docs_of(record)
    ]
    return GivenFile(tuple(rows), messages, tuple(schema_faults(one) for one in messages))


def _place(record: CEBRecord, message: str) -> str:
    at = f"record {record.number} (line {record.line})"
    return f"{message} {at}" if message else at


def given_of(place: str, doc: Doc) -> Given:
    """What a JSON object is, as intake would take it or as far as it can be judged."""
    kind = _kind_of(doc)
    if kind is None:
        text = "says not what it is: add type (order, payment, waybill or goods)"
        fault = Fault("type", text, "请填 type：order、payment、waybill 或 goods")
        return Given(place, None, None, faults=(fault,))
    profile = doc.get("profile") if isinstance(doc.get("profile"), str) else None
    order_no = _number(doc, "order_no")
    named = {**doc, "type": kind.value, "profile": profile or UNNAMED_PROFILE}
    item: PaperItem | GoodsItem | None = None
    paper: Paper | None = None
    faults: tuple[Fault, ...] = ()
    try:
        item = to_item(decode(BATCH_LINE, orjson.dumps(named)))
    except InvalidFields as error:
        faults = error.faults
        paper = lenient(kind, doc)
    except InvalidJSON as error:
        faults = (error.fault,)
    if isinstance(item, PaperItem):
        paper = item.paper
    return Given(place, kind, profile, order_no, item, paper, faults)


def _kind_of(doc: Doc) -> FileKind | None:
    """The type that a row names, else the one that its fields leave no doubt of."""
    if "type" in doc:
        named = doc["type"]
        kinds = [one for one in FileKind if one is not FileKind.MIXED]
        return next((one for one in kinds if one.value == named), None)
    for name, kind in (
        ("lines", FileKind.ORDER),
        ("hs_code", FileKind.GOODS),
        ("transaction_id", FileKind.PAYMENT),
        ("waybill_no", FileKind.WAYBILL),
    ):
        if name in doc:
            return kind
    return None


# --- what a faulty row says all the same ------------------------------------------------------


class _Unreadable(Exception):
    """A number without which nothing can be said of a paper."""


def lenient(kind: FileKind, doc: Doc) -> Paper | None:
    """The paper of an object that the API refuses; None when a number of it cannot be read."""
    make = _MAKE.get(kind)
    try:
        return None if make is None else make(doc)
    except _Unreadable:
        return None


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


def _number(doc: Doc, path: str) -> str | None:
    """A number of a paper without the space around it, for which the row has its fault."""
    text = _text(doc, path)
    return text and text.strip()


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


def _order(doc: Doc) -> Order:
    currency = Currency(_text(doc, "currency") or "CNY")
    lines = doc.get("lines")

    def money(name: str) -> Money:
        return Money(_decimal(doc, name), currency)

    return Order(
        order_no=_number(doc, "order_no") or "",
        goods_value=money("goods_value"),
        freight=money("freight"),
        discount=money("discount"),
        tax=money("tax"),
        paid=money("paid"),
        lines=tuple(
            _line(one, index, currency)
            for index, one in enumerate(lines if isinstance(lines, list) else [], 1)
        ),
        buyer=_person({"buyer": {"id_type": "1", **(_at(doc, "buyer") or {})}}, "buyer"),
        consignee=_consignee(doc),
        payment=PaymentRef(
            *(
                _text(doc, f"payment.{name}")
                for name in ("company_code", "company_name", "transaction_id")
            )
        ),
        waybill_no=_number(doc, "waybill_no"),
        batch_numbers=_text(doc, "batch_numbers"),
        ordered_at=_moment(doc, "ordered_at"),
        note=_text(doc, "note"),
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


def _payment(doc: Doc) -> PaymentSlip:
    check = _text(doc, "identity_check")
    return PaymentSlip(
        transaction_id=_number(doc, "transaction_id") or "",
        amount=Money(_decimal(doc, "amount"), Currency(_text(doc, "currency") or "CNY")),
        order_no=_number(doc, "order_no"),
        company_code=_text(doc, "company_code"),
        company_name=_text(doc, "company_name"),
        payer=_person(doc, "payer"),
        identity_check=IdentityCheck(check) if check in tuple(IdentityCheck) else None,
        paid_at=_moment(doc, "paid_at"),
        note=_text(doc, "note"),
    )


def _waybill(doc: Doc) -> Waybill:
    freight, insurance = _maybe_decimal(doc, "freight"), _maybe_decimal(doc, "insurance")
    count = doc.get("pack_count")
    return Waybill(
        waybill_no=_number(doc, "waybill_no") or "",
        order_no=_number(doc, "order_no"),
        carrier_code=_text(doc, "carrier_code"),
        carrier_name=_text(doc, "carrier_name"),
        freight=None if freight is None else Money(freight),
        insurance=None if insurance is None else Money(insurance),
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
