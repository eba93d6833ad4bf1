"""May I still change, redeclare, cancel or return? The answer from the live state, as a table.

Rows are the state of the inventory, columns what is asked (the table of clearance practice: what
was not sent can be stopped, what customs accepted can be asked back, what customs decides can
not). What an answer promises is done with it, in the same commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.lifecycle import filed_paper
from gateway.domain.papers import PaperKind

_S: Final = DeclarationStage


class Ask(StrEnum):
    """What is asked of a case."""

    CHANGE = "change"
    REDECLARE = "redeclare"
    CANCEL = "cancel"
    RETURN = "return"


class Answered(StrEnum):
    """The kinds of answer."""

    STOPPABLE = "STOPPABLE"
    TOO_LATE = "TOO_LATE"
    TOO_EARLY = "TOO_EARLY"


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

    ``holds``: the case is stopped with the answer. ``asks``: what is wanted stays open until
    customs has answered. ``files``: the request to customs is filed at once. ``safe_to_refund``:
    nothing of it is or can get to customs any more.
    """

    answered: Answered
    reason: str
    holds: bool = False
    asks: bool = False
    files: bool = False
    safe_to_refund: bool = False


REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "held_for_change": (
        "The case is held. Send the corrected paper, then release the case.",
        "该单已暂停。请发送更正后的单证，然后解除暂停。",
    ),
    "send_corrected_paper": (
        "It is over at customs. Send the corrected paper: it is declared again by itself.",
        "该申报在海关已终结。请发送更正后的单证，网关会自动重新申报。",
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
    "queued": (
        "It was sent and customs has not decided. The parcel is stopped; as soon as customs accepts"
        " it, a request to cancel (623) is filed, and if customs refuses it, nothing goes again.",
        "已发送，海关尚未决定。包裹已拦截；海关受理后立即提交撤销申请（623），若海关退单则不再申报。",
    ),
    "request_filed": (
        "Customs accepted it. A request to cancel (623) is filed now; until customs grants it,"
        " nothing is cancelled.",
        "海关已受理。现提交撤销申请（623）；海关批准前仍未撤销。",
    ),
    "declared_anew": (
        "It is declared again, with what customs' code says to file first.",
        "将重新申报，并按海关退单代码先补报相关单证。",
    ),
    "customs_decides": (
        "Customs is deciding; only the customs office can be asked, by a person.",
        "海关正在处理，只能由人员联系现场海关。",
    ),
    "released": (
        "Customs released it; only a return remains.",
        "海关已放行，只能办理退货。",
    ),
    "return_filed": (
        "A return (625) is filed now. Customs must approve it, and the goods must be back by the"
        " date that the case names.",
        "现提交退货申请（625）。须经海关批准，货物应在该单所示日期前退回。",
    ),
    "export_return_filed": (
        "The return of exported goods (213) is filed now. Customs must approve it; the site reports"
        " the goods (215) once they are back.",
        "现提交出口退货申请（213）。须经海关批准；货物退回后由监管场所申报理货明细（215）。",
    ),
    "return_window_over": (
        "The days for returns after release have passed: customs takes no return any more.",
        "放行后的退货申请期限已过，海关不再受理退货。",
    ),
    "return_on_its_way": (
        "An earlier return of this order has not come to customs yet; ask for the next one then.",
        "该单前一项退货申请尚未送达海关，请待海关收到后再申请。",
    ),
    "nothing_left_to_return": (
        "Everything of this order has been returned or asked back already.",
        "该单商品已全部退回或已申请退货。",
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
_EARLY: Final = Answered.TOO_EARLY
_EARLY_RETURN: Final = Standing(_EARLY, "nothing_to_return")
_QUEUED: Final = Standing(_STOP, "queued", asks=True)
_AT_CUSTOMS: Final = Standing(_STOP, "request_filed", asks=True)
_ANEW: Final = Standing(_STOP, "declared_anew", asks=True)
_DECIDED: Final = Standing(_LATE, "customs_decides")
_RELEASED: Final = Standing(_LATE, "released")
_GONE: Final = Standing(_LATE, "returned_abroad")
_RETURN: Final = Standing(_STOP, "return_filed", files=True)

TABLE: Final[Mapping[Place, Mapping[Ask, Standing]]] = {
    Place.NOT_SENT: {
        Ask.CHANGE: Standing(_STOP, "held_for_change", holds=True),
        Ask.REDECLARE: Standing(_STOP, "not_declared_yet"),
        Ask.CANCEL: Standing(_STOP, "held_nothing_declared", holds=True, asks=True),
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.WITH_CUSTOMS: {
        Ask.CHANGE: _QUEUED,
        Ask.REDECLARE: _QUEUED,
        Ask.CANCEL: _QUEUED,
        Ask.RETURN: _EARLY_RETURN,
    },
    Place.REJECTED: {
        Ask.CHANGE: Standing(_STOP, "send_corrected_paper"),
        Ask.REDECLARE: _ANEW,
        Ask.CANCEL: Standing(
            _STOP, "held_after_rejection", holds=True, asks=True, safe_to_refund=True
        ),
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
        Ask.RETURN: _RETURN,
    },
    Place.CLOSED: {
        Ask.CHANGE: _RELEASED,
        Ask.REDECLARE: _RELEASED,
        Ask.CANCEL: _RELEASED,
        Ask.RETURN: _RETURN,
    },
    Place.CANCELLED: {
        Ask.CHANGE: Standing(_STOP, "send_corrected_paper", asks=True),
        Ask.REDECLARE: _ANEW,
        Ask.CANCEL: Standing(_STOP, "cancelled", asks=True, safe_to_refund=True),
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


_EXPORT_RETURN: Final = Standing(_STOP, "export_return_filed", files=True)


def standing(ask: Ask, state: CaseState) -> Standing:
    """The answer to a question from the live state of a case."""
    inventory = state.inventory()
    place = Place.NOT_SENT if inventory is None else _PLACES[inventory.stage]
    order = filed_paper(state, PaperKind.ORDER)
    if place is Place.NOT_SENT and order is not None and order.stage in (_S.REJECTED, _S.REFUSED):
        place = Place.REJECTED
    answer = TABLE[place][ask]
    return _filed(state) if answer is _RETURN else answer


def _filed(state: CaseState) -> Standing:
    """That a return is filed, of goods of which direction."""
    is_export = state.declaration(DeclarationKind.EXPORT_INVENTORY) is not None
    return _EXPORT_RETURN if is_export else _RETURN


def return_standing(
    state: CaseState,
    today: date,
    apply_until: date | None,
    *,
    is_anything_left: bool,
    is_one_on_its_way: bool,
) -> Standing:
    """The answer to a return of what customs released, ``today`` by customs' calendar.

    Asked for by a day that counts from release (announcements 2020 no. 44 and 45); several may be
    under way as long as there are goods left to return (DOMAIN 1), the next one once customs has
    those before it: what is still to be sent of a kind of declaration is its newest version.
    """
    if apply_until is not None and today > apply_until:
        return Standing(_LATE, "return_window_over")
    if not is_anything_left:
        return Standing(_LATE, "nothing_left_to_return")
    if is_one_on_its_way:
        return Standing(_EARLY, "return_on_its_way")
    return _filed(state)
