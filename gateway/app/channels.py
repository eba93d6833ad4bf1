"""Opens the channels that the settings name; which kind one is matters nowhere else."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import assert_never

from adapters.customs.channels.folder import FolderChannel
from adapters.customs.channels.relay import Addresses, Manners, RelayChannel
from gateway.app.beginning import make_folder
from gateway.app.config import (
    BrokerSection,
    ConfigError,
    FolderSection,
    RelaySection,
    Settings,
)
from gateway.app.surroundings import SystemClock
from gateway.ports import Channel, Executor

Told = Callable[[str, str], None]
"""Told of a file that is set aside: its channel and its name."""


@asynccontextmanager
async def open_channels(
    settings: Settings, executor: Executor, set_aside: Told | None = None
) -> AsyncIterator[Mapping[str, Channel]]:
    """Every channel by name; closed on leaving. Raises :class:`ConfigError`."""
    async with AsyncExitStack() as stack:
        yield {
            name: await _open(name, section, executor, set_aside, stack)
            for name, section in settings.channels.items()
        }


async def _open(
    name: str,
    section: FolderSection | BrokerSection | RelaySection,
    executor: Executor,
    set_aside: Told | None,
    stack: AsyncExitStack,
) -> Channel:
    match section:
        case FolderSection():
            return _folder(name, section, executor, set_aside)
        case BrokerSection():
            return _broker(name, section, set_aside, stack)
        case RelaySection():
            return await stack.enter_async_context(_relay(name, section, set_aside))
        case _:
            assert_never(section)


def _folder(
    name: str, section: FolderSection, executor: Executor, set_aside: Told | None
) -> FolderChannel:
    """The DXP folders of a channel; missing folders are made."""
    for folder in (section.send, section.receive, section.done, section.error):
        if folder is not None:
            make_folder(folder)
    return FolderChannel(
        name,
        section.send,
        section.receive,
        done_dir=section.done,
        error_dir=section.error,
        executor=executor,
        fsync=section.fsync,
        settle_s=section.settle_s,
        clock=SystemClock(),
        set_aside=set_aside,
    )


def _broker(
    name: str, section: BrokerSection, set_aside: Told | None, stack: AsyncExitStack
) -> Channel:
    try:
        from adapters.customs.channels.broker import (  # noqa: PLC0415 - an optional extra
            BrokerChannel,
            Queues,
        )
    except ImportError as error:
        raise ConfigError(
            f"channels.{name}: needs the extra amqp: pip install 'clearance-gateway[amqp]'",
            "需要安装可选依赖 amqp",
        ) from error
    password = _secret(f"channels.{name}.password_file", section.password_file)
    queues = Queues(section.send, section.receive, section.exchange, section.error)
    made = BrokerChannel(name, section.url, password, queues, set_aside=set_aside)
    stack.push_async_callback(made.close)
    return made


def _relay(name: str, section: RelaySection, set_aside: Told | None) -> RelayChannel:
    return RelayChannel(
        name,
        Addresses(section.send, section.receive, section.acknowledge, section.check),
        Manners(
            section.form_field,
            section.expects,
            _secret(f"channels.{name}.token_file", section.token_file),
            _secret(f"channels.{name}.callback_token_file", section.callback_token_file),
        ),
        set_aside=set_aside,
    )


def _secret(place: str, file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place}: {file} cannot be read", "文件无法读取") from error
    if not text:
        raise ConfigError(f"{place}: {file} is empty", "文件为空")
    return text
