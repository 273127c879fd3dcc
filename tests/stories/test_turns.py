"""In a storm everybody's first page has its turn: ahead by rank, by kept hands, and nothing waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from app.clock import SECOND
from app.ids import ProcessIds
from app.incidents import respond, turn
from app.metrics import Metrics
from app.paging.worker import Worker
from app.store import jobs
from app.store.database import Store
from app.store.jobs import Job, NewJob
from app.store.migrate import migrate
from app.store.opening import open_store
from tests.harness.clock import StoryClock
from tests.harness.town import Town, town
from tests.stories.test_queue import Rounds
from tests.stories.test_stall import idle

LEASE = 30 * SECOND


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = open_store(database, StoryClock(), ProcessIds(7), pool_size=4)
    await migrate(opened)
    yield opened
    await opened.close()


async def _ranks(store: Store, limit: int, order: jobs.Order = "rank") -> list[tuple[int, int]]:
    return [(job.rank, job.subject) for job in await store.write(jobs.claim, limit, LEASE, order)]


async def test_a_lower_rank_is_claimed_first_however_much_older_the_rest_is(store: Store) -> None:
    now = store.clock.now()
    storm = [NewJob("escalate", place, now - 9 * SECOND, rank=3) for place in range(500)]
    await store.write(
        jobs.add, [*storm, NewJob("escalate", 1_000, now, rank=1), NewJob("escalate", 1_001, now, rank=0)]
    )
    assert await _ranks(store, 3) == [(0, 1_001), (1, 1_000), (3, 0)]


async def test_what_is_not_due_is_not_claimed_whatever_its_rank(store: Store) -> None:
    now = store.clock.now()
    await store.write(jobs.add, [NewJob("a", 1, now + 1, rank=0), NewJob("b", 2, now, rank=5)])
    assert await _ranks(store, 9) == [(5, 2)]


async def test_claims_by_age_and_of_the_first_rank_only(store: Store) -> None:
    now = store.clock.now()
    await store.write(jobs.add, [NewJob("a", place, now - place, rank=place % 6) for place in range(1, 13)])
    assert await _ranks(store, 9, "first rank") == [(0, 12), (0, 6)]
    assert await _ranks(store, 3, "age") == [(5, 11), (4, 10), (3, 9)]
    assert await store.read(jobs.next_due) == now - 8
    await store.write(jobs.add, [NewJob("a", 99, now + 5, rank=0)])

    async def first_of_rank(view: object) -> int | None:
        return await jobs.next_due(view, first_rank=True)  # type: ignore[arg-type] # a Reading

    assert await store.read(first_of_rank) == now + 5


async def test_many_workers_that_claim_at_once_share_what_is_due(store: Store) -> None:
    """A claim locks no more than it takes: beside it others find theirs."""
    await store.write(jobs.add, [NewJob("a", place, 0, rank=place % 6) for place in range(240)])
    taken = await asyncio.gather(*(store.write(jobs.claim, 9, LEASE) for _ in range(24)))
    subjects = [job.subject for some in taken for job in some]
    assert len(subjects) == len(set(subjects)) == 24 * 9


async def test_slow_work_of_a_storm_leaves_hands_for_a_first_page(store: Store) -> None:
    """Eight hands; a hundred sends that hang. Six are taken by them, and a first page is begun at once."""
    clock, gate, begun = Rounds(), asyncio.Event(), []
    first = asyncio.Event()

    async def hang(job: Job) -> Sequence[Job]:
        begun.append(job.subject)
        await gate.wait()
        await store.write(jobs.finish, job)
        return ()

    async def page(job: Job) -> Sequence[Job]:
        await store.write(jobs.finish, job)
        first.set()
        return ()

    worker = Worker(store, clock, Metrics(), {"storm": hang, "page": page}, asyncio.Event(), hands=8, lease_s=30)
    store.on_due = worker.expect
    await store.write(jobs.add, [NewJob("storm", place, 0, rank=3) for place in range(100)])
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(20):
        await clock.after(2)
        assert len(begun) == 6
        await store.write(jobs.add, [NewJob("page", 1, 1, rank=0)])
        await first.wait()
    meanwhile = len(begun)
    gate.set()
    worker.stop()
    await running
    assert meanwhile == 6


async def test_the_tail_of_a_storm_is_not_starved_by_what_goes_first(store: Store) -> None:
    """More of rank 0 comes all the time than there are hands: the oldest of the last rank is done all the same."""
    done = asyncio.Event()
    first = iter(range(1_000_000))

    async def page(job: Job) -> Sequence[Job]:
        await store.write(jobs.finish, job)
        await store.write(jobs.add, [NewJob("page", next(first), 1, rank=0) for _ in range(2)])
        return ()

    async def old(job: Job) -> Sequence[Job]:
        await store.write(jobs.finish, job)
        done.set()
        return ()

    worker = Worker(store, Rounds(), Metrics(), {"page": page, "old": old}, asyncio.Event(), hands=4, lease_s=30)
    store.on_due = worker.expect
    await store.write(jobs.add, [NewJob("page", next(first), 1, rank=0) for _ in range(40)])
    await store.write(jobs.add, [NewJob("old", 1, 0, rank=5)])
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(20):
        await done.wait()
    worker.stop()
    await running


async def _queued(story: Town) -> list[tuple[str, int]]:
    """Kind and rank of what waits, in the order it was written."""
    return [
        (row.kind, row.rank)
        for row in await story.rows("SELECT kind, rank FROM jobs WHERE kind <> 'expire' ORDER BY id")
    ]


async def test_the_incidents_of_a_storm_line_up_behind_the_first_ones_of_everybody_else(database: str) -> None:
    """20 incidents of one service in one message, 5 more in another, and one of another service after them."""
    async with idle(database) as story:
        policy = await story.policy([[await story.person("Ana")]])
        service = await story.service("s", policy, grouping={"by": "alert"})
        storm = await story.integration("alertmanager", service)
        calm = await story.integration("alertmanager", await story.service("calm", policy))

        async def fires(sender: object, *names: str) -> None:
            document = sender._group("firing", names, "critical", {})  # type: ignore[attr-defined] # a Sender
            assert (await story.web.post(sender.path, json=document)).status_code == 202  # type: ignore[attr-defined]

        await fires(storm, *(f"A{number}" for number in range(20)))
        await fires(storm, *(f"B{number}" for number in range(5)))
        await fires(calm, "DiskFull")
        assert await _queued(story) == [("escalate", 0)] * 16 + [("escalate", 1)] * 9 + [("escalate", 0)]
        story.clock.move_to(story.clock.now() + turn.CROWDED_FOR + SECOND)
        await fires(storm, "Later")
        assert (await _queued(story))[-1] == ("escalate", 0)
        await story.store.write(respond.acknowledge, 1, "Ben")
        await story.store.write(respond.escalate, 1, "Ben", 0)
        assert (await _queued(story))[-1] == ("escalate", turn.NEXT)


async def test_the_next_level_and_the_later_ways_of_a_storm_keep_their_place(database: str) -> None:
    """What follows a crowded incident's first page is ranked by what it is and by the crowd."""
    async with town(database) as story:
        ana = await story.person("Ana", rules=[{"contact_method": "ana", "delay_s": delay} for delay in (0, 60)])
        policy = await story.policy([[ana], [ana]], delay_s=300, repeat=1)
        service = await story.service("s", policy, grouping={"by": "alert"})
        storm = await story.integration("alertmanager", service)
        await storm.fires(*(f"A{number}" for number in range(17)))
        # A page that finds all of its provider's lines taken comes a moment later.
        await story.passes(1)
        await ana.is_paged(times=17)
        waiting = await story.rows(
            "SELECT kind, rank, count(*) AS n FROM jobs WHERE kind <> 'expire' GROUP BY kind, rank"
        )
        assert sorted(tuple(row) for row in waiting) == [
            ("deliver", 0, 16),
            ("deliver", 1, 1),
            ("escalate", 1, 16),
            ("escalate", 2, 1),
        ]
        for number in range(1, 18):
            await story.store.write(respond.acknowledge, number, "Ben")
        await story.passes(hours=1)
