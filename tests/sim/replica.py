"""One place where a process of Tocsin runs: started, killed, stopped, drained and started again.

What runs in it is the real thing: the world of app.wiring with all its loops but those that only measure.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from app.api.ingest import Ingest
from app.clock import SECOND
from app.ids import ProcessIds
from app.notifiers.outbound import Outbound, OutboundSettings
from app.settings import Settings
from app.sources import registry as sources
from app.store.database import Store
from app.wiring import Process, open_world
from app.world import World
from tests.harness.reach import no_trust
from tests.sim.loop import LIFE, Life, VirtualLoop
from tests.sim.machine import Disk, SimClock, SimDatabase, Trouble, Watch
from tests.sim.providers import Providers

T = TypeVar("T")

MEASURING = ("lag", "backlog")
"""Loops of a process that only set gauges, twice a second: nothing hangs on them, and a day of them takes minutes."""
WATCH_EVERY_S = 20_300.0
SETTINGS = {"public_url": "http://tocsin.test", "secret_key": "simulated", "database_url": "sqlite:///none"}


@cache
def settings() -> Settings:
    """The same for every process."""
    return Settings(**SETTINGS)  # type: ignore[arg-type]


@cache
def _dialects() -> Any:
    return sources.installed(())


class Gone(Exception):
    """The process died, or was not there: nobody knows what became of the request."""


@dataclass(eq=False)
class Ground:
    """What all processes of a run stand on."""

    seed: int
    loop: VirtualLoop
    watch: Watch
    disk: Disk
    trouble: Trouble
    providers: Providers
    committed: Callable[[Life | None], None]
    say: Callable[[str], None]
    watching: bool
    """Whether processes audit themselves and send synthetic pages."""
    wrong_for: Callable[[float], None]
    """Told for how many seconds nobody promises promptness."""

    @property
    def secret(self) -> str:
        """What signs links."""
        return settings().secret_key.get_secret_value()


@dataclass(eq=False)
class Running(Life):
    """A process, from its start to its end."""

    clock: SimClock | None = None
    world: World | None = None
    process: Process | None = None
    ingest: Ingest | None = None
    listens: bool = False
    replies: dict[asyncio.Future[Any], None] = field(default_factory=dict)


@dataclass(eq=False)
class Replica:
    """A place for one process at a time."""

    ground: Ground
    number: int
    starts: int = 0
    life: Running | None = None
    restart_s: float = 1.0
    past: list[Running] = field(default_factory=list)

    @property
    def up(self) -> bool:
        """Whether connections are taken; a stopped process takes them too, and says nothing."""
        return self.life is not None and self.life.listens

    def start(self) -> None:
        """A new process on the same database."""
        ground = self.ground
        self.starts += 1
        name = f"replica {self.number}.{self.starts}"
        seed = random.Random(f"{ground.seed}/{name}")
        life = Running(name)
        # Clocks of two machines are never quite the same.
        skew = int(seed.uniform(-0.05, 0.05) * SECOND) if self.number else 0
        life.clock = SimClock(ground.watch, skew, ground.disk)
        self.life = life
        database = SimDatabase(ground.disk, ground.trouble, ground.loop, seed, life.effect, ground.committed)
        ids = ProcessIds(seed.randrange(1 << 32))
        self._spawn(life, self._boot(life, Store(database, life.clock, ids), ids))
        ground.say(f"{name} starts")

    async def _boot(self, life: Running, store: Store, ids: ProcessIds) -> None:
        ground = self.ground
        assert life.clock is not None
        outbound = Outbound(OutboundSettings(timeout_s=settings().send_timeout_s), now=life.clock.now, trust=no_trust)
        world = await open_world(
            settings(),
            life.clock,
            ids,
            store=store,
            senders=_dialects(),
            ways=ground.providers.ways(),
            outbound=outbound,
        )
        life.world, life.process = world, Process(world)
        life.process.start(watching=False)
        for name in MEASURING:
            await life.process.supervisor.cancel(name)
        life.ingest, life.listens = Ingest(world), True
        if ground.watching:
            self._spawn(life, self._watches(life, life.process))

    async def _watches(self, life: Running, process: Process) -> None:
        """What the loops of app/watch/watchers.py do each half minute is done seldom here: a day of it would take minutes."""
        while life.listens:
            await process.watchers.listen()
            await process.watchers.audit()
            await process.watchers.page()
            await asyncio.sleep(WATCH_EVERY_S)

    def _spawn(self, life: Running, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        context = Context()
        context.run(LIFE.set, life)
        return self.ground.loop.create_task(coroutine, context=context)

    async def ask(self, request: Callable[[Running], Coroutine[Any, Any, T]], timeout_s: float = 10.0) -> T:
        """Runs a request in the process as its server would. Raises Gone, TimeoutError, or what the request raised."""
        life = self.life
        if life is None or not self.up:
            raise Gone("connection refused")
        reply: asyncio.Future[T] = self.ground.loop.create_future()
        life.replies[reply] = None

        def done(task: asyncio.Task[T]) -> None:
            life.replies.pop(reply, None)
            if reply.done():
                task.cancelled() or task.exception()
            elif task.cancelled():
                reply.set_exception(Gone("cancelled"))
            elif (error := task.exception()) is not None:
                reply.set_exception(error)
            else:
                reply.set_result(task.result())

        self._spawn(life, request(life)).add_done_callback(done, context=Context())
        async with asyncio.timeout(timeout_s):
            return await reply

    def arm(self, effects: int, burnt: Callable[[], None]) -> None:
        """After so many effects more of the process that runs now, `burnt` is called in the middle of it."""
        if self.life is not None:
            self.life.fuse, self.life.burnt = effects, burnt

    def stop(self, for_s: float) -> None:
        """As SIGSTOP, and SIGCONT after a while."""
        life, loop = self.life, self.ground.loop
        if life is None or life.stopped:
            return
        loop.stop_life(life)
        self.ground.say(f"{life.name} is stopped for {for_s:.1f} s")
        self.ground.wrong_for(for_s)

        def goes_on() -> None:
            if not life.dead:
                loop.continue_life(life)
                self.ground.say(f"{life.name} goes on")

        loop.call_later(for_s, goes_on, context=Context())

    def die(self) -> None:
        """As kill -9; another starts after a while."""
        life = self.life
        assert life is not None
        life.dead = True
        self.life = None
        self.past.append(life)
        loop = self.ground.loop
        loop.idle[:] = [idle for idle in loop.idle if idle.life is not life]
        for reply in tuple(life.replies):
            if not reply.done():
                reply.set_exception(Gone("the process died"))
        self.ground.say(f"{life.name} is dead; another in {self.restart_s:.1f} s")
        self.ground.wrong_for(self.restart_s + 60)
        loop.call_later(self.restart_s, self.start, context=Context())

    async def drain(self, pause_s: float) -> None:
        """As SIGTERM in a deployment: it ends in good order, and another starts."""
        life = self.life
        if life is None or not self.up or life.stopped:
            return
        self.ground.say(f"{life.name} drains")
        assert life.process is not None
        life.listens = False
        self.restart_s = pause_s
        task = self._spawn(life, life.process.stop())
        ended: asyncio.Future[None] = self.ground.loop.create_future()
        task.add_done_callback(lambda _: ended.done() or ended.set_result(None), context=Context())
        await ended
        if not life.dead:
            self.die()
