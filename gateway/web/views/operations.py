"""What operators and auditors watch: channels, adapters, keys, schemas, the audit."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.domain.codec import to_micros
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId
from gateway.ports.console import HistoryFilter
from gateway.ports.people import ChainReport, LogFilter
from gateway.web.call import Answer, Call, Go, Grid, Missing, Page
from gateway.web.services import WebServices
from gateway.web.words import EVENTS, N_

_LIMIT: Final = 100
_CHECKED: Final = 50


class Operations:
    """Pages about the gateway itself."""

    def __init__(self, services: WebServices) -> None:
        self._services = services

    async def adapters(self, call: Call) -> Page:
        """Channels and adapters: reachable, paused, what they may do."""
        operations = self._services.operations
        parked = await self._services.reads.parked(call.tenant)
        model = {
            "channels": operations.channels(),
            "adapters": operations.adapters(),
            "ready": await operations.ready(),
            "parked": parked,
        }
        columns = (N_("Adapter"), N_("Kind"), N_("Limits"))
        grid = Grid(
            "adapters",
            columns,
            [(one.id, one.kind, _shown(one.limits)) for one in operations.adapters()],
        )
        return Page(
            "adapters.html", N_("Channels and adapters"), model, grid=grid, extra={"fault": ""}
        )

    async def switch_channel(self, call: Call) -> Answer:
        """Pause a channel, with a reason, or let it send again."""
        name = call.match("channel")
        note = call.field("note", 500)
        if call.field("on") == "yes":
            done = await self._services.operations.resume(name)
            action = "channel_resumed"
        else:
            done = await self._services.operations.pause(name, call.actor, note or "-")
            action = "channel_paused"
        if done:
            await self._services.log.note(None, call.actor, action, name, {"note": note})
        return Go("/adapters", "channel")

    async def aside(self, call: Call) -> Answer:
        """Have what was put aside read again, or put it away; with a reason."""
        parked_id, note = call.match("parked_id"), call.field("note", 500)
        work = self._services.work
        if len(note) < 3:
            return replace(await self.adapters(call), status=422, extra={"fault": "note"})
        if call.field("do") == "again":
            done = await work.read_again(call.tenant, parked_id)
            action = "receipt_retried"
        else:
            done = await work.put_away(call.tenant, parked_id, call.actor)
            action = "parked_dismissed"
        if not done:
            raise Missing
        await self._services.log.note(call.tenant, call.actor, action, parked_id, {"reason": note})
        return Go("/adapters", action)

    async def keys(self, call: Call) -> Answer:
        """Signing keys by their certificates."""
        keys = self._services.operations.keys()
        columns = (N_("Key ring"), N_("Certificate"), N_("Kind"), N_("Fingerprint"), N_("State"))
        grid = Grid(
            "keys",
            columns,
            [
                (one.ring, one.serial, f"{one.kind} {one.bits}", one.fingerprint,
                 "valid" if one.is_valid else "not valid")
                for one in keys
            ],
        )  # fmt: skip
        return Page("keys.html", N_("Keys"), {"keys": keys}, grid=grid)

    async def schemas(self, call: Call) -> Answer:
        """Schema sets and the days they came into force."""
        return Page("schemas.html", N_("Schemas"), {"schemas": self._services.operations.schemas()})

    async def audit(self, call: Call) -> Answer:
        """Events of cases and what people did, by who, what and when."""
        kind, actor = call.query("kind"), call.query("actor").strip()
        since, until = self._day(call.query("since"), 0), self._day(call.query("until"), 1)
        is_file = call.request.path.endswith((".csv", ".xlsx"))
        events = await self._services.reads.history(
            call.tenant,
            HistoryFilter(
                actor=actor or None,
                kind=kind if kind in EVENTS else None,
                case_id=call.query("case") or None,
                since=since,
                until=until,
            ),
            2000 if is_file else _LIMIT,
        )
        entries = await self._services.log.entries(
            call.tenant,
            LogFilter(
                actor=actor or None,
                subject=call.query("case") or None,
                since=since,
                until=until,
            ),
            None,
            _LIMIT,
        )
        model: dict[str, object] = {
            "kind": kind,
            "actor": actor,
            "case": call.query("case"),
            "since": call.query("since"),
            "until": call.query("until"),
            "events": [
                {
                    "at": one.at,
                    "case": one.case_id,
                    "order_no": one.order_no,
                    "seq": one.seq,
                    "kind": one.event.kind.value,
                    "by": one.event.payload.get("by"),
                    "hash": one.hash.hex(),
                }
                for one in events
            ],
            "entries": entries.items,
            "checkpoint": await self._services.reads.checkpoint(),
            "checked": None,
        }
        return self._audit_page(model)

    def _audit_page(self, model: dict[str, object]) -> Page:
        events = model["events"]
        assert isinstance(events, list)
        grid = Grid(
            "audit",
            (N_("Time (UTC µs)"), N_("Order number"), N_("Event"), N_("Who"), N_("Link")),
            [
                (str(one["at"]), one["order_no"], one["kind"], one["by"], one["hash"])
                for one in events
            ],
        )
        kinds = [kind.value for kind in EventKind]
        return Page("audit.html", N_("Audit"), model, grid=grid, extra={"kinds": kinds})

    async def check(self, call: Call) -> Answer:
        """Walk the chain of what people did, and those of the newest cases."""
        people = await self._services.log.check()
        newest = await self._services.reads.history(call.tenant, HistoryFilter(), 500)
        cases = list(dict.fromkeys(one.case_id for one in newest))[:_CHECKED]
        links, broken = 0, []
        for case_id in cases:
            report: ChainReport = await self._services.reads.check_case(
                call.tenant, CaseId(case_id)
            )
            links += report.checked
            if report.broken_at is not None:
                broken.append({"case": case_id, "at": report.broken_at})
        await self._services.log.note(
            call.tenant,
            call.actor,
            "chain_checked",
            None,
            {"cases": len(cases), "links": links, "broken": len(broken)},
        )
        model = {
            "people": people,
            "cases": len(cases),
            "links": links,
            "broken": broken,
            "checkpoint": await self._services.reads.checkpoint(),
            "at": call.now,
        }
        return Page("chain.html", N_("Chain check"), model)

    def _day(self, text: str, plus: int) -> int | None:
        """The beginning of a day in the console's zone; None for what is no day."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        zone = ZoneInfo(self._services.settings.time_zone)
        return to_micros(datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=plus))


def _shown(limits: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in limits.items())
