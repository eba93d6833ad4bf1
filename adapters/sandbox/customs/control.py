"""A page and a small API beside the authority: what it knows, its scenarios, its clock.

``GET /`` is the page; ``GET /scenarios`` and ``GET /ledger`` are JSON. ``POST /clock`` with
``{"advance_s": N}`` lets time pass at once, for the delays of scenarios that take long.
"""

import html
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from adapters.sandbox.customs.authority import CustomsAuthority
from adapters.sandbox.customs.catalogue import catalogue
from adapters.sandbox.customs.folder import system_clock

_MOST_S: Final = 366 * 24 * 3600
_SHOWN: Final = 200


@dataclass(slots=True)
class Clock:
    """The machine's time and what it was moved on by."""

    real: Callable[[], datetime] = system_clock
    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """The authority's present moment."""
        return self.real() + self.ahead


def control_app(authority: CustomsAuthority, clock: Clock) -> web.Application:
    """The application to serve; it shows no personal data."""

    async def scenarios(request: web.Request) -> web.Response:
        return web.json_response({"scenarios": [one.to_dict() for one in catalogue()]})

    async def ledger(request: web.Request) -> web.Response:
        return web.json_response(authority.ledger.to_dict())

    async def advance(request: web.Request) -> web.Response:
        try:
            seconds = float((await request.json())["advance_s"])
        except (ValueError, KeyError, TypeError):
            seconds = -1.0
        if not 0 <= seconds <= _MOST_S:
            return web.json_response(
                {"error": f"advance_s must be a number from 0 to {_MOST_S}"}, status=422
            )
        clock.ahead += timedelta(seconds=seconds)
        return web.json_response({"now": clock().isoformat()})

    async def page(request: web.Request) -> web.Response:
        text = _page(authority, clock())
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    app = web.Application(client_max_size=64 * 1024)
    app.router.add_get("/", page)
    app.router.add_get("/scenarios", scenarios)
    app.router.add_get("/ledger", ledger)
    app.router.add_post("/clock", advance)
    return app


def _page(authority: CustomsAuthority, now: datetime) -> str:
    ledger = authority.ledger
    books = (ledger, ledger.exports) if ledger.exports is not None else (ledger,)
    filings = [
        one for book in books for one in (*book.orders.values(), *book.inventories.values())
    ][-_SHOWN:]
    known = "".join(
        _row(one.kind.value, one.order_key[1], one.scenario.name.value, " ".join(one.trail))
        for one in reversed(filings)
    )
    listed = "".join(_row(one.order_no, one.text.zh, one.text.en) for one in catalogue())
    return (
        "<!doctype html><html lang='zh'><head><meta charset='utf-8'><title>沙箱海关 Sandbox"
        " customs</title><style>body{font:14px sans-serif;margin:2em}td{padding:.2em .8em;"
        "border-top:1px solid #ccc}</style></head><body><h1>沙箱海关 Sandbox customs</h1>"
        f"<p>{now:%Y-%m-%d %H:%M:%S} UTC; 报文 messages {len(ledger.messages)}, 回执文件 receipt"
        f" files {ledger.files}</p><h2>申报 Filings</h2><table>{known}</table>"
        f"<h2>场景 Scenarios</h2><table>{listed}</table></body></html>"
    )


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
