"""Local time of Chinese customs: Beijing time all year, no daylight saving."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

BEIJING: Final = timezone(timedelta(hours=8))


def moment(now: int) -> datetime:
    """The aware UTC time of microseconds."""
    return datetime.fromtimestamp(now // 1_000_000, UTC).replace(microsecond=now % 1_000_000)


def local_text(now: int) -> str:
    """The time in Beijing of a moment given in UTC microseconds, to the second."""
    return f"{datetime.fromtimestamp(now // 1_000_000, BEIJING):%Y-%m-%d %H:%M:%S}"


def local_date(now: int) -> date:
    """The day in Beijing at a moment given in UTC microseconds."""
    return datetime.fromtimestamp(now // 1_000_000, BEIJING).date()
