"""The roll of processes, and who leased what."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table and the columns; older code leaves them empty, and its leases run out."""
    op.create_table(
        "process",
        sa.Column("process_id", ID, nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_process")),
    )
    op.add_column("outbox", sa.Column("held_by", ID, nullable=True))
    op.add_column("idempotency", sa.Column("held_by", ID, nullable=True))
