"""Repairs: proposals to mend findings, with their approvals and results."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "repair",
        sa.Column("repair_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("stage", ID, nullable=False),
        sa.Column("rule", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("owner", ID, nullable=False),
        sa.Column("needs", ID, nullable=False),
        sa.Column("approvals", sa.Text(), nullable=False),
        sa.Column("approval_count", sa.Integer(), nullable=False),
        sa.Column("redeclare", sa.Boolean(), nullable=False),
        sa.Column("proposed_by", ID, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "stage IN ('proposed', 'asked', 'applied', 'refused')", name=op.f("ck_repair_stage")
        ),
        sa.PrimaryKeyConstraint("repair_id", name=op.f("pk_repair")),
    )
    op.create_index(
        "ix_repair_tenant_created", "repair", ["tenant", "created_at", "repair_id"], unique=False
    )
