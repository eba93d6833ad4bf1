"""Facts for those who ask whether a deployment is well: clocks, and keys that soon end."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from store.tables import api_key, case_

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Wellness:
    """``apart_us`` is how far the database server's clock is from ours (0 on SQLite, which has
    none); ``newest`` the latest time in the history, None for an empty one; ``keys_ending`` how
    many API keys end before a time.
    """

    apart_us: int
    newest: int | None
    keys_ending: int


def wellness(connection: Connection, now: int, ending_by: int) -> Wellness:
    """Read the facts; times are UTC microseconds."""
    apart = 0
    if connection.dialect.name == "postgresql":
        seconds = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar()
        apart = abs(int((seconds or 0) * _SECOND_US) - now)
    ending = connection.execute(
        select(func.count())
        .select_from(api_key)
        .where(
            api_key.c.revoked_at.is_(None),
            api_key.c.expires_at > now,
            api_key.c.expires_at <= ending_by,
        )
    )
    newest = connection.execute(select(func.max(case_.c.updated_at)))
    return Wellness(apart, newest.scalar(), ending.scalar_one())
