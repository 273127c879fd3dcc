"""The two databases behind one door: a deed runs in one write transaction, a question in one read transaction.

    answer = await store.write(acknowledge, incident_number, actor)     # commits before it returns
    rows = await store.read(open_incidents, limit)

A deed may run more than once: when the database says that another transaction won (serialization failure, deadlock,
unique key), the whole deed is run again, at most `ATTEMPTS` times. So a deed does nothing but read and write rows.

On PostgreSQL a deed runs on the event loop, over asyncpg. On SQLite it runs from BEGIN to COMMIT on the one writer
thread: the same coroutine, whose every `await` is answered at once, so that a transaction costs one hand-over between
threads and not four a statement. The writer takes its lock at BEGIN and its waiters are served in order; readers have
threads and connections of their own (WAL).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from app.clock import Clock, Micros
from app.ids import Ids
from app.store.errors import Conflict, Unavailable

ATTEMPTS = 3
COMMAND_TIMEOUT_S = 15.0
"""No statement and no wait for a connection is longer; the caller hears Unavailable."""

P = ParamSpec("P")
T = TypeVar("T")


class Conn(Protocol):
    """What a deed may ask of its transaction; SQLAlchemy's AsyncConnection has it, and `_AtOnce` below."""

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]:
        """Runs a statement and fetches all of its rows."""

    async def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]:
        """Runs a text of this database's own dialect."""

    async def run_sync(self, work: Callable[[Connection], T], /) -> T:
        """Runs code that needs SQLAlchemy's synchronous connection (migrations)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One read transaction: a consistent view, and the instant it is read at."""

    conn: Conn
    now: Micros
    postgres: bool


@dataclass(frozen=True, slots=True)
class Writing(Reading):
    """One write transaction. `now` is read once, so all rows of a deed carry the same instant."""

    ids: Ids

    def new_id(self) -> int:
        """An id for a new row."""
        return self.ids.new(self.now)


Work = Callable[[Conn], Coroutine[Any, Any, T]]


class Database(Protocol):
    """A kind of database: runs work in transactions, and nothing else."""

    kind: str

    async def write(self, work: Work[T]) -> T:
        """Runs work in one transaction and commits it."""

    async def read(self, work: Work[T]) -> T:
        """Runs work on one consistent view."""

    async def close(self) -> None:
        """Gives all connections back."""


class Store:
    """A database, opened. Build with `open_store`."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self.database = database
        self.clock = clock
        self.ids = ids
        self.kind = database.kind

    async def write(
        self, deed: Callable[Concatenate[Writing, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `deed` in one transaction and returns its answer once that is committed and flushed.

        Raises Unavailable when the database did not do it (whether it committed may be unknown), Conflict when others
        won `ATTEMPTS` times, and whatever the deed itself raises (then nothing was written).
        """

        async def work(conn: Conn) -> T:
            return await deed(Writing(conn, self.clock.now(), self.kind == "postgresql", self.ids), *args, **kwargs)

        for attempt in range(ATTEMPTS):
            try:
                return await _translated(self.database.write(work))
            except Conflict:
                if attempt + 1 == ATTEMPTS:
                    raise
                await asyncio.sleep(0.005 * (1 + self.ids.chance()) * 2**attempt)
        raise AssertionError("unreachable")

    async def read(
        self, question: Callable[Concatenate[Reading, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `question` in one read transaction. Raises Unavailable, or what the question raises."""

        async def work(conn: Conn) -> T:
            return await question(Reading(conn, self.clock.now(), self.kind == "postgresql"), *args, **kwargs)

        return await _translated(self.database.read(work))

    async def close(self) -> None:
        """Gives all connections back."""
        await self.database.close()


async def _translated(transaction: Coroutine[Any, Any, T]) -> T:
    try:
        return await transaction
    except SQLAlchemyError as error:
        raise translated(error) from error
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"the database can't be reached: {type(error).__name__}") from error


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
    """Opens `sqlite:///file` or `postgresql+asyncpg://...`; connects at first use.

    Raises ValueError for any other kind of address.
    """
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        return Store(Sqlite(parsed, pool_size), clock, ids)
    if parsed.drivername == "postgresql+asyncpg":
        return Store(Postgres(parsed, pool_size), clock, ids)
    raise ValueError(
        f"TOCSIN_DATABASE_URL starts with {parsed.drivername!r}; it must start with sqlite:/// or postgresql+asyncpg://"
    )


_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises past SQLAlchemy: while it connects, and at COMMIT on a backend that died. Always an unknown outcome."""


class Postgres:
    """PostgreSQL >= 14 over asyncpg."""

    kind = "postgresql"

    def __init__(self, url: URL, pool_size: int) -> None:
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=COMMAND_TIMEOUT_S,
            hide_parameters=True,
            connect_args={"timeout": 5, "command_timeout": COMMAND_TIMEOUT_S},
        )

    async def write(self, work: Work[T]) -> T:
        try:
            async with self._engine.begin() as conn:
                return await work(conn)
        except _ASYNCPG as error:
            raise Unavailable(f"the database did not answer as it should: {type(error).__name__}") from error

    async def read(self, work: Work[T]) -> T:
        try:
            async with self._engine.connect() as conn:
                return await work(conn)
        except _ASYNCPG as error:
            raise Unavailable(f"the database did not answer as it should: {type(error).__name__}") from error

    async def close(self) -> None:
        await self._engine.dispose()


class WaitedElsewhere(RuntimeError):
    """A deed awaited something other than its transaction; it would hold the database's lock meanwhile."""


class _AtOnce:
    """A synchronous connection whose coroutines never wait."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]:
        return self._connection.execute(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]:
        return self._connection.exec_driver_sql(statement, parameters)

    async def run_sync(self, work: Callable[[Connection], T], /) -> T:
        return work(self._connection)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return] # what a coroutine returns is not typed there
    coroutine.close()
    raise WaitedElsewhere("a deed may await only what its transaction answers")


class Sqlite:
    """One file: one writer thread, some readers."""

    kind = "sqlite"

    def __init__(self, url: URL, readers: int) -> None:
        self._writer = _sqlite_engine(url, "IMMEDIATE", 1)
        self._reader = _sqlite_engine(url, "DEFERRED", readers)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix="sqlite-reader")

    async def write(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, self._write, work)

    def _write(self, work: Work[T]) -> T:
        with self._writer.begin() as connection:
            return _run(work(_AtOnce(connection)))

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    def _read(self, work: Work[T]) -> T:
        with self._reader.connect() as connection:
            return _run(work(_AtOnce(connection)))

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._reader.dispose()
        self._writer.dispose()


_PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
    # A checkpoint each 16 MB of log instead of each 4: half the sync calls in a storm, still a quick restart.
    "PRAGMA wal_autocheckpoint = 4000",
)


def _sqlite_engine(url: URL, begin: str, connections: int) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=COMMAND_TIMEOUT_S,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "cached_statements": 512},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver must not open transactions of its own: BEGIN is sent below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def take_lock(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine
