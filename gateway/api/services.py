"""What the API needs from the rest of the gateway, as Protocols; built by the composition root."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from gateway.domain.asking import Ask
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind
from gateway.domain.findings import Finding
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, EndpointId, KeyId, TenantId
from gateway.domain.profile import Enterprise, Mandate
from gateway.domain.returns import Journey
from gateway.flow.admission import Admission
from gateway.flow.desk import Reply
from gateway.flow.ingest import Incoming, IntakeResult
from gateway.flow.neighbours import BuyerQuota, Lineage
from gateway.flow.notify import Ack
from gateway.flow.pack_trial import Foresees, PackTrial
from gateway.flow.packs import PackOffice
from gateway.flow.remedies import Settled, Settlement
from gateway.flow.repair import Repairs
from gateway.ports import AnswerBook, Clock, Endpoint, FindingLists, MasterData, ReadModels, Rng
from gateway.ports.callers import SpanningKey
from gateway.ports.lessons import LessonBook
from gateway.ports.mailbox import Mailbox
from gateway.ports.submissions import SubmissionBook


class KeyRole(StrEnum):
    """What an API key may do: a machine's (seller, warehouse) or a person's role."""

    SELLER = "seller"
    WAREHOUSE = "warehouse"
    VIEWER = "viewer"
    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Credential(Protocol):
    """Who is calling. The tenant of a request comes from here and from nowhere else."""

    @property
    def tenant(self) -> TenantId:
        """The tenant the key is scoped to, or the one of its tenants that it is at work for."""
        ...

    @property
    def key_id(self) -> KeyId:
        """The public part of the key, fit for logs and histories."""
        ...

    @property
    def role(self) -> str:
        """A value of :class:`KeyRole`; any other may do nothing."""
        ...


class Authenticator(Protocol):
    """Knows API keys."""

    def authenticate(self, token: str) -> Credential | SpanningKey | None:
        """Whom a bearer token belongs to; None for an unknown, expired or revoked one."""
        ...


class Ingest(Protocol):
    """Stage 1 of the flow."""

    async def take(self, items: Sequence[Incoming]) -> list[IntakeResult]:
        """One result each, in order, durable on return. Raises ``Overloaded``."""
        ...


class Desk(Protocol):
    """Commands on a case. Each answers the stage, or None: this tenant has no such case.

    With a ``version`` a command raises ``VersionMoved`` unless the case is at exactly that.
    """

    async def hold(
        self,
        tenant: TenantId,
        case_id: CaseId,
        by: str,
        reason: str,
        version: int | None = None,
    ) -> CaseStage | None:
        """Stop a case before the next declaration is sent."""
        ...

    async def release(
        self, tenant: TenantId, case_id: CaseId, by: str, version: int | None = None
    ) -> CaseStage | None:
        """Let a held case go on."""
        ...

    async def recheck(
        self, tenant: TenantId, case_id: CaseId, by: str, version: int | None = None
    ) -> CaseStage | None:
        """Match a case again with today's goods records, profile and rules."""
        ...

    async def ask(
        self,
        ask: Ask,
        tenant: TenantId,
        case_id: CaseId,
        by: str,
        reason: str,
        version: int | None = None,
        lines: Mapping[int, Decimal] | None = None,
        *,
        journey: Journey | None = None,
    ) -> Reply | None:
        """Whether a case can still be stopped; when it can, it is, in the same commit.

        ``lines`` says of which order lines how much comes back, ``journey`` on what exported goods
        come home.
        """
        ...

    async def goods_back(
        self, tenant: TenantId, case_id: CaseId, number: int, by: str
    ) -> CaseStage | None:
        """Record that the goods of a return are back; None when there is no such return."""
        ...

    async def tallied(
        self, tenant: TenantId, case_id: CaseId, number: int, by: str, location: str | None = None
    ) -> CaseStage | None:
        """File that the site counted a return's goods; None when there is no such return."""
        ...

    async def delivered(
        self, tenant: TenantId, case_id: CaseId, at: datetime, by: str
    ) -> CaseStage | None:
        """File that the parcel of a case was delivered; None when there is no such case."""
        ...

    async def report(
        self,
        kind: DeclarationKind,
        tenant: TenantId,
        cases: Sequence[CaseId],
        facts: Mapping[str, str],
        by: str,
    ) -> Mapping[CaseId, CaseStage]:
        """File what became of exported parcels of one bill, for all of them or for none."""
        ...

    async def record_download(
        self, tenant: TenantId, cases: Sequence[CaseId], what: str, by: str, reason: str
    ) -> None:
        """Write into the histories of these cases that somebody took exact bytes, and why."""
        ...

    async def settle(
        self, tenant: TenantId, case_id: CaseId, by: str, wanted: Sequence[Settlement]
    ) -> Sequence[Settled]:
        """Record how findings of one case were settled; one result each, in order."""
        ...

    async def acknowledge(self, tenant: TenantId, acks: Sequence[Ack]) -> list[str]:
        """Per acknowledgement ``ok``, ``unknown`` or ``repeated``."""
        ...


class LooksAround(Protocol):
    """Tells what a case shares with others; None where the tenant has no such case."""

    async def quota(self, tenant: TenantId, case_id: CaseId) -> BuyerQuota | None:
        """How the buyer of a case stands this year; None also where no buyer is known."""
        ...

    async def lineage(self, tenant: TenantId, case_id: CaseId) -> Lineage | None:
        """Every number that hangs together with a case."""
        ...


class GoodsStored(Protocol):
    """What became of one goods record."""

    @property
    def sku(self) -> str:
        """Which record."""
        ...

    @property
    def version(self) -> int:
        """The version that holds now."""
        ...

    @property
    def changed(self) -> bool:
        """False when the same content was already stored."""
        ...


class TenantNamed(Protocol):
    """A tenant as its name shows it."""

    @property
    def tenant(self) -> TenantId:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...


class Admin(Protocol):
    """Master data that callers may read or write themselves."""

    async def list_tenants(self) -> Sequence[TenantNamed]:
        """Every tenant of the deployment: the caller picks those that it may see."""
        ...

    async def list_mandates(self, tenant: TenantId) -> Sequence[Mandate]:
        """The mandates of a tenant."""
        ...

    async def list_enterprises(self) -> Sequence[Enterprise]:
        """Every enterprise of the deployment: the caller picks those that it may see."""
        ...

    async def put_goods(
        self, tenant: TenantId, records: Sequence[GoodsRecord], said_at: int | None = None
    ) -> Sequence[GoodsStored]:
        """Store goods records, one answer each, in order; cases that waited are checked again.

        Those that waited since ``said_at`` (UTC microseconds) do not set back what was said later.
        """
        ...

    async def list_endpoints(self, tenant: TenantId) -> Sequence[Endpoint]:
        """Every endpoint of a tenant."""
        ...

    async def new_endpoint(
        self,
        tenant: TenantId,
        *,
        url: str,
        role: str,
        event_types: frozenset[str],
        batch_size: int,
        with_ed25519: bool = False,
    ) -> Endpoint:
        """Create an endpoint with a fresh secret. Raises ``InvalidValue`` for a refused address.

        Without a ``url`` its notices wait to be fetched.
        """
        ...

    async def rotate_endpoint(
        self, tenant: TenantId, endpoint_id: EndpointId, overlap_us: int
    ) -> Endpoint | None:
        """Fresh secrets for an endpoint, the old ones signing along; None for an unknown one."""
        ...

    async def set_endpoint_active(
        self, tenant: TenantId, endpoint_id: EndpointId, is_active: bool, why: str = ""
    ) -> bool:
        """Switch an endpoint on, or off with a reason; False when that changed nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """A signature made for somebody: its value, whose it is, and the document where one came."""

    signature: bytes
    key_name: str
    certificate_base64: str
    profile: str
    digest_base64: str | None = None
    document: bytes | None = None


class OffersSigning(Protocol):
    """Signs with keys that were offered to a tenant. Raises ``SigningError``."""

    async def sign_document(self, tenant: TenantId, key: str, document: bytes) -> Made | None:
        """Sign a whole message; None when no such key is offered to the tenant."""
        ...

    async def sign_info(self, tenant: TenantId, key: str, signed_info: bytes) -> Made | None:
        """Sign a SignedInfo of the key's profile, hashed as it is; None as above."""
        ...


class ForeseesMessages(Protocol):
    """Tells what is wrong with papers that come as customs' XML."""

    async def foresee(
        self, tenant: TenantId, body: bytes, profile: str | None
    ) -> dict[str, Any]:  # Any: JSON
        """A report over all orders of a message (``answers_report.ReportOut``); nothing is stored.

        Raises ``InvalidFields`` for what is no message of papers, holds too many of them, or fits
        several profiles when none is named.
        """
        ...


async def _always_ready() -> Mapping[str, bool]:
    return {}


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes call.

    ``explain(finding, locale)`` gives a finding's text in ``zh`` or ``en``. ``ready`` names the
    parts that must work before requests are sent here, each with its answer.
    """

    authenticator: Authenticator
    ingest: Ingest
    desk: Desk
    reads: ReadModels
    master: MasterData
    admin: Admin
    mailbox: Mailbox
    answers: AnswerBook
    submissions: SubmissionBook
    preflight: Foresees
    messages: ForeseesMessages
    around: LooksAround
    findings: FindingLists
    repairs: Repairs
    packs: PackOffice
    trial: PackTrial
    lessons: LessonBook
    clock: Clock
    rng: Rng
    explain: Callable[[Finding, str], str]
    ready: Callable[[], Awaitable[Mapping[str, bool]]] = _always_ready
    signing: OffersSigning | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    admission: Admission = field(default_factory=Admission)
