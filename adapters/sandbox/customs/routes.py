"""Which receipts a record gets, in which order, scenario by scenario."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.sandbox.customs import codes
from adapters.sandbox.customs.messages import Kind
from adapters.sandbox.customs.scenarios import Scenario, ScenarioName

Route = tuple[str, ...]

_ORDER: Final[Route] = ("2", "120")
_RELEASE: Final[Route] = ("2", "120", "800")
_ROUTES: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {
        ScenarioName.RECALL: ("2", "120", "300", "100"),
        ScenarioName.INSPECT: ("2", "120", "500", "800"),
        ScenarioName.REVIEW: ("2", "3", "120", "300", "399", "800"),
        ScenarioName.SUSPEND: ("2", "120", "600"),
        ScenarioName.ABROAD: ("2", "120", "500", "700"),
    }
)
_MUTED: Final[Mapping[Kind, frozenset[ScenarioName]]] = MappingProxyType(
    {
        Kind.ORDER: frozenset({ScenarioName.ORDERSILENT, ScenarioName.ORDERLOST}),
        Kind.INVENTORY: frozenset({ScenarioName.SILENT, ScenarioName.LOST}),
    }
)
_SILENT: Final = frozenset({ScenarioName.SILENT, ScenarioName.ORDERSILENT})


def is_refusal(status: str) -> bool:
    """Tell whether a status ends a version: 100 or a negative number."""
    return status == "100" or status.startswith("-")


def muted(kind: Kind, scenario: Scenario) -> bool:
    """Tell whether the receipts of a record are made but not delivered."""
    return scenario.name in _MUTED[kind]


def answers_same_bytes(scenario: Scenario) -> bool:
    """Tell whether a silent record is answered when the same bytes come again."""
    return scenario.name in _SILENT


def refuses(kind: Kind, scenario: Scenario) -> bool:
    """Tell whether the scenario refuses this kind of record."""
    eport_kind = _eport_kind(scenario.code) if scenario.name is ScenarioName.REJECT else None
    if kind is Kind.ORDER:
        return scenario.name is ScenarioName.ORDERREJECT or eport_kind is Kind.ORDER
    return scenario.name is ScenarioName.REJECT and eport_kind is not Kind.ORDER


def route(kind: Kind, scenario: Scenario, *, refusing: bool, spent: bool) -> Route:
    """Return the statuses a record gets.

    ``refusing`` says the scenario's refusal applies to this content; ``spent`` that a
    scenario which acts on the first submission only has acted already.
    """
    if refusing:
        code = scenario.code
        return (f"-{code}",) if _eport_kind(code) is kind else ("2", "100")
    if kind is Kind.ORDER:
        return _ORDER
    match scenario.name:
        case ScenarioName.DETAIN:
            return ("2", "120", scenario.code)
        case ScenarioName.NEGATIVE:
            return _RELEASE if spent else ("-621008",)
        case ScenarioName.BUSY:
            return _RELEASE if spent else ("4", *_RELEASE)
        case other:
            return _ROUTES.get(other, _RELEASE)


def status_text(status: str, scenario: Scenario, guid: str) -> str:
    """Return the returnInfo that goes with a status of a route."""
    if status.startswith("-"):
        return codes.eport_text(status)
    if status == "100":
        if scenario.name is ScenarioName.RECALL:
            return "人工审核退单，单证不符"
        return codes.rejection_text(scenario.code)
    return codes.STATUS_TEXTS[status].replace("{guid}", guid)


def _eport_kind(code: str) -> Kind | None:
    if len(code) != 6:
        return None
    return {"301": Kind.ORDER, "621": Kind.INVENTORY}.get(code[:3])
