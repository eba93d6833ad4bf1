"""Rule packs of a deployment, by tenant and port."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "rule_pack",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("port", ID, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("stage", ID, nullable=False),
        sa.Column("proposed_by", ID, nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", ID, nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_rule_pack_version")),
        sa.CheckConstraint(
            "stage IN ('proposed', 'shadow', 'active', 'retired')",
            name=op.f("ck_rule_pack_stage"),
        ),
        sa.PrimaryKeyConstraint("tenant", "port", "name", "version", name=op.f("pk_rule_pack")),
    )
