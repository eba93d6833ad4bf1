"""Stage 4, declare: planned declarations become one message (T2), written and validated.

T2 fixes the ids and the appTime; the bytes follow from them and from what the declarations pin, so
a message whose bytes were lost on the way is built again to the same declarations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.domain.case import CaseKey, CaseState, Verdict, VerdictKind
from gateway.domain.codec import verdict_to_doc
from gateway.domain.declaration import DeclarationKind, DeclarationStage, Pinned
from gateway.domain.errors import BuildFailed
from gateway.domain.events import Event, EventKind
from gateway.domain.findings import Finding, Severity
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import (
    CaseId,
    MessageId,
    ProfileId,
    TenantId,
    effect_id,
    list_no,
    record_guid,
)
from gateway.domain.lifecycle import ENDED
from gateway.domain.papers import Order, PaperKind, PaperRevision, PaymentSlip, Waybill
from gateway.domain.profile import FilingProfile
from gateway.flow.context import SECOND_US, Context
from gateway.flow.status import stage_notices
from gateway.ports import (
    BuildFault,
    BuiltMessage,
    Changes,
    Command,
    DeclarationInput,
    Effect,
    EffectKind,
    Found,
    Lookup,
    MasterData,
    Member,
    MessageStage,
    MessageStaged,
    NewMessage,
    Regime,
    StoredMember,
    StoredMessage,
    Views,
)

SCHEMA_RULE = "SCHEMA-FAULT"


@dataclass(frozen=True, slots=True)
class _ClaimFacts:
    effects: tuple[Effect, ...]
    kind: DeclarationKind
    tenant: TenantId
    profile: FilingProfile
    message_id: MessageId
    guid: str
    regime: Regime
    now: int


async def claim_message(context: Context, effects: Sequence[Effect]) -> StoredMessage | None:
    """T2: claim up to 100 planned declarations of one group into a new message.

    Effects whose declaration was withdrawn, held or taken by another worker drop out; None when
    none is left.
    """
    first = effects[0]
    tenant, profile_id, version, kind = first.group.split("/")[:4]
    profile = context.master.profile_version(profile_id, int(version))  # type: ignore[arg-type]
    now = context.clock.now()
    facts = _ClaimFacts(
        effects=tuple(effects),
        kind=DeclarationKind(kind),
        tenant=TenantId(tenant),
        profile=profile,
        message_id=MessageId(context.rng.guid()),
        guid=context.rng.guid(),
        regime=context.regime,
        now=now,
    )
    return await context.store.submit(
        Command(
            decide=decide_claim,
            facts=facts,
            load=tuple(dict.fromkeys(effect.case_id for effect in effects if effect.case_id)),
            lane=first.group,
            stage="declare",
        )
    )


def decide_claim(facts: _ClaimFacts, views: Views, found: Found) -> Changes[StoredMessage | None]:
    """T2, pure."""
    changes: Changes[StoredMessage | None] = Changes(result=None)
    changes.effects_done = [effect.effect_id for effect in facts.effects]
    members: list[Member] = []
    stored: list[StoredMember] = []
    for effect in facts.effects:
        view = views.get(effect.case_id) if effect.case_id else None
        if view is None or view.state.hold is not None:
            continue
        declaration = view.state.declaration(facts.kind)
        version = int(effect.ref.rpartition("/")[2])
        if declaration is None or declaration.version != version:
            continue
        if declaration.stage is not DeclarationStage.PLANNED:
            continue
        if facts.kind.is_list and _has_left(view.state):
            view.record(_withdrawn(facts.kind, version, "inventory_ended"))
            continue
        position = len(members)
        app_time = risen_app_time(facts.regime, view.state, facts.kind, facts.now)
        payload = {
            "kind": facts.kind.value,
            "version": version,
            "message": facts.message_id,
            "app_time": app_time,
        }
        if facts.kind.is_list:
            payload["cop_no"] = list_no(facts.profile.cop_no_prefix, facts.message_id)
        view.record(Event(EventKind.DECLARATION_CLAIMED, payload))
        claimed = view.state.declaration(facts.kind)
        assert claimed is not None
        members.append(
            Member(view.key.case_id, facts.kind, version, position, claimed.cop_no, app_time)
        )
        stored.append(StoredMember(view.key, claimed, position))
    if members:
        _add_message(changes, facts, tuple(members), tuple(stored))
    return changes


def _has_left(state: CaseState) -> bool:
    """Whether a parcel no longer belongs into a list: its inventory ended since it was planned, or
    somebody wants it stopped.
    """
    inventory = state.inventory()
    return inventory is None or inventory.stage in ENDED or state.asked is not None


def _withdrawn(kind: DeclarationKind, version: int, reason: str) -> Event:
    payload = {"kind": kind.value, "version": version, "reason": reason}
    return Event(EventKind.DECLARATION_WITHDRAWN, payload)


def risen_app_time(regime: Regime, state: CaseState, kind: DeclarationKind, now: int) -> str:
    """The appTime of what is filed now: later than that of everything filed before.

    Customs ignores an older one, and two filings may fall into one second, or our clock may have
    been set back since.
    """
    last = max((one.app_time or "" for one in state.declarations if one.kind is kind), default="")
    at, step = now, SECOND_US
    app_time = regime.app_time(at)
    while app_time <= last:
        at, step = at + step, step * 2
        app_time = regime.app_time(at)
    return app_time


def _add_message(
    changes: Changes[StoredMessage | None],
    facts: _ClaimFacts,
    members: tuple[Member, ...],
    stored: tuple[StoredMember, ...],
) -> None:
    group = facts.effects[0].group
    if facts.kind.is_list:
        changes.claims.append(list_claim(stored))
    changes.messages.append(
        NewMessage(
            facts.message_id,
            facts.guid,
            facts.kind,
            facts.tenant,
            facts.profile.profile_id,
            group,
            facts.now,
            members,
        )
    )
    changes.effects.append(send_effect(facts.message_id, facts.profile.channel, facts.now))
    changes.result = StoredMessage(
        message_id=facts.message_id,
        guid=facts.guid,
        kind=facts.kind,
        tenant=facts.tenant,
        profile_id=facts.profile.profile_id,
        group=group,
        stage=MessageStage.CLAIMED,
        created_at=facts.now,
        attempt=0,
        body=None,
        members=stored,
    )


def list_claim(members: Sequence[StoredMember]) -> tuple[Lookup, CaseId, TenantId]:
    """The claim on a list's copNo: its first case holds it, for all that stand in the list."""
    first = members[0]
    return Lookup("cop_no", first.declaration.cop_no), first.key.case_id, first.key.tenant


def send_effect(message_id: MessageId, channel: str, now: int, attempt: int = 1) -> Effect:
    """The outbox row that sees one attempt of a message through to its channel."""
    return Effect(
        effect_id=effect_id(CaseId(message_id), "send", attempt),
        kind=EffectKind.SEND,
        group=channel,
        due_at=now,
        ref=message_id,
    )


def profile_of(context: Context, message: StoredMessage) -> FilingProfile:
    """The profile version that a message was claimed under."""
    _, profile_id, version = message.group.split("/")[:3]
    return context.master.profile_version(profile_id, int(version))  # type: ignore[arg-type]


def channel_of(context: Context, group: str) -> str:
    """The channel through which a group's messages go."""
    _, profile_id, version = group.split("/")[:3]
    return context.master.profile_version(ProfileId(profile_id), int(version)).channel


async def build_message(
    context: Context, message: StoredMessage
) -> tuple[StoredMessage, BuiltMessage | None]:
    """Write and validate a claimed message; members that cannot be written leave it with a finding.

    Gives the message as it then stands, and its unsigned bytes; no bytes when no member is left.
    """
    while message.members:
        inputs = await _inputs(context, message)
        built = await context.executor.run(context.regime.build, message.kind, message.guid, inputs)
        context.crash.reach("declare.built")
        if not built.faults:
            return message, built
        message = await _withdraw(context, message, built.faults)
    return message, None


async def _inputs(context: Context, message: StoredMessage) -> list[DeclarationInput]:
    wanted = [
        (member.key.case_id, PaperKind(kind), revision)
        for member in message.members
        for kind, revision in member.declaration.pinned.papers.items()
    ]
    papers = await context.store.load_papers(wanted)
    records = _Records(context.master)
    return [_input(records, message.kind, member, papers) for member in message.members]


@dataclass(frozen=True, slots=True)
class _Records:
    """The master data of one message, whose records nearly all pin the same versions."""

    master: MasterData
    goods: dict[tuple[object, ...], GoodsRecord] = field(default_factory=dict)

    def of(self, key: CaseKey, profile: FilingProfile, pinned: Pinned) -> dict[str, GoodsRecord]:
        """The goods records that a declaration pins."""
        scope, known = profile.goods_scope, self.goods
        found: dict[str, GoodsRecord] = {}
        for sku, version in pinned.goods.items():
            place = (sku, version, profile.version, key.profile_id)
            record = known.get(place)
            if record is None:
                record = self.master.goods_version(key.tenant, scope, sku, version)
                known[place] = record
            found[sku] = record
        return found


def _input(
    records: _Records,
    kind: DeclarationKind,
    member: StoredMember,
    papers: dict[tuple[CaseId, PaperKind], PaperRevision],
) -> DeclarationInput:
    key, pinned = member.key, member.declaration.pinned
    profile = records.master.profile_version(key.profile_id, pinned.profile_version)
    order = papers[key.case_id, PaperKind.ORDER].paper
    waybill = papers.get((key.case_id, PaperKind.WAYBILL))
    payment = papers.get((key.case_id, PaperKind.PAYMENT))
    if not isinstance(order, Order):
        raise BuildFailed("order", "the pinned order is not an order")
    slip = payment.paper if payment else None
    return DeclarationInput(
        key=key,
        declaration=member.declaration,
        guid=record_guid(key.case_id, kind.value, member.declaration.version),
        profile=profile,
        order=order,
        waybill=waybill.paper if waybill and isinstance(waybill.paper, Waybill) else None,
        payment_transaction_id=slip.transaction_id if isinstance(slip, PaymentSlip) else None,
        payment=slip if isinstance(slip, PaymentSlip) else None,
        goods=records.of(key, profile, pinned),
    )


@dataclass(frozen=True, slots=True)
class _WithdrawFacts:
    message: StoredMessage
    faults: dict[CaseId, list[BuildFault]]
    master: MasterData
    is_last: bool
    now: int


async def _withdraw(
    context: Context, message: StoredMessage, faults: Sequence[BuildFault]
) -> StoredMessage:
    """Take the faulty members out of a message; their cases are blocked with the faults as
    findings.
    """
    by_case: dict[CaseId, list[BuildFault]] = {}
    for fault in faults:
        by_case.setdefault(message.members[fault.position].key.case_id, []).append(fault)
    kept = tuple(one for one in message.members if one.key.case_id not in by_case)
    facts = _WithdrawFacts(message, by_case, context.master, not kept, context.clock.now())
    await context.store.submit(
        Command(
            decide=decide_withdraw,
            facts=facts,
            load=tuple(by_case),
            lane=message.group,
            stage="declare",
        )
    )
    return replace(message, members=kept)


def decide_withdraw(facts: _WithdrawFacts, views: Views, found: Found) -> Changes[None]:
    """Pure: block each faulty case with one finding for each fault."""
    changes: Changes[None] = Changes(result=None)
    for case_id, faults in facts.faults.items():
        view = views.get(case_id)
        declaration = view.state.declaration(facts.message.kind) if view else None
        if view is None or declaration is None:
            continue
        if declaration.message_id != facts.message.message_id:
            continue
        if declaration.stage is not DeclarationStage.CLAIMED:
            continue
        before = view.state
        findings = tuple(_schema_finding(fault) for fault in faults)
        view.record(
            _withdrawn(facts.message.kind, declaration.version, "cannot_be_written"),
            Event(
                EventKind.CASE_MATCHED,
                verdict_to_doc(Verdict(VerdictKind.BLOCKED, findings)) | {"pack": "schema"},
            ),
        )
        stage_notices(view, changes, facts.master, before, facts.now)
    if facts.is_last:
        message_id = facts.message.message_id
        changes.messages_staged.append(MessageStaged(message_id, MessageStage.EMPTY))
        changes.effects_done.append(send_effect(message_id, "", 0).effect_id)
    return changes


def _schema_finding(fault: BuildFault) -> Finding:
    params: dict[str, Any] = {"reason": fault.reason}
    if fault.label_zh:
        params |= {"label_zh": fault.label_zh, "label_en": fault.label_en}
    return Finding(SCHEMA_RULE, Severity.BLOCK, {fault.path: None}, params=params)
