"""A database of an older version goes on: what was configured is on call as it was, and is watched over."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from app.clock import SystemClock
from app.ids import ProcessIds
from app.store.database import Reading, Writing
from app.store.migrate import SCRIPTS, migrate
from app.store.opening import open_store
from tests.stories.test_migrations import empty

__all__ = ["empty"]
"""The fixture of an empty database."""

SCHEDULE = """
INSERT INTO resources (id, kind, name, document, version, created_at, updated_at, deleted_at)
VALUES (:id, 'schedule', :name, :document, 1, 5, 5, :deleted_at)
"""
REVISION = """
INSERT INTO revisions (resource_id, version, document, changed_at, changed_by, action)
VALUES (:id, 1, :document, 5, 'somebody', 'created')
"""
DOCUMENT = '{"name": "Primary", "time_zone": "UTC", "layers": []}'


def _first_version(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    for schedule_id, deleted_at in ((7, None), (8, 6)):
        row = {"id": schedule_id, "name": f"s{schedule_id}", "document": DOCUMENT, "deleted_at": deleted_at}
        connection.execute(text(SCHEDULE), row)
        connection.execute(text(REVISION), {"id": schedule_id, "document": DOCUMENT})


async def _make(tx: Writing) -> None:
    await tx.conn.run_sync(_first_version)


async def _look(view: Reading) -> tuple[list[object], list[object]]:
    jobs = await view.conn.execute(text("SELECT kind, subject, once FROM jobs"))
    eras = await view.conn.execute(text("SELECT schedule_id, version, starts_at FROM schedule_eras ORDER BY 1"))
    return [tuple(row) for row in jobs], [tuple(row) for row in eras]


async def test_schedules_of_the_first_version_are_in_force_and_watched(empty: str) -> None:
    store = open_store(empty, SystemClock(), ProcessIds())
    await store.write(_make)
    assert (await migrate(store))[0] == "0001"
    watched, in_force = await store.read(_look)
    assert watched == [("duty", 7, "duty:7")]
    assert in_force == [(7, 1, 5), (8, 1, 5)]
    await store.close()
