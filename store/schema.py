"""The schema's versions: bring a database up to this code, and know whether it is.

Migrations only ever add first and remove later, so old and new code can run side by side.
"""

from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_PACKAGE: Final = "store.migrations"
_VERSION_TABLE: Final = "schema_version"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(_PACKAGE)))
    return config


def upgrade(connection: Connection) -> None:
    """Bring the database up to this code's schema inside the connection's transaction.

    A database that newer code has already brought further is left alone: a newer schema serves the
    code of the version before it.
    """
    config = _config()
    current = current_version(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and (current not in known or current == script.get_current_head()):
        return
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _VERSION_TABLE
    command.upgrade(config, "head")


def newest_version() -> str:
    """The schema version that this code works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current_version(connection: Connection) -> str | None:
    """The schema version of a database, None for an empty one."""
    context = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE})
    return context.get_current_revision()
