"""Finds adapters: in the tree by walking one folder, from third parties by entry point.

Nothing registers itself on import. A folder's direct children are looked at, each for a constant
``ADAPTER``; a child without one (``channels``) offers nothing of this type. Third parties name
their constant under the entry point group :data:`ENTRY_POINTS`.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Final, TypeVar

from adapters.base import (
    Adapter,
    AdapterConflict,
    AdapterUnknown,
    CarrierAdapter,
    PaymentAdapter,
    RegimeAdapter,
    SourceAdapter,
)

ENTRY_POINTS: Final = "clearance_gateway.adapters"
"""The entry point group in which other distributions announce their ``ADAPTER``."""

A = TypeVar("A", bound=Adapter)


def regimes() -> Mapping[str, RegimeAdapter]:
    """Every customs regime by id."""
    return discover(RegimeAdapter, "adapters.customs")


def regime(regime_id: str) -> RegimeAdapter:
    """One customs regime; raises :class:`AdapterUnknown` naming those there are."""
    return _one(regimes(), regime_id, "customs regime")


def sources() -> Mapping[str, SourceAdapter]:
    """Every marketplace by id."""
    return discover(SourceAdapter, "adapters.marketplaces")


def source(source_id: str) -> SourceAdapter:
    """One marketplace; raises :class:`AdapterUnknown` naming those there are."""
    return _one(sources(), source_id, "marketplace")


def payments() -> Mapping[str, PaymentAdapter]:
    """Every payment company by id."""
    return discover(PaymentAdapter, "adapters.payments")


def payment(payment_id: str) -> PaymentAdapter:
    """One payment company; raises :class:`AdapterUnknown` naming those there are."""
    return _one(payments(), payment_id, "payment company")


def carriers() -> Mapping[str, CarrierAdapter]:
    """Every carrier by id."""
    return discover(CarrierAdapter, "adapters.carriers")


def carrier(carrier_id: str) -> CarrierAdapter:
    """One carrier; raises :class:`AdapterUnknown` naming those there are."""
    return _one(carriers(), carrier_id, "carrier")


def _one(found: Mapping[str, A], wanted: str, kind: str) -> A:
    if wanted not in found:
        raise AdapterUnknown(f"no {kind} {wanted!r}; known: {', '.join(sorted(found))}")
    return found[wanted]


def discover(
    wanted: type[A], folder: str, offered: Iterable[EntryPoint] | None = None
) -> Mapping[str, A]:
    """Every adapter of type ``wanted``, by id: children of ``folder``, then entry points.

    ``offered`` replaces the installed entry points. Raises :class:`AdapterConflict` when an id
    occurs twice; what fails to import raises as it is, an adapter is never left out silently.
    """
    package = import_module(folder)
    candidates: list[object] = [
        getattr(import_module(f"{folder}.{child.name}"), "ADAPTER", None)
        for child in iter_modules(package.__path__)
    ]
    points = entry_points(group=ENTRY_POINTS) if offered is None else offered
    candidates += [point.load() for point in points]
    found: dict[str, A] = {}
    for candidate in candidates:
        if not isinstance(candidate, wanted):
            continue
        if candidate.id in found:
            raise AdapterConflict(f"two adapters are called {candidate.id!r} in {folder}")
        found[candidate.id] = candidate
    return MappingProxyType(found)
