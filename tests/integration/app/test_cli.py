"""A new user's walk through the command line on a SQLite file of his own."""

from __future__ import annotations

import csv
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
import xlsxwriter
from sqlalchemy import create_engine, update
from typer.testing import CliRunner, Result

from gateway.app.cli import build
from store.tables import case_

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "tests" / "samples"


@dataclass(frozen=True)
class Shell:
    """Runs commands in a folder made by ``clearance init``."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "clearance.toml"

    def run(self, *words: str | Path) -> Result:
        line = ["--config", str(self.config), *map(str, words)]
        return CliRunner().invoke(build(), line)

    def ok(self, *words: str | Path) -> str:
        done = self.run(*words)
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *words: str | Path) -> Any:
        return orjson.loads(self.ok(*words, "--json"))

    def refused(self, *words: str | Path) -> str:
        done = self.run(*words)
        assert done.exit_code == 2, done.output
        return done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = Shell(tmp_path / "gateway")
    done = CliRunner().invoke(build(), ["init", str(made.folder), "--json"])
    assert done.exit_code == 0, done.output
    for name in ("goods.csv", "orders.csv", "mixed.ndjson", "profile-1210.toml"):
        shutil.copy(SAMPLES / name, made.folder)
    yield made
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def shop(shell: Shell) -> Shell:
    shell.ok("tenants", "add", "shop", "示例商家")
    shell.ok("profiles", "put", shell.folder / "profile-1210.toml", "--tenant", "shop")
    shell.ok("goods", "put", shell.folder / "goods.csv", "--tenant", "shop")
    return shell


def test_init_writes_private_keys_and_overwrites_nothing(shell: Shell) -> None:
    for name in ("master.key", "signing.pem"):
        assert (shell.folder / name).stat().st_mode & 0o777 == 0o600
    assert all((shell.folder / "dxp" / name).is_dir() for name in ("send", "receive"))
    for name in (".", "send", "receive", "done", "error"):
        assert (shell.folder / "dxp" / name).stat().st_mode & 0o027 == 0
    before = (shell.folder / "master.key").read_bytes()
    done = CliRunner().invoke(build(), ["init", str(shell.folder)])
    assert (done.exit_code, "name another folder" in done.stderr) == (2, True)
    assert (shell.folder / "master.key").read_bytes() == before


def test_others_may_not_read_the_database(shop: Shell) -> None:
    assert (shop.folder / "clearance.db").stat().st_mode & 0o137 == 0


def test_files_become_cases_that_can_be_read(shop: Shell) -> None:
    done = shop.json("import", shop.folder / "orders.csv", "-t", "shop", "-k", "order")
    assert (done["rows"], done["by_stage"]) == (3, {"collecting": 3})
    done = shop.json("import", shop.folder / "mixed.ndjson", "--tenant", "shop")
    assert (done["rows"], done["refused"], done["by_stage"]["mismatch"]) == (12, 0, 3)

    good = shop.json("case", "CSV-0001", "--tenant", "shop")
    assert good["verdict"]["kind"] == "matched"
    assert good["papers"]["order"]["content"]["buyer"]["id_number"] == "*" * 14 + "0003"
    assert shop.json("case", "WB-CSV-0001", "--tenant", "shop")["case"] == good["case"]
    text = shop.ok("case", "MIX-0002", "--tenant", "shop")
    for words in ("PAYMENT-AMOUNT", "支付单金额 150.65", "payment slip 150.65", "建议 fix"):
        assert words in text
    assert "110101199003070003" not in text

    report = shop.json("check")
    assert report["clean"]
    assert report["checks"]["nothing_lost"] > 0
    assert shop.json("parked") == {"receipts": [], "records": [], "effects": []}


def test_a_workbook_is_imported_and_goes_on_where_a_cell_was_mended(shop: Shell) -> None:
    with (shop.folder / "orders.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))

    def save(number: object) -> Path:
        path = shop.folder / "orders.xlsx"
        with xlsxwriter.Workbook(path) as book:
            page = book.add_worksheet("orders")
            for at, row in enumerate(rows):
                for column, text in enumerate(row):
                    page.write_string(at, column, text)
            column = rows[0].index("buyer.id_number")
            if isinstance(number, int):
                page.write_number(1, column, number)
        return path

    done = shop.run("import", save(110101199003070003), "-t", "shop", "-k", "order", "--json")
    assert done.exit_code == 1
    report = orjson.loads(done.stdout)
    assert (report["rows"], report["refused"]) == (3, 1)
    lines = (shop.folder / "orders.xlsx.results.ndjson").read_bytes().splitlines()
    (refused,) = (one for one in map(orjson.loads, lines) if one["status"] == "refused")
    (fault,) = refused["errors"]
    assert (fault["path"], "15 digits" in fault["message"]) == ("buyer.id_number", True)
    done = shop.json("import", save(None), "-t", "shop", "-k", "order")
    assert (done["skipped"], done["refused"], done["by_status"]) == (2, 0, {"accepted": 1})
    assert "no such sheet" in shop.refused(
        "import", shop.folder / "orders.xlsx", "-t", "shop", "-k", "order", "--sheet", "x"
    )
    assert "leave --sheet out" in shop.refused(
        "import", shop.folder / "orders.csv", "-t", "shop", "-k", "order", "--sheet", "x"
    )


def test_an_import_goes_on_where_it_was_broken_off(shop: Shell) -> None:
    file = shop.folder / "mixed.ndjson"
    whole = file.read_bytes()
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]) + b"{broken\n")
    done = shop.run("import", file, "--tenant", "shop", "--json")
    assert (done.exit_code, orjson.loads(done.stdout)["refused"]) == (1, 1)
    file.write_bytes(whole)
    done = shop.json("import", file, "--tenant", "shop")
    assert (done["skipped"], done["by_status"]) == (5, {"accepted": 7})
    results = Path(done["results"]).read_bytes().splitlines()
    assert [orjson.loads(line)["row"] for line in results] == list(range(1, 13))


def test_what_another_database_took_is_imported_into_this_one(shop: Shell) -> None:
    done = shop.json("goods", "put", shop.folder / "goods.csv", "-t", "shop")
    assert (done["skipped"], done["by_status"]) == (3, {})
    (shop.folder / "clearance.db").unlink()
    shop.ok("tenants", "add", "shop", "示例商家")
    shop.ok("profiles", "put", shop.folder / "profile-1210.toml", "--tenant", "shop")
    done = shop.json("goods", "put", shop.folder / "goods.csv", "-t", "shop")
    assert (done["skipped"], done["by_status"]) == (0, {"accepted": 3})
    assert len(shop.json("goods", "list", "-t", "shop")["goods"]) == 3


def test_orders_that_waited_go_on_when_their_goods_come(shell: Shell) -> None:
    shell.ok("tenants", "add", "shop", "Shop")
    shell.ok("profiles", "put", shell.folder / "profile-1210.toml", "--tenant", "shop")
    shell.ok("import", shell.folder / "mixed.ndjson", "--tenant", "shop")
    before = shell.json("case", "MIX-0001", "--tenant", "shop")
    assert before["verdict"]["missing"] == ["goods:MILK-900"]
    shell.ok("goods", "put", shell.folder / "goods.csv", "--tenant", "shop")
    assert shell.json("case", "MIX-0001", "--tenant", "shop")["verdict"]["kind"] == "matched"


def test_keys_are_shown_once_and_can_be_ended(shop: Shell) -> None:
    made = shop.json(
        "api-keys", "new", "--tenant", "shop", "--role", "seller", "--expires-days", "9"
    )
    assert made["token"].startswith(f"ck_{made['key']}_")
    assert "token" not in shop.json("api-keys", "list", "--tenant", "shop")["keys"][0]
    shop.ok("api-keys", "revoke", made["key"], "--tenant", "shop")
    assert shop.json("api-keys", "list", "-t", "shop")["keys"][0]["revoked_at"] is not None
    assert "no live key" in shop.refused("api-keys", "revoke", made["key"], "--tenant", "shop")


def test_key_files_are_made_and_never_overwritten(shell: Shell) -> None:
    phrase = shell.folder / "phrase"
    phrase.write_text("correct horse\n")
    master, signing = shell.folder / "m2.key", shell.folder / "s2.pem"
    shell.ok("keys", "master", master)
    shell.ok("keys", "new", signing, "--passphrase-file", phrase)
    assert len(master.read_bytes()) == 32
    assert b"ENCRYPTED" in signing.read_bytes()
    assert "overwritten" in shell.refused("keys", "master", master)
    assert "overwritten" in shell.refused("keys", "new", signing)


def test_endpoints_show_their_secret_once(shop: Shell) -> None:
    made = shop.json(
        "endpoints", "add", "https://example.com/hook", "-t", "shop", "--role", "seller"
    )
    assert made["secret"].startswith("whsec_")
    (found,) = shop.json("endpoints", "list", "--tenant", "shop")["endpoints"]
    assert found["url"] == "https://example.com/hook"
    assert "secret" not in found
    assert "role" in shop.refused(
        "endpoints", "add", "https://example.com", "-t", "shop", "--role", "nobody"
    )


def test_profiles_have_versions(shop: Shell) -> None:
    file = shop.folder / "profile-1210.toml"
    assert shop.json("profiles", "put", file, "-t", "shop")["changed"] is False
    file.write_text(file.read_text("utf-8").replace('hz-1210"', 'hz-1210"\nresend_limit = 5'))
    stored = shop.json("profiles", "put", file, "-t", "shop")
    assert (stored["version"], stored["changed"]) == (2, True)
    assert shop.json("profiles", "show", "hz-1210", "-t", "shop")["resend_limit"] == 5
    assert len(shop.json("profiles", "list", "-t", "shop")["profiles"]) == 1
    file.write_text('profile_id = "x"')
    errors = shop.refused("profiles", "put", file, "-t", "shop")
    assert "mode: is missing" in errors
    assert "carriers: is missing" in errors


def test_lists_are_readable_too(shop: Shell) -> None:
    assert "示例商家" in shop.ok("tenants", "list")
    assert "MILK-900" in shop.ok("goods", "list", "--tenant", "shop")
    assert "hz-1210" in shop.ok("profiles", "list", "--tenant", "shop")
    assert "none" in shop.ok("api-keys", "list", "--tenant", "shop")
    assert "kept" in shop.ok("check")


def test_tenants_never_see_each_other(shop: Shell) -> None:
    shop.ok("import", shop.folder / "mixed.ndjson", "--tenant", "shop")
    case = shop.json("case", "MIX-0001", "--tenant", "shop")["case"]
    shop.ok("tenants", "add", "other", "Other")
    for number in ("MIX-0001", case, "PAY-MIX-0001"):
        assert "has no case with this number" in shop.refused("case", number, "-t", "other")
    assert "no tenant 'nobody'" in shop.refused("case", "MIX-0001", "-t", "nobody")
    assert shop.json("goods", "list", "-t", "other") == {"goods": []}


def test_a_broken_promise_is_told_with_its_evidence(shop: Shell) -> None:
    shop.ok("import", shop.folder / "mixed.ndjson", "--tenant", "shop")
    engine = create_engine(f"sqlite:///{shop.folder / 'clearance.db'}")
    with engine.begin() as connection:
        connection.execute(update(case_).values(stage="released"))
    engine.dispose()
    done = shop.run("check", "--json")
    report = orjson.loads(done.stdout)
    assert (done.exit_code, report["clean"]) == (1, False)
    assert {one["check"] for one in report["violations"]} & {
        "fold_equals_state",
        "released_with_evidence",
    }
    assert "BROKEN" in shop.run("check").stdout


def test_looking_never_writes(shop: Shell) -> None:
    shop.ok("import", shop.folder / "mixed.ndjson", "--tenant", "shop")
    database = shop.folder / "clearance.db"
    before = database.read_bytes()
    for words in (("check",), ("parked",), ("tenants", "list"), ("case", "MIX-0001", "-t", "shop")):
        shop.ok(*words)
    assert database.read_bytes() == before


def test_what_is_missing_is_told(shell: Shell) -> None:
    assert "there is no database here yet" in shell.refused("check")
    assert "run `clearance serve`" in shell.refused("worker")
    assert "leave out --no-worker" in shell.refused("serve", "--no-worker")
    assert "there is no such file" in shell.refused("import", "no.csv", "--tenant", "shop")
    (shell.folder / "master.key").rename(shell.folder / "gone")
    assert "clearance keys master" in shell.refused("tenants", "add", "a", "A")


def test_another_master_key_is_refused(shop: Shell) -> None:
    key = shop.folder / "master.key"
    key.write_bytes(b"x" * 32)
    assert "made with another master key" in shop.refused("check")
    assert "made with another master key" in shop.refused("tenants", "add", "a", "A")


@pytest.mark.slow
def test_beside_a_serving_gateway_one_may_look_and_keep_books(shop: Shell) -> None:
    environment = {**os.environ, "CLEARANCE_CONFIG": str(shop.config), "CLEARANCE_PORT": "0"}
    code = "from gateway.app.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--log-format", "json"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as serving:
        try:
            assert serving.stderr is not None
            started = orjson.loads(serving.stderr.readline())
            assert started["event"] == "started"
            errors = shop.refused("import", shop.folder / "mixed.ndjson", "--tenant", "shop")
            assert "POST /v1/batches" in errors
            shop.ok("tenants", "add", "other", "Other")
            shop.ok("goods", "put", shop.folder / "goods.csv", "--tenant", "shop", "--again")
            assert shop.json("check")["clean"]
        finally:
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(20) == 0


@pytest.mark.needs_postgres
def test_the_same_commands_work_on_postgresql(
    shell: Shell, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARANCE_STORE_URL", postgres_url)
    shell.ok("tenants", "add", "shop", "Shop")
    shell.ok("profiles", "put", shell.folder / "profile-1210.toml", "--tenant", "shop")
    shell.ok("import", shell.folder / "mixed.ndjson", "--tenant", "shop")
    shell.ok("goods", "put", shell.folder / "goods.csv", "--tenant", "shop")
    assert shell.json("case", "PAY-MIX-0001", "--tenant", "shop")["verdict"]["kind"] == "matched"
    assert shell.json("check")["clean"]
    assert shell.json("parked")["records"] == []
    assert not list(shell.folder.glob("*.db"))
