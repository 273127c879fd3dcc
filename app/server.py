"""Serves one world over HTTP until it is told to stop, and stops without dropping what it took.

uvicorn answers each request it took before it ends (at most `drain_s`); then the committer writes what has queued and the
worker finishes the pages it holds. One process is one replica; more replicas are more processes on one PostgreSQL.
Who connects and says nothing, or says it drop by drop, is not waited for: what a page needs to go out is never used up.
"""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.app import Routes, build
from app.api.ingest import PREFIX, Ingest
from app.api.mail_in import MailDoor
from app.api.signals import Signals, is_signal
from app.api.wire.doors import Wire
from app.clock import SystemClock
from app.ids import ProcessIds
from app.settings import Settings
from app.store.migrate import migrate
from app.wiring import Process, open_world
from app.world import World

if sys.platform != "win32":
    import resource

log = structlog.get_logger(__name__)

SWITCH_S = 0.0005
GC_THRESHOLD = (20_000, 20, 50)
REQUEST_S = 60
"""A request that is not here whole by then is not waited for; its sender comes again."""
MAX_HEAD = 64 * 1024
"""Bytes of a request that are not its body: its address, its headers, what stands between and behind chunks."""
MOST_FILES = 65_536
"""As many open files as one process has use for, where nothing bounds them."""
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
CONNECTIONS = 10_000
"""What each of them may have sent and nobody has read yet is kept in memory."""
CONNECTIONS_SHARE = 0.75
"""Of the files this process may have open; the rest is for the database, the providers and the log."""


class Tocsin:
    """The whole service as one ASGI application: senders, heartbeats and foreign APIs go straight in, all else to the API."""

    def __init__(self, process: Process, made: Routes | None = None) -> None:
        self.world = process.world
        self.api = build(process.world, process, made)
        self.ingest = Ingest(process.world)
        self.wire = Wire(process.world)
        self.signals = Signals(process.world)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.api(scope, receive, send)
        elif is_signal(scope["path"]):
            await self.signals(scope, receive, send)
        elif self.wire.claims(scope):
            await self.wire(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            await self.ingest(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            await self.api(scope, receive, send)
        else:
            await self.api(scope, receive, partial(self._answer_edit, send))

    async def _answer_edit(self, send: Any, message: Any) -> None:
        """Before an edit is answered, ingest stops believing what it remembers: a key that was revoked opens no more."""
        if message["type"] == "http.response.start":
            self.world.directory.forget()
        await send(message)


class Connection(HttpToolsProtocol):
    """One connection, bounded where uvicorn's are not: in number, in how long a request takes to come, and in its headers."""

    _late: asyncio.TimerHandle | None = None
    _head = 0
    _begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > min(CONNECTIONS, CONNECTIONS_SHARE * files()):
            transport.close()
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        # From here on uvicorn's own timer, which ends idle connections, no longer runs.
        self._await_request()
        self._head += len(data)
        if not self._begun and (b"pgrade:" in data or b"PGRADE:" in data):
            data = without_upgrade(data)
        super().data_received(data)
        if self._head > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_message_begin(self) -> None:
        # The next request may begin in the same packet in which the last one ended.
        self._begun = True
        self._await_request()
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._head = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._begun = False
        self._head = 0
        self._stop_waiting()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(REQUEST_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def without_upgrade(data: bytes) -> bytes:
    """The beginning of a request with its Upgrade header under a name that says nothing. Pure.

    Java's HTTP client offers HTTP/2 with each message to an http address. Nothing obliges a server to take that up, but the
    parser takes the body for another protocol's, and the alert in it is lost (uvicorn's issue 2722).
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-grade:", head) + end + body


def files() -> int:
    """How many files and connections this process may have open."""
    found = MOST_FILES if sys.platform == "win32" else resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return found if 0 < found < MOST_FILES else MOST_FILES


def more_files() -> None:
    """Takes more than it has, as far as this process may: by default it has 1,024, which one idle client could use up."""
    if sys.platform != "win32" and (limits := wanted_files(*resource.getrlimit(resource.RLIMIT_NOFILE))):
        with suppress(ValueError, OSError):  # some systems say no to what they seem to allow
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def wanted_files(has: int, may: int) -> tuple[int, int] | None:
    """The limits that this process wants, of the soft and the hard one it has; None where they are enough. Below 0: no limit."""
    wanted = min(may, MOST_FILES) if may >= 0 else MOST_FILES
    return (wanted, may) if 0 <= has < wanted else None


def _config(application: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="auto",
        http=Connection,
        lifespan="off",
        proxy_headers=False,  # nobody's address is believed, so none is read
        access_log=False,  # paths carry keys and link tokens
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=settings.drain_s,
        timeout_keep_alive=75,
        backlog=4_096,
    )


def listen(settings: Settings) -> socket.socket:
    """The socket, bound. Raises OSError when the address is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((settings.host, settings.port))
    bound.listen(4_096)
    bound.set_inheritable(True)
    return bound


async def serve(
    settings: Settings,
    *,
    on_ready: Callable[[World, int], Any] | None = None,
    bound: socket.socket | None = None,
    mail: socket.socket | None = None,
) -> None:
    """Migrates, starts, answers until SIGTERM or SIGINT, drains. `on_ready` is told the world and the port.

    `mail`: the socket on which mail is taken, if any is.

    Raises StoreError or SchemaAhead when the database can't be used, OSError when the address is taken.
    """
    # The writer's thread takes Python's lock back after each statement: not behind 5 ms of the event loop's work.
    sys.setswitchinterval(SWITCH_S)
    more_files()
    bound = bound or listen(settings)
    port = int(bound.getsockname()[1])
    settings = settings.model_copy(update={"port": port})
    world = await open_world(settings, SystemClock(), ProcessIds(), prepare=migrate)
    process = Process(world)
    process.start()
    if mail is not None:
        process.supervisor.start("mail", MailDoor(world, mail).run)
    server = uvicorn.Server(_config(Tocsin(process), settings))
    _collect_seldom()
    log.info("ready", address=world.base_url, database=world.store.kind)
    ready = asyncio.create_task(_told(server, on_ready, world, port)) if on_ready else None
    try:
        await server.serve(sockets=[bound])
    finally:
        if ready is not None:
            ready.cancel()
        log.info("stopping")
        if mail is not None:
            await process.supervisor.cancel("mail")
            mail.close()
        await process.stop()
        log.info("stopped")


def _collect_seldom() -> None:
    """A storm makes many small objects and no cycles: cycles are looked for seldom, and never among what was loaded."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    gc.enable()


async def _told(server: uvicorn.Server, on_ready: Callable[[World, int], Any], world: World, port: int) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    told = on_ready(world, port)
    if asyncio.iscoroutine(told):
        await told
