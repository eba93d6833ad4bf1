"""The settings of a deployment: one frozen value, read once from a TOML file and the environment.

All faults are reported together. ``CLEARANCE_CONFIG`` names the file; ``CLEARANCE_STORE_URL``,
``CLEARANCE_MASTER_KEY_FILE``, ``CLEARANCE_HOST`` and ``CLEARANCE_PORT`` override it.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

DEFAULT_FILE: Final = "clearance.toml"
_OVERRIDES: Final = {
    "CLEARANCE_STORE_URL": ("store", "url"),
    "CLEARANCE_MASTER_KEY_FILE": ("store", "master_key_file"),
    "CLEARANCE_HOST": ("http", "host"),
    "CLEARANCE_PORT": ("http", "port"),
}


class ConfigError(Exception):
    """The settings cannot be used; the text lists every fault with its place."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSection(_Section):
    """Where everything is kept."""

    url: str = "sqlite:///clearance.db"
    master_key_file: Path = Path("master.key")
    queue: int = Field(default=20_000, ge=1, description="commands that may wait to be committed")
    papers_mib: int = Field(
        default=192, ge=1, description="memory for papers on their way; about 80 orders each"
    )
    checkpoint_s: int = Field(default=3600, ge=1)
    checkpoint_file: Path | None = None


class HTTPSection(_Section):
    """The listener."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    trusted_proxies: frozenset[str] = frozenset()


class ChannelSection(_Section):
    """A pair of DXP folders and who may send receipts through it."""

    kind: Literal["dxp-folder"] = "dxp-folder"
    send: Path
    receive: Path
    done: Path | None = None
    error: Path | None = None
    senders: frozenset[str] = frozenset({"DXPEDCCEB0000002"})
    fsync: bool = True


class KeySection(_Section):
    """A key file of one key ring; the passphrase comes from a file or an environment variable."""

    file: Path
    passphrase_file: Path | None = None
    passphrase_variable: str | None = None


class FlowSection(_Section):
    """Pace of the workers, in seconds."""

    linger_s: float = Field(default=0.2, ge=0)
    poll_s: float = Field(default=0.5, gt=0)
    receive_poll_s: float = Field(default=0.1, gt=0)
    lease_s: float = Field(default=30.0, gt=0)
    accepts_bare: bool = False
    cpu_threads: int = Field(default=2, ge=1, le=64)


class EgressSection(_Section):
    """What webhooks may call: https on these ports and, when any are named, these hosts only."""

    ports: frozenset[Annotated[int, Field(ge=1, le=65535)]] = frozenset({443, 8443})
    hosts: frozenset[str] = frozenset()


class SourceSection(_Section):
    """A shop that orders are pulled from.

    ``options`` are the adapter's; those that are secret are read from ``secret_files``, one value a
    file. Orders changed before ``since`` are not asked for.
    """

    adapter: str
    tenant: str
    profile: str
    since: AwareDatetime
    base_url: str | None = None
    options: Mapping[str, str] = {}
    secret_files: Mapping[str, Path] = {}


class Settings(_Section):
    """Everything that a deployment sets."""

    environment: Literal["development", "test", "production"] = "development"
    store: StoreSection = StoreSection()
    http: HTTPSection = HTTPSection()
    channels: Mapping[str, ChannelSection] = {}
    keys: Mapping[str, KeySection] = {}
    flow: FlowSection = FlowSection()
    egress: EgressSection = EgressSection()
    sources: Mapping[str, SourceSection] = {}


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings; raises :class:`ConfigError` with all faults at once.

    Without a file in the usual place the defaults hold; a file that was named must exist.
    """
    named = path or (
        Path(os.environ["CLEARANCE_CONFIG"]) if "CLEARANCE_CONFIG" in os.environ else None
    )
    file = named or Path(DEFAULT_FILE)
    data: dict[str, Any] = {}
    if file.exists():
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: {error}") from error
    elif named is not None:
        raise ConfigError(f"{file}: there is no such file")
    for variable, (section, name) in _OVERRIDES.items():
        if variable in os.environ:
            data.setdefault(section, {})[name] = os.environ[variable]
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_faults(file, error)) from error
    return _located(settings, file.resolve().parent)


def _faults(file: Path, error: ValidationError) -> str:
    lines = [f"{file}: {error.error_count()} setting(s) cannot be used"]
    lines += [
        f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    return "\n".join(lines)


def _located(settings: Settings, base: Path) -> Settings:
    """Paths in the file are relative to it."""
    store = settings.store.model_copy(
        update={
            "url": _located_url(settings.store.url, base),
            **{
                field: base / value
                for field in ("master_key_file", "checkpoint_file")
                if (value := getattr(settings.store, field)) is not None
            },
        }
    )
    channels = {
        name: channel.model_copy(
            update={
                field: base / value
                for field in ("send", "receive", "done", "error")
                if (value := getattr(channel, field)) is not None
            }
        )
        for name, channel in settings.channels.items()
    }
    keys = {
        name: key.model_copy(
            update={
                field: base / value
                for field in ("file", "passphrase_file")
                if (value := getattr(key, field)) is not None
            }
        )
        for name, key in settings.keys.items()
    }
    sources = {
        name: source.model_copy(
            update={"secret_files": {key: base / file for key, file in source.secret_files.items()}}
        )
        for name, source in settings.sources.items()
    }
    return settings.model_copy(
        update={"store": store, "channels": channels, "keys": keys, "sources": sources}
    )


def refuse_stand_ins(settings: Settings) -> None:
    """Raise :class:`ConfigError` for what may stand in for the real thing only in development."""
    if settings.environment != "production":
        return
    faults = [
        f"keys.{ring}: a key file without a passphrase is for development"
        for ring, key in settings.keys.items()
        if key.passphrase_file is None and key.passphrase_variable is None
    ]
    if settings.flow.accepts_bare:
        faults.append("flow.accepts_bare: receipts without an envelope are for development")
    faults += [
        f"channels.{name}.fsync: switching it off is for development"
        for name, channel in settings.channels.items()
        if not channel.fsync
    ]
    if faults:
        raise ConfigError("refused in production:\n  " + "\n  ".join(faults))


def _located_url(url: str, base: Path) -> str:
    """A SQLite file is found from the settings file too, wherever the process was started."""
    scheme, mark, path = url.partition(":///")
    if not mark or not scheme.startswith("sqlite") or not path or path == ":memory:":
        return url
    return f"{scheme}:///{base / path}"


def passphrase(section: KeySection) -> bytes | None:
    """The passphrase of a key file, None when it has none."""
    if section.passphrase_file is not None:
        return section.passphrase_file.read_bytes().strip()
    if section.passphrase_variable is not None:
        value = os.environ.get(section.passphrase_variable)
        if value is None:
            raise ConfigError(f"the environment variable {section.passphrase_variable} is not set")
        return value.encode()
    return None
