"""A claim may lapse: waybill numbers are used again after six months."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was claimed before is held for good."""
    op.add_column("claim", sa.Column("lapses_at", sa.BigInteger(), nullable=True))
