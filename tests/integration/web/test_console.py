"""The console as browsers without scripts see it: pages, forms, roles, refusals."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from aiohttp import ClientSession
from sqlalchemy import insert

from gateway.api.edge import ORDER, PAYMENT
from gateway.app.config import ConsoleSection
from gateway.app.container import Gateway
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT
from gateway.flow.incoming import Incoming
from gateway.ports import CaseFilter
from gateway.ports.people import LogFilter
from store.tables import outbox
from tests.integration.test_links import incoming
from tests.support import exports
from tests.support.console import PASSWORD, Served, serving
from tests.tools import require_tool

T = TypeVar("T")
HOSTILE = '<script>alert(1)</script>\u202e"><img src=x>' + "长" * 10_000
PAGES = (
    "/", "/review", "/cases", "/unknown", "/deliveries", "/notices", "/approvals", "/rules",
    "/rules/PAYMENT-AMOUNT", "/adapters", "/keys", "/schemas", "/settings", "/search?q=nothing",
)  # fmt: skip
TABS = ("diff", "timeline", "documents", "declaration", "attempts", "audit")


@dataclass
class Answer:
    status: int
    text: str
    headers: Any


@dataclass
class Visitor:
    """One browser without scripts."""

    base: str
    session: ClientSession
    language: str = "en"
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        sent = {"Accept-Language": self.language, "Cookie": self.cookie} | headers
        async with self.session.request(
            method, self.base + "/console" + path, data=data, headers=sent, allow_redirects=False
        ) as answer:
            if "clearance" in answer.cookies:
                self.cookie = f"clearance={answer.cookies['clearance'].value}"
            return Answer(answer.status, await answer.text(), answer.headers)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def sign_in(self, login: str, password: str = PASSWORD) -> Answer:
        return await self.ask("POST", "/login", {"login": login, "password": password})

    async def form(self, path: str, **fields: str) -> tuple[dict[str, str], Answer]:
        """The hidden fields of the page's own form, and what is typed into it."""
        page = await self.get(path)
        main = page.text.partition('<form class="act"')[2].partition("</form>")[0]
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', main))
        return hidden | fields, page


@dataclass
class House:
    served: Served
    visitor: Visitor

    @property
    def gateway(self) -> Gateway:
        return self.served.gateway

    def another(self) -> Visitor:
        return Visitor(self.visitor.base, self.visitor.session)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Something on the gateway's own loop."""
        return await self.served.asked(work)

    async def case(self, place: int = 0) -> str:
        answer = await self.visitor.get("/review.json")
        found: str = orjson.loads(answer.text)["lines"][place]["case_id"]
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    console = ConsoleSection(secure_cookies=False, wrong_passwords=3)
    orders = list(demo_orders(PROFILE, 100, seed=1))
    with serving(tmp_path_factory.mktemp("console"), orders, console=console) as running:
        yield running


@pytest.fixture
async def house(served: Served) -> AsyncIterator[House]:
    async with ClientSession() as session:
        yield House(served, Visitor(served.address, session))


@pytest.mark.slow
async def test_every_page_answers_in_both_languages_and_as_json(house: House) -> None:
    me = house.visitor
    await me.sign_in("supervisor")
    case = await house.case()
    pages = [*PAGES, "/audit", f"/review/{case}", *(f"/cases/{case}/{tab}" for tab in TABS)]
    pages += [
        f"/cases/{case}/do/{action}" for action in ("hold", "recheck", "snooze", "note", "link")
    ]
    for me.language in ("en", "zh-CN"):
        for path in pages:
            page = await me.get(path)
            assert page.status == 200, path
            assert f'<html lang="{me.language}"' in page.text
            assert page.text.count("<h1") == 1, path
            assert "script-src 'self'" in page.headers["Content-Security-Policy"]
            assert page.headers["Cache-Control"] == "no-store"
    for path in pages:
        if "?" not in path:
            twin = await me.get(("/today" if path == "/" else path) + ".json")
            assert twin.status == 200, path
    for path in ("/review", "/cases", "/rules", "/audit"):
        assert (await me.get(path + ".csv")).status == 200
        assert (await me.get(path + ".xlsx.")).status == 404


@pytest.mark.slow
async def test_signing_in_is_counted_and_locked(house: House) -> None:
    me = house.visitor
    assert (await me.get("/")).headers["Location"] == "/console/login?"
    for _ in range(2):
        assert (await me.sign_in("second", "wrong")).status == 422
    assert "locked" in (await me.sign_in("second", "wrong")).text
    assert (await me.sign_in("second")).status == 422
    assert (await me.sign_in("nobody")).status == 422
    assert (await me.sign_in("viewer")).status == 303
    assert (await me.get("/settings/people")).status == 403
    assert (await me.get("/audit")).status == 403
    assert (await me.get("/audit.json")).status == 403
    entries = await house.run(house.gateway.web.log.entries(None, LogFilter(), None, 50))
    assert {"signed_in", "locked", "sign_in_failed"} <= {one.action for one in entries.items}
    report = await house.run(house.gateway.web.log.check())
    assert report.broken_at is None
    assert report.checked >= 4


@pytest.mark.slow
async def test_a_hold_is_done_once_and_a_stale_form_is_refused(house: House) -> None:
    me = house.visitor
    await me.sign_in("clerk")
    case = await house.case()
    path = f"/cases/{case}/do/hold"
    form, _ = await me.form(path, reason="", note="")
    empty = await me.ask("POST", path, form)
    assert empty.status == 422
    assert "Choose a reason." in empty.text
    form, _ = await me.form(path, reason="risk_check", note="look again")
    old = dict(form)
    assert (await me.ask("POST", path, form | {"_token": "x"})).status == 403
    assert (await me.ask("POST", path, form, Origin="https://evil.example")).status == 403
    first = await me.ask("POST", path, form)
    assert first.status == 303
    again = await me.ask("POST", path, form)
    assert (again.status, again.headers["Location"]) == (303, first.headers["Location"])
    stale = await me.ask("POST", path, old | {"_once": "another"})
    assert stale.status == 409
    assert "clerk:clerk" in stale.text
    assert "look again" in stale.text
    detail = await house.run(house.gateway.reads.case(TENANT, case))  # type: ignore[arg-type]
    assert detail is not None
    held = [one.event for one in detail.events if one.event.kind == "case_held"]
    assert sum("look again" in event.payload["reason"] for event in held) == 1


@pytest.mark.slow
async def test_nobody_sees_another_tenant(house: House) -> None:
    await house.visitor.sign_in("clerk")
    case = await house.case()
    stranger = house.another()
    await stranger.sign_in("stranger")
    for path in (f"/cases/{case}/diff", f"/cases/{case}/do/hold", f"/cases/{case}/audit.json"):
        assert (await stranger.get(path)).status == 404, path
    assert case not in (await stranger.get("/cases")).text


@pytest.mark.slow
async def test_personal_data_is_masked_and_revealing_it_is_kept(house: House) -> None:
    me = house.visitor
    await me.sign_in("clerk")
    case = await house.case()
    for tab in TABS:
        page = await me.get(f"/cases/{case}/{tab}")
        assert not re.search(r"\b[1-9][0-9]{16}[0-9X]\b", page.text), tab
    path = f"/cases/{case}/do/reveal"
    form, _ = await me.form(f"{path}?path=order.buyer.id_number", reason="audit", note="")
    shown = await me.ask("POST", path, form)
    assert re.search(r"[1-9][0-9]{16}[0-9X]", shown.text)
    entries = await house.run(
        house.gateway.web.log.entries(TENANT, LogFilter(action="revealed"), None, 5)
    )
    assert entries.items[0].detail["field"] == "order.buyer.id_number"
    assert (
        await me.ask("POST", path, form | {"path": "order.order_no", "_once": "2"})
    ).status == 404


@pytest.mark.slow
async def test_hostile_text_does_nothing_and_nothing_typed_is_lost(house: House) -> None:
    me = house.visitor
    await me.sign_in("clerk")
    case = await house.case()
    path = f"/cases/{case}/do/note"
    form, _ = await me.form(path, note=HOSTILE)
    assert (await me.ask("POST", path, form)).status == 303
    page = await me.get(f"/cases/{case}/audit")
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    me.cookie = ""
    kept = await me.ask("POST", path, form | {"note": "typed before"})
    assert kept.status == 401
    assert "typed before" in kept.text
    many = [("action", "hold"), *(("case", f"case-{number}") for number in range(500))]
    bulk = await me.ask("POST", "/bulk/preview", many)
    assert bulk.text.count('name="again_value"') == len(many)
    again = {
        "login": "clerk",
        "password": PASSWORD,
        "again_path": f"/console{path}",
        "again_name": "note",
        "again_value": "typed before",
    }
    back = await me.ask("POST", "/login", again)
    assert back.status == 200
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', back.text))
    assert fields["note"] == "typed before"
    assert (await me.ask("POST", path, fields)).status == 303


@pytest.mark.slow
async def test_many_cases_are_acted_on_at_once(house: House) -> None:
    me = house.visitor
    await me.sign_in("supervisor")
    page = await me.get("/review")
    token = re.search(r'name="_token" value="([^"]+)"', page.text)
    assert token is not None
    fields = {"_token": token[1], "action": "assign", "all": "yes", "view": "all"}
    preview = await me.ask("POST", "/bulk/preview", fields)
    assert preview.status == 200
    cases = re.findall(r'name="case" value="([^"]+)"', preview.text)
    assert cases
    body = [("_token", token[1]), ("action", "assign"), *(("case", one) for one in cases)]
    done = await me.ask("POST", "/bulk", body)
    assert done.status == 303
    address = done.headers["Location"].removeprefix("/console")
    for _ in range(300):
        if (await me.get(address)).text.count("tag good") >= len(cases):
            break
        await asyncio.sleep(0.1)
    assert (await me.get("/review?view=mine")).text.count("data-row=") == len(cases)


@pytest.mark.slow
async def test_any_number_leads_to_its_case(house: House) -> None:
    me = house.visitor
    await me.sign_in("viewer")
    cases = await house.run(house.gateway.reads.cases(TENANT, CaseFilter(), None, 1))
    order = cases.items[0].key
    found = await me.get(f"/search?q={order.order_no}")
    assert found.headers["Location"] == f"/console/cases/{order.case_id}/diff"


@pytest.mark.slow
async def test_the_stream_says_that_cases_moved(house: House) -> None:
    me = house.visitor
    await me.sign_in("clerk")
    case = await house.case(1)
    headers = {"Cookie": me.cookie}
    async with me.session.get(me.base + "/console/events", headers=headers) as stream:
        await asyncio.sleep(0.3)
        await house.run(house.gateway.desk.hold(TENANT, case, "clerk:clerk", "test"))  # type: ignore[arg-type]
        seen = b""
        async with asyncio.timeout(15):
            while b"event: moved" not in seen:
                seen += await stream.content.readany()
            while b"\n\n" not in seen.partition(b"event: moved")[2]:
                seen += await stream.content.readany()
    assert case.encode() in seen


@pytest.mark.slow
async def test_the_audit_is_searched_by_any_number_of_a_paper(house: House) -> None:
    me = house.visitor
    await me.sign_in("supervisor")
    rows = orjson.loads((await me.get("/cases.json")).text)["cases"]
    case, order_no = rows[0]["key"]["case_id"], rows[0]["key"]["order_no"]
    await me.get(f"/cases/{case}/timeline")
    await house.run(house.gateway.web.log.note(TENANT, "a:b", "noted", case, {"note": "x"}))
    await me.sign_in("auditor")
    for asked in (order_no, case):
        found = orjson.loads((await me.get(f"/audit.json?case={asked}")).text)
        assert {one["case"] for one in found["events"]} == {case}
        assert "noted" in {one["action"] for one in found["entries"]}
    for asked in ("NO-SUCH-ORDER", "长" * 65):
        found = orjson.loads((await me.get(f"/audit.json?case={asked}")).text)
        assert (found["events"], found["entries"]) == ([], [])


@pytest.mark.slow
async def test_a_view_is_kept_under_its_name_and_leads_back(house: House) -> None:
    me = house.visitor
    await me.sign_in("auditor")
    page = await me.get("/cases?stage=mismatch&held=&done=saved")
    form = page.text.partition('action="/console/views"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))
    assert fields["path"] == "/cases?stage=mismatch"
    sent = {"_token": fields["_token"], "path": fields["path"], "name": "<b>迟到</b>", "do": "keep"}
    kept = await me.ask("POST", "/views", sent)
    assert kept.headers["Location"] == "/console/cases?stage=mismatch&done=view_kept"
    page = await me.get("/cases?stage=mismatch")
    chip = 'href="/console/cases?stage=mismatch" aria-current="true" translate="no">&lt;b&gt;迟到'
    assert chip in page.text
    assert "迟到" not in (await me.get("/review")).text
    for path in ("//evil.example", "/settings", "https://evil.example/review", "/review?\u202ex"):
        assert (await me.ask("POST", "/views", sent | {"path": path})).status == 404, path
    unnamed = await me.ask("POST", "/views", sent | {"name": " "})
    assert unnamed.headers["Location"].endswith("view_not_kept")
    await me.ask("POST", "/views", sent | {"do": "forget"})
    assert "迟到" not in (await me.get("/cases")).text


@pytest.mark.slow
async def test_single_keys_are_changed_and_switched_off(house: House) -> None:
    me = house.visitor
    await me.sign_in("operator")
    form, page = await me.form("/settings", shortcuts="yes", theme="dark", language="en")
    assert "&#34;j&#34;:&#34;next&#34;" in page.text
    taken = await me.ask("POST", "/settings", form | {"key-next": "k", "key-help": "ab"})
    assert taken.status == 422
    assert "Another action has this key already." in taken.text
    assert "A key is one letter" in taken.text
    saved = await me.ask("POST", "/settings", form | {"key-next": "w", "key-copy": ""})
    assert saved.status == 303
    page = await me.get("/settings")
    assert "&#34;w&#34;:&#34;next&#34;" in page.text
    assert "&#34;y&#34;" not in page.text
    assert '<kbd translate="no">w</kbd>' in page.text


@pytest.mark.slow
async def test_a_signed_export_of_the_audit_verifies_with_openssl_alone(
    house: House, tmp_path: Path
) -> None:
    me = house.visitor
    await me.sign_in("auditor")
    token = re.search(r'name="_token" value="([^"]+)"', (await me.get("/audit")).text)
    assert token is not None
    asked = {"_token": token[1], "kind": "papers_received", "since": "2020-01-01"}
    async with me.session.post(
        me.base + "/console/audit/export", data=asked, headers={"Cookie": me.cookie}
    ) as answer:
        assert answer.status == 200
        body = await answer.read()
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        packed.extractall(tmp_path)
    verify = (
        require_tool("openssl"), "pkeyutl", "-verify", "-pubin", "-inkey", "public-key.pem",
        "-rawin", "-in", "manifest.json", "-sigfile", "manifest.sig",
    )  # fmt: skip
    assert await _ran(tmp_path, *verify) == 0
    assert await _ran(tmp_path, require_tool("sha256sum"), "-c", "SHA256SUMS") == 0
    manifest = orjson.loads((tmp_path / "manifest.json").read_bytes())
    assert manifest["asked"]["kind"] == "papers_received"
    events = [orjson.loads(line) for line in (tmp_path / "events.ndjson").read_bytes().splitlines()]
    assert {one["kind"] for one in events} == {"papers_received"}
    assert manifest["events"] == len(events) >= 100  # and what other tests of the house brought
    original = (tmp_path / "manifest.json").read_bytes()
    changed = original.replace(b'"events": %d' % len(events), b'"events": 99')
    assert changed != original
    (tmp_path / "manifest.json").write_bytes(changed)
    assert await _ran(tmp_path, *verify) != 0
    entries = await house.run(
        house.gateway.web.log.entries(TENANT, LogFilter(action="audit_exported"), None, 5)
    )
    assert [one.actor for one in entries.items] == ["auditor:auditor"]
    await me.sign_in("clerk")
    assert (await me.ask("POST", "/audit/export", asked)).status == 403


async def _ran(folder: Path, *command: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


@pytest.mark.slow
async def test_a_waiting_paper_is_attached_by_hand_and_that_is_kept(house: House) -> None:
    me = house.visitor
    await me.sign_in("clerk")
    (demo,) = demo_orders(PROFILE, 1, 8, problems=False, run="K")
    assert demo.payment is not None
    unnamed = {name: value for name, value in demo.payment.items() if name != "order_no"}
    (made,) = await house.run(house.gateway.ingest.take([incoming(demo.order, ORDER)]))
    await house.run(house.gateway.ingest.take([incoming(unnamed, PAYMENT)]))
    path = f"/cases/{made.case_id}/do/link"
    assert f"{path}?kind=payment" in (await me.get(f"/cases/{made.case_id}/diff")).text
    form, _ = await me.form(f"{path}?kind=payment", kind="payment", reason="other", note="told us")
    for number, told in (("", "Write the paper's number."), ("NOBODY", "No paper waits")):
        refused = await me.ask("POST", path, form | {"number": number})
        assert (refused.status, told in refused.text) == (422, True)
    number = str(demo.payment["transaction_id"])
    done = await me.ask("POST", path, form | {"number": number})
    assert done.headers["Location"].endswith("/diff?done=link")
    assert number in (await me.get(f"/cases/{made.case_id}/diff")).text
    entries = await house.run(
        house.gateway.web.log.entries(TENANT, LogFilter(action="paper_linked"), None, 5)
    )
    assert entries.items[0].detail["number"] == number
    assert entries.items[0].detail["reason"] == "other: told us"
    viewer = house.another()
    await viewer.sign_in("viewer")
    assert (await viewer.get(path)).status == 404


@pytest.mark.slow
async def test_only_operators_pull_and_only_sources_that_are_theirs(house: House) -> None:
    me = house.visitor
    await me.sign_in("operator")
    token = re.search(r'name="_token" value="([^"]+)"', (await me.get("/adapters")).text)
    assert token is not None
    assert (await me.ask("POST", "/sources/nobody", {"_token": token[1]})).status == 404
    wrong = await me.ask("POST", "/sources/nobody", {"_token": token[1], "since": "yesterday"})
    assert (wrong.status, "Write a day as" in wrong.text) == (422, True)
    await me.sign_in("clerk")
    assert (await me.ask("POST", "/sources/nobody", {"_token": token[1]})).status == 403


@pytest.mark.slow
async def test_the_return_of_an_export_says_how_its_goods_come_home(house: House) -> None:
    me, profile = house.visitor, exports.profile()
    await me.sign_in("clerk")
    await house.run(house.gateway.admin.put_profile(profile))
    papers = [Incoming(TENANT, profile, one, "test", b"{}") for one in exports.papers("EX-WEB")]
    (made, *_) = await house.run(house.gateway.ingest.take(papers))
    path = f"/cases/{made.case_id}/do/return"
    form, page = await me.form(path, reason="other", note="size", transport_no="CK9")
    assert "Its flight or voyage number" in page.text
    refused = await me.ask("POST", path, form)
    assert (refused.status, refused.text.count("come back on (213)")) == (422, 4)
    assert 'value="CK9"' in refused.text
    # A bill is missing of what comes by mail alone; customs has not released it yet.
    asked = await me.ask("POST", path, form | {"voyage_no": "CK9", "mode": "6", "_once": "b"})
    assert (asked.status, "Only what customs released can be returned." in asked.text) == (
        200,
        True,
    )
    _, of_import = await me.form(f"/cases/{await house.case()}/do/return")
    assert "voyage number" not in of_import.text


@pytest.mark.slow
async def test_what_became_of_a_notice_is_told_in_the_readers_language(house: House) -> None:
    gateway = house.gateway
    made = await house.run(
        gateway.admin.new_endpoint(
            TENANT, url="", role="seller", event_types=frozenset({"case.released"}), batch_size=1
        )
    )
    rows = [
        {
            "effect_id": f"told-{number}", "kind": "notice", "group_key": made.endpoint_id,
            "tenant": TENANT, "ref": "case.released", "payload": '{"at": 1, "data": {}}',
            "due_at": 1, "lease_until": 1, "attempt": 9, "stage": "parked", "detail": detail,
            "done_at": 1, "answer_code": code, "answer_us": 5000,
        }
        for number, (detail, code) in enumerate((("no answer", None), ("<b>no</b>", 200)))
    ]  # fmt: skip
    access = gateway.web.log._access  # type: ignore[attr-defined]
    await house.run(access.execute(lambda on: on.execute(insert(outbox), rows)))
    me = house.visitor
    await me.sign_in("supervisor")
    me.language = "zh-CN"
    page = await me.get("/deliveries?status=parked")
    assert page.status == 200
    assert '<td class="detail">无应答</td>' in page.text
    assert "接收方答复：&lt;b&gt;no&lt;/b&gt;" in page.text
