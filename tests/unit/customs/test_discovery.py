"""Discovery: what is in the tree, what third parties offer, what must not happen."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from adapters.base import AdapterConflict, AdapterUnknown, RegimeAdapter
from adapters.customs.ceb import ADAPTER
from adapters.discovery import discover, regime, regimes
from schemas.catalog import load_catalog

OTHER = RegimeAdapter("other", "其他", "Other", ADAPTER.create, ("1",))


def point(name: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{name}", "clearance_gateway.adapters")


def test_the_import_regime_is_found_and_works() -> None:
    assert regimes()["ceb"] is ADAPTER
    assert regime("ceb").create().app_time(0)
    assert all(load_catalog("ceb", edition) for edition in ADAPTER.editions)


def test_an_unknown_regime_names_the_known_ones() -> None:
    with pytest.raises(AdapterUnknown, match="ceb"):
        regime("mars")


def test_third_parties_add_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.name])
    found = discover(RegimeAdapter, "adapters.customs", [point("OTHER")])
    assert set(found) == {"ceb", "other"}
    with pytest.raises(AdapterConflict):
        discover(RegimeAdapter, "adapters.customs", [point("ADAPTER")])


def test_what_is_of_another_type_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda self: "not an adapter")
    assert set(discover(RegimeAdapter, "adapters.customs", [point("OTHER")])) == {"ceb"}
