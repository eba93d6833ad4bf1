"""Payments and waybills are filed too: more kinds of declarations and messages."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BEFORE = "kind IN ('order', 'inventory')"
AFTER = "kind IN ('order', 'payment', 'waybill', 'inventory')"
TABLES = ("declaration", "message")


def upgrade() -> None:
    """Let both tables hold the new kinds."""
    for table in TABLES:
        if op.get_bind().dialect.name == "postgresql":
            op.drop_constraint(op.f(f"ck_{table}_kind"), table, type_="check")
            op.create_check_constraint(op.f(f"ck_{table}_kind"), table, AFTER)
        else:
            _copy(table)


def _copy(table: str) -> None:
    """SQLite cannot change a check: the rows move into a table that differs in it alone."""
    run = op.get_bind().exec_driver_sql
    made = run("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).scalar()
    indexes = run(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
        (table,),
    ).scalars()
    statements = [str(statement) for statement in indexes]
    head, _, body = str(made).partition("(")
    assert BEFORE in body
    run(f"{head.replace(table, f'{table}_new')}({body.replace(BEFORE, AFTER)}")
    run(f"INSERT INTO {table}_new SELECT * FROM {table}")  # noqa: S608  names of ours
    op.drop_table(table)
    op.rename_table(f"{table}_new", table)
    for statement in statements:
        run(statement)
