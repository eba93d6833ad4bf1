"""Customs' clock: local texts (Beijing, UTC+8 without summer time) and UTC microseconds.

appTime has 14 digits, returnTime 17, declTime 8, CreatTime is an ISO text without zone (field
tables of the import messages; that the zone is Beijing's is practice, no text says so).
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEIJING: Final = timedelta(hours=8)
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECONDS_DIGITS: Final = 17
_SECONDS_DIGITS: Final = 14


def app_time(now_us: int) -> str:
    """The 14 digits of a moment: ``yyyyMMddHHmmss``."""
    return _app_time_of(now_us // 1_000_000)


@lru_cache(maxsize=16)
def _app_time_of(second: int) -> str:
    """All records of a message are asked for within one second."""
    return f"{_local(second * 1_000_000):%Y%m%d%H%M%S}"


def creat_time(now_us: int) -> str:
    """The envelope's time of creation: ``yyyy-MM-ddTHH:mm:ss``."""
    return f"{_local(now_us):%Y-%m-%dT%H:%M:%S}"


def declaration_date(app_time_text: str | None) -> str | None:
    """declTime is the local day of appTime, so that midnight cannot fall between the two."""
    return None if app_time_text is None else app_time_text[:8]


def full_return_time(text: str) -> str:
    """returnTime in its 17 digits; some tables print 14, which mean the full second.

    Raises ValueError for anything else.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError("returnTime is not made of digits")
    if len(text) == _SECONDS_DIGITS:
        return f"{text}000"
    if len(text) != _MILLISECONDS_DIGITS:
        raise ValueError("returnTime has neither 17 nor 14 digits")
    return text


def return_time_us(text: str) -> int:
    """UTC microseconds of 17 digits; raises ValueError when they are no moment."""
    local = datetime(
        int(text[:4]),
        int(text[4:6]),
        int(text[6:8]),
        int(text[8:10]),
        int(text[10:12]),
        int(text[12:14]),
        int(text[14:17]) * 1000,
        tzinfo=UTC,
    )
    return (local - _EPOCH - _BEIJING) // _MICROSECOND


def _local(now_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=now_us) + _BEIJING
