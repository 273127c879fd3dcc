"""Many pages at once are begun and recorded in a handful of statements, with the same result as one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, text

from app.clock import HOUR, SECOND
from app.incidents import respond
from app.notifiers.notifier import Accepted, Outcome, Refused
from app.notifiers.registry import build
from app.paging.bundles import begin_bundle
from app.paging.deliver import Desk, LinkMaker, Try, begin, record
from app.paging.deliveries import begin_all, record_all
from app.paging.doors import Doors
from app.paging.escalate import deliver_job, escalate
from app.paging.storm import Allowance
from app.paging.tables import attempts, pages
from app.paging.together import Alone
from app.routing.quieting import Quieting
from app.store import jobs
from app.store.database import Writing
from app.store.jobs import Job
from tests.harness.clock import StoryClock
from tests.harness.providers import Answering, provider
from tests.harness.town import Town
from tests.harness.town import begin as begin_town

LEASE = 30 * SECOND
DESK = Desk(LinkMaker("secret", "http://tocsin.test", 24), Doors(build(offered=())), Allowance(1_000, 600))


@asynccontextmanager
async def planned(database: str, many: int) -> AsyncIterator[tuple[Town, list[Job]]]:
    """`many` incidents, each with its one page planned, claimed and not begun; the worker does nothing."""
    async with provider(Answering(200, b"{}")) as fake:
        story = await begin_town(database, StoryClock(), fake)
        story.process.worker.stop()
        await story.process.supervisor.join("worker", 5)
        ana = await story.person("Ana")
        service = await story.service("s", await story.policy([[ana]], delay_s=3_600), grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        document = alerts._group("firing", [f"A{number}" for number in range(many)], "critical", {})
        assert (await story.web.post(alerts.path, json=document)).status_code == 202
        claimed: list[Job] = []
        for job in await story.store.write(jobs.claim, many, LEASE):
            claimed += (await story.store.write(escalate, job, LEASE, Quieting())).claimed
        try:
            yield story, claimed
        finally:
            await story.ends()


async def _begun(story: Town, claimed: Sequence[Job]) -> list[Try]:
    """Begins all, and those that can't be begun together by themselves."""
    answers = await story.store.write(begin_all, claimed, DESK)
    tried = []
    for job, answer in zip(claimed, answers, strict=True):
        one = await story.store.write(begin, job, DESK) if isinstance(answer, Alone) else answer
        if one is not None:
            tried.append(one)
    return tried


async def _states(story: Town) -> list[tuple[str, str, int]]:
    """State, outcome and number of tries of each page, in the order they were planned."""
    question = (
        "SELECT p.state, coalesce(p.outcome, '') AS outcome, count(a.id) AS tries FROM pages p "
        "LEFT JOIN attempts a ON a.page_id = p.id AND a.outcome IS NOT NULL GROUP BY p.id, p.state, p.outcome ORDER BY p.id"
    )
    return [tuple(row) for row in await story.rows(question)]


async def test_plain_pages_are_begun_and_recorded_together(database: str) -> None:
    async with planned(database, 10) as (story, claimed):
        answers = await story.store.write(begin_all, claimed, DESK)
        tried = [one for one in answers if isinstance(one, Try)]
        assert len(tried) == 10
        assert sorted(one.message.title for one in tried) == sorted(f"#{n + 1} A{n}" for n in range(10))
        done: list[tuple[Try, Outcome]] = [(one, Accepted(f"receipt {one.page_id}")) for one in tried]
        assert await story.store.write(record_all, done) == [None] * 10
        assert await _states(story) == [("sent", "accepted", 1)] * 10
        receipts = {row.receipt for row in await story.rows("SELECT receipt FROM attempts")}
        assert receipts == {f"receipt {one.page_id}" for one in tried}
        assert await story.rows("SELECT id FROM jobs WHERE kind = 'deliver'") == []


async def test_among_many_a_page_nobody_needs_or_whose_way_is_gone_is_not_begun(database: str) -> None:
    """The second incident is acknowledged, the third's contact method removed, the fourth taken over by another worker."""
    async with planned(database, 5) as (story, claimed):

        async def spoil(tx: Writing) -> None:
            await respond.acknowledge(tx, 2, "Ben")
            await tx.conn.execute(text("UPDATE pages SET method_id = 'gone' WHERE id = :id"), {"id": page_of(2)})
            await tx.conn.execute(text("UPDATE jobs SET fence = 2 WHERE id = :id"), {"id": claimed[3].id})

        def page_of(place: int) -> int:
            return int(claimed[place].payload["page"])

        await story.store.write(spoil)
        answers = await story.store.write(begin_all, claimed, DESK)
        assert [isinstance(answer, Try) for answer in answers] == [True, False, False, False, True]
        assert [isinstance(answer, Alone) for answer in answers] == [False, True, True, True, False]
        alone = [claimed[1], claimed[2]]
        assert [await story.store.write(begin, job, DESK) for job in alone] == [None, None]
        assert [state for state, _, _ in await _states(story)] == [
            "waiting",
            "not_needed",
            "failed",
            "waiting",
            "waiting",
        ]


async def test_among_many_what_is_followed_by_something_is_recorded_by_itself(database: str) -> None:
    """A refusal, and a page that another worker took over meanwhile, change nothing for their neighbours."""
    async with planned(database, 4) as (story, claimed):
        tried = await _begun(story, claimed)

        async def take_over(tx: Writing) -> None:
            await tx.conn.execute(text("UPDATE jobs SET fence = 2 WHERE id = :id"), {"id": tried[2].job.id})

        await story.store.write(take_over)
        outcomes: list[Outcome] = [Accepted(), Refused("no such number"), Accepted(), Accepted()]
        answers = await story.store.write(record_all, list(zip(tried, outcomes, strict=True)))
        assert [isinstance(answer, Alone) for answer in answers] == [False, True, True, False]
        await story.store.write(record, tried[1], outcomes[1])
        assert await _states(story) == [
            ("sent", "accepted", 1),
            ("failed", "refused", 1),
            ("waiting", "", 0),
            ("sent", "accepted", 1),
        ]


async def test_a_page_tried_before_is_begun_by_itself_and_counts_its_tries(database: str) -> None:
    async with planned(database, 3) as (story, claimed):
        await _begun(story, claimed)
        story.clock.move_to(story.clock.now() + LEASE)
        again = [job for job in await story.store.write(jobs.claim, 10, LEASE) if job.kind == "deliver"]
        assert all(isinstance(answer, Alone) for answer in await story.store.write(begin_all, again, DESK))
        assert [one.number for one in await _begun(story, again)] == [2, 2, 2]


@pytest.mark.parametrize(("began_h", "begun"), [(0, Alone), (1, Try)])
async def test_among_many_a_page_that_another_has_overtaken_is_not_begun(
    database: str, began_h: int, begun: type
) -> None:
    """Ana was told of the second incident after that page was due; or an hour ahead, before a clock was put back."""
    async with planned(database, 3) as (story, claimed):
        story.clock.move_to(story.clock.now() + 5 * SECOND)
        other = await story.store.write(_another, claimed[1], "sent")
        began = {"page_id": other, "number": 1, "started_at": story.clock.now() + began_h * HOUR, "outcome": "accepted"}
        await story.store.write(lambda tx: tx.conn.execute(insert(attempts).values(id=tx.new_id(), **began)))
        answers = await story.store.write(begin_all, claimed, DESK)
        assert [type(answer) for answer in answers] == [Try, begun, Try]
        if begun is Alone:
            assert await story.store.write(begin, claimed[1], DESK) is None
            (ended,) = await story.rows("SELECT detail FROM pages WHERE state = 'not_needed'")
            assert ended.detail == "page 2 had told the same by the same way before this one could be sent"


async def test_of_two_among_many_that_say_the_same_one_is_begun(database: str) -> None:
    async with planned(database, 2) as (story, claimed):
        other = await story.store.write(_another, claimed[0], "waiting")
        job = deliver_job(claimed[0].subject, other, story.clock.now())
        again = await story.store.write(jobs.add_claimed, [job], LEASE)
        answers = await story.store.write(begin_all, [*claimed, *again], DESK)
        assert [type(answer) for answer in answers] == [Try, Try, Alone]


async def test_a_bundle_leaves_what_is_being_told_at_that_moment_to_the_next_one(database: str) -> None:
    """Two pages are gathered; of the first incident another page is on its way, and nobody knows yet whether it arrives."""
    desk = replace(DESK, allowance=Allowance(1, 600))
    async with planned(database, 3) as (story, claimed):
        assert isinstance(await story.store.write(begin, claimed[0], desk), Try)
        for job in claimed[1:]:
            assert await story.store.write(begin, job, desk) is None
        other = await story.store.write(_another, claimed[1], "waiting")
        story.clock.move_to(story.clock.now() + 11 * SECOND)
        began = {"page_id": other, "number": 1, "started_at": story.clock.now()}
        await story.store.write(lambda tx: tx.conn.execute(insert(attempts).values(id=tx.new_id(), **began)))
        (job,) = [one for one in await story.store.write(jobs.claim, 10, LEASE) if one.kind == "bundle"]
        tried = await story.store.write(begin_bundle, job, desk)
        assert tried is not None
        assert list(tried.attempts) == [claimed[2].payload["page"]]
        left, sent = claimed[1].payload["page"], claimed[2].payload["page"]
        rows = await story.rows("SELECT id, state, bundle_id FROM pages WHERE bundle_id IS NOT NULL")
        of = {row.id: (row.state, row.bundle_id == job.subject) for row in rows}
        assert of == {left: ("waiting", False), sent: ("waiting", True)}


async def _another(tx: Writing, job: Job, state: str) -> int:
    """A second page that says the same."""
    (page,) = await tx.conn.execute(select(pages).where(pages.c.id == job.payload["page"]))
    other = {**page._mapping, "id": tx.new_id(), "number": 2, "state": state, "bundle_id": None}
    await tx.conn.execute(insert(pages).values(other))
    return int(other["id"])


async def test_what_comes_through_after_it_counted_as_failed_is_recorded_by_itself(database: str) -> None:
    """Because its policy may have to go on."""
    async with planned(database, 2) as (story, claimed):
        first, second = await _begun(story, claimed)
        done: list[tuple[Try, Outcome]] = [(replace(first, failed=True), Accepted()), (second, Accepted())]
        assert [type(one) for one in await story.store.write(record_all, done)] == [Alone, type(None)]
