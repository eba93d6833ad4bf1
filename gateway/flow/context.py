"""What every stage is given: the ports, and the settings of the flow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.ports import (
    Channel,
    Clock,
    CrashPoints,
    Executor,
    KeyRing,
    MasterData,
    Matcher,
    Notifier,
    Regime,
    Rng,
    Store,
)
from gateway.ports.aside_keys import AsideKeys, NeverAside
from gateway.ports.partners import NoPartners, Partners
from gateway.ports.pauses import NeverPaused, Pauses
from gateway.ports.ways import OpenWays, Ways

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """Limits and waits of the flow; ``_s`` seconds, ``_us`` microseconds.

    ``senders`` lists, for each channel, who may send receipts there; ``accepts_bare`` whether a
    channel may carry business messages without an envelope.
    """

    message_records: int = 100
    list_parcels: int = 2000
    linger_s: float = 0.2
    poll_s: float = 0.5
    receive_poll_s: float = 0.1
    receive_files: int = 16
    lease_us: int = 30 * SECOND_US
    lease_batch: int = 500
    send_timeout_s: float = 30.0
    check_timeout_s: float = 10.0
    messages_in_flight: int = 8
    notice_linger_s: float = 0.05
    notice_park_after_us: int = 72 * 3600 * SECOND_US
    release_siblings_us: int = 600 * SECOND_US
    senders: Mapping[str, frozenset[str]] = field(default_factory=dict)
    accepts_bare: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The ports that the stages work with; built once by the composition root."""

    clock: Clock
    rng: Rng
    crash: CrashPoints
    executor: Executor
    store: Store
    master: MasterData
    matcher: Matcher
    regime: Regime
    channels: Mapping[str, Channel]
    keys: KeyRing
    notifier: Notifier
    settings: FlowSettings = FlowSettings()
    pauses: Pauses = field(default_factory=NeverPaused)
    aside_keys: AsideKeys = field(default_factory=NeverAside)
    ways: Ways = field(default_factory=OpenWays)
    partners: Partners = field(default_factory=NoPartners)
