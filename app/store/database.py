"""The two databases behind one door: a deed runs in one write transaction, a question in one read transaction.

    answer = await store.write(acknowledge, incident_id, actor)     # commits before it returns
    rows = await store.read(open_incidents, limit)

A deed may run more than once: when the database says that another transaction won (serialization failure, deadlock,
unique key), the whole deed is run again, at most `ATTEMPTS` times. So a deed does nothing but read and write rows.

SQLite has one writer (a pool of one connection whose waiters are served in order) that takes its lock at BEGIN, so that
two deeds never upgrade a read lock against each other; readers have connections of their own (WAL).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from app.clock import Clock, Micros
from app.ids import Ids
from app.store.errors import Conflict, Unavailable

ATTEMPTS = 3
COMMAND_TIMEOUT_S = 15.0
"""No statement and no wait for a connection is longer; the caller hears Unavailable."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading:
    """One read transaction: a consistent view, and the instant it is read at."""

    conn: AsyncConnection
    now: Micros
    postgres: bool


@dataclass(frozen=True, slots=True)
class Writing(Reading):
    """One write transaction. `now` is read once, so all rows of a deed carry the same instant."""

    ids: Ids

    def new_id(self) -> int:
        """An id for a new row."""
        return self.ids.new(self.now)


class Store:
    """A database, opened. Build with `open_store`."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, clock: Clock, ids: Ids) -> None:
        self.writer = writer
        self.reader = reader
        self.clock = clock
        self.ids = ids
        self.postgres = writer.dialect.name == "postgresql"

    async def write(
        self, deed: Callable[Concatenate[Writing, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `deed` in one transaction and returns its answer once that is committed and flushed.

        Raises Unavailable when the database did not do it (whether it committed may be unknown), Conflict when others
        won `ATTEMPTS` times, and whatever the deed itself raises (then nothing was written).
        """
        for attempt in range(ATTEMPTS):
            try:
                return await self._write_once(deed, *args, **kwargs)
            except Conflict:
                if attempt + 1 == ATTEMPTS:
                    raise
                await asyncio.sleep(0.005 * (1 + self.ids.chance()) * 2**attempt)
        raise AssertionError("unreachable")

    async def _write_once(
        self, deed: Callable[Concatenate[Writing, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            async with self.writer.begin() as conn:
                return await deed(Writing(conn, self.clock.now(), self.postgres, self.ids), *args, **kwargs)
        except SQLAlchemyError as error:
            raise translated(error) from error
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"the database can't be reached: {type(error).__name__}") from error

    async def read(
        self, question: Callable[Concatenate[Reading, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `question` in one read transaction. Raises Unavailable, or what the question raises."""
        try:
            async with self.reader.connect() as conn:
                return await question(Reading(conn, self.clock.now(), self.postgres), *args, **kwargs)
        except SQLAlchemyError as error:
            raise translated(error) from error
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"the database can't be reached: {type(error).__name__}") from error

    async def close(self) -> None:
        """Gives all connections back."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()


_RETRY_STATES = {"40001", "40P01"}
"""PostgreSQL: serialization_failure, deadlock_detected."""


def translated(error: SQLAlchemyError) -> Conflict | Unavailable:
    """Our word for what the driver said; anything unlisted counts as an unknown outcome."""
    if isinstance(error, IntegrityError):
        return Conflict(f"a unique key or a reference said no: {type(error.orig).__name__}")
    original = error.orig if isinstance(error, DBAPIError) else None
    if getattr(original, "sqlstate", None) in _RETRY_STATES or "database is locked" in str(original):
        return Conflict("another transaction won")
    return Unavailable(f"the database did not answer as it should: {type(original or error).__name__}")


def open_store(url: str, clock: Clock, ids: Ids, *, pool_size: int = 8) -> Store:
    """Opens `sqlite+aiosqlite:///file` or `postgresql+asyncpg://...`; connects at first use.

    Raises ValueError for any other kind of address.
    """
    parsed = make_url(url)
    if parsed.drivername == "sqlite+aiosqlite":
        return Store(_sqlite(parsed, "IMMEDIATE", 1), _sqlite(parsed, "DEFERRED", pool_size), clock, ids)
    if parsed.drivername == "postgresql+asyncpg":
        engine = create_async_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=COMMAND_TIMEOUT_S,
            pool_pre_ping=False,
            connect_args={"timeout": 5, "command_timeout": COMMAND_TIMEOUT_S},
        )
        return Store(engine, engine, clock, ids)
    raise ValueError(
        f"TOCSIN_DATABASE_URL starts with {parsed.drivername!r}; it must start with "
        "sqlite+aiosqlite:/// or postgresql+asyncpg://"
    )


_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
    # A checkpoint each 16 MB of log instead of each 4: half the sync calls in a storm, still a quick restart.
    "PRAGMA wal_autocheckpoint = 4000",
)


def _sqlite(url: URL, begin: str, connections: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=COMMAND_TIMEOUT_S,
        pool_reset_on_return="rollback",
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver must not open transactions of its own: BEGIN is sent below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def take_lock(connection: Any) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine
