"""Wiring: one function builds a gateway from its settings, and closes it in the right order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry

from adapters.http import HTTPClient
from gateway.api.later import Later
from gateway.api.services import Services
from gateway.api.settings import APISettings
from gateway.app.beginning import make_database
from gateway.app.channels import open_channels
from gateway.app.config import (
    Settings,
    refuse_stand_ins,
)
from gateway.app.console import build_console
from gateway.app.keyring import KeyRings, open_rings
from gateway.app.master_key import read_master_key
from gateway.app.metrics import EngineMetrics, FolderMetrics, MeasuredIngest, SigningMetrics
from gateway.app.notifier import WebhookNotifier, egress_policy
from gateway.app.offering import offered
from gateway.app.packs import builtin_matcher
from gateway.app.partners import configured_partners
from gateway.app.preflight_api import MessagePreflight
from gateway.app.process_names import process_name
from gateway.app.pulling import source_policy
from gateway.app.regimes import customs_regime
from gateway.app.sign_on import open_sign_on
from gateway.app.surroundings import SystemClock, SystemRng, ThreadExecutor, crash_points
from gateway.app.upkeep import readiness
from gateway.domain.matching.explain import explain
from gateway.domain.matching.pack import builtin_text
from gateway.flow.admission import Admission
from gateway.flow.context import SECOND_US, Context, FlowSettings
from gateway.flow.delivery import Deliveries
from gateway.flow.desk import Desk
from gateway.flow.engine import Engine
from gateway.flow.ingest import Ingest
from gateway.flow.mailbox import FullMailbox
from gateway.flow.neighbours import Neighbours
from gateway.flow.pack_trial import PackTrial
from gateway.flow.packs import LivePacks, PackOffice
from gateway.flow.preflight import Preflight
from gateway.flow.repair import Repairs
from gateway.flow.ways import ChannelWays, WayLimits
from gateway.ports import (
    Channel,
    Clock,
    CrashPoints,
    Endpoint,
    Executor,
    KeyRing,
    Notifier,
    Rng,
)
from gateway.ports.aside_keys import AsideKey
from gateway.ports.partners import NoPartners, Partners
from gateway.ports.people import SignOn
from gateway.web.services import WebServices
from store.admin import MasterAdmin
from store.aside_keys import AsideBook
from store.console_log import SqlConsoleLog
from store.findings import SqlFindings
from store.idempotency import KeptAnswers
from store.keys import KeyDirectory
from store.lessons import StoredLessons
from store.master_cache import MasterCache
from store.notices import SqlMailbox
from store.open import StoreLimits, Surroundings, open_store
from store.packs import StoredPacks
from store.pauses import PauseBook
from store.read_models import SqlReadModels
from store.repairs import StoredRepairs
from store.sql import SQLStore
from store.submissions import StoredSubmissions
from store.writer import WriterLimits


@dataclass(frozen=True, slots=True)
class Gateway:
    """A built gateway: everything that an entry point may use."""

    settings: Settings
    store: SQLStore
    cache: MasterCache
    keys: KeyDirectory
    admin: MasterAdmin
    reads: SqlReadModels
    context: Context
    engine: Engine
    ingest: Ingest
    desk: Desk
    services: Services
    pauses: PauseBook
    aside_keys: AsideBook
    packs: StoredPacks
    web: WebServices


@asynccontextmanager
async def open_gateway(settings: Settings) -> AsyncIterator[Gateway]:
    """Open everything a gateway needs; nothing runs yet.

    Raises :class:`ConfigError` for settings that cannot be used.
    """
    refuse_stand_ins(settings)
    clock, rng = SystemClock(), SystemRng()
    crash = crash_points(settings.environment)
    master_key = read_master_key(settings.store.master_key_file)
    make_database(settings.store.url)
    async with AsyncExitStack() as stack:
        executor = ThreadExecutor(settings.flow.cpu_threads)
        stack.callback(executor.close)
        store = await stack.enter_async_context(
            open_store(
                settings.store.url,
                master_key,
                Surroundings(clock, rng, crash),
                StoreLimits(
                    writer=WriterLimits(queue_items=settings.store.queue),
                    papers_bytes=settings.store.papers_mib * 1024 * 1024,
                    lease_us=int(settings.flow.lease_s * SECOND_US),
                    process=process_name(rng.guid()),
                ),
            )
        )
        registry = CollectorRegistry()
        key_ring = open_rings(settings.keys, executor, clock, SigningMetrics(registry), stack)
        client = await stack.enter_async_context(HTTPClient(egress_policy(settings)))
        partner_client = await stack.enter_async_context(HTTPClient(source_policy(settings)))
        files = ThreadExecutor(len(settings.channels) or 1)
        stack.callback(files.close)
        aside = FolderMetrics(registry, list(settings.channels)).set_aside
        channels = await stack.enter_async_context(open_channels(settings, files, aside))
        yield await assemble(
            settings,
            store,
            clock=clock,
            rng=rng,
            crash=crash,
            executor=executor,
            channels=channels,
            notifier=WebhookNotifier(client),
            key_ring=key_ring,
            ready=lambda: readiness(store, key_ring, settings, clock, channels),
            registry=registry,
            partners=configured_partners(settings, partner_client, clock, rng),
            sign_on=open_sign_on(settings.console.oidc, partner_client, clock),
        )


async def assemble(
    settings: Settings,
    store: SQLStore,
    *,
    clock: Clock,
    rng: Rng,
    crash: CrashPoints,
    executor: Executor,
    channels: Mapping[str, Channel],
    notifier: Notifier,
    key_ring: KeyRing,
    ready: Callable[[], Awaitable[Mapping[str, bool]]] | None = None,
    registry: CollectorRegistry | None = None,
    partners: Partners | None = None,
    sign_on: SignOn | None = None,
) -> Gateway:
    """Wire a gateway from its ports, for a real process or the simulation; ``registry`` counts."""
    # The engine comes later: it needs the cache.
    cache = MasterCache(store, store.keys, lambda tenant, cases: engine.recheck(tenant, cases))  # noqa: PLW0108
    keys, pauses = KeyDirectory(store, clock, rng), PauseBook(store, clock)
    live = LivePacks(builtin_matcher(), builtin_text)
    packs, aside = StoredPacks(store, live.load), AsideBook(store, clock, _doubting(key_ring))
    for one in (packs, cache, keys, pauses, aside):
        await one.refresh()
    context = Context(
        clock=clock, rng=rng, crash=crash, executor=executor, store=store, master=cache,
        matcher=live, regime=customs_regime(), channels=channels, keys=key_ring,
        notifier=notifier, settings=flow_settings(settings), pauses=pauses, aside_keys=aside,
        ways=_ways(settings, channels, clock, rng), partners=partners or NoPartners(),
    )  # fmt: skip
    reads, ingest, desk = SqlReadModels(store, store.keys, cache), Ingest(context), Desk(context)
    admin = MasterAdmin(store, cache, store.keys, clock, rng)
    repairs = Repairs(
        context, reads, SqlFindings(store), StoredRepairs(store, store.keys, rng), admin
    )
    admission = Admission(settings.intake.limits, lambda: store.waiting)
    registry = registry or CollectorRegistry()
    engine = _engine(context, EngineMetrics(registry), cache, admin, repairs, admission)
    services = Services(
        authenticator=keys,
        ingest=MeasuredIngest(ingest, engine.observer, clock),
        desk=desk,
        reads=reads,
        master=cache,
        admin=admin,
        mailbox=FullMailbox(context, SqlMailbox(store, clock)),
        answers=KeptAnswers(store, store.keys, clock, rng, store.process),
        submissions=StoredSubmissions(store, store.keys, clock, rng),
        preflight=Preflight(context, reads),
        messages=MessagePreflight(context, reads, cache, explain),
        around=Neighbours(store, cache, live, clock, reads),
        findings=repairs.findings,
        repairs=repairs,
        packs=PackOffice(packs, builtin_text, SqlConsoleLog(store, clock)),
        lessons=StoredLessons(store),
        trial=PackTrial(reads, cache, clock, live, builtin_text, store),
        clock=clock, rng=rng, explain=explain, registry=registry, admission=admission,
        signing=offered(key_ring, settings.keys),
    )  # fmt: skip
    # Callers of another process may have been promised that it is read.
    engine.take_in = Later(services, APISettings()).take_in
    if ready is not None:
        services = replace(services, ready=ready)
    return Gateway(
        settings=settings, store=store, cache=cache, keys=keys, admin=admin, reads=reads,
        context=context, engine=engine, ingest=ingest, desk=desk, services=services,
        pauses=pauses, aside_keys=aside, packs=packs,
        web=build_console(settings, store, services, context, admin, sign_on),
    )  # fmt: skip


def _doubting(key_ring: KeyRing) -> Callable[[Mapping[str, AsideKey]], None] | None:
    """Who has the rings do as the book of keys that are set aside says."""
    return key_ring.doubt if isinstance(key_ring, KeyRings) else None


def _engine(
    context: Context,
    observer: EngineMetrics,
    cache: MasterCache,
    admin: MasterAdmin,
    repairs: Repairs,
    admission: Admission,
) -> Engine:
    async def switch_off(endpoint: Endpoint, why: str) -> bool:
        return await admin.set_endpoint_active(endpoint.tenant, endpoint.endpoint_id, False, why)

    deliveries = Deliveries(context, observer.count, switch_off)
    return Engine(
        context, observer, cache.endpoint, deliveries, repairs.overdue, admission=admission
    )


def _ways(settings: Settings, channels: Iterable[str], clock: Clock, rng: Rng) -> ChannelWays:
    """The limits of the settings; a channel that they do not name, as in a test, has none set."""
    sections = settings.channels
    return ChannelWays(
        clock,
        rng,
        {name: sections[name].limits if name in sections else WayLimits() for name in channels},
    )


def flow_settings(settings: Settings) -> FlowSettings:
    """The flow's settings from the deployment's."""
    flow = settings.flow
    return FlowSettings(
        linger_s=flow.linger_s,
        poll_s=flow.poll_s,
        receive_poll_s=flow.receive_poll_s,
        lease_us=int(flow.lease_s * SECOND_US),
        senders={name: channel.senders for name, channel in settings.channels.items()},
        accepts_bare=flow.accepts_bare,
    )
