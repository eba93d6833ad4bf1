"""Rule packs: written, checked, tried on history, put beside the one in force, handed over.

Nobody puts in force what they proposed themselves.
"""

from collections.abc import Mapping, Sequence
from difflib import unified_diff
from typing import Any, Final

from gateway.domain.errors import InvalidValue, PackInvalid
from gateway.domain.matching import builtin_names, builtin_text, compile_pack
from gateway.flow.packs import MOVES, Differences
from gateway.ports.packs import PackScope, PackStage, StoredPack
from gateway.web.call import Answer, Call, Go, Grid, Missing, Page
from gateway.web.services import WebServices
from gateway.web.views.review import title_of
from gateway.web.words import N_

TRIED_CASES: Final = 500
"""How many of the newest cases a pack is tried on."""
_SHADOW_CASES: Final = 5_000
_DAYS: Final = {"1": 1, "7": 7, "30": 30}
_DAY_US: Final = 24 * 3600 * 1_000_000
_LONGEST: Final = 200_000


class Packs:
    """The pages under ``/packs``."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._office = services.packs
        self._trial = services.trial

    async def listing(self, call: Call) -> Answer:
        """Every version of this tenant, and the packs that come with the gateway."""
        found = await self._office.book.packs(call.tenant)
        lines = [_line(one) for one in reversed(found)]
        columns = (N_("Version"), N_("Port"), N_("State"), N_("Proposed by"), N_("Decided by"))
        grid = Grid(
            "packs",
            columns,
            [
                (one["pack"], one["port"], one["stage"], one["proposed_by"], one["decided_by"])
                for one in lines
            ],
        )
        model = {"packs": lines, "builtin": list(builtin_names())}
        return Page("packs.html", N_("Rule packs"), model, grid=grid)

    async def edit(self, call: Call) -> Answer:
        """The text of a version to begin from, or of a new pack."""
        label, name = call.query("from"), call.query("builtin")
        port, text = "", _NEW
        if name in builtin_names():
            text = builtin_text(name)
        elif label:
            found = await self._found(call, label, call.query("port"))
            port, text = found.scope.port, found.text
        return self._editor(text, port, {}, ())

    def _editor(
        self,
        text: str,
        port: str,
        faults: Mapping[str, str],
        lines: Sequence[str],
        report: Mapping[str, Any] | None = None,
        label: str = "",
    ) -> Page:
        model = {"faults": dict(faults), "lines": list(lines), "report": report, "checked": label}
        extra = {"text": text, "port": port, "days": _DAYS, "tried": TRIED_CASES}
        status = 422 if faults or lines else 200
        return Page("pack_edit.html", N_("Write a rule pack"), model, status, extra=extra)

    async def send(self, call: Call) -> Answer:
        """Check the text, try it on history, or keep it as a proposal."""
        text = call.form.get("text", "")[:_LONGEST].replace("\r\n", "\n")
        port = call.field("port")
        if port and not (port.isdecimal() and len(port) == 4):
            return self._editor(text, port, {"port": "port"}, ())
        if not text.strip():
            return self._editor(text, port, {"text": "text"}, ())
        try:
            pack = compile_pack(text, self._office.find)
        except PackInvalid as error:
            locale = "en" if call.language == "en" else "zh"
            return self._editor(text, port, {}, [one.told(locale) for one in error.details])
        label = f"{pack.name}@{pack.version}"
        match call.field("do"):
            case "try":
                days = _DAYS.get(call.field("days"), 7)
                found = await self._trial.on_history(
                    call.tenant, text, call.now - days * _DAY_US, TRIED_CASES
                )
                await self._services.log.note(
                    call.tenant, call.actor, "pack_tried", label, {"cases": found.cases}
                )
                return self._editor(text, port, {}, (), self._report(call, found), label)
            case "propose":
                return await self._propose(call, text, port)
            case _:
                return self._editor(text, port, {}, (), None, label)

    async def _propose(self, call: Call, text: str, port: str) -> Answer:
        scope = PackScope(call.tenant, port)
        try:
            made = await self._office.propose(scope, text, call.actor, call.now)
        except InvalidValue as error:
            return self._editor(text, port, {"text": error.path}, ())
        return Go(_address(made), "pack_proposed")

    async def _found(self, call: Call, label: str, port: str) -> StoredPack:
        found = await self._office.found(PackScope(call.tenant, port), label)
        if found is None:
            raise Missing
        return found

    async def one(self, call: Call) -> Answer:
        """A version: what it changes, what its shadow saw, and who decides on it."""
        return await self._one(call, await self._found(call, call.match("label"), _port(call)), {})

    async def _one(self, call: Call, pack: StoredPack, faults: Mapping[str, str]) -> Page:
        report = None
        if pack.stage is PackStage.SHADOW:
            report = self._report(call, await self._trial.of_shadow(pack, _SHADOW_CASES))
        packs = await self._office.book.packs(call.tenant)
        before = next(
            (
                one
                for one in packs
                if one.scope == pack.scope and one.stage is PackStage.ACTIVE and one != pack
            ),
            None,
        )
        model = {**_line(pack), "report": report, "faults": dict(faults),
                 "compared_with": before.label if before else None}  # fmt: skip
        extra = {
            "text": pack.text,
            "changes": _changes(before.text if before else "", pack.text),
            "moves": [one.value for one in MOVES[pack.stage]],
            "is_own": pack.proposed_by == call.actor,
        }
        return Page("pack.html", pack.label, model, 422 if faults else 200, extra=extra)

    def _report(self, call: Call, found: Differences) -> dict[str, Any]:
        doc = found.to_doc()
        locale = "en" if call.language == "en" else "zh"
        rules = [
            {
                "change": text[:1],
                "rule": text[1:].partition(":")[0],
                "severity": text.rpartition(":")[2],
                "title": title_of(text[1:].partition(":")[0], locale),
                "cases": count,
            }
            for text, count in sorted(doc["rules"].items(), key=lambda one: (-one[1], one[0]))
        ]
        verdicts = [
            {"before": before, "after": after, "cases": count}
            for (before, after), count in (
                (text.split(" -> "), count) for text, count in doc["verdicts"].items()
            )
        ]
        return {
            "cases": found.cases,
            "differing": found.differing,
            "around": found.around.value,
            "rules": rules,
            "verdicts": verdicts,
        }

    async def move(self, call: Call) -> Answer:
        """Put a version in the shadow or in force, or take it out of use."""
        pack = await self._found(call, call.match("label"), call.field("port"))
        wanted = call.field("stage")
        if wanted not in {one.value for one in MOVES[pack.stage]}:
            return await self._one(call, pack, {"": "stage"})
        stage = PackStage(wanted)
        try:
            moved = await self._office.move(pack.scope, pack.label, stage, call.actor, call.now)
        except InvalidValue as error:
            return await self._one(call, pack, {"": error.path})
        return Go(_address(moved), f"pack_{stage.value}")


_NEW: Final = """\
name = "own"
version = 1
extends = "import-default"

[rules.TAX-AMOUNT]
severity = "note"
"""


def _port(call: Call) -> str:
    return call.query("port")


def _address(pack: StoredPack) -> str:
    return f"/packs/{pack.label}" + (f"?port={pack.scope.port}" if pack.scope.port else "")


def _line(pack: StoredPack) -> dict[str, Any]:
    return {
        "pack": pack.label,
        "port": pack.scope.port,
        "stage": pack.stage.value,
        "proposed_by": pack.proposed_by,
        "proposed_at": pack.proposed_at,
        "decided_by": pack.decided_by,
        "decided_at": pack.decided_at,
    }


def _changes(before: str, after: str) -> list[tuple[str, str]]:
    """The lines that differ, each ``+``, ``-``, ``@`` or a blank for what stands round it."""
    lines = unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    return [(line[:1], line[1:]) for line in list(lines)[2:]]
