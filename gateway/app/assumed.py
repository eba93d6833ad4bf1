"""The profiles that are assumed for files whose profiles nobody knows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.app.preflight_rows import UNNAMED_PROFILE, Given
from gateway.domain.ids import Direction, ProfileId, TenantId
from gateway.domain.papers import Order, PaymentSlip, Waybill
from gateway.domain.profile import MODES, ExportTerms, FilingProfile, Party, TradeMode

_NOBODY: Final = TenantId("preflight")
_ANYBODY: Final = Party("3301960000", "?")


def assumed_profiles(rows: Sequence[Given]) -> dict[Direction, FilingProfile]:
    """A profile for each direction of files whose profiles are not known."""
    ways = dict.fromkeys(row.direction for row in rows if row.direction is not None)
    return {
        way: assumed_profile([row for row in rows if row.direction is way], way)
        for way in ways or (Direction.IMPORT,)
    }


def assumed_profile(
    rows: Sequence[Given], direction: Direction = Direction.IMPORT
) -> FilingProfile:
    """A profile for files whose profile is not known: it names every company that they name.

    An import's mode is direct (9610) where a waybill names means of transport, else bonded. An
    export's is what its order or inventory says, else direct.
    """
    papers = [row.paper for row in rows]
    slips = [one for one in papers if isinstance(one, PaymentSlip)]
    waybills = [one for one in papers if isinstance(one, Waybill)]
    refs = [one.payment.company_code for one in papers if isinstance(one, Order)]
    is_export = direction is Direction.EXPORT
    mode = _export_mode(rows) if is_export else _import_mode(waybills)
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


def _import_mode(waybills: Sequence[Waybill]) -> TradeMode:
    is_direct = any(one.transport_no or one.voyage_no or one.bill_no for one in waybills)
    return TradeMode.DIRECT if is_direct else TradeMode.BONDED


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
