"""The store's promises on both databases: whole transactions, one owner of a job, and our own trouble told as ours."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from app.clock import SECOND
from app.ids import ProcessIds
from app.store import bulk, jobs
from app.store.counters import take
from app.store.database import Database, Reading, Store, Work, Writing
from app.store.errors import Conflict, Unavailable
from app.store.jobs import Job, LeaseLost, NewJob
from app.store.migrate import migrate
from app.store.opening import open_store
from app.store.sqlite import WaitedElsewhere
from app.store.tables import counters, instance
from tests.harness.clock import StoryClock
from tests.harness.postgres import Cluster
from tests.harness.providers import Answering, provider
from tests.harness.town import begin


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = open_store(database, StoryClock(), ProcessIds(7))
    await migrate(opened)
    yield opened
    await opened.close()


def _clock(store: Store) -> StoryClock:
    assert isinstance(store.clock, StoryClock)
    return store.clock


async def _note(tx: Writing, name: str) -> None:
    await tx.conn.execute(insert(instance).values(name=name, value="x"))


async def _names(view: Reading) -> list[str]:
    return list((await view.conn.execute(select(instance.c.name).order_by(instance.c.name))).scalars())


async def test_a_deed_that_raises_writes_nothing(store: Store) -> None:
    async def deed(tx: Writing) -> None:
        await _note(tx, "half")
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(deed)
    assert await store.read(_names) == []


async def test_a_question_never_loses_against_anybody_it_could_not_be_asked(store: Store) -> None:
    """Whoever asked hears what they know what to do about: that the database is away."""

    async def busy(_: Reading) -> None:
        raise OperationalError("a statement", None, sqlite3.OperationalError("database is locked"))

    with pytest.raises(Unavailable):
        await store.read(busy)


async def test_a_deed_that_always_loses_is_given_up_after_some_tries(store: Store) -> None:
    tried = []

    async def deed(tx: Writing) -> None:
        tried.append(1)
        await _note(tx, "twice")
        await _note(tx, "twice")

    with pytest.raises(Conflict):
        await store.write(deed)
    assert len(tried) == 3
    assert await store.read(_names) == []


async def test_on_sqlite_a_deed_may_not_wait_for_anything_else(tmp_path: Any) -> None:
    """It would hold the only write lock meanwhile; the mistake is found at the first run and writes nothing."""
    store = open_store(f"sqlite:///{tmp_path}/t.db", StoryClock(), ProcessIds(7))
    await migrate(store)

    async def deed(tx: Writing) -> None:
        await _note(tx, "half")
        await asyncio.sleep(0)

    with pytest.raises(WaitedElsewhere):
        await store.write(deed)
    assert await store.read(_names) == []
    await store.close()


async def test_numbers_are_counted_once_each_however_many_ask(store: Store) -> None:
    first = await store.write(take, "n", 2)
    rest = await asyncio.gather(*(store.write(take, "n", 2) for _ in range(20)))
    assert sorted([first, *rest]) == list(range(1, 43, 2))


@pytest.mark.parametrize("many", [0, 1, 2, 3, 7, 255, 256, 257, 700])
async def test_rows_in_bulk_arrive_all_and_are_found_in_their_order(store: Store, many: int) -> None:
    async def write(tx: Writing) -> None:
        await bulk.insert(tx, counters, [{"name": f"n{place}", "value": place} for place in range(many)])

    async def ask(view: Reading) -> list[list[Any]]:
        asked = [(place,) for place in [*range(many), 10_000]]
        shape = bulk.Rows(("value",), ("bigint",))
        return await bulk.ask(
            view, shape, "FROM t JOIN counters AS c ON c.value = t.value", asked, ["c.name", "c.value"]
        )

    await store.write(write)
    found = await store.read(ask)
    assert sorted(found) == [[place, f"n{place}", place] for place in range(many)]


async def _added(store: Store, *new: NewJob) -> None:
    await store.write(jobs.add, new)


async def _claimed(store: Store, limit: int = 10) -> list[Job]:
    return await store.write(jobs.claim, limit, 30 * SECOND)


async def test_a_job_has_one_owner_until_its_lease_ends_and_then_another(store: Store) -> None:
    await _added(store, NewJob("page", 1, 0))
    (first,) = await _claimed(store)
    assert await _claimed(store) == []
    _clock(store).move_to(_clock(store).now() + 31 * SECOND)
    (second,) = await _claimed(store)
    assert (second.id, second.fence) == (first.id, first.fence + 1)
    for deed in (jobs.finish, jobs.hold):
        with pytest.raises(LeaseLost):
            await store.write(deed, first)
    with pytest.raises(LeaseLost):
        await store.write(jobs.put_back, first, 0)
    await store.write(jobs.finish, second)
    assert await store.read(jobs.next_due) is None


async def test_many_workers_share_what_is_due_without_a_double(store: Store) -> None:
    await _added(store, *(NewJob("page", place, 0) for place in range(200)))
    taken = await asyncio.gather(*(_claimed(store, 9) for _ in range(40)))
    subjects = [job.subject for some in taken for job in some]
    assert sorted(subjects) == list(range(200))


async def test_what_is_due_is_taken_oldest_first_and_what_is_not_waits(store: Store) -> None:
    now = _clock(store).now()
    await _added(store, NewJob("b", 2, now - 1), NewJob("c", 3, now + 5 * SECOND), NewJob("a", 1, now - 9))
    assert [job.kind for job in await _claimed(store)] == ["a", "b"]
    assert await store.read(jobs.next_due) == now + 5 * SECOND


async def test_a_job_that_may_be_there_once_is_moved_earlier_and_never_later(store: Store) -> None:
    now = _clock(store).now()
    for due_at in (now + 9, now + 3, now + 7):
        await _added(store, NewJob("expire", 0, due_at, once="expire"))
    assert await store.read(jobs.next_due) == now + 3
    _clock(store).move_to(now + 10)
    assert len(await _claimed(store)) == 1


@dataclass
class Sometimes:
    """A database whose server can be away."""

    inner: Database
    away: bool = False

    @property
    def kind(self) -> str:
        return self.inner.kind

    async def write(self, work: Work[Any]) -> Any:
        if self.away:
            raise ConnectionRefusedError
        return await self.inner.write(work)

    async def read(self, work: Work[Any]) -> Any:
        if self.away:
            raise ConnectionRefusedError
        return await self.inner.read(work)

    async def close(self) -> None:
        await self.inner.close()


async def test_without_its_database_senders_are_told_to_come_again_and_then_everything_goes_on(database: str) -> None:
    """503 and Retry-After, never 4xx; not ready meanwhile; when it is back, what waited is paged."""
    async with provider(Answering(200, b"{}")) as fake:
        held: list[Sometimes] = []

        def around(inner: Database) -> Database:
            held.append(Sometimes(inner))
            return held[0]

        story = await begin(database, StoryClock(), fake, around=around)
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await alerts.resolves("Warm")
        document = alerts._group("firing", ["DiskFull"], "critical", {})
        held[0].away = True
        answer = await story.web.post(alerts.path, json=document)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert (await story.web.get("/readyz")).status_code == 503
        assert (await story.web.get("/livez")).status_code == 200
        held[0].away = False
        assert (await story.web.post(alerts.path, json=document)).status_code == 202
        await ana.is_paged("DiskFull")
        assert (await story.rows("SELECT count(*) AS n FROM incidents"))[0].n == 1
        await story.ends()


async def test_the_database_keeps_what_it_said_it_kept(store: Store) -> None:
    """The settings the promise rests on are in force on every connection."""

    async def settings(view: Reading) -> list[str]:
        names = ("fsync", "synchronous_commit") if view.postgres else ("journal_mode", "synchronous", "foreign_keys")
        words = "SHOW" if view.postgres else "PRAGMA"
        return [str((await view.conn.execute(text(f"{words} {name}"))).scalar()) for name in names]

    found = await store.read(settings)
    assert found[1:] == ["on"] if store.kind == "postgresql" else found == ["wal", "2", "1"]


@pytest.fixture
def emptied(postgres: Cluster) -> Iterator[str]:
    address = postgres.fresh()
    yield address
    postgres.drop(address)


async def test_on_postgresql_no_connection_is_left_idle_while_another_works(emptied: str) -> None:
    """A firewall forgets what says nothing for hours, and the next storm would need all connections at once."""
    store = open_store(emptied, StoryClock(), ProcessIds(7))
    meeting = asyncio.Barrier(3)

    async def together(view: Reading) -> int:
        await meeting.wait()
        return await backend(view)

    async def backend(view: Reading) -> int:
        return int((await view.conn.execute(text("SELECT pg_backend_pid()"))).scalar_one())

    made = await asyncio.gather(*(store.read(together) for _ in range(3)))
    used = [await store.read(backend) for _ in range(3)]
    assert len(set(made)) == 3
    assert set(used) == set(made)
    await store.close()


async def test_a_deed_that_others_are_always_quicker_than_is_trouble_of_the_database(store: Store) -> None:
    """It is tried three times and then told like a database that is away: it is no fault of whoever asked."""
    tried = []

    async def deed(_: Writing) -> None:
        tried.append(1)
        raise OperationalError("a statement", None, sqlite3.OperationalError("database is locked"))

    with pytest.raises(Unavailable):
        await store.write(deed)
    assert len(tried) == 3


async def test_a_new_file_of_sqlite_is_its_owners_alone(tmp_path: Path) -> None:
    """What signs links is in it, and the addresses of chats, in clear."""
    store = open_store(f"sqlite:///{tmp_path}/t.db", StoryClock(), ProcessIds(7))
    await migrate(store)
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == dict.fromkeys(
        ("t.db", "t.db-wal", "t.db-shm"), 0o600
    )
    await store.close()


async def test_another_process_that_ends_leaves_the_log_of_this_one_alone(tmp_path: Path) -> None:
    """A process loses its locks on a file when it closes any handle of it; SQLite elsewhere would then remove the log."""
    store = open_store(f"sqlite:///{tmp_path}/t.db", StoryClock(), ProcessIds(7))
    await migrate(store)
    meeting = threading.Barrier(3, timeout=20)

    async def together(view: Reading) -> None:
        await view.conn.run_sync(lambda _: meeting.wait())

    await asyncio.gather(*(store.read(together) for _ in range(3)))
    other = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM counters').fetchall(); c.close()"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", other, f"{tmp_path}/t.db"], check=True)
    assert (tmp_path / "t.db-wal").exists()
    await store.close()
