"""What the API answers, as types: the source of the answer half of the OpenAPI document.

The routes write plain JSON objects; tests check their answers against these types.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.answers_life import BasisOut, ReturningOut, ReturnsOut, SummaryOut
from gateway.api.out import Out, Taken, Time
from gateway.domain.case import CaseStage, VerdictKind
from gateway.domain.codes import CodeClass, Refile
from gateway.domain.declaration import AppType, BillStatus, DeclarationKind, DeclarationStage, Word
from gateway.domain.events import EventKind
from gateway.domain.findings import Severity
from gateway.domain.profile import Role
from gateway.domain.repair import Need
from gateway.ports.repairs import RepairStage

JSONObject = dict[str, Any]  # Any: the members vary, as the field's description says


class FieldFault(Out):
    """One faulty field; ``path`` as ``lines[0].price``, empty for the whole body. ``line`` is
    there where the field is a text of many lines.
    """

    path: str
    message: str
    message_zh: str
    line: int | None = None


class ProblemOut(BaseModel):
    """RFC 9457 problem; further members depend on ``code``."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldFault]
    request_id: str | None = None


class FixOut(Out):
    """A proposed change: ``form`` may be applied by staff, ``fact`` by the paper's owner."""

    kind: Literal["form", "fact"]
    path: str
    owner: str
    value: str | None
    confidence: Literal["high", "medium", "low"] = "low"
    evidence: list[str] = Field(default_factory=list)


class CodeText(Out):
    """The same words in both languages."""

    en: str
    zh: str


class RejectionOut(Out):
    """A rejection code: ``rule`` would have caught it, ``refile`` is what to file again."""

    code: str
    text: CodeText
    family: str
    status: str | None
    code_class: CodeClass
    rule: str | None
    fix: CodeText
    refile: list[Refile]


class FindingOut(Out):
    """One difference or fault; values are masked. ``id`` follows from what was found."""

    id: str
    rule: str
    severity: Severity
    state: str
    paths: dict[str, str | None]
    delta: str | None = None
    params: dict[str, str] = Field(default_factory=dict)
    code: str | None = None
    fixes: list[FixOut] = Field(default_factory=list)
    ledger: list[tuple[str, str]] = Field(default_factory=list)
    text: dict[Literal["en", "zh"], str]
    customs: RejectionOut | None = None


class WaitOut(Out):
    """What is missing (a paper, or ``goods:SKU``), why it is wanted, and until when it may come."""

    name: str
    until: Time
    text: dict[Literal["en", "zh"], str]


class VerdictOut(Out):
    """What matching says; ``until`` is the first time that something missing is due.

    ``unverified`` tells of every rule that could not be answered, which is not agreement.
    """

    kind: VerdictKind
    findings: list[FindingOut]
    missing: list[str]
    until: Time | None
    waits: list[WaitOut] = Field(default_factory=list)
    unverified: dict[str, dict[Literal["en", "zh"], str]] = Field(default_factory=dict)


class PaperTaken(Out):
    """One paper was taken in, durably."""

    status: Taken
    case: str | None
    order_no: str
    revision: int
    stage: CaseStage | None
    changed: list[str]
    verdict: VerdictOut | None


class GoodsTaken(Out):
    """One goods record was stored, durably."""

    status: Literal["accepted", "unchanged"]
    sku: str
    version: int


class BatchLine(Out):
    """What became of one line; ``line`` counts from 1 over lines that are not blank."""

    line: int
    status: Literal[Taken, "frozen", "failed", "refused"]
    case: str | None = None
    order_no: str | None = None
    revision: int | None = None
    stage: CaseStage | None = None
    findings: list[FindingOut] = Field(default_factory=list)
    sku: str | None = None
    version: int | None = None
    problem: ProblemOut | None = None


class BatchTaken(Out):
    """One result for each line, in order."""

    results: list[BatchLine]


class CaseLine(Out):
    """A case in a list."""

    case: str
    order_no: str
    direction: str
    platform: str
    profile: str
    stage: CaseStage
    held: bool
    findings: int
    created_at: Time
    updated_at: Time
    version: int


class CasePage(Out):
    """A page of cases; ``after`` continues it, null at the end."""

    cases: list[CaseLine]
    after: str | None


class HoldOut(Out):
    """Who stopped a case, and why."""

    by: str
    reason: str


class SourceOut(Out):
    """What a paper was read from: a span of kept raw bytes.

    ``filed_by``: no part of the paper, but the copy that this enterprise is said to have filed;
    ``differs`` names what it says otherwise.
    """

    source: str
    raw: str
    offset: int
    length: int
    received_at: Time
    filed_by: str | None = None
    differs: list[str] = Field(default_factory=list)


class PaperOut(Out):
    """A paper's newest revision; ``content`` has the shape in which it is sent in, masked."""

    revision: int
    digest: str
    basis: str
    sources: list[SourceOut]
    content: JSONObject


class CodeOut(Out):
    """One code of a table; ``messages`` are the receipts that a status occurs in."""

    code: str
    text: CodeText
    iso: str | None
    messages: list[str]


class CodeTableOut(Out):
    """One code table: where it is from and how complete it is."""

    table: str
    title: CodeText
    source: str
    is_complete: bool
    completeness: CodeText
    href: str


class CodeTableList(Out):
    """Every code table."""

    tables: list[CodeTableOut]


class CodeTableFull(CodeTableOut):
    """A code table with its codes."""

    codes: list[RejectionOut] | list[CodeOut]


class DeclarationOut(Out):
    """One declaration version; ``papers`` and ``goods`` are the versions it was built from."""

    kind: DeclarationKind
    version: int
    stage: DeclarationStage
    app_type: AppType
    app_time: str | None
    cop_no: str
    pre_no: str | None
    invt_no: str | None
    status: str | None
    returned_at: str | None
    codes: list[str]
    explained: list[RejectionOut]
    message: str | None
    attempt: int
    sent_at: Time | None
    papers: dict[str, int]
    goods: dict[str, int]
    returns: ReturnsOut | None = None
    summary: SummaryOut | None = None


class MessageOut(Out):
    """A message that carried a declaration of this case."""

    message: str
    kind: DeclarationKind
    version: int
    stage: str
    href: str


class TaxBillOut(Out):
    """A tax bill of customs (816, 818); amounts are null while only its status is known."""

    bill_no: str
    status: BillStatus
    returned_at: str
    tariff: str | None
    vat: str | None
    consumption: str | None
    payment_no: str | None


class ReceiptOut(Out):
    """One receipt record of this case; ``findings`` say what was tolerated in reading it."""

    receipt: str
    at: Time
    href: str
    position: int
    kind: DeclarationKind
    version: int
    status: str
    word: Word
    returned_at: str
    codes: list[str] | None
    explained: list[RejectionOut]
    pre_no: str | None
    invt_no: str | None
    effect: str
    findings: list[FindingOut]


class EventOut(Out):
    """One event; ``data`` varies by type and holds no personal data."""

    cursor: str
    case: str
    order_no: str
    seq: int
    at: Time
    type: EventKind
    data: JSONObject
    hash: str


class EventPage(Out):
    """Events in commit order; ask again with ``after``, also when there was none."""

    events: list[EventOut]
    after: str | None


class NoticeOut(Out):
    """One notice and how its delivery stands."""

    notice_id: str
    type: str
    endpoint: str
    status: str
    detail: str
    attempt: int
    done_at: Time | None
    acked_at: Time | None


class CaseFull(CaseLine):
    """A case with everything that hangs on it."""

    verdict: VerdictOut | None
    hold: HoldOut | None
    alarms: list[str]
    papers: dict[Literal["order", "payment", "waybill"], PaperOut]
    declarations: list[DeclarationOut]
    messages: list[MessageOut]
    receipts: list[ReceiptOut]
    tax_bills: list[TaxBillOut]
    evidence: list[BasisOut]
    returning: ReturningOut | None
    timeline: list[EventOut]
    notices: list[NoticeOut]


class StageOut(Out):
    """Where a case stands after a command."""

    case: str
    stage: CaseStage


class ReportedOut(Out):
    """Where each case of a report stands: a report moves none of them."""

    cases: list[StageOut]


class RepairItemOut(Out):
    """One case of a repair; a personal value is masked, ``stage`` is the case's after it."""

    case: str
    order_no: str
    finding: str
    path: str
    value: str | None
    status: Literal["open", "repaired", "remains", "failed"]
    reason: str | None
    stage: CaseStage | None


class ApprovalOut(Out):
    """Who gave what, when, on what ground."""

    need: Need
    by: str
    at: Time
    statement: str


class RepairOut(Out):
    """A repair: what it still needs, and what became of every case."""

    repair: str
    stage: RepairStage
    rule: str
    kind: Literal["form", "fact"]
    owner: str
    needs: list[Need]
    open_needs: list[Need]
    approvals: list[ApprovalOut]
    redeclare: bool
    proposed_by: str
    reason: str
    created_at: Time
    deadline: Time | None
    ended_at: Time | None
    items: list[RepairItemOut]
    dry_run: bool = False


class RepairList(Out):
    """The newest repairs first."""

    repairs: list[RepairOut]


class ChangeOut(Out):
    """What was changed after a rejection: how often it helped, and how often it did not."""

    change: str
    helped: int
    failed: int


class LessonOut(Out):
    """One rejection code of own cases; ``rule`` would have caught it, ``text`` is what it means."""

    code: str
    rule: str | None
    text: dict[Literal["en", "zh"], str] | None
    seen: int
    fixes: list[ChangeOut]


class LessonList(Out):
    """The code seen most often first; not ``complete`` while events wait to be learned from."""

    lessons: list[LessonOut]
    complete: bool


class AskedOut(Out):
    """Whether a case can still be stopped, and what happens next."""

    case: str
    stage: CaseStage
    answer: Literal["STOPPABLE", "TOO_LATE"]
    reason: str
    text: dict[Literal["en", "zh"], str]
    held: bool
    safe_to_refund: bool


class ResolutionOut(Out):
    """How a finding was settled."""

    how: Literal["new_paper", "new_goods", "accepted_risk"]
    by: str
    reason: str
    at: Time
    paper: str | None
    revision: int | None


class FindingLine(Out):
    """A finding that stands, with its case."""

    case: str
    order_no: str
    profile: str
    stage: CaseStage
    updated_at: Time
    finding: FindingOut
    resolution: ResolutionOut | None


class FindingPage(Out):
    """Findings of the newest cases; a page may be short and yet not the last: see ``after``."""

    findings: list[FindingLine]
    after: str | None


class SettledOut(Out):
    """What became of one settlement; ``reason`` says why it was refused."""

    case: str
    finding: str
    status: Literal["resolved", "repeated", "unknown", "refused"]
    reason: (
        Literal[
            "block_cannot_be_accepted",
            "not_for_your_role",
            "stands_no_more",
            "no_such_revision",
            "still_stands",
        ]
        | None
    )


class SettledList(Out):
    """One result for each settlement, in order."""

    results: list[SettledOut]


class ForeseenPaper(Out):
    """What would become of one paper."""

    type: Literal["order", "payment", "waybill"]
    status: Literal["accepted", "unchanged", "unlinked", "frozen", "failed"]
    revision: int
    changed: list[str]


class CustomsFigure(Out):
    """What customs said the buyer has used, when, and with which code."""

    used: str
    at: Time
    code: str


class QuotaStandingOut(Out):
    """How a buyer stands in a calendar year, in CNY. Purchases elsewhere are known from customs'
    own figure only, so what is left is at most this much.
    """

    year: int
    limit: str
    used: str
    reserved: str
    left: str
    customs: CustomsFigure | None


class ForeseenOut(Out):
    """What would become of the papers; nothing was stored."""

    case: str | None
    order_no: str
    is_new: bool
    stage: CaseStage | None
    papers: list[ForeseenPaper]
    declares: list[DeclarationKind]
    quota: QuotaStandingOut | None
    verdict: VerdictOut | None


class SignatureOut(Out):
    """A signature: base64 of its value, of the certificate, and of the signed document if one was
    sent.
    """

    signature: str
    key_name: str
    certificate: str
    profile: str
    digest: str | None
    document: str | None


class AckOut(Out):
    """What became of one acknowledgement."""

    notice_id: str
    status: Literal["ok", "unknown", "repeated"]


class AcksOut(Out):
    """One result for each acknowledgement, in order."""

    results: list[AckOut]


class EndpointOut(Out):
    """An endpoint."""

    endpoint: str
    url: str | None
    role: Literal["seller", "warehouse"]
    event_types: list[str]
    batch_size: int
    is_active: bool
    disabled_at: Time | None = None
    disabled_why: str | None = None
    old_secrets_until: Time | None = None


class EndpointMade(EndpointOut):
    """An endpoint with its fresh signing secret, shown this once; ``public_key`` (``whpk_``)
    verifies its ed25519 signatures.
    """

    secret: str
    public_key: str | None = None


class NoticeCase(Out):
    """Which case a notice is about."""

    id: str
    order_no: str
    sequence: int


class PostedNotice(Out):
    """A notice as a post carries it; one about an endpoint has no case."""

    id: str
    type: str
    created_at: Time
    case: NoticeCase | None = None
    data: dict[str, Any]  # Any: its members vary by type


class NoticeStanding(Out):
    """A notice and how its delivery stands."""

    notice: PostedNotice
    endpoint: str
    status: Literal["waiting", "parked"]
    attempts: int
    detail: str
    parked_at: Time | None


class NoticePage(Out):
    """Notices, oldest first; ``after`` continues the list. Acknowledged ones leave it."""

    notices: list[NoticeStanding]
    after: str | None


class Replayed(Out):
    """The notices that are tried again; ``more`` when there may be others: ask again."""

    replayed: list[str]
    more: bool


class EndpointList(Out):
    """Every endpoint of the tenant."""

    endpoints: list[EndpointOut]


class TenantOut(Out):
    """A tenant that the key may work for: ``id`` goes into ``Clearance-Tenant``."""

    id: str
    name: str


class TenantList(Out):
    """Every tenant that the key may work for today."""

    tenants: list[TenantOut]


class EnterpriseOut(Out):
    """A registered enterprise; ``code`` is its customs code."""

    code: str
    name: str
    social_credit_code: str | None


class MandateOut(Out):
    """An enterprise that may work for the tenant in a role; ``valid_to`` is the last day."""

    enterprise: EnterpriseOut
    role: Role
    valid_from: str
    valid_to: str | None
    in_force: bool


class MandateList(Out):
    """Every mandate that the tenant has given."""

    mandates: list[MandateOut]


class Health(Out):
    """Whether this process lives, or is ready; ``parts`` names what it depends on."""

    status: Literal["ok", "not_ready"]
    parts: dict[str, bool] = Field(default_factory=dict)
