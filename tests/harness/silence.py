"""A TCP relay that can go silent: connections stay open, and nothing comes through in either direction.

What a switch that lost its table, a firewall that forgot a flow, or a dead host behind a live one look like.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class Relay:
    """From a TCP port to a Unix socket."""

    def __init__(self, to: Path) -> None:
        self._to = to
        self._through = asyncio.Event()
        self._through.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.host = ""
        self.port = 0

    def silence(self) -> None:
        """From now on nothing comes through."""
        self._through.clear()

    def heal(self) -> None:
        """What waited comes through, and everything after it."""
        self._through.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side closes it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._through.wait()
            there, back = await asyncio.open_unix_connection(str(self._to))
            ways = [asyncio.create_task(self._pump(*way)) for way in ((reader, back), (there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                back.close()
        writer.close()
        self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._through.wait()
            writer.write(data)
            await writer.drain()

    async def close(self) -> None:
        """Ends all connections."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def relay(to: Path, host: str = "127.0.0.1") -> AsyncIterator[Relay]:
    """A relay to a Unix socket on a free port of `host`."""
    made = Relay(to)
    server = await asyncio.start_server(made.serve, host, 0)
    made.host, made.port = host, server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
        await server.wait_closed()
