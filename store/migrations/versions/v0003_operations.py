"""Endpoints that rotate, pull and are switched off with a reason; paused channels; parked notices
by time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add columns, the table and the index."""
    op.add_column("endpoint", sa.Column("signing_key", sa.LargeBinary(), nullable=True))
    op.add_column("endpoint", sa.Column("old_secrets", sa.LargeBinary(), nullable=True))
    op.add_column("endpoint", sa.Column("old_until", sa.BigInteger(), nullable=True))
    op.add_column("endpoint", sa.Column("disabled_at", sa.BigInteger(), nullable=True))
    op.add_column("endpoint", sa.Column("disabled_why", sa.Text(), nullable=True))
    op.create_table(
        "channel_pause",
        sa.Column("channel", ID, nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=False),
        sa.Column("paused_by", ID, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_pause")),
    )
    op.create_index(
        "ix_outbox_parked",
        "outbox",
        ["tenant", "done_at", "effect_id"],
        unique=False,
        sqlite_where=sa.text("stage = 'parked'"),
        postgresql_where=sa.text("stage = 'parked'"),
    )
