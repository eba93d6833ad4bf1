"""Partners that file papers for us: a payment company its slip, a carrier its waybill."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.domain.filing import FilingStage
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.papers import Order, PaperKind, PaymentSlip, Waybill


@dataclass(frozen=True, slots=True)
class FilingRequest:
    """What a partner is asked to file: the papers as they stand.

    ``reference`` is our own number of it there: the same reference is never filed twice.
    """

    kind: PaperKind
    reference: str
    order: Order = field(repr=False)
    slip: PaymentSlip | None = field(default=None, repr=False)
    goods: Mapping[str, GoodsRecord] = field(default_factory=dict, repr=False)
    is_change: bool = False


@dataclass(frozen=True, slots=True)
class FilingAnswer:
    """What a partner said; ``paper`` is what its bytes ``raw`` tell of the paper.

    ``stage`` UNKNOWN: it may have been filed. NOT_SEEN: the partner knows of none. REQUESTED: it
    was surely not taken and may be tried again. None: asking told nothing. ``code`` is the
    partner's own word.
    """

    stage: FilingStage | None
    paper: PaymentSlip | Waybill | None = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False)
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """When a partner is asked again (the last pause repeats), pushed again, and worried about."""

    pauses_s: tuple[int, ...] = (60, 120, 300, 600, 1800)
    alarm_after_s: int = 7200
    again_gap_s: int = 1800
    again_most: int = 3

    def pause_s(self, asked: int) -> int:
        """The pause after having asked this many times (from 1)."""
        return self.pauses_s[min(max(asked, 1), len(self.pauses_s)) - 1]


class Partner(Protocol):
    """One partner with the account we have there."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        ...

    @property
    def pace(self) -> Pace:
        """When it is asked again."""
        ...

    async def file(self, request: FilingRequest) -> FilingAnswer:
        """Ask for the filing."""
        ...

    async def ask(self, request: FilingRequest) -> FilingAnswer:
        """Ask what became of it; files nothing."""
        ...

    async def push(self, request: FilingRequest) -> FilingAnswer:
        """Have a faulted filing pushed once more."""
        ...


class Partners(Protocol):
    """The partners of this deployment."""

    def partner(
        self, tenant: TenantId, profile_id: ProfileId, kind: PaperKind, code: str | None
    ) -> Partner | None:
        """Who files a paper under a profile; ``code`` names the company where there are several."""
        ...


class NoPartners:
    """A deployment without partners."""

    def partner(
        self, tenant: TenantId, profile_id: ProfileId, kind: PaperKind, code: str | None
    ) -> Partner | None:
        """None."""
        return None
