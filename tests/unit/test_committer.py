"""What queues up together is written together: how many transactions a storm takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.cli.replaying.stage import Stage, stage
from app.dedup.arrival import Arrival, prepare
from app.dedup.committer import Committer
from app.dedup.directory import Inlet
from app.dedup.work import Written
from app.incidents.service import FirstPage
from app.sources.event import Event
from app.sources.integration import Integration
from app.store import resources
from tests.harness.heard import START

SENDERS = 12
MESSAGES = 5


async def test_senders_that_answer_each_other_at_different_moments_share_a_transaction(tmp_path: Path) -> None:
    """Each sends its next message when its last is committed, each a turn of the event loop later than the one before it."""
    async with stage(tmp_path, START, FirstPage()) as theatre:
        inlet, written = await _inlet(theatre), list[Written]()
        world = theatre.world
        committer = Committer(world.store, world.directory, world.clock, on_written=written.append)
        running = asyncio.create_task(committer.run())

        async def sender(number: int) -> None:
            for message in range(MESSAGES):
                for _ in range(number):
                    await asyncio.sleep(0)
                event = Event("firing", f"{number}-{message}", "Disk full")
                await committer.commit(Arrival(inlet, prepare(inlet, [event])))

        await asyncio.gather(*(sender(number) for number in range(SENDERS)))
        committer.close()
        await running
    assert sum(one.changes["first"] for one in written) == SENDERS * MESSAGES
    assert len(written) == MESSAGES


async def _inlet(theatre: Stage) -> Inlet:
    store = theatre.world.store
    (service,) = await store.read(resources.listed, "service")
    sender = Integration(name="sender", kind="generic", service_id=str(service.id))
    made = await store.write(resources.create, "integration", "sender", sender.model_dump(mode="json"), "test")
    return (await store.read(theatre.world.directory.refresh)).by_id[made.id]
