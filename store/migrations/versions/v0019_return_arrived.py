"""Goods of a return that are back are an event."""

from store.migrations.versions.v0013_every_receipt import EVENTS as BEFORE
from store.migrations.versions.v0013_every_receipt import replace_check

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

EVENTS = BEFORE.replace("'tax_billed'", "'return_arrived', 'tax_billed'")


def upgrade() -> None:
    """Let the history hold the new kind."""
    replace_check("event", BEFORE, EVENTS)
