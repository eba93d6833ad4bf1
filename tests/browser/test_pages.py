"""Every page in both languages and themes, wide and narrow: accessible, silent, looked at."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT
from gateway.domain.case import CaseStage
from gateway.ports import CaseFilter
from tests.browser.conftest import Person, person, violations
from tests.support.console import Served, hostile, serving

pytestmark = [pytest.mark.slow, pytest.mark.browser]
SCREENS = Path(__file__).parents[2] / "build" / "screens"
WIDTHS = (1280, 390)
# What each page is called on its screenshots, its address, and who looks.
PAGES = {
    "today": ("/", "supervisor"),
    "review": ("/review", "supervisor"),
    "review-beside": ("/review/{mismatch}?view=all", "supervisor"),
    "cases": ("/cases", "supervisor"),
    "case-diff": ("/cases/{mismatch}/diff", "supervisor"),
    "case-timeline": ("/cases/{released}/timeline", "supervisor"),
    "case-documents": ("/cases/{released}/documents", "supervisor"),
    "case-declaration": ("/cases/{released}/declaration", "supervisor"),
    "case-rejected": ("/cases/{rejected}/declaration", "supervisor"),
    "case-attempts": ("/cases/{released}/attempts", "supervisor"),
    "evidence": ("/cases/{released}/evidence", "supervisor"),
    "case-audit": ("/cases/{released}/audit", "supervisor"),
    "repair": ("/cases/{mismatch}/repair", "supervisor"),
    "repairs": ("/repairs", "supervisor"),
    "packs": ("/packs", "supervisor"),
    "pack-edit": ("/packs/edit", "supervisor"),
    "hold": ("/cases/{mismatch}/do/hold", "supervisor"),
    "hostile-diff": ("/cases/{hostile}/diff?origin=yes", "supervisor"),
    "hostile-repair": ("/cases/{hostile}/repair", "supervisor"),
    "search": ("/search?q=nothing", "supervisor"),
    "unknown": ("/unknown", "supervisor"),
    "approvals": ("/approvals", "supervisor"),
    "deliveries": ("/deliveries?status=done", "supervisor"),
    "notices": ("/notices?status=done", "supervisor"),
    "rules": ("/rules", "supervisor"),
    "rule": ("/rules/PAYMENT-AMOUNT", "supervisor"),
    "adapters": ("/adapters", "operator"),
    "keys": ("/keys", "operator"),
    "schemas": ("/schemas", "operator"),
    "audit": ("/audit", "supervisor"),
    "settings": ("/settings", "supervisor"),
    "people": ("/settings/people", "operator"),
    "missing": ("/cases/none/diff", "supervisor"),
    "repair-one": ("{repair}", "supervisor"),
    "pack-one": ("{pack}", "supervisor"),
}
PACK = 'name = "looked-at"\nversion = {}\nextends = "import-default"\n'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    orders = list(demo_orders(PROFILE, 100, seed=1))
    orders += map(hostile, demo_orders(PROFILE, 1, seed=2, problems=False, run="X"))
    with serving(tmp_path_factory.mktemp("console"), orders, lively=True) as running:
        yield running


@pytest.fixture(scope="module")
def places(served: Served) -> dict[str, str]:
    """A case of each kind that addresses name."""

    async def find() -> dict[str, str]:
        found: dict[str, str] = {}
        for stage in (CaseStage.MISMATCH, CaseStage.RELEASED, CaseStage.REJECTED):
            wanted = CaseFilter(stages=frozenset({stage}))
            for row in (await served.gateway.reads.cases(TENANT, wanted, None, 200)).items:
                is_hostile = "-X" in row.key.order_no
                found.setdefault("hostile" if is_hostile else stage.value, row.key.case_id)
        return found

    return served.run(find())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("half", ["first", "second"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_is_accessible_and_silent(
    browser: Browser, served: Served, places: dict[str, str], language: str, half: str
) -> None:
    only = os.environ.get("CLEARANCE_PAGES", "")
    found: list[str] = []
    folder = SCREENS / language
    folder.mkdir(parents=True, exist_ok=True)
    usable: dict[str, int] = {}
    people = {role: person(browser, served, role, language=language)
              for role in ("supervisor", "operator")}  # fmt: skip
    is_second = half == "second"
    made = _made(people["supervisor"], places, language) if is_second else {}
    middle = len(PAGES) // 2
    names = list(PAGES)[middle:] if is_second else list(PAGES)[:middle]
    for name in names:
        path, role = PAGES[name]
        if not re.search(only, name):
            continue
        somebody = people[role]
        page = somebody.go(path.format(**places, **made))
        usable[name] = page.evaluate(USABLE_MS)
        found += _looked_over(somebody, folder, name)
        assert page.evaluate("window.hacked === undefined")
    if is_second:
        found += _dialogs(people["supervisor"], places, folder)
    _told(usable, folder, half)
    for somebody in people.values():
        found += somebody.faults
        somebody.context.close()
    assert not found, "\n".join(found)


# When scripts have run and the page listens, from the click on: what somebody waits for.
USABLE_MS = """() => {
  const [one] = performance.getEntriesByType("navigation");
  return Math.round(one.domContentLoadedEventEnd);
}"""


def _told(usable: dict[str, int], folder: Path, half: str) -> None:
    """How long each page took, the slowest first: printed and kept beside the screenshots."""
    slowest = sorted(usable.items(), key=lambda one: -one[1])
    lines = [f"{millis:6} ms  {name}" for name, millis in slowest]
    (folder / f"usable-{half}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    print(
        f"usable after ({folder.name}):", ", ".join(f"{name} {ms} ms" for name, ms in slowest[:5])
    )


def _made(somebody: Person, places: dict[str, str], language: str) -> dict[str, str]:
    """A repair and a pack that wait for a second person: where their pages are."""
    page = somebody.go(f"/cases/{places['hostile']}/repair")
    page.locator("form[data-confirm] button.primary").click()
    somebody.arrive("/repairs/*")
    made = {"repair": somebody.path.partition("?")[0]}
    page = somebody.go("/packs/edit")
    page.fill("#field-text", PACK.format(len(language)))
    page.locator("button[value=propose]").click()
    somebody.arrive("/packs/looked-at@*")
    return made | {"pack": somebody.path.partition("?")[0]}


def _dialogs(somebody: Person, places: dict[str, str], folder: Path) -> list[str]:
    """What opens over a page: help, the command menu, the end of a session, a shown value."""
    found: list[str] = []
    page = somebody.go("/review")
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    for name in ("help", "palette", "expiry"):
        page.evaluate("(name) => document.getElementById(name).showModal()", name)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            found += [f"{name} {theme} {line}" for line in violations(page)]
        page.screenshot(path=folder / f"dialog-{name}.png")
        page.keyboard.press("Escape")
    page = somebody.go(f"/cases/{places['mismatch']}/do/reveal?path=order.buyer.id_number")
    page.select_option("#field-reason", "audit")
    page.locator("form[data-confirm] button.primary").click()
    page.wait_for_selector(".revealed")
    return found + _looked_over(somebody, folder, "revealed")


def _looked_over(somebody: Person, folder: Path, name: str) -> list[str]:
    """Both themes at both widths, with two screenshots."""
    page, found = somebody.page, []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            seen = violations(page, colours_only=theme == "dark")
            found += [f"{theme} {width} {line}" for line in seen]
            if (theme == "light") == (width == WIDTHS[0]):
                page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
        wider = page.evaluate("document.documentElement.scrollWidth") - width
        if wider > 0:
            found.append(f"{page.url}: {wider} px wider than {width}")
    return found
