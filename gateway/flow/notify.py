"""Stage 9, notify: notices leave, with stable ids, until they are delivered or visibly parked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, EffectId, TenantId
from gateway.domain.papers import Order, PaperKind, PaperRevision, Waybill
from gateway.domain.profile import FilingProfile
from gateway.flow.context import Context
from gateway.flow.retry import NOTICE
from gateway.flow.status import RELEASE, REVOKE
from gateway.ports import Changes, Command, Effect, Endpoint, Found, NoticeAnswer, Views

_OK: Final = "ok"
_REFUSED: Final = "refused"
_GONE: Final = "gone"

Papers = dict[tuple[CaseId, PaperKind], PaperRevision]


@dataclass(frozen=True, slots=True)
class Ack:
    """A warehouse's answer to a notice: what it did with it, and when (UTC microseconds)."""

    notice_id: str
    status: str
    at: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one post came to.

    ``was_answered``: the endpoint dealt with at least one notice. ``too_old_since`` is when the
    oldest notice was made that was given up because of its age.
    """

    done: int
    was_answered: bool
    is_gone: bool = False
    too_old_since: int | None = None


async def deliver_notices(
    context: Context, endpoint: Endpoint, effects: Sequence[Effect]
) -> Delivered:
    """Deliver a batch to one endpoint and record each outcome."""
    notices = await assembled(context, effects)
    context.crash.reach("notify.before_post")
    begun = context.clock.now()
    results = await context.notifier.deliver(endpoint, notices, begun)
    context.crash.reach("notify.after_answer")
    now = context.clock.now()
    answers = {one.effect_id: NoticeAnswer(one.code, now - begun, one.detail) for one in results}
    by_id = {effect.effect_id: effect for effect in effects}
    done: list[tuple[EffectId, int]] = []
    parked: list[tuple[EffectId, int, str]] = []
    later: list[tuple[EffectId, int, int]] = []
    too_old: list[int] = []
    for result in results:
        effect = by_id[result.effect_id]
        if result.status == _OK:
            done.append((effect.effect_id, effect.attempt))
        elif result.status in (_REFUSED, _GONE):
            parked.append((effect.effect_id, effect.attempt, result.detail))
        elif is_too_old(context, effect, now):
            too_old.append(_made_at(effect))
            parked.append((effect.effect_id, effect.attempt, result.detail))
        else:
            wait = NOTICE.wait_us(effect.attempt, context.rng.bytes(1)[0])
            later.append((effect.effect_id, effect.attempt, now + wait))
    await context.store.finish(done, parked, answers)
    if later:
        await context.store.reschedule(later, answers)
    context.crash.reach("notify.recorded")
    said = {result.status for result in results}
    return Delivered(
        len(done), bool(said & {_OK, _REFUSED}), _GONE in said, min(too_old, default=None)
    )


def is_too_old(context: Context, effect: Effect, now: int) -> bool:
    """Whether a notice has been tried for as long as one is."""
    return now - _made_at(effect) > context.settings.notice_park_after_us


def _made_at(effect: Effect) -> int:
    """When a notice was asked for, or asked for again by a replay."""
    return int(effect.payload.get("again_at", effect.payload["at"]))


async def assembled(context: Context, effects: Sequence[Effect]) -> list[Effect]:
    """Notices with the content that is joined in on delivery.

    A release notice names the goods and the waybill that its declaration pinned, so every delivery
    of one notice says the same.
    """
    wanted = [
        (effect.case_id, PaperKind(kind), revision)
        for effect in effects
        if effect.ref in (RELEASE, REVOKE) and effect.case_id is not None
        for kind, revision in effect.payload["data"]["pinned"][1].items()
        if kind != PaperKind.PAYMENT.value
    ]
    papers = await context.store.load_papers(wanted) if wanted else {}
    return [
        _with_evidence(context, effect, papers) if effect.ref in (RELEASE, REVOKE) else effect
        for effect in effects
    ]


def _with_evidence(context: Context, effect: Effect, papers: Papers) -> Effect:
    assert effect.case_id is not None
    assert effect.tenant is not None
    data = dict(effect.payload["data"])
    profile_version, _, goods = data.pop("pinned")
    profile = context.master.profile_version(effect.payload["profile"], profile_version)
    order = papers[effect.case_id, PaperKind.ORDER].paper
    waybill = papers[effect.case_id, PaperKind.WAYBILL].paper
    assert isinstance(order, Order)
    assert isinstance(waybill, Waybill)
    carrier = profile.carrier(waybill.carrier_code)
    data |= {
        "customs_code": profile.customs_code,
        "channel": profile.channel,
        "ems_no": profile.account_book,
        "waybill_no": waybill.waybill_no,
        "carrier_code": carrier.code if carrier else waybill.carrier_code,
        "items": _items(context, effect.tenant, profile, order, goods),
    }
    return replace(effect, payload={**effect.payload, "data": data})


def _items(
    context: Context, tenant: TenantId, profile: FilingProfile, order: Order, goods: dict[str, int]
) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for line in order.lines:
        record = context.master.goods_version(
            tenant, profile.goods_scope, line.sku, goods[line.sku]
        )
        items.append(
            {
                "line_no": line.line_no,
                "sku": line.sku,
                "item_record_no": record.item_record_no,
                "quantity": format(line.quantity, "f"),
                "unit": line.unit,
            }
        )
    return items


def decide_acknowledge(
    facts: tuple[Sequence[tuple[CaseId | None, Ack]], Sequence[EffectId], int],
    views: Views,
    found: Found,
) -> Changes[None]:
    """Pure: a warehouse's acknowledgement becomes part of the case's history, if it is about one.

    It also ends notices that are not delivered yet: those that wait to be fetched.
    """
    acks, undelivered, now = facts
    changes: Changes[None] = Changes(result=None)
    changes.effects_done.extend(undelivered)
    for case_id, ack in acks:
        view = views.get(case_id) if case_id is not None else None
        changes.notices_acked.append((EffectId(ack.notice_id), now))
        if view is None:
            continue
        view.record(
            Event(
                EventKind.NOTICE_ACKNOWLEDGED,
                {"notice": ack.notice_id, "status": ack.status, "at": ack.at},
            )
        )
    return changes


def acknowledge_command(
    acks: Sequence[tuple[CaseId | None, Ack]], undelivered: Sequence[EffectId], now: int
) -> Command[None]:
    """The command that records acknowledgements of known notices."""
    return Command(
        decide=decide_acknowledge,
        facts=(acks, undelivered, now),
        load=tuple(dict.fromkeys(case_id for case_id, _ in acks if case_id is not None)),
        lane="acks",
        stage="notify",
    )
