"""Maintenance windows: customs' local time, over midnight and the end of the week."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flow.windows import Window, closed_until, parse_window

BEIJING = timezone(timedelta(hours=8))


def at(text: str) -> int:
    """Beijing time as UTC microseconds."""
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=BEIJING)
    return int(moment.timestamp()) * 1_000_000


def until(texts: list[str], moment: str) -> str | None:
    windows = tuple(window for text in texts for window in parse_window(text))
    found = closed_until(windows, at(moment))
    return (
        None
        if found is None
        else datetime.fromtimestamp(found / 1e6, BEIJING).strftime("%Y-%m-%d %H:%M")
    )


# 2026-11-28 is a Saturday.
@pytest.mark.parametrize(
    "texts, moment, expected",
    [
        (["Sun 01:00-05:00"], "2026-11-28 23:59", None),
        (["Sun 01:00-05:00"], "2026-11-29 00:59", None),
        (["Sun 01:00-05:00"], "2026-11-29 01:00", "2026-11-29 05:00"),
        (["Sun 01:00-05:00"], "2026-11-29 04:59", "2026-11-29 05:00"),
        (["Sun 01:00-05:00"], "2026-11-29 05:00", None),
        (["daily 23:30-00:30"], "2026-11-28 23:45", "2026-11-29 00:30"),
        (["daily 23:30-00:30"], "2026-11-29 00:10", "2026-11-29 00:30"),
        (["sun 22:00-02:00"], "2026-11-30 01:00", "2026-11-30 02:00"),
        (["sun 22:00-02:00", "Mon 02:00-03:00"], "2026-11-29 23:00", "2026-11-30 03:00"),
        ([], "2026-11-29 23:00", None),
    ],
)
def test_a_window_holds_from_its_first_minute_to_its_last(
    texts: list[str], moment: str, expected: str | None
) -> None:
    assert until(texts, moment) == expected


@pytest.mark.parametrize(
    "text", ["", "Sun", "Sun 1:00-5:00", "Sun 24:00-05:00", "Sunday 01:00-05:00", "Sun 05:00-05:00"]
)
def test_what_is_no_window_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="window"):
        parse_window(text)


@given(
    st.lists(st.builds(Window, st.integers(0, 10079), st.integers(1, 1440)), max_size=5),
    st.integers(1_767_225_600, 1_772_323_200),
)
def test_the_end_is_open_or_the_week_is_closed(windows: list[Window], moment_s: int) -> None:
    now = moment_s * 1_000_000
    end = closed_until(tuple(windows), now)
    if end is not None:
        assert end > now
        # Just before it is closed still.
        assert closed_until(tuple(windows), end - 1) is not None
