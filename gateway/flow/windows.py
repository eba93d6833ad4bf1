"""Maintenance windows of a way to customs: weekly, in customs' local time.

``daily 23:30-00:30`` or ``Sun 01:00-05:00``; a window that ends before it begins ends the next day.
"""

import re
from typing import Final, NamedTuple

_MINUTE_US: Final = 60 * 1_000_000
_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY
# China has one time zone and no summer time; 1970-01-01 was a Thursday.
_BEIJING_MINUTES: Final = 8 * 60
_EPOCH_MINUTES: Final = 3 * _DAY
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM: Final = re.compile(
    r"(daily|mon|tue|wed|thu|fri|sat|sun) ([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)",
    re.ASCII,
)


class Window(NamedTuple):
    """A weekly window: minutes since Monday midnight in Beijing, and its length in minutes."""

    start: int
    length: int


def parse_window(text: str) -> tuple[Window, ...]:
    """The windows of a week that a text means. Raises ``ValueError`` naming the form expected."""
    found = _FORM.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(
            f"{text!r} is no maintenance window; write 'daily 23:30-00:30' or 'Sun 01:00-05:00'"
            " (Beijing time)"
        )
    day, *numbers = found.groups()
    from_hour, from_minute, to_hour, to_minute = map(int, numbers)
    start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    length = (end - start) % _DAY
    if length == 0:
        raise ValueError(f"{text!r}: the window begins and ends at the same minute")
    days = range(7) if day == "daily" else (_DAYS.index(day),)
    return tuple(Window(one * _DAY + start, length) for one in days)


def closed_until(windows: tuple[Window, ...], now_us: int) -> int | None:
    """When the windows that hold ``now_us`` (UTC microseconds) are over; None outside of all.

    Windows that touch or overlap are one.
    """
    until: int | None = None
    moment = now_us
    # Every window can prolong the closing once; then it is the whole week.
    for _ in range(len(windows) + 1):
        ends = [end for one in windows if (end := _end(one, moment)) is not None]
        latest = max(ends, default=None)
        if latest is None or latest <= (until or 0):
            break
        until = moment = latest
    return until


def _end(window: Window, now_us: int) -> int | None:
    minutes, rest_us = divmod(now_us, _MINUTE_US)
    minute_of_week = (minutes + _BEIJING_MINUTES + _EPOCH_MINUTES) % _WEEK
    passed = (minute_of_week - window.start) % _WEEK
    if passed >= window.length:
        return None
    return now_us - rest_us + (window.length - passed) * _MINUTE_US
