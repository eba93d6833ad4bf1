"""What a simulated world trades in: imports as the demo has them, or exports by consignments."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from gateway.app.demo_orders import goods_records
from gateway.app.demo_world import demo_profile
from gateway.domain.declaration import DeclarationKind
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, case_id
from gateway.domain.profile import Consigning, FilingProfile
from tests.support import exports

if TYPE_CHECKING:
    from tests.sim.orders import Planned
    from tests.sim.world import World

_TYPES = ("export_order", "funds_receipt", "export_waybill")
_BILLS = 3

EXPORTED = (
    *("RELEASE", "INSPECT", "REVIEW", "DUPLICATE", "EARLY", "REORDER", "SILENT", "ORDERSILENT"),
    *("BUSY", "LATE", "NEGATIVE", "REJECT1320", "RECALL", "BADRECORD", "SUSPEND", "LOST"),
)
"""The scenarios that a world of exports has; they end where those of imports do."""


def _quick(profile: FilingProfile) -> FilingProfile:
    """A profile with waits that let a world end within minutes."""
    return replace(profile, answer_timeout_s=12, resend_gap_s=6, resend_limit=14, waiting_s=150)


@dataclass(frozen=True, slots=True)
class Trade:
    """Whose papers a world is about, and how an export's are made (None: the demo's imports).

    ``people`` is what somebody asks of an order once its papers are on their way, ``pays`` changes
    how the orders of imports were paid before any paper is sent.
    """

    profile: FilingProfile
    goods: Sequence[GoodsRecord]
    lines: Callable[[str, int], Mapping[str, bytes]] | None = None
    people: Callable[[World, Planned], Coroutine[Any, Any, None]] | None = None
    pays: Callable[[Sequence[Planned]], None] | None = None

    def case_of(self, order_no: str) -> CaseId:
        """The case of one of our orders."""
        profile = self.profile
        return case_id(profile.tenant, profile.direction, profile.platform.code, order_no)


def imports() -> Trade:
    """Bonded imports of the demo."""
    profile = _quick(demo_profile())
    return Trade(profile, goods_records(profile.goods_scope))


def exported() -> Trade:
    """9610 exports: all papers by us, the parcels of a few bills gathered for ten seconds."""
    consigning = Consigning((DeclarationKind.MASTER_LIST,), gather_s=10)
    profile = _quick(exports.profile(consigning=consigning))
    return Trade(profile, exports.goods(profile), _export_lines)


def _export_lines(order_no: str, number: int) -> Mapping[str, bytes]:
    documents = exports.documents(order_no)
    documents[2]["bill_no"] = f"180-{number % _BILLS}"
    return {
        kind: orjson.dumps({"type": named, **document})
        for kind, named, document in zip(
            ("order", "payment", "waybill"), _TYPES, documents, strict=True
        )
    }
