"""The columns of tables of papers: the API's JSON names joined by points, and what each holds."""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, TypeAdapter

from gateway.api.edge import GoodsIn, OrderIn, PaymentIn, WaybillIn
from gateway.app.import_rows import FileKind

_MODEL: Final[Mapping[FileKind, type[BaseModel]]] = {
    FileKind.ORDER: OrderIn,
    FileKind.PAYMENT: PaymentIn,
    FileKind.WAYBILL: WaybillIn,
    FileKind.GOODS: GoodsIn,
}
KEY: Final[Mapping[FileKind, str]] = {
    FileKind.ORDER: "order_no",
    FileKind.PAYMENT: "transaction_id",
    FileKind.WAYBILL: "waybill_no",
    FileKind.GOODS: "sku",
}


# A second list beside the lines has no place in a row.
_NOT_IN_TABLES: Final = frozenset({"deductions"})


class Content(Enum):
    """What a cell of a column holds."""

    TEXT = "text"
    AMOUNT = "amount"
    WHOLE = "whole"
    DAY = "day"
    MOMENT = "moment"


def columns_of(kind: FileKind) -> tuple[str, ...]:
    """The columns that a table of one kind may have, in the order of the API's fields."""
    return tuple(contents_of(kind))


@cache
def contents_of(kind: FileKind) -> Mapping[str, Content]:
    """The columns that a table of one kind may have, with what each holds."""
    if kind is not FileKind.MIXED:
        return dict(_flat(_MODEL[kind]))
    found: dict[str, Content] = {}
    for one in _MODEL:
        found |= {name: held for name, held in contents_of(one).items() if name not in found}
    return found


def _flat(model: type[BaseModel]) -> Iterator[tuple[str, Content]]:
    """Every field by its dotted name, and what it holds."""
    # An explicit stack: a model's depth is small, but it is not ours to know.
    waiting: list[tuple[str, type[BaseModel]]] = [("", model)]
    while waiting:
        prefix, at = waiting.pop(0)
        for name, info in at.model_fields.items():
            if name in _NOT_IN_TABLES:
                continue
            inner = _inner_model(info.annotation)
            if inner is None:
                # Any: an annotation that is only known here.
                kind: Any = Annotated[info.annotation, *info.metadata, None]
                yield prefix + name, _content(TypeAdapter(kind).json_schema())
            else:
                waiting.append((f"{prefix}{name}.", inner))


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _content(schema: Mapping[str, Any]) -> Content:
    """What a value of a JSON schema is (Any: JSON): an amount is text or a whole number."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    one = options[0]
    if "oneOf" in one:
        return Content.AMOUNT
    if one.get("type") == "integer":
        return Content.WHOLE
    by_format = {"date": Content.DAY, "date-time": Content.MOMENT}
    return by_format.get(one.get("format", ""), Content.TEXT)
