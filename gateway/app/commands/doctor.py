"""``clearance doctor``: is this deployment well, and what to do if not."""

import typer
from sqlalchemy.exc import DBAPIError

from gateway.app.commands.frame import (
    EXIT_FAILED,
    Common,
    JSONOption,
    common,
    emit,
    run,
    sentence,
    show_table,
)
from gateway.app.config import ConfigError, Settings
from gateway.app.doctor import Health, Look, looks_at_settings, looks_at_store
from gateway.app.opening import open_reading
from gateway.app.surroundings import SystemClock
from store.errors import WrongMasterKey


def doctor(context: typer.Context, *, json: JSONOption = False) -> None:
    """Look at settings, keys, clock, database, folders, disk; say what to fix / 体检

    Reads only, so it may run beside a working gateway. Exit code 1 when something is bad.
    """
    found = run(_looks(common(context)))
    is_well = all(one.health is not Health.BAD for one in found)
    if json:
        emit({"well": is_well, "looks": [_doc(one) for one in found]})
    else:
        show_table(
            "体检 Doctor",
            ("对象 subject", "状态 health", "现状 finding", "处理 fix"),
            [(one.subject, one.health.value, one.text, one.fix) for one in found],
        )
    if not is_well:
        raise typer.Exit(EXIT_FAILED)


async def _looks(options: Common) -> list[Look]:
    try:
        settings = options.settings()
    except ConfigError as error:
        fix = "correct the settings file; `clearance init` writes one to begin with"
        return [Look("settings", Health.BAD, str(error), fix)]
    return [*looks_at_settings(settings, SystemClock().now()), *await _store_looks(settings)]


async def _store_looks(settings: Settings) -> list[Look]:
    try:
        async with open_reading(settings) as reader, reader.access.read() as reading:
            return await reading.run_sync(lambda on: looks_at_store(on, reader))
    except (ConfigError, WrongMasterKey, DBAPIError, OSError) as error:
        return [Look("database", Health.BAD, sentence(error), "see store.url in the settings")]


def _doc(one: Look) -> dict[str, str]:
    return {
        "subject": one.subject,
        "health": one.health.value,
        "finding": one.text,
        "fix": one.fix,
    }
