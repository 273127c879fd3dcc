"""A stopping worker finishes all that it holds, and what that leads to at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from app.clock import SECOND, SystemClock
from app.ids import ProcessIds
from app.metrics import Metrics
from app.paging.worker import Worker
from app.store import jobs
from app.store.jobs import Job, NewJob
from app.store.migrate import migrate
from app.store.opening import open_store


async def test_a_page_claimed_while_the_worker_stops_is_still_sent_before_it_ends(tmp_path: Path) -> None:
    """The level was planned and its page taken; SIGTERM came in between. Nobody waits for the lease of a dead process."""
    store = open_store(f"sqlite:///{tmp_path}/t.db", SystemClock(), ProcessIds(7))
    await migrate(store)
    await store.write(jobs.add, [NewJob("plan", 1, 0)])
    sent: list[int] = []

    async def plan(job: Job) -> Sequence[Job]:
        worker.stop()
        claimed = await store.write(jobs.add_claimed, [NewJob("send", 1, 0)], 30 * SECOND)
        await store.write(jobs.finish, job)
        return claimed

    async def send(job: Job) -> Sequence[Job]:
        await store.write(jobs.finish, job)
        sent.append(job.subject)
        return ()

    worker = Worker(store, SystemClock(), Metrics(), {"plan": plan, "send": send}, asyncio.Event(), hands=4, lease_s=30)
    await worker.run()
    assert sent == [1]
    assert await store.read(jobs.next_due) is None
    await store.close()
