"""What queues up together is written together: how many transactions a storm takes, and how long a request waits for one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Protocol

import pytest

from app.cli.replaying.stage import Stage, stage
from app.dedup.arrival import Arrival, prepare
from app.dedup.committer import MOST_TURNS, Committer
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


async def test_who_has_waited_too_long_is_told_to_come_again_and_what_was_said_is_written(tmp_path: Path) -> None:
    async with _writing(tmp_path) as (says, written):
        with closing(sqlite3.connect(tmp_path / "replay.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match=r"not answered within 0\.05 s"):
                await says("held up", 0.05)
            other.execute("ROLLBACK")
        await says("after", 60)
    assert sum(written) == 2


class Says(Protocol):
    """Says an alert of a key; returns when it is committed."""

    async def __call__(self, key: str, within_s: float | None = None) -> None: ...


@asynccontextmanager
async def _writing(folder: Path) -> AsyncIterator[tuple[Says, list[int]]]:
    """Who says alerts, and how many each transaction held."""
    async with stage(folder, START, FirstPage()) as theatre:
        inlet, world, written = await _inlet(theatre), theatre.world, list[int]()

        def on_written(one: Written) -> None:
            written.append(one.changes["first"])

        async def says(key: str, within_s: float | None = None) -> None:
            await committer.commit(Arrival(inlet, prepare(inlet, [Event("firing", key, "Disk full")])), within_s)

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
