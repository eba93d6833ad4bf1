"""A case as it stood at any past moment, and as a file of evidence that needs no gateway."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.ledger import Ledger
from gateway.app.cli import build
from gateway.app.config import load_settings
from gateway.app.demo import feed, standing
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare, quick, strangers
from gateway.app.opening import open_office
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.ports import CaseFilter
from gateway.ports.people import LogFilter
from store.console_log import SqlConsoleLog
from store.keys import KeyRole
from tests.crash.gateway_process import write_config
from tests.tools import require_tool

pytestmark = pytest.mark.slow
ORDER = next(
    one
    for one in demo_orders(PROFILE, 40, seed=11, problems=False)
    if one.order_no.startswith("SIM-RELEASE-")
)


class Shell:
    """The command line over a deployment whose gateway runs."""

    def __init__(self, config: Path, ledger: Ledger) -> None:
        self.config = config
        self.ledger = ledger

    def at_customs(self) -> set[str]:
        """The digests of the messages that customs got, by its own account."""
        filed = (*self.ledger.orders.values(), *self.ledger.inventories.values())
        return {version.digest for one in filed for version in one.versions}

    async def run(self, *words: str) -> Result:
        line = ["--config", str(self.config), *words]
        return await asyncio.to_thread(CliRunner().invoke, build(), line)

    async def json(self, *words: str) -> Any:
        done = await self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        return orjson.loads(done.stdout)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shell(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    """One order that was mended, then released; its gateway still runs."""
    folder = tmp_path_factory.mktemp("back")
    settings = prepare(folder)
    async with running(settings) as (gateway, serving):
        assert serving is not None
        await furnish(gateway, demo_profile())
        customs = quick(CustomsSettings.demo())
        async with strangers(settings, gateway, serving.address, customs, seed=1) as them:
            key = await gateway.keys.new(TENANT, KeyRole.SELLER, "test")
            wrong = replace(ORDER, payment={**(ORDER.payment or {}), "amount": "1.00"})
            await feed(serving.address, key.token, [wrong])
            await feed(serving.address, key.token, [ORDER])
            async with asyncio.timeout(30):
                while True:
                    counts, is_quiet = await standing(gateway)
                    if counts.get(CaseStage.RELEASED) and is_quiet:
                        break
                    await asyncio.sleep(0.1)
            page = await gateway.reads.cases(TENANT, CaseFilter(), None, 10)
            assert [row.stage for row in page.items] == [CaseStage.RELEASED]
            config = folder / "clearance.toml"
            write_config(settings, config)
            yield Shell(config, them.authority.ledger)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_case_is_shown_as_it_stood_after_each_of_its_events(shell: Shell) -> None:
    now = await shell.json("case", ORDER.order_no, "-t", TENANT)
    stages: list[str] = []
    for event in now["timeline"]:
        then = await shell.json("case", ORDER.order_no, "-t", TENANT, "--at", event["at"])
        assert then["as_of"] == event["at"]
        assert then["timeline"] == [one for one in now["timeline"] if one["at"] <= event["at"]]
        assert all(one["at"] <= event["at"] for one in then["receipts"])
        stages.append(then["stage"])
    assert stages[0] in ("mismatch", "collecting", "blocked")
    assert stages[-1] == now["stage"] == "released"
    assert stages.index("mismatch") < stages.index("waiting_filings") < stages.index("released")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_papers_of_then_are_shown(shell: Shell) -> None:
    now = await shell.json("case", ORDER.order_no, "-t", TENANT)
    first = await shell.json("case", ORDER.order_no, "-t", TENANT, "--at", now["timeline"][0]["at"])
    assert first["papers"]["payment"]["content"]["amount"] == "1"
    assert first["verdict"]["kind"] == "mismatch"
    assert (first["declarations"], first["messages"]) == ([], [])
    assert [one["type"] for one in first["notices"]] == ["case.mismatch"]
    assert now["papers"]["payment"]["content"]["amount"] != "1"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "when, told",
    [
        ("2001-01-01T00:00", "did not exist yet"),
        ("yesterday", "write it like 2026-11-28T10:15"),
        ("2999-01-01T00:00", "时间晚于现在"),
    ],
)
async def test_a_moment_that_cannot_be_shown_is_refused(shell: Shell, when: str, told: str) -> None:
    done = await shell.run("case", ORDER.order_no, "-t", TENANT, "--at", when)
    assert (done.exit_code, told in done.stderr) == (2, True), done.output


async def taken(shell: Shell, folder: Path) -> Path:
    """The evidence of the order, unpacked."""
    zipped = folder / "case.zip"
    words = ("--reason", "dispute 17", "--out", str(zipped))
    told = await shell.json("evidence", ORDER.order_no, "-t", TENANT, *words)
    assert (told["file"], told["size_bytes"]) == (str(zipped), zipped.stat().st_size)
    assert zipped.stat().st_mode & 0o077 == 0
    unpacked = folder / "case"
    with zipfile.ZipFile(zipped) as file:
        file.extractall(unpacked)
    return unpacked


def verified(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What the zip's own program says, with nothing of ours to import."""
    command = [sys.executable, "-I", str(folder / "verify.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.asyncio(loop_scope="module")
async def test_evidence_proves_itself_and_any_change_shows(shell: Shell, tmp_path: Path) -> None:
    require_tool("openssl")
    folder = await taken(shell, tmp_path)
    trusted = tmp_path / "trusted.pem"
    trusted.write_text((await shell.run("evidence", "--public-key")).stdout)
    assert trusted.read_bytes() == (folder / "public-key.pem").read_bytes()
    done = verified(folder, "--key", str(trusted))
    assert (done.returncode, "everything fits" in done.stdout) == (0, True), done.stdout

    listed = [one["path"] for one in orjson.loads((folder / "manifest.json").read_bytes())["files"]]
    kinds = {path.partition("/")[0] for path in listed}
    assert kinds == {"attempts.ndjson", "events.ndjson", "messages", "papers", "raw", "receipts"}
    for path in listed:
        target = folder / path
        kept = target.read_bytes()
        target.write_bytes(kept + b" ")
        done = verified(folder)
        assert (done.returncode, f"{path}: changed" in done.stdout) == (1, True), path
        target.write_bytes(kept)

    events = folder / "events.ndjson"
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:-1]))
    assert "the chain does not end where the manifest says" in verified(folder).stdout
    events.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    assert "event 1 does not follow" in verified(folder).stdout
    events.write_bytes(b"".join(lines))

    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"dispute 17", b"dispute 18"))
    assert "the manifest is not signed with this key" in verified(folder).stdout


@pytest.mark.asyncio(loop_scope="module")
async def test_evidence_holds_the_very_bytes_and_is_written_down(
    shell: Shell, tmp_path: Path
) -> None:
    folder = await taken(shell, tmp_path)
    sent = {hashlib.sha256(one.read_bytes()).hexdigest() for one in (folder / "messages").iterdir()}
    assert sent == shell.at_customs()
    raws = [path.read_bytes().splitlines() for path in (folder / "raw").iterdir()]
    assert {orjson.loads(line)["type"] for lines in raws for line in lines} == {
        "order", "payment", "waybill",
    }  # fmt: skip
    again = await shell.run("evidence", ORDER.order_no, "-t", TENANT, "--reason", "x", "--out",
                            str(tmp_path / "case.zip"))  # fmt: skip
    assert again.exit_code == 2
    refused = await shell.run("evidence", ORDER.order_no, "-t", TENANT)
    assert (refused.exit_code, "the reason" in refused.stderr) == (2, True)
    async with open_office(load_settings(shell.config)) as office_:
        log = SqlConsoleLog(office_.access, office_.clock)
        page = await log.entries(TENANT, LogFilter(action="evidence_taken"), None, 10)
    assert page.items[0].detail["reason"] == "dispute 17"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_watch_knows_how_long_steps_took(shell: Shell) -> None:
    found = await shell.json("watch", "-t", TENANT)
    reached = {(one["kind"], one["reached"]) for one in found["stage_times"]}
    assert {("order", "stored"), ("inventory", "released")} <= reached
    assert all(one["cases"] == 1 for one in found["stage_times"])
    assert found["stuck"] == []
    assert [(one["waiting"], one["empty_in_s"]) for one in found["at_customs"]] == [(0, "0.0")]
    assert (await shell.run("watch", "-t", TENANT)).exit_code == 0
