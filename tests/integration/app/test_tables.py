"""Tables imported on the command line are what preflight and intake hold papers against."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from typer.testing import CliRunner, Result

from gateway.app.cli import build

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = CliRunner().invoke(build(), ["init", str(tmp_path / "gw")])
    assert made.exit_code == 0, made.output
    yield tmp_path / "gw" / "clearance.toml"
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def run(config: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(build(), ["--config", str(config), *map(str, words)])


def ok(config: Path, *words: str | Path) -> Any:
    done = run(config, *words, "--json")
    assert done.exit_code == 0, done.output
    return orjson.loads(done.stdout)


def test_a_table_is_imported_listed_and_read_by_the_rules(config: Path, tmp_path: Path) -> None:
    assert run(config, "tenants", "add", "shop", "Shop").exit_code == 0
    profile = SAMPLES / "profile-1210.toml"
    assert run(config, "profiles", "put", profile, "--tenant", "shop").exit_code == 0
    goods = tmp_path / "goods.csv"
    goods.write_bytes((SAMPLES / "goods.csv").read_bytes())
    assert run(config, "goods", "put", goods, "--tenant", "shop").exit_code == 0
    table = tmp_path / "list.csv"
    table.write_text("hs_code,year,name\n19011010,2026,milk\n21069090,2026,vitamins\n", "utf-8")
    put = ok(config, "tables", "put", "positive-list", table, "--source", "notice 7")
    assert (put["version"], put["changed"], put["is_sample"]) == (1, True, False)
    again = ok(config, "tables", "put", "positive-list", table, "--source", "notice 7")
    assert again["changed"] is False
    listed = ok(config, "tables", "list")["tables"]
    assert [(one["kind"], one["rows"], one["source"]) for one in listed] == [
        ("positive-list", 2, "notice 7")
    ]
    done = run(config, "preflight", SAMPLES / "orders.csv", "--json")
    assert done.exit_code == 1
    assert orjson.loads(done.stdout)["by_rule"]["REGISTRY-POSITIVE-LIST"] == 2
    papers = tmp_path / "orders.csv"
    papers.write_bytes((SAMPLES / "orders.csv").read_bytes())
    run(config, "import", papers, "--tenant", "shop", "--kind", "order")
    case = ok(config, "case", "CSV-0001", "--tenant", "shop")
    found = orjson.dumps(case).decode()
    assert "REGISTRY-POSITIVE-LIST" in found
    assert "3304990039" in found


def test_a_sample_says_so_and_a_faulty_table_stores_nothing(config: Path, tmp_path: Path) -> None:
    sample = tmp_path / "rates.csv"
    printed = CliRunner().invoke(build(), ["tables", "sample", "tax-rates"])
    sample.write_text(printed.stdout, "utf-8")
    assert run(config, "tenants", "add", "shop", "Shop").exit_code == 0
    done = run(config, "tables", "put", "tax-rates", sample)
    assert done.exit_code == 0, done.output
    assert "sample with invented rows" in done.stderr
    assert ok(config, "tables", "list")["tables"][0]["is_sample"] is True
    bad = tmp_path / "bad.csv"
    bad.write_text("hs_code,valid_from,tariff,vat\n33049900,2026-01-01,0,13%\n", "utf-8")
    refused = run(config, "tables", "put", "tax-rates", bad)
    assert refused.exit_code != 0
    assert ok(config, "tables", "list")["tables"][0]["version"] == 1
    assert run(config, "tables", "put", "account-stock", sample).exit_code != 0
