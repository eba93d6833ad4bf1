"""Each adapter over real loopback HTTP against a stranger that checks every signature."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.base import (
    Account,
    Caller,
    CallFailed,
    Cargo,
    Contact,
    Cursor,
    FilingOutcome,
    FilingState,
    NothingYet,
    PaymentFiling,
    Pulled,
    Shipment,
    ShipmentOutcome,
    ShipmentState,
    Sighting,
    Standing,
)
from adapters.carriers import sf
from adapters.egress import EgressPolicy
from adapters.http import HTTPClient
from adapters.marketplaces import douyin
from adapters.payments import wechat_v3
from adapters.rsa import RSAKeys, Sealing
from adapters.sandbox import douyin as shop_side
from adapters.sandbox import sf as carrier_side
from adapters.sandbox import wechat as payment_side
from gateway.domain.errors import Retry
from gateway.domain.money import Money
from gateway.domain.papers import IdentityCheck, Order, Person
from tests.contract.adapters.recorded import CountingRng, FixedClock

NOW = datetime(2026, 9, 1, 3, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
CLOCK = FixedClock(NOW_S * 1_000_000)


def now() -> datetime:
    return NOW


@pytest.fixture
async def client() -> AsyncIterator[HTTPClient]:
    policy = EgressPolicy(ports=frozenset(), allows_private=True, allows_plain=True)
    async with HTTPClient(policy) as opened:
        yield opened


# --- Douyin -----------------------------------------------------------------------------------

SHOP = shop_side.Shop("7000000000000000000", "made-up-secret", "made-up-token")


def order(number: int, updated: int) -> dict[str, Any]:
    order_no = str(6900000000000000000 + number)
    return {
        "order_id": order_no,
        "shop_id": 4000001,
        "biz": 21,
        "order_status": 2,
        "create_time": updated - 60,
        "update_time": updated,
        "channel_payment_no": f"PAY{number}",
        "pay_amount": 11000,
        "post_amount": 0,
        "encrypt_post_receiver": shop_side.seal(order_no, "测试甲"),
        "encrypt_post_tel": shop_side.seal(order_no, "13800000001"),
        "post_addr": {
            "province": {"name": "浙江省", "id": "33"},
            "encrypt_detail": shop_side.seal(order_no, "示例路1号 & <2>"),
        },
        "sku_order_list": [
            {"code": "SKU", "product_name": "面霜", "item_num": 1, "sum_amount": 11000}
        ],
    }


def shop_caller(url: str, **changes: str) -> Caller:
    values = {
        "app_key": SHOP.app_key,
        "secret": SHOP.secret,
        "access_token": SHOP.access_token,
    } | changes
    return Caller(Account("shop", url, values), CLOCK, CountingRng())


async def pull_all(client: HTTPClient, caller: Caller, cursor: Cursor) -> list[Sighting]:
    """Read a window to its end."""
    seen: list[Sighting] = []
    for _ in range(30):
        result = await client.run(douyin.pull(caller, cursor))
        assert isinstance(result, Pulled), result
        items = douyin.parse(caller.account, result.raw, result.opened)
        seen += [item for item in items if isinstance(item, Sighting)]
        assert len(items) == len([item for item in items if isinstance(item, Sighting)])
        cursor = result.cursor
        if cursor.page is None:
            return seen
    raise AssertionError("the window has no end")


async def test_douyin_pages_are_read_and_opened(client: HTTPClient) -> None:
    orders = [order(number, NOW_S - 1800 + number) for number in range(1, 121)]
    shop = await shop_side.start(shop=SHOP, orders=orders, clock=now)
    try:
        start = Cursor.beginning((NOW_S - 1800) * 1_000_000)
        seen = await pull_all(client, shop_caller(shop.url), start)
        assert {one.key.order_no for one in seen} == {one["order_id"] for one in orders}
        assert all(one.standing is Standing.READY for one in seen)
        paper = seen[0].paper
        assert isinstance(paper, Order)
        assert paper.consignee.name == "测试甲"
        assert paper.consignee.address == "浙江省 示例路1号 & <2>"
        assert shop.tally.unsigned == 0
        assert shop.tally.calls < 20
    finally:
        await shop.close()


async def test_an_order_that_changes_while_pages_are_read_hides_no_other(
    client: HTTPClient,
) -> None:
    orders = [order(number, NOW_S - 1800 + number) for number in range(1, 121)]
    shop = await shop_side.start(shop=SHOP, orders=orders, clock=now)
    caller = shop_caller(shop.url)
    try:
        cursor = Cursor.beginning((NOW_S - 1800) * 1_000_000)
        seen: set[str] = set()
        for changed in range(20):
            result = await client.run(douyin.pull(caller, cursor))
            assert isinstance(result, Pulled)
            items = douyin.parse(caller.account, result.raw, result.opened)
            seen |= {item.key.order_no for item in items if isinstance(item, Sighting)}
            # The oldest orders change now: they leave the window, what is behind moves up.
            moved = {**shop.platform.orders[changed], "update_time": NOW_S + 1}
            shop.platform.orders[changed] = moved
            cursor = result.cursor
            if cursor.page is None:
                break
        left = {one["order_id"] for one in shop.platform.orders if one["update_time"] < NOW_S}
        assert left <= seen
    finally:
        await shop.close()


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"secret": "another"}, "isv.signature-invalid"),
        ({"access_token": "old"}, "isv.access-token-expired"),
        ({"app_key": "8"}, "isv.app-key-invalid"),
    ],
)
async def test_douyin_refuses_what_is_not_signed_right(
    client: HTTPClient, changes: dict[str, str], code: str
) -> None:
    shop = await shop_side.start(shop=SHOP, clock=now)
    try:
        start = Cursor.beginning((NOW_S - 1800) * 1_000_000)
        result = await client.run(douyin.pull(shop_caller(shop.url, **changes), start))
        assert result == CallFailed(code, Retry.NEVER, result.reason)  # type: ignore[union-attr]
    finally:
        await shop.close()


async def test_douyin_values_that_stay_closed_are_masked(client: HTTPClient) -> None:
    one = order(1, NOW_S - 900)
    sealed = frozenset({one["encrypt_post_tel"]})
    behaviour = shop_side.Behaviour(sealed=sealed)
    shop = await shop_side.start(shop=SHOP, orders=[one], behaviour=behaviour, clock=now)
    try:
        start = Cursor.beginning((NOW_S - 1800) * 1_000_000)
        result = await client.run(douyin.pull(shop_caller(shop.url), start))
        assert isinstance(result, Pulled)
        assert result.trouble is not None
        assert result.trouble.code == "not_opened"
        assert "测试甲".encode() not in result.raw
        assert len(result.opened) == 2
    finally:
        await shop.close()


async def test_douyin_opens_nothing_twice(client: HTTPClient) -> None:
    orders = [order(number, NOW_S - 900 + number) for number in (1, 2)]
    shop = await shop_side.start(shop=SHOP, orders=orders, clock=now)
    try:
        start = Cursor.beginning((NOW_S - 1800) * 1_000_000)
        caller = shop_caller(shop.url)
        first, *_ = await pull_all(client, caller, start)
        known = replace(caller, known={first.key})
        result = await client.run(douyin.pull(known, start))
        assert isinstance(result, Pulled)
        assert result.trouble is None
        assert {order_no for order_no, _ in result.opened} == {orders[1]["order_id"]}
    finally:
        await shop.close()


# --- WeChat Pay -------------------------------------------------------------------------------

OURS = rsa.generate_private_key(65537, 2048)
THEIRS = rsa.generate_private_key(65537, 2048)
PLATFORM = "PUB_KEY_ID_0000000000000000000000000001"
MERCHANT = payment_side.Merchant(
    "1230000109", "wxd678efh567hg6787", "MERCHANT01", OURS.public_key(), frozenset({"HANGZHOU_ZS"})
)
PAYMENT = payment_side.Payment("4200000001", "CN1001", 40149, "测试甲", "110101199003070003")
FILING = PaymentFiling(
    transaction_id=PAYMENT.transaction_id,
    payment_order_no="CN1001",
    order_no="CN1001",
    customs_place="HANGZHOU_ZS",
    merchant_code="3301000001",
    amount=Money(Decimal("401.49")),
    freight=Money(Decimal("0.00")),
    tax=Money(Decimal("33.49")),
    buyer=Person("测试甲", "1", "110101199003070003"),
)
SPLIT = replace(FILING, order_no="CN1001-1", amount=Money(Decimal("263.00")))


async def wechat(
    behaviour: payment_side.Behaviour | None = None, *, oaep: bool = True
) -> payment_side.Running:
    return await payment_side.start(
        merchant=MERCHANT,
        key=THEIRS,
        serial=PLATFORM,
        payments=(PAYMENT,),
        behaviour=behaviour,
        clock=now,
        oaep=oaep,
    )


def payer_caller(url: str, sealing: Sealing = Sealing.OAEP_SHA1, **changes: str) -> Caller:
    values = {"mchid": MERCHANT.mchid, "appid": MERCHANT.appid} | changes
    keys = RSAKeys("MERCHANT01", OURS, {PLATFORM: THEIRS.public_key()}, sealing)
    return Caller(Account("pay", url, values, keys), CLOCK, CountingRng())


async def declared(client: HTTPClient, caller: Caller, filing: PaymentFiling) -> FilingOutcome:
    result = await client.run(wechat_v3.declare(caller, filing))
    assert isinstance(result, FilingOutcome), result
    return result


@pytest.mark.parametrize("sealing", Sealing)
async def test_wechat_files_and_checks_who_paid(client: HTTPClient, sealing: Sealing) -> None:
    service = await wechat(oaep=sealing is Sealing.OAEP_SHA1)
    try:
        caller = payer_caller(service.url, sealing)
        filed = await declared(client, caller, FILING)
        assert filed.state is FilingState.PENDING
        assert filed.slip.identity_check is IdentityCheck.SAME
        assert filed.slip.transaction_id == PAYMENT.transaction_id
        assert filed.verification_body == "2"
        again = await client.run(wechat_v3.query(caller, FILING))
        assert isinstance(again, FilingOutcome)
        assert again.state is FilingState.FILED
        assert service.tally.filed == 1
        assert service.tally.unsigned == 0
    finally:
        await service.close()


async def test_wechat_filed_twice_is_filed_once(client: HTTPClient) -> None:
    service = await wechat()
    try:
        caller = payer_caller(service.url)
        for _ in range(2):
            await declared(client, caller, FILING)
        assert (service.tally.filed, service.tally.repeated) == (1, 1)
    finally:
        await service.close()


async def test_wechat_split_payment_gets_its_own_number(client: HTTPClient) -> None:
    service = await wechat()
    try:
        filing = replace(SPLIT, buyer=Person("测试乙", "1", "310104198512240009"))
        filed = await declared(client, payer_caller(service.url), filing)
        assert filed.slip.transaction_id == "SCN1001-1"
        assert filed.slip.amount == Money(Decimal("263.00"))
        assert filed.slip.identity_check is IdentityCheck.DIFFERENT
    finally:
        await service.close()


async def test_wechat_refuses_more_than_was_paid(client: HTTPClient) -> None:
    service = await wechat()
    try:
        filing = replace(SPLIT, amount=Money(Decimal("401.50")))
        result = await client.run(wechat_v3.declare(payer_caller(service.url), filing))
        assert isinstance(result, CallFailed)
        assert (result.code, result.retry) == ("RULE_LIMIT", Retry.NEVER)
    finally:
        await service.close()


async def test_wechat_lost_answer_is_looked_up(client: HTTPClient) -> None:
    service = await wechat(payment_side.Behaviour(lose_answers=1))
    try:
        filed = await declared(client, payer_caller(service.url), FILING)
        assert filed.state is FilingState.PENDING
        assert service.tally.filed == 1
    finally:
        await service.close()


async def test_wechat_failure_before_filing_may_be_filed_again(client: HTTPClient) -> None:
    service = await wechat(payment_side.Behaviour(fail_first=1))
    try:
        filed = await declared(client, payer_caller(service.url), FILING)
        assert filed.state is FilingState.NOT_FILED
        assert service.tally.filed == 0
    finally:
        await service.close()


@pytest.mark.parametrize(
    "behaviour",
    [
        payment_side.Behaviour(forge=True),
        payment_side.Behaviour(skew_s=-400),
        payment_side.Behaviour(skew_s=400),
    ],
)
async def test_wechat_answers_that_are_not_provably_theirs(
    client: HTTPClient, behaviour: payment_side.Behaviour
) -> None:
    service = await wechat(behaviour)
    try:
        result = await client.run(wechat_v3.declare(payer_caller(service.url), FILING))
        assert isinstance(result, CallFailed)
        assert result.retry is Retry.UNKNOWN_OUTCOME
    finally:
        await service.close()


async def test_wechat_files_again_after_a_fault(client: HTTPClient) -> None:
    service = await wechat(payment_side.Behaviour(states=("EXCEPT",)))
    try:
        caller = payer_caller(service.url)
        filed = await declared(client, caller, FILING)
        assert filed.state is FilingState.FAULTED
        again = await client.run(wechat_v3.refile(caller, FILING))
        assert isinstance(again, FilingOutcome)
        assert service.tally.refiled == 1
    finally:
        await service.close()


async def test_wechat_correction_is_a_patch(client: HTTPClient) -> None:
    service = await wechat()
    try:
        caller = payer_caller(service.url)
        await declared(client, caller, SPLIT)
        changed = replace(SPLIT, amount=Money(Decimal("262.00")), is_change=True)
        filed = await declared(client, caller, changed)
        assert filed.slip.amount == Money(Decimal("262.00"))
    finally:
        await service.close()


# --- SF ---------------------------------------------------------------------------------------

CUSTOMER = carrier_side.Customer("MADEUP01", "made-up-check-word")
SHIPMENT = Shipment(
    reference="CN1001-1",
    order_no="CN1001",
    sender=Contact("示例仓", "057100000000", "示例保税仓", "浙江省", "宁波市"),
    consignee=Contact("测试甲~*", "13800000001", "示例路1号 A+B", "浙江省", "杭州市", "西湖区"),
    cargo=(Cargo("奶粉", Decimal(2), "罐", Decimal("1.00"), Money(Decimal("139.00")), "NLD"),),
    declared=Money(Decimal("401.49")),
    weight_kg=Decimal("2.20"),
)


def carrier_caller(url: str, **changes: str) -> Caller:
    values = {"partner_id": CUSTOMER.partner_id, "checkword": CUSTOMER.checkword} | changes
    return Caller(Account("sf", url, values), CLOCK, CountingRng())


async def shipped(
    client: HTTPClient, behaviour: carrier_side.Behaviour, times: int = 1, **changes: str
) -> tuple[ShipmentOutcome | CallFailed, carrier_side.Tally]:
    platform = await carrier_side.start(customer=CUSTOMER, behaviour=behaviour, clock=now)
    try:
        caller = carrier_caller(platform.url, **changes)
        result = await client.run(sf.create(caller, SHIPMENT))
        for _ in range(times - 1):
            result = await client.run(sf.create(caller, SHIPMENT))
        return result, platform.tally
    finally:
        await platform.close()


async def test_sf_gives_one_waybill_a_reference(client: HTTPClient) -> None:
    result, tally = await shipped(client, carrier_side.Behaviour(), times=2)
    assert isinstance(result, ShipmentOutcome)
    assert result.state is ShipmentState.ACCEPTED
    assert [one.waybill_no for one in result.waybills] == ["SF1000000000001"]
    assert result.waybills[0].consignee.name == "测试甲~*"
    assert (len(tally.orders), tally.duplicates, tally.unsigned) == (1, 1, 0)
    asked = tally.asked["CN1001-1"]
    assert asked["customsInfo"]["declaredValue"] == Decimal("401.49")
    assert asked["cargoDetails"][0]["amount"] == 139


async def test_sf_lost_answer_is_looked_up(client: HTTPClient) -> None:
    result, tally = await shipped(client, carrier_side.Behaviour(lose_answers=1))
    assert isinstance(result, ShipmentOutcome)
    assert len(tally.orders) == 1


async def test_sf_refuses_another_check_word(client: HTTPClient) -> None:
    result, tally = await shipped(client, carrier_side.Behaviour(), checkword="another")
    assert result == CallFailed("A1006", Retry.NEVER, "the carrier's gateway refused with A1006")
    assert tally.unsigned == 1


@pytest.mark.parametrize("code, retry", [("A1005", Retry.LATER), ("A1002", Retry.NEVER)])
async def test_sf_codes(client: HTTPClient, code: str, retry: Retry) -> None:
    result, _ = await shipped(client, carrier_side.Behaviour(fail_first=9, fail_code=code))
    assert isinstance(result, CallFailed)
    assert (result.code, result.retry) == (code, retry)


async def test_sf_downstream_fault_is_looked_up(client: HTTPClient) -> None:
    result, tally = await shipped(client, carrier_side.Behaviour(fail_first=1, fail_code="A1009"))
    assert isinstance(result, CallFailed)
    assert result.retry is Retry.UNKNOWN_OUTCOME
    assert tally.calls == 2


async def test_a_conversation_that_asks_nothing_ends(client: HTTPClient) -> None:
    early = Cursor.beginning(CLOCK.now())
    result = await client.run(douyin.pull(shop_caller("http://127.0.0.1:9"), early))
    assert isinstance(result, NothingYet)
