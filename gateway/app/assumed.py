"""The profiles that are assumed for files whose profiles nobody knows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.api.decode import GoodsItem
from gateway.app.preflight_rows import UNNAMED_PROFILE, Given
from gateway.domain.ids import Direction, ProfileId, TenantId
from gateway.domain.papers import Order, PaymentSlip, Waybill
from gateway.domain.profile import MODES, ExportTerms, FilingProfile, Party, TradeMode

_NOBODY: Final = TenantId("preflight")
_ANYBODY: Final = Party("3301960000", "?")
_MODE_IN_NAME: Final = re.compile(r"(?<![0-9])(9610|1210|1239)(?![0-9])", re.ASCII)

ProfileRef = tuple[Direction, str | None]
"""A direction, and the profile that rows of it name."""


def assumed_profiles(
    rows: Sequence[Given], named: str | None = None
) -> dict[ProfileRef, FilingProfile]:
    """A profile for each direction and name of files whose profiles are not known.

    ``named`` is the profile of rows that name none; without it these belong to the others when
    those name only one. Goods records are of every direction.
    """
    ways = dict.fromkeys(row.direction for row in rows if row.direction is not None)
    found: dict[ProfileRef, FilingProfile] = {}
    for way in ways or (Direction.IMPORT,):
        those = [row for row in rows if row.direction in (way, None)]
        names = dict.fromkeys(row.profile or named for row in those)
        given = [name for name in names if name is not None]
        if len(given) < 2:
            sole = _assumed(those, those, way, given[0] if given else "")
            found |= {(way, name): sole for name in names}
            continue
        for name in names:
            own = [row for row in those if (row.profile or named) == name]
            found[way, name] = _assumed(own, those, way, name or "")
    return found


def _assumed(
    own: Sequence[Given], rows: Sequence[Given], direction: Direction, name: str
) -> FilingProfile:
    """A profile for the rows of one name: it names every company that all rows name."""
    papers = [row.paper for row in rows]
    slips = [one for one in papers if isinstance(one, PaymentSlip)]
    waybills = [one for one in papers if isinstance(one, Waybill)]
    refs = [one.payment.company_code for one in papers if isinstance(one, Order)]
    is_export = direction is Direction.EXPORT
    mode = _export_mode(own) if is_export else _import_mode(own, name)
    return FilingProfile(
        profile_id=ProfileId(UNNAMED_PROFILE),
        tenant=_NOBODY,
        version=1,
        direction=direction,
        mode=mode,
        customs_code="0000",
        port_code="0000",
        platform=_ANYBODY,
        merchant=_ANYBODY,
        agent=_ANYBODY,
        assure_code="" if is_export else _ANYBODY.code,
        transfer=_ANYBODY,
        dxp_id="DXPENT0000000000",
        carriers=_companies([(one.carrier_code, one.carrier_name) for one in waybills]),
        payment_companies=_companies(
            [(one.company_code, one.company_name) for one in slips] + [(one, None) for one in refs]
        ),
        area=_ANYBODY if mode.is_bonded else None,
        account_book="T0000W000000" if mode.is_bonded else None,
        wrap_type="2" if is_export else None,
        export=ExportTerms("?") if is_export else None,
        rule_pack="export-default" if is_export else "import-default",
    )


def _import_mode(rows: Sequence[Given], name: str) -> TradeMode:
    """The mode of these rows, as most of their waybills and their goods records tell it.

    Means of transport belong to a direct purchase, items of an account book to goods of a zone. One
    waybill proves nothing: it may be the one with the fault. A mode in the profile's name settles
    what the papers leave open.
    """
    waybills = [row.paper for row in rows if isinstance(row.paper, Waybill)]
    named = [[one.transport_no, one.voyage_no, one.bill_no] for one in waybills]
    some, whole = sum(map(any, named)), sum(map(all, named))
    goods = [row.item.model for row in rows if isinstance(row.item, GoodsItem)]
    items = sum(one.item_record_no is not None for one in goods)
    is_booked = bool(goods) and items == len(goods)
    if 2 * whole > len(named) and not is_booked:
        return TradeMode.DIRECT
    hint = _MODE_IN_NAME.search(name)
    if hint is not None:
        return TradeMode(hint.group())
    if 2 * some > len(named):
        return TradeMode.BONDED if is_booked else TradeMode.DIRECT
    is_even = bool(some) and 2 * some == len(named)
    return TradeMode.DIRECT if is_even and not items else TradeMode.BONDED


_ORDER_TYPES: Final[Mapping[str, TradeMode]] = {
    "B": TradeMode.B2B,
    "W": TradeMode.OVERSEAS_WAREHOUSE,
}


def _export_mode(rows: Sequence[Given]) -> TradeMode:
    """Inventories name their mode, orders of B2B a type of their own (orderType)."""
    modes = {one.value: one for one in MODES[Direction.EXPORT]}
    said = [modes.get(row.head.get("tradeMode", "")) for row in rows]
    said += [_ORDER_TYPES.get(row.head.get("orderType", "")) for row in rows]
    return next(filter(None, said), TradeMode.DIRECT)


def _companies(named: Iterable[tuple[str | None, str | None]]) -> tuple[Party, ...]:
    """The companies that papers name; one that stands for all where none is named."""
    found = {code: name or "?" for code, name in named if code}
    return tuple(Party(code, name) for code, name in sorted(found.items())) or (_ANYBODY,)
