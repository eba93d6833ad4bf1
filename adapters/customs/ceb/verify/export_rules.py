"""Rules of export messages: what each trade mode needs, and what belongs together.

Source: reading guide of the export messages (trade modes, notes).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from adapters.customs.ceb.verify.records import Record
from adapters.customs.ceb.verify.rule import Hit, MessageRule
from gateway.domain.findings import Severity
from gateway.domain.money import plain

_ZONE: Final = frozenset({"1210", "1239"})
_MODES: Final = frozenset({"9610", "1210", "1239", "9710", "9810"})
_ZONE_FIELDS: Final = ("iacCode", "iacName", "emsNo")


def trade_mode(record: Record) -> Iterator[Hit]:
    """The trade mode is one of export."""
    mode = record.text("tradeMode")
    if mode and mode not in _MODES:
        yield Hit(record.at("tradeMode"), {"mode": mode[:8]})


def zone_fields(record: Record) -> Iterator[Hit]:
    """Goods of a special zone name its enterprise, account book and the record of each item."""
    mode = record.text("tradeMode")
    if mode not in _ZONE:
        return
    for name in _ZONE_FIELDS:
        if not record.text(name):
            yield Hit(record.at(name), {"field": name, "mode": mode})
    for line in record.lines:
        if not line.values.get("itemRecordNo"):
            yield Hit(f"{line.path}/itemRecordNo", {"field": "itemRecordNo", "mode": mode})


def forbidden_fields(record: Record) -> Iterator[Hit]:
    """Goods from outside a zone have no account book."""
    mode = record.text("tradeMode")
    if mode in _MODES and mode not in _ZONE:
        for name in _ZONE_FIELDS:
            if record.text(name):
                yield Hit(record.at(name), {"field": name, "mode": mode})


def charge(record: Record) -> Iterator[Hit]:
    """Money that came in is greater than 0."""
    amount = record.number("charge")
    if amount is not None and amount <= 0:
        yield Hit(record.at("charge"), {"amount": plain(amount)})


def pieces(record: Record) -> Iterator[Hit]:
    """A parcel has at least one piece."""
    count = record.number("packNo")
    if count is not None and count < Decimal(1):
        yield Hit(record.at("packNo"), {"count": plain(count)})


def return_mode(record: Record) -> Iterator[Hit]:
    """The text asks for 9661 or 1261 where the schema leaves it open."""
    mode = record.text("tradeMode")
    if mode not in ("9661", "1261"):
        yield Hit(record.at("tradeMode"), {"mode": mode[:8]})


def summary_period(record: Record) -> Iterator[Hit]:
    """A summary by period names both ends in order; one by list names its inventories."""
    start, end = record.text("startTime"), record.text("endTime")
    if bool(start) != bool(end) or (start and end and start > end):
        yield Hit(record.at("endTime" if start else "startTime"))


_B, _W = Severity.BLOCK, Severity.WARN
_603: Final = frozenset({"603"})

RULES: Final[tuple[MessageRule, ...]] = (
    MessageRule(
        "CEB-EXPORT-MODE", _603, _B,
        "监管方式 {mode} 不是 9610、1210、1239、9710 或 9810。",
        "The trade mode {mode} is none of 9610, 1210, 1239, 9710, 9810.",
        "export trade modes", trade_mode,
    ),
    MessageRule(
        "CEB-ZONE-FIELDS", _603, _B,
        "监管方式 {mode} 必须填写 {field}。", "{field} is required for {mode}.",
        "export trade modes", zone_fields,
    ),
    MessageRule(
        "CEB-ZONE-FORBIDDEN", _603, _W,
        "监管方式 {mode} 不应填写 {field}。", "{field} has no place in an inventory of {mode}.",
        "export trade modes", forbidden_fields,
    ),
    MessageRule(
        "CEB-CHARGE", frozenset({"403"}), _B,
        "收款金额 {amount} 必须大于 0。", "The amount received, {amount}, must be greater than 0.",
        "field tables of the messages", charge,
    ),
    MessageRule(
        "CEB-PIECES", frozenset({"505", "603"}), _B,
        "件数 {count} 必须至少为 1。", "There are {count} pieces; 1 is the least.",
        "field tables of the messages", pieces,
    ),
    MessageRule(
        "CEB-RETURN-MODE", frozenset({"213"}), _W,
        "退货监管方式应为 9661 或 1261（现为“{mode}”）。",
        'A return has the trade mode 9661 or 1261 (now "{mode}").',
        "export note 1", return_mode,
    ),
    MessageRule(
        "CEB-SUMMARY-PERIOD", frozenset({"701"}), _B,
        "汇总起止时间须同时填写且起不晚于止。", "Begin and end of a summary come both, in order.",
        "field tables of the messages", summary_period,
    ),
)  # fmt: skip
