"""What the last try to deliver a notice was answered, and how long it took."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("outbox", sa.Column("answer_code", sa.Integer(), nullable=True))
    op.add_column("outbox", sa.Column("answer_us", sa.BigInteger(), nullable=True))
