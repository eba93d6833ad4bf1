"""Accounts of buyers, what each case counts in them, and numbers that several cases name."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "quota_account",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("buyer", sa.LargeBinary(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("floor_used", sa.Text(), nullable=True),
        sa.Column("floor_at", sa.BigInteger(), nullable=True),
        sa.Column("floor_code", ID, nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_quota_account_version")),
        sa.CheckConstraint(
            "(floor_used IS NULL) = (floor_at IS NULL)", name=op.f("ck_quota_account_floor")
        ),
        sa.PrimaryKeyConstraint("tenant", "buyer", "year", name=op.f("pk_quota_account")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quota_entry",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("buyer", sa.LargeBinary(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("stage", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("returned", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "stage IN ('reserved', 'committed', 'given_back')", name=op.f("ck_quota_entry_stage")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_quota_entry")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_quota_entry_account", "quota_entry", ["tenant", "buyer", "year"], unique=False
    )
    op.create_table(
        "paper_number",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('order', 'payment', 'waybill')", name=op.f("ck_paper_number_kind")
        ),
        sa.PrimaryKeyConstraint(
            "key_hash", "case_id", "kind", "revision", name=op.f("pk_paper_number")
        ),
        sqlite_with_rowid=False,
    )
