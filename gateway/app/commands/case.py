"""One case, as a person wants to read it."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway.api.around import lineage_view, quota_view
from gateway.api.services import KeyRole
from gateway.api.views import Doc, detail_view
from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
    Unusable,
    at_json,
    common,
    emit,
    out,
    run,
    show_table,
)
from gateway.app.commands.frame import at as text_at
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import Reader, open_reading
from gateway.app.packs import live_matcher
from gateway.domain.case import CaseKey
from gateway.domain.codec import to_micros
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.matching import explain, explain_missing
from gateway.flow.neighbours import Neighbours
from gateway.ports import CaseFilter
from gateway.web.language import translations
from gateway.web.words import ALARMS
from store.packs import StoredPacks

_SHOWN = 20
# What else of a receipt tells why it counted or not.
_REASONS = ("stage", "returned_at", "reason")
# Told already, or a number for machines.
_TOLD = frozenset({"kind", "version", "at"})


def case(
    context: typer.Context,
    number: Annotated[
        str, typer.Argument(metavar="NO", help="Order number, case id, or any number / 单号")
    ],
    *,
    tenant: TenantOption,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="As it stood then: 2026-11-28T10:15, UTC unless it ends in an offset / 当时状态",
        ),
    ] = None,
    json: JSONOption = False,
) -> None:
    """Show one case: papers, findings, declarations, history / 查看一个案件

    Personal data is masked. Works beside a running gateway. With --at the case is folded from its
    events until that moment: what was known, decided and told by then.
    """
    moment = None if at is None else past_moment(at)
    doc = run(_load(common(context).settings(), tenant, number, moment))
    if json:
        emit(doc)
    else:
        _show(doc)


def past_moment(text: str) -> int:
    """A time of the command line as UTC microseconds. Raises :class:`Unusable`."""
    return to_micros(past_time(text))


def past_time(text: str) -> datetime:
    """A time of the command line, UTC unless it names an offset. Raises :class:`Unusable`."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Unusable(
            f"{text} is no time; write it like 2026-11-28T10:15 or 2026-11-28T18:15:30+08:00",
            "不是时间，请按上例填写",
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


async def _load(settings: Settings, tenant: str, number: str, moment: int | None) -> Doc:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        case_id = await find_case(reader, owner, number)
        messages = await reader.reads.messages_of(owner, case_id)
        if moment is None:
            found = await reader.reads.case(owner, case_id)
            assert found is not None
            profile = reader.cache.profile(owner, found.row.key.profile_id)
            shown = detail_view(found, messages, KeyRole.VIEWER.value, explain, profile)
            return shown | await _around(reader, owner, case_id)
        if moment > reader.clock.now():
            raise Unusable(
                f"{text_at(moment)} lies in the future; a time without an offset is UTC",
                "时间晚于现在；未写时区时按 UTC 计",
            )
        then = await reader.reads.case_at(owner, case_id, moment)
        if then is None:
            raise Unusable(
                f"the case {case_id} did not exist yet at {text_at(moment)}", "当时尚无此案件"
            )
        carried = {one.message_id for one in then.state.declarations}
        profile = reader.cache.profile(owner, then.row.key.profile_id)
        sent = [one for one in messages if one[0] in carried]
        doc = detail_view(then, sent, KeyRole.VIEWER.value, explain, profile)
        return {"as_of": at_json(moment), **doc}


async def _around(reader: Reader, tenant: TenantId, case_id: CaseId) -> Doc:
    """What the case shares with others: its lineage, and the quota of its buyer."""
    packs = await StoredPacks(reader.access, lambda _: None).packs(tenant)
    around = Neighbours(reader, reader.cache, live_matcher(packs), reader.clock, reader.reads)
    lineage = await around.lineage(tenant, case_id)
    quota = await around.quota(tenant, case_id)
    return {
        "lineage": None if lineage is None else lineage_view(lineage),
        "quota": None if quota is None else quota_view(quota),
    }


async def find_case(reader: Reader, tenant: TenantId, number: str) -> CaseId:
    """The one case that a number names. Raises :class:`Unusable` for none and for several."""
    direct = await reader.reads.case(tenant, CaseId(number))
    if direct is not None:
        return CaseId(number)
    for wanted in (CaseFilter(order_no=number), CaseFilter(number=number)):
        page = await reader.reads.cases(tenant, wanted, None, _SHOWN)
        if len(page.items) == 1:
            return page.items[0].key.case_id
        if page.items:
            raise Unusable(
                f"{len(page.items)} cases have this number; give one of these ids instead: "
                + ", ".join(_named(row.key) for row in page.items),
                "有多个案件使用该号码，请改用所列案件编号之一",
            )
    raise Unusable(
        f"the tenant {tenant} has no case with this number; give an order number, a case id, or "
        "a number of one of its papers",
        "没有此号码的案件；请给出订单号、案件编号或任一单证的号码",
    )


def _named(key: CaseKey) -> str:
    return f"{key.case_id} (platform {key.platform})"


def _show(doc: Doc) -> None:
    console = out()
    held = doc["hold"]
    if "as_of" in doc:
        console.print(f"截至 as of  {doc['as_of']}", markup=False)
    console.print(f"案件 case   {doc['case']}", markup=False)
    console.print(f"订单 order  {doc['order_no']}", markup=False)
    console.print(f"状态 stage  {doc['stage']}" + (" (held 暂停)" if held else ""), markup=False)
    if held:
        console.print(f"暂停 held   {held['by']}: {held['reason']}", markup=False)
    for alarm in doc["alarms"]:
        zh, en = (translations(one).gettext(ALARMS[alarm]) for one in ("zh-CN", "en"))
        console.print(f"告警 alarm  {alarm}: {zh} / {en}", markup=False)
    console.print()
    _show_verdict(console, doc["verdict"])
    for kind, revision in doc["papers"].items():
        title = f"单证 {kind}, 版本 revision {revision['revision']}"
        show_table(title, ("字段 field", "值 value"), _flat(revision["content"]))
        console.print()
    _show_around(doc.get("lineage"), doc.get("quota"))
    _show_declarations(doc)
    _show_returning(doc["returning"])
    show_table(
        "历史 Timeline",
        ("#", "时间 at", "事件 event", "说明 detail"),
        [(one["seq"], one["at"], one["type"], event_text(one)) for one in doc["timeline"]],
    )
    console.print()
    show_table(
        "通知 Notices",
        ("编号 id", "类型 type", "地址 endpoint", "状态 status", "说明 detail"),
        [
            (one["notice_id"], one["type"], one["endpoint"], one["status"], one["detail"])
            for one in doc["notices"]
        ],
    )


def _show_verdict(console: Console, verdict: Doc | None) -> None:
    if verdict is None:
        return
    until = f" until {verdict['until']}" if verdict["until"] else ""
    console.print(f"核对 verdict  {verdict['kind']}{until}", markup=False)
    for name in verdict["missing"]:
        console.print(f"  缺 missing {name}", markup=False)
        console.print(f"      {explain_missing(name, 'zh')}", markup=False)
        console.print(f"      {explain_missing(name, 'en')}", markup=False)
    _show_unverified(console, verdict)
    for finding in verdict["findings"]:
        code = f", customs {finding['code']}" if "code" in finding else ""
        console.print(f"  {finding['severity']} {finding['rule']}{code}", markup=False)
        console.print(f"      {finding['text']['zh']}", markup=False)
        console.print(f"      {finding['text']['en']}", markup=False)
        for path, value in finding["paths"].items():
            console.print(f"      {path} = {value}", markup=False)
        for fix in finding.get("fixes", ()):
            value = "" if fix["value"] is None else f" -> {fix['value']}"
            console.print(
                f"      建议 fix ({fix['kind']}, {fix['owner']}): {fix['path']}{value}",
                markup=False,
            )
    console.print()


def _show_unverified(console: Console, verdict: Doc) -> None:
    """The rules that could not be answered and have no finding to be told with."""
    told = {finding["rule"] for finding in verdict["findings"]}
    for rule, text in verdict["unverified"].items():
        if rule not in told:
            console.print(f"  无法核对 unverified {rule}", markup=False)
            console.print(f"      {text['zh']}", markup=False)
            console.print(f"      {text['en']}", markup=False)


def _show_around(lineage: Doc | None, quota: Doc | None) -> None:
    if lineage is not None:
        show_table(
            "关联 Lineage",
            ("层 depth", "类型 kind", "号码 number", "关系 by", "金额 amount", "案件 case"),
            [
                (
                    one["depth"],
                    one["kind"],
                    one["value"],
                    one["by"]["tie"] if one["by"] else "",
                    (one["by"] or {}).get("amount") or "",
                    one["case"] or "",
                )
                for one in lineage["numbers"]
            ],
        )
        for fault in lineage["faults"]:
            others = ", ".join(one["value"] for one in fault["others"])
            text = f"  关联异常 {fault['fault']}: {fault['at']['value']} ({others})"
            out().print(text, markup=False)
        out().print()
    if quota is not None:
        text = (
            f"年度额度 quota {quota['year']}  限值 limit {quota['limit']}, 已用 used "
            f"{quota['used']}, 预占 reserved {quota['reserved']}, 剩余 left {quota['left']}"
        )
        out().print(text, markup=False)
        out().print()


def _show_returning(returning: Doc | None) -> None:
    if returning is None or not any(
        one[name] != "0" for one in returning["lines"] for name in ("pending", "approved")
    ):
        return
    show_table(
        "退货 Returns",
        ("行 line", "数量 ordered", "待批 pending", "已批 approved", "已回 arrived", "可退 left"),
        [tuple(one.values()) for one in returning["lines"]],
    )
    out().print(
        f"  申请截止 apply until {returning['apply_until']}, 货回截止 goods back by "
        f"{returning['back_until']}, 退税 tax given back {returning['tax_given_back']}\n",
        markup=False,
    )


def _show_declarations(doc: Doc) -> None:
    rests_on = {(one["about"], one["version"]): one["evidence"] for one in doc["evidence"]}
    show_table(
        "申报 Declarations",
        (
            "类型 kind",
            "版本 version",
            "状态 stage",
            "证据 evidence",
            "回执 status",
            "copNo",
            "preNo",
            "invtNo",
            "代码 codes",
        ),
        [
            (
                one["kind"],
                one["version"],
                one["stage"],
                rests_on.get((one["kind"], one["version"])) or "",
                one["status"],
                one["cop_no"],
                one["pre_no"],
                one["invt_no"],
                ", ".join(one["codes"]),
            )
            for one in doc["declarations"]
        ],
    )
    for one in doc["declarations"]:
        if one["summary"] and one["summary"]["sum_no"]:
            said = one["summary"]
            text = f"  汇总 summary {said['sum_no']}: 报关单 entry {said['entry_no'] or '?'}"
            out().print(text, markup=False)
    out().print()
    show_table(
        "报文 Messages",
        ("编号 id", "类型 kind", "版本 version", "状态 stage"),
        [(one["message"], one["kind"], one["version"], one["stage"]) for one in doc["messages"]],
    )
    out().print()


def event_text(event: Doc) -> str:
    """What an event was about; of a receipt what it said and did, so that one sees why it moved
    nothing.
    """
    data = event["data"]
    if event["type"] == EventKind.RECEIPT_RECORDED.value:
        return _receipt_text(data)
    about = [f"{data['kind']} v{data['version']}"] if "kind" in data and "version" in data else []
    said = [
        f"{name} {'yes' if value is True else value}"
        for name, value in data.items()
        if name not in _TOLD and isinstance(value, str | int) and value != "" and value is not False
    ]
    return "; ".join(about + said)


def _receipt_text(data: Doc) -> str:
    said = [f"{data['kind']} v{data['version']}", f"status {data['status']} ({data['word']})"]
    said.append(f"effect {data['effect']}")
    said += [f"{name} {data[name]}" for name in _REASONS if data.get(name)]
    if data.get("codes"):
        said.append("codes " + ", ".join(data["codes"]))
    for finding in data.get("findings", ()):
        said.append(
            "tolerated " + ", ".join(f"{at} {why}" for at, why in finding["params"].items())
        )
    return "; ".join(said)


# Any: values of a JSON object.
def _flat(content: Doc) -> list[tuple[str, Any]]:
    """The fields of a paper, by dotted name, in order."""
    rows: list[tuple[str, Any]] = []
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            prefix = f"{path}." if path else ""
            waiting.extend((prefix + name, item) for name, item in reversed(value.items()))
        elif isinstance(value, list):
            pairs = list(enumerate(value))
            waiting.extend((f"{path}[{index}]", item) for index, item in reversed(pairs))
        else:
            rows.append((path, value))
    return rows
