"""What the console needs from the rest of the gateway; built by the composition root."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.domain.findings import Finding
from gateway.domain.ids import EndpointId, TenantId
from gateway.flow.desk import Desk
from gateway.flow.linking import Linker
from gateway.flow.pack_trial import PackTrial
from gateway.flow.packs import PackOffice
from gateway.flow.repair import Repairs
from gateway.flow.ways import WayLimits
from gateway.ports import AnswerBook, Clock, Endpoint, Executor, MasterData, ReadModels, Rng
from gateway.ports.console import ConsoleReads, ConsoleWrites
from gateway.ports.mailbox import Mailbox
from gateway.ports.pauses import Pause
from gateway.ports.people import ConsoleLog, People, SignOn
from gateway.ports.ways import WayStanding
from gateway.web.backlog import Backlog


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """What a deployment decides about its console; times in seconds.

    ``secure_cookies``: the cookies of browsers that come over https, or to this very machine.
    ``four_eyes_above``: warnings on cases that cost more need a second person, in CNY.
    """

    environment: str = "development"
    secure_cookies: bool = True
    idle_s: int = 30 * 60
    longest_s: int = 12 * 3600
    wrong_passwords: int = 5
    locked_s: int = 15 * 60
    four_eyes_above: int = 2000
    body_limit: int = 256 * 1024
    body_s: int = 10
    time_zone: str = "Asia/Shanghai"
    resend_hint_s: int = 1800
    cheap_passwords: bool = False


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """One channel as operators see it; ``is_reachable`` is None where nobody can tell.

    ``waiting`` counts messages that a transfer client has not taken yet, None where there is none.
    ``standing`` is how this process finds its way out, ``limits`` what the channel is set to bear.
    """

    name: str
    kind: str
    is_reachable: bool | None
    pause: Pause | None
    waiting: int | None
    standing: WayStanding | None
    limits: WayLimits


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One signing key: what its certificate says, never key material."""

    ring: str
    serial: str
    kind: str
    bits: int
    fingerprint: str
    not_before: int
    not_after: int
    is_valid: bool


@dataclass(frozen=True, slots=True)
class SchemaInfo:
    """One set of schemas and the day it came into force."""

    family: str
    edition: str
    in_force: str
    origin: str
    messages: tuple[str, ...]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """One adapter that is installed."""

    id: str
    kind: str
    limits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One source that papers are pulled from; ``read_to`` is UTC microseconds, None at first.

    ``unread_pages`` are kept because a paper on them could not be read.
    """

    name: str
    adapter: str
    read_to: int | None
    unread_pages: int


@dataclass(frozen=True, slots=True)
class SourcePulled:
    """What a pull came to: pages, papers by what became of them, and those not read.

    ``fault`` is why it ended before the end: ``busy``, ``slow``, ``settings``, a code of ours or
    of the other side. ``until``: nothing is to be read before.
    """

    pages: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    fault: str = ""
    until: int | None = None


class Sources(Protocol):
    """The sources of a tenant, and reading them at once."""

    async def listing(self, tenant: TenantId) -> Sequence[SourceInfo]:
        """Every source of a tenant."""
        ...

    async def pull(self, tenant: TenantId, name: str, since: int | None) -> SourcePulled | None:
        """Read on, or again from a time (UTC microseconds); None when there is no such source."""
        ...


class Operations(Protocol):
    """What operators watch and switch."""

    def channels(self) -> Sequence[ChannelInfo]:
        """Every channel of this deployment."""
        ...

    def keys(self) -> Sequence[KeyInfo]:
        """Every signing key of this process."""
        ...

    def schemas(self) -> Sequence[SchemaInfo]:
        """Every schema set of this release."""
        ...

    def adapters(self) -> Sequence[AdapterInfo]:
        """Every adapter that is installed."""
        ...

    def verified(self, body: bytes, profile: str, serial: str) -> str:
        """Our own look at a signed message: ``holds``, ``no_certificate`` or ``broken``."""
        ...

    async def ready(self) -> Mapping[str, bool]:
        """Which parts can do their work."""
        ...

    async def pause(self, channel: str, by: str, reason: str) -> bool:
        """Stop sending through a channel."""
        ...

    async def resume(self, channel: str) -> bool:
        """Send through it again."""
        ...


class EndpointOwner(Protocol):
    """Where notices go, and switching it."""

    async def list_endpoints(self, tenant: TenantId) -> Sequence[Endpoint]:
        """Every endpoint of a tenant."""
        ...

    async def set_endpoint_active(
        self, tenant: TenantId, endpoint_id: EndpointId, is_active: bool, why: str = ""
    ) -> bool:
        """Switch an endpoint on or off."""
        ...


@dataclass(frozen=True, slots=True)
class WebServices:
    """Everything the views call. ``explain(finding, locale)`` speaks ``zh`` or ``en``;
    ``tenants`` gives id and name of each; ``seal`` makes a zip of files with a signed manifest.
    """

    people: People
    log: ConsoleLog
    reads: ConsoleReads
    work: ConsoleWrites
    cases: ReadModels
    desk: Desk
    repairs: Repairs
    linker: Linker
    packs: PackOffice
    trial: PackTrial
    master: MasterData
    endpoints: EndpointOwner
    mailbox: Mailbox
    answers: AnswerBook
    operations: Operations
    sources: Sources
    clock: Clock
    rng: Rng
    executor: Executor
    explain: Callable[[Finding, str], str]
    seal: Callable[[Mapping[str, Any], Mapping[str, bytes]], bytes]
    tenants: Callable[[], Awaitable[Sequence[tuple[str, str]]]]
    settings: ConsoleSettings = ConsoleSettings()
    sign_on: SignOn | None = None
    backlog: Backlog = field(default_factory=Backlog)
