"""After a stall of our own: levels do not follow each other faster than the policy says, and a lost worker's job goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.clock import SECOND
from app.incidents import respond
from app.notifiers.notifier import Accepted
from app.notifiers.registry import build
from app.paging.deliver import Desk, LinkMaker, begin, record
from app.paging.doors import Doors
from app.paging.escalate import escalate
from app.paging.storm import Allowance
from app.routing.quieting import Quieting
from app.store import jobs
from app.store.jobs import Job
from tests.harness.clock import StoryClock
from tests.harness.providers import provider
from tests.harness.town import Town
from tests.harness.town import begin as begin_town

LEASE = 30 * SECOND
DESK = Desk(LinkMaker("secret", "http://tocsin.test", 24), Doors(build(offered=())), Allowance(1_000, 600))


@asynccontextmanager
async def idle(database: str) -> AsyncIterator[Town]:
    """A process whose worker does nothing: the deeds are done by hand."""
    async with provider() as fake:
        story = await begin_town(database, StoryClock(), fake)
        story.process.worker.stop()
        await story.process.supervisor.join("worker", 5)
        try:
            yield story
        finally:
            await story.ends()


async def _claim(story: Town, kind: str) -> Job:
    (job,) = [job for job in await story.store.write(jobs.claim, 10, LEASE) if job.kind == kind]
    return job


async def _told(story: Town) -> list[str]:
    return [row.recipient for row in await story.rows("SELECT recipient FROM pages ORDER BY number")]


async def _two_levels(story: Town) -> None:
    ana, ben = await story.person("Ana"), await story.person("Ben")
    service = await story.service("s", await story.policy([[ana], [ben]], delay_s=300))
    alerts = await story.integration("alertmanager", service)
    document = alerts._group("firing", ["DiskFull"], "critical", {})
    assert (await story.web.post(alerts.path, json=document)).status_code == 202


async def test_a_level_has_its_time_from_its_first_try_and_not_from_its_plan(database: str) -> None:
    """Ten minutes between planning and sending level 1: level 2 waits its five minutes from the sending on."""
    async with idle(database) as story:
        await _two_levels(story)
        done = await story.store.write(escalate, await _claim(story, "escalate"), LEASE, Quieting())
        (page,) = done.claimed
        story.clock.move_to(story.clock.now() + 600 * SECOND)
        again = await story.store.write(jobs.claim, 10, LEASE)
        (late,) = [job for job in again if job.kind == "escalate"]
        (page,) = [job for job in again if job.kind == "deliver"]
        await story.store.write(escalate, late, LEASE, Quieting())
        assert await _told(story) == ["Ana"]
        tried = await story.store.write(begin, page, DESK)
        assert tried is not None
        assert tried.message.late_s == 600
        await story.store.write(record, tried, Accepted())
        story.clock.move_to(story.clock.now() + 299 * SECOND)
        await story.store.write(escalate, await _claim(story, "escalate"), LEASE, Quieting())
        assert await _told(story) == ["Ana"]
        story.clock.move_to(story.clock.now() + SECOND)
        await story.store.write(escalate, await _claim(story, "escalate"), LEASE, Quieting())
        assert await _told(story) == ["Ana", "Ben"]


async def test_a_try_whose_worker_died_is_unknown_and_made_again_under_the_same_number(database: str) -> None:
    async with idle(database) as story:
        await _two_levels(story)
        (page,) = (await story.store.write(escalate, await _claim(story, "escalate"), LEASE, Quieting())).claimed
        first = await story.store.write(begin, page, DESK)
        story.clock.move_to(story.clock.now() + LEASE)
        (taken,) = [job for job in await story.store.write(jobs.claim, 10, LEASE) if job.kind == "deliver"]
        second = await story.store.write(begin, taken, DESK)
        assert first is not None
        assert second is not None
        assert (second.message.id, second.number) == (first.message.id, 2)
        outcomes = [row.outcome for row in await story.rows("SELECT outcome FROM attempts ORDER BY number")]
        assert outcomes == ["unknown", None]


async def test_a_try_whose_worker_died_has_an_end_though_nobody_needs_the_page_any_more(database: str) -> None:
    """Whether it was sent is not known, and that is what is written: not nothing."""
    async with idle(database) as story:
        await _two_levels(story)
        (page,) = (await story.store.write(escalate, await _claim(story, "escalate"), LEASE, Quieting())).claimed
        assert await story.store.write(begin, page, DESK)
        await story.store.write(respond.acknowledge, 1, "Ben")
        story.clock.move_to(story.clock.now() + LEASE)
        (taken,) = [job for job in await story.store.write(jobs.claim, 10, LEASE) if job.kind == "deliver"]
        assert await story.store.write(begin, taken, DESK) is None
        (row,) = await story.rows("SELECT outcome, finished_at FROM attempts")
        assert (row.outcome, row.finished_at) == ("unknown", story.clock.now())


async def test_a_snooze_whose_end_was_slept_over_pages_and_says_how_late(database: str) -> None:
    """Quiet for ten minutes; we stood still for an hour: the page was due when the snooze ended."""
    async with idle(database) as story:
        await _two_levels(story)
        await story.store.write(respond.snooze, 1, "Ben", 600)
        ended = story.clock.now() + 600 * SECOND
        story.clock.move_to(ended + 3_600 * SECOND)
        await story.store.write(respond.ack_expiry, await _claim(story, "ack_expiry"))
        await story.store.write(escalate, await _claim(story, "escalate"), LEASE, Quieting())
        assert [row.due_at for row in await story.rows("SELECT due_at FROM pages")] == [ended]


async def test_a_process_whose_worker_has_ended_is_not_alive(database: str) -> None:
    """Whoever watches it is told to restart it, and which loop is missing."""
    async with idle(database) as story:
        answer = await story.web.get("/livez")
        assert (answer.status_code, answer.json()) == (503, {"status": "not running: worker"})
