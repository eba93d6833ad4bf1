"""Live updates: a stream that says which cases moved; pages fetch again what they show."""

import asyncio
from typing import Final

import orjson
from aiohttp import web

from gateway.ports.console import HistoryFilter
from gateway.web.call import Answer, Call, Page, Stream
from gateway.web.services import WebServices
from gateway.web.words import N_

_EVERY_S: Final = 2
_LONGEST_S: Final = 600
_MOST: Final = 50


class Live:
    """The stream ``/events``: ids only, never what stands in a case."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self.draining = asyncio.Event()

    async def stream(self, call: Call) -> Answer:
        """Which cases moved since the page was opened; ends by itself after ten minutes."""

        async def write(response: web.StreamResponse) -> None:
            seen = await self._newest(call)
            await response.write(b"retry: 5000\nevent: ready\ndata: {}\n\n")
            for _ in range(_LONGEST_S // _EVERY_S):
                try:
                    async with asyncio.timeout(_EVERY_S):
                        await self.draining.wait()
                    return
                except TimeoutError:
                    pass
                now = await self._newest(call)
                moved = [case_id for case_id, seq in now.items() if seen.get(case_id, 0) < seq]
                seen = now
                text = orjson.dumps({"cases": moved[:_MOST], "count": len(moved)}).decode()
                kind = "moved" if moved else "quiet"
                await response.write(f"event: {kind}\ndata: {text}\n\n".encode())

        return Stream(write)

    async def changes(self, call: Call) -> Answer:
        """What changed of an open case since it was shown, and by whom."""
        case_id, seen = call.match("case_id"), call.query("seq")
        events = await self._services.reads.history(
            call.tenant, HistoryFilter(cases=frozenset({case_id})), _MOST
        )
        since = int(seen) if seen.isdecimal() else 0
        model = {
            "case": case_id,
            "changes": [
                {"at": one.at, "kind": one.event.kind.value, "by": one.event.payload.get("by")}
                for one in events
                if one.seq > since
            ],
        }
        return Page("partials/changes.html", N_("The case has changed"), model)

    async def _newest(self, call: Call) -> dict[str, int]:
        events = await self._services.reads.history(call.tenant, HistoryFilter(), 200)
        newest: dict[str, int] = {}
        for one in events:
            newest[one.case_id] = max(one.seq, newest.get(one.case_id, 0))
        return newest
