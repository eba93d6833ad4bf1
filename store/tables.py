"""The tables, in SQLAlchemy Core: the one place that says what is stored.

Times are UTC microseconds, documents are JSON text, bodies are sealed blobs (``store.crypto``).
Nothing outside a sealed blob holds personal data. A column that every commit changes stands in no
index (``case_.updated_at``, ``case_.stage``): PostgreSQL then updates a case in place (HOT).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
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
from store.types import id_text, micros


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


metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# A table that is all key and small values is stored in its primary key on SQLite.
_IN_KEY: Final[dict[str, Any]] = {"sqlite_with_rowid": False}


def _id(name: str) -> Column[str]:
    return Column(name, id_text(), nullable=False)


def _maybe_id(name: str) -> Column[str]:
    return Column(name, id_text(), nullable=True)


def _time(name: str) -> Column[int]:
    return Column(name, micros(), nullable=False)


def _maybe_time(name: str) -> Column[int]:
    return Column(name, micros(), nullable=True)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _maybe_blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=True)


def _prose(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _maybe_prose(name: str) -> Column[str]:
    return Column(name, Text, nullable=True)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed: Iterable[str] = (f"'{member.value}'" for member in values)
    return CheckConstraint(f"{column} IN ({', '.join(listed)})", name=column)


# --- cases and what hangs on them -------------------------------------------------------------

case_: Final = Table(
    "case_",
    metadata,
    _id("case_id"),
    _id("tenant"),
    _id("direction"),
    _id("platform"),
    _id("order_no"),
    _id("profile_id"),
    # lifecycle.case_stage(state); is_open is false in a final stage.
    _id("stage"),
    Column("is_open", Boolean(create_constraint=False), nullable=False),
    Column("is_held", Boolean(create_constraint=False), nullable=False),
    # Rises by one with every commit that changes the case; the guard of every update.
    _count("version"),
    # codec.state_to_doc(state) as JSON.
    _prose("doc"),
    # The number of events, and the hash of the last one: the head of the chain.
    _count("seq"),
    _blob("head_hash"),
    # The case's data key under the master key; NULL after shredding.
    _maybe_blob("wrapped_key"),
    _count("findings"),
    _time("created_at"),
    _time("updated_at"),
    PrimaryKeyConstraint("case_id"),
    _one_of("direction", Direction),
    _one_of("stage", CaseStage),
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
    postgresql_with={"fillfactor": "70"},
)

paper: Final = Table(
    "paper",
    metadata,
    _id("case_id"),
    _id("kind"),
    _count("revision"),
    _id("digest"),
    # codec documents of the paper and its facts (store.papers), sealed with the case's key.
    _blob("body"),
    _time("received_at"),
    PrimaryKeyConstraint("case_id", "kind", "revision"),
    _one_of("kind", PaperKind),
    CheckConstraint("revision >= 1", name="revision"),
)

raw: Final = Table(
    "raw",
    metadata,
    _id("raw_id"),
    _id("case_id"),
    _id("tenant"),
    _id("source"),
    # sha256 of the received bytes; the bytes themselves sealed with the case's key.
    _blob("sha256"),
    _count("size_bytes"),
    _blob("body"),
    _time("received_at"),
    PrimaryKeyConstraint("raw_id"),
    Index("ix_raw_case", "case_id"),
)

claim: Final = Table(
    "claim",
    metadata,
    # Keyed HMAC of kind and value (store.crypto.lookup_hash): the value itself is not stored.
    _blob("key_hash"),
    _id("kind"),
    _id("case_id"),
    _id("tenant"),
    PrimaryKeyConstraint("key_hash"),
    **_IN_KEY,
)

unlinked: Final = Table(
    "unlinked",
    metadata,
    # Follows from tenant, kind and number: a paper sent again replaces itself.
    _id("unlinked_id"),
    _id("tenant"),
    # The keyed hash of the number by which other papers may name it.
    _blob("key_hash"),
    _blob("wrapped_key"),
    _blob("body"),
    _time("received_at"),
    PrimaryKeyConstraint("unlinked_id"),
    Index("ix_unlinked_key", "key_hash"),
)

wait: Final = Table(
    "wait",
    metadata,
    # What the case waits for, for example ``goods:SKU``.
    _id("tenant"),
    _id("ref"),
    _id("case_id"),
    PrimaryKeyConstraint("tenant", "ref", "case_id"),
    Index("ix_wait_case", "case_id"),
    **_IN_KEY,
)

event: Final = Table(
    "event",
    metadata,
    _id("case_id"),
    _count("seq"),
    # Stream order is (pos, case_id, seq): the commit's transaction id on PostgreSQL, the single
    # writer's group counter on SQLite.
    _time("pos"),
    _id("tenant"),
    _id("kind"),
    _prose("payload"),
    _time("at"),
    # store.events.event_hash over prev_hash and the row; 32 zero bytes before the first.
    _blob("prev_hash"),
    _blob("hash"),
    PrimaryKeyConstraint("case_id", "seq"),
    _one_of("kind", EventKind),
    CheckConstraint("seq >= 1", name="seq"),
    Index("ix_event_stream", "tenant", "pos", "case_id", "seq"),
)

# --- messages ---------------------------------------------------------------------------------

declaration: Final = Table(
    "declaration",
    metadata,
    # A declaration version stands in one message at a time; a split moves it to the new one.
    _id("case_id"),
    _id("kind"),
    _count("version"),
    _id("message_id"),
    _count("position"),
    _id("cop_no"),
    _id("app_time"),
    PrimaryKeyConstraint("case_id", "kind", "version"),
    UniqueConstraint("message_id", "position", name="uq_declaration_message"),
    _one_of("kind", DeclarationKind),
    **_IN_KEY,
)

message: Final = Table(
    "message",
    metadata,
    _id("message_id"),
    _id("guid"),
    _id("kind"),
    _id("tenant"),
    _id("profile_id"),
    _id("group_key"),
    _id("stage"),
    # The last attempt opened, 0 before the first.
    _count("attempt"),
    _time("created_at"),
    # The message this one was split from.
    _maybe_id("parent"),
    _count("record_count"),
    _maybe_blob("wrapped_key"),
    # The signed bytes, sealed with the message's own key: NULL until T3, never written twice.
    _maybe_blob("body"),
    _maybe_blob("sha256"),
    _maybe_id("certificate_serial"),
    _maybe_id("signature_profile"),
    _maybe_prose("detail"),
    PrimaryKeyConstraint("message_id"),
    UniqueConstraint("guid", name="uq_message_guid"),
    _one_of("kind", DeclarationKind),
    _one_of("stage", MessageStage),
    CheckConstraint("(body IS NULL) = (sha256 IS NULL)", name="digest"),
    CheckConstraint("stage <> 'claimed' OR body IS NULL", name="unsigned"),
    CheckConstraint(
        "body IS NOT NULL OR stage IN ('claimed', 'refused', 'split', 'empty')", name="signed"
    ),
)

attempt: Final = Table(
    "attempt",
    metadata,
    _id("message_id"),
    _count("attempt"),
    _id("channel"),
    _time("opened_at"),
    _maybe_time("closed_at"),
    _maybe_id("outcome"),
    _maybe_prose("detail"),
    PrimaryKeyConstraint("message_id", "attempt"),
    CheckConstraint("attempt >= 1", name="attempt"),
    CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="closed"),
    CheckConstraint(
        "outcome IS NULL OR outcome IN ('handed_over', 'not_handed_over', 'unknown')",
        name="outcome",
    ),
    **_IN_KEY,
)

# --- inbox and outbox -------------------------------------------------------------------------

inbox: Final = Table(
    "inbox",
    metadata,
    _id("receipt_id"),
    _id("channel"),
    _prose("name"),
    _blob("sha256"),
    _maybe_blob("wrapped_key"),
    _blob("body"),
    _time("received_at"),
    _id("stage"),
    # What R2 found: the file's kind, its records, how many of them are parked, and why.
    _maybe_id("kind"),
    Column("records", Integer, nullable=True),
    Column("parked", Integer, nullable=True),
    _maybe_prose("problem"),
    PrimaryKeyConstraint("receipt_id"),
    UniqueConstraint("channel", "sha256", name="uq_inbox_content"),
    _one_of("stage", InboxStage),
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
    _id("parked_id"),
    _id("subject"),
    _id("reason"),
    _time("at"),
    _maybe_id("receipt_id"),
    _count("position"),
    _maybe_id("case_id"),
    _maybe_id("tenant"),
    _prose("detail"),
    # Set when a person has dealt with it.
    _maybe_time("resolved_at"),
    _maybe_id("resolved_by"),
    PrimaryKeyConstraint("parked_id"),
    CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name="resolved"),
    Index("ix_parked_receipt", "receipt_id"),
    Index("ix_parked_case", "case_id"),
)

outbox: Final = Table(
    "outbox",
    metadata,
    _id("effect_id"),
    _id("kind"),
    _id("group_key"),
    _maybe_id("tenant"),
    _maybe_id("case_id"),
    _id("ref"),
    _prose("payload"),
    _time("due_at"),
    # Who may take the row from when on: due_at of a timer, the end of the lease of a leased one.
    _time("lease_until"),
    # Rises with every lease: the fence of whoever holds the row.
    _count("attempt"),
    _id("stage"),
    _maybe_prose("detail"),
    _maybe_time("done_at"),
    # When the warehouse or seller confirmed a notice.
    _maybe_time("acked_at"),
    PrimaryKeyConstraint("effect_id"),
    _one_of("kind", EffectKind),
    _one_of("stage", OutboxStage),
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

# --- master data ------------------------------------------------------------------------------

tenant: Final = Table(
    "tenant",
    metadata,
    _id("tenant"),
    _prose("name"),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    _time("created_at"),
    PrimaryKeyConstraint("tenant"),
)

api_key: Final = Table(
    "api_key",
    metadata,
    _id("key_id"),
    # Whose data it opens: one tenant's, or those of every tenant that mandates an enterprise.
    _maybe_id("tenant"),
    _maybe_id("enterprise_code"),
    _id("role"),
    _prose("name"),
    _blob("secret_hash"),
    _time("created_at"),
    _maybe_time("expires_at"),
    _maybe_time("revoked_at"),
    # Coarse, so that a busy key does not write with every request.
    _maybe_time("last_used_at"),
    PrimaryKeyConstraint("key_id"),
    CheckConstraint("(tenant IS NULL) <> (enterprise_code IS NULL)", name="owner"),
    Index("ix_api_key_tenant", "tenant"),
    Index("ix_api_key_enterprise", "enterprise_code"),
)

enterprise: Final = Table(
    "enterprise",
    metadata,
    # The 10-character customs code; the social credit code is its second name.
    _id("code"),
    _prose("name"),
    _maybe_id("social_credit_code"),
    _prose("doc"),
    _time("updated_at"),
    PrimaryKeyConstraint("code"),
    UniqueConstraint("social_credit_code", name="uq_enterprise_credit_code"),
)

mandate: Final = Table(
    "mandate",
    metadata,
    _id("tenant"),
    _id("enterprise_code"),
    _id("role"),
    # ISO dates.
    _id("valid_from"),
    _maybe_id("valid_to"),
    PrimaryKeyConstraint("tenant", "enterprise_code", "role", "valid_from"),
)

profile: Final = Table(
    "profile",
    metadata,
    _id("profile_id"),
    _count("version"),
    _id("tenant"),
    _id("digest"),
    _prose("doc"),
    _time("created_at"),
    PrimaryKeyConstraint("profile_id", "version"),
    Index("ix_profile_tenant", "tenant", "profile_id", "version"),
    CheckConstraint("version >= 1", name="version"),
)

goods: Final = Table(
    "goods",
    metadata,
    _id("tenant"),
    # str(GoodsScope): port, mode and account book.
    _id("scope"),
    _id("sku"),
    _count("version"),
    _id("digest"),
    _prose("doc"),
    # ISO dates.
    _maybe_id("valid_from"),
    _maybe_id("valid_to"),
    _time("created_at"),
    PrimaryKeyConstraint("tenant", "scope", "sku", "version"),
    CheckConstraint("version >= 1", name="version"),
)

endpoint: Final = Table(
    "endpoint",
    metadata,
    _id("endpoint_id"),
    _id("tenant"),
    _id("role"),
    _prose("url"),
    # Sealed by the vault key (store.crypto).
    _blob("secret"),
    _count("batch_size"),
    # JSON list.
    _prose("event_types"),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    _time("created_at"),
    # The ed25519 key, if it signs with one, sealed as the secret is.
    _maybe_blob("signing_key"),
    # What signed before the last rotation and signs along until ``old_until``.
    _maybe_blob("old_secrets"),
    _maybe_time("old_until"),
    # When and why it was switched off; NULL again when it is switched on.
    _maybe_time("disabled_at"),
    _maybe_prose("disabled_why"),
    PrimaryKeyConstraint("endpoint_id"),
    Index("ix_endpoint_tenant", "tenant"),
)

channel_pause: Final = Table(
    "channel_pause",
    metadata,
    # A row: nothing is sent through this channel until it is resumed. Receiving goes on.
    _id("channel"),
    _time("paused_at"),
    _id("paused_by"),
    _prose("reason"),
    PrimaryKeyConstraint("channel"),
)

# --- sources ----------------------------------------------------------------------------------

pulled_page: Final = Table(
    "pulled_page",
    metadata,
    # Follows from source and bytes. Kept until every paper of it was read; sealed by the vault key.
    _id("page_id"),
    _id("source"),
    _id("tenant"),
    _blob("body"),
    _time("received_at"),
    PrimaryKeyConstraint("page_id"),
    Index("ix_pulled_page_source", "source"),
)

# --- repairs ----------------------------------------------------------------------------------

repair: Final = Table(
    "repair",
    metadata,
    _id("repair_id"),
    _id("tenant"),
    _id("stage"),
    _id("rule"),
    _id("kind"),
    _id("owner"),
    _id("needs"),
    # JSON: need, by, at, statement of each approval; their number guards every change.
    _prose("approvals"),
    _count("approval_count"),
    Column("redeclare", Boolean(create_constraint=False), nullable=False),
    _id("proposed_by"),
    _prose("reason"),
    _time("created_at"),
    _maybe_time("deadline"),
    _maybe_time("ended_at"),
    # JSON of the items with their values, sealed by the vault key.
    _blob("body"),
    PrimaryKeyConstraint("repair_id"),
    _one_of("stage", RepairStage),
    Index("ix_repair_tenant_created", "tenant", "created_at", "repair_id"),
)

rule_pack: Final = Table(
    "rule_pack",
    metadata,
    _id("tenant"),
    # Empty for all ports of the tenant.
    _id("port"),
    _id("name"),
    _count("version"),
    _prose("text"),
    _id("stage"),
    _id("proposed_by"),
    _time("proposed_at"),
    _maybe_id("decided_by"),
    _maybe_time("decided_at"),
    PrimaryKeyConstraint("tenant", "port", "name", "version"),
    CheckConstraint("version >= 1", name="version"),
    _one_of("stage", PackStage),
)

# --- reference tables -------------------------------------------------------------------------

reference_table: Final = Table(
    "reference_table",
    metadata,
    # A whole imported table as one document; never changed, other content is a new version.
    _id("kind"),
    # Empty for a table of everybody.
    _id("tenant"),
    _count("version"),
    _prose("source"),
    Column("is_sample", Boolean(create_constraint=False), nullable=False),
    _count("row_count"),
    _id("digest"),
    _prose("doc"),
    _time("created_at"),
    PrimaryKeyConstraint("kind", "tenant", "version"),
    CheckConstraint("version >= 1", name="version"),
)

# --- the store itself -------------------------------------------------------------------------

meta: Final = Table(
    "meta",
    metadata,
    # Small facts by name: ``key_check`` (is this the right master key), change counters.
    _id("name"),
    _prose("value"),
    PrimaryKeyConstraint("name"),
    **_IN_KEY,
)

checkpoint: Final = Table(
    "checkpoint",
    metadata,
    _count("number"),
    _time("at"),
    # How many cases and events the signed digest over all heads covers.
    _time("cases"),
    _time("events"),
    _blob("digest"),
    _blob("signature"),
    PrimaryKeyConstraint("number"),
)

# --- the edge ---------------------------------------------------------------------------------

idempotency: Final = Table(
    "idempotency",
    metadata,
    # Keyed HMAC of caller, route and key.
    _blob("key_hash"),
    _id("tenant"),
    # sha256 of what was asked: another request under the same key is refused.
    _blob("request"),
    # Rises when the turn passes from a caller that is gone to the next.
    _count("attempt"),
    _time("lease_until"),
    _time("expires_at"),
    # The answer, sealed by the vault key; NULL while its request is worked on.
    _maybe_blob("body"),
    PrimaryKeyConstraint("key_hash"),
    CheckConstraint("attempt >= 1", name="attempt"),
    Index("ix_idempotency_expires", "expires_at"),
)
