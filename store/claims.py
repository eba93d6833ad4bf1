"""Who holds a number: claims and links, looked up by their keyed hashes."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from gateway.domain.ids import CaseId
from gateway.ports import Lookup
from store.crypto import StoreKeys
from store.master import chunks
from store.tables import claim


def find_claims(
    connection: Connection, keys: StoreKeys, lookups: Sequence[Lookup], now: int
) -> dict[Lookup, CaseId]:
    """The cases that hold these references; those that nobody holds (any more) are absent."""
    by_hash = {keys.lookup_hash(lookup): lookup for lookup in lookups}
    found: dict[Lookup, CaseId] = {}
    for part in chunks(sorted(by_hash)):
        columns = (claim.c.key_hash, claim.c.case_id, claim.c.lapses_at)
        statement = select(*columns).where(claim.c.key_hash.in_(part))
        for key_hash, case_id, lapses_at in connection.execute(statement):
            if is_held(lapses_at, now):
                found[by_hash[bytes(key_hash)]] = CaseId(case_id)
    return found


def is_held(lapses_at: int | None, now: int) -> bool:
    """Whether a stored claim still holds its number."""
    return lapses_at is None or now < lapses_at
