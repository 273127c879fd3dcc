"""The machine under the processes: its clock, its one database in memory, and what goes wrong with them.

PostgreSQL is not simulated: it is a process of its own that nobody can run on a virtual clock. What only it can do
(snapshots that overlap, lock waits, a server that restarts) is tested on the real one in tests/stories.
Here a transaction takes place at one instant, between two pauses in which everybody else gets on; what may go wrong is
the connection before it, any statement of it, its commit, and the answer to its commit.
"""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Executable, StaticPool, create_engine
from sqlalchemy.exc import OperationalError

from app.clock import SECOND, Micros
from app.store.database import T, Work
from app.store.sqlite import _AtOnce, _run
from tests.sim.loop import LIFE, Idle, Life, VirtualLoop

START: Micros = 1_767_571_200 * SECOND
"""2026-01-05T00:00:00Z, a Monday."""
POLL_S = 1.0
"""Waits of a worker this long or longer are polls of one that has nothing to do."""
HANG_S = 15.0
"""How long a database that does not answer keeps its caller waiting: app.store.database.COMMAND_TIMEOUT_S."""


@dataclass(eq=False)
class Watch:
    """The wall clock of the machine: the loop's time, and how far somebody has set it forward or back."""

    loop: VirtualLoop
    offset: Micros = 0

    def now(self) -> Micros:
        return START + self.offset + round(self.loop.time() * SECOND)


@dataclass(eq=False)
class SimClock:
    """Implements app.clock.Clock for one process, whose clock may differ a little from the machine's."""

    watch: Watch
    skew: Micros
    disk: Disk

    def due(self) -> float:
        """The loop's time at which a job can be taken, as this clock tells it; infinite when none waits."""
        at = self.disk.next_due()
        return math.inf if at is None else (at - START - self.watch.offset - self.skew) / SECOND

    def now(self) -> Micros:
        return self.watch.now() + self.skew

    def monotonic(self) -> float:
        return self.watch.loop.time()

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        task = asyncio.current_task()
        name = task.get_name() if task else ""
        polls = name == "worker" and timeout_s >= POLL_S
        rests = name == "committer" and timeout_s >= 60
        with suppress(TimeoutError):
            async with asyncio.timeout(None if polls or rests else timeout_s) as scope:
                if not polls:
                    await wake.wait()
                    return
                loop = self.watch.loop
                idle = Idle(scope, LIFE.get(), loop.time(), timeout_s, self.due)
                loop.idle.append(idle)
                try:
                    await wake.wait()
                finally:
                    if idle in loop.idle:
                        loop.idle.remove(idle)


@dataclass
class Trouble:
    """What is wrong with the database. The faults of a run set it; the database looks here."""

    chance: random.Random
    until: float = 0.0
    """Down until then: nothing can be asked."""
    hangs: bool = False
    flaky_until: float = 0.0
    flaky: float = 0.0
    """How likely a transaction fails until then."""
    armed: list[list[Any]] = field(default_factory=list)
    """[kind, how many more statements (or commits) pass before it strikes]"""
    struck: int = 0

    def statement(self) -> None:
        """One statement is about to run."""
        for arm in self.armed:
            if arm[0] in ("statement", "locked"):
                arm[1] -= 1
                if arm[1] < 0:
                    self.armed.remove(arm)
                    self.struck += 1
                    raise fault("database is locked" if arm[0] == "locked" else "disk I/O error")

    def commit(self) -> str:
        """One commit is about to happen: "" for well, "refused" or "answer lost"."""
        for arm in self.armed:
            if arm[0] in ("refused", "answer lost"):
                arm[1] -= 1
                if arm[1] < 0:
                    self.armed.remove(arm)
                    self.struck += 1
                    return str(arm[0])
        return ""

    def flake(self, now: float) -> str:
        """What happens to a transaction in bad weather: "" or a kind."""
        if now >= self.flaky_until or self.chance.random() >= self.flaky:
            return ""
        self.struck += 1
        return self.chance.choice(("connect", "statement", "locked", "refused", "answer lost"))


def fault(words: str) -> OperationalError:
    """What the driver raises."""
    return OperationalError("a statement", None, sqlite3.OperationalError(words))


class _Conn(_AtOnce):
    """A transaction of which any statement may fail."""

    def __init__(self, connection: Connection, trouble: Trouble, fails_at: int) -> None:
        super().__init__(connection)
        self._trouble = trouble
        self._left = fails_at

    def _statement(self) -> None:
        if self._trouble.armed:
            self._trouble.statement()
        if self._left >= 0:
            self._left -= 1
            if self._left < 0:
                raise fault("disk I/O error")

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]:
        self._statement()
        return await super().execute(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]:
        self._statement()
        return await super().exec_driver_sql(statement, parameters)


_TEMPLATE: list[sqlite3.Connection] = []
_MOUNTED: list[sqlite3.Connection] = []


def remember_template(connection: sqlite3.Connection) -> None:
    """Keeps a migrated, empty database, so that a run begins with a copy."""
    _TEMPLATE[:] = [connection]


class Disk:
    """The database that all processes of a run share; it outlives each of them."""

    def __init__(self) -> None:
        self.raw = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None, cached_statements=512)
        if _TEMPLATE:
            _TEMPLATE[0].backup(self.raw)
        self.raw.execute("PRAGMA foreign_keys = ON")
        self.raw.execute("PRAGMA temp_store = MEMORY")
        _MOUNTED[:] = [self.raw]
        self._connection = _engine().connect()
        self._next_due: list[Micros | None] = []

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection with a transaction begun; rolled back unless somebody called `commit`."""
        self.raw.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        finally:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")

    def commit(self) -> None:
        """Commits the transaction that runs."""
        self.raw.execute("COMMIT")
        self._next_due.clear()

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Looks at what is committed, past every fault: for oracles only."""
        return self.raw.execute(sql, values).fetchall()

    def next_due(self) -> Micros | None:
        """When the first job can be taken: it is due, and nobody holds it any more. Remembered until the next commit."""
        if not self._next_due:
            self._next_due.append(self.rows("SELECT min(max(due_at, lease_until)) FROM jobs")[0][0])
        return self._next_due[0]

    def close(self) -> None:
        """Lets go of the memory."""
        self.let_go()
        self.raw.close()

    def let_go(self) -> None:
        """Takes the engine off the database, which stays."""
        self._connection.close()
        _engine().dispose(close=False)


@cache
def _engine() -> Engine:
    """One for all runs of this Python, because it remembers every statement it has compiled; a disk puts itself under it.

    It opens no transactions: a disk does, with less ado.
    """
    return create_engine(
        "sqlite://",
        creator=lambda: _MOUNTED[0],
        poolclass=StaticPool,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        query_cache_size=2_000,
    )


@dataclass(eq=False)
class SimDatabase:
    """Implements app.store.database.Database for one process on the shared disk."""

    disk: Disk
    trouble: Trouble
    loop: VirtualLoop
    chance: random.Random
    effect: Callable[[], Any]
    """Awaited at each instant at which the process may die."""
    committed: Callable[[Life | None], None]
    """Called in the instant of each commit, when nobody has learned of it yet."""
    kind: str = "sqlite"

    async def write(self, work: Work[T]) -> T:
        await self.effect()
        await self._pause()
        fate = await self._reach()
        with self.disk.transaction() as connection:
            if fate == "locked":
                raise fault("database is locked")
            conn = _Conn(connection, self.trouble, self.chance.randrange(12) if fate == "statement" else -1)
            answer = _run(work(conn))
            end = self.trouble.commit() if self.trouble.armed else ""
            end = end or (fate if fate in ("refused", "answer lost") else "")
            if end == "refused":
                raise fault("disk I/O error")
            self.disk.commit()
        self.committed(LIFE.get())
        await self.effect()
        await self._pause()
        if end == "answer lost":
            raise fault("the connection was lost")
        return answer

    async def read(self, work: Work[T]) -> T:
        await self._pause()
        if await self._reach() in ("locked", "statement", "refused", "answer lost"):
            raise fault("disk I/O error")
        with self.disk.transaction() as connection:
            return _run(work(_Conn(connection, self.trouble, -1)))

    async def close(self) -> None:
        """The disk stays: other processes are on it."""

    async def _pause(self) -> None:
        """What a hand-over to the database takes; now and then long enough for anything to come between."""
        draw = self.chance.random()
        await asyncio.sleep(0.0002 + 0.003 * draw if draw < 0.97 else 0.4 * self.chance.random())

    async def _reach(self) -> str:
        """Gets to the database, or raises; answers what else will go wrong with this transaction."""
        now = self.loop.time()
        if now < self.trouble.until:
            if self.trouble.hangs:
                await asyncio.sleep(min(HANG_S, self.trouble.until - now + 0.001))
            raise ConnectionRefusedError("the database is down")
        fate = self.trouble.flake(now)
        if fate == "connect":
            raise ConnectionResetError("the database closed the connection")
        return fate
