"""Wake-ups between replicas, by PostgreSQL's NOTIFY: a hint, and nothing depends on it.

Each process has one connection of its own for them, outside the pool. `announce` says that work has fallen due; the others
hear it within milliseconds instead of at their next look, a second later at most. A NOTIFY inside the transaction that
wrote the work would take a lock of the whole database over its commit, so it is sent afterwards, in autocommit, one for all
that fell due within `TOGETHER_S`. When the connection is lost it is made again after a growing pause, and whatever was
missed meanwhile is looked for once. A connection that hears nothing of what it says itself (a pooler in transaction mode
answers LISTEN and forgets it) is said aloud and given up for a while. Knows no kind of work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog
from sqlalchemy import make_url

from app.ids import Ids

log = structlog.get_logger(__name__)

CHANNEL = "tocsin_due"
TOGETHER_S = 0.02
ANSWERS_WITHIN_S = 5.0
PING_EVERY_S = 10.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
DEAF_PAUSE_S = 300.0

_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Deaf(Exception):
    """The connection hears nothing."""


def direct_url(url: str) -> str:
    """A database address as asyncpg wants it, without what only SQLAlchemy understands."""
    parsed = make_url(url).set(drivername="postgresql")
    ours = [name for name in parsed.query if name.startswith("prepared_statement_")]
    if "ssl" in parsed.query:
        parsed = parsed.difference_update_query(["ssl"]).update_query_dict({"sslmode": parsed.query["ssl"]})
    return parsed.difference_update_query(ours).render_as_string(hide_password=False)


class Hints:
    """The one connection of a process. `on_hint` is called when others have announced, and after each connect."""

    def __init__(self, url: str, ids: Ids, on_hint: Callable[[], None]) -> None:
        self._url = direct_url(url)
        self._ids = ids
        self._on_hint = on_hint
        self._stir = asyncio.Event()
        self._announced = False
        self._heard_itself = asyncio.Event()
        self.connected = False

    def announce(self) -> None:
        """Work has fallen due. Returns at once; said only while there is a connection."""
        self._announced = True
        self._stir.set()

    async def run(self) -> None:
        """Listens and announces until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._connect()
            except Deaf:
                log.warning("hints_not_heard", again_in_s=DEAF_PAUSE_S, hint="set TOCSIN_HINTS_URL to a direct address")
                pause_s = DEAF_PAUSE_S
            except _LOST as error:
                pause_s = FIRST_PAUSE_S if self.connected else min(LONGEST_PAUSE_S, pause_s * 2)
                log.info("hints_lost", error=type(error).__name__, again_in_s=pause_s)
            self.connected = False
            await asyncio.sleep(pause_s * (0.5 + self._ids.chance() / 2))

    async def _connect(self) -> None:
        """Connects and stays until the connection is lost; then raises."""
        connection = await asyncpg.connect(
            self._url, timeout=ANSWERS_WITHIN_S, command_timeout=ANSWERS_WITHIN_S, statement_cache_size=0
        )
        try:
            connection.add_termination_listener(self._terminated)
            await connection.add_listener(CHANNEL, self._notified)
            await self._hear_itself(connection)
            self.connected = True
            self._on_hint()
            while not connection.is_closed():
                await self._serve(connection)
            raise ConnectionResetError("the server closed the connection")
        finally:
            connection.terminate()

    async def _hear_itself(self, connection: Any) -> None:
        self._heard_itself.clear()
        await self._notify(connection)
        try:
            await asyncio.wait_for(self._heard_itself.wait(), ANSWERS_WITHIN_S)
        except TimeoutError:
            raise Deaf from None

    async def _serve(self, connection: Any) -> None:
        """Announces once when that was asked for; otherwise asks now and then whether somebody is still there."""
        try:
            await asyncio.wait_for(self._stir.wait(), PING_EVERY_S)
        except TimeoutError:
            await connection.execute("SELECT 1")
            return
        self._stir.clear()
        if self._announced and not connection.is_closed():
            self._announced = False
            await self._notify(connection)
            await asyncio.sleep(TOGETHER_S)

    async def _notify(self, connection: Any) -> None:
        await connection.execute(f"NOTIFY {CHANNEL}")

    def _notified(self, connection: Any, by: int, *_: object) -> None:
        if by == connection.get_server_pid():
            self._heard_itself.set()
        else:
            self._on_hint()

    def _terminated(self, _: object) -> None:
        self._stir.set()
