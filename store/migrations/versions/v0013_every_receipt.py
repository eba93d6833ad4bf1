"""Every kind of document has declarations, and customs' tax bills and summaries are events."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KINDS_BEFORE = "kind IN ('order', 'payment', 'waybill', 'inventory')"
KINDS = (
    "kind IN ('order', 'payment', 'waybill', 'waybill_status', 'inventory', 'cancellation',"
    " 'return', 'entry_list', 'export_order', 'funds_receipt', 'export_waybill', 'site_arrival',"
    " 'departure', 'export_inventory', 'export_cancellation', 'master_list', 'summary_request',"
    " 'export_return', 'return_tally')"
)
EVENTS_BEFORE = (
    "kind IN ('papers_received', 'case_matched', 'declaration_planned', 'declaration_claimed',"
    " 'declaration_moved', 'declaration_sending', 'declaration_unanswered',"
    " 'declaration_refused', 'declaration_withdrawn', 'receipt_recorded', 'case_held',"
    " 'case_unheld', 'alarm_raised', 'notice_acknowledged', 'finding_resolved',"
    " 'filing_recorded', 'bytes_downloaded')"
)
EVENTS = (
    "kind IN ('papers_received', 'case_matched', 'declaration_planned', 'declaration_claimed',"
    " 'declaration_moved', 'declaration_sending', 'declaration_unanswered',"
    " 'declaration_refused', 'declaration_withdrawn', 'declaration_cancelled',"
    " 'receipt_recorded', 'tax_billed', 'summary_recorded', 'case_asked', 'case_held',"
    " 'case_unheld', 'alarm_raised', 'notice_acknowledged', 'finding_resolved',"
    " 'filing_recorded', 'bytes_downloaded')"
)
CHANGES = (
    ("declaration", KINDS_BEFORE, KINDS),
    ("message", KINDS_BEFORE, KINDS),
    ("event", EVENTS_BEFORE, EVENTS),
)


def upgrade() -> None:
    """Let the three tables hold the new kinds."""
    for table, before, after in CHANGES:
        replace_check(table, before, after)


def replace_check(table: str, before: str, after: str) -> None:
    """Let the kinds of a table be others."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(f"ck_{table}_kind"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_kind"), table, after)
    else:
        _copy(table, before, after)


def _copy(table: str, before: str, after: str) -> None:
    """SQLite cannot change a check: the rows move into a table that differs in it alone."""
    run = op.get_bind().exec_driver_sql
    made = run("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).scalar()
    indexes = run(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
        (table,),
    ).scalars()
    statements = [str(statement) for statement in indexes]
    head, _, body = str(made).partition("(")
    assert before in body
    run(f"{head.replace(table, f'{table}_new')}({body.replace(before, after)}")
    run(f"INSERT INTO {table}_new SELECT * FROM {table}")  # noqa: S608  names of ours
    op.drop_table(table)
    op.rename_table(f"{table}_new", table)
    for statement in statements:
        run(statement)
