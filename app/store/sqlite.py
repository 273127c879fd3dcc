"""SQLite behind the store's door: a transaction runs from BEGIN to COMMIT on one thread. Knows no table.

A deed is a coroutine that awaits nothing but its transaction. Here every such wait is answered at once, so the whole deed
runs in one step, and a transaction costs one hand-over between threads and not four a statement.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from app.store.database import COMMAND_TIMEOUT_S, T, Work


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
        self._writer = _sqlite_engine(url, "IMMEDIATE", 1, WRITER_CACHE_KB)
        self._reader = _sqlite_engine(url, "DEFERRED", readers, READER_CACHE_KB)
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


WRITER_CACHE_KB = 65_536
READER_CACHE_KB = 4_096
"""Each connection has a cache of its own. What readers have to look through, such as all open incidents, the system keeps
in memory once; they would each keep it again, and a process would grow with what waits in its database."""
_PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    # A checkpoint each 16 MB of log instead of each 4: half the sync calls in a storm, still a quick restart.
    "PRAGMA wal_autocheckpoint = 4000",
)


def _sqlite_engine(url: URL, begin: str, connections: int, cache_kb: int) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=COMMAND_TIMEOUT_S,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "cached_statements": 512},
    )

    @event.listens_for(engine, "do_connect")
    def keep_private(*_: Any) -> None:
        # What signs links and opens chats is in it, so a new file is its owner's alone. SQLite itself says what is wrong.
        # One that is there is never opened here: closing it again would end the locks of this process's other connections.
        with suppress(OSError):
            os.close(os.open(url.database or "", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver must not open transactions of its own: BEGIN is sent below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (*_PRAGMAS, f"PRAGMA cache_size = -{cache_kb}"):
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def take_lock(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine
