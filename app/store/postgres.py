"""PostgreSQL behind the store's door: transactions on the event loop, over asyncpg. Knows no table.

Every statement is planned for the tables as they are now (`plan_cache_mode`). PostgreSQL would otherwise keep the plans a
connection made while the tables were small, such as reading all of a table of five rows, and use them in the storm that
follows until somebody analyses the tables: after a quiet night each statement of a storm read every row there was.

A process that stands still, or that the network has cut off, in the middle of a transaction keeps its locks: those of an
incident, or of the number that the next incident gets, which everybody waits for. The server ends such a transaction.
"""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.store.database import COMMAND_TIMEOUT_S, T, Work
from app.store.errors import Unavailable

_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises past SQLAlchemy: while it connects, and at COMMIT on a backend that died. Always an unknown outcome."""

IDLE_MS = 5_000
"""A transaction of ours waits for the next statement for milliseconds; after so many the server ends it."""
SESSION = {
    "plan_cache_mode": "force_custom_plan",
    "idle_in_transaction_session_timeout": str(IDLE_MS),
}


def _pooled(url: URL) -> bool:
    return url.query.get("prepared_statement_cache_size") == "0"


def _session(url: URL) -> dict[str, Any]:
    """How a connection is set up. `prepared_statement_cache_size=0` in the address: it leads through a pooler.

    There each transaction may get another connection: no statement has a name that another could have, none is kept, and
    nothing is set for longer than a transaction. Statements without a name are planned each time anyway.
    """
    if not _pooled(url):
        return {"server_settings": SESSION}
    return {"statement_cache_size": 0, "prepared_statement_name_func": str}


class Postgres:
    """PostgreSQL >= 14 over asyncpg."""

    kind = "postgresql"

    def __init__(self, url: URL, pool_size: int) -> None:
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=COMMAND_TIMEOUT_S,
            # In turns: what the worker asks each second keeps all of them known to whatever lies between.
            pool_use_lifo=False,
            hide_parameters=True,
            connect_args={"timeout": 5, "command_timeout": COMMAND_TIMEOUT_S, **_session(url)},
        )
        # Each statement sees what is committed when it begins, within a transaction or without one; BEGIN and ROLLBACK
        # are two ways there and back. But a pooler keeps a connection together only for the length of a transaction.
        self._reader = self._engine if _pooled(url) else self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def write(self, work: Work[T]) -> T:
        try:
            async with self._engine.begin() as conn:
                return await work(conn)
        except _ASYNCPG as error:
            raise Unavailable(f"the database did not answer as it should: {type(error).__name__}") from error

    async def read(self, work: Work[T]) -> T:
        try:
            async with self._reader.connect() as conn:
                return await work(conn)
        except _ASYNCPG as error:
            raise Unavailable(f"the database did not answer as it should: {type(error).__name__}") from error

    async def close(self) -> None:
        await self._engine.dispose()
