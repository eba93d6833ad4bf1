"""Filings of partners, and downloads of exact bytes, as events of their cases."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
EVENT_KINDS = (
    "kind IN ('papers_received', 'case_matched', 'declaration_planned', 'declaration_claimed',"
    " 'declaration_moved', 'declaration_sending', 'declaration_unanswered',"
    " 'declaration_refused', 'declaration_withdrawn', 'receipt_recorded', 'case_held',"
    " 'case_unheld', 'alarm_raised', 'notice_acknowledged', 'finding_resolved',"
    " 'filing_recorded', 'bytes_downloaded')"
)
EVENT_COLUMNS = "case_id, seq, pos, tenant, kind, payload, at, prev_hash, hash"


def upgrade() -> None:
    """Let the new kinds in."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_event_kind"), "event", type_="check")
        op.create_check_constraint(op.f("ck_event_kind"), "event", EVENT_KINDS)
    else:
        _copy_events()


def _copy_events() -> None:
    """SQLite cannot change a check: the rows move into a table with the new one."""
    op.create_table(
        "event_new",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(EVENT_KINDS, name=op.f("ck_event_kind")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_event_seq")),
        sa.PrimaryKeyConstraint("case_id", "seq", name=op.f("pk_event")),
    )
    op.execute(
        f"INSERT INTO event_new ({EVENT_COLUMNS}) SELECT {EVENT_COLUMNS} FROM event"  # noqa: S608
    )
    op.drop_table("event")
    op.rename_table("event_new", "event")
    op.create_index("ix_event_stream", "event", ["tenant", "pos", "case_id", "seq"], unique=False)
