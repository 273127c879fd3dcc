"""Replicas wake each other over PostgreSQL. Time stands still in these stories: what happens, happens by the hint alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from app.clock import SECOND, SystemClock
from app.ids import ProcessIds
from app.incidents import respond
from app.store.hints import CHANNEL, direct_url
from app.store.opening import open_store
from app.store.resources import config_version
from tests.conftest import TEMPLATE
from tests.harness.clock import StoryClock
from tests.harness.postgres import Cluster
from tests.harness.providers import Answering, FakeProvider, provider
from tests.harness.town import Resident, Sender, Town, begin

WITHIN_S = 20


@pytest.fixture
def shared(postgres: Cluster) -> Iterator[str]:
    url = postgres.fresh(TEMPLATE)
    yield url
    postgres.drop(url)


@asynccontextmanager
async def replica(url: str, clock: StoryClock, fake: FakeProvider, seed: int, **settings: Any) -> AsyncIterator[Town]:
    story = await begin(url, clock, fake, seed=seed, **settings)
    try:
        yield story
    finally:
        await story.ends()


async def _until(true: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not true():
            await asyncio.sleep(0.005)


async def _idle(story: Town) -> None:
    """This one takes alerts and never looks for work: what is paged, the other has paged."""
    story.process.worker.stop()
    await story.process.supervisor.join("worker", 5)
    hints = story.process.hints
    await _until(lambda: hints is None or hints.connected)


async def _asleep(story: Town) -> None:
    """Connected, woken by that, and nothing found: from here on only a hint or the clock wakes it."""
    hints = story.process.hints
    assert hints is not None
    await _until(lambda: hints.connected and not story.process.worker.busy and not story.world.wake.is_set())


async def _one_service(story: Town, **policy: Any) -> tuple[Resident, Sender]:
    ana = await story.person("Ana")
    service = await story.service("s", await story.policy([[ana]], **policy), grouping={"by": "alert"})
    return ana, await story.integration("alertmanager", service)


async def _fires(story: Town, alerts: Sender, name: str) -> None:
    document = alerts._group("firing", [name], "critical", {})
    assert (await story.web.post(alerts.path, json=document)).status_code == 202


async def test_an_incident_that_one_replica_opens_another_pages_for_at_once(shared: str) -> None:
    async with provider(Answering(200, b"{}")) as fake:
        clock = StoryClock()
        async with replica(shared, clock, fake, 1) as one, replica(shared, clock, fake, 2) as other:
            ana, alerts = await _one_service(one)
            await _idle(one)
            await _asleep(other)
            for number in range(3):
                await _fires(one, alerts, f"A{number}")
                await _until(lambda wanted=number + 1: len(ana.phone.inbox()) == wanted)


async def test_what_a_person_does_on_one_replica_wakes_the_other_too(shared: str) -> None:
    """Escalate now: whoever is next is paged at once."""
    async with provider(Answering(200, b"{}")) as fake:
        clock = StoryClock()
        async with replica(shared, clock, fake, 1) as one, replica(shared, clock, fake, 2) as other:
            ana, alerts = await _one_service(one)
            await _idle(one)
            await _asleep(other)
            await _fires(one, alerts, "DiskFull")
            await _until(lambda: len(ana.phone.inbox()) == 1)
            await one.store.write(respond.escalate, 1, "Ben", 0)
            await _until(lambda: len(ana.phone.inbox()) == 2)


async def test_without_any_hint_a_page_is_sent_at_the_next_look(shared: str) -> None:
    """Nothing depends on hints: the other replica hears nothing, and pages within its poll of a second."""
    async with provider(Answering(200, b"{}")) as fake:
        clock = StoryClock()
        off = {"hints_url": "off"}
        async with replica(shared, clock, fake, 1, **off) as one, replica(shared, clock, fake, 2, **off) as other:
            assert other.process.hints is None
            ana, alerts = await _one_service(one)
            await _idle(one)
            await _fires(one, alerts, "DiskFull")
            await _until(lambda: not other.process.worker.busy)
            assert ana.phone.inbox() == []
            clock.move_to(clock.now() + SECOND)
            await _until(lambda: len(ana.phone.inbox()) == 1)


async def test_a_hint_that_was_missed_while_the_connection_was_down_is_looked_for_when_it_is_back(shared: str) -> None:
    async with provider(Answering(200, b"{}")) as fake:
        clock = StoryClock()
        async with (
            replica(shared, clock, fake, 1, hints_url="off") as silent,
            replica(shared, clock, fake, 2) as other,
        ):
            ana, alerts = await _one_service(silent)
            await _idle(silent)
            await _asleep(other)
            await _fires(silent, alerts, "DiskFull")
            assert ana.phone.inbox() == []
            keeper = await asyncpg.connect(direct_url(shared))
            ended = await keeper.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%' || $1 || '%' "
                "AND pid <> pg_backend_pid() AND datname = current_database()",
                CHANNEL,
            )
            await keeper.close()
            assert ended == 1
            await _until(lambda: len(ana.phone.inbox()) == 1)


async def test_many_that_fall_due_together_are_announced_once(shared: str) -> None:
    async with provider(Answering(200, b"{}")) as fake, replica(shared, StoryClock(), fake, 1) as story:
        await _asleep(story)
        hints = story.process.hints
        assert hints is not None
        heard: list[str] = []
        ear = await asyncpg.connect(direct_url(shared))
        await ear.add_listener(CHANNEL, lambda *said: heard.append(said[2]))
        for _ in range(500):
            hints.announce()
        await _until(lambda: heard)
        await ear.execute("SELECT 1")
        assert len(heard) <= 2
        await ear.close()


@pytest.mark.parametrize("asks", ["ssl=prefer", "sslmode=prefer"])
async def test_an_address_may_ask_for_tls_in_either_spelling(shared, asks):
    """SQLAlchemy calls it ssl, everything else sslmode; the store and the hints go to the same server."""
    url = f"{shared}{'&' if '?' in shared else '?'}{asks}"
    ear = await asyncpg.connect(direct_url(url))
    await ear.close()
    store = open_store(url, SystemClock(), ProcessIds())
    assert await store.read(config_version) == ""
    await store.close()
