"""A fake HTTP provider on loopback: a real server that records what it was sent and answers by script.

It speaks just enough HTTP/1.1 for a POST, so that it can also do what real servers do on bad days: say nothing, stop
in the middle, drop the connection before reading or after reading, or answer nonsense.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

How = Literal["answer", "hang", "hang_in_body", "drop_before", "drop_after", "drop_in_body", "nonsense"]


@dataclass(frozen=True, slots=True)
class Answering:
    """What the provider does with one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    how: How = "answer"
    slow_s: float = 0.0
    """How long the server thinks before it answers."""
    echo: bool = False
    """Quote the whole request in the body, as careless servers do."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answering(status: int = 200, document: Any = None, **more: Any) -> Answering:
    """An answer with a JSON body, or with none."""
    return Answering(status, b"" if document is None else json.dumps(document).encode(), **more)


class FakeProvider:
    """The server. `script` is used up first, then `usual` answers everything."""

    def __init__(self, usual: Answering) -> None:
        self.usual = usual
        self.script: deque[Answering] = deque()
        self.by_path: dict[str, Answering] = {}
        """What one path answers, when the script is used up."""
        self.seen: list[Seen] = []
        self.accepted = 0
        self.open = 0
        self.asked = asyncio.Event()
        """Set when a request was read (or a connection dropped)."""
        self._closed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def all_closed(self) -> None:
        """Returns when no client holds a connection any more; fails after two seconds."""
        async with asyncio.timeout(2):
            while self.open:
                self._closed.clear()
                await self._closed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        self._writers.add(writer)
        try:
            await self._conversation(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            self._closed.set()
            writer.close()

    async def _conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            scripted = self.script.popleft() if self.script else None
            if (scripted or self.usual).how == "drop_before":
                self.asked.set()
                return _reset(writer)
            seen = await _read(reader)
            # A connection is kept: what is usual when a request comes counts, not what was when the last one was answered.
            answer = scripted or self.by_path.get(seen.path, self.usual)
            if answer.how == "drop_before":
                self.asked.set()
                return _reset(writer)
            self.seen.append(seen)
            self.asked.set()
            if answer.how == "hang":
                await reader.read()  # until the client goes away
                return None
            if answer.how == "drop_after":
                return _reset(writer)
            if answer.how == "nonsense":
                writer.write(b"220 mail.test ESMTP\r\n")
                return await writer.drain()
            await asyncio.sleep(answer.slow_s)
            writer.write(_wire(answer, seen))
            await writer.drain()
            if answer.how == "drop_in_body":
                return _reset(writer)
            if answer.how == "hang_in_body":
                await reader.read()
                return None

    def close_all(self) -> None:
        for writer in tuple(self._writers):
            if not writer.transport.is_closing():
                writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ", 2)
    return Seen(method, path, headers, body)


def _wire(answer: Answering, seen: Seen) -> bytes:
    body = answer.body
    if answer.echo:
        body = f"{seen.path} {dict(seen.headers)} ".encode() + seen.body
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if answer.how in ("drop_in_body", "hang_in_body"):
        body = body[: len(body) // 2]
    return f"HTTP/1.1 {answer.status} Because\r\n{head}\r\n".encode() + body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset, as a crashed server's kernel does."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.asynccontextmanager
async def provider(
    usual: Answering | None = None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[FakeProvider]:
    """A provider that answers `usual` (200, empty) until told otherwise."""
    fake = FakeProvider(usual or Answering())
    server = await asyncio.start_server(fake.serve, host, 0, ssl=tls)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        fake.close_all()
        await fake.all_closed()
        await server.wait_closed()


def free_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
