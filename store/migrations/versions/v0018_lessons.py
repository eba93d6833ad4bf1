"""What own rejections taught, what still waits for an answer, and how far was learned."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables; they fill from the stream of events."""
    op.create_table(
        "lesson",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("code", ID, nullable=False),
        sa.Column("change", ID, nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("helped", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "code", "change", name=op.f("pk_lesson")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lesson_open",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("codes", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "kind", name=op.f("pk_lesson_open")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lesson_mark",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_lesson_mark")),
        sqlite_with_rowid=False,
    )
