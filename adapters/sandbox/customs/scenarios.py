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
    }
)

_PATTERN: Final = re.compile(r"SIM-([A-Z]+)(?:-?(\d{2,6}))?(?:-|$)")
_WITH_CODE: Final = frozenset({ScenarioName.REJECT, ScenarioName.ORDERREJECT, ScenarioName.DETAIN})
_DEFAULT_CODES: Final[Mapping[ScenarioName, str]] = MappingProxyType(
    {
        ScenarioName.REJECT: "1327",
        ScenarioName.ORDERREJECT: "1304",
        ScenarioName.DETAIN: "501",
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
    if name is ScenarioName.DETAIN and code not in {"501", "502", "503", "599"}:
        code = _DEFAULT_CODES[name]
    return Scenario(name, code)
