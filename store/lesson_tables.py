"""The tables of the knowledge base (``store.lessons``): what was learned, and how far."""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint, Table

from store.columns import IN_KEY, count, id_column, metadata, prose, time_column

lesson: Final = Table(
    "lesson",
    metadata,
    id_column("tenant"),
    id_column("code"),
    # Names of fields and papers; empty in the row that counts how often the code was seen.
    id_column("change"),
    count("seen"),
    count("helped"),
    count("failed"),
    PrimaryKeyConstraint("tenant", "code", "change"),
    **IN_KEY,
)

lesson_open: Final = Table(
    "lesson_open",
    metadata,
    # A rejection that has not been followed by another answer yet.
    id_column("case_id"),
    id_column("kind"),
    # JSON lists.
    prose("codes"),
    prose("changes"),
    PrimaryKeyConstraint("case_id", "kind"),
    **IN_KEY,
)

lesson_mark: Final = Table(
    "lesson_mark",
    metadata,
    id_column("tenant"),
    # The last event of the stream that was learned from.
    time_column("pos"),
    id_column("case_id"),
    count("seq"),
    PrimaryKeyConstraint("tenant"),
    **IN_KEY,
)
