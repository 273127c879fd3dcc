"""The schema that the scripts make is the schema of the code, on both databases, however many start at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from app.clock import SystemClock
from app.ids import ProcessIds
from app.schema import metadata
from app.store.database import Store, Writing
from app.store.migrate import SchemaAhead, head, migrate
from app.store.opening import open_store
from tests.harness.postgres import Cluster


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), metadata))


async def _compare(tx: Writing) -> list[object]:
    return await tx.conn.run_sync(_differences)


@pytest.fixture
def empty(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> str:
    """A database without tables."""
    if database.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/empty.db"
    postgres: Cluster = request.getfixturevalue("postgres")
    return postgres.fresh()


def _open(url: str) -> Store:
    return open_store(url, SystemClock(), ProcessIds())


async def test_the_scripts_make_what_the_code_wants(empty: str) -> None:
    store = _open(empty)
    assert await migrate(store) == (None, head())
    assert await store.write(_compare) == []
    assert await migrate(store) == (head(), head())
    await store.close()


async def test_many_replicas_that_start_at_once_migrate_once(empty: str) -> None:
    stores = [_open(empty) for _ in range(6)]
    answers = await asyncio.gather(*(migrate(store) for store in stores))
    assert sorted(before or "" for before, _ in answers) == ["", *[head()] * 5]
    for store in stores:
        await store.close()


async def test_a_database_of_a_newer_version_is_refused(empty: str) -> None:
    store = _open(empty)
    await migrate(store)

    async def ahead(tx: Writing) -> None:
        await tx.conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await store.write(ahead)
    with pytest.raises(SchemaAhead, match="9999"):
        await migrate(store)
    await store.close()
