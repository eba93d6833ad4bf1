"""Going live at a port: the report, the way, the ramp, and the way back."""

from typing import Annotated, Any, Final

import typer

from gateway.app.commands.frame import (
    EXIT_FAILED,
    JSONOption,
    TenantOption,
    Unusable,
    common,
    emit,
    out,
    run,
    show_table,
)
from gateway.app.commands.looks import looks_doc, show_looks
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.golive import RAMP, Readiness, readiness, with_ramp
from gateway.app.opening import open_office, open_reading
from gateway.app.regimes import customs_regime
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.profile import FilingProfile
from gateway.flow.match import SHADOWED_BY
from store.watch import held_by

_STEPS: Final = (0, *RAMP)


def golive(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The filing profile / 方案")],
    *,
    tenant: TenantOption,
    sample: Annotated[
        int, typer.Option(min=1, max=10_000, help="Newest cases to look at / 检查最近案件数")
    ] = 200,
    loopback: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="SECONDS", help="Send a message to ourselves and wait / 回环测试"
        ),
    ] = None,
    ramp: Annotated[
        int | None,
        typer.Option(help="Declare this share: 5, 10, 50, 100; 0 rolls back / 灰度比例"),
    ] = None,
    json: JSONOption = False,
) -> None:
    """Say whether a port may go live; raise or lower the share / 口岸上线检查与灰度

    The report looks at codes, certificate, clock, folders, goods records, and builds what live
    copies would have declared; nothing of it is sent. Orders outside the share are matched and held
    as a shadow: whoever filed them before goes on. A higher share declares new orders alone: what
    is held stays so until a person lifts the hold. What was declared already runs to its end.
    Exit code 1 when something stands in the way.
    """
    settings = common(context).settings()
    if ramp is not None:
        _set_ramp(settings, tenant, profile, ramp, json=json)
        return
    found = run(_report(settings, tenant, profile, sample, loopback))
    if json:
        emit(_doc(found))
    else:
        _show(found)
    if not found.is_ready:
        raise typer.Exit(EXIT_FAILED)


async def _report(
    settings: Settings, tenant: str, name: str, sample: int, loop_s: float | None
) -> Readiness:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        profile = _known(reader.cache.profile(owner, ProfileId(name)), name)
        made = customs_regime()
        return await readiness(reader, made, profile, sample, loop_s=loop_s)


def _known(found: FilingProfile | None, name: str) -> FilingProfile:
    if found is None:
        raise Unusable(
            f"the tenant has no filing profile {name!r}; see `clearance profiles list`",
            f"该租户没有申报方案 {name!r}；见 `clearance profiles list`",
        )
    return found


def _set_ramp(settings: Settings, tenant: str, name: str, percent: int, *, json: bool) -> None:
    if percent not in _STEPS:
        raise Unusable(
            f"--ramp {percent}: use one of {', '.join(map(str, _STEPS))}", "请使用所列比例之一"
        )
    before, after, held = run(_put(settings, TenantId(tenant), name, percent))
    if json:
        emit(
            {
                "profile": name, "before": before, "ramp_percent": percent,
                "version": after.version, "held": held, "let_go": _let_go(held),
            }
        )  # fmt: skip
        return
    out().print(f"{name}: {before} % -> {percent} %, version {after.version}", markup=False)
    for text in _let_go(held).values():
        out().print(text, markup=False)


def _let_go(held: int) -> dict[str, str]:
    """What is to be done with the shadows, by language; empty where there are none."""
    if not held:
        return {}
    return {
        "zh": f"有 {held} 个案件因不在灰度内而暂停。调整比例不会放行：仍由原申报方申报。"
        "要改由本系统申报，请解除暂停：控制台“案件”（已暂停：是）→ 打开案件 → 解除暂停；"
        "或调用 POST /v1/cases/{id}/release。",
        "en": f"{held} held as shadows. Another share lets none of them go: whoever filed them "
        "before files them still. To have one declared here, lift its hold: Cases (held: yes) in "
        "the console, the case, Lift the hold; or POST /v1/cases/{id}/release.",
    }


async def _put(
    settings: Settings, tenant: TenantId, name: str, percent: int
) -> tuple[int, FilingProfile, int]:
    async with open_office(settings) as office:
        owner = await known_tenant(office.access, tenant)
        profile = _known(office.cache.profile(owner, ProfileId(name)), name)
        stored = await office.admin.put_profile(with_ramp(profile, percent))
        async with office.access.read() as reading:
            held = await reading.run_sync(
                lambda on: held_by(on, owner, profile.profile_id, SHADOWED_BY)
            )
        return profile.ramp_percent, stored, held


# Any: a JSON object.
def _doc(found: Readiness) -> dict[str, Any]:
    shadow = found.shadow
    return {
        "profile": found.profile.profile_id,
        "version": found.profile.version,
        "ramp_percent": found.profile.ramp_percent,
        "ready": found.is_ready,
        "looks": looks_doc(found.looks),
        "shadow": {
            "cases": shadow.cases,
            "verdicts": dict(shadow.verdicts),
            "rules": dict(shadow.rules.most_common()),
            "built": dict(shadow.built),
            "unbuilt": shadow.unbuilt,
            "skus": len(shadow.skus),
            "unknown_skus": sorted(shadow.unknown_skus),
        },
    }


def _show(found: Readiness) -> None:
    show_looks(
        f"上线检查 Readiness of {found.profile.profile_id}, ramp {found.profile.ramp_percent} %",
        found.looks,
    )
    show_table(
        "影子运行 Findings of live copies",
        ("规则 rule", "案件 cases"),
        found.shadow.rules.most_common(),
    )
    word = "ready 可以上线" if found.is_ready else "not ready 尚不可上线"
    out().print(f"{found.profile.profile_id}: {word}", markup=False)
