"""Preflight: files of papers are matched, and nothing is stored."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import make_url

from gateway.app.commands.frame import (
    EXIT_FAILED,
    EXIT_UNUSABLE,
    JSONOption,
    Unusable,
    common,
    complain,
    emit,
    run,
)
from gateway.app.commands.preflight_text import show_report
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.import_rows import FileKind, UnusableFile
from gateway.app.opening import Reader, open_reading
from gateway.app.packs import builtin_matcher, live_matcher
from gateway.app.preflight_rows import GivenFile, read_rows
from gateway.app.preflighting import Known, Nothing, Report, preflight_files
from gateway.app.profile_file import ProfileFaulty, read_profile
from gateway.app.surroundings import SystemClock
from gateway.domain.case import CaseState
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.matching import explain
from gateway.domain.papers import Order, PaperKind, PaperRevision
from gateway.domain.profile import FilingProfile
from gateway.domain.quota import QuotaAccount, buyer_of
from gateway.domain.tables import Tables
from gateway.flow.clockwork import local_date
from gateway.flow.trial import case_key_of
from gateway.ports import CaseView, Lookup
from gateway.ports.packs import StoredPack
from store.claims import find_claims
from store.master import list_tenants
from store.packs import load_packs


@dataclass(frozen=True, slots=True)
class _Deployment:
    """Implements ``Known`` over a store opened for looking."""

    reader: Reader
    profiles: Sequence[FilingProfile]

    def goods(
        self, scope: GoodsScope, tenant: TenantId, skus: Sequence[str]
    ) -> dict[str, GoodsRecord]:
        """The goods records valid today."""
        return self.reader.cache.goods(tenant, scope, skus, local_date(self.reader.clock.now()))

    async def holders(self, lookups: Sequence[Lookup]) -> Mapping[Lookup, CaseId]:
        """Which cases hold these numbers already."""
        async with self.reader.access.read() as reading:
            now = self.reader.clock.now()
            return await reading.run_sync(
                lambda on: find_claims(on, self.reader.keys, lookups, now)
            )

    async def packs(self) -> Sequence[StoredPack]:
        """The rule packs of the deployment."""
        async with self.reader.access.read() as reading:
            return await reading.run_sync(load_packs)

    async def papers(self, tenant: TenantId, case: CaseId) -> Mapping[PaperKind, PaperRevision]:
        """The papers of a case that is stored."""
        detail = await self.reader.reads.case(tenant, case)
        return {} if detail is None else detail.papers

    def tables(self, tenant: TenantId) -> Tables:
        """The reference tables that were imported."""
        return self.reader.cache.tables(tenant)

    async def account(self, profile: FilingProfile, order: Order) -> QuotaAccount | None:
        """The account of an order's buyer."""
        view = CaseView(case_key_of(profile, order.order_no), CaseState(), 0, {})
        found = (await self.reader.load_books(view, (order,))).account(buyer_of(order))
        return None if found is None else found[1]


def preflight(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="NDJSON, JSON, CSV, XLSX or CEB XML"
            " (311, 411, 511, 621; exports 303, 403, 505, 603) / 文件",
        ),
    ],
    *,
    kind: Annotated[
        FileKind | None,
        typer.Option("--kind", "-k", help="What the rows are, where they do not say / 行的内容"),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", "-p", help="For rows that name none / 未填方案的行使用此方案"),
    ] = None,
    profile_file: Annotated[
        Path | None,
        typer.Option("--profile-file", help="Judge under this profile alone / 使用此方案文件"),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", help="Only this tenant's profiles / 租户")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Match the papers of files without storing anything / 预检：不入库，逐单给出全部差异

    Papers of one order may stand in several files. Beside a deployment its profiles, goods records,
    claims and stored papers count; without one a profile is assumed. Exit code 0: nothing blocks;
    1: something does; 2: a file cannot be read.
    """
    try:
        given = {str(path): _read(path, kind) for path in files}
        work = _judge(context, given, profile, profile_file, tenant)
        report = run(work)
    except (Unusable, UnusableFile) as error:
        if json:
            emit({"files": [str(path) for path in files], "unreadable": str(error)})
        complain(str(error))
        raise typer.Exit(EXIT_UNUSABLE) from None
    if json:
        emit(report.to_doc(explain))
    else:
        show_report(report)
    if report.blocks:
        raise typer.Exit(EXIT_FAILED)


def _read(path: Path, kind: FileKind | None) -> GivenFile:
    if not path.is_file():
        raise Unusable(f"{path}: there is no such file; check the path", "文件不存在，请检查路径")
    return read_rows(path, kind)


async def _judge(
    context: typer.Context,
    given: Mapping[str, GivenFile],
    profile: str | None,
    profile_file: Path | None,
    tenant: str | None,
) -> Report:
    now = SystemClock().now()
    if profile_file is not None:
        alone = Nothing((_profile_of(profile_file),))
        profile = alone.profiles[0].profile_id
        return await preflight_files(given, alone, builtin_matcher(), now, profile)
    async with _known(common(context).settings(), tenant) as known:
        packs = await known.packs() if isinstance(known, _Deployment) else ()
        return await preflight_files(given, known, live_matcher(packs), now, profile)


def _profile_of(path: Path) -> FilingProfile:
    try:
        return read_profile(path, TenantId("preflight"))
    except ProfileFaulty as error:
        faults = "; ".join(f"{fault.path} {fault.message}" for fault in error.faults)
        faults_zh = "；".join(f"{fault.path} {fault.message_zh}" for fault in error.faults)
        raise Unusable(f"{path}: {faults}", faults_zh) from None


@asynccontextmanager
async def _known(settings: Settings, tenant: str | None) -> AsyncIterator[Known]:
    """The deployment, where there is one."""
    if not _is_there(settings):
        if tenant is not None:
            raise Unusable(
                "there is no deployment here; name its settings file with --config",
                "此处没有部署；请用 --config 指明设置文件",
            )
        yield Nothing()
        return
    async with open_reading(settings) as reader:
        owner = None if tenant is None else await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            tenants = [one.tenant for one in await reading.run_sync(list_tenants)]
        owners = tenants if owner is None else [owner]
        profiles = [one for name in owners for one in reader.cache.profiles(TenantId(name))]
        yield _Deployment(reader, profiles)


def _is_there(settings: Settings) -> bool:
    """Whether there is a deployment to look at: its key, and its file on SQLite."""
    url = make_url(settings.store.url)
    is_file = url.get_backend_name() == "sqlite"
    has_database = not is_file or Path(url.database or "").is_file()
    return settings.store.master_key_file.is_file() and has_database
