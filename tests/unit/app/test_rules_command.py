"""``clearance rules``: the catalogue on the command line."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from gateway.app.cli import build
from gateway.domain.matching import catalogue

RUN = CliRunner()


def test_all_rules_are_listed_for_people_and_for_programs() -> None:
    shown = RUN.invoke(build(), ["rules", "list"])
    assert shown.exit_code == 0
    rules = json.loads(RUN.invoke(build(), ["rules", "list", "--json"]).stdout)["rules"]
    assert [one["id"] for one in rules] == [info.id for info in catalogue()]
    for one in rules:
        assert one["id"] in shown.stdout
        assert set(one["texts"]) == {"zh", "en"}
        assert one["examples"]["bad"]


def test_one_group_or_one_rule_is_shown() -> None:
    found = RUN.invoke(build(), ["rules", "list", "--group", "tax", "--json"])
    assert {one["group"] for one in json.loads(found.stdout)["rules"]} == {"TAX"}
    one = json.loads(RUN.invoke(build(), ["rules", "show", "tax-amount", "--json"]).stdout)
    assert one["parameters"] == {"tolerance": "0.05", "share": "0.01"}
    assert "TAX-AMOUNT" in RUN.invoke(build(), ["rules", "show", "TAX-AMOUNT"]).stdout


def test_what_there_is_not_is_said() -> None:
    for arguments in (["list", "--group", "x"], ["show", "X-Y"]):
        assert RUN.invoke(build(), ["rules", *arguments]).exit_code != 0
