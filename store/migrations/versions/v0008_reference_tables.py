"""Reference tables: positive list, tax rates, account stock, registered enterprises."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "reference_table",
        sa.Column("kind", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("is_sample", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("digest", ID, nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "tenant", "version", name=op.f("pk_reference_table")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_reference_table_version")),
    )
