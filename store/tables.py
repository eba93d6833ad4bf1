"""The tables, in SQLAlchemy Core: the one place that says what is stored.

Times are UTC microseconds, documents are JSON text, bodies are sealed blobs (``store.crypto``).
Nothing outside a sealed blob holds personal data. A column that every commit changes stands in no
index (``case_.updated_at``, ``case_.stage``): PostgreSQL then updates a case in place (HOT).
"""

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind
from gateway.domain.events import EventKind
from gateway.domain.ids import Direction
from gateway.domain.papers import PaperKind
from gateway.ports import EffectKind, MessageStage
from gateway.ports.packs import PackStage
from gateway.ports.repairs import RepairStage
from store import book_tables, columns, console_tables, lesson_tables  # noqa: F401
from store.columns import (
    IN_KEY,
    blob,
    count,
    id_column,
    maybe_blob,
    maybe_id,
    maybe_prose,
    maybe_time,
    one_of,
    prose,
    time_column,
)

# Its tables stand in the same metadata.
metadata: Final = columns.metadata


class InboxStage(StrEnum):
    """Where a receipt file stands: ``new`` until R2 has dealt with it."""

    NEW = "new"
    DONE = "done"
    PARKED = "parked"


class OutboxStage(StrEnum):
    """Where an effect stands: ``open`` until it is delivered or a person must look."""

    OPEN = "open"
    DONE = "done"
    PARKED = "parked"


# --- cases and what hangs on them -------------------------------------------------------------

case_: Final = Table(
    "case_",
    metadata,
    id_column("case_id"),
    id_column("tenant"),
    id_column("direction"),
    id_column("platform"),
    id_column("order_no"),
    id_column("profile_id"),
    # lifecycle.case_stage(state); is_open is false in a final stage.
    id_column("stage"),
    Column("is_open", Boolean(create_constraint=False), nullable=False),
    Column("is_held", Boolean(create_constraint=False), nullable=False),
    # Rises by one with every commit that changes the case; the guard of every update.
    count("version"),
    # codec.state_to_doc(state) as JSON.
    prose("doc"),
    # The number of events, and the hash of the last one: the head of the chain.
    count("seq"),
    blob("head_hash"),
    # The case's data key under the master key; NULL after shredding.
    maybe_blob("wrapped_key"),
    count("findings"),
    time_column("created_at"),
    time_column("updated_at"),
    PrimaryKeyConstraint("case_id"),
    one_of("direction", Direction),
    one_of("stage", CaseStage),
    CheckConstraint("version >= 1", name="version"),
    # Lists go newest first by created_at, which never changes.
    Index("ix_case_tenant_created", "tenant", "created_at", "case_id"),
    Index("ix_case_tenant_order", "tenant", "order_no"),
    Index(
        "ix_case_tenant_open",
        "tenant",
        "created_at",
        "case_id",
        sqlite_where=text("is_open"),
        postgresql_where=text("is_open"),
    ),
    # The review queue; neither column of the condition changes with an ordinary commit.
    Index(
        "ix_case_tenant_findings",
        "tenant",
        "created_at",
        "case_id",
        sqlite_where=text("is_open AND findings > 0"),
        postgresql_where=text("is_open AND findings > 0"),
    ),
    postgresql_with={"fillfactor": "70"},
)

paper: Final = Table(
    "paper",
    metadata,
    id_column("case_id"),
    id_column("kind"),
    count("revision"),
    id_column("digest"),
    # codec documents of the paper and its facts (store.papers), sealed with the case's key.
    blob("body"),
    time_column("received_at"),
    PrimaryKeyConstraint("case_id", "kind", "revision"),
    one_of("kind", PaperKind),
    CheckConstraint("revision >= 1", name="revision"),
)

raw: Final = Table(
    "raw",
    metadata,
    id_column("raw_id"),
    id_column("case_id"),
    id_column("tenant"),
    id_column("source"),
    # sha256 of the received bytes; the bytes themselves sealed with the case's key.
    blob("sha256"),
    count("size_bytes"),
    blob("body"),
    time_column("received_at"),
    PrimaryKeyConstraint("raw_id"),
    Index("ix_raw_case", "case_id"),
)

claim: Final = Table(
    "claim",
    metadata,
    # Keyed HMAC of kind and value (store.crypto.lookup_hash): the value itself is not stored.
    blob("key_hash"),
    id_column("kind"),
    id_column("case_id"),
    id_column("tenant"),
    # From then on anybody may take the number; NULL: it is held for good.
    maybe_time("lapses_at"),
    PrimaryKeyConstraint("key_hash"),
    **IN_KEY,
)

unlinked: Final = Table(
    "unlinked",
    metadata,
    # Follows from tenant, kind and number: a paper sent again replaces itself.
    id_column("unlinked_id"),
    id_column("tenant"),
    # The keyed hash of the number by which other papers may name it.
    blob("key_hash"),
    blob("wrapped_key"),
    blob("body"),
    time_column("received_at"),
    PrimaryKeyConstraint("unlinked_id"),
    Index("ix_unlinked_key", "key_hash"),
)

wait: Final = Table(
    "wait",
    metadata,
    # What the case waits for, for example ``goods:SKU``.
    id_column("tenant"),
    id_column("ref"),
    id_column("case_id"),
    PrimaryKeyConstraint("tenant", "ref", "case_id"),
    Index("ix_wait_case", "case_id"),
    **IN_KEY,
)

event: Final = Table(
    "event",
    metadata,
    id_column("case_id"),
    count("seq"),
    # Stream order is (pos, case_id, seq): the commit's transaction id on PostgreSQL, the single
    # writer's group counter on SQLite.
    time_column("pos"),
    id_column("tenant"),
    id_column("kind"),
    prose("payload"),
    time_column("at"),
    # store.events.event_hash over prev_hash and the row; 32 zero bytes before the first.
    blob("prev_hash"),
    blob("hash"),
    PrimaryKeyConstraint("case_id", "seq"),
    one_of("kind", EventKind),
    CheckConstraint("seq >= 1", name="seq"),
    Index("ix_event_stream", "tenant", "pos", "case_id", "seq"),
)

# --- messages ---------------------------------------------------------------------------------

declaration: Final = Table(
    "declaration",
    metadata,
    # A declaration version stands in one message at a time; a split moves it to the new one.
    id_column("case_id"),
    id_column("kind"),
    count("version"),
    id_column("message_id"),
    count("position"),
    id_column("cop_no"),
    id_column("app_time"),
    PrimaryKeyConstraint("case_id", "kind", "version"),
    UniqueConstraint("message_id", "position", name="uq_declaration_message"),
    one_of("kind", DeclarationKind),
    **IN_KEY,
)

message: Final = Table(
    "message",
    metadata,
    id_column("message_id"),
    id_column("guid"),
    id_column("kind"),
    id_column("tenant"),
    id_column("profile_id"),
    id_column("group_key"),
    id_column("stage"),
    # The last attempt opened, 0 before the first.
    count("attempt"),
    time_column("created_at"),
    # The message this one was split from.
    maybe_id("parent"),
    count("record_count"),
    maybe_blob("wrapped_key"),
    # The signed bytes, sealed with the message's own key: NULL until T3, never written twice.
    maybe_blob("body"),
    maybe_blob("sha256"),
    maybe_id("certificate_serial"),
    maybe_id("signature_profile"),
    maybe_prose("detail"),
    PrimaryKeyConstraint("message_id"),
    UniqueConstraint("guid", name="uq_message_guid"),
    one_of("kind", DeclarationKind),
    one_of("stage", MessageStage),
    CheckConstraint("(body IS NULL) = (sha256 IS NULL)", name="digest"),
    CheckConstraint("stage <> 'claimed' OR body IS NULL", name="unsigned"),
    CheckConstraint(
        "body IS NOT NULL OR stage IN ('claimed', 'refused', 'split', 'empty')", name="signed"
    ),
)

attempt: Final = Table(
    "attempt",
    metadata,
    id_column("message_id"),
    count("attempt"),
    id_column("channel"),
    time_column("opened_at"),
    maybe_time("closed_at"),
    maybe_id("outcome"),
    maybe_prose("detail"),
    PrimaryKeyConstraint("message_id", "attempt"),
    CheckConstraint("attempt >= 1", name="attempt"),
    CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="closed"),
    CheckConstraint(
        "outcome IS NULL OR outcome IN ('handed_over', 'not_handed_over', 'unknown')",
        name="outcome",
    ),
    **IN_KEY,
)

# --- inbox and outbox -------------------------------------------------------------------------

inbox: Final = Table(
    "inbox",
    metadata,
    id_column("receipt_id"),
    id_column("channel"),
    prose("name"),
    blob("sha256"),
    maybe_blob("wrapped_key"),
    blob("body"),
    time_column("received_at"),
    id_column("stage"),
    # What R2 found: the file's kind, its records, how many of them are parked, and why.
    maybe_id("kind"),
    Column("records", Integer, nullable=True),
    Column("parked", Integer, nullable=True),
    maybe_prose("problem"),
    PrimaryKeyConstraint("receipt_id"),
    UniqueConstraint("channel", "sha256", name="uq_inbox_content"),
    one_of("stage", InboxStage),
    Index(
        "ix_inbox_new",
        "received_at",
        "receipt_id",
        sqlite_where=text("stage = 'new'"),
        postgresql_where=text("stage = 'new'"),
    ),
)

parked: Final = Table(
    "parked",
    metadata,
    id_column("parked_id"),
    id_column("subject"),
    id_column("reason"),
    time_column("at"),
    maybe_id("receipt_id"),
    count("position"),
    maybe_id("case_id"),
    maybe_id("tenant"),
    prose("detail"),
    # Set when a person has dealt with it.
    maybe_time("resolved_at"),
    maybe_id("resolved_by"),
    PrimaryKeyConstraint("parked_id"),
    CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name="resolved"),
    Index("ix_parked_receipt", "receipt_id"),
    Index("ix_parked_case", "case_id"),
)

outbox: Final = Table(
    "outbox",
    metadata,
    id_column("effect_id"),
    id_column("kind"),
    id_column("group_key"),
    maybe_id("tenant"),
    maybe_id("case_id"),
    id_column("ref"),
    prose("payload"),
    time_column("due_at"),
    # Who may take the row from when on: due_at of a timer, the end of the lease of a leased one.
    time_column("lease_until"),
    # Rises with every lease: the fence of whoever holds the row.
    count("attempt"),
    id_column("stage"),
    maybe_prose("detail"),
    maybe_time("done_at"),
    # When the warehouse or seller confirmed a notice.
    maybe_time("acked_at"),
    # The process that leased the row, while ``lease_until`` is past ``due_at``.
    maybe_id("held_by"),
    # The HTTP status of the last answer to a notice, and how long that try took (microseconds).
    Column("answer_code", Integer),
    maybe_time("answer_us"),
    PrimaryKeyConstraint("effect_id"),
    one_of("kind", EffectKind),
    one_of("stage", OutboxStage),
    CheckConstraint("(stage = 'open') = (done_at IS NULL)", name="done"),
    Index(
        "ix_outbox_open",
        "kind",
        "lease_until",
        sqlite_where=text("stage = 'open'"),
        postgresql_where=text("stage = 'open'"),
    ),
    Index("ix_outbox_case", "case_id"),
    # Dead letters by tenant and time, to be shown and replayed.
    Index(
        "ix_outbox_parked",
        "tenant",
        "done_at",
        "effect_id",
        sqlite_where=text("stage = 'parked'"),
        postgresql_where=text("stage = 'parked'"),
    ),
    postgresql_with={"fillfactor": "80"},
)

# The roll: a row for every process that works or serves. Its count rises while it lives.
process: Final = Table(
    "process",
    metadata,
    id_column("process_id"),
    count("beats"),
    time_column("joined_at"),
    PrimaryKeyConstraint("process_id"),
)

# --- master data ------------------------------------------------------------------------------

tenant: Final = Table(
    "tenant",
    metadata,
    id_column("tenant"),
    prose("name"),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    time_column("created_at"),
    PrimaryKeyConstraint("tenant"),
)

api_key: Final = Table(
    "api_key",
    metadata,
    id_column("key_id"),
    # Whose data it opens: one tenant's, or those of every tenant that mandates an enterprise.
    maybe_id("tenant"),
    maybe_id("enterprise_code"),
    id_column("role"),
    prose("name"),
    blob("secret_hash"),
    time_column("created_at"),
    maybe_time("expires_at"),
    maybe_time("revoked_at"),
    # Coarse, so that a busy key does not write with every request.
    maybe_time("last_used_at"),
    PrimaryKeyConstraint("key_id"),
    CheckConstraint("(tenant IS NULL) <> (enterprise_code IS NULL)", name="owner"),
    Index("ix_api_key_tenant", "tenant"),
    Index("ix_api_key_enterprise", "enterprise_code"),
)

enterprise: Final = Table(
    "enterprise",
    metadata,
    # The 10-character customs code; the social credit code is its second name.
    id_column("code"),
    prose("name"),
    maybe_id("social_credit_code"),
    prose("doc"),
    time_column("updated_at"),
    PrimaryKeyConstraint("code"),
    UniqueConstraint("social_credit_code", name="uq_enterprise_credit_code"),
)

mandate: Final = Table(
    "mandate",
    metadata,
    id_column("tenant"),
    id_column("enterprise_code"),
    id_column("role"),
    # ISO dates.
    id_column("valid_from"),
    maybe_id("valid_to"),
    PrimaryKeyConstraint("tenant", "enterprise_code", "role", "valid_from"),
)

profile: Final = Table(
    "profile",
    metadata,
    id_column("profile_id"),
    count("version"),
    id_column("tenant"),
    id_column("digest"),
    prose("doc"),
    time_column("created_at"),
    PrimaryKeyConstraint("profile_id", "version"),
    Index("ix_profile_tenant", "tenant", "profile_id", "version"),
    CheckConstraint("version >= 1", name="version"),
)

goods: Final = Table(
    "goods",
    metadata,
    id_column("tenant"),
    # str(GoodsScope): port, mode and account book.
    id_column("scope"),
    id_column("sku"),
    count("version"),
    id_column("digest"),
    prose("doc"),
    # ISO dates.
    maybe_id("valid_from"),
    maybe_id("valid_to"),
    time_column("created_at"),
    PrimaryKeyConstraint("tenant", "scope", "sku", "version"),
    CheckConstraint("version >= 1", name="version"),
)

endpoint: Final = Table(
    "endpoint",
    metadata,
    id_column("endpoint_id"),
    id_column("tenant"),
    id_column("role"),
    prose("url"),
    # Sealed by the vault key (store.crypto).
    blob("secret"),
    count("batch_size"),
    # JSON list.
    prose("event_types"),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    time_column("created_at"),
    # The ed25519 key, if it signs with one, sealed as the secret is.
    maybe_blob("signing_key"),
    # What signed before the last rotation and signs along until ``old_until``.
    maybe_blob("old_secrets"),
    maybe_time("old_until"),
    # When and why it was switched off; NULL again when it is switched on.
    maybe_time("disabled_at"),
    maybe_prose("disabled_why"),
    PrimaryKeyConstraint("endpoint_id"),
    Index("ix_endpoint_tenant", "tenant"),
)

channel_pause: Final = Table(
    "channel_pause",
    metadata,
    # A row: nothing is sent through this channel until it is resumed. Receiving goes on.
    id_column("channel"),
    time_column("paused_at"),
    id_column("paused_by"),
    prose("reason"),
    PrimaryKeyConstraint("channel"),
)

key_aside: Final = Table(
    "key_aside",
    metadata,
    # The serial of a key's certificate. It signs nothing while `ended_at` is NULL; afterwards the
    # row says up to when answers about what it signed are old news.
    id_column("serial"),
    time_column("set_at"),
    id_column("set_by"),
    prose("reason"),
    maybe_time("ended_at"),
    maybe_id("ended_by"),
    PrimaryKeyConstraint("serial"),
)

# --- sources ----------------------------------------------------------------------------------

pulled_page: Final = Table(
    "pulled_page",
    metadata,
    # Follows from source and bytes. Kept until every paper of it was read; sealed by the vault key.
    id_column("page_id"),
    id_column("source"),
    id_column("tenant"),
    blob("body"),
    time_column("received_at"),
    PrimaryKeyConstraint("page_id"),
    Index("ix_pulled_page_source", "source"),
)

# --- repairs ----------------------------------------------------------------------------------

repair: Final = Table(
    "repair",
    metadata,
    id_column("repair_id"),
    id_column("tenant"),
    id_column("stage"),
    id_column("rule"),
    id_column("kind"),
    id_column("owner"),
    id_column("needs"),
    # JSON: need, by, at, statement of each approval; their number guards every change.
    prose("approvals"),
    count("approval_count"),
    Column("redeclare", Boolean(create_constraint=False), nullable=False),
    id_column("proposed_by"),
    prose("reason"),
    time_column("created_at"),
    maybe_time("deadline"),
    maybe_time("ended_at"),
    # JSON of the items with their values, sealed by the vault key.
    blob("body"),
    PrimaryKeyConstraint("repair_id"),
    one_of("stage", RepairStage),
    Index("ix_repair_tenant_created", "tenant", "created_at", "repair_id"),
)

rule_pack: Final = Table(
    "rule_pack",
    metadata,
    id_column("tenant"),
    # Empty for all ports of the tenant.
    id_column("port"),
    id_column("name"),
    count("version"),
    prose("text"),
    id_column("stage"),
    id_column("proposed_by"),
    time_column("proposed_at"),
    maybe_id("decided_by"),
    maybe_time("decided_at"),
    PrimaryKeyConstraint("tenant", "port", "name", "version"),
    CheckConstraint("version >= 1", name="version"),
    one_of("stage", PackStage),
)

# --- reference tables -------------------------------------------------------------------------

reference_table: Final = Table(
    "reference_table",
    metadata,
    # A whole imported table as one document; never changed, other content is a new version.
    id_column("kind"),
    # Empty for a table of everybody.
    id_column("tenant"),
    count("version"),
    prose("source"),
    Column("is_sample", Boolean(create_constraint=False), nullable=False),
    count("row_count"),
    id_column("digest"),
    prose("doc"),
    time_column("created_at"),
    PrimaryKeyConstraint("kind", "tenant", "version"),
    CheckConstraint("version >= 1", name="version"),
)

# --- the store itself -------------------------------------------------------------------------

meta: Final = Table(
    "meta",
    metadata,
    # Small facts by name: ``key_check`` (is this the right master key), change counters.
    id_column("name"),
    prose("value"),
    PrimaryKeyConstraint("name"),
    **IN_KEY,
)

checkpoint: Final = Table(
    "checkpoint",
    metadata,
    count("number"),
    time_column("at"),
    # How many cases and events the signed digest over all heads covers.
    time_column("cases"),
    time_column("events"),
    blob("digest"),
    blob("signature"),
    PrimaryKeyConstraint("number"),
)

# --- the edge ---------------------------------------------------------------------------------

idempotency: Final = Table(
    "idempotency",
    metadata,
    # Keyed HMAC of caller, route and key.
    blob("key_hash"),
    id_column("tenant"),
    # sha256 of what was asked: another request under the same key is refused.
    blob("request"),
    # Rises when the turn passes from a caller that is gone to the next.
    count("attempt"),
    time_column("lease_until"),
    time_column("expires_at"),
    # The answer, sealed by the vault key; NULL while its request is worked on.
    maybe_blob("body"),
    # The process whose turn it is.
    maybe_id("held_by"),
    PrimaryKeyConstraint("key_hash"),
    CheckConstraint("attempt >= 1", name="attempt"),
    Index("ix_idempotency_expires", "expires_at"),
)

submission_pack: Final = Table(
    "submission_pack",
    metadata,
    # The time of its first submission and chance, in hex: packs are in the order of their ids.
    id_column("pack_id"),
    id_column("tenant"),
    time_column("received_at"),
    count("submissions"),
    blob("wrapped_key"),
    # What came, sealed; NULL once all of it was taken in.
    maybe_blob("body"),
    # What became of each submission, sealed; NULL while the pack waits.
    maybe_blob("answers"),
    Column("refused", Integer, nullable=True),
    maybe_time("done_at"),
    PrimaryKeyConstraint("pack_id"),
    CheckConstraint("(done_at IS NULL) = (answers IS NULL)", name="done"),
    Index("ix_submission_pack_tenant", "tenant", "pack_id"),
    Index(
        "ix_submission_pack_waiting",
        "pack_id",
        sqlite_where=text("done_at IS NULL"),
        postgresql_where=text("done_at IS NULL"),
    ),
)
