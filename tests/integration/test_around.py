"""Rules that look beyond a case fire in the live flow: the buyer's quota and related papers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.api.answers import VerdictOut
from gateway.api.answers_around import LineageOut, QuotaOut
from gateway.api.around import lineage_view, quota_view
from gateway.api.edge import ORDER, PAYMENT, WAYBILL
from gateway.api.views import revision_view, verdict_view
from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare
from gateway.app.serve import running
from gateway.domain.declaration import DeclarationKind, ReceiptFact, Word
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.matching import PaperMatcher, compile_pack, explain
from gateway.domain.papers import PaperKind, copy_source
from gateway.domain.quota import QuotaStep
from gateway.domain.tables import Guarantee, TableInfo, TableKind
from gateway.flow.around import circumstances
from gateway.flow.incoming import IntakeStatus
from gateway.flow.neighbours import Neighbours
from gateway.flow.receipt import quota_moves
from gateway.ports import Changes, Command, Found, Views
from tests.integration.test_links import incoming

ORDERS = [one for one in demo_orders(PROFILE, 12, 21, problems=False)]


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[Gateway]:
    async with running(prepare(folder), api=False, work=False) as (gateway, _):
        await furnish(gateway)
        yield gateway


def worth(one: DemoOrder, goods_value: str) -> dict[str, Any]:
    """The order with another value of goods, by the buyer of the first order."""
    return {**one.order, "goods_value": goods_value, "buyer": ORDERS[0].order["buyer"]}


async def rules(gateway: Gateway, case: CaseId | None) -> set[str]:
    assert case is not None
    found = await gateway.reads.case(TENANT, case)
    assert found is not None
    assert found.state.verdict is not None
    return {one.rule for one in found.state.verdict.findings}


async def test_a_buyer_runs_into_the_annual_limit(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        cases = []
        for one in ORDERS[:6]:
            (result,) = await gateway.ingest.take([incoming(worth(one, "4800.00"), ORDER)])
            cases.append(result.case_id)
        near, over = await rules(gateway, cases[4]), await rules(gateway, cases[5])
        assert "LIMIT-NEAR" in near
        assert "LIMIT-ANNUAL" not in near
        assert "LIMIT-ANNUAL" in over
        assert "LIMIT-NEAR" not in await rules(gateway, cases[0])
        around = gateway.services.around
        assert cases[0] is not None
        found = await around.quota(TENANT, cases[0])
        assert found is not None
        assert QuotaOut(**quota_view(found)).left == "2000"
        assert await around.quota(TenantId("other"), cases[0]) is None
        # What is tried before payment says what would be left, and reserves nothing.
        small = incoming(worth(ORDERS[6], "1500.00"), ORDER)
        for _ in range(2):
            foreseen = await gateway.services.preflight.foresee([small], {})
            assert foreseen.quota is not None
            assert foreseen.quota.left == 500
        # A smaller order fits: the one that was over holds nothing back.
        (result,) = await gateway.ingest.take([small])
        assert "LIMIT-ANNUAL" not in await rules(gateway, result.case_id)
        # Customs refuses the first one: there is room again.
        fact = ReceiptFact(DeclarationKind.INVENTORY, Word.REJECTED, "100", "", 0, "r", 1, "g")
        applied = {"kind": "inventory", "word": "rejected", "effect": "applied"}
        event = Event(EventKind.RECEIPT_RECORDED, applied)
        moves = quota_moves(cases[0], fact, [event], gateway.context.clock.now())
        assert [one.step for one in moves] == [QuotaStep.GIVE_BACK]

        def move(facts: object, views: Views, found: Found) -> Changes[None]:
            return Changes(None, quota_moves=moves)

        await gateway.store.submit(Command(move, None))
        found = await around.quota(TENANT, cases[1] or CaseId(""))
        assert found is not None
        assert found.standing.left == Decimal("5300")


def test_a_refusal_for_the_limit_carries_customs_figure() -> None:
    info = "订购人年度交易累计金额超限;totalPrice:26400.00,limitPrice:26000.00"
    fact = ReceiptFact(
        DeclarationKind.INVENTORY, Word.REJECTED, "100", "", 0, "r", 1, "g", info, ("1313",)
    )
    applied = {"kind": "inventory", "word": "rejected", "effect": "applied"}
    case = CaseId("c")
    moves = quota_moves(case, fact, [Event(EventKind.RECEIPT_RECORDED, applied)], 5)
    assert [(one.step, one.value) for one in moves] == [
        (QuotaStep.GIVE_BACK, 0),
        (QuotaStep.FLOOR, Decimal("26400.00")),
    ]
    cancelled = Event(EventKind.DECLARATION_CANCELLED, {"kind": "inventory"})
    moves = quota_moves(case, fact, [cancelled], 5)
    assert moves[0].step is QuotaStep.GIVE_BACK
    ignored = Event(EventKind.RECEIPT_RECORDED, applied | {"effect": "older_version"})
    assert quota_moves(case, fact, [ignored], 5) == []


async def test_a_buyer_of_many_orders_of_late_is_pointed_out(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        cases = []
        for number in range(22):
            order = worth(ORDERS[1], "10.00") | {"order_no": f"MANY-{number}"}
            (result,) = await gateway.ingest.take([incoming(order, ORDER)])
            cases.append(result.case_id)
        # More than twenty others: the pack's limit.
        assert "PARTY-REPEATED" not in await rules(gateway, cases[20])
        assert "PARTY-REPEATED" in await rules(gateway, cases[21])


def everything_in(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())


async def test_a_phone_or_address_that_many_buyers_share_is_pointed_out(tmp_path: Path) -> None:
    strict = compile_pack(
        'name = "own"\nversion = 1\nextends = "import-default"\n[rules.PARTY-REPEATED]\nmost = 1\n'
    )
    async with working(tmp_path) as gateway:
        told = []
        people = [one.order for one in ORDERS[:5]]
        phones = [" +86 138-0013 8000", "13800138000", "13800138000", "13900139000", "13900139001"]
        places = ["A 路 1 号", "B", "a路1号", "A路 1号", "D"]
        for person, phone, place in zip(people, phones, places, strict=True):
            order = {
                **person,
                "buyer": {**person["buyer"], "phone": phone},
                "consignee": {**person["consignee"], "address": place},
            }
            item = incoming(order, ORDER)
            (result,) = await gateway.ingest.take([item])
            assert result.case_id is not None
            detail = await gateway.reads.case(TENANT, result.case_id)
            assert detail is not None
            view = detail.view()
            looks = gateway.services.around
            assert isinstance(looks, Neighbours)
            view.books = await looks.books.load_books(view, ())
            around = circumstances(view, demo_profile(), gateway.context.master, Decimal(26000), 0)
            verdict = PaperMatcher([strict])(
                view.papers, replace(demo_profile(), rule_pack="own"), {}, {}, 0, around
            )
            (
                told.append(
                    {p for f in verdict.findings if f.rule == "PARTY-REPEATED" for p in f.paths}
                )
            )
        assert told == [set(), set(), {"order.buyer.phone"}, {"order.consignee.address"}, set()]
    # Only keyed hashes of them are kept to be counted by.
    kept = everything_in(tmp_path)
    assert kept
    assert b"13800138000" not in kept


async def test_a_copy_that_the_platform_filed_is_held_against_the_order(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        one = ORDERS[0]
        (result,) = await gateway.ingest.take([incoming(one.order, ORDER)])
        assert result.case_id is not None
        lines = [{**line, "quantity": "9"} for line in one.order["lines"]]
        copy = replace(
            incoming({**one.order, "lines": lines}, ORDER), source=copy_source("3301960001")
        )
        (told,) = await gateway.ingest.take([copy])
        assert (told.status, told.changed[0]) == (IntakeStatus.ACCEPTED, "lines[0].quantity")
        assert "INVENTORY-FILED-LINES" in await rules(gateway, result.case_id)
        found = await gateway.reads.case(TENANT, result.case_id)
        assert found is not None
        (own, filed) = revision_view(found.papers[PaperKind.ORDER], "clerk")["sources"]
        assert (own["filed_by"], filed["filed_by"]) == (None, "3301960001")
        assert "lines[0].quantity" in filed["differs"]
        # The platform changes its order: now both say the same.
        same = replace(copy, paper=incoming(one.order, ORDER).paper)
        await gateway.ingest.take([same])
        assert "INVENTORY-FILED-LINES" not in await rules(gateway, result.case_id)


async def test_a_payment_stays_unverified_until_its_company_sends_what_it_filed(
    tmp_path: Path,
) -> None:
    async with working(tmp_path) as gateway:
        results = await gateway.ingest.take(papers_of(ORDERS[0]))
        case = results[0].case_id
        assert case is not None

        async def unverified() -> set[str]:
            found = await gateway.reads.case(TENANT, case)
            assert found is not None
            shown = verdict_view(found.state.verdict, explain)
            assert shown is not None
            return set(VerdictOut(**shown).unverified)

        assert "PAYMENT-FILED-COPY" in await unverified()
        copy = replace(papers_of(ORDERS[0])[1], source=copy_source("3301960001"))
        await gateway.ingest.take([copy])
        assert "PAYMENT-FILED-COPY" not in await unverified()


async def test_an_order_whose_tax_the_imported_guarantee_does_not_cover_is_told(
    tmp_path: Path,
) -> None:
    async with working(tmp_path) as gateway:
        tax = Decimal(ORDERS[0].order["tax"])
        for left, is_told in ((tax, False), (tax - Decimal("0.01"), True)):
            info = TableInfo(TableKind.GUARANTEES, 0, "bank", is_sample=False, rows=1)
            code = demo_profile().assure_code
            await gateway.admin.put_table(info, TENANT, [Guarantee(code, left)])
            order = {**ORDERS[0].order, "order_no": f"LEFT-{left}"}
            (result,) = await gateway.ingest.take([incoming(order, ORDER)])
            assert ("REGISTRY-GUARANTEE" in await rules(gateway, result.case_id)) is is_told


def papers_of(one: DemoOrder, **payment: Any) -> list[Any]:
    assert one.payment is not None
    assert one.waybill is not None
    slip = {**one.payment, **payment}
    return [incoming(one.order, ORDER), incoming(slip, PAYMENT), incoming(one.waybill, WAYBILL)]


async def test_a_deposit_and_a_balance_are_several_payments(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        one = ORDERS[0]
        assert one.payment is not None
        paid = Decimal(one.payment["amount"])
        deposit = {**one.payment, "transaction_id": "DEP-1", "amount": "20.00", "part": "deposit"}
        results = await gateway.ingest.take(papers_of(one, **deposit))
        case = results[0].case_id
        assert case is not None
        balance = {**one.payment, "transaction_id": "BAL-1", "amount": str(paid - 20)}
        await gateway.ingest.take([incoming({**balance, "part": "balance"}, PAYMENT)])
        assert "PAYMENT-SEVERAL" in await rules(gateway, case)
        lineage = await gateway.services.around.lineage(TENANT, case)
        assert lineage is not None
        shown = LineageOut(**lineage_view(lineage)).model_dump_json()
        assert all(number in shown for number in ("DEP-1", "BAL-1", "several_payments"))
        assert await gateway.services.around.lineage(TenantId("other"), case) is None
        # One merged document for both mends it.
        merged = {**one.payment, "transaction_id": "MERGED-1", "part": "merged"}
        await gateway.ingest.take([incoming(merged, PAYMENT)])
        assert "PAYMENT-SEVERAL" not in await rules(gateway, case)


async def test_a_right_number_for_the_same_payment_is_no_second_payment(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        one = ORDERS[0]
        results = await gateway.ingest.take(papers_of(one, transaction_id="WRONG-1"))
        assert one.payment is not None
        await gateway.ingest.take([incoming(one.payment, PAYMENT)])
        assert await rules(gateway, results[0].case_id) == set()


async def test_parts_of_one_payment_stay_within_it(tmp_path: Path) -> None:
    """Each slip is right on its own; only together they are more than was paid."""
    async with working(tmp_path) as gateway:
        first, second = ORDERS[:2]
        assert first.payment is not None
        assert second.payment is not None
        whole = Decimal(first.payment["amount"]) + Decimal(second.payment["amount"])
        parts = {"original_id": "WHOLE-1", "original_amount": str(whole - 1)}
        taken = await gateway.ingest.take(papers_of(first, **parts))
        assert "PAYMENT-SPLIT-SUM" not in await rules(gateway, taken[0].case_id)
        taken = await gateway.ingest.take(papers_of(second, **parts))
        case = taken[0].case_id
        assert case is not None
        assert "PAYMENT-SPLIT-SUM" in await rules(gateway, case)
        lineage = await gateway.services.around.lineage(TENANT, case)
        assert lineage is not None
        assert len(lineage.cases) == 2
        assert any(step.ref.value == first.order_no for step in lineage.steps)


async def test_a_second_parcel_is_found(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        one = ORDERS[0]
        taken = await gateway.ingest.take(papers_of(one))
        assert one.waybill is not None
        other = {**one.waybill, "waybill_no": "WB-2", "gross_weight_kg": "9.90"}
        await gateway.ingest.take([incoming(other, WAYBILL)])
        assert "WAYBILL-PARCELS" in await rules(gateway, taken[0].case_id)
        # The same parcel under a new number is no second one.
        another = replace(ORDERS[1])
        taken = await gateway.ingest.take(papers_of(another))
        assert another.waybill is not None
        renamed = {**another.waybill, "waybill_no": "WB-3"}
        await gateway.ingest.take([incoming(renamed, WAYBILL)])
        assert "WAYBILL-PARCELS" not in await rules(gateway, taken[0].case_id)
