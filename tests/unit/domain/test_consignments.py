"""When a parcel is to stand in a list of its consignment, and when it is to stand in one again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.case import (
    Asked,
    CaseKey,
    CaseState,
    PaperStamp,
    Verdict,
    VerdictKind,
    Wish,
)
from gateway.domain.codec import state_from_doc, state_to_doc
from gateway.domain.declaration import (
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    ReceiptFact,
    Word,
)
from gateway.domain.ids import CaseId, Direction, MessageId, bill_key, list_no
from gateway.domain.lifecycle import apply
from gateway.domain.papers import PaperKind
from gateway.domain.planning import plan_events
from gateway.domain.profile import Consigning, FilingProfile
from gateway.domain.receipts import parts_list, receipt_events
from tests.support import exports

K, S = DeclarationKind, DeclarationStage
PROFILE = exports.profile(consigning=Consigning((K.MASTER_LIST,)))
KEY = CaseKey(
    CaseId("case"), PROFILE.tenant, Direction.EXPORT, "3301960001", "EX-1", PROFILE.profile_id
)
PAPERS = {
    PaperKind.ORDER: PaperStamp(1, "o"),
    PaperKind.WAYBILL: PaperStamp(1, "w", bill=bill_key("3301980009", "180-1")),
}


def case(stage: DeclarationStage = S.ACCEPTED, **changes: Any) -> CaseState:
    inventory = DeclarationState(
        K.EXPORT_INVENTORY, 1, stage, cop_no="CG1", invt_no="29912026E000000001"
    )
    state = CaseState(
        verdict=Verdict(VerdictKind.MATCHED), papers=PAPERS, declarations=(inventory,)
    )
    return state._replace(**changes)


def planned(
    state: CaseState, *, relists: bool = False, profile: FilingProfile = PROFILE
) -> list[str]:
    events = plan_events(state, KEY, profile, {}, relists=relists)
    return [one.payload["kind"] for one in events if one.payload["kind"] == K.MASTER_LIST]


@pytest.mark.parametrize("stage", list(S))
def test_a_parcel_is_listed_once_customs_has_its_inventory(stage: DeclarationStage) -> None:
    has_it = stage in (S.STORED, S.ACCEPTED, S.IN_REVIEW, S.APPROVED, S.INSPECTION, S.DETAINED)
    has_it |= stage in (S.SUSPENDED, S.RELEASED, S.CLOSED)
    assert planned(case(stage)) == ([K.MASTER_LIST] if has_it else [])


def test_it_is_not_listed_without_a_bill_a_number_or_while_somebody_wants_it_stopped() -> None:
    assert planned(case(papers={PaperKind.WAYBILL: PaperStamp(1, "w")})) == []
    (inventory,) = case().declarations
    assert planned(case(declarations=(inventory._replace(invt_no=None),))) == []
    # The cancellation that is wanted was refused once, so that nothing else is planned here.
    request = {"of": 1}
    refused = DeclarationState(K.EXPORT_CANCELLATION, 1, S.LODGED, request=request)
    wanted = case(
        declarations=(inventory, refused), asked=Asked(Wish.CANCEL, "clerk", "not wanted")
    )
    assert planned(wanted) == []
    assert planned(case(), profile=replace(PROFILE, consigning=None)) == []


@pytest.mark.parametrize(
    "stage, by_itself, rechecked",
    [
        (S.PLANNED, 0, 0),
        (S.LODGED, 0, 0),
        (S.STORED, 0, 0),
        (S.WITHDRAWN, 1, 1),
        (S.REJECTED, 0, 1),
        (S.REFUSED, 0, 1),
    ],
)
def test_a_refused_list_is_filed_again_when_a_person_rechecks(
    stage: DeclarationStage, by_itself: int, rechecked: int
) -> None:
    state = case()
    papers = {kind.value: stamp.revision for kind, stamp in PAPERS.items()}
    pinned = state.declarations[0].pinned._replace(papers=papers)
    before = DeclarationState(K.MASTER_LIST, 1, stage, pinned=pinned, request={"of": 1})
    state = case(declarations=(*state.declarations, before))
    assert len(planned(state)) == by_itself
    assert len(planned(state, relists=True)) == rechecked


def test_the_bill_of_a_parcel_is_kept_with_the_case() -> None:
    assert state_from_doc(state_to_doc(case())) == case()


def test_a_list_has_a_number_of_its_message_and_a_bill_one_of_its_carrier() -> None:
    numbers = {list_no("CG", MessageId(one)) for one in ("m1", "m2")}
    assert len(numbers) == 2
    assert all(one.startswith("CG") and len(one) <= 20 for one in numbers)
    assert bill_key("a", "bc") != bill_key("ab", "c")


@pytest.mark.parametrize(
    "kind, word, stage, is_parted",
    [
        (K.MASTER_LIST, Word.REJECTED, S.LODGED, True),
        (K.ENTRY_LIST, Word.FAILED, S.SENT, True),
        (K.SITE_ARRIVAL, Word.FAILED, S.UNKNOWN, True),
        # Whoever may not file, or has filed it already, may not or has for every parcel.
        (K.ENTRY_LIST, Word.FAILED_RIGHTS, S.SENT, False),
        (K.ENTRY_LIST, Word.DUPLICATE, S.SENT, False),
        (K.ENTRY_LIST, Word.LODGED, S.SENT, False),
        # A negative of a later try ends nothing; a summary stays whole; an inventory is one.
        (K.ENTRY_LIST, Word.FAILED, S.LODGED, False),
        (K.SUMMARY_REQUEST, Word.REJECTED, S.LODGED, False),
        (K.EXPORT_INVENTORY, Word.REJECTED, S.LODGED, False),
    ],
)
def test_a_refusal_of_what_is_in_a_list_parts_it(
    kind: DeclarationKind, word: Word, stage: DeclarationStage, is_parted: bool
) -> None:
    sent = DeclarationState(kind, 1, stage, cop_no="CG9", sent_at=0, attempt=1)
    said = ReceiptFact(kind, word, "-1", "20260105100000000", 10**15, "r1", 0, "g1", cop_no="CG9")
    state = CaseState(declarations=(sent,))
    parted = parts_list(receipt_events(state, said, 2 * 10**15), said)
    assert (parted is not None) == is_parted
    if parted is not None:
        (event,) = parted.events
        assert event.payload["effect"] == "parted"
        after = apply(state, event).declarations[0]
        assert after.stage is stage
        assert after.seen
