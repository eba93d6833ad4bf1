"""Pages pulled from sources that could not be read in full."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "pulled_page",
        sa.Column("page_id", ID, nullable=False),
        sa.Column("source", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("page_id", name=op.f("pk_pulled_page")),
    )
    op.create_index("ix_pulled_page_source", "pulled_page", ["source"], unique=False)
