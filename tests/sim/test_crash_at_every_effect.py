"""The process dies before and after each effect in turn, and nothing is lost.

Effects are each commit and each send; a page comes twice only where its outcome was unknown.
Effects are counted at the two seams the program has, its database and its notifiers. One telling counts them; then the
story is told once for each number: the process dies there, a new one starts on the same database, and the story ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.incidents import respond
from app.notifiers.notifier import Message, Outcome
from app.store.database import Database, Work
from tests.harness.clock import StoryClock
from tests.harness.providers import Answering, FakeProvider, provider
from tests.harness.town import Sender, Town, begin

EVERYTHING = 10_000
SHARES = 4
"""The deaths are shared among so many tests, so that they run beside each other."""


class Died(BaseException):
    """The process is gone: nothing in it may catch this and go on."""


@dataclass
class Life:
    """Counts effects and ends at number `until`."""

    until: int = EVERYTHING
    count: int = 0
    counting: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def effect(self) -> None:
        """One instant at which a process may die. Once dead, nothing has an effect any more."""
        if self.ended.is_set():
            raise Died
        if self.counting:
            if self.count == self.until:
                self.ended.set()
                raise Died
            self.count += 1


@dataclass
class MortalDatabase:
    """The database of a process that may die before or after any commit."""

    inner: Database
    life: Life

    @property
    def kind(self) -> str:
        return self.inner.kind

    async def write(self, work: Work[Any]) -> Any:
        self.life.effect()
        answer = await self.inner.write(work)
        self.life.effect()
        return answer

    async def read(self, work: Work[Any]) -> Any:
        if self.life.ended.is_set():
            raise Died
        return await self.inner.read(work)

    async def close(self) -> None:
        await self.inner.close()


@dataclass
class MortalNotifier:
    """A notifier of a process that may die before or after any send."""

    inner: Any
    life: Life

    async def send(self, address: Any, message: Message, outbound: Any) -> Outcome:
        self.life.effect()
        outcome: Outcome = await self.inner.send(address, message, outbound)
        self.life.effect()
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@asynccontextmanager
async def alive(url: str, clock: StoryClock, fake: FakeProvider, life: Life, seed: int) -> AsyncIterator[Town]:
    """One process, which ends without any courtesy."""
    story = await begin(url, clock, fake, seed=seed, around=lambda database: MortalDatabase(database, life))
    notifiers = {kind: MortalNotifier(one, life) for kind, one in story.world.notifiers.items()}
    story.world.notifiers = notifiers
    story.process.worker._handlers = story.process._handlers()
    try:
        yield story
    finally:
        life.ended.set()
        for name in ("committer", "worker", "lag", "backlog"):
            await story.process.supervisor.cancel(name)
        await asyncio.gather(*story.process.worker._running, return_exceptions=True)
        await story.web.aclose()
        await story.world.outbound.aclose()
        await story.world.store.close()


async def tell(story: Town, alerts: Sender) -> None:
    """Ana is paged; five minutes; Ben is paged and acknowledges; nothing more, and the alert resolves."""
    await alerts.fires("DiskFull", "DiskSlow")
    await story.passes(minutes=7)
    if (await story.incident()).state == "triggered":
        await story.store.write(respond.acknowledge, 1, "Ben")
    await story.passes(hours=2)
    await alerts.resolves("DiskFull", "DiskSlow")
    await story.settled()


async def told_with_a_death(url: str, at: int) -> int:
    """The story, with a death at effect number `at`; answers how many effects the first life had."""
    clock = StoryClock()
    async with provider(Answering(200, b"{}")) as fake:
        life = Life(until=at)
        async with alive(url, clock, fake, life, 1) as story:
            ana, ben = await story.person("Ana"), await story.person("Ben")
            service = await story.service("s", await story.policy([[ana], [ben]], delay_s=300, repeat=0))
            alerts = await story.integration("alertmanager", service)
            await story.settled()
            life.counting = True
            telling = asyncio.create_task(tell(story, alerts))
            death = asyncio.create_task(life.ended.wait())
            await asyncio.wait({telling, death}, return_when=asyncio.FIRST_COMPLETED)
            for task in (telling, death):
                task.cancel()
            await asyncio.gather(telling, death, return_exceptions=True)
        async with alive(url, clock, fake, Life(), 2) as story:
            if at != EVERYTHING:
                # The sender had no answer, or sends again anyway: the same message, then the rest of the story.
                await tell(story, Sender(story, alerts.id, alerts.kind, alerts.key, alerts.starts))
            await check(story, fake)
    return life.count


async def check(story: Town, fake: FakeProvider) -> None:
    """What must hold however the process died."""
    incidents = await story.incidents()
    assert [incident.state for incident in incidents] == ["resolved"]
    assert [row.title for row in await story.rows("SELECT title FROM alerts ORDER BY id")] == ["DiskFull", "DiskSlow"]
    times = Counter(seen.json["id"] for seen in fake.seen)
    unknown = Counter(
        f"tocsin-{row.page_id}" for row in await story.rows("SELECT page_id FROM attempts WHERE outcome = 'unknown'")
    )
    told = {seen.path for seen in fake.seen}
    assert "/ana" in told
    acknowledged_first = await story.rows("SELECT 1 FROM timeline WHERE kind = 'level_told' AND reason LIKE 'level 2%'")
    assert ("/ben" in told) == bool(acknowledged_first)
    for page, many in times.items():
        assert many <= 1 + unknown[page], f"{page} came {many} times with {unknown[page]} unknown outcomes"
    numbers = [row.number for row in await story.rows("SELECT number FROM pages ORDER BY number")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await story.rows("SELECT kind FROM jobs") == []


async def _every_death(folder: Path, share: int) -> None:
    effects = await told_with_a_death(f"sqlite:///{folder}/count.db", EVERYTHING)
    assert effects > 30, "the seams are not where the effects are"
    for at in range(share, effects, SHARES):
        await told_with_a_death(f"sqlite:///{folder}/death-{at}.db", at)


@pytest.mark.parametrize("share", range(SHARES))
async def test_a_death_at_any_effect_loses_nothing(tmp_path: Path, share: int) -> None:
    await _every_death(tmp_path, share)
