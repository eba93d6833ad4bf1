"""What counts in an account is found without what was given back."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ACCOUNT = ["tenant", "buyer", "year"]


def upgrade() -> None:
    """Let the index of an account's entries know their stage."""
    op.create_index("ix_quota_entry_counting", "quota_entry", [*ACCOUNT, "stage"], unique=False)
    op.drop_index("ix_quota_entry_account", table_name="quota_entry")
