"""May it still be stopped: the whole table, and what each state of a case comes to."""

from __future__ import annotations

import pytest

from gateway.domain.asking import REASONS, TABLE, Answered, Ask, Place, standing
from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState


def at(order: str | None = None, inventory: str | None = None) -> CaseState:
    kinds = ((DeclarationKind.ORDER, order), (DeclarationKind.INVENTORY, inventory))
    return CaseState(
        declarations=tuple(
            DeclarationState(kind, 1, DeclarationStage(stage))
            for kind, stage in kinds
            if stage is not None
        )
    )


def test_every_cell_has_an_answer_with_both_texts() -> None:
    assert set(TABLE) == set(Place)
    for row in TABLE.values():
        assert set(row) == set(Ask)
        for cell in row.values():
            assert all(REASONS[cell.reason])
    used = {cell.reason for row in TABLE.values() for cell in row.values()}
    elsewhere = {
        "export_return_filed",
        "return_window_over",
        "nothing_left_to_return",
        "return_on_its_way",
    }
    assert used == set(REASONS) - elsewhere


@pytest.mark.parametrize("stage", list(DeclarationStage))
@pytest.mark.parametrize("ask", list(Ask))
def test_an_export_is_asked_for_like_an_import_but_its_goods_come_home_by_another_request(
    ask: Ask, stage: DeclarationStage
) -> None:
    export, of_import = (
        standing(ask, CaseState(declarations=(DeclarationState(kind, 1, stage),)))
        for kind in (DeclarationKind.EXPORT_INVENTORY, DeclarationKind.INVENTORY)
    )
    if of_import.reason == "return_filed":
        answered = (export.answered, export.reason, export.files)
        assert answered == (Answered.STOPPABLE, "export_return_filed", True)
    else:
        assert export == of_import


@pytest.mark.parametrize("stage", list(DeclarationStage))
@pytest.mark.parametrize("ask", list(Ask))
def test_every_stage_is_answered_and_only_what_is_stoppable_is_held(
    ask: Ask, stage: DeclarationStage
) -> None:
    answer = standing(ask, at("stored", stage.value))
    assert not answer.holds or answer.answered is Answered.STOPPABLE
    assert not answer.safe_to_refund or answer.holds or stage is DeclarationStage.CANCELLED
    assert not (answer.asks or answer.files) or answer.answered is Answered.STOPPABLE


@pytest.mark.parametrize(
    "order,inventory,ask,answered,reason",
    [
        (None, None, Ask.CANCEL, Answered.STOPPABLE, "held_nothing_declared"),
        ("lodged", None, Ask.CHANGE, Answered.STOPPABLE, "held_for_change"),
        ("rejected", None, Ask.CHANGE, Answered.STOPPABLE, "send_corrected_paper"),
        ("stored", "planned", Ask.CHANGE, Answered.STOPPABLE, "held_for_change"),
        ("stored", "claimed", Ask.CANCEL, Answered.STOPPABLE, "queued"),
        ("stored", "unknown", Ask.CHANGE, Answered.STOPPABLE, "queued"),
        ("stored", "rejected", Ask.REDECLARE, Answered.STOPPABLE, "declared_anew"),
        ("stored", "cancelled", Ask.REDECLARE, Answered.STOPPABLE, "declared_anew"),
        ("stored", "rejected", Ask.CANCEL, Answered.STOPPABLE, "held_after_rejection"),
        ("stored", "accepted", Ask.CANCEL, Answered.STOPPABLE, "request_filed"),
        ("stored", "inspection", Ask.CHANGE, Answered.TOO_LATE, "customs_decides"),
        ("stored", "released", Ask.CANCEL, Answered.TOO_LATE, "released"),
        ("stored", "closed", Ask.RETURN, Answered.STOPPABLE, "return_filed"),
        ("stored", "lodged", Ask.RETURN, Answered.TOO_EARLY, "nothing_to_return"),
    ],
)
def test_answers(
    order: str | None, inventory: str | None, ask: Ask, answered: Answered, reason: str
) -> None:
    answer = standing(ask, at(order, inventory))
    assert (answer.answered, answer.reason) == (answered, reason)


def test_only_what_is_over_at_customs_is_safe_to_refund() -> None:
    safe = [
        stage
        for stage in DeclarationStage
        if standing(Ask.CANCEL, at("stored", stage.value)).safe_to_refund
    ]
    over = {DeclarationStage.REJECTED, DeclarationStage.REFUSED, DeclarationStage.CANCELLED}
    assert set(safe) == over
