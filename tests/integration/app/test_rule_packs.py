"""Rule packs: refused with the line, tried on files, shadowed, activated by two persons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.app.cli import build
from gateway.app.demo_world import demo_profile
from gateway.app.packs import live_matcher
from gateway.domain.matching import compile_pack
from gateway.flow.packs import LivePacks
from gateway.ports.packs import PackScope, PackStage, StoredPack
from tests.support import exports
from tests.unit.app.test_preflight import GOODS, agreeing, written

HEAD = 'name = "mild"\nversion = {version}\nextends = "import-default"\n'
MILD = HEAD + '\n[rules.PAYMENT-AMOUNT]\nseverity = "warn"\n'
SAMPLES = Path(__file__).parents[2] / "samples"


def ran(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build(), list(arguments))
    return result.exit_code, result.output


def done(*arguments: str) -> Any:
    code, output = ran(*arguments)
    assert code == 0, output
    return json.loads(output) if "--json" in arguments else output


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment with a tenant, a profile and an order whose payment differs."""
    monkeypatch.chdir(tmp_path)
    done("init", "gw")
    monkeypatch.setenv("CLEARANCE_CONFIG", str(tmp_path / "gw" / "clearance.toml"))
    done("tenants", "add", "shop", "Shop")
    done("profiles", "put", str(SAMPLES / "profile-1210.toml"), "--tenant", "shop")
    (tmp_path / "mild.toml").write_text(MILD.format(version=1), "utf-8")
    done("import", str(differing(tmp_path, "MIX-0001")), "--tenant", "shop")
    return tmp_path


def differing(folder: Path, order_no: str) -> Path:
    rows = agreeing()
    rows[1]["amount"] = "1.00"
    for row in rows:
        row["order_no"] = order_no
    rows[1]["transaction_id"], rows[2]["waybill_no"] = f"P{order_no}", f"W{order_no}"
    return written(folder / f"{order_no}.ndjson", [GOODS, *rows])


def test_a_pack_that_cannot_be_used_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        HEAD.format(version=1) + "[rules.ORDER-HEAD-SUN]\n[rules.ORDER-HEAD-SUM]\ntolerance = -1\n",
        "utf-8",
    )
    code, output = ran("rules", "test", str(path))
    assert code == 2
    assert "line 4: rules.ORDER-HEAD-SUN: there is no such rule; did you mean" in output
    assert "line 6: rules.ORDER-HEAD-SUM.tolerance: must be a number" in output


def test_what_a_pack_would_change_is_told_on_files_and_on_history(place: Path) -> None:
    expected = {
        "cases": 1,
        "differing": 1,
        "verdicts": {"mismatch -> matched": 1},
        "rules": {"+PAYMENT-AMOUNT:warn": 1, "-PAYMENT-AMOUNT:block": 1},
        "around": "unknown",
    }
    file = str(place / "MIX-0001.ndjson")
    assert done("rules", "test", "mild.toml", "--on", file, "--json") == expected
    found = done("rules", "test", "mild.toml", "--on-history", "7d", "--tenant", "shop", "--json")
    assert found == expected | {"around": "now"}
    text = done("rules", "test", "mild.toml", "--on-history", "7d", "--tenant", "shop")
    assert "were read as they stand now / 个人额度、单证关联" in text
    assert ran("rules", "test", "mild.toml", "--on-history", "soon", "--tenant", "shop")[0] == 2


EXPORTS = """name = "mild-export"
version = 1
extends = "export-default"

[rules.ORDER-LINES-SUM]
severity = "warn"
"""


def in_force(*packs: tuple[str, str]) -> LivePacks:
    """The packs of a deployment; each as port and text."""
    return live_matcher(
        StoredPack(
            PackScope(exports.TENANT, port), compile_pack(text).name, 1, text, PackStage.ACTIVE,
            "li", 0,
        )
        for port, text in packs
    )  # fmt: skip


def test_a_pack_judges_its_own_direction_alone(tmp_path: Path) -> None:
    there, mild = exports.profile(), MILD.format(version=1)
    here = demo_profile()
    assert here.tenant == there.tenant
    live = in_force(("", mild), (there.port_code, EXPORTS))
    assert (live.pack_of(here), live.pack_of(there)) == ("mild@1", "mild-export@1")
    assert in_force(("", mild)).pack_of(there) == "export-default@1"
    # And so does one that is tried on files of both.
    order, funds, waybill = exports.documents("EX-1")
    order["goods_value"] = "18.00"
    kinds = ("export_order", "funds_receipt", "export_waybill")
    rows = [{"type": kind, **doc} for kind, doc in zip(kinds, (order, funds, waybill), strict=True)]
    imports = agreeing()
    imports[1]["amount"] = "1.00"
    file = str(written(tmp_path / "both.ndjson", [*imports, *rows]))
    for text, rule in ((mild, "PAYMENT-AMOUNT"), (EXPORTS, "ORDER-LINES-SUM")):
        (tmp_path / "pack.toml").write_text(text, "utf-8")
        found = done("rules", "test", str(tmp_path / "pack.toml"), "--on", file, "--json")
        assert found["rules"] == {f"+{rule}:warn": 1, f"-{rule}:block": 1}


AROUND = """
[rules.LIMIT-ANNUAL]
severity = "warn"

[rules.PARTY-REPEATED]
most = 3
"""


def test_history_is_judged_with_what_stands_around_each_case(place: Path) -> None:
    """The annual limit and the traces of buyers, which only the stored cases tell."""
    dear: list[dict[str, Any]] = []
    for number in range(1, 7):
        rows = agreeing()
        rows[0]["lines"][0] |= {"price": "4900.00", "total": "4900.00"}
        rows[0] |= {"goods_value": "4900.00", "paid": "4912.65"}
        rows[1] |= {"amount": "4912.65", "transaction_id": f"D{number}"}
        rows[2] |= {"waybill_no": f"W{number}"}
        dear += [row | {"order_no": f"DEAR-{number}"} for row in rows]
    done("import", str(written(place / "dear.ndjson", dear)), "--tenant", "shop")
    (place / "around.toml").write_text(HEAD.format(version=9) + AROUND, "utf-8")
    found = done("rules", "test", "around.toml", "--on-history", "7d", "--tenant", "shop", "--json")
    over = [one for one in range(1, 7) if "LIMIT-ANNUAL" in rules_of(f"DEAR-{one}")]
    assert over == [6]
    assert found["rules"]["-LIMIT-ANNUAL:block"] == found["rules"]["+LIMIT-ANNUAL:warn"] == 1
    assert found["rules"]["+PARTY-REPEATED:warn"] >= 1
    assert found["cases"] == 7


def test_two_persons_activate_and_verdicts_keep_the_version(place: Path) -> None:
    def by(who: str, verb: str, label: str) -> tuple[int, str]:
        return ran("rules", verb, label, "--tenant", "shop", "--port", "2991", "--by", who)

    assert by("li", "propose", "mild.toml")[0] == 0
    assert by("li", "propose", "mild.toml")[0] == 2  # a version never changes
    code, output = by("li", "activate", "mild@1")
    assert code == 2
    assert "another person" in output
    assert by("li", "shadow", "mild@1")[0] == 0
    done("import", str(differing(place, "MIX-0002")), "--tenant", "shop")
    report = done("rules", "differences", "mild@1", "--tenant", "shop", "--json")
    assert report["verdicts"] == {"mismatch -> matched": 1}
    assert report["around"] == "then"
    assert by("wang", "activate", "mild@1")[0] == 0
    done("import", str(differing(place, "MIX-0003")), "--tenant", "shop")
    stages = {name: stage_of(name) for name in ("MIX-0002", "MIX-0003")}
    assert stages == {"MIX-0002": "mismatch", "MIX-0003": "waiting_filings"}
    packs = {
        event["pack"]
        for name in stages
        for event in events_of(name)
        if event.get("pack") is not None
    }
    assert packs == {"import-default@1", "mild@1"}
    kept = done("rules", "text", "mild@1", "--tenant", "shop", "--port", "2991")
    assert kept == MILD.format(version=1)
    assert ran("rules", "text", "mild@1", "--tenant", "shop")[0] == 2
    assert "[rules" in done("rules", "text", "import-default")
    # Another version takes its place, and the one before can come back.
    (place / "two.toml").write_text(MILD.format(version=2), "utf-8")
    assert by("li", "propose", "two.toml")[0] == 0
    assert by("wang", "activate", "mild@2")[0] == 0
    listed = done("rules", "packs", "--tenant", "shop", "--json")["packs"]
    assert [(one["pack"], one["stage"]) for one in listed] == [
        ("mild@1", "retired"),
        ("mild@2", "active"),
    ]
    assert by("wang", "activate", "mild@1")[0] == 0


def case(order_no: str) -> Any:
    return done("case", order_no, "--tenant", "shop", "--json")


def rules_of(order_no: str) -> set[str]:
    return {one["rule"] for one in case(order_no)["verdict"]["findings"]}


def stage_of(order_no: str) -> str:
    return str(case(order_no)["stage"])


def events_of(order_no: str) -> list[dict[str, Any]]:
    doc = case(order_no)
    found = doc.get("events") or doc.get("timeline") or []
    return [one.get("payload") or one.get("data") or one for one in found]
