"""A process that dies in the middle of a storm of pages: what it was sending is sent again, and every try has an end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.incidents import ledger, respond
from app.notifiers.notifier import TryAgain
from app.paging.bundles import BundleTry, begin_bundle, record_bundle
from app.paging.deliver import Try, begin, record
from app.paging.joint import end_pages
from app.paging.retry import MAX_TRIES
from app.paging.storm import GATHERS, Allowance
from app.store import jobs
from app.store.database import Writing
from app.store.jobs import Job
from tests.harness.town import Town
from tests.stories.test_many_pages import DESK, LEASE, planned

ONE = replace(DESK, allowance=Allowance(1, 600))
"""One page by itself; what is more is gathered."""


async def _after(story: Town, kind: str, wait: int) -> Job:
    """The only job of a kind that is claimed when so long has passed."""
    story.clock.move_to(story.clock.now() + wait)
    (job,) = [job for job in await story.store.write(jobs.claim, 20, LEASE) if job.kind == kind]
    return job


async def _tries(story: Town) -> list[Any]:
    question = (
        "SELECT i.number, p.state, a.number, a.outcome FROM attempts a JOIN pages p ON p.id = a.page_id "
        "JOIN incidents i ON i.id = p.incident_id ORDER BY i.number, a.number"
    )
    return [tuple(row) for row in await story.rows(question)]


async def _taken_away(tx: Writing) -> None:
    """As when one of those who each must acknowledge has."""
    for row in (await tx.conn.exec_driver_sql("SELECT incident_id, person_id FROM pages")).all():
        incidents = await ledger.load(tx, [row.incident_id], lock=True)
        await end_pages(tx, incidents[row.incident_id], row.person_id, "Ana had it before this page was due")


async def test_a_page_whose_process_died_is_sent_again_at_once_and_is_not_gathered_with_the_rest(database: str) -> None:
    """Its person may have it or not: it is told again by itself, under its own number, before what is too much for them."""
    async with planned(database, 4) as (story, claimed):
        begun = [await story.store.write(begin, job, ONE) for job in claimed]
        (first,) = [one for one in begun if one is not None]
        again = await story.store.write(begin, await _after(story, "deliver", LEASE), ONE)
        assert again is not None
        assert (again.message.id, again.number) == (first.message.id, 2)
        assert await _tries(story) == [(1, "waiting", 1, "unknown"), (1, "waiting", 2, None)]


async def test_a_bundle_whose_process_died_leaves_no_try_without_an_end(database: str) -> None:
    """Two of its three pages are still needed and go out again together; the third is left out, and what became of its try is said."""
    async with planned(database, 4) as (story, claimed):
        for job in claimed:
            await story.store.write(begin, job, ONE)
        first = await story.store.write(begin_bundle, await _after(story, "bundle", GATHERS), ONE)
        await story.store.write(respond.acknowledge, 2, "Ben")
        again = await story.store.write(begin_bundle, await _after(story, "bundle", LEASE), ONE)
        assert isinstance(first, BundleTry)
        assert isinstance(again, BundleTry)
        assert (again.message.id, again.number) == (first.message.id, 2)
        assert (await _tries(story))[1:] == [
            (2, "not_needed", 1, "unknown"),
            *((number, "waiting", *one) for number in (3, 4) for one in ((1, "unknown"), (2, None))),
        ]
        # Somebody takes the rest while the message is on its way, and it does not get through: nothing follows.
        await story.store.write(_taken_away)
        await story.store.write(record_bundle, replace(again, number=MAX_TRIES), TryAgain("busy"))
        assert {state for _, state, *_ in (await _tries(story))[1:]} == {"not_needed"}
        assert await story.store.write(begin_bundle, await _after(story, "bundle", 3_600_000_000), ONE) is None


async def test_a_page_that_ended_while_it_was_on_its_way_stays_ended(database: str) -> None:
    """Of two that are taken away, one did not get through and the other died with its process: neither is sent again."""
    async with planned(database, 2) as (story, claimed):
        begun = [await story.store.write(begin, job, DESK) for job in claimed]
        await story.store.write(_taken_away)
        assert isinstance(begun[0], Try)
        await story.store.write(record, replace(begun[0], number=MAX_TRIES), TryAgain("busy"))
        assert await story.store.write(begin, await _after(story, "deliver", LEASE), DESK) is None
        assert await _tries(story) == [(1, "not_needed", 1, "try_again"), (2, "not_needed", 1, "unknown")]
        assert await story.rows("SELECT id FROM jobs WHERE kind = 'deliver'") == []
