"""Brings the database to the schema of this code, forward only, once, however many replicas start at the same time.

The whole upgrade is one transaction behind a lock (a transaction-level advisory lock on PostgreSQL, the write lock on
SQLite): the first replica does it, the others wait and find nothing to do. A database that is ahead of the code is
refused: an older version must not page by rules it does not know.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.store.database import Store, Writing

LOCK = 7_306_095_014
"""Any number nobody else uses; all versions of Tocsin must use the same."""
SCRIPTS = Path(__file__).parent / "migrations"


class SchemaAhead(Exception):
    """The database belongs to a newer version of Tocsin."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def head() -> str:
    """The schema that this code wants."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    before = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if before is not None and before not in known:
        raise SchemaAhead(
            f"the database has schema {before}, which this version does not know (it knows up to {head()}); "
            "start the version that made it, or a newer one"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return before, head()


async def migrate(store: Store) -> tuple[str | None, str]:
    """Upgrades to `head()`; answers (schema before, schema now). Raises SchemaAhead, Unavailable."""
    return await store.write(_migrate)


async def _migrate(tx: Writing) -> tuple[str | None, str]:
    return await tx.conn.run_sync(_upgrade)
