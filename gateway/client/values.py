"""What the API answers, as typed dictionaries; the keys are those of the OpenAPI document."""

from typing import Any, TypedDict

JSON = dict[str, Any]  # Any: JSON


class PaperTaken(TypedDict):
    """One paper was taken in, durably; ``status``: accepted, unchanged, superseded, unlinked."""

    status: str
    case: str | None
    order_no: str
    revision: int
    stage: str | None
    changed: list[str]
    verdict: JSON | None


class Received(TypedDict):
    """What was sent without waiting is durable; ``submission`` asks what became of it."""

    status: str
    submission: str


class SubmissionLine(TypedDict):
    """One submission; ``status``: waiting (no ``answer`` yet), taken, or refused."""

    submission: str
    route: str
    received_at: str
    status: str
    answer: JSON | None


class GoodsTaken(TypedDict):
    """One goods record was stored, durably."""

    status: str
    sku: str
    version: int


class BatchLine(TypedDict, total=False):
    """What became of one line of a batch."""

    line: int
    status: str
    case: str | None
    order_no: str | None
    revision: int | None
    stage: str | None
    findings: list[JSON]
    sku: str | None
    version: int | None
    problem: JSON | None


class CaseLine(TypedDict):
    """A case in a list."""

    case: str
    order_no: str
    direction: str
    platform: str
    profile: str
    stage: str
    held: bool
    findings: int
    created_at: str
    updated_at: str
    version: int


class CaseFull(CaseLine):
    """A case with everything that hangs on it; ``findings`` counts, ``verdict`` holds them."""

    verdict: JSON | None
    hold: JSON | None
    alarms: list[str]
    papers: JSON
    declarations: list[JSON]
    messages: list[JSON]
    receipts: list[JSON]
    timeline: list[JSON]
    notices: list[JSON]
    tax_bills: list[JSON]
    evidence: list[JSON]
    returning: JSON | None


class Event(TypedDict):
    """One event of the stream; resume after its ``cursor``."""

    cursor: str
    case: str
    order_no: str
    seq: int
    at: str
    type: str
    data: JSON
    hash: str


class FindingLine(TypedDict):
    """A finding that stands, with its case."""

    case: str
    order_no: str
    profile: str
    stage: str
    updated_at: str
    finding: JSON
    resolution: JSON | None


class Asked(TypedDict):
    """Whether a case can still be stopped: ``answer`` is STOPPABLE or TOO_LATE."""

    case: str
    stage: str
    answer: str
    reason: str
    text: JSON
    held: bool
    safe_to_refund: bool


class Stage(TypedDict):
    """Where a case stands after a command."""

    case: str
    stage: str


class Reported(TypedDict):
    """Where each case of a report stands: a report moves none of them."""

    cases: list[Stage]


class Foreseen(TypedDict):
    """What would become of papers; nothing was stored."""

    case: str | None
    order_no: str
    is_new: bool
    stage: str | None
    papers: list[JSON]
    declares: list[str]
    quota: JSON | None
    verdict: JSON | None


class MessageReport(TypedDict):
    """What is wrong with the papers of customs' XML, order by order; nothing was stored."""

    files: list[str]
    rows: int
    orders: int
    clean: int
    blocked: int
    profile: JSON | None
    by_rule: dict[str, int]
    results: list[JSON]
    row_faults: list[JSON]
    unlinked: list[str]


class TenantLine(TypedDict):
    """A tenant that the key may work for."""

    id: str
    name: str


class MandateLine(TypedDict):
    """An enterprise that may work for the tenant; ``valid_to`` is the last day."""

    enterprise: JSON
    role: str
    valid_from: str
    valid_to: str | None
    in_force: bool


class PackLine(TypedDict):
    """One version of a rule pack; ``stage``: proposed, shadow, active or retired."""

    pack: str
    port: str | None
    stage: str
    proposed_by: str
    proposed_at: str
    decided_by: str | None
    decided_at: str | None


class PackChecked(TypedDict):
    """A pack that is in order; ``proposed`` is what was kept of it."""

    pack: str
    port: str | None
    rules: int
    dry_run: bool
    proposed: JSON | None


class PackFull(TypedDict):
    """A pack with its text and the stages it may go to."""

    pack: str
    text: str
    version: JSON | None
    moves: list[str]


class Differences(TypedDict):
    """What a pack says otherwise than the one in force, counted over ``cases``."""

    pack: str
    cases: int
    differing: int
    around: str
    verdicts: list[JSON]
    rules: list[JSON]


class RepairLine(TypedDict):
    """A repair: what it still needs, and what became of every case."""

    repair: str
    stage: str
    rule: str
    kind: str
    owner: str
    needs: list[str]
    open_needs: list[str]
    approvals: list[JSON]
    redeclare: bool
    proposed_by: str
    reason: str
    created_at: str
    deadline: str | None
    ended_at: str | None
    items: list[JSON]
    dry_run: bool


class NoticeLine(TypedDict):
    """A notice and how its delivery stands: waiting or parked."""

    notice: JSON
    endpoint: str
    status: str
    attempts: int
    detail: str
    parked_at: str | None


class AckLine(TypedDict):
    """What became of one acknowledgement: ok, unknown or repeated."""

    notice_id: str
    status: str


class Replayed(TypedDict):
    """The parked notices that are tried again; ``more`` when there may be others: ask again."""

    replayed: list[str]
    more: bool


class EndpointLine(TypedDict):
    """Where notices go; one without a ``url`` has its notices fetched."""

    endpoint: str
    url: str | None
    role: str
    event_types: list[str]
    batch_size: int
    is_active: bool
    disabled_at: str | None
    disabled_why: str | None
    old_secrets_until: str | None


class EndpointMade(EndpointLine):
    """An endpoint with its fresh secrets, which are shown this once."""

    secret: str
    public_key: str | None
