"""Subscribed copies of customs' answers to others are events."""

from store.migrations.versions.v0013_every_receipt import replace_check
from store.migrations.versions.v0019_return_arrived import EVENTS as BEFORE

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

EVENTS = BEFORE.replace("'summary_recorded'", "'copy_recorded', 'summary_recorded'")


def upgrade() -> None:
    """Let the history hold the new kind."""
    replace_check("event", BEFORE, EVENTS)
