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
_GRANTED: Final[Route] = ("2", "120", "399")
_DENIED: Final[Route] = ("2", "120", "100")
# What is asked about an inventory, and the scenario in which customs denies it.
_REQUESTS: Final[Mapping[Kind, ScenarioName]] = MappingProxyType(
    {
        Kind.CANCELLATION: ScenarioName.NOCANCEL,
        Kind.RETURN: ScenarioName.NORETURN,
        Kind.EXPORT_CANCELLATION: ScenarioName.NOCANCEL,
    }
)
# Exported goods that come home: 214 grants it with 800 and has no 399.
_HOME: Final[Route] = ("2", "120", "800")
_HOMES: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {
        ScenarioName.NORETURN: ("2", "120", "100"),
        ScenarioName.HOMESENT: ("2", "3", "120", "800"),
        ScenarioName.HOMEREVIEW: ("2", "120", "300", "800"),
        ScenarioName.HOMEINSPECT: ("2", "120", "500", "800"),
        ScenarioName.HOMEHANDOVER: ("2", "120", "500", "505"),
        ScenarioName.HOMEHOLD: ("2", "120", "600"),
    }
)
# A tally (216) and a summary (702) end with 399, and have no 120.
_TOLD: Final[Route] = ("2", "399")
_TALLIES: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {ScenarioName.TALLYREFUSE: ("2", "100"), ScenarioName.TALLYSENT: ("2", "3", "399")}
)
_SUMMARIES: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {ScenarioName.SUMMARYREFUSE: ("2", "100"), ScenarioName.SUMMARYSENT: ("2", "3", "399")}
)
# A waybill of an export is taken with 399, and has no 120 (506).
_PARCEL: Final[Route] = ("2", "399")
_PARCELS: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {
        ScenarioName.PARCELREJECT: ("2", "100"),
        ScenarioName.PARCELSLOW: ("2", "3", "399"),
        ScenarioName.PARCELHALF: ("2",),
    }
)
_LISTS: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {ScenarioName.LISTREFUSE: ("2", "100"), ScenarioName.LISTSENT: ("2", "3", "120")}
)
_FUNDS: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {
        ScenarioName.FUNDSREJECT: ("2", "100"),
        ScenarioName.FUNDSSENT: ("2", "3", "120"),
        ScenarioName.FUNDSTURNDOWN: ("2", "120", "100"),
    }
)
_DELIVERIES: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {ScenarioName.DELIVERYREFUSE: ("2", "100"), ScenarioName.DELIVERYSENT: ("2", "3", "120")}
)
# The routes of a kind by scenario, and the usual one.
_BY_KIND: Final[Mapping[Kind, tuple[Mapping[ScenarioName, Route], Route]]] = MappingProxyType(
    {
        Kind.DELIVERY: (_DELIVERIES, _ORDER),
        Kind.EXPORT_WAYBILL: (_PARCELS, _PARCEL),
        Kind.FUNDS_RECEIPT: (_FUNDS, _ORDER),
        Kind.EXPORT_RETURN: (_HOMES, _HOME),
        Kind.RETURN_TALLY: (_TALLIES, _TOLD),
        Kind.SUMMARY_REQUEST: (_SUMMARIES, _TOLD),
    }
)
_ROUTES: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {
        ScenarioName.RECALL: ("2", "120", "300", "100"),
        ScenarioName.INSPECT: ("2", "120", "500", "800"),
        ScenarioName.REVIEW: ("2", "3", "120", "300", "399", "800"),
        ScenarioName.SUSPEND: ("2", "120", "600"),
        ScenarioName.ABROAD: ("2", "120", "500", "700"),
        ScenarioName.SENT: ("2", "3", "120", "800"),
        ScenarioName.CLOSE: ("2", "120", "800", "899"),
        ScenarioName.TURNDOWN: ("2", "120", "100"),
        ScenarioName.INSPECTREFUSE: ("2", "120", "500", "100"),
        ScenarioName.DECIDEREFUSE: ("2", "120", "399", "100"),
        ScenarioName.RESUME: ("2", "120", "600", "800"),
        ScenarioName.FREE: ("2", "120", "501", "800"),
        ScenarioName.REVOKE: ("2", "120", "800", "100"),
        ScenarioName.REINSPECT: ("2", "120", "800", "500"),
        ScenarioName.TURNBACK: ("2", "120", "800", "700"),
        ScenarioName.AGAIN: ("2", "-621004", "120", "800"),
        ScenarioName.AGAINTEXT: ("2", "100", "120", "800"),
        ScenarioName.FAULTLATE: ("2", "120", "-621008", "800"),
        ScenarioName.NOTLODGED: ("120", "800"),
        ScenarioName.ONLYRELEASE: ("800",),
        ScenarioName.NEWSTATUS: ("2", "777", "120", "800"),
        ScenarioName.PENDING: ("2", "120"),
        ScenarioName.NOCANCEL: ("2", "3", "120"),
        ScenarioName.NORETURN: ("2", "3", "120", "800", "899"),
    }
)
_ORDER_ROUTES: Final[Mapping[ScenarioName, Route]] = MappingProxyType(
    {
        ScenarioName.ORDERSENT: ("2", "3", "120"),
        ScenarioName.ORDERDONE: ("2", "120", "399"),
        ScenarioName.ORDERAGAIN: ("2", "-301010", "120"),
        ScenarioName.ORDERTURNDOWN: ("2", "120", "100"),
    }
)
# Refusals that say something of one try and end nothing.
_PASSING: Final = frozenset(
    {
        ScenarioName.AGAIN,
        ScenarioName.AGAINTEXT,
        ScenarioName.FAULTLATE,
        ScenarioName.ORDERAGAIN,
    }
)
_BY_HAND: Final = frozenset(
    {
        ScenarioName.RECALL,
        ScenarioName.TURNDOWN,
        ScenarioName.INSPECTREFUSE,
        ScenarioName.DECIDEREFUSE,
        ScenarioName.REVOKE,
        ScenarioName.ORDERTURNDOWN,
        ScenarioName.PLAINTEXT,
        ScenarioName.NOCANCEL,
        ScenarioName.NORETURN,
        ScenarioName.FUNDSREJECT,
        ScenarioName.FUNDSTURNDOWN,
        ScenarioName.PARCELREJECT,
        ScenarioName.LISTREFUSE,
        ScenarioName.TALLYREFUSE,
        ScenarioName.SUMMARYREFUSE,
        ScenarioName.DELIVERYREFUSE,
    }
)
_MUTED: Final[Mapping[Kind, frozenset[ScenarioName]]] = MappingProxyType(
    {
        Kind.ORDER: frozenset({ScenarioName.ORDERSILENT, ScenarioName.ORDERLOST}),
        Kind.INVENTORY: frozenset({ScenarioName.SILENT, ScenarioName.LOST}),
        Kind.DELIVERY: frozenset({ScenarioName.DELIVERYLOST}),
        Kind.EXPORT_ORDER: frozenset({ScenarioName.ORDERSILENT, ScenarioName.ORDERLOST}),
        Kind.FUNDS_RECEIPT: frozenset({ScenarioName.FUNDSLOST}),
        Kind.EXPORT_WAYBILL: frozenset({ScenarioName.PARCELLOST}),
        Kind.EXPORT_INVENTORY: frozenset({ScenarioName.SILENT, ScenarioName.LOST}),
        Kind.ENTRY_LIST: frozenset({ScenarioName.LISTLOST}),
        Kind.MASTER_LIST: frozenset({ScenarioName.LISTLOST}),
        Kind.SITE_ARRIVAL: frozenset({ScenarioName.LISTLOST}),
        Kind.DEPARTURE: frozenset({ScenarioName.LISTLOST}),
        Kind.EXPORT_RETURN: frozenset({ScenarioName.HOMELOST}),
        Kind.RETURN_TALLY: frozenset({ScenarioName.TALLYLOST}),
        Kind.SUMMARY_REQUEST: frozenset({ScenarioName.SUMMARYLOST}),
    }
)
_SILENT: Final = frozenset({ScenarioName.SILENT, ScenarioName.ORDERSILENT})


def is_refusal(status: str) -> bool:
    """Tell whether a status ends a version: 100 or a negative number."""
    return status == "100" or status.startswith("-")


def muted(kind: Kind, scenario: Scenario) -> bool:
    """Tell whether the receipts of a record are made but not delivered."""
    return scenario.name in _MUTED.get(kind, ())


def answers_same_bytes(scenario: Scenario) -> bool:
    """Tell whether a silent record is answered when the same bytes come again."""
    return scenario.name in _SILENT


def refuses(kind: Kind, scenario: Scenario) -> bool:
    """Tell whether the scenario refuses this kind of record."""
    eport_kind = _eport_kind(scenario.code) if scenario.name is ScenarioName.REJECT else None
    if kind.is_order:
        return scenario.name is ScenarioName.ORDERREJECT or eport_kind is Kind.ORDER
    if not kind.is_inventory:
        return False
    if scenario.name is ScenarioName.PLAINTEXT:
        return True
    return scenario.name is ScenarioName.REJECT and eport_kind is not Kind.ORDER


def route(kind: Kind, scenario: Scenario, *, refusing: bool, spent: bool) -> Route:
    """Return the statuses a record gets.

    ``refusing`` says the scenario's refusal applies to this content; ``spent`` that a
    scenario which acts on the first submission only has acted already.
    """
    if refusing:
        code = scenario.code
        is_eport = _eport_kind(code) is (Kind.ORDER if kind.is_order else Kind.INVENTORY)
        return (f"-{code}",) if is_eport else ("2", "100")
    if kind.is_order:
        return _order_route(scenario, spent=spent)
    if kind in _BY_KIND:
        routes, usual = _BY_KIND[kind]
        return routes.get(scenario.name, usual)
    if kind is Kind.PAYMENT and scenario.name is ScenarioName.PAYSEVERAL:
        return ("-401003",)
    if kind.is_report:
        # What is reported ends with 399, and has no 120 (508, 510).
        told = _LISTS.get(scenario.name, _ORDER)
        return tuple("399" if status == "120" else status for status in told)
    if kind.is_list:
        return _LISTS.get(scenario.name, _ORDER)
    if kind in _REQUESTS:
        return _DENIED if scenario.name is _REQUESTS[kind] else _GRANTED
    if not kind.is_inventory:
        return _ORDER
    match scenario.name:
        case ScenarioName.DETAIN:
            return ("2", "120", scenario.code)
        case ScenarioName.NEGATIVE:
            return _RELEASE if spent else (f"-{scenario.code}",)
        case ScenarioName.BUSY:
            return _RELEASE if spent else ("4", *_RELEASE)
        case other:
            return _ROUTES.get(other, _RELEASE)


def _order_route(scenario: Scenario, *, spent: bool) -> Route:
    match scenario.name:
        case ScenarioName.ORDERBUSY:
            return _ORDER if spent else ("4", *_ORDER)
        case ScenarioName.ORDERNEGATIVE:
            return _ORDER if spent else ("-301013",)
        case other:
            return _ORDER_ROUTES.get(other, _ORDER)


def passes(scenario: Scenario, status: str, *, is_last: bool) -> bool:
    """Tell whether a refusal on a route ends nothing: more statuses follow it."""
    return scenario.name in _PASSING and is_refusal(status) and not is_last


def status_text(status: str, scenario: Scenario, guid: str) -> str:
    """Return the returnInfo that goes with a status of a route."""
    if status.startswith("-"):
        return codes.eport_text(status)
    if status == "100":
        if scenario.name in _BY_HAND:
            return "人工审核退单，单证不符"
        if scenario.name is ScenarioName.AGAINTEXT:
            return "该清单重复申报"
        return codes.rejection_text(scenario.code)
    return codes.STATUS_TEXTS[status].replace("{guid}", guid)


def _eport_kind(code: str) -> Kind | None:
    if len(code) != 6:
        return None
    return {"301": Kind.ORDER, "621": Kind.INVENTORY}.get(code[:3])
