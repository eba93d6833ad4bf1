"""What operators and auditors watch: channels, adapters, keys, schemas, the audit."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import orjson

from gateway.domain.codec import from_micros, to_micros
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId
from gateway.ports import CaseFilter, CaseRow, StoredEvent
from gateway.ports.console import HistoryFilter
from gateway.ports.people import ChainReport, LogEntry, LogFilter
from gateway.web.call import Answer, Call, File, Go, Grid, Missing, Page
from gateway.web.services import WebServices
from gateway.web.words import EVENTS, N_

_LIMIT: Final = 100
_CHECKED: Final = 50
_MOST_EXPORTED: Final = 5_000
_LONGEST_NUMBER: Final = 64
_MOST_CASES: Final = 50
_ASKED: Final = ("actor", "case", "kind", "since", "until")


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
            "sources": await self._services.sources.listing(call.tenant),
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

    async def pull(self, call: Call) -> Answer:
        """Read a source on, or again from a day, and say what came of it."""
        name, day = call.match("source"), call.field("since", 10)
        since = self._day(day, 0)
        if day and since is None:
            return replace(await self.adapters(call), status=422, extra={"fault": "day"})
        done = await self._services.sources.pull(call.tenant, name, since)
        if done is None:
            raise Missing
        await self._services.log.note(
            call.tenant, call.actor, "source_pulled", name,
            {"since": day, "pages": done.pages, "papers": sum(done.statuses.values()),
             "fault": done.fault},
        )  # fmt: skip
        model = {"source": name, "since": day, "pulled": done}
        return Page("pulled.html", N_("Pulled"), model)

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
        is_file = call.request.path.endswith((".csv", ".xlsx"))
        asked = {name: call.query(name).strip() for name in _ASKED}
        events, entries = await self._found(call, asked, 2000 if is_file else _LIMIT)
        model: dict[str, object] = {
            **asked,
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
            "entries": entries[:_LIMIT],
            "checkpoint": await self._services.reads.checkpoint(),
            "checked": None,
        }
        return self._audit_page(model)

    async def _found(
        self, call: Call, asked: Mapping[str, str], limit: int
    ) -> tuple[Sequence[StoredEvent], Sequence[LogEntry]]:
        """The events and entries that are asked for, newest first."""
        since, until = self._day(asked["since"], 0), self._day(asked["until"], 1)
        actor, about = asked["actor"] or None, await self._about(call, asked["case"])
        kind = asked["kind"] if asked["kind"] in EVENTS else None
        events = await self._services.reads.history(
            call.tenant, HistoryFilter(actor, kind, about, since, until), limit
        )
        wanted = LogFilter(actor=actor, subjects=about, since=since, until=until)
        entries = await self._services.log.entries(call.tenant, wanted, None, limit)
        return events, entries.items

    async def _about(self, call: Call, number: str) -> frozenset[str]:
        """The cases with a number on any of their papers, else what bears it as its own id."""
        found: tuple[CaseRow, ...] = ()
        if 0 < len(number) <= _LONGEST_NUMBER:
            wanted = CaseFilter(number=number)
            found = (await self._services.cases.cases(call.tenant, wanted, None, _MOST_CASES)).items
        return frozenset(row.key.case_id for row in found) or frozenset(filter(None, [number]))

    async def export(self, call: Call) -> Answer:
        """What is asked for as a zip with a signed manifest, which openssl alone verifies."""
        asked = {name: call.field(name, 200) for name in _ASKED}
        events, entries = await self._found(call, asked, _MOST_EXPORTED)
        checkpoint = await self._services.reads.checkpoint()
        parts = {
            "events.ndjson": b"".join(
                orjson.dumps(
                    {
                        "case": one.case_id, "order_no": one.order_no, "seq": one.seq,
                        "at": one.at, "kind": one.event.kind.value,
                        "payload": one.event.payload, "hash": one.hash.hex(),
                    }
                ) + b"\n"
                for one in reversed(events)
            ),
            "people.ndjson": b"".join(
                orjson.dumps(
                    {
                        "seq": one.seq, "at": one.at, "actor": one.actor, "action": one.action,
                        "subject": one.subject, "detail": one.detail, "hash": one.hash.hex(),
                    }
                ) + b"\n"
                for one in reversed(entries)
            ),
        }  # fmt: skip
        about = {
            "tenant": call.tenant,
            "made_at": from_micros(call.now).isoformat(),
            "made_by": call.actor,
            "asked": asked,
            "events": len(events),
            "entries": len(entries),
            "is_whole": max(len(events), len(entries)) < _MOST_EXPORTED,
            "checkpoint": None if checkpoint is None else checkpoint.number,
        }
        body = await self._services.executor.run(self._services.seal, about, parts)
        await self._services.log.note(
            call.tenant, call.actor, "audit_exported", asked["case"] or None,
            {"asked": asked, "events": len(events), "entries": len(entries),
             "sha256": hashlib.sha256(body).hexdigest()},
        )  # fmt: skip
        return File(f"audit-{call.tenant}-{call.now // 1_000_000}.zip", body, "application/zip")

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
