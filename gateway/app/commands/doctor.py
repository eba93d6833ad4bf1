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
    words_of,
)
from gateway.app.commands.looks import looks_doc, show_looks
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
        emit({"well": is_well, "looks": looks_doc(found)})
    else:
        show_looks("体检 Doctor", found)
    if not is_well:
        raise typer.Exit(EXIT_FAILED)


async def _looks(options: Common) -> list[Look]:
    try:
        settings = options.settings()
    except ConfigError as error:
        fix = (
            "correct the settings file; `clearance init` writes one to begin with",
            "请更正设置文件；可用 `clearance init` 生成初稿",
        )
        return [Look("settings", Health.BAD, error.words, fix)]
    return [*looks_at_settings(settings, SystemClock().now()), *await _store_looks(settings)]


async def _store_looks(settings: Settings) -> list[Look]:
    try:
        async with open_reading(settings) as reader, reader.access.read() as reading:
            return await reading.run_sync(lambda on: looks_at_store(on, reader))
    except (ConfigError, WrongMasterKey, DBAPIError, OSError) as error:
        return [
            Look(
                "database",
                Health.BAD,
                words_of(error),
                ("see store.url in the settings", "见设置中的 store.url"),
            )
        ]
