"""The tables of what cases share: accounts of buyers and numbers of papers (``store.books``)."""

from typing import Final

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, Table

from gateway.domain.papers import PaperKind
from gateway.domain.quota import QuotaStage
from store.columns import (
    IN_KEY,
    amount,
    blob,
    count,
    id_column,
    maybe_amount,
    maybe_id,
    maybe_time,
    metadata,
    one_of,
    time_column,
)

quota_account: Final = Table(
    "quota_account",
    metadata,
    id_column("tenant"),
    # Keyed HMAC of the buyer's document (store.crypto.lookup_hash); the year is Beijing's.
    blob("buyer"),
    count("year"),
    # Rises with every reservation: of two at once the second is decided anew.
    count("version"),
    # What customs said the buyer has used, when, and with which code.
    maybe_amount("floor_used"),
    maybe_time("floor_at"),
    maybe_id("floor_code"),
    PrimaryKeyConstraint("tenant", "buyer", "year"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("(floor_used IS NULL) = (floor_at IS NULL)", name="floor"),
    **IN_KEY,
)

quota_entry: Final = Table(
    "quota_entry",
    metadata,
    # A case counts in one account; a corrected buyer moves it to another.
    id_column("case_id"),
    id_column("tenant"),
    blob("buyer"),
    count("year"),
    amount("amount"),
    id_column("stage"),
    time_column("at"),
    maybe_time("until"),
    amount("returned"),
    PrimaryKeyConstraint("case_id"),
    one_of("stage", QuotaStage),
    Index("ix_quota_entry_counting", "tenant", "buyer", "year", "stage"),
    **IN_KEY,
)

paper_number: Final = Table(
    "paper_number",
    metadata,
    # Keyed HMAC of a number that papers of several cases may name (domain.relations.numbers_of),
    # or of a phone or address with its span of days (domain.traces).
    blob("key_hash"),
    id_column("case_id"),
    id_column("kind"),
    count("revision"),
    PrimaryKeyConstraint("key_hash", "case_id", "kind", "revision"),
    one_of("kind", PaperKind),
    **IN_KEY,
)
