"""People's ways through the console: by keyboard alone, and without scripts."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, one_firm_profile
from gateway.domain.case import CaseStage
from gateway.domain.ids import CaseId
from gateway.ports import CaseFilter
from gateway.ports.people import LogFilter
from tests.browser.conftest import Person, person
from tests.support.console import PASSWORD, Served, serving

PACK = 'name = "ours"\nversion = {}\nextends = "import-default"\n\n[rules.TAX-AMOUNT]\n{}\n'

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def planted(run: str, count: int) -> list[DemoOrder]:
    """Good orders but for the waybill: it goes to another door of the same street."""
    found = []
    for one in demo_orders(PROFILE, count, 3, problems=False, run=run):
        assert one.waybill is not None
        consignee = {**one.waybill["consignee"], "address": "浙江省 杭州市 西湖区 别处 1 号"}
        found.append(replace(one, waybill={**one.waybill, "consignee": consignee}))
    return found


def underpaid(run: str) -> list[DemoOrder]:
    """An order whose payment slip says less."""
    return [
        replace(one, payment={**(one.payment or {}), "amount": "1.00"})
        for one in demo_orders(PROFILE, 1, 4, problems=False, run=run)
    ]


def lost(count: int) -> list[DemoOrder]:
    """Orders whose inventory customs never answers."""
    found = []
    for number, one in enumerate(demo_orders(PROFILE, count, 5, problems=False, run="L")):
        name = f"SIM-LOST-L{number:06d}"
        papers = [{**doc, "order_no": name} for doc in (one.order, one.payment, one.waybill) if doc]
        found.append(replace(one, order_no=name, order=papers[0], payment=papers[1],
                             waybill=papers[2]))  # fmt: skip
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    orders = [*planted("A", 10), *demo_orders(PROFILE, 30, seed=1)]
    orders += demo_orders(PROFILE, 3, 9, problems=False, run="R")
    rejected = orders[-1]
    orders[-1] = replace(
        rejected, order_no="SIM-REJECT1327-R1",
        order={**rejected.order, "order_no": "SIM-REJECT1327-R1"},
        payment={**(rejected.payment or {}), "order_no": "SIM-REJECT1327-R1"},
        waybill={**(rejected.waybill or {}), "order_no": "SIM-REJECT1327-R1",
                 "waybill_no": "WB-YESTERDAY-1"},
    )  # fmt: skip
    profile = replace(one_firm_profile(), answer_timeout_s=1, resend_gap_s=3600)
    with serving(tmp_path_factory.mktemp("console"), orders, lively=True, profile=profile) as one:
        # Customs never answers this one: nothing settles any more.
        one.feed(lost(1))
        yield one


def cases(served: Served, number: str) -> list[CaseId]:
    wanted = CaseFilter(number=number)
    page = served.run(served.gateway.reads.cases(TENANT, wanted, None, 10))
    return [row.key.case_id for row in page.items]


def stage(served: Served, case: CaseId) -> CaseStage:
    detail = served.run(served.gateway.reads.case(TENANT, case))
    assert detail is not None
    return detail.row.stage


def left(served: Served, rule: str) -> int:
    queue = served.run(served.gateway.web.reads.queue(TENANT, served.gateway.context.clock.now()))
    return sum(any(one.rule == rule for one in item.findings) for item in queue)


@pytest.fixture
def clerk(browser: Browser, served: Served) -> Iterator[Person]:
    somebody = person(browser, served, "clerk")
    yield somebody
    somebody.context.close()
    assert somebody.faults == []


def test_mismatches_are_mended_by_six_keystrokes_and_without_scripts(
    browser: Browser, served: Served, clerk: Person
) -> None:
    """One test, because both count the cases with this cause."""
    _by_keyboard(clerk)
    _without_scripts(browser, served)


def _by_keyboard(clerk: Person) -> None:
    rule = "PARTY-CONSIGNEE-ADDRESS"
    assert left(clerk.served, rule) == 10
    clerk.keystrokes = 0
    clerk.press("g", "r")
    clerk.arrive("/review")
    clerk.press("j", "e")
    clerk.arrive("/cases/*/repair**")
    expect(clerk.page.get_by_text("10 cases would be mended")).to_be_visible()
    clerk.press("Control+Enter")
    clerk.arrive("/repairs/**")
    expect(clerk.page.locator(".tile", has_text="Mended")).to_contain_text("10")
    assert clerk.keystrokes <= 6
    assert left(clerk.served, rule) == 0
    # The page follows the cases on their way, without being asked.
    expect(clerk.page.locator("#run .tag", has_text="Released")).to_have_count(10, timeout=30_000)


def _without_scripts(browser: Browser, served: Served) -> None:
    served.feed(planted("B", 2))
    me = person(browser, served, "clerk", java_script_enabled=False)
    page = me.go("/review?rule=PARTY-CONSIGNEE-ADDRESS")
    page.get_by_role("link", name="Resolve").first.click()
    expect(page.get_by_text("2 cases would be mended")).to_be_visible()
    page.get_by_role("link", name="This case only").click()
    expect(page.get_by_text("1 case would be mended")).to_be_visible()
    page.get_by_role("button", name="Mend 1 case").click()
    expect(page.locator(".tile", has_text="Mended")).to_contain_text("1")
    assert left(served, "PARTY-CONSIGNEE-ADDRESS") == 1
    # The other one by the bulk bar: compared again, and its result on the page of the run.
    page = me.go("/review?rule=PARTY-CONSIGNEE-ADDRESS")
    page.get_by_role("checkbox", name=re.compile("Select SIM-")).check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("1 case will change")).to_be_visible()
    page.get_by_role("button", name="Do it").click()
    for _ in range(50):
        if page.locator(".tag.good", has_text="Done").count():
            break
        page.reload()
    expect(page.locator(".tag.good", has_text="Done")).to_have_count(1)
    me.context.close()


def test_an_unanswered_declaration_is_looked_up_by_one_and_confirmed_by_another(
    browser: Browser, served: Served, clerk: Person
) -> None:
    deadline = time.monotonic() + 30
    while not served.run(served.gateway.web.reads.unanswered(TENANT)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    clerk.press("g", "u")
    clerk.arrive("/unknown")
    clerk.press("j", "Tab", "Enter")
    clerk.arrive("/cases/*/do/looked_up**")
    clerk.tab_to("Choose")
    clerk.page.keyboard.type("Customs asked")
    clerk.press("Tab")
    clerk.page.keyboard.type("the page shows 120")
    clerk.press("Control+Enter")
    clerk.arrive("/unknown**")
    second = person(browser, served, "supervisor")
    second.press("g", "p")
    second.arrive("/approvals")
    expect(second.page.get_by_role("link", name="SIM-", exact=False).first).to_be_visible()
    second.tab_to("Approve")
    second.press("Enter")
    second.arrive("/approvals**")
    expect(second.page.get_by_role("status").first).to_contain_text("Approved and done")
    entries = served.run(served.gateway.web.log.entries(TENANT, LogFilter(action="looked_up"),
                                                        None, 5))  # fmt: skip
    assert [one.actor for one in entries.items] == ["clerk"]
    assert second.faults == []
    second.context.close()


def test_a_rejected_order_is_found_by_its_waybill_and_its_bytes_taken(
    browser: Browser, served: Served
) -> None:
    me = person(browser, served, "supervisor")
    me.press("/")
    me.page.keyboard.type("WB-YESTERDAY-1")
    me.press("Enter")
    me.arrive("/cases/*/diff")
    expect(me.page.get_by_role("heading", name="Why customs refused it")).to_be_visible()
    for tab in ("Timeline", "Papers", "Declaration"):
        me.press("]")
        expect(me.page.get_by_role("heading", name=tab, exact=True)).to_be_visible()
    expect(me.page.locator("main")).to_contain_text("1327")
    digest = me.page.locator("dd .digest").first.inner_text()
    me.tab_to("Download the signed bytes")
    me.press("Enter")
    me.arrive("/cases/*/do/download**")
    me.page.select_option("#field-reason", "audit")
    with me.page.expect_download() as download:
        me.press("Control+Enter")
    body = Path(download.value.path()).read_bytes()
    assert hashlib.sha256(body).hexdigest() == digest
    assert me.faults == []
    me.context.close()


def test_a_case_is_held_and_let_go_by_keyboard(served: Served, clerk: Person) -> None:
    served.feed(underpaid("H"))
    (case,) = cases(served, "SIM-RELEASE-H000000")
    clerk.go(f"/cases/{case}/diff")
    clerk.tab_to("Hold")
    clerk.press("Enter")
    clerk.arrive("/cases/*/do/hold")
    clerk.tab_to("Choose")
    clerk.page.keyboard.type("Risk")
    clerk.press("Control+Enter")
    clerk.arrive("/cases/*/diff**")
    expect(clerk.page.get_by_role("link", name="Lift the hold")).to_be_visible()
    clerk.tab_to("Lift the hold")
    clerk.press("Enter")
    clerk.arrive("/cases/*/do/release")
    clerk.press("Control+Enter")
    clerk.arrive("/cases/*/diff**")
    expect(clerk.page.get_by_role("link", name="Hold", exact=True)).to_be_visible()


def test_a_pack_is_tried_and_handed_to_a_second_person(browser: Browser, served: Served) -> None:
    me = person(browser, served, "supervisor")
    page = me.go("/packs/edit")
    page.fill("#field-text", PACK.format(1, 'severity = "loud"'))
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("alert")).to_contain_text("line 6")
    page.fill("#field-text", PACK.format(1, "enabled = false"))
    page.get_by_role("button", name="Try it on history").click()
    expect(page.get_by_text("were judged by both")).to_be_visible()
    page.get_by_role("button", name="Propose it").click()
    me.arrive("/packs/ours@1**")
    expect(page.get_by_text("another person puts it in force").last).to_be_visible()
    expect(page.get_by_role("button", name="Put it in force")).to_have_count(0)
    page.get_by_role("button", name="Put it in the shadow").click()
    expect(page.get_by_role("heading", name="What the shadow saw")).to_be_visible()
    other = person(browser, served, "second")
    other.go("/packs/ours@1").get_by_role("button", name="Put it in force").click()
    expect(other.page.get_by_role("status").first).to_contain_text("in force")
    profile = served.gateway.cache.profile(TENANT, PROFILE)
    assert profile is not None
    assert served.gateway.context.matcher.pack_of(profile) == "ours@1"
    other.page.get_by_role("button", name="Take it out of use").click()
    assert me.faults == []
    assert other.faults == []
    for one in (me, other):
        one.context.close()


def test_what_was_typed_survives_the_end_of_the_session(browser: Browser, served: Served) -> None:
    me = person(browser, served, "clerk")
    case = cases(served, "SIM-REJECT1327-R1")[0]
    me.go(f"/cases/{case}/do/note")
    me.page.fill("#field-note", "half a sentence, then lunch")
    me.context.clear_cookies()
    me.press("Control+Enter")
    expect(me.page.get_by_role("status")).to_contain_text("What you typed is kept")
    me.page.fill("#login", "clerk")
    me.page.fill("#password", PASSWORD)
    me.press("Enter")
    expect(me.page.locator("main")).to_contain_text("half a sentence, then lunch")
    me.page.get_by_role("button", name="Send it now").click()
    me.arrive("/cases/*/diff**")
    entries = served.run(served.gateway.web.log.entries(TENANT, LogFilter(action="noted"), None, 5))
    assert entries.items[0].detail["note"] == "half a sentence, then lunch"
    me.context.close()


def test_an_open_case_and_an_open_list_hear_of_changes(served: Served, clerk: Person) -> None:
    served.feed(underpaid("C"))
    (case,) = cases(served, "SIM-RELEASE-C000000")
    clerk.go(f"/cases/{case}/diff")
    clerk.page.wait_for_timeout(500)
    served.run(served.gateway.desk.hold(TENANT, case, "supervisor:lin", "look"))
    news = clerk.page.locator("[data-news]")
    expect(news).to_contain_text("supervisor:lin", timeout=15_000)
    clerk.press(".")
    expect(clerk.page.locator("#case")).to_have_attribute("data-case", case)
    expect(news).to_be_hidden()
    clerk.go("/cases")
    clerk.page.wait_for_timeout(500)
    clerk.page.evaluate("window.still = true")
    served.run(served.gateway.desk.release(TENANT, case, "supervisor:lin"))
    expect(news).to_contain_text("Load what is new", timeout=15_000)
    clerk.press(".")
    expect(news).to_be_hidden()
    assert clerk.page.evaluate("window.still")


def test_a_list_is_filtered_in_place_and_its_address_says_how(clerk: Person) -> None:
    page = clerk.go("/cases")
    page.evaluate("window.still = true")
    page.select_option("#stage", "rejected")
    page.get_by_role("button", name="Show").click()
    clerk.arrive("/cases?*stage=rejected**")
    expect(page.locator("[data-rows] tbody tr").first).to_contain_text("Rejected")
    assert page.evaluate("window.still")
    page.go_back()
    clerk.arrive("/cases")
    expect(page.locator("#stage")).to_have_value("")


def test_help_and_command_menu(clerk: Person) -> None:
    clerk.press("?")
    expect(clerk.page.get_by_role("dialog", name="Keys of this page")).to_be_visible()
    clerk.press("Escape")
    expect(clerk.page.get_by_role("dialog")).to_have_count(0)
    clerk.press("Control+k")
    clerk.page.keyboard.type("deliv")
    clerk.press("Enter")
    clerk.arrive("/deliveries")


def test_an_injected_script_is_refused(browser: Browser, served: Served) -> None:
    me = person(browser, served, "clerk")
    me.page.evaluate(
        """() => {
          const made = document.createElement("script");
          made.textContent = "window.hacked = 1";
          document.head.append(made);
          const foreign = document.createElement("div");
          foreign.innerHTML = "<img src=x onerror='window.hacked = 2'>";
          document.body.append(foreign);
          // As text, and later: what the driver runs itself is free of the policy.
          setTimeout("window.hacked = 3", 0);
        }"""
    )
    me.page.wait_for_timeout(300)
    assert me.page.evaluate("window.hacked === undefined")
    refused = [one for one in me.faults if "Content Security Policy" in one]
    assert len(refused) >= 3
    me.context.close()
