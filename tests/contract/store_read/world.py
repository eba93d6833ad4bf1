"""Orders that went all the way through the store, written by the store itself."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.domain.case import CaseKey
from gateway.domain.codec import from_micros
from gateway.domain.declaration import DeclarationKind
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import (
    CaseId,
    Direction,
    EffectId,
    MessageId,
    ProfileId,
    RawId,
    ReceiptId,
    TenantId,
    case_id,
    cop_no,
    record_guid,
)
from gateway.domain.money import Money
from gateway.domain.papers import (
    Order,
    OrderLine,
    PaperKind,
    PaperRevision,
    PaymentSlip,
    Person,
    SourceFact,
)
from gateway.ports import (
    AttemptClosed,
    AttemptOpened,
    Changes,
    Command,
    Effect,
    EffectKind,
    InboxItem,
    Lookup,
    Member,
    MessageStage,
    NewMessage,
    Parked,
    RawBlob,
    ReceiptDone,
    SignedBytes,
)
from tests.contract.store_master.bench import Bench

PLATFORM = "4401960PLT"
INVENTORY = DeclarationKind.INVENTORY
CANARY = "310104198512240009"
SECOND = 1_000_000


def _money(text: str) -> Money:
    return Money(Decimal(text), "142")  # type: ignore[arg-type]


def order_paper(order_no: str) -> Order:
    return Order(
        order_no=order_no,
        goods_value=_money("100"),
        freight=_money("0"),
        discount=_money("0"),
        tax=_money("9.1"),
        paid=_money("109.1"),
        lines=(
            OrderLine(
                1, "SKU", "面霜", "50ml", Decimal(1), "011", _money("100"), _money("100"), "116"
            ),
        ),
        buyer=Person("张三", "1", CANARY, "13800000001"),
    )


def payment_paper(order_no: str) -> PaymentSlip:
    return PaymentSlip(f"PAY{order_no}", _money("109.1"), order_no=order_no)


@dataclass
class World:
    """Takes orders through the store step by step, as the stages do."""

    bench: Bench

    def key(self, tenant: TenantId, order_no: str) -> CaseKey:
        return CaseKey(
            case_id(tenant, Direction.IMPORT, PLATFORM, order_no),
            tenant,
            Direction.IMPORT,
            PLATFORM,
            order_no,
            ProfileId(f"{tenant}-import"),
        )

    def cop_no(self, key: CaseKey) -> str:
        return cop_no("CG", key.case_id, INVENTORY.value, 1)

    async def run(
        self,
        decide: Callable[[Any, Any, Any], Changes[Any]],
        *,
        create: Sequence[CaseKey] = (),
        load: Sequence[CaseId] = (),
    ) -> Any:
        self.bench.clock.micros += SECOND
        command = Command(decide=decide, facts=None, create=create, load=load)
        return await self.bench.access.submit(command)

    async def take(self, tenant: TenantId, order_no: str, *, planned: bool = True) -> CaseKey:
        """T1: two papers, their claims, a match and one planned inventory."""
        key = self.key(tenant, order_no)
        now = self.bench.clock.micros
        body = f'{{"order_no":"{order_no}","id":"{CANARY}"}}\n{{"pay":1}}'.encode()
        raw_id = RawId(f"raw{key.case_id}")
        cut = body.index(b"\n")

        def decide(_: Any, views: Any, found: Any) -> Changes[None]:
            view = views[key.case_id]
            papers = (
                (PaperKind.ORDER, order_paper(order_no), 0, cut),
                (PaperKind.PAYMENT, payment_paper(order_no), cut + 1, len(body) - cut - 1),
            )
            changes: Changes[None] = Changes(None)
            for kind, paper, offset, length in papers:
                fact = SourceFact("api", raw_id, offset, length, from_micros(now), paper)
                revision = PaperRevision(kind, 1, f"digest-{kind.value}", paper, (fact,))
                changes.papers.append((key.case_id, revision))
            changes.raws.append(RawBlob(raw_id, key.case_id, tenant, "api", body, now))
            view.record(
                Event(
                    EventKind.PAPERS_RECEIVED,
                    {
                        "papers": [
                            {
                                "kind": kind.value,
                                "revision": 1,
                                "digest": f"digest-{kind.value}",
                                "source": "api",
                            }
                            for kind, *_ in papers
                        ]
                    },
                ),
            )
            lookups = [
                Lookup("order", f"{PLATFORM}|{order_no}"),
                Lookup("payment", f"312226T001|PAY{order_no}"),
            ]
            if planned:
                view.record(
                    Event(EventKind.CASE_MATCHED, {"verdict": "matched"}),
                    Event(EventKind.DECLARATION_PLANNED, self._plan(key)),
                )
                lookups.append(Lookup("cop_no", self.cop_no(key)))
                changes.effects.append(self.effect("declare", key))
            changes.claims = [(lookup, key.case_id, tenant) for lookup in lookups]
            return changes

        await self.run(decide, create=(key,))
        return key

    def effect(self, name: str, key: CaseKey, kind: EffectKind = EffectKind.DECLARE) -> Effect:
        return Effect(
            EffectId(f"{name}-{key.case_id}"),
            kind,
            "group",
            self.bench.clock.micros,
            key.case_id,
            key.tenant,
        )

    def _plan(self, key: CaseKey, version: int = 1) -> dict[str, Any]:
        return {
            "kind": INVENTORY.value,
            "version": version,
            "app_type": "1",
            "cop_no": self.cop_no(key),
            "pinned": {"profile": 1, "papers": {"order": 1, "payment": 1}, "goods": {}},
        }

    async def claim(self, keys: Sequence[CaseKey], name: str) -> NewMessage:
        """T2: the planned inventories of these cases in one message."""
        members = tuple(
            Member(key.case_id, INVENTORY, 1, place, self.cop_no(key), "20260901000000")
            for place, key in enumerate(keys)
        )
        made = NewMessage(
            MessageId(name),
            self.bench.rng.guid(),
            INVENTORY,
            keys[0].tenant,
            keys[0].profile_id,
            "group",
            self.bench.clock.micros,
            members,
        )

        def decide(_: Any, views: Any, found: Any) -> Changes[None]:
            changes: Changes[None] = Changes(None, messages=[made])
            for key in keys:
                views[key.case_id].record(
                    Event(
                        EventKind.DECLARATION_CLAIMED,
                        {
                            "kind": INVENTORY.value,
                            "version": 1,
                            "message": made.message_id,
                            "app_time": "20260901000000",
                        },
                    )
                )
                changes.effects_done.append(EffectId(f"declare-{key.case_id}"))
            changes.effects.append(
                Effect(
                    EffectId(f"send-{name}"),
                    EffectKind.SEND,
                    "dxp",
                    self.bench.clock.micros,
                    ref=made.message_id,
                )
            )
            return changes

        await self.run(decide, load=[key.case_id for key in keys])
        return made

    def wire(self, made: NewMessage) -> bytes:
        records = "".join(
            f"<ceb:Inventory><ceb:InventoryHead><ceb:guid>"
            f"{record_guid(one.case_id, INVENTORY.value, one.version)}</ceb:guid>"
            f"<ceb:copNo>{one.cop_no}</ceb:copNo></ceb:InventoryHead></ceb:Inventory>"
            for one in made.members
        )
        return (
            f'<ceb:CEB621Message xmlns:ceb="http://www.chinaport.gov.cn/ceb" guid="{made.guid}" '
            f'version="1.0">{records}<ds:Signature></ds:Signature></ceb:CEB621Message>'
        ).encode()

    async def send(self, made: NewMessage) -> None:
        """T3 and T4: signed bytes, one attempt, handed over."""

        def signed(_: Any, views: Any, found: Any) -> Changes[None]:
            now = self.bench.clock.micros
            for one in made.members:
                views[one.case_id].record(
                    Event(
                        EventKind.DECLARATION_SENDING,
                        {
                            "kind": INVENTORY.value,
                            "version": 1,
                            "message": made.message_id,
                            "attempt": 1,
                            "at": now,
                        },
                    )
                )
            return Changes(
                None,
                signed=[SignedBytes(made.message_id, self.wire(made), "01ab", "ceb-rsa")],
                attempts_opened=[AttemptOpened(made.message_id, 1, now, "dxp")],
            )

        def closed(_: Any, views: Any, found: Any) -> Changes[None]:
            return Changes(
                None,
                attempts_closed=[
                    AttemptClosed(
                        made.message_id, 1, self.bench.clock.micros, MessageStage.HANDED_OVER
                    )
                ],
                effects_done=[EffectId(f"send-{made.message_id}")],
            )

        await self.run(signed, load=[one.case_id for one in made.members])
        await self.run(closed)

    async def answer(
        self, keys: Sequence[CaseKey], name: str, word: str = "released", *, enveloped: bool = True
    ) -> ReceiptId:
        """R1 and R2: one file with one record for each case."""
        receipt_id = ReceiptId(name)
        body = self.receipt(keys, word, enveloped=enveloped)
        await self.bench.access.keep_receipts(
            [InboxItem(receipt_id, "dxp", f"{name}.xml", body, self.bench.clock.micros)]
        )

        def decide(_: Any, views: Any, found: Any) -> Changes[None]:
            for position, key in enumerate(keys):
                views[key.case_id].record(
                    Event(EventKind.RECEIPT_RECORDED, self._record(receipt_id, position, word))
                )
            return Changes(
                None,
                receipts_done=[ReceiptDone(receipt_id, "622", len(keys), 0)],
                effects=[
                    Effect(
                        EffectId(f"notice-{name}-{key.case_id}"),
                        EffectKind.NOTICE,
                        "ep_seller",
                        self.bench.clock.micros,
                        key.case_id,
                        key.tenant,
                        f"case.{word}",
                        {"at": 1},
                    )
                    for key in keys
                ],
            )

        await self.run(decide, load=[key.case_id for key in keys])
        return receipt_id

    def receipt(self, keys: Sequence[CaseKey], word: str, *, enveloped: bool) -> bytes:
        records = "".join(
            f"<InventoryReturn><copNo>{self.cop_no(key)}</copNo>"
            f"<invtNo>514120261234567890</invtNo><returnStatus>{word}</returnStatus>"
            "</InventoryReturn>"
            for key in keys
        )
        inner = f"<CEB622Message>{records}</CEB622Message>".encode()
        if not enveloped:
            return inner
        return b"<DxpMsg><Data>" + base64.b64encode(inner) + b"</Data></DxpMsg>"

    def _record(self, receipt_id: ReceiptId, position: int, word: str) -> dict[str, Any]:
        return {
            "kind": INVENTORY.value,
            "version": 1,
            "status": word,
            "word": word,
            "returned_at": f"2026090100000{len(word)}000",
            "receipt": receipt_id,
            "position": position,
            "guid": "",
            "effect": "applied",
            "stage": word,
            "invt_no": "514120261234567890",
        }

    async def park(self, receipt_id: ReceiptId, key: CaseKey | None, tenant: TenantId) -> None:
        """R2 of a file whose only record waits for a person."""
        name = key.order_no if key else "nobody"
        body = f"<x><orderNo>{name}</orderNo></x>".encode()
        await self.bench.access.keep_receipts(
            [InboxItem(receipt_id, "dxp", "p.xml", body, self.bench.clock.micros)]
        )

        def decide(_: Any, views: Any, found: Any) -> Changes[None]:
            return Changes(
                None,
                receipts_done=[ReceiptDone(receipt_id, "622", 1, 1)],
                parked=[
                    Parked(
                        f"{receipt_id}-0",
                        "receipt_record",
                        "unmatched",
                        self.bench.clock.micros,
                        receipt_id,
                        0,
                        key.case_id if key else None,
                        tenant if key else None,
                    )
                ],
            )

        await self.run(decide)

    async def released(self, tenant: TenantId, *orders: str, name: str = "M1") -> list[CaseKey]:
        """Orders of one tenant that went all the way in one message and one receipt file."""
        keys = [await self.take(tenant, order) for order in orders]
        await self.send(await self.claim(keys, name))
        await self.answer(keys, f"{name.lower()}lodged", "lodged")
        await self.answer(keys, f"{name.lower()}released", "released", enveloped=False)
        return keys
