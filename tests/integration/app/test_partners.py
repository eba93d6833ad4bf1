"""Filings by partners, end to end: WeChat Pay files the slip, SF gives the waybill, the gate before
the inventory opens by what they say. Real gateway, real HTTP, strangers that check signatures.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.base import Polling
from adapters.discovery import carrier, payment
from adapters.sandbox import sf as carrier_side
from adapters.sandbox import wechat as payment_side
from adapters.sandbox.customs import Settings as CustomsSettings
from gateway.app import partners
from gateway.app.config import (
    CarrierSection,
    ConfigError,
    PartnerKeysSection,
    PaymentSection,
    SenderSection,
    Settings,
)
from gateway.app.container import Gateway
from gateway.app.demo import feed
from gateway.app.demo_orders import DemoOrder, demo_orders, goods_records
from gateway.app.demo_world import (
    PROFILE,
    TENANT,
    demo_profile,
    prepare,
    quick,
    strangers,
)
from gateway.app.partners import configured_partners
from gateway.app.serve import running
from gateway.app.surroundings import SystemClock, SystemRng
from gateway.domain.case import CaseStage
from gateway.domain.errors import InvalidValue
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, OnTimeout, PaperFiling, Party
from gateway.ports import CaseDetail, CaseFilter
from gateway.ports.partners import Pace
from store.checks import run_checks
from store.keys import KeyRole

TENPAY, CARRIER = "4403169D3W", "3301980009"
PLATFORM = "PUB_KEY_ID_0000000000000000000000000001"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
MERCHANT = payment_side.Merchant(
    "1900000001", "wx0000000000000001", "MERCHANT01", OURS.public_key(),
    frozenset({"HANGZHOU_ZS"}),
)  # fmt: skip
CUSTOMER = carrier_side.Customer("GATEWAY", "made-up-checkword")
BY_API = PaperFiling(FiledBy.OTHER, ConfirmedBy.API)
FAST = Pace((0,), 7200, 0, 3)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapters as they are, but asked again at once."""
    payer = replace(payment("wechat_v3"), polling=Polling((0,), 7200, 0, 3))
    monkeypatch.setattr(partners, "payment_adapter", lambda _: payer)
    monkeypatch.setattr(partners, "Pace", lambda *given: Pace(*given) if given else FAST)


@dataclass
class World:
    """A gateway with its partners, and what customs has seen."""

    gateway: Gateway
    address: str
    token: str
    payer: payment_side.Running
    carrier: carrier_side.Running

    async def send(self, demo: DemoOrder) -> None:
        await feed(self.address, self.token, [demo])

    async def case(self, order_no: str) -> CaseDetail:
        reads = self.gateway.reads
        page = await reads.cases(TENANT, CaseFilter(order_no=order_no), None, 2)
        found = await reads.case(TENANT, page.items[0].key.case_id)
        assert found is not None
        return found

    async def until(self, order_no: str, is_so: Callable[[CaseDetail], bool]) -> CaseDetail:
        found = await self.case(order_no)
        for _ in range(400):
            if is_so(found):
                return found
            await asyncio.sleep(0.05)
            found = await self.case(order_no)
        raise AssertionError((found.row.stage, found.state.filings, found.state.alarms))

    async def filings(self, case_id: str) -> list[str]:
        """The stages of a case's filings, in the order of its history."""
        found = await self.gateway.reads.case(TENANT, case_id)  # type: ignore[arg-type]
        assert found is not None
        return [
            one.event.payload["stage"]
            for one in found.events
            if one.event.kind.value == "filing_recorded"
        ]


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def with_partners(settings: Settings, folder: Path, payer: str, carrier_url: str) -> Settings:
    (folder / "ours.pem").write_bytes(pem(OURS))
    public = THEIRS.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "theirs.pem").write_bytes(public)
    (folder / "checkword").write_text(CUSTOMER.checkword)
    return settings.model_copy(
        update={
            "payments": {
                "wx": PaymentSection(
                    adapter="wechat_v3", tenant=TENANT, profile=PROFILE, base_url=payer,
                    company=TENPAY,
                    customs_place="HANGZHOU_ZS", merchant_code="3301960002",
                    options={"mchid": MERCHANT.mchid, "appid": MERCHANT.appid},
                    keys=PartnerKeysSection(
                        serial=MERCHANT.serial, private_key_file=folder / "ours.pem",
                        partner_keys={PLATFORM: folder / "theirs.pem"},
                    ),
                )
            },
            "carriers": {
                "sf": CarrierSection(
                    adapter="sf", tenant=TENANT, profile=PROFILE, base_url=carrier_url,
                    company=CARRIER,
                    options={"partner_id": CUSTOMER.partner_id},
                    secret_files={"checkword": folder / "checkword"},
                    sender=SenderSection(name="示例仓", phone="057100000000", address="样本路1号"),
                    units={"142": "瓶", "122": "罐"},
                    origins={"601": "AU", "305": "FR", "502": "US"},
                )
            },
        }
    )  # fmt: skip


ORDER, *REST = demo_orders(PROFILE, 6, seed=3, problems=False)


def paid(demo: DemoOrder = ORDER, *, waybill: bool = True) -> DemoOrder:
    """An order whose payment was made with the company, and a waybill or none."""
    assert demo.payment is not None
    slip = {**demo.payment, "company_code": TENPAY}
    return replace(demo, payment=slip, waybill=demo.waybill if waybill else None)


@asynccontextmanager
async def world(
    folder: Path,
    *,
    payer: payment_side.Behaviour | None = None,
    carrier: carrier_side.Behaviour | None = None,
    by_api: tuple[PaperKind, ...] = (PaperKind.PAYMENT,),
    payer_id: str | None = None,
    filing: PaperFiling = BY_API,
) -> AsyncIterator[World]:
    made = payment_side.Payment(
        ORDER.payment["transaction_id"] if ORDER.payment else "",
        ORDER.order_no,
        int(Decimal(ORDER.order["paid"]) * 100),
        ORDER.order["buyer"]["name"],
        payer_id or ORDER.order["buyer"]["id_number"],
    )
    async with AsyncExitStack() as stack:
        behaviour = payer or payment_side.Behaviour(states=("SUCCESS",))
        company = await payment_side.start(
            merchant=MERCHANT, key=THEIRS, serial=PLATFORM, payments=(made,), behaviour=behaviour
        )
        stack.push_async_callback(company.close)
        express = await carrier_side.start(customer=CUSTOMER, behaviour=carrier)
        stack.push_async_callback(express.close)
        settings = with_partners(prepare(folder), folder, company.url, express.url)
        gateway, serving = await stack.enter_async_context(running(settings))
        assert serving is not None
        profile = replace(
            demo_profile(),
            payment_companies=(Party(TENPAY, "财付通支付科技有限公司"),),
            filings=dict.fromkeys(by_api, filing),
        )
        await gateway.admin.create_tenant(TENANT, "Shop")
        await gateway.admin.put_profile(profile)
        await gateway.admin.put_goods(TENANT, goods_records(profile.goods_scope))
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "tests")
        customs = quick(CustomsSettings.demo())
        await stack.enter_async_context(
            strangers(settings, gateway, serving.address, customs, seed=1)
        )
        yield World(gateway, serving.address, key.token, company, express)


def released(found: CaseDetail) -> bool:
    return found.row.stage in (CaseStage.RELEASED, CaseStage.CLOSED)


async def test_a_payment_is_filed_by_its_company_before_the_inventory_goes(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.send(paid())
        done = await here.until(ORDER.order_no, released)
        assert here.payer.service.tally.filed == 1
        assert here.payer.service.tally.unsigned == 0
        assert await here.filings(done.row.key.case_id) == ["requested", "sending", "filed"]
        kinds = [one.event.kind.value for one in done.events]
        planned = [
            at
            for at, one in enumerate(done.events)
            if one.event.kind.value == "declaration_planned"
            and one.event.payload["kind"] == "inventory"
        ]
        filed_at = len(kinds) - 1 - kinds[::-1].index("filing_recorded")
        assert filed_at < min(planned), kinds
        slip = done.papers[PaperKind.PAYMENT]
        assert {fact.source for fact in slip.facts} == {"api", "partner:wx"}
        assert slip.paper.identity_check == "SAME"  # type: ignore[union-attr]


async def test_the_inventory_waits_while_the_company_works_on_it(tmp_path: Path) -> None:
    states = ("PROCESSING",) * 3 + ("SUCCESS",)
    async with world(tmp_path, payer=payment_side.Behaviour(states=states)) as here:
        await here.send(paid())
        done = await here.until(ORDER.order_no, released)
        assert await here.filings(done.row.key.case_id) == [
            "requested",
            "sending",
            "pending",
            "filed",
        ]
        assert here.payer.service.tally.filed == 1


async def test_a_lost_answer_is_asked_about_and_filed_once(tmp_path: Path) -> None:
    behaviour = payment_side.Behaviour(states=("SUCCESS",), lose_answers=1)
    async with world(tmp_path, payer=behaviour) as here:
        await here.send(paid())
        await here.until(ORDER.order_no, released)
        tally = here.payer.service.tally
        assert (tally.filed, tally.repeated) == (1, 0)


async def test_what_the_company_never_saw_is_filed_after_asking_twice(tmp_path: Path) -> None:
    async with world(
        tmp_path, payer=payment_side.Behaviour(fail_first=1, states=("SUCCESS",))
    ) as w:
        await w.send(paid())
        done = await w.until(ORDER.order_no, released)
        assert await w.filings(done.row.key.case_id) == [
            "requested", "sending", "not_seen", "requested", "sending", "filed",
        ]  # fmt: skip
        assert (w.payer.service.tally.filed, w.payer.service.tally.repeated) == (1, 0)


async def test_a_worker_that_stopped_while_sending_asks_and_sends_nothing(tmp_path: Path) -> None:
    """The company has it, the worker that sent it is gone before the answer was stored."""
    async with world(tmp_path) as here:
        sent = partners.PaymentPartner.file
        calls = 0

        async def stop_once(self: Any, request: Any) -> Any:
            nonlocal calls
            calls += 1
            answer = await sent(self, request)
            if calls == 1:
                raise ConnectionError("the worker stopped here")
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(partners.PaymentPartner, "file", stop_once)
            await here.send(paid())
            done = await here.until(ORDER.order_no, released)
        assert calls == 1
        assert (here.payer.service.tally.filed, here.payer.service.tally.repeated) == (1, 0)
        assert await here.filings(done.row.key.case_id) == ["requested", "sending", "filed"]


async def test_a_faulted_filing_is_pushed_again_a_few_times(tmp_path: Path) -> None:
    states = ("EXCEPT", "EXCEPT", "SUCCESS")
    async with world(tmp_path, payer=payment_side.Behaviour(states=states)) as here:
        await here.send(paid())
        await here.until(ORDER.order_no, released)
        assert here.payer.service.tally.filed == 1
        assert 1 <= here.payer.service.tally.refiled <= 3


async def test_a_refused_filing_keeps_the_gate_shut_and_calls_a_person(tmp_path: Path) -> None:
    async with world(tmp_path, payer=payment_side.Behaviour(states=("FAIL",))) as here:
        await here.send(paid())
        found = await here.until(ORDER.order_no, lambda one: "filing_refused" in one.state.alarms)
        await asyncio.sleep(0.5)
        found = await here.case(ORDER.order_no)
        assert found.row.stage is CaseStage.WAITING_FILINGS
        assert not any(one.kind.value == "inventory" for one in found.state.declarations)


@pytest.mark.parametrize("then", list(OnTimeout))
async def test_after_its_longest_wait_a_case_is_held_or_sent(
    tmp_path: Path, then: OnTimeout
) -> None:
    """The company works on it for ever."""
    filing = replace(BY_API, max_wait_s=1, on_timeout=then)
    behaviour = payment_side.Behaviour(states=("PROCESSING",))
    async with world(tmp_path, payer=behaviour, filing=filing) as here:
        await here.send(paid())
        if then is OnTimeout.SEND:
            found = await here.until(ORDER.order_no, released)
            assert found.state.hold is None
        else:
            found = await here.until(ORDER.order_no, lambda one: one.state.hold is not None)
            assert found.state.hold is not None
            assert "payment was not confirmed within 1 s" in found.state.hold.reason
            assert "支付单" in found.state.hold.reason
            assert not any(one.kind.value == "inventory" for one in found.state.declarations)
        assert found.state.alarms.count("payment_unconfirmed") == 1
        filed = found.state.filing(PaperKind.PAYMENT)
        assert filed is not None
        assert filed.stage.value == "pending"


async def test_somebody_else_paid_so_nothing_is_declared_further(tmp_path: Path) -> None:
    async with world(tmp_path, payer_id="310104198512240009") as here:
        await here.send(paid())
        # Whether the order was filed before the company said so or not.
        found = await here.until(
            ORDER.order_no,
            lambda one: (
                one.state.verdict is not None
                and "PARTY-IDENTITY-DIFFERENT" in {two.rule for two in one.state.verdict.findings}
            ),
        )
        await asyncio.sleep(0.5)
        found = await here.case(ORDER.order_no)
        assert not any(one.kind.value == "inventory" for one in found.state.declarations)


async def test_a_carrier_gives_the_waybill_once_all_else_agrees(tmp_path: Path) -> None:
    both = (PaperKind.PAYMENT, PaperKind.WAYBILL)
    behaviour = carrier_side.Behaviour(lose_answers=1)
    async with world(tmp_path, by_api=both, carrier=behaviour) as here:
        await here.send(replace(paid(waybill=False), payment=None))
        await asyncio.sleep(0.5)
        assert here.carrier.platform.tally.calls == 0, "no parcel before it is paid"
        await here.send(paid(waybill=False))
        done = await here.until(ORDER.order_no, released)
        tally = here.carrier.platform.tally
        assert (len(tally.orders), tally.unsigned) == (1, 0)
        waybill = done.papers[PaperKind.WAYBILL]
        assert waybill.facts[0].source == "partner:sf"
        (number,) = (one["waybillNoInfoList"][0]["waybillNo"] for one in tally.orders.values())
        assert waybill.paper.waybill_no == number  # type: ignore[union-attr]
        (asked,) = tally.asked.values()
        assert asked["cargoDetails"][0]["sourceArea"] in ("AU", "FR", "US")
        now = here.gateway.context.clock.now()
        async with here.gateway.store.read() as reading:
            keys = here.gateway.store.keys
            report = await reading.run_sync(lambda on: run_checks(on, keys, now))
        assert report.violations == ()


def test_a_profile_may_ask_for_what_the_flow_honours_and_no_more() -> None:
    profile = demo_profile()
    for kind in (PaperKind.PAYMENT, PaperKind.WAYBILL):
        by_copy = replace(BY_API, confirmed_by=ConfirmedBy.SUBSCRIPTION)
        for kept in (BY_API, by_copy):
            replace(profile, filings={kind: kept}).check()
        for refused in (
            replace(BY_API, confirmed_by=ConfirmedBy.RECEIPT),
            replace(BY_API, filed_by=FiledBy.US),
        ):
            with pytest.raises(InvalidValue):
                replace(profile, filings={kind: refused}).check()


def test_partners_that_cannot_be_used_are_told_at_the_start(tmp_path: Path) -> None:
    settings = with_partners(
        prepare(tmp_path), tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:1"
    )
    clock, rng = SystemClock(), SystemRng()
    client: Any = None
    held = configured_partners(settings, client, clock, rng)
    assert held.partner(TENANT, PROFILE, PaperKind.PAYMENT, TENPAY) is not None
    assert held.partner(TENANT, PROFILE, PaperKind.PAYMENT, "other") is None
    assert held.partner(TENANT, PROFILE, PaperKind.WAYBILL, None) is not None
    (tmp_path / "ours.pem").write_text("no key")
    with pytest.raises(ConfigError, match=r"payments\.wx\.keys"):
        configured_partners(settings, client, clock, rng)
    assert carrier("sf").find is not None
