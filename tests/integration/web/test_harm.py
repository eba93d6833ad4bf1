"""What could do harm in the console, and does not: foreign ids, hostile texts, faults, forged
decisions, files of every list, lists that ask too much.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from gateway.app.config import ConsoleSection
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT
from gateway.ports import CaseFilter
from gateway.web.app import routes
from gateway.web.language import PSEUDO
from gateway.web.views.live import Live
from tests.integration.web.test_console import House, Visitor
from tests.perf.pages import MOST_STATEMENTS, counted
from tests.support.console import Served, hostile, serving

pytestmark = pytest.mark.slow

LISTS = (
    "/review", "/cases", "/unknown", "/deliveries", "/notices", "/approvals", "/repairs", "/packs",
    "/rules", "/audit",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    orders = list(demo_orders(PROFILE, 60, seed=1))
    orders += map(hostile, demo_orders(PROFILE, 2, seed=2, problems=False, run="X"))
    console = ConsoleSection(secure_cookies=False)
    with serving(tmp_path_factory.mktemp("console"), orders, console=console) as running:
        yield running


@pytest.fixture
async def house(served: Served) -> AsyncIterator[House]:
    async with ClientSession() as session:
        yield House(served, Visitor(served.address, session))


async def evil_case(house: House) -> str:
    page = await house.run(
        house.gateway.reads.cases(TENANT, CaseFilter(number="SIM-RELEASE-X000000"), None, 1)
    )
    return page.items[0].key.case_id


async def test_hostile_names_are_shown_and_do_nothing(house: House) -> None:
    me = house.visitor
    await me.sign_in("clerk")
    case = await evil_case(house)
    paths = ["/", "/review", "/cases", f"/review/{case}", f"/cases/{case}/repair"]
    paths += [f"/cases/{case}/{tab}" for tab in ("diff", "timeline", "documents", "evidence")]
    seen = ""
    for path in paths:
        page = await me.get(path)
        assert page.status == 200, path
        assert "<script>hacked" not in page.text, path
        assert "<img src=x" not in page.text, path
        seen += page.text
    assert "&lt;script&gt;hacked = 1" in seen
    assert (await me.get(f"/search?q={'长' * 500}")).status == 200
    csv = await me.get("/cases.csv")
    assert not re.search(r"(?m)(^|,)[=+@]", csv.text)


async def test_a_stranger_reaches_nothing_of_a_case_or_its_repairs(house: House) -> None:
    me = house.visitor
    await me.sign_in("supervisor")
    case = await evil_case(house)
    form, _ = await me.form(f"/cases/{case}/repair?path=payment.amount&value=5", reason="other")
    made = await me.ask("POST", f"/cases/{case}/repair", form | {"value": "5", "do": "apply"})
    assert made.status == 303
    repair = made.headers["Location"].removeprefix("/console").partition("?")[0]
    stranger = house.another()
    await stranger.sign_in("stranger")
    token = re.search(r'name="_token" value="([^"]+)"', (await stranger.get("/settings")).text)
    assert token is not None
    sent = {"_token": token[1], "decision": "approve", "statement": "I say so", "stage": "active",
            "reason": "other", "finding": form["finding"], "path": form["path"]}  # fmt: skip
    for path in (f"/cases/{case}/repair", repair, f"{repair}.json", f"/cases/{case}/evidence",
                 f"/cases/{case}/changes.json"):  # fmt: skip
        page = await stranger.get(path)
        assert page.status in (200, 404), path
        assert "SIM-RELEASE" not in page.text, path
    for path in (f"/cases/{case}/repair", repair, "/packs/import-default@1",
                 f"/cases/{case}/do/hold", f"/cases/{case}/assign"):  # fmt: skip
        assert (await stranger.ask("POST", path, sent)).status == 404, path


async def test_a_repair_that_mends_nothing_is_not_offered(house: House) -> None:
    me = house.visitor
    await me.sign_in("supervisor")
    case = await evil_case(house)
    for value, mended in (("281.48", 1), ("5", 0)):
        page = await me.get(f"/cases/{case}/repair?path=payment.amount&scope=case&value={value}")
        assert f"{mended} case" in page.text
        assert f"Propose it for {mended} case" in page.text
        assert ('value="apply" disabled' in page.text) == (mended == 0)
        assert "Ask the owner" in page.text


async def test_nobody_approves_a_repair_or_a_pack_of_their_own(house: House) -> None:
    me, other = house.visitor, house.another()
    await me.sign_in("supervisor")
    await other.sign_in("second")
    case = await evil_case(house)
    form, _ = await me.form(f"/cases/{case}/repair?path=payment.amount&value=7", reason="other")
    made = await me.ask("POST", f"/cases/{case}/repair", form | {"value": "7", "do": "apply"})
    repair = made.headers["Location"].removeprefix("/console").partition("?")[0]
    decision = {"_token": form["_token"], "decision": "approve", "statement": "the bank says so"}
    assert (await me.ask("POST", repair, decision)).status == 422
    form, _ = await other.form(repair)
    assert (await other.ask("POST", repair, decision | {"_token": form["_token"]})).status == 303
    kept = orjson.loads((await other.get(f"{repair}.json")).text)
    assert {one["by"] for one in kept["approvals"]} == {"supervisor:second"}
    pack = 'name = "mine"\nversion = 1\nextends = "import-default"\n'
    form, _ = await me.form("/settings")
    proposed = await me.ask(
        "POST", "/packs/edit", {"_token": form["_token"], "text": pack, "do": "propose"}
    )
    assert proposed.status == 303
    activate = {"_token": form["_token"], "stage": "active", "port": ""}
    refused = await me.ask("POST", "/packs/mine@1", activate)
    assert refused.status == 422
    assert "another person" in refused.text
    mended = await me.ask(
        "POST", "/packs/edit",
        {"_token": form["_token"], "text": pack + "[rules.NO-SUCH]\n", "do": "check"},
    )  # fmt: skip
    assert "line 4" in mended.text


async def test_what_nobody_expected_shows_an_id_and_no_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = house.visitor
    await me.sign_in("viewer")

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret of the machine")

    monkeypatch.setattr(type(house.gateway.web.reads), "unanswered", broken)
    page = await me.get("/unknown")
    assert page.status == 500
    assert "This page failed" in page.text
    assert "secret" not in page.text
    assert 'aria-current="page"' in page.text
    assert re.search(r"<code>[0-9a-f]{12}-[0-9a-f]+</code>", page.text)


async def test_every_list_comes_as_files(house: House) -> None:
    me = house.visitor
    await me.sign_in("operator")
    services = house.gateway.web
    table = routes(services, Live(services))
    lists = [one.path for one in table if one.is_list and "{" not in one.path]
    assert {*LISTS, "/settings/people", "/adapters", "/keys"} <= set(lists)
    for path in lists:
        csv = await me.get(f"{path}.csv")
        assert csv.status == 200, path
        assert csv.text.startswith("\ufeff"), path
        async with me.session.get(
            f"{me.base}/console{path}.xlsx", headers={"Cookie": me.cookie}
        ) as sheet:
            assert (await sheet.read()).startswith(b"PK"), path


async def test_a_list_asks_the_database_at_most_six_things(house: House) -> None:
    me = house.visitor
    await me.sign_in("supervisor")
    for path in (*LISTS, "/", "/review?rule=PAYMENT-AMOUNT", "/cases?stage=mismatch&age=hour"):
        await me.get(path)
        counts = []
        # What followers of the same process ask now and then is only ever more.
        for _ in range(4):
            with counted() as count:
                assert (await me.get(path)).status == 200
            counts.append(count[0])
        assert min(counts) <= MOST_STATEMENTS, path


async def test_no_text_stands_on_a_page_past_the_catalogue(house: House) -> None:
    """Under a language of brackets every text of ours stands in them."""
    me = house.visitor
    await me.sign_in("operator")
    user = (await house.run(house.gateway.web.people.secret("operator"))).user  # type: ignore[union-attr]
    prefs = replace(user.prefs, language=PSEUDO)
    await house.run(house.gateway.web.people.change(replace(user, prefs=prefs)))
    case = await evil_case(house)
    pages = [*LISTS, "/", "/adapters", "/keys", "/schemas", "/settings", "/settings/people"]
    pages += [f"/cases/{case}/{tab}" for tab in ("diff", "timeline", "documents", "evidence")]
    found = set()
    for path in pages:
        page = await me.get(path)
        found |= set(_bare_texts(page.text))
    await house.run(house.gateway.web.people.change(user))
    assert found == set()


# Elements whose content is data, or is the same in every language.
_DATA = re.compile(
    r"<(code|time|kbd|pre|style|script|svg)\b.*?</\1>|<(\w+)[^>]*translate=\"no\"[^>]*>"
    r"(?:(?!</?\2\b).)*</\2>",
    re.DOTALL,
)


def _bare_texts(page: str) -> list[str]:
    body = page.partition("<body")[2].partition(">")[2]
    while True:
        shorter = _DATA.sub(" ", body)
        if shorter == body:
            break
        body = shorter
    texts = re.sub(r"⟦[^⟦⟧]*⟧", " ", re.sub(r"<[^>]+>", "\n", body)).split("\n")
    return [one.strip() for one in texts if re.search(r"[A-Za-z]{4}", one)]


async def test_what_was_put_aside_is_dealt_with_by_its_tenant_with_a_reason(house: House) -> None:
    from sqlalchemy import insert

    from store.tables import parked

    row = {"parked_id": "p-1", "subject": "622", "reason": "no_case", "at": 1, "tenant": TENANT,
           "receipt_id": None, "position": 0, "case_id": None, "detail": "{}"}  # fmt: skip
    columns = {column.name for column in parked.c}
    values = {name: value for name, value in row.items() if name in columns}
    store = house.gateway.store
    await house.run(store.execute(lambda on: on.execute(insert(parked).values(values))))
    me, stranger = house.visitor, house.another()
    await me.sign_in("operator")
    await stranger.sign_in("stranger")
    page = await me.get("/adapters")
    assert "no_case" in page.text
    token = re.search(r'name="_token" value="([^"]+)"', page.text)
    theirs = re.search(r'name="_token" value="([^"]+)"', (await stranger.get("/settings")).text)
    assert token is not None
    assert theirs is not None
    away = {"note": "not ours to answer", "do": "away"}
    refused = await stranger.ask("POST", "/aside/p-1", away | {"_token": theirs[1]})
    assert refused.status == 404
    sent = away | {"_token": token[1]}
    assert (await me.ask("POST", "/aside/p-1", sent | {"note": ""})).status == 422
    assert (await me.ask("POST", "/aside/p-1", sent | {"do": "again"})).status == 404
    assert (await me.ask("POST", "/aside/p-1", sent)).status == 303
    assert "no_case" not in (await me.get("/adapters")).text
    shown = orjson.loads((await me.get("/adapters.json")).text)
    assert {"keys", "store"} <= set(shown["ready"])
    assert shown["channels"][0]["limits"]["in_flight"] > 0
