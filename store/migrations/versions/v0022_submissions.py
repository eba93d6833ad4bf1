"""Submissions are kept whole, answered at once and taken in afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add their table."""
    op.create_table(
        "submission_pack",
        sa.Column("pack_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("submissions", sa.Integer(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("answers", sa.LargeBinary(), nullable=True),
        sa.Column("refused", sa.Integer(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(done_at IS NULL) = (answers IS NULL)", name=op.f("ck_submission_pack_done")
        ),
        sa.PrimaryKeyConstraint("pack_id", name=op.f("pk_submission_pack")),
    )
    op.create_index("ix_submission_pack_tenant", "submission_pack", ["tenant", "pack_id"])
    op.create_index(
        "ix_submission_pack_waiting",
        "submission_pack",
        ["pack_id"],
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
