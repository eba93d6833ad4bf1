"""What goes first when keys are busy: inventories by their warehouse's cut-off, then papers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.codec import from_micros, to_micros
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.flow.sign import signing_enterprise, urgency_of
from signing import Priority
from tests.unit.customs.make import profile

ONE = replace(profile(), cut_offs=("16:30", "11:00"))


def beijing(day: int, hour: int, minute: int = 0) -> int:
    return to_micros(datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=8))


@pytest.mark.parametrize(
    "now, cut_off",
    [
        (beijing(11, 0), beijing(11, 11)),
        (beijing(11, 10, 59), beijing(11, 11)),
        (beijing(11, 11), beijing(11, 16, 30)),
        (beijing(11, 16, 30), beijing(12, 11)),
        (beijing(11, 23, 59), beijing(12, 11)),
    ],
)
def test_an_inventory_is_due_at_the_next_cut_off(now: int, cut_off: int) -> None:
    assert from_micros(ONE.cut_off_after(now)) == from_micros(cut_off)


def test_without_cut_offs_the_day_in_beijing_is_the_wave() -> None:
    for hour in (0, 7, 8, 23):
        assert profile().cut_off_after(beijing(11, hour)) == beijing(12, 0)


def test_the_order_is_inventories_by_cut_off_then_papers() -> None:
    now = beijing(11, 10)
    late = replace(profile(), cut_offs=("22:00",))
    wanted = [
        urgency_of(ONE, DeclarationKind.INVENTORY, now),
        urgency_of(late, DeclarationKind.INVENTORY, now - 5),
        urgency_of(ONE, DeclarationKind.ORDER, now - 9),
        urgency_of(ONE, DeclarationKind.PAYMENT, now),
    ]
    assert sorted(wanted, key=lambda one: (one.priority, one.cut_off)) == wanted
    assert Priority.QUESTION < Priority.CHANGE < wanted[0].priority


@pytest.mark.parametrize("faulty", ["24:00", "9:30", "16:60", "１６:30", "noon"])
def test_a_cut_off_is_a_time_of_day(faulty: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        replace(profile(), cut_offs=(faulty,)).check()
    assert refused.value.path == "cut_offs"


def test_papers_are_signed_for_who_transmits_them_and_inventories_for_their_agent() -> None:
    owner = profile()
    owner = replace(owner, transfer=owner.carriers[0])
    for kind in DeclarationKind:
        wanted = owner.transfer if kind.is_of_papers else owner.agent
        assert signing_enterprise(owner, kind) == {wanted.code}
