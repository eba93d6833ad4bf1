"""Collaborators of the API that live in memory: enough to see what a route asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from gateway.api.services import Services
from gateway.app.packs import builtin_matcher
from gateway.domain.asking import Ask, standing
from gateway.domain.case import CaseKey, CaseStage, CaseState, Verdict, VerdictKind
from gateway.domain.declaration import DeclarationKind, DeclarationState
from gateway.domain.errors import InvalidValue, Overloaded, VersionMoved
from gateway.domain.events import Event, EventKind
from gateway.domain.findings import Finding, Fix, FixKind, Severity, finding_id
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import (
    CaseId,
    Direction,
    EffectId,
    EndpointId,
    KeyId,
    MessageId,
    ProfileId,
    RawId,
    ReceiptId,
    TenantId,
    case_id,
)
from gateway.domain.lifecycle import case_stage
from gateway.domain.matching import builtin_text
from gateway.domain.papers import PaperRevision, SourceFact, kind_of
from gateway.domain.profile import Enterprise, FilingProfile, Mandate, Party, Role, TradeMode
from gateway.flow.desk import Reply
from gateway.flow.ingest import Incoming, IntakeResult, IntakeStatus
from gateway.flow.notify import Ack
from gateway.flow.pack_trial import PackTrial
from gateway.flow.packs import PackOffice
from gateway.flow.preflight import Foreseen
from gateway.flow.remedies import Settled, Settlement, settle_command
from gateway.flow.repair import Repairs
from gateway.ports import (
    CaseDetail,
    CaseFilter,
    CaseRow,
    CaseView,
    Effect,
    EffectKind,
    Endpoint,
    FindingFilter,
    FindingRow,
    Matcher,
    MessageStage,
    NoticeRow,
    Page,
    StoredEvent,
)
from gateway.ports.callers import SpanningKey
from gateway.ports.mailbox import NoticeFilter, NoticeStatus
from tests.unit.api.around import Around
from tests.unit.api.kept import Book, Submitted
from tests.unit.api.packs import NoBooks, NoLessons, NoRepairs, Packs
from tests.unit.api.reports import Reporter

NOON = 1_793_700_000_000_000
ALPHA, BETA = TenantId("alpha"), TenantId("beta")
ID_NUMBER = "110101199003070003"
PHONE = "13800000001"
ADDRESS = "北京市朝阳区建国路甲1号院2号楼301"
ROLES = ("seller", "warehouse", "viewer", "clerk", "supervisor", "operator", "auditor")


@dataclass(frozen=True)
class Key:
    tenant: TenantId
    key_id: KeyId
    role: str


class Keys:
    """Tokens are ``<tenant>-<role>``, of an agent ``both-<role>``."""

    def authenticate(self, token: str) -> Key | SpanningKey | None:
        tenant, _, role = token.partition("-")
        if tenant == "both" and role in ROLES:
            return SpanningKey(KeyId(f"k-{token}"), role, "3120986022", frozenset({ALPHA, BETA}))
        if tenant not in (ALPHA, BETA) or role not in (*ROLES, "stranger"):
            return None
        return Key(TenantId(tenant), KeyId(f"k-{token}"), role)


def profile(tenant: TenantId) -> FilingProfile:
    party = Party("3120986022", "某跨境电商有限公司")
    return FilingProfile(
        profile_id=ProfileId(f"{tenant}-9610"),
        tenant=tenant,
        version=1,
        mode=TradeMode.DIRECT,
        customs_code="5141",
        port_code="5141",
        platform=party,
        merchant=party,
        agent=party,
        assure_code="3120986022",
        transfer=party,
        dxp_id="DXPENT0000012345",
        carriers=(party,),
        payment_companies=(party,),
    )


class Master:
    def __init__(self) -> None:
        self.profiles = {profile(one).profile_id: profile(one) for one in (ALPHA, BETA)}

    def profile(self, tenant: TenantId, profile_id: ProfileId) -> FilingProfile | None:
        found = self.profiles.get(profile_id)
        return found if found is not None and found.tenant == tenant else None


FINDING = Finding(
    rule="PAYMENT-AMOUNT",
    severity=Severity.BLOCK,
    paths={"order.paid": "327.30", "payment.amount": "300"},
    delta="27.30",
    fixes=(Fix(FixKind.FACT, "order.paid", "order", "300"),),
    code="1332",
)


@dataclass
class Taker:
    """Accepts everything; an order number chooses another answer."""

    taken: list[Incoming] = field(default_factory=list)
    calls: int = 0
    is_full: bool = False

    async def take(self, items: Sequence[Incoming]) -> list[IntakeResult]:
        self.calls += 1
        if self.is_full:
            raise Overloaded("queue is full")
        self.taken.extend(items)
        return [self._answer(item) for item in items]

    def _answer(self, item: Incoming) -> IntakeResult:
        order_no = item.paper.order_no or ""
        platform = item.profile.platform.code
        case = case_id(item.tenant, Direction.IMPORT, platform, order_no)
        plain = IntakeResult(IntakeStatus.ACCEPTED, case, order_no, 1, CaseStage.COLLECTING)
        if order_no.startswith("SAME"):
            return replace(plain, status=IntakeStatus.UNCHANGED)
        if order_no.startswith("FROZEN"):
            return replace(
                plain,
                status=IntakeStatus.FROZEN,
                changed=("paid", "lines[0].price"),
                reason="inventory_declared",
                stage=CaseStage.LODGED,
            )
        if order_no.startswith("BUSY"):
            return replace(plain, status=IntakeStatus.FAILED, reason="STORE-201")
        if order_no.startswith("BROKEN"):
            return replace(plain, status=IntakeStatus.FAILED, reason="order_no_missing")
        if order_no.startswith("MISMATCH"):
            verdict = Verdict(VerdictKind.MISMATCH, (FINDING,), until=NOON)
            return replace(plain, stage=CaseStage.MISMATCH, verdict=verdict)
        return plain


@dataclass
class DeskOfOne:
    """Knows the cases of the read models."""

    reads: Reads
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    async def record_download(
        self, tenant: TenantId, cases: Sequence[CaseId], what: str, by: str, reason: str
    ) -> None:
        self.calls.append(("download", tenant, *cases, what, by, reason))

    def _seen(self, tenant: TenantId, case_id: CaseId, version: int | None) -> None:
        detail = self.reads.details.get((tenant, case_id))
        if detail is not None and version is not None and version != detail.row.version:
            raise VersionMoved("moved")

    async def hold(self, tenant: Any, case_id: Any, by: str, why: str, version: Any = None) -> Any:
        self._seen(tenant, case_id, version)
        self.calls.append(("hold", tenant, case_id, by, why))
        return CaseStage.MATCHED if (tenant, case_id) in self.reads.details else None

    async def release(self, tenant: Any, case_id: Any, by: str, version: Any = None) -> Any:
        return self._done("release", tenant, case_id, by, version, CaseStage.READY)

    async def recheck(self, tenant: Any, case_id: Any, by: str, version: Any = None) -> Any:
        return self._done("recheck", tenant, case_id, by, version, CaseStage.MATCHED)

    async def goods_back(self, tenant: TenantId, case_id: CaseId, number: int, by: str) -> Any:
        return self._done("goods_back", tenant, case_id, by, None, CaseStage.RELEASED)

    async def tallied(self, tenant: Any, case_id: Any, number: int, by: str, *more: Any) -> Any:
        return self._done("tallied", tenant, case_id, by, None, CaseStage.RELEASED)

    async def delivered(self, tenant: Any, case_id: Any, at: Any, by: str) -> Any:
        return self._done("delivered", tenant, case_id, by, None, CaseStage.RELEASED)

    async def report(self, kind: Any, tenant: Any, cases: Any, facts: Any, by: str) -> Any:
        if any((tenant, one) not in self.reads.details for one in cases):
            raise InvalidValue("cases", "does not exist")
        return dict.fromkeys(cases, CaseStage.RELEASED)

    def _done(self, name: str, *about: Any) -> CaseStage | None:
        tenant, case_id, by, version, stage = about
        self._seen(tenant, case_id, version)
        self.calls.append((name, tenant, case_id, by))
        return stage if (tenant, case_id) in self.reads.details else None

    async def ask(
        self, ask: Ask, tenant: Any, case_id: Any, by: str, *more: Any, **rest: Any
    ) -> Reply | None:
        self._seen(tenant, case_id, more[1])
        detail = self.reads.details.get((tenant, case_id))
        if detail is None:
            return None
        answer = standing(ask, detail.state)
        return Reply(answer, case_stage(detail.state), answer.holds)

    async def settle(
        self, tenant: TenantId, case_id: CaseId, by: str, wanted: Sequence[Settlement]
    ) -> list[Settled]:
        command = settle_command(tenant, case_id, by, wanted)
        detail = self.reads.details.get((tenant, case_id))
        views = {}
        if detail is not None:
            views[case_id] = CaseView(detail.row.key, detail.state, detail.row.version, {})
        return command.decide(command.facts, views, {}).result

    async def acknowledge(self, tenant: TenantId, acks: Sequence[Ack]) -> list[str]:
        self.calls.append(("acknowledge", tenant, tuple(acks)))
        return ["ok" if ack.notice_id.startswith(tenant) else "unknown" for ack in acks]


@dataclass(frozen=True)
class Stored:
    sku: str
    version: int
    changed: bool


@dataclass(frozen=True)
class Tenant:
    tenant: TenantId
    name: str


class Goods:
    """Master data in dictionaries."""

    def __init__(self) -> None:
        self.records: dict[tuple[TenantId, str, str], GoodsRecord] = {}
        self.made: list[Endpoint] = []

    async def put_goods(
        self, tenant: TenantId, records: Sequence[GoodsRecord], said_at: int | None = None
    ) -> Sequence[Stored]:
        answers = []
        for record in records:
            key = (tenant, str(record.scope), record.sku)
            changed = self.records.get(key) != record
            self.records[key] = record
            answers.append(Stored(record.sku, 1, changed))
        return answers

    async def list_tenants(self) -> Sequence[Tenant]:
        return [Tenant(one, one.title()) for one in (ALPHA, BETA)]

    async def list_mandates(self, tenant: TenantId) -> Sequence[Mandate]:
        return [Mandate(tenant, "3120986022", Role.AGENT, date(2026, 1, 1))]

    async def list_enterprises(self) -> Sequence[Enterprise]:
        return [Enterprise("3120986022", "某跨境电商有限公司")]

    async def list_endpoints(self, tenant: TenantId) -> Sequence[Endpoint]:
        return [one for one in self.made if one.tenant == tenant]

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
        if "169.254." in url:
            raise InvalidValue("url", "must not be a private address")
        made = Endpoint(
            EndpointId(f"ep{len(self.made)}"),
            tenant,
            role,
            url,
            "whsec_c2VjcmV0",
            batch_size,
            event_types,
            "whsk_" + "A" * 43 + "=" if with_ed25519 else "",
        )
        self.made.append(made)
        return made

    async def rotate_endpoint(
        self, tenant: TenantId, endpoint_id: EndpointId, overlap_us: int
    ) -> Endpoint | None:
        return await self._changed(
            tenant, endpoint_id, secret="whsec_bmV3", old_until=NOON + overlap_us
        )

    async def set_endpoint_active(
        self, tenant: TenantId, endpoint_id: EndpointId, is_active: bool, why: str = ""
    ) -> bool:
        off = {"disabled_at": None if is_active else NOON, "disabled_why": why}
        return bool(await self._changed(tenant, endpoint_id, is_active=is_active, **off))

    async def _changed(
        self, tenant: TenantId, endpoint_id: EndpointId, **changes: Any
    ) -> Endpoint | None:
        for index, one in enumerate(self.made):
            if (one.tenant, one.endpoint_id) == (tenant, endpoint_id):
                self.made[index] = replace(one, **changes)
                return self.made[index]
        return None


class Box:
    """One waiting and one parked notice for each of two tenants, of a warehouse each."""

    def __init__(self) -> None:
        self.asked: list[NoticeFilter] = []

    def _row(self, tenant: TenantId, status: NoticeStatus) -> NoticeRow:
        effect = Effect(
            EffectId(f"{tenant}{status.value}"), EffectKind.NOTICE, f"ep{tenant}", NOON,
            tenant=tenant, ref="endpoint.disabled", payload={"at": NOON, "data": {"reason": "x"}},
        )  # fmt: skip
        is_parked = status is NoticeStatus.PARKED
        done_at = NOON if is_parked else None
        return NoticeRow(effect, EndpointId(f"ep{tenant}"), status.value, "", done_at)

    async def listing(
        self, tenant: TenantId, wanted: NoticeFilter, after: str | None, limit: int
    ) -> Page[NoticeRow]:
        self.asked.append(wanted)
        if after is not None:
            raise InvalidValue("after", "is not a cursor of this list")
        return Page((self._row(tenant, wanted.status),), None)

    async def replay(self, tenant: TenantId, wanted: NoticeFilter) -> Sequence[EffectId]:
        self.asked.append(wanted)
        mine = self._row(tenant, NoticeStatus.PARKED).effect.effect_id
        return [mine] if not wanted.ids or mine in wanted.ids else []


class Reads:
    """One case for each of two tenants, with a message and a receipt."""

    def __init__(self) -> None:
        self.details: dict[tuple[TenantId, CaseId], CaseDetail] = {}
        self.messages: dict[tuple[TenantId, str], bytes] = {}
        self.receipts: dict[tuple[TenantId, str], bytes] = {}
        self.asked: list[tuple[CaseFilter, str | None, int]] = []
        self.stream: list[StoredEvent] = []

    def put(self, tenant: TenantId, detail: CaseDetail) -> None:
        self.details[tenant, detail.row.key.case_id] = detail
        self.stream.extend(detail.events)
        self.messages[tenant, f"MSG-{tenant}"] = b"<CEB311Message/>"
        self.receipts[tenant, f"rcp{tenant}"] = b"<CEB312Message/>"

    async def cases(
        self, tenant: TenantId, wanted: CaseFilter, after: str | None, limit: int
    ) -> Page[CaseRow]:
        self.asked.append((wanted, after, limit))
        if after == "damaged":
            raise InvalidValue("after", "is not a cursor of this list")
        rows = [detail.row for (owner, _), detail in self.details.items() if owner == tenant]
        if wanted.order_no is not None:
            rows = [row for row in rows if row.key.order_no == wanted.order_no]
        return Page(tuple(rows[:limit]), None)

    async def case(self, tenant: TenantId, case_id: CaseId) -> CaseDetail | None:
        return self.details.get((tenant, case_id))

    async def events(self, tenant: TenantId, after: str | None, limit: int) -> Page[StoredEvent]:
        mine = [one for one in self.stream if one.tenant == tenant]
        found = [one for one in mine if after is None or one.cursor > after]
        return Page(tuple(found[:limit]), None)

    async def events_since(
        self, tenant: TenantId, kind: EventKind, since: int, after: str | None, limit: int
    ) -> Page[StoredEvent]:
        page = await self.events(tenant, after, limit)
        found = [one for one in page.items if one.event.kind is kind and one.at >= since]
        return Page(tuple(found), None)

    async def message(self, tenant: TenantId, message_id: MessageId) -> bytes | None:
        return self.messages.get((tenant, message_id))

    async def messages_of(
        self, tenant: TenantId, case_id: CaseId
    ) -> Sequence[tuple[MessageId, DeclarationKind, int, MessageStage]]:
        if (tenant, case_id) not in self.details:
            return ()
        name = MessageId(f"MSG-{tenant}")
        return ((name, DeclarationKind.ORDER, 1, MessageStage.HANDED_OVER),)

    async def receipt(self, tenant: TenantId, receipt_id: ReceiptId) -> bytes | None:
        return self.receipts.get((tenant, receipt_id))

    async def cases_in(self, tenant: TenantId, what: MessageId | ReceiptId) -> Sequence[CaseId]:
        return [case for owner, case in self.details if owner == tenant]

    async def raw(self, tenant: TenantId, raw_id: RawId) -> bytes | None:
        return None


@dataclass
class Findings:
    """The findings of the verdicts that the cases stand at."""

    reads: Reads
    asked: list[tuple[FindingFilter, str | None, int]] = field(default_factory=list)

    async def findings(
        self, tenant: TenantId, wanted: FindingFilter, after: str | None, limit: int
    ) -> Page[FindingRow]:
        self.asked.append((wanted, after, limit))
        rows = [
            FindingRow(detail.row.key, detail.row.stage, NOON, finding_id(one), one, None)
            for (owner, _), detail in self.reads.details.items()
            for one in (detail.state.verdict.findings if detail.state.verdict else ())
            if owner == tenant
        ]
        return Page(tuple(rows[:limit]), None)


@dataclass
class Foresight:
    """Foresees what the taker would answer."""

    taker: Taker

    def under(self, matcher: Matcher) -> Foresight:
        return self

    async def foresee(
        self, items: Sequence[Incoming], goods: Mapping[str, GoodsRecord]
    ) -> Foreseen:
        results = tuple(self.taker._answer(item) for item in items)
        return Foreseen(results, is_new=True, declares=("order",))


class StillClock:
    """Time stands; a sleep runs the next planned happening."""

    def __init__(self) -> None:
        self.happenings: list[Any] = []
        self.slept = 0

    def now(self) -> int:
        return NOON

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        await asyncio.sleep(0.001)
        if self.happenings:
            self.happenings.pop(0)()


class Counting:
    """Bytes that only count."""

    def bytes(self, count: int) -> bytes:
        return b"\x07" * count

    def guid(self) -> str:
        return "00000000-0000-4000-8000-000000000000"


def detail_of(tenant: TenantId, order_no: str) -> CaseDetail:
    """A case with everything a case can carry."""
    from gateway.api.decode import to_paper
    from gateway.api.edge import ORDER, PAYMENT, WAYBILL

    papers = {}
    received = datetime(2026, 11, 3, 2, tzinfo=UTC)
    for adapter, doc in (
        (ORDER, order_doc(tenant, order_no)),
        (PAYMENT, payment_doc(tenant, order_no)),
        (WAYBILL, waybill_doc(tenant, order_no)),
    ):
        paper = to_paper(adapter.validate_json(as_json(doc)))
        fact = SourceFact("api", RawId("raw1"), 0, 10, received, paper)
        papers[kind_of(paper)] = PaperRevision(kind_of(paper), 1, "d1", paper, (fact,))
    key = CaseKey(
        case_id(tenant, Direction.IMPORT, "3120986022", order_no),
        tenant,
        Direction.IMPORT,
        "3120986022",
        order_no,
        profile(tenant).profile_id,
    )
    verdict = Verdict(VerdictKind.MISMATCH, (FINDING,), ("goods:SKU1",), NOON)
    declaration = DeclarationState(DeclarationKind.ORDER, 1, cop_no="CG1", sent_at=NOON)
    state = CaseState(seq=3, verdict=verdict, declarations=(declaration,), alarms=("late",))
    recorded = {
        "kind": "order",
        "version": 1,
        "status": "120",
        "word": "stored",
        "returned_at": "20261103100000000",
        "receipt": f"rcp{tenant}",
        "position": 0,
        "guid": "G",
        "effect": "moved",
    }
    events = tuple(
        StoredEvent(f"{tenant}-{seq}", tenant, key.case_id, order_no, seq, NOON, event, b"\x01\x02")
        for seq, event in enumerate(
            (
                Event(EventKind.PAPERS_RECEIVED, {"papers": []}),
                Event(EventKind.RECEIPT_RECORDED, recorded),
            ),
            1,
        )
    )
    effect = Effect(EffectId(f"{tenant}-n1"), EffectKind.NOTICE, "g", NOON, ref="case.released")
    notice = NoticeRow(effect, EndpointId("ep0"), "done", "", NOON)
    row = CaseRow(key, CaseStage.MISMATCH, False, 1, NOON, NOON, 3)
    return CaseDetail(row, state, papers, events, (notice,))


def as_json(doc: object) -> bytes:
    import orjson

    return orjson.dumps(doc)


def order_doc(tenant: str = "alpha", order_no: str = "A2026110300001") -> dict[str, Any]:
    line = {
        "line_no": 1,
        "sku": "SKU1",
        "name": "婴儿配方奶粉",
        "model": "800g/罐",
        "unit": "122",
        "quantity": "3",
        "price": "100",
        "total": "300.00",
        "origin": "304",
    }
    return {
        "profile": f"{tenant}-9610",
        "order_no": order_no,
        "ordered_at": "2026-11-03T10:00:00+08:00",
        "goods_value": "300.00",
        "freight": 0,
        "discount": "0",
        "tax": "27.30",
        "paid": "327.30",
        "buyer": {"account": "buyer1", "name": "张三", "phone": PHONE, "id_number": ID_NUMBER},
        "consignee": {"name": "张三", "phone": PHONE, "address": ADDRESS, "district": "110105"},
        "payment": {"company_code": "3120986022", "transaction_id": "T1"},
        "lines": [line],
    }


def payment_doc(tenant: str = "alpha", order_no: str = "A2026110300001") -> dict[str, Any]:
    return {
        "profile": f"{tenant}-9610",
        "order_no": order_no,
        "transaction_id": "T1",
        "payer": {"name": "张三", "id_type": "1", "id_number": ID_NUMBER},
        "identity_check": "SAME",
        "amount": "327.30",
        "paid_at": "2026-11-03T02:00:05.5Z",
    }


def waybill_doc(tenant: str = "alpha", order_no: str = "A2026110300001") -> dict[str, Any]:
    return {
        "profile": f"{tenant}-9610",
        "order_no": order_no,
        "waybill_no": "W1",
        "freight": "12.5",
        "gross_weight_kg": "2.6",
        "net_weight_kg": "2.4",
        "pack_count": 1,
        "consignee": {"name": "张三", "phone": PHONE, "address": ADDRESS},
    }


def goods_doc(tenant: str = "alpha", sku: str = "SKU1") -> dict[str, Any]:
    return {
        "profile": f"{tenant}-9610",
        "sku": sku,
        "hs_code": "1901101000",
        "name": "婴儿配方奶粉",
        "model": "800g/罐",
        "origin": "304",
        "unit": "122",
        "unit1": "035",
        "factor1": "0.8",
        "net_weight_kg": "0.8",
        "gross_weight_kg": "0.95",
        "vat_rate": "0.13",
        "valid_from": "2026-01-01",
    }


@dataclass
class World:
    """The services with the fakes behind them at hand."""

    services: Services
    taker: Taker
    desk: DeskOfOne
    reads: Reads
    goods: Goods
    clock: StillClock
    book: Book
    case_ids: dict[TenantId, CaseId]
    packs: Packs


@dataclass
class Surroundings:
    """What repairs ask of the flow's context."""

    clock: StillClock


def world() -> World:
    """Two tenants with a case each."""
    reads, taker, goods, clock = Reads(), Taker(), Goods(), StillClock()
    case_ids = {}
    for tenant in (ALPHA, BETA):
        detail = detail_of(tenant, f"ORDER-{tenant}")
        reads.put(tenant, detail)
        case_ids[tenant] = detail.row.key.case_id
    desk, book, packs = DeskOfOne(reads), Book(), Packs()
    services = Services(
        authenticator=Keys(),
        ingest=taker,
        desk=desk,
        reads=reads,
        master=Master(),  # type: ignore[arg-type]  # the API asks it for profiles only
        admin=goods,
        mailbox=Box(),
        answers=book,
        submissions=Submitted(),
        preflight=Foresight(taker),
        messages=Reporter(),
        around=Around(reads.details),
        findings=Findings(reads),
        lessons=NoLessons(),
        packs=PackOffice(packs, builtin_text, packs),
        trial=PackTrial(reads, Master(), clock, builtin_matcher(), builtin_text, NoBooks()),  # type: ignore[arg-type]  # it is asked for profiles, goods and tables only
        repairs=Repairs(Surroundings(clock), reads, Findings(reads), NoRepairs(), goods),  # type: ignore[arg-type]  # a finding is never found, so nothing else is asked
        clock=clock,
        rng=Counting(),
        explain=lambda finding, locale: f"{finding.rule} {locale}",
    )
    return World(services, taker, desk, reads, goods, clock, book, case_ids, packs)
