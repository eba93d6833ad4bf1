"""Rule packs on the command line: tried, proposed, put beside the live one, activated."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
    Unusable,
    at,
    at_json,
    common,
    emit,
    out,
    run,
    show_table,
)
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import Office, Reader, open_office, open_reading
from gateway.app.packs import builtin_matcher, candidate_matcher, live_matcher
from gateway.app.preflight_rows import read_rows
from gateway.app.preflighting import Nothing, preflight_files
from gateway.app.surroundings import SystemClock
from gateway.domain.case import Verdict
from gateway.domain.ids import TenantId
from gateway.domain.lessons import Lesson
from gateway.domain.matching import builtin_names, builtin_text
from gateway.flow.pack_trial import PackTrial
from gateway.flow.packs import Around, Differences, PackOffice, difference
from gateway.ports import Matcher
from gateway.ports.packs import PackScope, PackStage, StoredPack
from store.console_log import SqlConsoleLog
from store.lessons import StoredLessons
from store.packs import StoredPacks, load_packs

_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})([hd])", re.ASCII)
_HOUR_US: Final = 3_600_000_000
_PAGE: Final = 200
_LARGEST: Final = 1024 * 1024
_LEARNED_AT_ONCE: Final = 100_000

PackArgument = Annotated[Path, typer.Argument(metavar="PACK", help="A pack as TOML / 规则包文件")]
LabelArgument = Annotated[
    str, typer.Argument(metavar="NAME@VERSION", help="A proposed version / 规则包版本")
]
PortOption = Annotated[str, typer.Option("--port", help="Only at this port / 仅此口岸")]
ByOption = Annotated[
    str, typer.Option("--by", help="Who does this, for the history / 操作人", show_default=False)
]


def try_pack(
    context: typer.Context,
    pack: PackArgument,
    *,
    on: Annotated[
        list[Path] | None, typer.Option("--on", help="Files of papers / 单证文件")
    ] = None,
    on_history: Annotated[
        str | None, typer.Option("--on-history", help="Stored cases, e.g. 7d or 12h / 历史案件")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="Whose cases / 租户")] = None,
    json: JSONOption = False,
) -> None:
    """Show what a pack would change, on files or on stored cases / 试算规则包

    Nothing is stored. Without --on and --on-history only the pack itself is checked. Exit code 2
    when the pack cannot be used; each fault names its line.
    """
    text = _text(pack)
    candidate = candidate_matcher(text)
    if on:
        found = run(_on_files(on, candidate))
    elif on_history is not None:
        if tenant is None:
            raise Unusable(
                "say --tenant: whose cases are to be judged", "请给出 --tenant：要判断谁的案件"
            )
        since = _period_us(on_history)
        found = run(_on_history(common(context).settings(), tenant, since, text))
    else:
        found = Differences()
    _report(found, json=json)


def propose(
    context: typer.Context,
    pack: PackArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    port: PortOption = "",
    json: JSONOption = False,
) -> None:
    """Check a pack and keep it as a proposal for a tenant / 提交规则包"""
    text = _text(pack)
    made = run(_propose(common(context).settings(), tenant, port, text, by))
    _show([made], json=json)


def _move(stage: PackStage, help_text: str) -> Any:
    def command(
        context: typer.Context,
        label: LabelArgument,
        *,
        tenant: TenantOption,
        by: ByOption,
        port: PortOption = "",
        json: JSONOption = False,
    ) -> None:
        moved = run(_moved(common(context).settings(), tenant, port, label, stage, by))
        _show([moved], json=json)

    command.__doc__ = help_text
    return command


activate = _move(
    PackStage.ACTIVE,
    "Let a version judge from now on; not by who proposed it / 启用规则包（须由另一人）",
)
shadow = _move(
    PackStage.SHADOW,
    "Ask a version beside the live one; it decides nothing / 影子运行规则包",
)
retire = _move(PackStage.RETIRED, "Take a version out of use / 停用规则包")


def listing(context: typer.Context, *, tenant: TenantOption, json: JSONOption = False) -> None:
    """List the versions of a tenant's packs / 列出规则包"""
    _show(run(_packs(common(context).settings(), tenant)), json=json)


def text_of(
    context: typer.Context,
    label: Annotated[
        str,
        typer.Argument(metavar="PACK", help="name@version, or a built-in pack / 规则包"),
    ],
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="Whose pack / 租户")] = None,
    port: PortOption = "",
    json: JSONOption = False,
) -> None:
    """Print the text of a pack, to begin another from / 输出规则包文本"""
    text = (
        builtin_text(label)
        if label in builtin_names()
        else _kept_text(context, label, tenant, port)
    )
    if json:
        emit({"pack": label, "text": text})
    else:
        out().print(text, markup=False, highlight=False, end="", soft_wrap=True)


def _kept_text(context: typer.Context, label: str, tenant: str | None, port: str) -> str:
    if tenant is None:
        raise Unusable(
            f"there is no {label} that comes with the gateway; say --tenant",
            f"网关没有自带 {label}；请给出 --tenant",
        )
    packs = run(_packs(common(context).settings(), tenant))
    found = [one for one in packs if one.label == label and one.scope.port == port]
    if not found:
        raise Unusable(
            f"there is no {label} in this scope; see `clearance rules packs`",
            f"此范围内没有 {label}；见 `clearance rules packs`",
        )
    return found[0].text


def differences(
    context: typer.Context,
    label: LabelArgument,
    *,
    tenant: TenantOption,
    json: JSONOption = False,
) -> None:
    """Report where a shadow differed from the live pack / 影子规则包差异报告"""
    _report(run(_differences(common(context).settings(), tenant, label)), json=json)


def learned(context: typer.Context, *, tenant: TenantOption, json: JSONOption = False) -> None:
    """Tell what own rejections teach: their rules, and what helped / 退单知识库"""
    found = run(_learned(common(context).settings(), tenant))
    if json:
        emit({"lessons": [one.to_doc() for one in found]})
        return
    show_table(
        "退单知识库 Lessons",
        ("代码 code", "规则 rule", "次数 seen", "更正 change", "有效 helped", "无效 failed"),
        [
            (
                doc["code"],
                doc["rule"] or "-",
                doc["seen"],
                fix["change"],
                fix["helped"],
                fix["failed"],
            )
            for doc in (one.to_doc() for one in found)
            for fix in doc["fixes"] or [{"change": "-", "helped": 0, "failed": 0}]
        ],
    )


async def _learned(settings: Settings, tenant: str) -> Sequence[Lesson]:
    """Every lesson; what nobody learned from yet is learned first."""
    async with open_office(settings) as office:
        owner, book = await known_tenant(office.access, tenant), StoredLessons(office.access)
        while not (found := await book.learn(owner, _LEARNED_AT_ONCE)).is_complete:
            continue
        return found.lessons


# --- work -------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    if not path.is_file():
        raise Unusable(f"{path}: there is no such file; check the path", "文件不存在，请检查路径")
    if path.stat().st_size > _LARGEST:
        raise Unusable(f"{path}: has more than 1 MiB", "文件超过 1 MiB")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{path}: is no UTF-8", "不是 UTF-8 编码") from None


def _period_us(text: str) -> int:
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise Unusable(f"{text!r} is no period; say 7d or 12h", "不是时长，请写成 7d 或 12h")
    return int(found[1]) * (24 if found[2] == "d" else 1) * _HOUR_US


async def _on_files(files: Sequence[Path], candidate: Matcher) -> Differences:
    now = SystemClock().now()
    given = {str(path): read_rows(path, None) for path in files}
    live = await preflight_files(given, Nothing(), builtin_matcher(), now)
    other = await preflight_files(given, Nothing(), candidate, now)
    found = Differences()
    for one, two in zip(live.trial.cases, other.trial.cases, strict=True):
        found.add(
            difference(Verdict(one.verdict, one.findings), Verdict(two.verdict, two.findings))
        )
    return found


async def _on_history(settings: Settings, tenant: str, period: int, text: str) -> Differences:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        trial = await _trial(reader)
        return await trial.on_history(owner, text, reader.clock.now() - period)


async def _trial(reader: Reader) -> PackTrial:
    async with reader.access.read() as reading:
        live = live_matcher(await reading.run_sync(load_packs))
    return PackTrial(reader.reads, reader.cache, reader.clock, live, builtin_text, reader)


def _desk(office: Office) -> PackOffice:
    log = SqlConsoleLog(office.access, office.clock)
    return PackOffice(StoredPacks(office.access), builtin_text, log)


async def _propose(settings: Settings, tenant: str, port: str, text: str, by: str) -> StoredPack:
    async with open_office(settings) as office:
        scope = PackScope(await known_tenant(office.access, tenant), port)
        desk = _desk(office)
        return await desk.propose(scope, text, by, office.clock.now())


async def _moved(
    settings: Settings, tenant: str, port: str, label: str, stage: PackStage, by: str
) -> StoredPack:
    async with open_office(settings) as office:
        scope = PackScope(await known_tenant(office.access, tenant), port)
        desk = _desk(office)
        return await desk.move(scope, label, stage, by, office.clock.now())


async def _packs(settings: Settings, tenant: str) -> Sequence[StoredPack]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            found = await reading.run_sync(load_packs)
        return [one for one in found if one.scope.tenant == owner]


async def _differences(settings: Settings, tenant: str, label: str) -> Differences:
    """Every verdict given while the shadow stood there."""
    async with open_reading(settings) as reader:
        owner: TenantId = await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            known = await reading.run_sync(load_packs)
        packs = [one for one in known if one.label == label and one.scope.tenant == owner]
        if not packs:
            raise Unusable(
                f"there is no {label}; see `clearance rules packs`",
                f"没有 {label}；见 `clearance rules packs`",
            )
        first = min(packs, key=lambda one: one.decided_at or one.proposed_at)
        return await (await _trial(reader)).of_shadow(first)


# --- showing ----------------------------------------------------------------------------------


def _report(found: Differences, *, json: bool) -> None:
    if json:
        emit(found.to_doc())
        return
    doc = found.to_doc()
    show_table("结论变化 Verdicts", ("结论 verdict", "案件 cases"), list(doc["verdicts"].items()))
    show_table("规则变化 Rules", ("规则 rule", "次数 findings"), list(doc["rules"].items()))
    out().print(
        f"{found.cases} cases, {found.differing} would differ / "
        f"{found.cases} 个案件，{found.differing} 个结论不同",
        markup=False,
    )
    if found.cases:
        out().print(" / ".join(_AROUND[found.around]), markup=False)


_AROUND: Final[Mapping[Around, tuple[str, str]]] = {
    Around.NOW: (
        "quota, relations and shared phones and addresses were read as they stand now",
        "个人额度、单证关联及共用电话地址按当前状态核对",
    ),
    Around.THEN: (
        "quota, relations and shared phones and addresses are those of when each verdict was given",
        "个人额度、单证关联及共用电话地址为各结论作出时的状态",
    ),
    Around.UNKNOWN: (
        "quota, relations and shared phones and addresses of stored cases were not asked",
        "未核对已存案件的个人额度、单证关联及共用电话地址",
    ),
}


def _show(packs: Sequence[StoredPack], *, json: bool) -> None:
    if json:
        emit({"packs": [_doc(one) for one in packs]})
        return
    show_table(
        "规则包 Rule packs",
        ("版本 version", "口岸 port", "状态 stage", "提交 proposed", "决定 decided"),
        [
            (
                one.label,
                one.scope.port or "*",
                one.stage.value,
                f"{one.proposed_by} {at(one.proposed_at)}",
                f"{one.decided_by or ''} {at(one.decided_at)}".strip(),
            )
            for one in packs
        ],
    )


def _doc(one: StoredPack) -> dict[str, Any]:
    return {
        "pack": one.label,
        "tenant": one.scope.tenant,
        "port": one.scope.port or None,
        "stage": one.stage.value,
        "proposed_by": one.proposed_by,
        "proposed_at": at_json(one.proposed_at),
        "decided_by": one.decided_by,
        "decided_at": at_json(one.decided_at),
    }


def add_commands(group: typer.Typer) -> None:
    """Put the commands about packs into the group of rules."""
    group.command("test")(try_pack)
    group.command("propose")(propose)
    group.command("shadow")(shadow)
    group.command("activate")(activate)
    group.command("retire")(retire)
    group.command("packs")(listing)
    group.command("text")(text_of)
    group.command("differences")(differences)
    group.command("learned")(learned)
