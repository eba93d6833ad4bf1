"""Wiring of the console: what its pages read and write, over an assembled gateway."""

from gateway.api.services import Services
from gateway.app.config import Settings
from gateway.app.evidence import audit_zip
from gateway.app.keyring import KeyRings
from gateway.app.operations import ProcessOperations
from gateway.app.source_desk import SourceDesk
from gateway.domain.matching.explain import explain
from gateway.flow.context import Context
from gateway.flow.desk import Desk
from gateway.flow.linking import Linker
from gateway.ports.people import SignOn
from gateway.web.services import ConsoleSettings, WebServices
from store.admin import MasterAdmin
from store.console import SqlConsole
from store.console_work import SqlConsoleWork
from store.pauses import PauseBook
from store.people import SqlPeople
from store.sources import SqlSourceBook
from store.sql import SQLStore


def console_settings(settings: Settings) -> ConsoleSettings:
    """The console's settings from the deployment's."""
    console = settings.console
    return ConsoleSettings(
        environment=settings.environment,
        secure_cookies=console.secure_cookies,
        idle_s=console.idle_minutes * 60,
        longest_s=console.longest_hours * 3600,
        wrong_passwords=console.wrong_passwords,
        locked_s=console.locked_minutes * 60,
        four_eyes_above=console.four_eyes_above,
        time_zone=console.time_zone,
    )


def build_console(
    settings: Settings,
    store: SQLStore,
    services: Services,
    context: Context,
    admin: MasterAdmin,
    sign_on: SignOn | None = None,
) -> WebServices:
    """The services of the console over an assembled gateway."""

    async def tenants() -> list[tuple[str, str]]:
        return [(one.tenant, one.name) for one in await admin.list_tenants() if one.is_active]

    pauses = context.pauses
    assert isinstance(pauses, PauseBook)
    return WebServices(
        people=SqlPeople(store),
        log=services.packs.log,
        reads=SqlConsole(store, store.keys, context.clock),
        work=SqlConsoleWork(store, context.clock),
        cases=services.reads,
        desk=Desk(context),
        repairs=services.repairs,
        linker=Linker(context, services.ingest),
        packs=services.packs,
        trial=services.trial,
        master=context.master,
        endpoints=admin,
        mailbox=services.mailbox,
        answers=services.answers,
        operations=ProcessOperations(
            settings,
            context.keys if isinstance(context.keys, KeyRings) else None,
            pauses,
            context.clock,
            services.ready,
            context.ways,
        ),
        sources=SourceDesk(
            settings, context, services.ingest, SqlSourceBook(store, store.keys, context.rng)
        ),
        clock=context.clock,
        rng=context.rng,
        executor=context.executor,
        explain=explain,
        seal=lambda about, files: audit_zip(about, files, store.keys),
        tenants=tenants,
        settings=console_settings(settings),
        sign_on=sign_on,
    )
