"""Rules that hold for messages of both directions: sums, lines, weights, codes, times, numbers."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from adapters.customs.ceb.verify.records import Record, number_of
from adapters.customs.ceb.verify.rule import Hit, MessageRule
from gateway.domain.codes import code_table
from gateway.domain.findings import Severity
from gateway.domain.money import plain
from gateway.domain.party import is_enterprise_code

_CENT: Final = Decimal("0.01")
_TIME: Final = re.compile(r"[0-9]{14}", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{8}", re.ASCII)
_THREE_DIGITS: Final = re.compile(r"[0-9]{3}", re.ASCII)
_NONE_WORDS: Final = frozenset({"无", "NA", "N/A"})

SENT: Final = frozenset(
    "213 215 303 311 403 411 505 507 509 511 513 603 605 607 621 623 625 701 711".split()
)
_LINED: Final = frozenset({"303", "311", "603", "621"})
_NUMBERED: Final = frozenset("213 303 311 507 509 603 607 621 625 711".split())
_SECOND_UNIT: Final = frozenset({"213", "603", "621", "625"})
_UNITS: Final = ("unit", "unit1", "unit2")
_COUNTRIES: Final = ("country", "tradeCountry")
_CURRENCIES: Final = ("currency", "fCurrency", "iCurrency")
_PARTIES: Final = (
    *("ebpCode", "ebcCode", "agentCode", "payCode", "logisticsCode", "assureCode", "areaCode"),
    *("ownerCode", "iacCode", "operatorCode", "declAgentCode"),
)
_TIMES: Final = ("appTime", "payTime", "logisticsTime", "accountingDate", "leaveTime")
_DAYS: Final = ("declTime", "ieDate")


def line_totals(record: Record) -> Iterator[Hit]:
    """Each total is quantity times price; a cent of rounding is told as a note."""
    for line in record.lines:
        quantity = number_of(line.values.get("qty"))
        price = number_of(line.values.get("price"))
        total = number_of(line.values.get("totalPrice"))
        if quantity is None or price is None or total is None:
            continue
        delta = total - quantity * price
        if delta:
            is_small = abs(delta) <= _CENT
            yield Hit(
                f"{line.path}/totalPrice",
                {"total": plain(total), "due": plain(quantity * price), "delta": plain(delta)},
                Severity.NOTE if is_small else None,
            )


def lines_sum(record: Record) -> Iterator[Hit]:
    """The line totals add up to the goods value of the head."""
    goods = record.number("goodsValue")
    totals = [number_of(line.values.get("totalPrice")) for line in record.lines]
    known = [total for total in totals if total is not None]
    if goods is None or not known or len(known) != len(totals):
        return
    total = sum(known, Decimal(0))
    if total != goods:
        params = {"total": plain(total), "goods": plain(goods), "delta": plain(total - goods)}
        yield Hit(record.at("goodsValue"), params)


def line_numbers(record: Record) -> Iterator[Hit]:
    """Line numbers do not repeat."""
    seen: set[str] = set()
    for line in record.lines:
        number = line.values.get("gnum", "")
        if number and number in seen:
            yield Hit(f"{line.path}/gnum", {"gnum": number})
        seen.add(number)


def second_unit(record: Record) -> Iterator[Hit]:
    """The second quantity and its unit come both or not at all."""
    for line in record.lines:
        quantity, unit = line.values.get("qty2", ""), line.values.get("unit2", "")
        if bool(quantity) != bool(unit):
            name = "unit2" if quantity else "qty2"
            yield Hit(f"{line.path}/{name}", {"missing": name})


def weights(record: Record) -> Iterator[Hit]:
    """The net weight does not exceed the gross weight."""
    gross, net = record.number("grossWeight"), record.number("netWeight")
    if gross is not None and net is not None and net > gross:
        yield Hit(record.at("netWeight"), {"net": plain(net), "gross": plain(gross)})


def one_parcel(record: Record) -> Iterator[Hit]:
    """One waybill is one parcel."""
    count = record.number("packNo")
    if count is not None and count != 1:
        yield Hit(record.at("packNo"), {"count": plain(count)})


def party_codes(record: Record) -> Iterator[Hit]:
    """An enterprise is named by 10 characters of customs or a valid social credit code."""
    for name in _PARTIES:
        code = record.text(name)
        if code and code not in _NONE_WORDS and not is_enterprise_code(code):
            yield Hit(record.at(name), {"field": name, "length": str(len(code))})


def units(record: Record) -> Iterator[Hit]:
    """Units are in the table of units."""
    yield from _unknown(record, _UNITS, "units")


def countries(record: Record) -> Iterator[Hit]:
    """Countries have three digits; one that our incomplete table lacks is only a note."""
    table = code_table("countries").codes
    for path, name, code in _values(record, _COUNTRIES):
        if code not in table:
            is_shaped = _THREE_DIGITS.fullmatch(code) is not None
            severity = Severity.NOTE if is_shaped else None
            yield Hit(path, {"field": name, "code": code[:8]}, severity)


def currencies(record: Record) -> Iterator[Hit]:
    """Currencies are in the table of currencies, which is incomplete: a note."""
    yield from _unknown(record, _CURRENCIES, "currencies")


def transport_modes(record: Record) -> Iterator[Hit]:
    """The mode of transport is in its table."""
    yield from _unknown(record, ("trafMode",), "transport_modes")


def wrap_types(record: Record) -> Iterator[Hit]:
    """The kind of packing is in its table, which is old and short: a note."""
    yield from _unknown(record, ("wrapType",), "wrap_types")


def times(record: Record) -> Iterator[Hit]:
    """Times and days of the head are moments of the calendar."""
    for names, form, pattern in ((_TIMES, _TIME, "%Y%m%d%H%M%S"), (_DAYS, _DAY, "%Y%m%d")):
        for name in names:
            text = record.text(name)
            if text and form.fullmatch(text) and not _is_moment(text, pattern):
                yield Hit(record.at(name), {"field": name})


def draft(record: Record) -> Iterator[Hit]:
    """A record that is only parked declares nothing."""
    if record.text("appStatus") == "1":
        yield Hit(record.at("appStatus"))


def upper_guid(record: Record) -> Iterator[Hit]:
    """A guid is sent in upper case."""
    guid = record.text("guid")
    if guid != guid.upper():
        yield Hit(record.at("guid"))


def parts(record: Record) -> Iterator[Hit]:
    """The number of a part is not above the number of parts, and begins with 1."""
    count, number = record.number("msgCount"), record.number("msgSeqNo")
    if count is not None and number is not None and not 1 <= number <= count:
        yield Hit(record.at("msgSeqNo"), {"number": plain(number), "count": plain(count)})


def unsigned_weight(record: Record) -> Iterator[Hit]:
    """A parcel weighs something."""
    for name in ("weight", "grossWeight"):
        weight = record.number(name)
        if weight is not None and weight <= 0:
            yield Hit(record.at(name), {"field": name, "weight": plain(weight)})


def _unknown(record: Record, names: Iterable[str], table: str) -> Iterator[Hit]:
    codes = code_table(table).codes
    for path, name, code in _values(record, names):
        if code not in codes:
            yield Hit(path, {"field": name, "code": code[:8]})


def _values(record: Record, names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for name in names:
        if record.text(name):
            yield record.at(name), name, record.text(name)
        for line in record.lines:
            if line.values.get(name):
                yield f"{line.path}/{name}", name, line.values[name]


def _is_moment(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text, pattern)  # noqa: DTZ007  only whether there is such a moment
    except ValueError:
        return False
    return True


_B, _W, _N = Severity.BLOCK, Severity.WARN, Severity.NOTE
_FIELDS: Final = "field tables of the messages"

RULES: Final[tuple[MessageRule, ...]] = (
    MessageRule(
        "CEB-LINE-TOTAL", _LINED, _B,
        "总价 {total} 不等于数量×单价 {due}（差 {delta}）。赠品单价与总价应为 0。",
        "The total {total} is not quantity times price, {due} (difference {delta}). A gift has 0.",
        "import rule 2", line_totals,
    ),
    MessageRule(
        "CEB-LINES-SUM", frozenset({"303", "311"}), _B,
        "表体总价合计 {total} 不等于商品价格 {goods}（差 {delta}）。",
        "The line totals add up to {total}, not to the goods value {goods} (difference {delta}).",
        "import rule 1", lines_sum,
    ),
    MessageRule(
        "CEB-LINE-NUMBERS", _NUMBERED, _B,
        "商品序号 {gnum} 重复。", "The line number {gnum} is used twice.",
        "error -301002", line_numbers,
    ),
    MessageRule(
        "CEB-SECOND-UNIT", _SECOND_UNIT, _B,
        "第二数量与第二计量单位须同时填写或同时不填，缺 {missing}。",
        "The second quantity and its unit come both or not at all; {missing} is missing.",
        "error -625009", second_unit,
    ),
    MessageRule(
        "CEB-WEIGHTS", frozenset({"603", "621"}), _B,
        "净重 {net} 大于毛重 {gross}。", "The net weight {net} exceeds the gross weight {gross}.",
        _FIELDS, weights,
    ),
    MessageRule(
        "CEB-WEIGHT", frozenset({"505", "511", "603", "607", "621"}), _B,
        "重量 {weight} 必须大于 0。", "The weight {weight} must be greater than 0.",
        _FIELDS, unsigned_weight,
    ),
    MessageRule(
        "CEB-PACK-NO", frozenset({"511", "621"}), _B,
        "件数为 {count}，一张运单只能是 1 件。", "There are {count} pieces; a waybill is 1 parcel.",
        "import rule 8", one_parcel,
    ),
    MessageRule(
        "CEB-PARTY-CODE", SENT, _W,
        "{field} 既不是 10 位海关注册编码，"
        "也不是校验正确的 18 位统一社会信用代码（现 {length} 位）。",
        "{field} is neither a 10-character customs code nor a valid 18-character credit code "
        "(it has {length} characters).",
        _FIELDS, party_codes,
    ),
    MessageRule(
        "CEB-UNIT-CODE", SENT, _W,
        "{field} 的计量单位代码 {code} 不在代码表中。", "{field}: there is no unit {code}.",
        "code table of units", units,
    ),
    MessageRule(
        "CEB-COUNTRY-CODE", SENT, _W,
        "{field} 的国别（地区）代码 {code} 不在代码表中（须为 3 位数字）。",
        "{field}: the table of countries has no {code} (three digits are wanted).",
        "code table of countries", countries,
    ),
    MessageRule(
        "CEB-CURRENCY-CODE", SENT, _N,
        "{field} 的币制代码 {code} 不在代码表中。",
        "{field}: the table of currencies has no {code}.",
        "code table of currencies", currencies,
    ),
    MessageRule(
        "CEB-TRANSPORT-CODE", SENT, _W,
        "{field} 的运输方式代码 {code} 不在代码表中。",
        "{field}: there is no mode of transport {code}.",
        "code table of transport modes", transport_modes,
    ),
    MessageRule(
        "CEB-WRAP-CODE", SENT, _N,
        "{field} 的包装种类代码 {code} 不在代码表中。",
        "{field}: the table of packing has no {code}.",
        "code table of packing", wrap_types,
    ),
    MessageRule(
        "CEB-TIME", SENT, _B,
        "{field} 不是有效的日期或时间。", "{field} is no moment of the calendar.",
        _FIELDS, times,
    ),
    MessageRule(
        "CEB-DRAFT", SENT, _N,
        "业务状态为暂存（1），海关不会受理；申报应为 2。",
        "appStatus 1 only parks the record at the e-port; 2 declares it.",
        _FIELDS, draft,
    ),
    MessageRule(
        "CEB-GUID-CASE", SENT, _N,
        "guid 应为大写。", "A guid is sent in upper case.", _FIELDS, upper_guid,
    ),
    MessageRule(
        "CEB-PARTS", frozenset({"507", "509", "607", "701"}), _B,
        "报文序号 {number} 不在 1 到报文总数 {count} 之间。",
        "Part {number} is not between 1 and the {count} parts there are.",
        "export note 9", parts,
    ),
)  # fmt: skip
