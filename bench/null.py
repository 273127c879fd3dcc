"""A server that answers every request without looking at it: the ceiling of the generator.

python -m bench.null PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

GET = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
POST = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class Null(asyncio.Protocol):
    """Counts bytes up to Content-Length, then answers."""

    def __init__(self) -> None:
        self.buffer = b""
        self.left = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        if self.left:
            self.left -= len(data)
            if self.left <= 0:
                self.transport.write(POST)
            return
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        self.buffer = b""
        at = head.find(b"Content-Length: ")
        if at < 0:
            self.transport.write(GET)
            return
        self.left = int(head[at + 16 :].split(b"\r\n", 1)[0]) - len(rest)
        if self.left <= 0:
            self.left = 0
            self.transport.write(POST)


async def serve(port: int) -> None:
    """Answers until it is ended."""
    server = await asyncio.get_running_loop().create_server(Null, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
