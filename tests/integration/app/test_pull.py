"""Orders pulled from a shop with the command line, through a sandbox that checks signatures."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import create_engine, select
from typer.testing import CliRunner, Result

from adapters.base import Cursor, SightingKey
from adapters.sandbox import douyin
from gateway.app.cli import build
from gateway.app.config import load_settings
from gateway.app.pulling import Seen, cursor_of, cursor_text
from gateway.app.serve import running
from gateway.domain.ids import TenantId
from store.tables import pulled_page, raw

SAMPLES = Path(__file__).parents[2] / "samples"
SHOP = douyin.Shop("7000000000000000000", "made-up-secret", "made-up-token")


def order(number: int, at: datetime, **changes: Any) -> dict[str, Any]:
    """An order of the shop, changed a while ago."""
    page = json.loads((SAMPLES / "marketplaces" / "douyin" / "page_one_order.json").read_text())
    made: dict[str, Any] = copy.deepcopy(page["data"]["shop_order_list"][0])
    order_no = str(6900000000000002000 + number)
    clear = {"receiver": "测试甲", "tel": "13800000001"}
    for name, value in clear.items():
        made[f"encrypt_post_{name}"] = douyin.seal(order_no, value)
    made["post_addr"]["encrypt_detail"] = douyin.seal(order_no, "示例路1号")
    made["user_id_info"]["encrypt_id_card_no"] = douyin.seal(order_no, "110101199003070003")
    made["user_id_info"]["encrypt_id_card_name"] = douyin.seal(order_no, "测试甲")
    for line, sku in zip(made["sku_order_list"], ("MILK-900", "CREAM-50"), strict=True):
        line["code"] = sku
    made |= {"order_id": order_no, "update_time": int(at.timestamp()) + number}
    made["channel_payment_no"] = f"PAY-{order_no}"
    return made | changes


def run(folder: Path, *words: str | Path) -> Result:
    line = ["--config", str(folder / "clearance.toml"), *map(str, words)]
    return CliRunner().invoke(build(), line)


async def pulled(folder: Path) -> tuple[int, dict[str, Any]]:
    """What one pull reports, run beside the sandbox."""
    done = await asyncio.to_thread(run, folder, "pull", "shop-1", "--once", "--json")
    assert done.exit_code in (0, 1), done.output
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = tmp_path / "gateway"
    assert CliRunner().invoke(build(), ["init", str(made), "--json"]).exit_code == 0
    for name in ("goods.csv", "profile-1210.toml"):
        shutil.copy(SAMPLES / name, made)
    assert run(made, "tenants", "add", "shop", "示例商家").exit_code == 0
    profile = made / "profile-1210.toml"
    assert run(made, "profiles", "put", profile, "--tenant", "shop").exit_code == 0
    assert run(made, "goods", "put", made / "goods.csv", "--tenant", "shop").exit_code == 0
    yield made
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
async def shop(folder: Path) -> AsyncIterator[douyin.Running]:
    at = datetime.now(UTC) - timedelta(minutes=10)
    orders = [order(number, at) for number in range(1, 61)]
    orders.append(order(61, at, order_status=1, main_status=1))
    running = await douyin.start(shop=SHOP, orders=orders)
    (folder / "secret").write_text(SHOP.secret + "\n")
    (folder / "token").write_text(SHOP.access_token)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    with (folder / "clearance.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            f"""
[sources.shop-1]
adapter = "douyin"
tenant = "shop"
profile = "hz-1210"
since = {since}
base_url = "{running.url}"
options = {{ app_key = "{SHOP.app_key}" }}
secret_files = {{ secret = "secret", access_token = "token" }}
"""
        )
    yield running
    await running.close()


def rows(folder: Path, table: Any) -> list[Any]:
    """What a table holds."""
    engine = create_engine(f"sqlite:///{next(folder.glob('*.db'))}")
    with engine.connect() as connection:
        found = list(connection.execute(select(table)))
    engine.dispose()
    return found


async def test_orders_become_cases_and_are_read_once(folder: Path, shop: douyin.Running) -> None:
    code, report = await pulled(folder)
    assert (code, report["pages"]) == (0, 2)
    assert report["standings"] == {"ready": 60, "unpaid": 1}
    assert report["statuses"] == {"accepted": 60}
    assert shop.tally.unsigned == 0
    done = await asyncio.to_thread(
        run, folder, "case", "6900000000000002007", "--tenant", "shop", "--json"
    )
    content = json.loads(done.stdout)["papers"]["order"]["content"]
    assert content["goods_value"] == "368"
    assert content["consignee"]["name"].endswith("甲")
    assert [line["unit"] for line in content["lines"]] == ["122", "142"]
    assert len(rows(folder, raw)) == 60
    assert rows(folder, pulled_page) == []
    assert (await pulled(folder))[1]["pages"] == 0


async def test_a_paper_that_cannot_be_read_keeps_its_page(
    folder: Path, shop: douyin.Running
) -> None:
    orders = list(shop.platform.orders)
    orders[30] = {**orders[30], "pay_amount": "401.49 yuan"}
    shop.platform.orders = orders
    code, report = await pulled(folder)
    assert code == 1
    assert report["statuses"] == {"accepted": 59}
    assert [one["path"].rpartition("/")[2] for one in report["unread"]] == ["pay_amount"]
    kept = rows(folder, pulled_page)
    assert len(kept) == 1
    assert "测试甲".encode() not in kept[0].body
    assert b"shop_order_list" not in kept[0].body


async def test_a_refused_pull_goes_nowhere(folder: Path, shop: douyin.Running) -> None:
    (folder / "secret").write_text("another")
    code, report = await pulled(folder)
    assert (code, report["pages"], report["failed"]) == (1, 0, "isv.signature-invalid")
    (folder / "secret").write_text(SHOP.secret)
    assert (await pulled(folder))[1]["statuses"] == {"accepted": 60}


async def test_settings_that_cannot_be_used(folder: Path, shop: douyin.Running) -> None:
    (folder / "token").unlink()
    done = await asyncio.to_thread(run, folder, "pull", "shop-1", "--once")
    assert done.exit_code == 2
    assert "secret_files.access_token" in done.stderr
    assert SHOP.secret not in done.output
    done = await asyncio.to_thread(run, folder, "pull", "shop-2", "--once")
    assert (done.exit_code, "shop-1" in done.stderr) == (2, True)


def test_sightings_are_known_once_their_page_is_stored() -> None:
    seen = Seen(most=2)
    keys = [SightingKey("shop", str(number), number) for number in range(3)]
    seen.expect(keys[:1])
    assert keys[0] not in seen
    seen.settle()
    assert keys[0] in seen
    seen.expect(keys[1:])
    seen.settle()
    assert [key in seen for key in keys] == [False, True, True]


@pytest.mark.parametrize("page", [None, "", "3", "a|b=-"])
def test_a_cursor_is_stored_as_it_is(page: str | None) -> None:
    cursor = Cursor(1, 2, page)
    assert cursor_of(cursor_text(cursor)) == cursor


async def test_an_operator_reads_a_source_at_once_and_again(
    folder: Path, shop: douyin.Running
) -> None:
    async with running(load_settings(folder / "clearance.toml"), api=False) as (gateway, _):
        sources, tenant = gateway.web.sources, TenantId("shop")
        (before,) = await sources.listing(tenant)
        assert (before.name, before.adapter, before.read_to) == ("shop-1", "douyin", None)
        assert await sources.listing(TenantId("other")) == []
        assert await sources.pull(TenantId("other"), "shop-1", None) is None
        first = await sources.pull(tenant, "shop-1", None)
        assert first is not None
        assert (first.pages, first.statuses, first.fault) == (2, {"accepted": 60}, "")
        (after,) = await sources.listing(tenant)
        assert after.read_to is not None
        nothing = await sources.pull(tenant, "shop-1", None)
        assert nothing is not None
        assert (nothing.pages, nothing.fault) == (0, "")
        # From before the source's own beginning, and known all over.
        again = await sources.pull(tenant, "shop-1", 0)
        assert again is not None
        assert (again.pages, again.statuses) == (2, {"unchanged": 60})
        (folder / "secret").write_text("another")
        refused = await sources.pull(tenant, "shop-1", 0)
        assert refused is not None
        assert refused.fault == "isv.signature-invalid"
