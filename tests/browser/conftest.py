"""One headless Chromium for each module, and somebody who uses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.console import PASSWORD, Served
from tests.tools import require_tool

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The rules whose answer a theme can change.
COLOURS = ["color-contrast", "link-in-text-block"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, driven by Playwright.

    While it is there a loop runs in this thread, so no test with a loop of its own can: it ends
    with its module.
    """
    path = require_tool("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(autouse=True)
def _marked(request: pytest.FixtureRequest) -> None:
    request.node.add_marker(pytest.mark.browser)


@dataclass
class Person:
    """Somebody at a browser, with everything that went wrong there."""

    served: Served
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)
    keystrokes: int = 0

    def go(self, path: str) -> Page:
        self.page.goto(self.served.address + "/console" + path)
        return self.page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.keystrokes += 1
            self.page.keyboard.press(key)

    def tab_to(self, text: str) -> None:
        """Press Tab until what has the focus says ``text``."""
        for _ in range(200):
            self.press("Tab")
            if text in self.page.evaluate("document.activeElement.innerText || ''"):
                return
        raise AssertionError(f"no Tab leads to {text!r}")

    def arrive(self, pattern: str) -> None:
        self.page.wait_for_url(f"**/console{pattern}", wait_until="load")

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.served.address + "/console")

    def sign_in(self, login: str) -> None:
        self.go("/login")
        self.page.fill("#login", login)
        self.page.fill("#password", PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/console/")


def person(
    browser: Browser, served: Served, login: str, *, language: str = "en", **options: Any
) -> Person:
    """A browser window of its own, signed in."""
    context = browser.new_context(locale=language, viewport={"width": 1280, "height": 900},
                                  reduced_motion="reduce", **options)  # fmt: skip
    context.set_default_timeout(15_000)
    page = context.new_page()
    somebody = Person(served, context, page)
    page.on("console", lambda line: _noted(somebody, line.type, line.text))
    page.on("pageerror", lambda error: somebody.faults.append(f"{page.url}: {error}"))
    somebody.sign_in(login)
    return somebody


def _noted(somebody: Person, kind: str, text: str) -> None:
    # Pages that say what is missing in a form, or that there is nothing, are no faults.
    is_answer = any(f"status of {code}" in text for code in (401, 404, 409, 422))
    if kind in ("error", "warning") and not is_answer:
        somebody.faults.append(f"{somebody.page.url}: {kind}: {text}")


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def violations(page: Page, *, colours_only: bool = False) -> list[str]:
    """What axe-core holds against the page as it is shown now, a line each."""
    if colours_only:
        wanted = {"type": "rule", "values": COLOURS}
    else:
        wanted = {"type": "tag", "values": AXE_TAGS}
    if not page.evaluate("typeof axe === 'object'"):
        # A script element would be refused by the page's own policy.
        page.evaluate(_axe())
    found = page.evaluate(
        """async (wanted) => {
          const ran = await axe.run(document, {
            runOnly: wanted, resultTypes: ["violations"], iframes: false, preload: false,
          });
          return ran.violations.map((one) => `${one.id}: ` + one.nodes.slice(0, 3).map(
            (node) => node.html.slice(0, 160) + " " + node.any.map((a) => a.message).join(" ")
          ).join(" | "));
        }""",
        wanted,
    )
    return [f"{page.url}: {line}" for line in found]
