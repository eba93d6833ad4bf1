"""API keys of an enterprise, which span the tenants that mandate it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OWNER = "(tenant IS NULL) <> (enterprise_code IS NULL)"
COLUMNS = (
    "key_id, tenant, role, name, secret_hash, created_at, expires_at, revoked_at, last_used_at"
)


def upgrade() -> None:
    """Add the enterprise; every key so far keeps its tenant."""
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("api_key", sa.Column("enterprise_code", ID, nullable=True))
        op.alter_column("api_key", "tenant", nullable=True)
        op.create_check_constraint(op.f("ck_api_key_owner"), "api_key", OWNER)
    else:
        _copy_keys()
    op.create_index("ix_api_key_enterprise", "api_key", ["enterprise_code"], unique=False)


def _copy_keys() -> None:
    """SQLite cannot let go of NOT NULL: the rows move into a table without it."""
    op.create_table(
        "api_key_new",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("tenant", ID, nullable=True),
        sa.Column("enterprise_code", ID, nullable=True),
        sa.Column("role", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key")),
        sa.CheckConstraint(OWNER, name=op.f("ck_api_key_owner")),
    )
    op.execute(f"INSERT INTO api_key_new ({COLUMNS}) SELECT {COLUMNS} FROM api_key")  # noqa: S608
    op.drop_table("api_key")
    op.rename_table("api_key_new", "api_key")
    op.create_index("ix_api_key_tenant", "api_key", ["tenant"], unique=False)
