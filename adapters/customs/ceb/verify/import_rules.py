"""Rules of import messages: the head sum, identity numbers, what each trade mode needs.

Sources: business rules of the import messages (the numbers named with each rule).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from adapters.customs.ceb.verify.records import Record, number_of
from adapters.customs.ceb.verify.rule import Hit, MessageRule
from gateway.domain.findings import Severity
from gateway.domain.money import plain
from gateway.domain.party import is_resident_id

_DIRECT: Final = "9610"
_BONDED: Final = frozenset({"1210", "1239"})
_CHINA: Final = "142"
_SINGLE_LIMIT: Final = Decimal(5000)
_KILOGRAM: Final = "035"
_NET_TOLERANCE: Final = Decimal("0.03")
_LONGEST_ITEM_NO: Final = 20
_TRANSPORT: Final = ("trafNo", "voyageNo", "billNo")
_ACCOUNT_BOOK: Final = ("emsNo", "areaCode", "areaName")
_PERSONS: Final = frozenset({"311", "411", "621", "623", "625"})


def head_sum(record: Record) -> Iterator[Hit]:
    """What was paid is goods and freight and tax less the non-cash part."""
    names = ("goodsValue", "freight", "taxTotal", "discount", "acturalPaid")
    goods, freight, tax, discount, paid = (record.number(name) for name in names)
    if None in (goods, freight, tax, discount, paid):
        return
    assert goods is not None
    assert freight is not None
    assert tax is not None
    assert discount is not None
    assert paid is not None
    due = goods + freight + tax - discount
    if paid != due:
        params = {"paid": plain(paid), "due": plain(due), "delta": plain(paid - due)}
        yield Hit(record.at("acturalPaid"), params)


def id_type(record: Record) -> Iterator[Hit]:
    """The buyer or payer is named by a resident identity card."""
    for name in ("buyerIdType", "payerIdType"):
        kind = record.text(name)
        if kind and kind != "1":
            yield Hit(record.at(name), {"field": name, "kind": kind[:4]})


def id_number(record: Record) -> Iterator[Hit]:
    """The identity number has the right shape, birth date and check digit."""
    for kind, name in (("buyerIdType", "buyerIdNumber"), ("payerIdType", "payerIdNumber")):
        number = record.text(name)
        if number and record.text(kind) == "1" and not is_resident_id(number):
            yield Hit(record.at(name), {"field": name, "length": str(len(number))})


def direct_fields(record: Record) -> Iterator[Hit]:
    """Direct purchase names the means of transport."""
    if record.text("tradeMode") == _DIRECT:
        for name in _TRANSPORT:
            if not record.text(name):
                yield Hit(record.at(name), {"field": name})


def bonded_fields(record: Record) -> Iterator[Hit]:
    """Bonded goods name the account book, the area and the record of each item."""
    mode = record.text("tradeMode")
    if mode not in _BONDED:
        return
    for name in _ACCOUNT_BOOK:
        if not record.text(name):
            yield Hit(record.at(name), {"field": name, "mode": mode})
    for line in record.lines:
        if not line.values.get("itemRecordNo"):
            yield Hit(f"{line.path}/itemRecordNo", {"field": "itemRecordNo", "mode": mode})


def bonded_country(record: Record) -> Iterator[Hit]:
    """Bonded goods come from inside the country."""
    country = record.text("country")
    if record.text("tradeMode") in _BONDED and country and country != _CHINA:
        yield Hit(record.at("country"), {"country": country[:8]})


def forbidden_fields(record: Record) -> Iterator[Hit]:
    """Fields that belong to the other trade mode are left out."""
    mode = record.text("tradeMode")
    others = _TRANSPORT if mode in _BONDED else _ACCOUNT_BOOK if mode == _DIRECT else ()
    for name in others:
        if record.text(name):
            yield Hit(record.at(name), {"field": name, "mode": mode})


def trade_mode(record: Record) -> Iterator[Hit]:
    """The trade mode is one of cross-border retail."""
    mode = record.text("tradeMode")
    if mode and mode != _DIRECT and mode not in _BONDED:
        yield Hit(record.at("tradeMode"), {"mode": mode[:8]})


def guarantor(record: Record) -> Iterator[Hit]:
    """The guarantor is the platform, the merchant or the logistics company."""
    code = record.text("assureCode")
    names = ("ebpCode", "ebcCode", "logisticsCode")
    if code and code not in {record.text(name) for name in names}:
        yield Hit(record.at("assureCode"))


def cop_no(record: Record) -> Iterator[Hit]:
    """A receipt comes back under copNo, so it is always sent."""
    if not record.text("copNo"):
        yield Hit(record.at("copNo"))


def item_no_length(record: Record) -> Iterator[Hit]:
    """The schema of 202205 takes 20 characters, its text 30."""
    for line in record.lines:
        length = len(line.values.get("itemNo", ""))
        if length > _LONGEST_ITEM_NO:
            yield Hit(f"{line.path}/itemNo", {"length": str(length)})


def net_weight(record: Record) -> Iterator[Hit]:
    """Where every line is declared in kilograms, they add up to about the net weight."""
    net = record.number("netWeight")
    amounts: list[Decimal] = []
    for line in record.lines:
        amount = number_of(line.values.get("qty1"))
        if amount is None or line.values.get("unit1") != _KILOGRAM:
            return
        amounts.append(amount)
    total = sum(amounts, Decimal(0))
    if net and amounts and abs(total - net) > net * _NET_TOLERANCE:
        yield Hit(record.at("netWeight"), {"net": plain(net), "total": plain(total)})


def single_limit(record: Record) -> Iterator[Hit]:
    """The dutiable value is within the limit of one transaction."""
    totals = [number_of(line.values.get("totalPrice")) for line in record.lines]
    freight, insurance = record.number("freight"), record.number("insuredFee")
    if freight is None or insurance is None or None in totals:
        return
    value = sum((total for total in totals if total is not None), freight + insurance)
    if value > _SINGLE_LIMIT:
        yield Hit(record.path, {"value": plain(value), "limit": plain(_SINGLE_LIMIT)})


def declared_day(record: Record) -> Iterator[Hit]:
    """The day of declaration is the day of appTime."""
    day, moment = record.text("declTime"), record.text("appTime")
    if len(day) == 8 and len(moment) == 14 and day != moment[:8]:
        yield Hit(record.at("declTime"), {"day": day, "moment": moment[:8]})


def new_only(record: Record) -> Iterator[Hit]:
    """A cancellation can only be new."""
    kind = record.text("appType")
    if kind and kind != "1":
        yield Hit(record.at("appType"), {"kind": kind[:4]})


def paid_before_sent(record: Record) -> Iterator[Hit]:
    """A payment was made before it is filed."""
    paid, sent = record.text("payTime"), record.text("appTime")
    if len(paid) == len(sent) == 14 and paid > sent:
        yield Hit(record.at("payTime"))


def paid_something(record: Record) -> Iterator[Hit]:
    """A payment is greater than 0."""
    amount = record.number("amountPaid")
    if amount is not None and amount <= 0:
        yield Hit(record.at("amountPaid"), {"amount": plain(amount)})


def named_payment(record: Record) -> Iterator[Hit]:
    """Payment company and transaction number come both or not at all."""
    company, number = record.text("payCode"), record.text("payTransactionId")
    if bool(company) != bool(number):
        missing = "payTransactionId" if company else "payCode"
        yield Hit(record.at(missing), {"missing": missing})


_B, _W, _N = Severity.BLOCK, Severity.WARN, Severity.NOTE
_311: Final = frozenset({"311"})
_411: Final = frozenset({"411"})
_621: Final = frozenset({"621"})

RULES: Final[tuple[MessageRule, ...]] = (
    MessageRule(
        "CEB-HEAD-SUM", _311, _B,
        "实际支付金额 {paid} 不等于 商品价格+运杂费+代扣税款-抵扣金额 {due}（差 {delta}）。",
        "acturalPaid {paid} is not goods, freight and tax less discount, {due} "
        "(difference {delta}).",
        "import rule 1", head_sum,
    ),
    MessageRule(
        "CEB-NAMED-PAYMENT", _311, _W,
        "支付企业代码与支付交易编号应同时填写，缺 {missing}。",
        "Payment company and transaction number belong together; {missing} is missing.",
        "import rule 7", named_payment,
    ),
    MessageRule(
        "CEB-ID-TYPE", _PERSONS, _B,
        "{field} 为 {kind}，只接受 1（身份证）。",
        "{field} is {kind}; only 1 (identity card) is taken.",
        "import rule 4", id_type,
    ),
    MessageRule(
        "CEB-ID-NUMBER", _PERSONS, _B,
        "{field} 不是有效的身份证号码（位数、出生日期或校验位有误，现 {length} 位）。",
        "{field} is no valid identity number: length ({length}), birth date or check digit.",
        "import rule 4, GB 11643", id_number,
    ),
    MessageRule(
        "CEB-DIRECT-FIELDS", _621, _B,
        "监管方式 9610 必须填写 {field}。", "{field} is required for 9610.",
        "import rule 9", direct_fields,
    ),
    MessageRule(
        "CEB-BONDED-FIELDS", _621, _B,
        "监管方式 {mode} 必须填写 {field}。", "{field} is required for {mode}.",
        "import rule 9", bonded_fields,
    ),
    MessageRule(
        "CEB-BONDED-COUNTRY", _621, _B,
        "保税模式的起运国（地区）应为 142，现为 {country}。",
        "The country of a bonded inventory is 142, not {country}.",
        "import rule 9", bonded_country,
    ),
    MessageRule(
        "CEB-FORBIDDEN-FIELDS", _621, _W,
        "监管方式 {mode} 不应填写 {field}。", "{field} has no place in an inventory of {mode}.",
        "import rule 9", forbidden_fields,
    ),
    MessageRule(
        "CEB-TRADE-MODE", _621, _B,
        "监管方式 {mode} 不是 9610、1210 或 1239。",
        "The trade mode {mode} is none of 9610, 1210, 1239.",
        "code table of trade modes", trade_mode,
    ),
    MessageRule(
        "CEB-GUARANTOR", _621, _W,
        "担保企业编号应为平台、电商或物流企业的代码。",
        "The guarantor is the platform, the merchant or the logistics company.",
        "import rule 10", guarantor,
    ),
    MessageRule(
        "CEB-COP-NO", frozenset({"621", "623", "625", "711"}), _W,
        "缺少企业内部编号 copNo：回执以它对应单证。",
        "copNo is missing: receipts come back under it.",
        "import section 4", cop_no,
    ),
    MessageRule(
        "CEB-ITEM-NO", _621, _W,
        "企业商品货号 {length} 位；202205 版报文只接受 20 位。",
        "itemNo has {length} characters; the schema of 202205 takes 20.",
        "import section 8", item_no_length,
    ),
    MessageRule(
        "CEB-NET-WEIGHT", _621, _W,
        "以千克申报的法定数量合计 {total}，与净重 {net} 相差超过 3%。",
        "The statutory kilograms add up to {total}, more than 3 % off the net weight {net}.",
        "matching default", net_weight,
    ),
    MessageRule(
        "CEB-SINGLE-LIMIT", _621, _W,
        "完税价格（商品+运费+保费）{value} 元超过单次限值 {limit} 元："
        "仅限不可分割的单件商品全额征税。",
        "The dutiable value {value} exceeds the limit of {limit}: one indivisible item at full tax "
        "only.",
        "import policy, error -621005", single_limit,
    ),
    MessageRule(
        "CEB-DECLARED-DAY", _621, _W,
        "申报日期 {day} 与报送时间的日期 {moment} 不同。",
        "declTime {day} is not the day of appTime, {moment}.",
        "field tables of the messages", declared_day,
    ),
    MessageRule(
        "CEB-NEW-ONLY", frozenset({"623"}), _B,
        "撤销申请的报送类型只能为 1，现为 {kind}。", "A cancellation has appType 1, not {kind}.",
        "import section 4", new_only,
    ),
    MessageRule(
        "CEB-PAY-TIME", _411, _W,
        "支付时间晚于报送时间。", "The payment is later than its filing.",
        "matching default", paid_before_sent,
    ),
    MessageRule(
        "CEB-AMOUNT", _411, _B,
        "支付金额 {amount} 必须大于 0。", "The amount {amount} must be greater than 0.",
        "field tables of the messages", paid_something,
    ),
)  # fmt: skip
