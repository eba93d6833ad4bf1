"""Scenarios a filer selects through the order number, ``SIM-<SCENARIO>-<anything>``.

An order number that does not follow the pattern, or names an unknown scenario, is an
ordinary order and runs as RELEASE. Some scenarios take digits directly after the name or
after a dash: ``SIM-REJECT1327-0001``, ``SIM-REJECT-1327-0001``, ``SIM-DETAIN502-7``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ScenarioName(StrEnum):
    """Every behaviour the simulated authority can be asked for."""

    RELEASE = "RELEASE"
    REJECT = "REJECT"
    ORDERREJECT = "ORDERREJECT"
    RECALL = "RECALL"
    INSPECT = "INSPECT"
    REVIEW = "REVIEW"
    DETAIN = "DETAIN"
    SUSPEND = "SUSPEND"
    ABROAD = "ABROAD"
    SILENT = "SILENT"
    ORDERSILENT = "ORDERSILENT"
    LOST = "LOST"
    ORDERLOST = "ORDERLOST"
    DUPLICATE = "DUPLICATE"
    EARLY = "EARLY"
    REORDER = "REORDER"
    BADRECORD = "BADRECORD"
    BUSY = "BUSY"
    LATE = "LATE"
    NEGATIVE = "NEGATIVE"
    SENT = "SENT"
    CLOSE = "CLOSE"
    TURNDOWN = "TURNDOWN"
    INSPECTREFUSE = "INSPECTREFUSE"
    DECIDEREFUSE = "DECIDEREFUSE"
    RESUME = "RESUME"
    FREE = "FREE"
    REVOKE = "REVOKE"
    REINSPECT = "REINSPECT"
    TURNBACK = "TURNBACK"
    AGAIN = "AGAIN"
    AGAINTEXT = "AGAINTEXT"
    FAULTLATE = "FAULTLATE"
    NOTLODGED = "NOTLODGED"
    ONLYRELEASE = "ONLYRELEASE"
    NEWSTATUS = "NEWSTATUS"
    PLAINTEXT = "PLAINTEXT"
    ORDERSENT = "ORDERSENT"
    ORDERDONE = "ORDERDONE"
    ORDERBUSY = "ORDERBUSY"
    ORDERAGAIN = "ORDERAGAIN"
    ORDERTURNDOWN = "ORDERTURNDOWN"
    ORDERNEGATIVE = "ORDERNEGATIVE"
    SLOW = "SLOW"
    REPLAY = "REPLAY"
    TOGETHER = "TOGETHER"
    EXCHANGE = "EXCHANGE"
    PENDING = "PENDING"
    NOCANCEL = "NOCANCEL"
    NORETURN = "NORETURN"
    FUNDSREJECT = "FUNDSREJECT"
    FUNDSSENT = "FUNDSSENT"
    FUNDSTURNDOWN = "FUNDSTURNDOWN"
    FUNDSLOST = "FUNDSLOST"
    PARCELREJECT = "PARCELREJECT"
    PARCELSLOW = "PARCELSLOW"
    PARCELHALF = "PARCELHALF"
    PARCELLOST = "PARCELLOST"
    LISTREFUSE = "LISTREFUSE"
    LISTSENT = "LISTSENT"
    LISTLOST = "LISTLOST"
    BADPARCEL = "BADPARCEL"
    HOMESENT = "HOMESENT"
    HOMEREVIEW = "HOMEREVIEW"
    HOMEINSPECT = "HOMEINSPECT"
    HOMEHANDOVER = "HOMEHANDOVER"
    HOMEHOLD = "HOMEHOLD"
    HOMELOST = "HOMELOST"
    TALLYREFUSE = "TALLYREFUSE"
    TALLYSENT = "TALLYSENT"
    TALLYLOST = "TALLYLOST"
    SUMMARYREFUSE = "SUMMARYREFUSE"
    SUMMARYSENT = "SUMMARYSENT"
    SUMMARYONLY = "SUMMARYONLY"
    SUMMARYLOST = "SUMMARYLOST"
    OUTAGE = "OUTAGE"
    DRIP = "DRIP"
    PAYSEVERAL = "PAYSEVERAL"
    DELIVERYREFUSE = "DELIVERYREFUSE"
    DELIVERYSENT = "DELIVERYSENT"
    DELIVERYLOST = "DELIVERYLOST"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario with the code it carries; ``code`` is empty when none was given."""

    name: ScenarioName
    code: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioText:
    """What a scenario does, for people."""

    zh: str
    en: str


SCENARIOS: Final[Mapping[ScenarioName, ScenarioText]] = MappingProxyType(
    {
        ScenarioName.RELEASE: ScenarioText(
            "正常：订单入库，清单申报后放行", "normal: order stored, inventory released"
        ),
        ScenarioName.REJECT: ScenarioText(
            "清单退单，回执信息带指定代码（如 SIM-REJECT1327-1）；内容更正后再报即通过",
            "inventory refused with the given code; passes once order or inventory is corrected",
        ),
        ScenarioName.ORDERREJECT: ScenarioText(
            "订单退单；内容更正后再报即通过",
            "order refused with 100; passes once its content is corrected",
        ),
        ScenarioName.RECALL: ScenarioText(
            "入库后转人工审核并退单（120、300、100）",
            "manual refusal after acceptance: 120, 300, 100",
        ),
        ScenarioName.INSPECT: ScenarioText(
            "查验后放行（120、500、800）", "inspected, then released: 120, 500, 800"
        ),
        ScenarioName.REVIEW: ScenarioText(
            "人工审核、审结后放行（300、399、800）",
            "manual review, decided, released: 300, 399, 800",
        ),
        ScenarioName.DETAIN: ScenarioText(
            "扣留（501，可指定 502、503、599）", "detained with 501, or the given 502, 503, 599"
        ),
        ScenarioName.SUSPEND: ScenarioText("暂停（600）", "suspended with 600"),
        ScenarioName.ABROAD: ScenarioText(
            "查验后退运（500、700）", "inspected, then returned abroad: 500, 700"
        ),
        ScenarioName.SILENT: ScenarioText(
            "清单首次申报无回执；原文重发后正常回执",
            "first inventory is never answered; the same bytes sent again are answered",
        ),
        ScenarioName.ORDERSILENT: ScenarioText(
            "订单首次申报无回执；原文重发后正常回执",
            "first order is never answered; the same bytes sent again are answered",
        ),
        ScenarioName.LOST: ScenarioText("清单永无回执", "the inventory is never answered"),
        ScenarioName.ORDERLOST: ScenarioText("订单永无回执", "the order is never answered"),
        ScenarioName.DUPLICATE: ScenarioText(
            "每个回执重复送达两到三次", "each receipt is delivered two or three times, also later"
        ),
        ScenarioName.EARLY: ScenarioText(
            "回执先于发送调用返回", "receipts are there before the send call can return"
        ),
        ScenarioName.REORDER: ScenarioText(
            "回执乱序：放行先于入库和申报", "receipts arrive newest first"
        ),
        ScenarioName.BADRECORD: ScenarioText(
            "含此记录的报文整体退回（CEB900）",
            "any message holding this record is refused whole with CEB900",
        ),
        ScenarioName.BUSY: ScenarioText(
            "先回发往海关失败（4）；原文重发或稍后恢复正常",
            "status 4 first; normal after the same bytes come again or after a delay",
        ),
        ScenarioName.LATE: ScenarioText(
            "长时间无回执后成功", "no answer for long, then the normal answers"
        ),
        ScenarioName.NEGATIVE: ScenarioText(
            "首次回系统异常（-621008），再报正常",
            "-621008 for the first inventory, normal for the next one",
        ),
        ScenarioName.SENT: ScenarioText(
            "每步都经发送海关成功（2、3、120、800）",
            "each step told: 2, 3, 120, released with 800",
        ),
        ScenarioName.CLOSE: ScenarioText(
            "放行后结关（800、899）",
            "closed after release: 800, 899",
        ),
        ScenarioName.TURNDOWN: ScenarioText(
            "入库后人工退单（120、100）",
            "manual refusal straight after acceptance: 120, 100",
        ),
        ScenarioName.INSPECTREFUSE: ScenarioText(
            "查验后退单（500、100）",
            "refused after inspection: 500, 100",
        ),
        ScenarioName.DECIDEREFUSE: ScenarioText(
            "审结后退单（399、100）",
            "refused after the decision: 399, 100",
        ),
        ScenarioName.RESUME: ScenarioText(
            "暂停后放行（600、800）",
            "suspended, then released: 600, 800",
        ),
        ScenarioName.FREE: ScenarioText(
            "扣留后放行（501、800）",
            "detained, then released: 501, 800",
        ),
        ScenarioName.REVOKE: ScenarioText(
            "放行后又退单（800、100）",
            "contradiction after release: 800, 100",
        ),
        ScenarioName.REINSPECT: ScenarioText(
            "放行后又查验（800、500）",
            "contradiction after release: 800, 500",
        ),
        ScenarioName.TURNBACK: ScenarioText(
            "放行后又退运（800、700）",
            "contradiction after release: 800, 700",
        ),
        ScenarioName.AGAIN: ScenarioText(
            "申报中收到重复申报异常（2、-621004、120、800）",
            "-621004 after 2, then accepted and released",
        ),
        ScenarioName.AGAINTEXT: ScenarioText(
            "申报中收到文本为重复申报的退单（2、100、120、800）",
            "100 whose text says duplicate after 2, then released",
        ),
        ScenarioName.FAULTLATE: ScenarioText(
            "入库后收到系统异常（120、-621008、800）",
            "-621008 after acceptance, then released",
        ),
        ScenarioName.NOTLODGED: ScenarioText(
            "无申报中，直接入库放行（120、800）",
            "nothing before acceptance: 120, 800",
        ),
        ScenarioName.ONLYRELEASE: ScenarioText(
            "只有放行回执（800）",
            "a release without anything before it: 800 alone",
        ),
        ScenarioName.NEWSTATUS: ScenarioText(
            "含未知状态码（2、777、120、800）",
            "an unknown status on the way: 2, 777, 120, 800",
        ),
        ScenarioName.PLAINTEXT: ScenarioText(
            "退单信息无代码",
            "refused with a text that holds no code",
        ),
        ScenarioName.ORDERSENT: ScenarioText(
            "订单发送海关成功（2、3、120）",
            "order with 2, 3, 120",
        ),
        ScenarioName.ORDERDONE: ScenarioText(
            "订单审结（2、120、399）",
            "order with 399 after 120",
        ),
        ScenarioName.ORDERBUSY: ScenarioText(
            "订单发往海关失败后恢复（4、2、120）",
            "order with 4 first, then 2, 120",
        ),
        ScenarioName.ORDERAGAIN: ScenarioText(
            "订单申报中收到已存在异常（2、-301010、120）",
            "order with -301010 after 2, then stored",
        ),
        ScenarioName.ORDERTURNDOWN: ScenarioText(
            "订单入库后退单（120、100）",
            "order refused after it was stored: 120, 100",
        ),
        ScenarioName.ORDERNEGATIVE: ScenarioText(
            "首次订单回系统异常（-301013），再报正常",
            "-301013 for the first order, normal for the next one",
        ),
        ScenarioName.SLOW: ScenarioText(
            "每步都很慢",
            "every stage takes long",
        ),
        ScenarioName.REPLAY: ScenarioText(
            "办结后全部回执再次送达",
            "all receipts come again when all is over",
        ),
        ScenarioName.TOGETHER: ScenarioText(
            "全部回执在同一文件中送达",
            "all receipts come at the end, in one file",
        ),
        ScenarioName.EXCHANGE: ScenarioText(
            "含此记录的报文被交换平台拒收（3xxx 仅首次），可指定代码（如 SIM-EXCHANGE1002-1）",
            "any message holding this record gets a DxpRep; with 3xxx only the first one",
        ),
        ScenarioName.PENDING: ScenarioText(
            "入库后停在受理状态（2、120），撤销申请获批（624 = 399）",
            "accepted and left there (2, 120): a 623 is granted with 399",
        ),
        ScenarioName.NOCANCEL: ScenarioText(
            "入库后停在受理状态（2、3、120），撤销申请被退（624 = 100）",
            "accepted and left there (2, 3, 120): a 623 is refused with 100",
        ),
        ScenarioName.NORETURN: ScenarioText(
            "放行并结关（2、3、120、800、899），退货申请被退（626、214 = 100）",
            "released and closed (2, 3, 120, 800, 899): a 625 or 213 is refused with 100",
        ),
        ScenarioName.FUNDSREJECT: ScenarioText(
            "收款单退单（404 = 100），清单不予申报",
            "receipt of funds refused (404 = 100)",
        ),
        ScenarioName.FUNDSSENT: ScenarioText(
            "收款单发送海关成功（2、3、120）",
            "receipt of funds with 2, 3, 120",
        ),
        ScenarioName.FUNDSTURNDOWN: ScenarioText(
            "收款单入库后退单（120、100）",
            "receipt of funds refused after it was stored: 120, 100",
        ),
        ScenarioName.FUNDSLOST: ScenarioText(
            "收款单永无回执", "the receipt of funds is never answered"
        ),
        ScenarioName.PARCELREJECT: ScenarioText(
            "出口运单退单（506 = 100）", "waybill of the export refused (506 = 100)"
        ),
        ScenarioName.PARCELSLOW: ScenarioText(
            "出口运单发送海关成功后审结（2、3、399）", "waybill of the export with 2, 3, 399"
        ),
        ScenarioName.PARCELHALF: ScenarioText(
            "出口运单停在申报中（2），不审结", "waybill of the export stays at 2, never 399"
        ),
        ScenarioName.PARCELLOST: ScenarioText(
            "出口运单永无回执", "the waybill of the export is never answered"
        ),
        ScenarioName.LISTREFUSE: ScenarioText(
            "提运单号为此编号的总分单、入库明细单、运抵单、离境单退单（回执 = 100）",
            "the list or report (607, 711, 507, 509) of a bill with this number is refused: 100",
        ),
        ScenarioName.LISTSENT: ScenarioText(
            "提运单号为此编号的总分单、入库明细单（2、3、120）、运抵单、离境单（2、3、399）",
            "the list (607, 711) of a bill with this number gets 2, 3, 120; a 507, 509: 2, 3, 399",
        ),
        ScenarioName.LISTLOST: ScenarioText(
            "提运单号为此编号的总分单、入库明细单、运抵单、离境单永无回执",
            "the list or report (607, 711, 507, 509) of a bill with this number is never answered",
        ),
        ScenarioName.BADPARCEL: ScenarioText(
            "列有此号运单的总分单、入库明细单、运抵单、离境单整体退回（-800001）",
            "a list or report (607, 711, 507, 509) with such a waybill is refused: -800001",
        ),
        ScenarioName.HOMESENT: ScenarioText(
            "出口退货申请发送海关成功后放行（214 = 2、3、120、800）",
            "return of exported goods (213) with 214 = 2, 3, 120, 800",
        ),
        ScenarioName.HOMEREVIEW: ScenarioText(
            "出口退货申请人工审核后放行（214 = 300、800）",
            "return of exported goods (213) reviewed, then granted: 214 = 300, 800",
        ),
        ScenarioName.HOMEINSPECT: ScenarioText(
            "出口退货申请查验后放行（214 = 500、800）",
            "return of exported goods (213) inspected, then granted: 214 = 500, 800",
        ),
        ScenarioName.HOMEHANDOVER: ScenarioText(
            "出口退货查验后移送（214 = 500、505）",
            "returned exports inspected, then handed over: 214 = 500, 505",
        ),
        ScenarioName.HOMEHOLD: ScenarioText(
            "出口退货申请挂起（214 = 600）",
            "return of exported goods (213) suspended: 214 = 600",
        ),
        ScenarioName.HOMELOST: ScenarioText(
            "出口退货申请永无回执",
            "the return of exported goods (213) is never answered",
        ),
        ScenarioName.TALLYREFUSE: ScenarioText(
            "退货理货明细单退单（216 = 100）",
            "tally of the goods that came back (215) refused: 216 = 100",
        ),
        ScenarioName.TALLYSENT: ScenarioText(
            "退货理货明细单发送海关成功后审结（216 = 2、3、399）",
            "tally of the goods that came back (215) with 216 = 2, 3, 399",
        ),
        ScenarioName.TALLYLOST: ScenarioText(
            "退货理货明细单永无回执",
            "the tally of the goods that came back (215) is never answered",
        ),
        ScenarioName.SUMMARYREFUSE: ScenarioText(
            "首份清单为此编号的汇总申请单退单（702 = 100）",
            "a summary (701) whose first inventory has this number is refused: 702 = 100",
        ),
        ScenarioName.SUMMARYSENT: ScenarioText(
            "首份清单为此编号的汇总申请单（702 = 2、3、399），随后两次汇总结果（792）",
            "such a summary (701) gets 702 = 2, 3, 399, then its results (792), twice",
        ),
        ScenarioName.SUMMARYONLY: ScenarioText(
            "首份清单为此编号的汇总申请单审结（702 = 399），无汇总结果",
            "such a summary (701) gets 702 = 399 and no result (792)",
        ),
        ScenarioName.SUMMARYLOST: ScenarioText(
            "首份清单为此编号的汇总申请单永无回执",
            "such a summary (701) is never answered",
        ),
        ScenarioName.OUTAGE: ScenarioText(
            "回执通道中断一段时间，恢复后补送全部回执",
            "the way back is out for a while: every receipt comes late, none is lost",
        ),
        ScenarioName.DRIP: ScenarioText(
            "回执缓慢逐条送达，每条一个文件，间隔两秒",
            "receipts drip in: one a file, two seconds apart",
        ),
        ScenarioName.PAYSEVERAL: ScenarioText(
            "支付单因一单多付被拒（-401003）",
            "payment slip refused because the order has several: -401003",
        ),
        ScenarioName.DELIVERYREFUSE: ScenarioText(
            "运单状态（妥投）退单（514 = 100）",
            "report of delivery (513) refused: 514 = 100",
        ),
        ScenarioName.DELIVERYSENT: ScenarioText(
            "运单状态（妥投）发送海关成功后入库（514 = 2、3、120）",
            "report of delivery (513) with 514 = 2, 3, 120",
        ),
        ScenarioName.DELIVERYLOST: ScenarioText(
            "运单状态（妥投）永无回执",
            "the report of delivery (513) is never answered",
        ),
    }
)

_PATTERN: Final = re.compile(r"SIM-([A-Z]+)(?:-?(\d{2,6}))?(?:-|$)")
_WITH_CODE: Final = frozenset(
    {
        ScenarioName.REJECT,
        ScenarioName.ORDERREJECT,
        ScenarioName.DETAIN,
        ScenarioName.NEGATIVE,
        ScenarioName.EXCHANGE,
    }
)
_DEFAULT_CODES: Final[Mapping[ScenarioName, str]] = MappingProxyType(
    {
        ScenarioName.REJECT: "1327",
        ScenarioName.ORDERREJECT: "1304",
        ScenarioName.DETAIN: "501",
        ScenarioName.NEGATIVE: "621008",
        ScenarioName.EXCHANGE: "3003",
    }
)
# Names that take some codes only; other digits are part of the number.
_KNOWN_CODES: Final[Mapping[ScenarioName, re.Pattern[str]]] = MappingProxyType(
    {
        ScenarioName.DETAIN: re.compile(r"50[123]|599"),
        ScenarioName.NEGATIVE: re.compile(r"621\d{3}"),
        ScenarioName.EXCHANGE: re.compile(r"000[12]|0999|100[1-4]|1999|200[12]|2999|300[123]|3999"),
    }
)
_RELEASE: Final = Scenario(ScenarioName.RELEASE)


def parse_scenario(order_no: str) -> Scenario:
    """Return the scenario an order number selects; RELEASE for any other number."""
    if not order_no.startswith("SIM-"):
        return _RELEASE
    found = _PATTERN.match(order_no)
    if found is None or found[1] not in ScenarioName.__members__:
        return _RELEASE
    name = ScenarioName(found[1])
    if name not in _WITH_CODE:
        return Scenario(name)
    code = found[2] or _DEFAULT_CODES[name]
    known = _KNOWN_CODES.get(name)
    if known is not None and known.fullmatch(code) is None:
        code = _DEFAULT_CODES[name]
    return Scenario(name, code)
