"""The newcomer's exercise: a marketplace is one module and its samples, nothing else is touched."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from adapters.discovery import source, sources
from tests.contract.adapters import recorded, suite

GIVEN = recorded.SAMPLES / "newcomer"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution of somebody else's, as pip would lay it down: module, metadata, samples."""
    site = tmp_path / "site"
    announced = site / "toymarket-1.0.dist-info"
    announced.mkdir(parents=True)
    shutil.copy(GIVEN / "toymarket.py", site)
    (announced / "METADATA").write_text("Metadata-Version: 2.1\nName: toymarket\nVersion: 1.0\n")
    (announced / "entry_points.txt").write_text(
        "[clearance_gateway.adapters]\ntoymarket = toymarket:ADAPTER\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "toymarket", raising=False)
    samples = tmp_path / "samples"
    shutil.copytree(GIVEN / "samples", samples)
    return samples


def test_a_new_marketplace_is_found_and_keeps_the_contract(installed: Path) -> None:
    adapter = source("toymarket")
    assert {"douyin", "toymarket"} <= set(sources())
    conversations = recorded.load(adapter, installed)
    for check in suite.checks(adapter):
        check(adapter, conversations)
    sys.modules.pop("toymarket")


def test_it_is_gone_when_it_is_not_installed() -> None:
    assert "toymarket" not in sources()


def test_the_suite_sees_a_faulty_newcomer(installed: Path) -> None:
    """A sample that the module does not live up to fails, or the contract would say nothing."""
    path = installed / "page.conversation.json"
    doc = json.loads(path.read_text())
    doc["parsed"][0]["Sighting"]["paper"]["paid"] = "1.00 CNY"
    path.write_text(json.dumps(doc))
    adapter = source("toymarket")
    with pytest.raises(AssertionError):
        suite.check_recorded(adapter, recorded.load(adapter, installed))
    sys.modules.pop("toymarket")
