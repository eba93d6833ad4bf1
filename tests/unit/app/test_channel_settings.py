"""Settings of channels: every kind, what is refused, and what production refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.channels import open_channels
from gateway.app.config import (
    BrokerSection,
    ConfigError,
    FolderSection,
    RelaySection,
    load_settings,
    refuse_stand_ins,
)
from gateway.app.surroundings import ThreadExecutor
from gateway.flow.windows import Window

FOLDER = 'send = "s"\nreceive = "r"\n'
BROKER = 'kind = "amqp"\nurl = "amqp://mq.internal/"\nsend = "out"\nreceive = "in"\n'
RELAY = 'kind = "http"\nsend = "https://relay.example.com/send"\ncallback_token_file = "t"\n'


def loaded(tmp_path: Path, channel: str, environment: str = "development") -> object:
    file = tmp_path / "clearance.toml"
    file.write_text(f'environment = "{environment}"\n[channels.way]\n{channel}')
    settings = load_settings(file)
    refuse_stand_ins(settings)
    return settings.channels["way"]


def test_a_channel_is_folders_unless_it_says_otherwise(tmp_path: Path) -> None:
    section = loaded(tmp_path, FOLDER)
    assert isinstance(section, FolderSection)
    assert (section.send, section.done) == (tmp_path / "s", None)
    assert isinstance(loaded(tmp_path, FOLDER + 'kind = "dxp-folder"'), FolderSection)


def test_paths_of_every_kind_are_found_from_the_file(tmp_path: Path) -> None:
    section = loaded(tmp_path, BROKER + 'password_file = "mq.pass"')
    assert isinstance(section, BrokerSection)
    assert section.password_file == tmp_path / "mq.pass"
    relay = loaded(tmp_path, RELAY)
    assert isinstance(relay, RelaySection)
    assert relay.callback_token_file == tmp_path / "t"


def test_limits_are_those_of_the_section(tmp_path: Path) -> None:
    text = FOLDER + 'in_flight = 2\nper_minute = 30\nmaintenance = ["Mon 00:00-01:00"]\n'
    section = loaded(tmp_path, text)
    assert isinstance(section, FolderSection)
    assert section.limits.windows == (Window(0, 60),)
    assert (section.limits.in_flight, section.limits.per_minute) == (2, 30)


@pytest.mark.parametrize(
    "channel, told",
    [
        ('kind = "pigeon"', "pigeon"),
        (FOLDER + 'maintenance = ["at night"]', "maintenance window"),
        (FOLDER + "in_flight = 0", "in_flight"),
        (BROKER.replace("amqp://mq", "http://mq"), "amqp://"),
        (BROKER.replace("amqp://", "amqp://u:hidden-word@"), "password"),
        (RELAY + 'receive = "https://relay.example.com/r"', "belong together"),
        (RELAY.replace('callback_token_file = "t"\n', ""), "no receipt can come in"),
        (RELAY.replace("https://relay", "ftp://relay"), "https://"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, channel: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, channel)
    assert told in str(error.value)
    assert "hidden-word" not in str(error.value)


@pytest.mark.parametrize(
    "channel, is_taken",
    [
        (FOLDER + "fsync = false", False),
        (BROKER, False),
        (BROKER.replace("amqp://", "amqps://"), True),
        (BROKER.replace("mq.internal", "10.1.2.3"), True),
        (RELAY, True),
        (RELAY.replace("https://", "http://"), False),
        (RELAY.replace("https://relay.example.com", "http://localhost:80"), True),
    ],
)
def test_production_sends_nothing_in_clear_beyond_the_private_network(
    tmp_path: Path, channel: str, is_taken: bool
) -> None:
    if is_taken:
        loaded(tmp_path, channel, "production")
    else:
        with pytest.raises(ConfigError, match="refused in production"):
            loaded(tmp_path, channel, "production")


async def test_a_secret_that_cannot_be_read_is_told_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "clearance.toml"
    file.write_text(f"[channels.way]\n{RELAY}")
    executor = ThreadExecutor(1)
    for content in (None, "  \n"):
        if content is not None:
            (tmp_path / "t").write_text(content)
        with pytest.raises(ConfigError, match=r"channels\.way\.callback_token_file"):
            async with open_channels(load_settings(file), executor):
                pass
    (tmp_path / "t").write_text("word\n")
    async with open_channels(load_settings(file), executor) as channels:
        assert channels["way"].admits("word")  # type: ignore[attr-defined]
    executor.close()
