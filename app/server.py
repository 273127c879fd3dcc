"""Serves one world over HTTP until it is told to stop, and stops without dropping what it took.

uvicorn answers each request it took before it ends (at most `drain_s`); then the committer writes what has queued and the
worker finishes the pages it holds. One process is one replica; more replicas are more processes on one PostgreSQL.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
import uvicorn

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

log = structlog.get_logger(__name__)

SWITCH_S = 0.0005
GC_THRESHOLD = (20_000, 20, 50)


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


def _config(application: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="auto",
        http="httptools",
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
