"""Which filings a partner is asked for, decided with the match (T1): once for each content."""

import hashlib
from typing import Any, Final

from gateway.domain.case import CaseKey, VerdictKind
from gateway.domain.declaration import DeclarationStage
from gateway.domain.events import Event, EventKind
from gateway.domain.filing import FINAL, FilingStage, PartnerFiling
from gateway.domain.findings import Severity
from gateway.domain.ids import effect_id
from gateway.domain.money import plain
from gateway.domain.papers import Order, PaperKind, PaymentSlip
from gateway.domain.profile import ConfirmedBy, FilingProfile
from gateway.ports import CaseView, Changes, Effect, EffectKind

FILING: Final = "filing"
_S: Final = FilingStage
_KINDS: Final = (PaperKind.PAYMENT, PaperKind.WAYBILL)


def plan_filings(view: CaseView, changes: Changes[Any], profile: FilingProfile, now: int) -> None:
    """Ask for the filings that the profile leaves to partners' APIs, once for each content."""
    for kind in _KINDS:
        filing = profile.filing(kind)
        if filing.confirmed_by is not ConfirmedBy.API or not _is_due(view, kind):
            continue
        digest = _digest(view, kind)
        found = view.state.filing(kind)
        if digest is None or not _may_ask(view, kind, found, digest):
            continue
        number = 1 if found is None else found.number + 1
        is_change = found is not None and found.stage is _S.FILED
        view.record(filing_recorded(kind, number, _S.REQUESTED, now, digest, is_change=is_change))
        changes.effects.append(filing_effect(view.key, kind, number, now))


def _is_due(view: CaseView, kind: PaperKind) -> bool:
    """A payment is filed when everything agrees; a waybill when nothing but it is missing."""
    verdict = view.state.verdict
    if view.state.hold is not None or verdict is None:
        return False
    if kind is PaperKind.PAYMENT and verdict.kind is VerdictKind.MATCHED:
        return True
    is_blocked = any(one.severity is Severity.BLOCK for one in verdict.findings)
    return verdict.missing == (PaperKind.WAYBILL.value,) and not is_blocked


def _may_ask(view: CaseView, kind: PaperKind, found: PartnerFiling | None, digest: str) -> bool:
    if found is None:
        return True
    if kind is PaperKind.WAYBILL or found.stage not in FINAL or found.digest == digest:
        return False
    # A filed payment is frozen once its inventory is declared (-401008).
    inventory = view.state.inventory()
    return inventory is None or inventory.stage in (
        DeclarationStage.PLANNED,
        DeclarationStage.REJECTED,
        DeclarationStage.REFUSED,
        DeclarationStage.WITHDRAWN,
    )


def _digest(view: CaseView, kind: PaperKind) -> str | None:
    """What tells one content to be filed from another; None when the papers are not there."""
    order, slip = order_of(view), slip_of(view)
    if order is None or (kind is PaperKind.PAYMENT and slip is None):
        return None
    parts = [order.order_no, plain(order.freight.amount), plain(order.tax.amount)]
    if kind is PaperKind.PAYMENT and slip is not None:
        # The number of the part that was filed is the company's answer, not our asking.
        parts += [slip.original_id or slip.transaction_id, plain(slip.amount.amount)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def order_of(view: CaseView) -> Order | None:
    """The order of a case, None before it came."""
    found = view.papers.get(PaperKind.ORDER)
    return found.paper if found is not None and isinstance(found.paper, Order) else None


def slip_of(view: CaseView) -> PaymentSlip | None:
    """The payment slip of a case, None before it came."""
    found = view.papers.get(PaperKind.PAYMENT)
    return found.paper if found is not None and isinstance(found.paper, PaymentSlip) else None


def filing_recorded(
    kind: PaperKind,
    number: int,
    stage: FilingStage,
    now: int,
    digest: str = "",
    *,
    is_change: bool = False,
    code: str | None = None,
) -> Event:
    """A filing at its next stage, as an event; the first one holds what is filed by its digest."""
    payload: dict[str, Any] = {
        "paper": kind.value, "number": number, "stage": stage.value, "at": now,
    }  # fmt: skip
    if stage is _S.REQUESTED and digest:
        payload["digest"] = digest
    if is_change:
        payload["change"] = True
    if code is not None:
        payload["code"] = code
    return Event(EventKind.FILING_RECORDED, payload)


def filing_effect(key: CaseKey, kind: PaperKind, number: int, now: int) -> Effect:
    """The outbox row that sees one filing through to its end."""
    return Effect(
        effect_id=effect_id(key.case_id, FILING, kind.value, number),
        kind=EffectKind.RECHECK,
        group=FILING,
        due_at=now,
        case_id=key.case_id,
        tenant=key.tenant,
        ref=f"{kind.value}/{number}",
    )
