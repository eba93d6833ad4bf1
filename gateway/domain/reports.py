"""Reports of what became of an exported consignment: it reached the supervised site (507), it left
the country (509). One record names every parcel of a bill that was reported together. What came
back is counted by the site, return by return (215).

Sources: field tables of 507, 509 and 215. A 507 and a 215 come from the site's operator, a 509 from
the carrier; the usual order is 603, 507, release, 509.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.errors import InvalidValue
from gateway.domain.events import Event
from gateway.domain.lifecycle import ENDED, LEVEL, OVER
from gateway.domain.papers import PaperKind
from gateway.domain.planning import requested_event
from gateway.domain.profile import FiledBy, FilingProfile

_ACCEPTED_LEVEL: Final = LEVEL[DeclarationStage.ACCEPTED]
_MAIL: Final = "6"
_WAY_HOME: Final = ("transport_mode", "transport_no", "voyage_no", "bill_no")
_NUMBERS: Final = frozenset({"of", "invt_no", "pre_no"})


def report_event(
    state: CaseState,
    key: CaseKey,
    profile: FilingProfile,
    kind: DeclarationKind,
    facts: Mapping[str, str],
) -> Event | None:
    """The event that plans the report of one parcel.

    ``facts`` are ``vehicle_no`` of a 507; ``left_at`` (ISO 8601 with its zone) and where the
    waybills do not name them ``transport_no`` and ``voyage_no`` of a 509; of either ``bill_no``
    where the waybills name none (goods from a special zone), which mail alone can spare. None when
    the same was reported and not refused. Raises :class:`InvalidValue` when it is not ours to
    report, or cannot be true yet.
    """
    _require_right(profile, kind)
    waybill, inventory = state.paper(PaperKind.WAYBILL), state.inventory()
    if waybill is None:
        raise InvalidValue("cases", "travels under no bill that is known")
    if waybill.bill is not None and "bill_no" in facts:
        raise InvalidValue("bill_no", "is for parcels whose waybills name no bill")
    if waybill.bill is None and "bill_no" not in facts and profile.traf_mode != _MAIL:
        raise InvalidValue("cases", "travels under no bill that is known: name its bill_no")
    if inventory is None or inventory.stage in ENDED or not inventory.invt_no:
        raise InvalidValue("cases", "customs has not accepted its inventory")
    if LEVEL.get(inventory.stage, 0) < _ACCEPTED_LEVEL:
        raise InvalidValue("cases", "customs has not accepted its inventory")
    if kind is DeclarationKind.DEPARTURE and inventory.released_at is None:
        raise InvalidValue("cases", "customs has not released the parcel")
    if state.asked is not None:
        raise InvalidValue("cases", "somebody wants it stopped")
    last = state.declaration(kind)
    if last is None or last.stage in OVER:
        return requested_event(state, key, kind, inventory, profile, facts)
    if facts_of(last) != dict(facts):
        raise InvalidValue("cases", "was reported otherwise, and customs has not refused that")
    return None


def tally_event(
    state: CaseState,
    key: CaseKey,
    profile: FilingProfile,
    returned: DeclarationState,
    location: str,
) -> Event | None:
    """The event that plans the tally of one return's goods (215), on the way that its 213 named.

    ``location`` is where they are stacked, empty where nobody says. None when the same was filed
    and not refused. Raises :class:`InvalidValue` when it is not ours to file, or cannot be true.
    """
    if returned.kind is not DeclarationKind.EXPORT_RETURN:
        raise InvalidValue("return", "is of no export: only exported goods are counted (215)")
    if profile.consigning is None or profile.consigning.operator is None:
        raise InvalidValue("return", "its profile names no operator of the site")
    if returned.stage in OVER:
        raise InvalidValue("return", "customs refused this return")
    if LEVEL.get(returned.stage, 0) < 1:
        raise InvalidValue("return", "customs does not hold it yet")
    tallies = [one for one in state.declarations if one.kind is DeclarationKind.RETURN_TALLY]
    standing = [one for one in tallies if one.stage not in OVER]
    same = next((one for one in standing if one.request["return"] == returned.version), None)
    if same is not None:
        if same.request["location"] != location:
            reason = "was reported otherwise, and customs has not refused that"
            raise InvalidValue("location", reason)
        return None
    # What is still to be sent of a kind of declaration is its newest version.
    if any(LEVEL.get(one.stage, 0) < 1 for one in standing):
        raise InvalidValue("return", "the tally before it has not come to customs yet")
    inventory = state.inventory()
    assert inventory is not None
    said = {name: returned.request[name] for name in _WAY_HOME if name in returned.request}
    asked = {"return": returned.version, "location": location, **said}
    return requested_event(state, key, DeclarationKind.RETURN_TALLY, inventory, profile, asked)


def _require_right(profile: FilingProfile, kind: DeclarationKind) -> None:
    """A site's operator reports arrivals, a carrier what left: who files for them may too."""
    if not profile.is_export or profile.consigning is None:
        raise InvalidValue("cases", "is no export of which we file the consignments")
    if kind is DeclarationKind.SITE_ARRIVAL and profile.consigning.operator is None:
        raise InvalidValue("cases", "its profile names no operator of the site")
    is_ours = profile.filing(PaperKind.WAYBILL).filed_by is FiledBy.US
    if kind is DeclarationKind.DEPARTURE and not is_ours:
        raise InvalidValue("cases", "its carrier files for itself, and reports departures too")


def facts_of(report: DeclarationState) -> dict[str, object]:
    """What a report says of the journey, without the numbers of the parcel's inventory."""
    return {name: said for name, said in report.request.items() if name not in _NUMBERS}


def report_key(report: DeclarationState) -> str:
    """What tells reports of one bill apart: 16 hexadecimal characters of what they say."""
    text = repr(sorted(facts_of(report).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
