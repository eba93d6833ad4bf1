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
}


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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_is_accessible_and_silent(
    browser: Browser, served: Served, places: dict[str, str], language: str
) -> None:
    only = os.environ.get("CLEARANCE_PAGES", "")
    found: list[str] = []
    folder = SCREENS / language
    folder.mkdir(parents=True, exist_ok=True)
    people = {role: person(browser, served, role, language=language)
              for role in ("supervisor", "operator")}  # fmt: skip
    for name, (path, role) in PAGES.items():
        if not re.search(only, name):
            continue
        somebody = people[role]
        somebody.go(path.format(**places))
        found += _looked_over(somebody, folder, name)
        assert somebody.page.evaluate("window.hacked === undefined")
    for somebody in people.values():
        found += somebody.faults
        somebody.context.close()
    assert not found, "\n".join(found)


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
