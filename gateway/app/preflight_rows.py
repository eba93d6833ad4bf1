"""The rows of files to be tried, each as a paper or a reason: NDJSON, JSON, CSV, XLSX, CEB XML.

A row that the API would refuse is judged all the same where it can be: a name that is too long, a
quantity of 0 or a missing phone is something that a rule has a name for. What no rule speaks of is
told as a fault of the row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

import orjson

from gateway.api.decode import GoodsItem, PaperItem, decode, to_item
from gateway.api.edge import BATCH_LINE
from gateway.api.faults import Fault, InvalidFields, InvalidJSON
from gateway.app.ceb_exports import export_docs_of, export_faults_of
from gateway.app.ceb_rows import CEBFile, CEBRecord, docs_of, read_messages, schema_faults
from gateway.app.import_columns import columns_of
from gateway.app.import_files import open_rows
from gateway.app.import_rows import FileKind, Item, RowFaulty, UnusableFile
from gateway.app.import_sheet import header_of
from gateway.app.lenient_rows import lenient, number_of
from gateway.domain.ids import Direction
from gateway.domain.papers import Paper, PaperKind
from schemas.errors import SchemaError
from schemas.explain import Fault as SchemaFault

UNNAMED_PROFILE: Final = "unnamed-profile"
MOST_ROWS: Final = 200_000
_ENDINGS: Final = (".ndjson", ".jsonl", ".json", ".csv", ".xlsx", ".xml")
_XML_BYTES: Final = 10 * 1024 * 1024
_TYPES: Final[Mapping[str, tuple[FileKind, Direction | None]]] = {
    "order": (FileKind.ORDER, Direction.IMPORT),
    "payment": (FileKind.PAYMENT, Direction.IMPORT),
    "waybill": (FileKind.WAYBILL, Direction.IMPORT),
    "export_order": (FileKind.ORDER, Direction.EXPORT),
    "funds_receipt": (FileKind.PAYMENT, Direction.EXPORT),
    "export_waybill": (FileKind.WAYBILL, Direction.EXPORT),
    "goods": (FileKind.GOODS, None),
}
# Any: a JSON object.
Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """One row: what it holds as far as it could be read, and what the API would say of it.

    ``item`` is what intake takes; ``paper`` is there for a faulty row too where it can be judged.
    ``head`` are the fields of the head by element, of customs' XML; ``is_inventory`` marks what an
    inventory says of a paper or of its goods. Goods records of the API are of both directions.
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
    direction: Direction | None = None

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
    if suffix not in _ENDINGS:
        names = f"{', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}"
        raise UnusableFile(
            f"{path.name}: name the file {names} by what it holds", "请改用所列扩展名之一"
        )
    if suffix == ".xml":
        return _read_xml(path)
    if suffix == ".json":
        return GivenFile(tuple(_json_rows(path)))
    try:
        with path.open("rb") as file:
            given = GivenFile(tuple(_table_rows(path, file, kind)))
    except UnusableFile as error:
        raise UnusableFile(f"{path.name}: {error.en}", error.zh) from None
    if given.rows and all(row.kind is None for row in given.rows):
        fault = given.rows[0].faults[0]
        raise UnusableFile(
            f"{path.name}: no row can be read; {given.rows[0].place}: {fault.message}",
            f"没有可读的行：{fault.message_zh}",
        )
    return given


def _table_rows(path: Path, file: IO[bytes], kind: FileKind | None) -> Iterator[Given]:
    wanted = kind or _kind_of_header(path, file)
    source = open_rows(path, file, wanted, None)
    for count, row in enumerate(source.rows()):
        if count >= MOST_ROWS:
            raise UnusableFile(
                f"has more than {MOST_ROWS} rows; split the file",
                f"超过 {MOST_ROWS} 行，请拆分文件",
            )
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
    is_waybill = {"waybill_no", "currency"} <= names and not any("." in one for one in names)
    if is_waybill or names & _OF_EXPORTS:
        raise UnusableFile(
            "tables hold papers of imports; give those of exports as NDJSON, JSON or customs' XML",
            "表格仅支持进口单证，出口单证请用 NDJSON、JSON 或海关报文",
        )
    if "type" in names:
        return FileKind.MIXED
    kinds = (FileKind.ORDER, FileKind.PAYMENT, FileKind.WAYBILL, FileKind.GOODS)
    return max(kinds, key=lambda one: len(names & set(columns_of(one))))


# Columns that only papers of exports would have.
_OF_EXPORTS: Final = frozenset({"destination", "receipt_no", "received_at"})


def _json_rows(path: Path) -> Iterator[Given]:
    """One object, several in an array, or the body of ``POST /v1/preflight``."""
    if path.stat().st_size > _XML_BYTES:
        raise UnusableFile(
            f"{path.name}: has more than 10 MiB; give NDJSON instead", "超过 10 MiB，请改用 NDJSON"
        )
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise UnusableFile(f"{path.name}: is no JSON: {error}", "不是合法的 JSON") from None
    for index, one in enumerate(found if isinstance(found, list) else [found]):
        if not isinstance(one, dict):
            raise UnusableFile(
                f"{path.name}: must hold objects, one for each paper", "应为对象，每份单证一个"
            )
        parts = [(name, one[name]) for name in _TYPES if name != "goods" and name in one]
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
        raise UnusableFile(f"{path.name}: has more than 10 MiB", "超过 10 MiB")
    return read_xml(path.name, path.read_bytes())


def read_xml(name: str, data: bytes, most_records: int | None = None) -> GivenFile:
    """The rows of customs' XML; ``name`` is for what is told of it.

    Raises ``UnusableFile`` when it is no message of papers, or has more records than it may.
    """
    try:
        messages = read_messages(data)
    except SchemaError as error:
        raise UnusableFile(f"{name}: {error} [{error.code}]", "不是可读的 XML 报文") from None
    if not any(one.records for one in messages):
        names = ", ".join(dict.fromkeys(one.name for one in messages))
        raise UnusableFile(
            f"{name}: holds no order, payment, waybill or inventory (it is a {names})",
            "报文中没有订单、支付单、运单或清单",
        )
    if most_records is not None and sum(len(one.records) for one in messages) > most_records:
        raise UnusableFile(
            f"{name}: holds more than {most_records} records; send it in parts",
            f"超过 {most_records} 条记录，请分批提交",
        )
    rows = [
        row
        for message in messages
        for record in message.records
        for row in _record_rows(_place(record, message.name if len(messages) > 1 else ""), record)
    ]
    return GivenFile(tuple(rows), messages, tuple(schema_faults(one) for one in messages))


def _record_rows(place: str, record: CEBRecord) -> Iterator[Given]:
    """What one record says of papers and goods, the head of the message beside each."""
    is_export = record.direction is Direction.EXPORT
    faults = export_faults_of(record) if is_export else ()
    for doc in export_docs_of(record) if is_export else docs_of(record):
        row = given_of(place, doc)
        yield replace(
            row,
            head=record.head,
            is_inventory=record.is_inventory,
            direction=record.direction,
            order_no=row.order_no or record.head.get("orderNo"),
            faults=(*row.faults, *faults) if row.kind is FileKind.ORDER else row.faults,
        )


def _place(record: CEBRecord, message: str) -> str:
    at = f"record {record.number} (line {record.line})"
    return f"{message} {at}" if message else at


def given_of(place: str, doc: Doc) -> Given:
    """What a JSON object is, as intake would take it or as far as it can be judged."""
    name = _type_of(doc)
    if name is None:
        text = (
            "is not given, or none of order, payment, waybill and goods (of an export:"
            " export_order, funds_receipt, export_waybill); say what the row is"
        )
        chinese = (
            "未填或取值有误：应为 order、payment、waybill、goods"
            "（出口为 export_order、funds_receipt、export_waybill）"
        )
        return Given(place, None, None, faults=(Fault("type", text, chinese),))
    kind, direction = _TYPES[name]
    profile = doc.get("profile") if isinstance(doc.get("profile"), str) else None
    order_no = number_of(doc, "order_no")
    named = {**doc, "type": name, "profile": profile or UNNAMED_PROFILE}
    item: PaperItem | GoodsItem | None = None
    paper: Paper | None = None
    faults: tuple[Fault, ...] = ()
    try:
        item = to_item(decode(BATCH_LINE, orjson.dumps(named)))
    except InvalidFields as error:
        faults = error.faults
        paper = lenient(kind, direction, doc)
    except InvalidJSON as error:
        faults = (error.fault,)
    if isinstance(item, PaperItem):
        paper = item.paper
    return Given(place, kind, profile, order_no, item, paper, faults, direction=direction)


def _type_of(doc: Doc) -> str | None:
    """The type that a row names, else the one that its fields leave no doubt of."""
    if "type" in doc:
        return next((name for name in _TYPES if name == doc["type"]), None)
    is_export = "destination" in doc or ("currency" in doc and "consignee" not in doc)
    for field_name, name in (
        ("lines", "export_order" if "destination" in doc else "order"),
        ("hs_code", "goods"),
        ("receipt_no", "funds_receipt"),
        ("transaction_id", "payment"),
        ("waybill_no", "export_waybill" if is_export else "waybill"),
    ):
        if field_name in doc:
            return name
    return None
