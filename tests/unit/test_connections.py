"""A connection that says nothing, or never ends what it says, is closed; one that speaks is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from app import server

HEAD = b"POST /v1/in/generic/k HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\n"


class Wire(asyncio.Transport):
    """What uvicorn writes to, and whether it hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass


class Loop:
    """Timers that go off when the test says so."""

    def __init__(self) -> None:
        self.timers: list[list[Any]] = []

    def call_later(self, after_s: float, call: Callable[[], None]) -> Any:
        timer, timers = [after_s, call], self.timers
        timers.append(timer)

        class Handle:
            def cancel(self) -> None:
                if timer in timers:
                    timers.remove(timer)

        return Handle()

    def pass_time(self) -> None:
        for _, call in self.timers:
            call()

    def create_task(self, coroutine: Any, **_: Any) -> asyncio.Future[None]:
        coroutine.close()
        return asyncio.Future()


def connected(loop: Loop, state: ServerState | None = None) -> tuple[server.Connection, Wire]:
    async def nothing(scope: Any, receive: Any, send: Any) -> None: ...

    config = uvicorn.Config(nothing, http=server.Connection, log_config=None, lifespan="off")
    config.load()
    made = server.Connection(config, state or ServerState(), {}, _loop=loop)  # type: ignore[arg-type] # all it needs of a loop
    wire = Wire()
    made.connection_made(wire)
    return made, wire


async def test_a_request_that_does_not_come_whole_is_not_waited_for():
    for said in (
        (),
        (b"\r\n",),
        (b"POST /v1/in",),
        (HEAD,),
        (HEAD, b"{}"),
        (HEAD + b"{}{}POST /v1",),
        (HEAD + b"{}{}", b"\r\n"),
    ):
        loop = Loop()
        connection, wire = connected(loop)
        for part in said:
            connection.data_received(part)
        assert [after for after, _ in loop.timers] == [server.REQUEST_S], said
        loop.pass_time()
        assert wire.closed, said


async def test_a_whole_request_and_one_who_went_away_leave_no_timer():
    loop = Loop()
    connection, wire = connected(loop)
    connection.data_received(HEAD[:20])
    connection.data_received(HEAD[20:] + b"{}")
    connection.data_received(b"{}")
    assert not loop.timers
    other, _ = connected(loop)
    other.connection_lost(None)
    assert not loop.timers
    assert not wire.closed


async def test_what_is_no_body_has_an_end():
    chunked = HEAD.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked")
    for start, more in (
        (b"GET /", b"a"),
        (HEAD[:-2] + b"X: ", b"a"),
        (HEAD[:-2], b"X: a\r\n"),
        (chunked + b"0\r\nX: ", b"a"),
        (chunked + b"1;", b"a"),
    ):
        connection, wire = connected(Loop())
        connection.data_received(start)
        for _ in range(server.MAX_HEAD // 1_000 + 1):
            assert not wire.closed, start
            connection.data_received(more * (1_000 // len(more)))
        connection.data_received(more * (1_000 // len(more)))
        assert wire.closed, start


async def test_a_body_may_be_longer_than_headers():
    for head, part in (
        (HEAD.replace(b": 4", b": 8000000"), b"a" * 100_000),
        (HEAD.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked"), b"%x\r\n%s\r\n" % (50_000, b"a" * 50_000)),
    ):
        connection, wire = connected(Loop())
        connection.data_received(head + part)
        for _ in range(20):
            connection.data_received(part)
        assert not wire.closed, head


async def test_an_offer_of_another_protocol_loses_no_body():
    """As Java's HttpClient begins each connection to an http address: its alerts came in empty and were refused."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\nUpgrade: h2c\r\n\r\n"
    for parts in (
        (HEAD[:-2] + offer + b"{}{}",),
        (HEAD[:-2] + offer, b"{}", b"{}"),
        (HEAD[:-2] + offer.upper(), b"{}{}"),
    ):
        connection, wire = connected(Loop())
        for _ in range(2):
            for part in parts:
                connection.data_received(part)
            assert (bytes(connection.cycle.body), connection.cycle.more_body) == (b"{}{}", False)
            connection.cycle.response_complete = True
        assert not wire.closed


async def test_connections_leave_a_quarter_of_the_files_to_the_pages():
    state, loop = ServerState(), Loop()
    most = int(min(server.CONNECTIONS, server.CONNECTIONS_SHARE * server.files()))
    state.connections.update(range(most - 1))  # type: ignore[arg-type] # only their number counts
    wires = [connected(loop, state)[1] for _ in range(2)]
    assert [wire.closed for wire in wires] == [False, True]


@pytest.mark.parametrize(
    ("has", "may", "then"),
    [
        (256, -1, (server.MOST_FILES, -1)),
        (1_024, 524_288, (server.MOST_FILES, 524_288)),
        (1_024, 4_096, (4_096, 4_096)),
        (100_000, 524_288, None),
        (-1, -1, None),
    ],
)
def test_as_many_files_as_there_is_use_for_and_never_fewer_than_before(
    has: int, may: int, then: tuple[int, int] | None
) -> None:
    assert server.wanted_files(has, may) == then
