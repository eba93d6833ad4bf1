"""Customs' clock: round trips and refusals."""

from __future__ import annotations

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from adapters.customs.ceb.times import (
    app_time,
    creat_time,
    declaration_date,
    full_return_time,
    return_time_us,
)


@for_all(st.integers(0, 4_102_444_800_000))
def test_a_moment_survives_its_text(milliseconds: int) -> None:
    now = milliseconds * 1000
    text = f"{app_time(now)}{milliseconds % 1000:03d}"
    assert return_time_us(full_return_time(text)) == now


@for_all(st.integers(0, 4_102_444_800), st.integers(1, 10**9))
def test_texts_rise_with_time(second: int, later: int) -> None:
    earlier, after = second * 1_000_000, (second + later) * 1_000_000
    assert app_time(earlier) < app_time(after)
    assert creat_time(earlier) < creat_time(after)


@pytest.mark.parametrize(
    "text", ["", "2026", "202603010930051234", "2026030109300512x", "²0260301093005123", "-" * 17]
)
def test_what_is_no_return_time(text: str) -> None:
    with pytest.raises(ValueError, match="returnTime"):
        full_return_time(text)


@pytest.mark.parametrize("text", ["20260230000000000", "00000101000000000", "20260101240000000"])
def test_digits_that_are_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        return_time_us(text)


def test_the_day_of_nothing_is_nothing() -> None:
    assert declaration_date(None) is None
