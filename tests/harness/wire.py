"""A story's Tocsin on a real socket, for programs and libraries that bring their own HTTP; over TLS where they insist."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from app.server import Tocsin
from tests.harness.town import Town

TOGETHER = {"grouping": {"by": "service"}}
"""A service whose alerts are one incident: what is told here is how each alert came in."""
TLS = Path(__file__).parent.parent / "data" / "tls"


def trusting() -> ssl.SSLContext:
    """What a client needs to believe the server of `listening(..., tls=True)`, whose certificate is for another name."""
    context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    context.check_hostname = False
    return context


@asynccontextmanager
async def listening(story: Town, *, tls: bool = False) -> AsyncIterator[str]:
    """The address at which the story's Tocsin answers."""
    config = uvicorn.Config(
        Tocsin(story.process, story.routes),
        port=0,
        lifespan="off",
        log_config=None,
        access_log=False,
        ssl_certfile=TLS / "server.pem" if tls else None,
        ssl_keyfile=TLS / "server.key" if tls else None,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving
