"""JSON shapes of what the API shows: one function per value, personal data masked by role.

Identity and phone numbers show their last four characters to everybody; names, accounts and
addresses are shown in full only to the people who mend differences.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, assert_never

from gateway.api.codes import explained
from gateway.api.services import KeyRole
from gateway.domain.asking import REASONS
from gateway.domain.case import CaseStage, Verdict
from gateway.domain.codec import finding_from_doc, finding_to_doc, from_micros
from gateway.domain.declaration import DeclarationKind, DeclarationState
from gateway.domain.events import EventKind
from gateway.domain.evidence import bases
from gateway.domain.findings import Finding, finding_id
from gateway.domain.lifecycle import case_stage
from gateway.domain.matching import explain_missing, explain_unverified
from gateway.domain.money import Money, plain
from gateway.domain.papers import (
    Consignee,
    Masked,
    Order,
    OrderLine,
    Paper,
    PaperKind,
    PaperRevision,
    PaymentSlip,
    Person,
    SourceFact,
    Waybill,
    changed_paths,
)
from gateway.domain.party import mask, mask_name
from gateway.domain.profile import FilingProfile
from gateway.domain.returns import (
    given_back,
    is_back,
    ledger,
    quantities_back,
    return_days,
    tax_given_back,
)
from gateway.flow.desk import Reply
from gateway.ports import CaseDetail, CaseRow, FindingRow, NoticeRow, StoredEvent

Doc = dict[str, Any]  # Any: a JSON object, its members vary by what it shows
Explain = Callable[[Finding, str], str]
SEES_NAMES: Final = frozenset({KeyRole.CLERK.value, KeyRole.SUPERVISOR.value})


def moment(micros: int | None) -> str | None:
    """UTC microseconds as an RFC 3339 time."""
    return None if micros is None else _rfc3339(from_micros(micros))


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _filled(doc: Doc) -> Doc:
    return {name: value for name, value in doc.items() if value is not None and value != {}}


def finding_view(finding: Finding, explain: Explain) -> Doc:
    """A finding with its texts in both languages."""
    doc = finding_to_doc(finding)
    doc["id"] = finding_id(finding)
    doc["text"] = {"en": explain(finding, "en"), "zh": explain(finding, "zh")}
    told = explained(None, (finding.code,)) if finding.code else []
    doc["customs"] = told[0] if told else None
    return doc


def finding_row_view(row: FindingRow, explain: Explain) -> Doc:
    """A finding in a list, with its case and how it was settled."""
    settled = row.resolution
    return {
        "case": row.key.case_id,
        "order_no": row.key.order_no,
        "profile": row.key.profile_id,
        "stage": row.stage.value,
        "updated_at": moment(row.updated_at),
        "finding": finding_view(row.finding, explain),
        "resolution": None
        if settled is None
        else {
            "how": settled.how,
            "by": settled.by,
            "reason": settled.reason,
            "at": moment(settled.at),
            "paper": settled.paper,
            "revision": settled.revision,
        },
    }


def reply_view(case_id: str, reply: Reply) -> Doc:
    """The answer to a question about a case."""
    english, chinese = REASONS[reply.standing.reason]
    return {
        "case": case_id,
        "stage": reply.stage.value,
        "answer": reply.standing.answered.value,
        "reason": reply.standing.reason,
        "text": {"en": english, "zh": chinese},
        "held": reply.is_held,
        "safe_to_refund": reply.standing.safe_to_refund,
    }


def verdict_view(verdict: Verdict | None, explain: Explain) -> Doc | None:
    """What matching says, with every finding."""
    if verdict is None:
        return None
    return {
        "kind": verdict.kind.value,
        "findings": [finding_view(finding, explain) for finding in verdict.findings],
        "missing": list(verdict.missing),
        "until": moment(verdict.until),
        "waits": [
            {
                "name": name,
                "until": moment(until),
                "text": {"en": explain_missing(name, "en"), "zh": explain_missing(name, "zh")},
            }
            for name, until in zip(verdict.missing, verdict.deadlines, strict=False)
        ],
        "unverified": unverified_view(verdict.unverified),
    }


def unverified_view(rules: Iterable[str]) -> Doc:
    """Rules that could not be answered, each with what that means."""
    return {rule: {one: explain_unverified(rule, one) for one in ("en", "zh")} for rule in rules}


def row_view(row: CaseRow) -> Doc:
    """One line of a list of cases."""
    key = row.key
    return {
        "case": key.case_id,
        "order_no": key.order_no,
        "direction": key.direction.value,
        "platform": key.platform,
        "profile": key.profile_id,
        "stage": row.stage.value,
        "held": row.held,
        "findings": row.findings,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
        "version": row.version,
    }


def detail_view(
    detail: CaseDetail,
    messages: Any,
    role: str,
    explain: Explain,
    profile: FilingProfile | None,
) -> Doc:
    """A case with its papers, findings, declarations, messages, receipts, timeline and notices.

    ``messages`` are (id, kind, version, stage) of the messages that carried its declarations (Any:
    the port's tuples). ``profile`` is the case's own, None where there is none any more.
    """
    state = detail.state
    hold = state.hold
    return {
        **row_view(detail.row),
        "stage": case_stage(state).value,
        "verdict": verdict_view(state.verdict, explain),
        "hold": None if hold is None else {"by": hold.by, "reason": hold.reason},
        "alarms": list(state.alarms),
        "papers": {
            kind.value: revision_view(revision, role) for kind, revision in detail.papers.items()
        },
        "declarations": [declaration_view(one) for one in state.declarations],
        "messages": [
            {
                "message": message_id,
                "kind": kind.value,
                "version": version,
                "stage": stage.value,
                "href": f"/v1/messages/{message_id}",
            }
            for message_id, kind, version, stage in messages
        ],
        "receipts": [
            receipt_view(one, explain)
            for one in detail.events
            if one.event.kind is EventKind.RECEIPT_RECORDED
        ],
        "tax_bills": [bill._asdict() | {"status": bill.status.value} for bill in state.bills],
        "evidence": [
            one._asdict() for one in bases(state, (one.event for one in detail.events), profile)
        ],
        "returning": returning_view(detail, profile),
        "timeline": [event_view(one) for one in detail.events],
        "notices": [notice_view(one) for one in detail.notices],
    }


def returning_view(detail: CaseDetail, profile: FilingProfile | None) -> Doc | None:
    """The ledger of the returns of a released case; None before a release."""
    order = detail.papers.get(PaperKind.ORDER)
    days = None if profile is None else return_days(detail.state, profile)
    if days is None or order is None or not isinstance(order.paper, Order):
        return None
    return {
        "apply_until": days.apply_until.isoformat(),
        "back_until": days.back_until.isoformat(),
        "lines": [
            {"line_no": one.line_no}
            | {name: plain(value) for name, value in one._asdict().items() if name != "line_no"}
            for one in ledger(detail.state, order.paper)
        ],
        "tax_given_back": plain(tax_given_back(detail.state)),
    }


def declaration_view(one: DeclarationState) -> Doc:
    """One declaration version."""
    return {
        "kind": one.kind.value,
        "version": one.version,
        "stage": one.stage.value,
        "app_type": one.app_type.value,
        "app_time": one.app_time,
        "cop_no": one.cop_no,
        "pre_no": one.pre_no,
        "invt_no": one.invt_no,
        "status": one.status,
        "returned_at": one.returned_at,
        "codes": list(one.codes),
        "explained": explained(one.status, one.codes),
        "message": one.message_id,
        "attempt": one.attempt,
        "sent_at": moment(one.sent_at),
        "papers": dict(one.pinned.papers),
        "goods": dict(one.pinned.goods),
        "returns": _returns(one),
        "summary": _summary(one),
    }


def _returns(one: DeclarationState) -> Doc | None:
    if not one.kind.is_return:
        return None
    back = given_back(one)
    lines = {str(number): plain(value) for number, value in quantities_back([one]).items()}
    return {
        "lines": lines,
        "value": plain(back.value),
        "tax": plain(back.tax),
        "arrived": is_back(one),
    }


def _summary(one: DeclarationState) -> Doc | None:
    """What customs said of a summary request: its number, and the general declaration it led to."""
    if one.kind is not DeclarationKind.SUMMARY_REQUEST:
        return None
    result: Any = one.request.get("result", {})
    names = ("declaration_no", "entry_no", "state")
    return {"sum_no": one.request.get("sum_no")} | {name: result.get(name) for name in names}


def receipt_view(stored: StoredEvent, explain: Explain) -> Doc:
    """One receipt record of a case, as its event keeps it."""
    payload = stored.event.payload
    return {
        "receipt": payload["receipt"],
        "explained": explained(payload.get("status"), payload.get("codes") or []),
        "at": moment(stored.at),
        "href": f"/v1/receipts/{payload['receipt']}",
        "findings": [
            finding_view(finding_from_doc(one), explain) for one in payload.get("findings", ())
        ],
        **{
            name: payload.get(name)
            for name in (
                "position",
                "kind",
                "version",
                "status",
                "word",
                "returned_at",
                "codes",
                "pre_no",
                "invt_no",
                "effect",
            )
        },
    }


def event_view(stored: StoredEvent) -> Doc:
    """One event of the stream; its payload holds no personal data."""
    return {
        "cursor": stored.cursor,
        "case": stored.case_id,
        "order_no": stored.order_no,
        "seq": stored.seq,
        "at": moment(stored.at),
        "type": stored.event.kind.value,
        "data": stored.event.payload,
        "hash": stored.hash.hex(),
    }


def notice_view(notice: NoticeRow) -> Doc:
    """One notice and how its delivery stands."""
    return {
        "notice_id": notice.effect.effect_id,
        "type": notice.effect.ref,
        "endpoint": notice.endpoint_id,
        "status": notice.status,
        "detail": notice.detail,
        "attempt": notice.effect.attempt,
        "done_at": moment(notice.done_at),
        "acked_at": moment(notice.acked_at),
    }


def stage_view(case_id: str, stage: CaseStage) -> Doc:
    """The answer to a command on a case."""
    return {"case": case_id, "stage": stage.value}


# --- papers -----------------------------------------------------------------------------------


def revision_view(revision: PaperRevision, role: str) -> Doc:
    """A paper's newest revision in the shape in which it is sent in, masked for a role."""
    return {
        "revision": revision.revision,
        "digest": revision.digest,
        "basis": revision.basis.value,
        "sources": [
            {
                "source": fact.source,
                "raw": fact.raw_id,
                "offset": fact.offset,
                "length": fact.length,
                "received_at": _rfc3339(fact.received_at),
                "filed_by": fact.filed_by,
                "differs": _differs(fact, revision),
            }
            for fact in revision.facts
        ],
        "content": paper_view(revision.paper, role),
    }


def _differs(fact: SourceFact, revision: PaperRevision) -> list[str]:
    """Where a filed copy says otherwise than the paper."""
    return [] if fact.filed_by is None else list(changed_paths(revision.paper, fact.paper))


def paper_view(paper: Paper, role: str) -> Doc:
    """A paper's content, masked for a role."""
    in_full = role in SEES_NAMES
    match paper:
        case Order():
            return _order_view(paper, in_full)
        case PaymentSlip():
            return _payment_view(paper, in_full)
        case Waybill():
            return _waybill_view(paper, in_full)
        case _:
            assert_never(paper)


def _order_view(order: Order, in_full: bool) -> Doc:
    payment = order.payment
    return _filled(
        {
            "order_no": order.order_no,
            "ordered_at": _time(order.ordered_at),
            "currency": order.paid.currency,
            "goods_value": _amount(order.goods_value),
            "freight": _amount(order.freight),
            "discount": _amount(order.discount),
            "tax": _amount(order.tax),
            "paid": _amount(order.paid),
            "buyer": _person_view(order.buyer, in_full),
            "consignee": _consignee_view(order.consignee, in_full),
            "payment": _filled(
                {
                    "company_code": payment.company_code,
                    "company_name": payment.company_name,
                    "transaction_id": payment.transaction_id,
                }
            ),
            "waybill_no": order.waybill_no,
            "batch_numbers": order.batch_numbers,
            "lines": [_line_view(line) for line in order.lines],
            "note": order.note,
        }
    )


def _line_view(line: OrderLine) -> Doc:
    return _filled(
        {
            "line_no": line.line_no,
            "sku": line.sku,
            "name": line.name,
            "model": line.model,
            "barcode": line.barcode,
            "description": line.description,
            "unit": line.unit,
            "quantity": plain(line.quantity),
            "price": _amount(line.price),
            "total": _amount(line.total),
            "origin": line.origin,
            "note": line.note,
        }
    )


def _payment_view(slip: PaymentSlip, in_full: bool) -> Doc:
    check = slip.identity_check
    return _filled(
        {
            "order_no": slip.order_no,
            "transaction_id": slip.transaction_id,
            "company_code": slip.company_code,
            "company_name": slip.company_name,
            "payer": _person_view(slip.payer, in_full),
            "identity_check": None if check is None else check.value,
            "amount": _amount(slip.amount),
            "currency": slip.amount.currency,
            "paid_at": _time(slip.paid_at),
            "note": slip.note,
        }
    )


def _waybill_view(waybill: Waybill, in_full: bool) -> Doc:
    return _filled(
        {
            "order_no": waybill.order_no,
            "waybill_no": waybill.waybill_no,
            "carrier_code": waybill.carrier_code,
            "carrier_name": waybill.carrier_name,
            "freight": _amount(waybill.freight),
            "insurance": _amount(waybill.insurance),
            "gross_weight_kg": _plain(waybill.gross_weight_kg),
            "net_weight_kg": _plain(waybill.net_weight_kg),
            "pack_count": waybill.pack_count,
            "goods_info": waybill.goods_info,
            "consignee": _consignee_view(waybill.consignee, in_full),
            "bill_no": waybill.bill_no,
            "transport_no": waybill.transport_no,
            "voyage_no": waybill.voyage_no,
            "note": waybill.note,
        }
    )


def _person_view(person: Person, in_full: bool) -> Doc:
    return _filled(
        {
            "account": _shown(person.account, None if in_full else mask),
            "name": _shown(person.name, None if in_full else mask_name),
            "phone": _shown(person.phone, mask),
            "id_type": person.id_type,
            "id_number": _shown(person.id_number, mask),
        }
    )


def _consignee_view(consignee: Consignee, in_full: bool) -> Doc:
    return _filled(
        {
            "name": _shown(consignee.name, None if in_full else mask_name),
            "phone": _shown(consignee.phone, mask),
            "address": _shown(consignee.address, None if in_full else mask),
            "district": consignee.district,
        }
    )


def _shown(value: str | Masked | None, masked: Callable[[str], str] | None) -> str | None:
    if isinstance(value, Masked):
        return value.shown
    return value if value is None or masked is None else masked(value)


def _amount(money: Money | None) -> str | None:
    return None if money is None else plain(money.amount)


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _time(time: datetime | None) -> str | None:
    return None if time is None else _rfc3339(time)


def endpoint_view(endpoint: Any, *, secret: bool = False) -> Mapping[str, Any]:
    """An endpoint; its secret only in the answer that creates it (Any: ``ports.Endpoint``)."""
    doc: Doc = {
        "endpoint": endpoint.endpoint_id,
        "url": endpoint.url or None,
        "role": endpoint.role,
        "event_types": sorted(endpoint.event_types),
        "batch_size": endpoint.batch_size,
        "is_active": endpoint.is_active,
    }
    if endpoint.old_until:
        doc["old_secrets_until"] = _rfc3339(from_micros(endpoint.old_until))
    if endpoint.disabled_at is not None:
        doc["disabled_at"] = _rfc3339(from_micros(endpoint.disabled_at))
        doc["disabled_why"] = endpoint.disabled_why
    if secret:
        doc["secret"] = endpoint.secret
    return doc
