"""PostgreSQL behind the store's door: transactions on the event loop, over asyncpg. Knows no table.

Every statement is planned for the tables as they are now (`plan_cache_mode`). PostgreSQL would otherwise keep the plans a
connection made while the tables were small, such as reading all of a table of five rows, and use them in the storm that
follows until somebody analyses the tables: after a quiet night each statement of a storm read every row there was.
"""

from __future__ import annotations

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.store.database import COMMAND_TIMEOUT_S, T, Work
from app.store.errors import Unavailable

_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises past SQLAlchemy: while it connects, and at COMMIT on a backend that died. Always an unknown outcome."""

PLANNING = {"plan_cache_mode": "force_custom_plan"}


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
            connect_args={"timeout": 5, "command_timeout": COMMAND_TIMEOUT_S, "server_settings": PLANNING},
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
