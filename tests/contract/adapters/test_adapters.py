"""The contract, run on every adapter that discovery finds."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest

from adapters.base import AdapterUnknown
from adapters.discovery import carrier, carriers, payment, payments, source, sources
from tests.contract.adapters import recorded, suite
from tests.contract.adapters.recorded import Asking

FOUND: list[Asking] = [*sources().values(), *payments().values(), *carriers().values()]
CASES = [
    pytest.param(adapter, check, id=f"{adapter.id}-{check.__name__}")
    for adapter in FOUND
    for check in suite.checks(adapter)
]


@pytest.mark.parametrize("adapter, check", CASES)
def test_contract(adapter: Asking, check: suite.Check) -> None:
    check(adapter, recorded.load(adapter))


@pytest.mark.parametrize("folder", ["marketplaces", "payments", "carriers"])
def test_every_module_exposes_one_adapter(folder: str) -> None:
    package = import_module(f"adapters.{folder}")
    names = [child.name for child in iter_modules(package.__path__)]
    ids = [import_module(f"adapters.{folder}.{name}").ADAPTER.id for name in names]
    assert ids == names


def test_one_of_each_kind_is_found_by_id() -> None:
    assert source("douyin").title_zh == "抖店"
    assert payment("wechat_v3").title_zh == "微信支付"
    assert carrier("sf").title_zh == "顺丰速运"


def test_an_unknown_one_names_the_known() -> None:
    with pytest.raises(AdapterUnknown, match="douyin"):
        source("mars")
    with pytest.raises(AdapterUnknown, match="wechat_v3"):
        payment("mars")
    with pytest.raises(AdapterUnknown, match="sf"):
        carrier("mars")
