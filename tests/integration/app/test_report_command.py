"""``clearance report`` and ``clearance ask``: what became of parcels, what is wanted of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.app.cli import build
from gateway.app.commands.frame import Common
from gateway.app.config import Settings
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind
from gateway.domain.profile import Consigning, Party
from tests.integration.customs.test_consignments import under
from tests.integration.customs.test_exports import exporting
from tests.support import exports

SITE = Party("3301960007", "示例监管作业场所有限公司")
WHO = ("--tenant", exports.TENANT, "--by", "li")
LEFT = ("--left-at", "2026-01-06T11:04+08:00")
HOME = ("--transport-no", "CK900", "--voyage-no", "CK900", "--bill-no", "180-H")


async def _released(folder: Path) -> Settings:
    lists = Consigning((DeclarationKind.MASTER_LIST,), 86400, SITE)
    async with exporting(folder, exports.profile(consigning=lists)) as desk:
        for number, bill in (("EX-A", "180-A"), ("EX-B", "180-B")):
            case_id = await desk.take(under(bill, exports.papers(number)))
            await desk.at(case_id, CaseStage.RELEASED)
        return desk.gateway.settings


def test_reports_and_wishes_are_taken_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = asyncio.run(_released(tmp_path))
    monkeypatch.setattr(Common, "settings", lambda self: settings)
    runner, app = CliRunner(), build()

    def ran(*arguments: str) -> tuple[int, str]:
        result = runner.invoke(app, [*arguments, *WHO])
        return result.exit_code, result.output

    for arguments, told in (
        (
            ("report", "departure", "EX-A", "EX-B", *LEFT),
            "EX-B: travels under another bill than the first / 与",
        ),
        (("report", "departure", "EX-A", "--left-at", "soon"), "is no time"),
        (("ask", "return", "EX-A", "--reason", "size"), "journey: is required"),
        (("ask", "return", "EX-A", "--reason", "size", *HOME[:2]), "needs both"),
        (("ask", "return", "EX-A", "--reason", "size", "--line", "1"), "write it like 1=2"),
    ):
        code, output = ran(*arguments)
        assert (code, told in output) == (2, True), output
    code, output = ran("report", "departure", "EX-A", *LEFT, "--json")
    assert (code, json.loads(output)["cases"][0]["stage"]) == (0, "released"), output
    code, output = ran(
        "ask", "return", "EX-A", "--reason", "size", "--line", "1=1", *HOME, "--json"
    )
    assert (code, json.loads(output)["reason"]) == (0, "export_return_filed")
    shown = runner.invoke(app, ["case", "EX-A", "--tenant", exports.TENANT, "--json"])
    planned = {
        one["data"]["kind"]: one["data"].get("by")
        for one in json.loads(shown.output)["timeline"]
        if one["type"] == "declaration_planned"
    }
    wanted = ("departure", "export_return", "export_inventory")
    assert [planned[one] for one in wanted] == ["cli:li", "cli:li", None]
