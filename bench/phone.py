"""The fake phone: notes when each page reached its socket.

python -m bench.phone PORT        on a line of input prints one JSON line: {title: seconds since the epoch}
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Phone(asyncio.Protocol):
    """Reads requests and keeps the first time each title was seen."""

    arrived: dict[str, float]

    def __init__(self, arrived: dict[str, float]) -> None:
        self.arrived = arrived
        self.buffer = b""
        self.first = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.buffer:
            self.first = time.time()
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        length = int(lower[lower.find(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self.buffer = b""
        self.arrived.setdefault(str(json.loads(body)["title"]), self.first)
        assert self.transport is not None
        self.transport.write(ANSWER)


async def serve(port: int) -> None:
    """Answers until its input ends."""
    arrived: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Phone(arrived), "127.0.0.1", port)
    print("ready", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(arrived), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
