"""Settings of the simulated authority: who is registered, how fast it is, how strict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

CUSTOMS_ID: Final = "DXPEDCCEB0000002"
"""DXP id of the import side of the e-port (transport facts, section 2)."""
EXPORT_ID: Final = "DXPEDCCEB0000003"
"""DXP id of its export side."""

_ZERO: Final = timedelta(0)


class RefilePolicy(StrEnum):
    """Which appType is taken when a rejected record is filed again (unsettled in public text)."""

    NEW = "new"
    CHANGE = "change"
    BOTH = "both"


class AddressCheck(StrEnum):
    """How the consignee address of the 621 is compared with the order's."""

    OFF = "off"
    LITERAL = "literal"
    FOLDED = "folded"


@dataclass(frozen=True, slots=True)
class Delay:
    """A stage takes a time drawn evenly from ``least`` to ``most``."""

    least: timedelta
    most: timedelta


@dataclass(frozen=True, slots=True)
class Timing:
    """How long each stage takes.

    ``stages`` maps a receipt status to the delay since the stage before it; statuses not
    listed take ``default``. ``window`` is how long an open receipt file waits for more
    records, ``late`` delays the first answer of LATE, ``busy`` is the time after which a
    BUSY record goes on by itself and ``repeat`` the time until DUPLICATE delivers again.
    """

    default: Delay
    stages: Mapping[str, Delay] = field(default_factory=lambda: MappingProxyType({}))
    window: timedelta = timedelta(milliseconds=50)
    late: timedelta = timedelta(seconds=30)
    busy: timedelta = timedelta(seconds=10)
    repeat: timedelta = timedelta(seconds=2)

    @classmethod
    def demo(cls) -> Self:
        """Delays a person watching can follow: 50 to 200 ms a stage."""
        return cls(Delay(timedelta(milliseconds=50), timedelta(milliseconds=200)))

    @classmethod
    def instant(cls) -> Self:
        """No delay anywhere, for benchmarks and wire traces."""
        return cls(Delay(_ZERO, _ZERO), window=_ZERO, late=_ZERO, busy=_ZERO, repeat=_ZERO)

    def delay(self, status: str) -> Delay:
        """Return the delay in front of a stage."""
        return self.stages.get(status, self.default)


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One registered DXP user.

    ``certificates`` maps the registered serial text (KeyName, lower case) to the DER
    certificate; ``agent_codes`` limits agentCode and ``cop_codes`` BaseTransfer.copCode when
    they are not empty.
    """

    certificates: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    agent_codes: frozenset[str] = frozenset()
    cop_codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen about the authority.

    ``enterprises`` maps a DXP id to its registration; ``None`` registers whoever sends.
    ``any_certificate`` skips the registration of certificates, not the check of signatures.
    ``checking=False`` is the plain mode for benchmarks: no schema, signature or cross checks.
    ``annual_limit`` in CNY per buyer and year is off by default. ``require_filings`` refuses
    an inventory whose payment or waybill copy was not loaded.
    """

    enterprises: Mapping[str, Enterprise] | None = None
    any_certificate: bool = False
    checking: bool = True
    timing: Timing = field(default_factory=Timing.demo)
    max_records: int = 100
    close_after_release: timedelta | None = None
    refile: RefilePolicy = RefilePolicy.BOTH
    address: AddressCheck = AddressCheck.FOLDED
    single_limit: Decimal = Decimal(5000)
    annual_limit: Decimal | None = None
    require_filings: bool = False
    customs_id: str = CUSTOMS_ID
    export_id: str = EXPORT_ID
    edition: str = "202205"

    @classmethod
    def bench(cls) -> Self:
        """Plain and instant: the cheapest counterpart for load tests."""
        return cls(checking=False, timing=Timing.instant())

    @classmethod
    def demo(cls) -> Self:
        """Strict about content, open to any sender and certificate."""
        return cls(any_certificate=True)
