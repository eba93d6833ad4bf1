"""May I still change, redeclare, cancel or return? The answer from the live state, as a table.

Rows are the state of the inventory, columns what is asked (the table of clearance practice: what
was not sent can be stopped, what customs decides can not). An answer never promises what the
gateway cannot do: such cells say so, with the reason and who can.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage

_S: Final = DeclarationStage


class Ask(StrEnum):
    """What is asked of a case."""

    CHANGE = "change"
    REDECLARE = "redeclare"
    CANCEL = "cancel"
    RETURN = "return"


class Answered(StrEnum):
    """The kinds of answer; ``not_possible`` is what the gateway itself cannot do."""

    STOPPABLE = "STOPPABLE"
    TOO_LATE = "TOO_LATE"
    TOO_EARLY = "TOO_EARLY"
    NOT_POSSIBLE = "NOT_POSSIBLE"


class Place(StrEnum):
    """Where the inventory of a case stands, as far as these questions go."""

    NOT_SENT = "not_sent"
    WITH_CUSTOMS = "with_customs"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    BEING_DECIDED = "being_decided"
    RELEASED = "released"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Standing:
    """One answer: ``reason`` is a stable word with texts in ``REASONS``.

    ``holds``: the case is stopped with the answer. ``safe_to_refund``: nothing of it is or can get
    to customs any more.
    """

    answered: Answered
    reason: str
    holds: bool = False
    safe_to_refund: bool = False


REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "held_for_change": (
        "The case is held. Send the corrected paper, then release the case.",
        "该单已暂停。请发送更正后的单证，然后解除暂停。",
    ),
    "send_corrected_paper": (
        "Customs refused it. Send the corrected paper: it is declared again by itself.",
        "海关已退单。请发送更正后的单证，网关会自动重新申报。",
    ),
    "not_declared_yet": (
        "Nothing was declared yet; the case is declared by itself once it matches.",
        "尚未申报；核对一致后网关会自动申报。",
    ),
    "held_nothing_declared": (
        "The case is held and its inventory was never sent.",
        "该单已暂停，清单从未发送。",
    ),
    "held_after_rejection": (
        "Customs refused it and the case is held: nothing goes to customs again.",
        "海关已退单且该单已暂停，不会再次申报。",
    ),
    "with_customs": (
        "It was sent and customs has not answered. Wait for the answer; to stop the parcel, call"
        " the warehouse.",
        "已发送，海关尚未答复。请等待回执；如需拦截包裹，请联系仓库。",
    ),
    "request_at_customs": (
        "Customs accepted it. Only a request to cancel (623) helps, which the declarant agent"
        " files by hand.",
        "海关已接受申报，只能由申报单位人工提交撤销申请（623）。",
    ),
    "same_papers_again": (
        "Customs refused these papers. A corrected paper is declared again by itself; unchanged"
        " ones a person files.",
        "海关已退回这些单证。更正后的单证会自动重新申报；未更正的需人工申报。",
    ),
    "customs_decides": (
        "Customs is deciding; only the customs office can be asked, by a person.",
        "海关正在处理，只能由人员联系现场海关。",
    ),
    "released": (
        "Customs released it; only a return remains.",
        "海关已放行，只能办理退货。",
    ),
    "return_by_hand": (
        "A return (625) within 30 days of release is filed by the declarant agent by hand.",
        "退货申请（625）须在放行后 30 天内由申报单位人工提交。",
    ),
    "nothing_to_return": (
        "Only what customs released can be returned.",
        "只有海关放行后才能办理退货。",
    ),
    "cancelled": (
        "Customs cancelled it; nothing of it is declared any more.",
        "海关已撤销该清单，不再有有效申报。",
    ),
    "returned_abroad": (
        "The goods go back abroad.",
        "货物退运出境。",
    ),
}

_STOP, _LATE = Answered.STOPPABLE, Answered.TOO_LATE
_EARLY, _CANNOT = Answered.TOO_EARLY, Answered.NOT_POSSIBLE
_EARLY_RETURN: Final = Standing(_EARLY, "nothing_to_return")
_WITH_CUSTOMS: Final = Standing(_CANNOT, "with_customs")
_AT_CUSTOMS: Final = Standing(_CANNOT, "request_at_customs")
_DECIDED: Final = Standing(_LATE, "customs_decides")
_RELEASED: Final = Standing(_LATE, "released")
_GONE: Final = Standing(_LATE, "returned_abroad")
_BY_HAND: Final = Standing(_CANNOT, "return_by_hand")

TABLE: Final[Mapping[Place, Mapping[Ask, Standing]]] = {
    Place.NOT_SENT: {
        Ask.CHANGE: Standing(_STOP, "held_for_change", holds=True),
        Ask.REDECLARE: Standing(_STOP, "not_declared_yet"),
        Ask.CANCEL: Standing(_STOP, "held_nothing_declared", holds=True),
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.WITH_CUSTOMS: {
        Ask.CHANGE: _WITH_CUSTOMS,
        Ask.REDECLARE: _WITH_CUSTOMS,
        Ask.CANCEL: _WITH_CUSTOMS,
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.REJECTED: {
        Ask.CHANGE: Standing(_STOP, "send_corrected_paper"),
        Ask.REDECLARE: Standing(_CANNOT, "same_papers_again"),
        Ask.CANCEL: Standing(_STOP, "held_after_rejection", holds=True, safe_to_refund=True),
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.ACCEPTED: {
        Ask.CHANGE: _AT_CUSTOMS,
        Ask.REDECLARE: _AT_CUSTOMS,
        Ask.CANCEL: _AT_CUSTOMS,
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.BEING_DECIDED: {
        Ask.CHANGE: _DECIDED,
        Ask.REDECLARE: _DECIDED,
        Ask.CANCEL: _DECIDED,
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.RELEASED: {
        Ask.CHANGE: _RELEASED,
        Ask.REDECLARE: _RELEASED,
        Ask.CANCEL: _RELEASED,
        Ask.RETURN: _BY_HAND,
    },
    Place.CLOSED: {
        Ask.CHANGE: _RELEASED,
        Ask.REDECLARE: _RELEASED,
        Ask.CANCEL: _RELEASED,
        Ask.RETURN: _BY_HAND,
    },
    Place.CANCELLED: {
        Ask.CHANGE: Standing(_STOP, "held_for_change", holds=True),
        Ask.REDECLARE: Standing(_LATE, "cancelled"),
        Ask.CANCEL: Standing(_STOP, "cancelled", holds=True, safe_to_refund=True),
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.GONE: dict.fromkeys(Ask, _GONE),
}

_PLACES: Final[Mapping[DeclarationStage, Place]] = {
    _S.PLANNED: Place.NOT_SENT,
    _S.WITHDRAWN: Place.NOT_SENT,
    _S.CLAIMED: Place.WITH_CUSTOMS,
    _S.SENT: Place.WITH_CUSTOMS,
    _S.UNKNOWN: Place.WITH_CUSTOMS,
    _S.LODGED: Place.WITH_CUSTOMS,
    _S.STORED: Place.WITH_CUSTOMS,
    _S.REJECTED: Place.REJECTED,
    _S.REFUSED: Place.REJECTED,
    _S.ACCEPTED: Place.ACCEPTED,
    _S.IN_REVIEW: Place.ACCEPTED,
    _S.APPROVED: Place.BEING_DECIDED,
    _S.INSPECTION: Place.BEING_DECIDED,
    _S.DETAINED: Place.BEING_DECIDED,
    _S.SUSPENDED: Place.BEING_DECIDED,
    _S.RELEASED: Place.RELEASED,
    _S.CLOSED: Place.CLOSED,
    _S.CANCELLED: Place.CANCELLED,
    _S.RETURNED_ABROAD: Place.GONE,
}


def standing(ask: Ask, state: CaseState) -> Standing:
    """The answer to a question from the live state of a case."""
    inventory = state.declaration(DeclarationKind.INVENTORY)
    place = Place.NOT_SENT if inventory is None else _PLACES[inventory.stage]
    order = state.declaration(DeclarationKind.ORDER)
    if place is Place.NOT_SENT and order is not None and order.stage in (_S.REJECTED, _S.REFUSED):
        place = Place.REJECTED
    return TABLE[place][ask]
