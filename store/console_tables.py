"""The tables of the console: people, what they did, marks, approvals, bulk runs."""

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from store.columns import (
    IN_KEY,
    blob,
    count,
    id_column,
    maybe_id,
    maybe_prose,
    maybe_time,
    metadata,
    prose,
    time_column,
)

console_user: Final = Table(
    "console_user",
    metadata,
    id_column("user_id"),
    # Lower case; what a person types to sign in.
    id_column("login"),
    prose("name"),
    id_column("role"),
    # JSON list of tenants, ["*"] for all.
    prose("tenants"),
    # argon2id, with its parameters; NULL for people who sign in through an identity provider only.
    maybe_prose("password_hash"),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    count("failures"),
    time_column("locked_until"),
    # JSON: language, theme, density, shortcuts.
    prose("prefs"),
    time_column("created_at"),
    PrimaryKeyConstraint("user_id"),
    UniqueConstraint("login", name="uq_console_user_login"),
)

console_session: Final = Table(
    "console_session",
    metadata,
    # sha256 of the cookie's token: the token itself is nowhere stored.
    blob("token_hash"),
    id_column("user_id"),
    id_column("tenant"),
    time_column("created_at"),
    time_column("seen_at"),
    time_column("expires_at"),
    PrimaryKeyConstraint("token_hash"),
    Index("ix_console_session_user", "user_id"),
    **IN_KEY,
)

console_log: Final = Table(
    "console_log",
    metadata,
    # What people did that changed no case: signed in, revealed, downloaded, exported, asked, let
    # in. Chained like the events of a case (store.console_log).
    count("seq"),
    time_column("at"),
    maybe_id("tenant"),
    id_column("actor"),
    id_column("action"),
    # The case or other thing it was about.
    maybe_id("subject"),
    prose("detail"),
    blob("prev_hash"),
    blob("hash"),
    PrimaryKeyConstraint("seq"),
    Index("ix_console_log_subject", "subject", "seq"),
)

case_mark: Final = Table(
    "case_mark",
    metadata,
    # Whose case it is to clear, and until when nobody wants to see it.
    id_column("case_id"),
    id_column("tenant"),
    maybe_id("assignee"),
    maybe_time("snoozed_until"),
    time_column("at"),
    PrimaryKeyConstraint("case_id"),
    Index("ix_case_mark_tenant", "tenant"),
    **IN_KEY,
)

approval: Final = Table(
    "approval",
    metadata,
    # Something that needs a second person.
    id_column("approval_id"),
    id_column("tenant"),
    id_column("action"),
    id_column("case_id"),
    # JSON of what will be done.
    prose("payload"),
    id_column("asked_by"),
    time_column("asked_at"),
    prose("reason"),
    maybe_id("decided_by"),
    maybe_time("decided_at"),
    Column("is_approved", Boolean(create_constraint=False), nullable=True),
    PrimaryKeyConstraint("approval_id"),
    CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name="decided"),
    CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="two_people"),
    Index("ix_approval_tenant", "tenant", "asked_at"),
)

bulk_run: Final = Table(
    "bulk_run",
    metadata,
    id_column("run_id"),
    id_column("tenant"),
    id_column("action"),
    id_column("by"),
    prose("reason"),
    time_column("created_at"),
    maybe_time("done_at"),
    PrimaryKeyConstraint("run_id"),
)

bulk_item: Final = Table(
    "bulk_item",
    metadata,
    id_column("run_id"),
    id_column("case_id"),
    id_column("order_no"),
    # waiting, done, failed, not_eligible, unknown
    id_column("status"),
    id_column("detail"),
    PrimaryKeyConstraint("run_id", "case_id"),
    **IN_KEY,
)
