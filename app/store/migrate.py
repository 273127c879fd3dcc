"""Brings the database to the schema of this code, forward only, once, however many replicas start at the same time.

The whole upgrade is one transaction behind a lock (a transaction-level advisory lock on PostgreSQL, the write lock on
SQLite): the first replica does it, the others wait and find nothing to do. A database that is ahead of the code is
refused: an older version must not page by rules it does not know.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from app.store.database import Store, Writing

LOCK = 7_306_095_014
"""Any number nobody else uses; all versions of Tocsin must use the same."""
SCRIPTS = Path(__file__).parent / "migrations"


class SchemaAhead(Exception):
    """The database belongs to a newer version of Tocsin."""


def schemas() -> list[str]:
    """The schemas this code knows, oldest first: the numbers that its scripts' names begin with."""
    return sorted(script.name[:4] for script in SCRIPTS.glob("versions/[0-9]*.py"))


def head() -> str:
    """The schema that this code wants."""
    return schemas()[-1]


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    before = _schema(connection)
    if before is not None and before not in schemas():
        raise SchemaAhead(
            f"the database has schema {before}, which this version does not know (it knows up to {head()}); "
            "start the version that made it, or a newer one"
        )
    if before != head():
        from app.store.scripts import run

        run(connection, SCRIPTS)
    return before, head()


def _schema(connection: Connection) -> str | None:
    """What Alembic has written down; None: nothing yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


async def migrate(store: Store) -> tuple[str | None, str]:
    """Upgrades to `head()`; answers (schema before, schema now). Raises SchemaAhead, Unavailable."""
    return await store.write(_migrate)


async def _migrate(tx: Writing) -> tuple[str | None, str]:
    return await tx.conn.run_sync(_upgrade)
