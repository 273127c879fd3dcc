"""What queues up together is written together: how many transactions a storm takes, and how long a request waits for one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli.replaying.stage import Stage, stage
from app.dedup.arrival import Arrival, prepare
from app.dedup.committer import GROUP_EVENTS, MOST_TURNS, STILL_TURNS, Committer
from app.dedup.directory import Inlet
from app.dedup.work import Written
from app.incidents.service import FirstPage
from app.sources.event import Event
from app.sources.integration import Integration
from app.store import resources
from app.store.errors import Unavailable
from tests.harness.heard import START

SENDERS = 10
MESSAGES = 5
REST = 20
"""Turns of the event loop after which a committer that has answered rests."""


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
        talking = []
        for number in range(8 * MOST_TURNS):
            talking.append(asyncio.create_task(says(f"{number}")))
            await asyncio.sleep(0)
        await asyncio.gather(*talking)
    assert sum(written) == 8 * MOST_TURNS
    assert written[0] < 2 * MOST_TURNS


async def test_who_has_waited_too_long_is_told_to_come_again_and_what_was_said_is_written(tmp_path: Path) -> None:
    async with _writing(tmp_path) as (says, written):
        with closing(sqlite3.connect(tmp_path / "replay.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match=r"not answered within 0\.05 s"):
                await says("held up", 0.05)
            other.execute("ROLLBACK")
        await says("after", 60)
    assert sum(written) == 2


async def test_one_alone_is_taken_at_once_and_so_is_a_full_transaction(tmp_path: Path) -> None:
    """Two are heard out: as many turns of the event loop longer as it takes to know that nobody else talks."""
    async with _writing(tmp_path) as (says, written):
        alone = await _turns_until_taken(says, {"alone": 1})
        assert await _turns_until_taken(says, {"one": 1, "two": 1}) == alone + STILL_TURNS
        assert await _turns_until_taken(says, {"full": GROUP_EVENTS, "beside": 1}) == alone
    assert sum(written) == 4 + GROUP_EVENTS


async def _turns_until_taken(says: Sender, messages: Mapping[str, int]) -> int:
    """Of the event loop, after messages with so many alerts came to a committer that rests."""
    for _ in range(REST):
        await asyncio.sleep(0)
    talking = [asyncio.create_task(says(key, many=many)) for key, many in messages.items()]
    await asyncio.sleep(0)
    turns = 0
    while says.committer.waiting == len(messages):
        turns += 1
        await asyncio.sleep(0)
    await asyncio.gather(*talking)
    return turns


@dataclass(frozen=True)
class Sender:
    """Says alerts of a key in one message; returns when they are committed."""

    committer: Committer
    inlet: Inlet

    async def __call__(self, key: str, within_s: float | None = None, *, many: int = 1) -> None:
        events = [Event("firing", f"{key} {number}", "Disk full") for number in range(many)]
        await self.committer.commit(Arrival(self.inlet, prepare(self.inlet, events)), within_s)


@asynccontextmanager
async def _writing(folder: Path) -> AsyncIterator[tuple[Sender, list[int]]]:
    """Who says alerts, and how many each transaction held."""
    async with stage(folder, START, FirstPage()) as theatre:
        inlet, world, written = await _inlet(theatre), theatre.world, list[int]()

        def on_written(one: Written) -> None:
            written.append(one.changes["first"])

        committer = Committer(world.store, world.directory, world.clock, on_written=on_written)
        running = asyncio.create_task(committer.run())
        says = Sender(committer, inlet)
        await says("before")
        written.clear()
        yield says, written
        committer.close()
        await running


async def _inlet(theatre: Stage) -> Inlet:
    store = theatre.world.store
    (service,) = await store.read(resources.listed, "service")
    sender = Integration(name="sender", kind="generic", service_id=str(service.id))
    made = await store.write(resources.create, "integration", "sender", sender.model_dump(mode="json"), "test")
    return (await store.read(theatre.world.directory.refresh)).by_id[made.id]
