"""The settings of a deployment: one frozen value, read once from a TOML file and the environment.

All faults are reported together. ``CLEARANCE_CONFIG`` names the file; ``CLEARANCE_STORE_URL``,
``CLEARANCE_MASTER_KEY_FILE``, ``CLEARANCE_HOST`` and ``CLEARANCE_PORT`` override it.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from yarl import URL

from gateway.app.told import Told
from gateway.flow.admission import AdmissionLimits
from gateway.flow.ways import WayLimits
from gateway.flow.windows import parse_window

DEFAULT_FILE: Final = "clearance.toml"
_OVERRIDES: Final = {
    "CLEARANCE_STORE_URL": ("store", "url"),
    "CLEARANCE_MASTER_KEY_FILE": ("store", "master_key_file"),
    "CLEARANCE_HOST": ("http", "host"),
    "CLEARANCE_PORT": ("http", "port"),
}


_KEY_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "file": ("file",),
    "pkcs11": ("module", "token", "label", "pin_file"),
    "ukey": (),
    "remote": ("url", "token_file", "certificate_file"),
}
_KEY_PATHS: Final = (
    "file", "passphrase_file", "certificate_file", "module", "pin_file", "token_file", "ca_file",
)  # fmt: skip


class ConfigError(Told):
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


class QuotaSection(_Section):
    """What one key may ask of one route; without ``key`` any key, without ``route`` any route."""

    per_s: float = Field(ge=0, description="requests a second on and on; 0 bounds nothing")
    burst: int = Field(ge=1, description="requests at once")
    key: str | None = None
    route: str | None = Field(default=None, pattern=r"^(GET|POST) /v1/[A-Za-z0-9_./{}-]+$")


class HTTPSection(_Section):
    """The listener. Requests from ``trusted_proxies`` speak for many peers."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    trusted_proxies: frozenset[str] = frozenset()
    quotas: tuple[QuotaSection, ...] = ()


class WaySection(_Section):
    """What every channel has: who may send receipts through it (customs' import and export sides,
    unless told otherwise), and what it bears.

    ``in_flight`` messages are handed over at once and ``per_minute`` at most (no limit by default).
    In ``maintenance`` windows (``daily 23:30-00:30``, ``Sun 01:00-05:00``, Beijing time) nothing is
    sent. Every ``heartbeat_s`` seconds the channel is looked at.
    """

    senders: frozenset[str] = frozenset({"DXPEDCCEB0000002", "DXPEDCCEB0000003"})
    in_flight: int = Field(default=8, ge=1, le=64)
    per_minute: int | None = Field(default=None, ge=1, le=100_000)
    maintenance: tuple[str, ...] = ()
    heartbeat_s: float = Field(default=30.0, gt=0)

    @field_validator("maintenance")
    @classmethod
    def _windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_window(text)
        return value

    @property
    def limits(self) -> WayLimits:
        """What the channel bears, for the flow."""
        windows = tuple(window for text in self.maintenance for window in parse_window(text))
        return WayLimits(self.in_flight, self.per_minute, windows, self.heartbeat_s)


class FolderSection(WaySection):
    """A pair of DXP folders. ``purge_hours`` clears ``done`` and ``error`` of older files.

    ``settle_s``: how long a received file that does not end as a document does must be unchanged
    before it is read; its transfer client may still be writing.
    """

    kind: Literal["dxp-folder"] = "dxp-folder"
    send: Path
    receive: Path
    done: Path | None = None
    error: Path | None = None
    purge_hours: int | None = Field(default=None, ge=1)
    fsync: bool = True
    settle_s: float = Field(default=5.0, ge=0, le=600)


class BrokerSection(WaySection):
    """A pair of queues at an AMQP 0-9-1 broker such as RabbitMQ; somebody else declares them.

    Messages go to ``exchange`` (the default exchange if empty) with the routing key ``send``.
    Messages too large to be read go to the queue ``error``. The password is in a file of its own.
    """

    kind: Literal["amqp"]
    url: str
    password_file: Path | None = None
    exchange: str = ""
    send: str
    receive: str
    error: str | None = None

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return _checked_address(value, ("amqp", "amqps"))


class RelaySection(WaySection):
    """An HTTP relay: we post to it; its receipts we fetch, or it calls us, or both.

    With ``form_field`` the envelope is that field of a form, else the body is the envelope.
    ``expects`` is a text that only a taken message's answer has. ``token_file`` holds the bearer
    token that we show, ``callback_token_file`` the one that the relay shows to us.
    """

    kind: Literal["http"]
    send: str
    form_field: str | None = None
    expects: str | None = None
    receive: str | None = None
    acknowledge: str | None = None
    check: str | None = None
    token_file: Path | None = None
    callback_token_file: Path | None = None

    @field_validator("send", "receive", "acknowledge", "check")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        return None if value is None else _checked_address(value, ("http", "https"))

    @model_validator(mode="after")
    def _hears(self) -> Self:
        if (self.receive is None) is not (self.acknowledge is None):
            raise ValueError("receive and acknowledge belong together")
        if self.receive is None and self.callback_token_file is None:
            raise ValueError("no receipt can come in: set receive, or callback_token_file")
        return self


def _checked_address(value: str, schemes: tuple[str, ...]) -> str:
    address = URL(value)
    if address.scheme not in schemes or not address.host:
        raise ValueError(f"write an address that begins with {schemes[0]}:// or {schemes[1]}://")
    if address.password:
        raise ValueError("a password does not stand in the settings: put it into a file")
    return value


def _channel_kind(value: Any) -> str | None:  # Any: what the settings file holds.
    if isinstance(value, Mapping):
        return str(value.get("kind", "dxp-folder"))
    return getattr(value, "kind", None)


ChannelSection = Annotated[
    Annotated[FolderSection, Tag("dxp-folder")]
    | Annotated[BrokerSection, Tag("amqp")]
    | Annotated[RelaySection, Tag("http")],
    Discriminator(_channel_kind),
]


class KeySection(_Section):
    """A signing key and the ring it belongs to, which has its name unless ``ring`` says so.

    ``file``: PEM or PKCS#12, passphrase from a file or an environment variable. ``pkcs11``: the
    vendor's ``module``, the labels of token and key, ``pin_file``. ``ukey``: the e-port client
    control at ``url``. ``remote``: a signing service at ``url`` with ``token_file``. A device whose
    ``certificate_file`` is given need not be there when the gateway starts.
    """

    kind: Literal["file", "pkcs11", "ukey", "remote"] = "file"
    ring: str | None = None
    file: Path | None = None
    passphrase_file: Path | None = None
    passphrase_variable: str | None = None
    certificate_file: Path | None = None
    module: Path | None = None
    token: str | None = None
    label: str | None = None
    pin_file: Path | None = None
    url: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout_ms: int = Field(default=10_000, ge=100, le=120_000)
    converts_der: bool = False
    sm2_names: Literal["official", "unofficial"] = "official"
    weight: int = Field(default=1, ge=1, le=1000)
    pace_ms: int = Field(default=0, ge=0, le=60_000, description="least time between two calls")
    use_from: AwareDatetime | None = None
    use_until: AwareDatetime | None = None
    enterprise: frozenset[str] = frozenset()
    offered_to: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        lacking = [name for name in _KEY_NEEDS[self.kind] if getattr(self, name) is None]
        if lacking:
            raise ValueError(f"a key of kind {self.kind} needs {', '.join(lacking)}")
        foreign = {name for needs in _KEY_NEEDS.values() for name in needs}
        foreign -= {*_KEY_NEEDS[self.kind], "certificate_file", "label", "pin_file", "url"}
        named = sorted(name for name in foreign if getattr(self, name) is not None)
        if named:
            raise ValueError(f"a key of kind {self.kind} has no {', '.join(named)}")
        if self.use_from and self.use_until and self.use_from >= self.use_until:
            raise ValueError("use_until must be later than use_from")
        return self


class FlowSection(_Section):
    """Pace of the workers, in seconds."""

    linger_s: float = Field(default=0.2, ge=0)
    poll_s: float = Field(default=0.5, gt=0)
    receive_poll_s: float = Field(default=0.1, gt=0)
    lease_s: float = Field(default=30.0, gt=0)
    silent_s: float = Field(
        default=4.0,
        gt=0,
        description="without a sign for this long a process is dead to the others",
    )
    accepts_bare: bool = False
    cpu_threads: int = Field(default=2, ge=1, le=64)


class IntakeSection(_Section):
    """How much is taken in before what there is is through; beyond it senders get 503 with
    Retry-After. 0 bounds nothing.
    """

    in_hand: int = Field(
        default=5_000, ge=0, description="declarations of one process not yet handed to customs"
    )
    waiting: int = Field(
        default=1_000, ge=0, description="papers and changes of one process not yet committed"
    )
    left: int = Field(
        default=100_000, ge=0, description="declarations that no worker has begun, in all"
    )
    submitted: int = Field(
        default=500_000, ge=0, description="submissions kept and not yet taken in, in all"
    )

    @property
    def limits(self) -> AdmissionLimits:
        """The bounds for the flow."""
        return AdmissionLimits(self.in_hand, self.waiting, self.left, self.submitted)


class EgressSection(_Section):
    """What webhooks may call: https on these ports and, when any are named, these hosts only."""

    ports: frozenset[Annotated[int, Field(ge=1, le=65535)]] = frozenset({443, 8443})
    hosts: frozenset[str] = frozenset()


class OIDCSection(_Section):
    """An issuer of OpenID Connect that people of the console may sign in through.

    It vouches for a login, nothing more: accounts, roles and tenants stay ours.
    ``login_claim`` names the claim that holds the login; people must not be able to choose it
    themselves at the issuer. ``redirect_uri`` is this console's ``/console/login/oidc/back``.
    """

    issuer: str = Field(pattern=r"^https?://[^\s?#]+$")
    client_id: str
    client_secret_file: Path
    redirect_uri: str = Field(pattern=r"^https?://[^\s?#]+/login/oidc/back$")
    login_claim: str
    name: str = "OpenID Connect"


class ConsoleSection(_Section):
    """The console. ``secure_cookies`` may be off only where browsers come over plain http and do
    not trust their own machine; ``four_eyes_above`` is in CNY.
    """

    secure_cookies: bool = True
    idle_minutes: int = Field(default=30, ge=5, le=480)
    longest_hours: int = Field(default=12, ge=1, le=24)
    wrong_passwords: int = Field(default=5, ge=3, le=20)
    locked_minutes: int = Field(default=15, ge=1, le=1440)
    four_eyes_above: int = Field(default=2000, ge=0)
    time_zone: str = "Asia/Shanghai"
    oidc: OIDCSection | None = None


class AccountSection(_Section):
    """An account at a partner, of a tenant's profile.

    ``options`` are the adapter's; those that are secret are read from ``secret_files``, one value a
    file.
    """

    adapter: str
    tenant: str
    profile: str
    base_url: str | None = None
    options: Mapping[str, str] = {}
    secret_files: Mapping[str, Path] = {}


class SourceSection(AccountSection):
    """A shop that orders are pulled from. Orders changed before ``since`` are not asked for."""

    since: AwareDatetime


class PartnerKeysSection(_Section):
    """RSA keys between us and a partner: our key and certificate's serial, and the partner's public
    keys by serial, the first of which seals personal values.
    """

    serial: str
    private_key_file: Path
    partner_keys: Annotated[Mapping[str, Path], Field(min_length=1)]
    passphrase_file: Path | None = None
    sealing: Literal["oaep-sha1", "pkcs1-v1.5"] = "oaep-sha1"


class PaymentSection(AccountSection):
    """A payment company that files slips for a profile.

    ``company`` is the code by which the profile names it, ``customs_place`` and ``merchant_code``
    are the company's own names for place and merchant.
    """

    company: str
    customs_place: str
    merchant_code: str
    keys: PartnerKeysSection | None = None


class SenderSection(_Section):
    """Where parcels leave from."""

    name: str
    phone: str
    address: str
    province: str = ""
    city: str = ""
    county: str = ""


class CarrierSection(AccountSection):
    """A carrier that gives a profile's waybills.

    ``company`` is the code by which the profile names it; ``units`` and ``origins`` turn customs'
    codes of units and countries into the carrier's.
    """

    company: str
    sender: SenderSection
    units: Mapping[str, str] = {}
    origins: Mapping[str, str] = {}


class Settings(_Section):
    """Everything that a deployment sets."""

    environment: Literal["development", "test", "production"] = "development"
    store: StoreSection = StoreSection()
    http: HTTPSection = HTTPSection()
    channels: Mapping[str, ChannelSection] = {}
    keys: Mapping[str, KeySection] = {}
    flow: FlowSection = FlowSection()
    intake: IntakeSection = IntakeSection()
    egress: EgressSection = EgressSection()
    console: ConsoleSection = ConsoleSection()
    sources: Mapping[str, SourceSection] = {}
    payments: Mapping[str, PaymentSection] = {}
    carriers: Mapping[str, CarrierSection] = {}


def settings_path(path: Path | None = None) -> Path:
    """The settings file that :func:`load_settings` reads: the named one, else the usual one."""
    named = os.environ.get("CLEARANCE_CONFIG")
    return path or (Path(named) if named else Path(DEFAULT_FILE))


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
            raise ConfigError(f"{file}: {error}", "不是合法的 TOML") from error
    elif named is not None:
        raise ConfigError(f"{file}: there is no such file", "文件不存在")
    for variable, (section, name) in _OVERRIDES.items():
        if variable in os.environ:
            data.setdefault(section, {})[name] = os.environ[variable]
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_faults(file, error), "设置有误") from error
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
            update={field: base / value for field, value in channel if isinstance(value, Path)}
        )
        for name, channel in settings.channels.items()
    }
    keys = {
        name: key.model_copy(
            update={
                field: base / value
                for field in _KEY_PATHS
                if (value := getattr(key, field)) is not None
            }
        )
        for name, key in settings.keys.items()
    }
    accounts = {
        kind: {
            name: one.model_copy(update=_located_account(one, base))
            for name, one in getattr(settings, kind).items()
        }
        for kind in ("sources", "payments", "carriers")
    }
    console = settings.console
    if console.oidc is not None:
        secret = base / console.oidc.client_secret_file
        oidc = console.oidc.model_copy(update={"client_secret_file": secret})
        console = console.model_copy(update={"oidc": oidc})
    return settings.model_copy(
        update={"store": store, "channels": channels, "keys": keys, "console": console, **accounts}
    )


def _located_account(account: AccountSection, base: Path) -> dict[str, Any]:
    secrets = {key: base / file for key, file in account.secret_files.items()}
    update: dict[str, Any] = {"secret_files": secrets}
    if isinstance(account, PaymentSection) and account.keys is not None:
        keys = account.keys
        located = {
            "private_key_file": base / keys.private_key_file,
            "partner_keys": {serial: base / file for serial, file in keys.partner_keys.items()},
            "passphrase_file": keys.passphrase_file and base / keys.passphrase_file,
        }
        update["keys"] = keys.model_copy(update=located)
    return update


def refuse_stand_ins(settings: Settings) -> None:
    """Raise :class:`ConfigError` for what may stand in for the real thing only in development."""
    if settings.environment != "production":
        return
    faults = [
        f"keys.{ring}: a key file without a passphrase is for development"
        for ring, key in settings.keys.items()
        if key.kind == "file" and key.passphrase_file is None and key.passphrase_variable is None
    ]
    if settings.flow.accepts_bare:
        faults.append("flow.accepts_bare: receipts without an envelope are for development")
    for name, channel in settings.channels.items():
        faults += _channel_stand_ins(name, channel)
    oidc = settings.console.oidc
    if oidc is not None and not (oidc.issuer + oidc.redirect_uri).count("https://") == 2:
        faults.append("console.oidc: plain http is for development")
    if not settings.console.secure_cookies:
        faults.append("console.secure_cookies: switching it off is for development")
    if faults:
        raise ConfigError(
            "refused in production:\n  " + "\n  ".join(faults), "生产环境拒绝以上设置"
        )


def _channel_stand_ins(
    name: str, channel: FolderSection | BrokerSection | RelaySection
) -> Iterator[str]:
    match channel:
        case FolderSection():
            if not channel.fsync:
                yield f"channels.{name}.fsync: switching it off is for development"
        case BrokerSection():
            yield from _plain(f"channels.{name}.url", channel.url, "amqps")
        case RelaySection():
            for field in ("send", "receive", "acknowledge", "check"):
                address = getattr(channel, field)
                if address is not None:
                    yield from _plain(f"channels.{name}.{field}", address, "https")


def _plain(place: str, address: str, safe: str) -> Iterator[str]:
    """Messages hold personal data: in clear they may only go to this host or a private network."""
    url = URL(address)
    if url.scheme == safe:
        return
    try:
        is_near = ip_address(url.host or "").is_private
    except ValueError:
        is_near = url.host == "localhost"
    if not is_near:
        yield f"{place}: messages in clear may not leave the private network; use {safe}://"


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
            raise ConfigError(
                f"the environment variable {section.passphrase_variable} is not set",
                "该环境变量未设置",
            )
        return value.encode()
    return None
