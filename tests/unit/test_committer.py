"""What queues up together is written together: how many transactions a storm takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from app.cli.replaying.stage import Stage, stage
from app.dedup.arrival import Arrival, prepare
from app.dedup.committer import MOST_TURNS, Committer
from app.dedup.directory import Inlet
from app.dedup.work import Written
from app.incidents.service import FirstPage
from app.sources.event import Event
from app.sources.integration import Integration
from app.store import resources
from tests.harness.heard import START

SENDERS = 10
MESSAGES = 5


async def test_senders_that_answer_each_other_at_different_moments_share_a_transaction(tmp_path: Path) -> None:
    """Each sends its next message when its last is committed, each a turn of the event loop later than the one before it."""
    async with _writing(tmp_path) as (says, written):

        async def sender(number: int) -> None:
            for message in range(MESSAGES):
                for _ in range(number):
                    await asyncio.sleep(0)
                await says(f"{number}-{message}")

        await asyncio.gather(*(sender(number) for number in range(SENDERS)))
    assert sum(written) == SENDERS * MESSAGES
    assert len(written) == MESSAGES


async def test_a_storm_that_never_pauses_is_written_all_the_same(tmp_path: Path) -> None:
    """A message comes at every turn of the event loop; the first ones do not wait for the last."""
    async with _writing(tmp_path) as (says, written):
        await says("before")
        talking = []
        for number in range(8 * MOST_TURNS):
            talking.append(asyncio.create_task(says(f"{number}")))
            await asyncio.sleep(0)
        await asyncio.gather(*talking)
    assert sum(written) == 1 + 8 * MOST_TURNS
    assert written[1] < 2 * MOST_TURNS


@asynccontextmanager
async def _writing(folder: Path) -> AsyncIterator[tuple[Callable[[str], Awaitable[None]], list[int]]]:
    """Something that says an alert of a key and returns when it is committed, and how many each transaction held."""
    async with stage(folder, START, FirstPage()) as theatre:
        inlet, world, written = await _inlet(theatre), theatre.world, list[int]()

        def on_written(one: Written) -> None:
            written.append(one.changes["first"])

        async def says(key: str) -> None:
            await committer.commit(Arrival(inlet, prepare(inlet, [Event("firing", key, "Disk full")])))

        committer = Committer(world.store, world.directory, world.clock, on_written=on_written)
        running = asyncio.create_task(committer.run())
        yield says, written
        committer.close()
        await running


async def _inlet(theatre: Stage) -> Inlet:
    store = theatre.world.store
    (service,) = await store.read(resources.listed, "service")
    sender = Integration(name="sender", kind="generic", service_id=str(service.id))
    made = await store.write(resources.create, "integration", "sender", sender.model_dump(mode="json"), "test")
    return (await store.read(theatre.world.directory.refresh)).by_id[made.id]
