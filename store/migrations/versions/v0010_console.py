"""The console: people, their sessions, what they did, marks, approvals, bulk runs."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, ID, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    """Add the tables and the index of the review queue."""
    op.create_index(
        "ix_case_tenant_findings",
        "case_",
        ["tenant", "created_at", "case_id"],
        unique=False,
        sqlite_where=sa.text("is_open AND findings > 0"),
        postgresql_where=sa.text("is_open AND findings > 0"),
    )
    _people()
    _work()


def _people() -> None:
    op.create_table(
        "console_user",
        _id("user_id"),
        _id("login"),
        _text("name"),
        _id("role"),
        _text("tenants"),
        _text("password_hash", nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _time("locked_until"),
        _text("prefs"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_console_user")),
        sa.UniqueConstraint("login", name="uq_console_user_login"),
    )
    op.create_table(
        "console_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        _id("user_id"),
        _id("tenant"),
        _time("created_at"),
        _time("seen_at"),
        _time("expires_at"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_console_session")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_console_session_user", "console_session", ["user_id"], unique=False)
    op.create_table(
        "console_log",
        sa.Column("seq", sa.Integer(), nullable=False),
        _time("at"),
        _id("tenant", nullable=True),
        _id("actor"),
        _id("action"),
        _id("subject", nullable=True),
        _text("detail"),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_console_log")),
    )
    op.create_index("ix_console_log_subject", "console_log", ["subject", "seq"], unique=False)


def _work() -> None:
    op.create_table(
        "case_mark",
        _id("case_id"),
        _id("tenant"),
        _id("assignee", nullable=True),
        _time("snoozed_until", nullable=True),
        _time("at"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_mark")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_case_mark_tenant", "case_mark", ["tenant"], unique=False)
    op.create_table(
        "approval",
        _id("approval_id"),
        _id("tenant"),
        _id("action"),
        _id("case_id"),
        _text("payload"),
        _id("asked_by"),
        _time("asked_at"),
        _text("reason"),
        _id("decided_by", nullable=True),
        _time("decided_at", nullable=True),
        sa.Column("is_approved", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL)", name=op.f("ck_approval_decided")
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by", name=op.f("ck_approval_two_people")
        ),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_approval")),
    )
    op.create_index("ix_approval_tenant", "approval", ["tenant", "asked_at"], unique=False)
    op.create_table(
        "bulk_run",
        _id("run_id"),
        _id("tenant"),
        _id("action"),
        _id("by"),
        _text("reason"),
        _time("created_at"),
        _time("done_at", nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_bulk_run")),
    )
    op.create_table(
        "bulk_item",
        _id("run_id"),
        _id("case_id"),
        _id("order_no"),
        _id("status"),
        _id("detail"),
        sa.PrimaryKeyConstraint("run_id", "case_id", name=op.f("pk_bulk_item")),
        sqlite_with_rowid=False,
    )
