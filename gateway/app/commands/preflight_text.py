"""The report of a preflight as text: every finding in Chinese and English, with its place."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from rich.console import Console

from gateway.app.commands.frame import out, show_table
from gateway.app.preflighting import Report, RowFault
from gateway.domain.case import VerdictKind
from gateway.domain.ids import Direction
from gateway.domain.matching import explain
from gateway.flow.trial import TriedCase

_SHOWN: Final = 200
_VERDICTS: Final[Mapping[VerdictKind, str]] = {
    VerdictKind.MATCHED: "一致",
    VerdictKind.WAITING: "待收",
    VerdictKind.MISMATCH: "不一致",
    VerdictKind.BLOCKED: "不可申报",
}
_DIRECTIONS: Final[Mapping[Direction, str]] = {Direction.IMPORT: "进口", Direction.EXPORT: "出口"}
_PAPERS: Final[Mapping[str, str]] = {
    "order": "订单",
    "payment": "支付单",
    "waybill": "运单",
    "goods": "商品备案",
}
_SEVERITIES: Final[Mapping[str, str]] = {"block": "阻止", "warn": "警告", "note": "提示"}


def show_report(report: Report) -> None:
    """Print orders with findings, what could not be judged, and the sums."""
    console = out()
    cases = [case for case in report.trial.cases if case.findings or case.missing]
    is_mixed = len({case.key.direction for case in report.trial.cases}) > 1
    for case in cases[:_SHOWN]:
        _show_case(console, case, is_mixed)
    if len(cases) > _SHOWN:
        console.print(f"… {len(cases) - _SHOWN} more orders; --json gives all / 其余见 --json")
    for item in report.trial.unlinked[:_SHOWN]:
        console.print(
            f"{item.place}: names no order, and no order here names it: not judged"
            " / 未注明订单编号，也没有订单引用它，未核对",
            markup=False,
        )
    for one in report.faults[:_SHOWN]:
        console.print(_fault_text(one, is_alone=len(report.files) == 1), markup=False)
    if len(report.faults) > _SHOWN:
        more = len(report.faults) - _SHOWN
        console.print(f"… {more} more faults; --json gives all / 其余见 --json")
    show_table("规则 Rules", ("规则 rule", "次数 findings"), list(report.by_rule().items()))
    unverified = Counter(rule for case in report.trial.cases for rule in case.unverified)
    if unverified:
        columns = ("规则 rule", "订单 orders")
        show_table("无法核对 Unverified", columns, sorted(unverified.items()))
    blocked = sum(case.blocks for case in report.trial.cases)
    console.print(
        f"{report.rows} rows, {len(report.trial.cases)} orders, {blocked} blocked, "
        f"{len(report.faults)} faulty fields / {report.rows} 行，{len(report.trial.cases)} 单，"
        f"{blocked} 单不可申报，{len(report.faults)} 处字段有误",
        markup=False,
    )
    if report.assumed:
        modes = ", ".join(
            " ".join(filter(None, (_DIRECTIONS[way], way.value, name, profile.mode.value)))
            for (way, name), profile in report.assumed.items()
        )
        console.print(
            "no profile is known here: one was assumed; rules about its own parties were not asked"
            f" / 此处没有申报方案，按假定方案核对: {modes}",
            markup=False,
        )


def _show_case(console: Console, case: TriedCase, is_mixed: bool) -> None:
    way = case.key.direction
    direction = f"  {way.value} / {_DIRECTIONS[way]}" if is_mixed else ""
    verdict = f"{case.verdict.value} / {_VERDICTS[case.verdict]}"
    console.print(f"{case.key.order_no}  {verdict}{direction}", style="bold", markup=False)
    places = dict.fromkeys(place for found in case.places.values() for place in found)
    console.print(f"  {', '.join(places)}", markup=False)
    for finding in case.findings:
        severity = finding.severity.value
        console.print(f"  {severity:5} {_SEVERITIES[severity]} {finding.rule}", markup=False)
        for locale in ("zh", "en"):
            console.print(f"        {explain(finding, locale)}", markup=False)
    if case.missing:
        names = ", ".join(_missing_text(name, way) for name in case.missing)
        console.print(f"  still to come / 待收: {names}", markup=False)


def _missing_text(name: str, way: Direction) -> str:
    kind, _, sku = name.partition(":")
    word = "收款单" if (kind, way) == ("payment", Direction.EXPORT) else _PAPERS.get(kind, "")
    return " ".join(filter(None, (kind, word, sku)))


def _fault_text(one: RowFault, *, is_alone: bool) -> str:
    """Where a field is wrong and how: with its file where there are several, in both languages."""
    place = one.place if is_alone else f"{one.file} {one.place}"
    rule = f"{one.rule} " if one.rule else ""
    path, fault = one.fault.path, one.fault
    return f"{place}: {rule}{path} {fault.message} / {path} {fault.message_zh}"
