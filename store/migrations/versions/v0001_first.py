"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Text that compares byte by byte, see store.types.id_text.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# Sealed blobs do not compress: PostgreSQL need not try.
BLOBS = (("paper", "body"), ("raw", "body"), ("message", "body"), ("inbox", "body"))


def upgrade() -> None:
    """Create every table, index and constraint."""
    _create_api_key()
    _create_attempt()
    _create_case()
    _create_checkpoint()
    _create_claim()
    _create_declaration()
    _create_endpoint()
    _create_enterprise()
    _create_event()
    _create_goods()
    _create_inbox()
    _create_mandate()
    _create_message()
    _create_meta()
    _create_outbox()
    _create_paper()
    _create_parked()
    _create_profile()
    _create_raw()
    _create_tenant()
    _create_unlinked()
    _create_wait()
    if op.get_bind().dialect.name == "postgresql":
        for table, column in BLOBS:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def _create_api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("role", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key")),
    )
    op.create_index("ix_api_key_tenant", "api_key", ["tenant"], unique=False)


def _create_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("message_id", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("channel", ID, nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", ID, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('handed_over', 'not_handed_over', 'unknown')",
            name=op.f("ck_attempt_outcome"),
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (outcome IS NULL)", name=op.f("ck_attempt_closed")
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_attempt_attempt")),
        sa.PrimaryKeyConstraint("message_id", "attempt", name=op.f("pk_attempt")),
        sqlite_with_rowid=False,
    )


def _create_case() -> None:
    op.create_table(
        "case_",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("direction", ID, nullable=False),
        sa.Column("platform", ID, nullable=False),
        sa.Column("order_no", ID, nullable=False),
        sa.Column("profile_id", ID, nullable=False),
        sa.Column("stage", ID, nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("findings", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("direction IN ('import', 'export')", name=op.f("ck_case__direction")),
        sa.CheckConstraint(
            "stage IN ('collecting', 'matched', 'mismatch', 'blocked', 'ready', 'waiting_filings', 'declaring', 'sent', 'lodged', 'accepted', 'in_review', 'approved', 'inspection', 'detained', 'suspended', 'released', 'closed', 'rejected', 'cancelling', 'cancelled', 'returned_abroad', 'abandoned')",  # noqa: E501
            name=op.f("ck_case__stage"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_case__version")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_case_tenant_created", "case_", ["tenant", "created_at", "case_id"], unique=False
    )
    op.create_index(
        "ix_case_tenant_open",
        "case_",
        ["tenant", "created_at", "case_id"],
        unique=False,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_index("ix_case_tenant_order", "case_", ["tenant", "order_no"], unique=False)


def _create_checkpoint() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cases", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_checkpoint")),
    )


def _create_claim() -> None:
    op.create_table(
        "claim",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_claim")),
        sqlite_with_rowid=False,
    )


def _create_declaration() -> None:
    op.create_table(
        "declaration",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("cop_no", ID, nullable=False),
        sa.Column("app_time", ID, nullable=False),
        sa.CheckConstraint("kind IN ('order', 'inventory')", name=op.f("ck_declaration_kind")),
        sa.PrimaryKeyConstraint("case_id", "kind", "version", name=op.f("pk_declaration")),
        sa.UniqueConstraint("message_id", "position", name="uq_declaration_message"),
        sqlite_with_rowid=False,
    )


def _create_endpoint() -> None:
    op.create_table(
        "endpoint",
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("role", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("event_types", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_endpoint")),
    )
    op.create_index("ix_endpoint_tenant", "endpoint", ["tenant"], unique=False)


def _create_enterprise() -> None:
    op.create_table(
        "enterprise",
        sa.Column("code", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("social_credit_code", ID, nullable=True),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_enterprise")),
        sa.UniqueConstraint("social_credit_code", name="uq_enterprise_credit_code"),
    )


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('papers_received', 'case_matched', 'declaration_planned', 'declaration_claimed', 'declaration_moved', 'declaration_sending', 'declaration_unanswered', 'declaration_refused', 'declaration_withdrawn', 'receipt_recorded', 'case_held', 'case_unheld', 'alarm_raised', 'notice_acknowledged')",  # noqa: E501
            name=op.f("ck_event_kind"),
        ),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_event_seq")),
        sa.PrimaryKeyConstraint("case_id", "seq", name=op.f("pk_event")),
    )
    op.create_index("ix_event_stream", "event", ["tenant", "pos", "case_id", "seq"], unique=False)


def _create_goods() -> None:
    op.create_table(
        "goods",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("scope", ID, nullable=False),
        sa.Column("sku", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", ID, nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("valid_from", ID, nullable=True),
        sa.Column("valid_to", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_goods_version")),
        sa.PrimaryKeyConstraint("tenant", "scope", "sku", "version", name=op.f("pk_goods")),
    )


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("receipt_id", ID, nullable=False),
        sa.Column("channel", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("stage", ID, nullable=False),
        sa.Column("kind", ID, nullable=True),
        sa.Column("records", sa.Integer(), nullable=True),
        sa.Column("parked", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint("stage IN ('new', 'done', 'parked')", name=op.f("ck_inbox_stage")),
        sa.PrimaryKeyConstraint("receipt_id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("channel", "sha256", name="uq_inbox_content"),
    )
    op.create_index(
        "ix_inbox_new",
        "inbox",
        ["received_at", "receipt_id"],
        unique=False,
        sqlite_where=sa.text("stage = 'new'"),
        postgresql_where=sa.text("stage = 'new'"),
    )


def _create_mandate() -> None:
    op.create_table(
        "mandate",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("enterprise_code", ID, nullable=False),
        sa.Column("role", ID, nullable=False),
        sa.Column("valid_from", ID, nullable=False),
        sa.Column("valid_to", ID, nullable=True),
        sa.PrimaryKeyConstraint(
            "tenant", "enterprise_code", "role", "valid_from", name=op.f("pk_mandate")
        ),
    )


def _create_message() -> None:
    op.create_table(
        "message",
        sa.Column("message_id", ID, nullable=False),
        sa.Column("guid", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("profile_id", ID, nullable=False),
        sa.Column("group_key", ID, nullable=False),
        sa.Column("stage", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("parent", ID, nullable=True),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("certificate_serial", ID, nullable=True),
        sa.Column("signature_profile", ID, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "body IS NOT NULL OR stage IN ('claimed', 'refused', 'split', 'empty')",
            name=op.f("ck_message_signed"),
        ),
        sa.CheckConstraint("kind IN ('order', 'inventory')", name=op.f("ck_message_kind")),
        sa.CheckConstraint("stage <> 'claimed' OR body IS NULL", name=op.f("ck_message_unsigned")),
        sa.CheckConstraint(
            "stage IN ('claimed', 'signed', 'handed_over', 'not_handed_over', 'unknown', 'refused', 'split', 'empty')",  # noqa: E501
            name=op.f("ck_message_stage"),
        ),
        sa.CheckConstraint("(body IS NULL) = (sha256 IS NULL)", name=op.f("ck_message_digest")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message")),
        sa.UniqueConstraint("guid", name="uq_message_guid"),
    )


def _create_meta() -> None:
    op.create_table(
        "meta",
        sa.Column("name", ID, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
        sqlite_with_rowid=False,
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("effect_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("group_key", ID, nullable=False),
        sa.Column("tenant", ID, nullable=True),
        sa.Column("case_id", ID, nullable=True),
        sa.Column("ref", ID, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("stage", ID, nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("acked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(stage = 'open') = (done_at IS NULL)", name=op.f("ck_outbox_done")),
        sa.CheckConstraint(
            "kind IN ('declare', 'send', 'answer', 'deadline', 'notice', 'recheck')",
            name=op.f("ck_outbox_kind"),
        ),
        sa.CheckConstraint("stage IN ('open', 'done', 'parked')", name=op.f("ck_outbox_stage")),
        sa.PrimaryKeyConstraint("effect_id", name=op.f("pk_outbox")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_outbox_case", "outbox", ["case_id"], unique=False)
    op.create_index(
        "ix_outbox_open",
        "outbox",
        ["kind", "lease_until"],
        unique=False,
        sqlite_where=sa.text("stage = 'open'"),
        postgresql_where=sa.text("stage = 'open'"),
    )


def _create_paper() -> None:
    op.create_table(
        "paper",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", ID, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('order', 'payment', 'waybill')", name=op.f("ck_paper_kind")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_paper_revision")),
        sa.PrimaryKeyConstraint("case_id", "kind", "revision", name=op.f("pk_paper")),
    )


def _create_parked() -> None:
    op.create_table(
        "parked",
        sa.Column("parked_id", ID, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("reason", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("receipt_id", ID, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("case_id", ID, nullable=True),
        sa.Column("tenant", ID, nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", ID, nullable=True),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolved_by IS NULL)", name=op.f("ck_parked_resolved")
        ),
        sa.PrimaryKeyConstraint("parked_id", name=op.f("pk_parked")),
    )
    op.create_index("ix_parked_case", "parked", ["case_id"], unique=False)
    op.create_index("ix_parked_receipt", "parked", ["receipt_id"], unique=False)


def _create_profile() -> None:
    op.create_table(
        "profile",
        sa.Column("profile_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("digest", ID, nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_profile_version")),
        sa.PrimaryKeyConstraint("profile_id", "version", name=op.f("pk_profile")),
    )
    op.create_index(
        "ix_profile_tenant", "profile", ["tenant", "profile_id", "version"], unique=False
    )


def _create_raw() -> None:
    op.create_table(
        "raw",
        sa.Column("raw_id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("source", ID, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("raw_id", name=op.f("pk_raw")),
    )
    op.create_index("ix_raw_case", "raw", ["case_id"], unique=False)


def _create_tenant() -> None:
    op.create_table(
        "tenant",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant")),
    )


def _create_unlinked() -> None:
    op.create_table(
        "unlinked",
        sa.Column("unlinked_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("unlinked_id", name=op.f("pk_unlinked")),
    )
    op.create_index("ix_unlinked_key", "unlinked", ["key_hash"], unique=False)


def _create_wait() -> None:
    op.create_table(
        "wait",
        sa.Column("tenant", ID, nullable=False),
        sa.Column("ref", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "ref", "case_id", name=op.f("pk_wait")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_wait_case", "wait", ["case_id"], unique=False)
    # ### end Alembic commands ###
