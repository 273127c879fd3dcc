"""The two databases behind one door: a deed runs in one write transaction, a question only reads.

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
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from app.clock import Clock, Micros
from app.ids import Ids
from app.store.errors import Conflict, Contended, Rejected, Unavailable

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
    """One question's look at the database, and the instant it is read at.

    On SQLite all of its statements see the same; on PostgreSQL each sees what is committed when it begins.
    """

    conn: Conn
    now: Micros
    postgres: bool


@dataclass(frozen=True, slots=True)
class Writing(Reading):
    """One write transaction. `now` is read once, so all rows of a deed carry the same instant."""

    ids: Ids
    due: list[Micros] = field(default_factory=list)
    """When work that this transaction has written falls due."""

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
        """Runs work that only reads."""

    async def close(self) -> None:
        """Gives all connections back."""


class Store:
    """A database, opened. Build with `open_store`."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self.database = database
        self.clock = clock
        self.ids = ids
        self.kind = database.kind
        self.on_due: Callable[[Micros], None] = lambda _: None
        """Told, after each commit that wrote work, when the first of it falls due. A hint: work is found without it."""

    async def write(
        self, deed: Callable[Concatenate[Writing, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `deed` in one transaction and returns its answer once that is committed and flushed.

        Raises Unavailable when the database did not do it (whether it committed may be unknown), Contended or Conflict
        when it lost `ATTEMPTS` times, Rejected when it won't take what it was asked, and whatever the deed itself raises (then
        nothing was written).
        """

        async def work(conn: Conn) -> tuple[T, list[Micros]]:
            tx = Writing(conn, self.clock.now(), self.kind == "postgresql", self.ids)
            return await deed(tx, *args, **kwargs), tx.due

        for attempt in range(ATTEMPTS):
            try:
                answer, due = await _translated(self.database.write(work))
            except (Conflict, Contended):
                if attempt + 1 == ATTEMPTS:
                    raise
                await asyncio.sleep(0.005 * (1 + self.ids.chance()) * 2**attempt)
            else:
                if due:
                    self.on_due(min(due))
                return answer
        raise AssertionError("unreachable")

    async def read(
        self, question: Callable[Concatenate[Reading, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `question`, which only reads. Raises Unavailable, or what the question raises."""

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
_REJECTED_CLASSES = ("22", "42", "54")
"""PostgreSQL: data exception, syntax error or access rule violation, program limit exceeded."""


def translated(error: SQLAlchemyError) -> Conflict | Contended | Unavailable | Rejected:
    """Our word for what the driver said; anything unlisted counts as an unknown outcome."""
    if isinstance(error, IntegrityError):
        return Conflict(f"a unique key or a reference said no: {type(error.orig).__name__}")
    original = error.orig if isinstance(error, DBAPIError) else None
    state = getattr(original, "sqlstate", None) or ""
    if state in _RETRY_STATES or "database is locked" in str(original):
        return Contended("another transaction won")
    if state.startswith(_REJECTED_CLASSES) or (isinstance(error, StatementError) and original is None):
        return Rejected(f"the database won't take this: {type(original or error).__name__} {state}".rstrip())
    return Unavailable(f"the database did not answer as it should: {type(original or error).__name__}")
