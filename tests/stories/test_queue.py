"""The queue: what one more job costs does not depend on how many wait, and nobody takes more than he has hands for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event, text

from app.clock import SECOND, Micros, SystemClock
from app.ids import ProcessIds
from app.metrics import Metrics
from app.paging.worker import Worker
from app.store import jobs
from app.store.database import Reading, Store, Writing
from app.store.jobs import Job, NewJob
from app.store.migrate import migrate
from app.store.opening import open_store
from app.store.sqlite import Sqlite
from tests.conftest import TEMPLATE
from tests.harness.clock import StoryClock
from tests.harness.postgres import Cluster

LEASE = 30 * SECOND
MANY = 20_000


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = open_store(database, StoryClock(), ProcessIds(7), pool_size=1)
    await migrate(opened)
    yield opened
    await opened.close()


async def _wait(store: Store, many: int, *, due_in_s: int = 3_600) -> None:
    """Adds jobs by the thousand."""
    now = store.clock.now()
    rows = [NewJob("page", place, now + due_in_s * SECOND + place) for place in range(many)]
    await store.write(jobs.add, rows)


Asked = Callable[[Any], Awaitable[object]]


async def _every_deed(store: Store) -> dict[str, Asked]:
    """What the worker asks of the queue, by name."""
    await store.write(jobs.add, [NewJob("page", 1, store.clock.now()) for _ in range(3)])
    held, *_ = await store.write(jobs.claim, 3, LEASE)

    async def claim(tx: Writing) -> object:
        return await jobs.claim(tx, 16, LEASE)

    return {
        "claim": claim,
        "hold": lambda tx: jobs.hold(tx, held),
        "pull": lambda tx: jobs.pull(tx, 1_000_000, ["escalate"], 0),
        "next_due": jobs.next_due,
        "backlog": jobs.backlog,
    }


async def _rows_read_whole(store: Store, ask: Asked) -> int:
    """How many rows of jobs one transaction read by going through the table from end to end."""

    async def read(tx: Writing) -> int:
        question = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'jobs'"
        return int((await tx.conn.execute(text(question))).scalar_one())

    async def deed(tx: Writing) -> int:
        before = await read(tx)
        await ask(tx)
        return await read(tx) - before

    return await store.write(deed)


@pytest.fixture
def quiet_postgres(postgres: Cluster) -> Iterator[str]:
    url = postgres.fresh(TEMPLATE)
    yield url
    postgres.drop(url)


async def test_a_storm_after_a_quiet_night_is_not_read_from_end_to_end(quiet_postgres: str) -> None:
    """PostgreSQL keeps plans; those of a table with five rows would read all of the 20,000 that come, each time."""
    store = open_store(quiet_postgres, StoryClock(), ProcessIds(7), pool_size=1)
    asked = await _every_deed(store)
    keeper = await asyncpg.connect(quiet_postgres.replace("+asyncpg", ""))
    await keeper.execute("VACUUM ANALYZE jobs")
    await keeper.close()
    for _ in range(7):
        for ask in asked.values():
            await store.write(ask)
    await _wait(store, MANY)
    read = {name: await _rows_read_whole(store, ask) for name, ask in asked.items()}
    assert read == dict.fromkeys(asked, 0)
    await store.close()


async def test_on_sqlite_what_the_worker_asks_is_found_by_an_index_and_never_sorted(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/t.db", StoryClock(), ProcessIds(7), pool_size=1)
    await migrate(store)
    asked = await _every_deed(store)
    steps: list[str] = []

    def explain(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        if statement.startswith(("SELECT", "WITH", "UPDATE")):
            steps.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    assert isinstance(store.database, Sqlite)
    event.listen(store.database._writer, "before_cursor_execute", explain)
    for ask in asked.values():
        before = len(steps)
        await store.write(ask)
        assert len(steps) > before
    of_table = [step for step in steps if step.startswith(("SCAN jobs", "SEARCH jobs", "USE TEMP"))]
    assert len(of_table) >= len(asked)
    assert [step for step in of_table if "USING" not in step or "TEMP" in step] == []
    await store.close()


async def test_on_sqlite_a_process_does_not_grow_with_what_its_readers_look_through(tmp_path: Path) -> None:
    """With a million jobs waiting each reader kept the open incidents for itself: 60 MB more, and it could have been 500."""
    store = open_store(f"sqlite:///{tmp_path}/t.db", StoryClock(), ProcessIds(7), pool_size=8)

    async def kept_kb(view: Reading) -> int:
        return -int((await view.conn.execute(text("PRAGMA cache_size"))).scalar_one())

    assert 8 * await store.read(kept_kb) < await store.write(kept_kb)
    await store.close()


async def test_due_jobs_are_counted_no_further_than_anybody_needs_to_know(store: Store) -> None:
    """A million due jobs took seconds to count, every five seconds."""
    now = store.clock.now()
    await _wait(store, jobs.MAX_COUNTED + 5, due_in_s=-60)
    behind = await store.read(jobs.backlog)
    assert (behind.due, behind.oldest_due_at) == (jobs.MAX_COUNTED, now - 60 * SECOND)


class Rounds(SystemClock):
    """Says when the worker has nothing more to do for now."""

    def __init__(self) -> None:
        self.waits = 0
        self.waited = asyncio.Condition()

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        async with self.waited:
            self.waits += 1
            self.waited.notify_all()
        await super().wait(wake, timeout_s)

    async def after(self, more: int) -> None:
        """Returns when it has waited so many times more."""
        until = self.waits + more
        async with self.waited:
            await self.waited.wait_for(lambda: self.waits >= until)


async def test_a_level_of_many_people_takes_no_more_hands_than_there_are(store: Store) -> None:
    """Two hands, and a plan that claimed five pages at once: nothing else is claimed until a hand is free."""
    clock, told, gate, begun = Rounds(), asyncio.Event(), asyncio.Event(), []
    await store.write(jobs.add, [NewJob("plan", 1, 0), *(NewJob("other", place, 1) for place in range(40))])

    async def plan(job: Job) -> Sequence[Job]:
        pages = await store.write(jobs.add_claimed, [NewJob("page", place, 0) for place in range(5)], LEASE)
        await store.write(jobs.finish, job)
        return pages

    async def send(job: Job) -> Sequence[Job]:
        begun.append(job.kind)
        if begun.count("page") == 5:
            told.set()
        await gate.wait()
        await store.write(jobs.finish, job)
        return ()

    handlers = {"plan": plan, "page": send, "other": send}
    wake = asyncio.Event()
    worker = Worker(store, clock, Metrics(), handlers, wake, hands=2, lease_s=30)
    running = asyncio.create_task(worker.run())
    await told.wait()
    for _ in range(4):
        wake.set()
        await clock.after(1)
    meanwhile = sorted(begun)
    gate.set()
    while await store.read(jobs.next_due) is not None:
        await clock.after(1)
    worker.stop()
    await running
    assert meanwhile == ["other"] + ["page"] * 5
    assert len(begun) == 45


@dataclass
class Watched:
    """A story's clock that says when somebody begins to sleep."""

    inner: StoryClock
    asleep: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> Micros:
        return self.inner.now()

    def monotonic(self) -> float:
        return self.inner.monotonic()

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        self.asleep.set()
        await self.inner.wait(wake, timeout_s)


async def test_work_that_falls_due_sooner_than_the_next_look_is_not_slept_over(store: Store) -> None:
    """The worker sleeps for a second; a job due in 0.3 s is written meanwhile, and the clock moves there and no further."""
    story, done = store.clock, asyncio.Event()
    assert isinstance(story, StoryClock)
    clock = Watched(story)

    async def work(job: Job) -> Sequence[Job]:
        await store.write(jobs.finish, job)
        done.set()
        return ()

    worker = Worker(store, clock, Metrics(), {"work": work}, asyncio.Event(), hands=2, lease_s=30)
    store.on_due = worker.expect
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(10):
        await clock.asleep.wait()
        clock.asleep.clear()
        at = story.now() + 3 * SECOND // 10
        await store.write(jobs.add, [NewJob("work", 1, at)])
        await clock.asleep.wait()
        story.move_to(at)
        await done.wait()
    worker.stop()
    await running
