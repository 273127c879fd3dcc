"""Tocsin as a user starts it: a process of its own, which a test may kill.

It is forked from a process that has loaded all modules, which saves the two thirds of a start that are the same each time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60
LOADED = ("app.server", "app.cli.serve", "app.cli.environment", "app.cli.storage", "uvicorn.loops.uvloop")

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(LOADED))


@dataclass
class Served:
    """A running server."""

    pid: int
    ended: asyncio.Future[int]
    """Its exit status, once it has ended."""
    port: int
    log: Path
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def kill(self) -> None:
        """As a power cut would: no handler runs."""
        os.kill(self.pid, signal.SIGKILL)
        await self.ended

    def freeze(self) -> None:
        """It stands still as it is, and keeps all that it holds."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)

    async def metric(self, name: str) -> float:
        """One that has no labels."""
        async with httpx.AsyncClient(trust_env=False) as web:
            found = re.search(rf"^{name} (\S+)$", (await web.get(f"{self.url}/metrics")).text, re.MULTILINE)
        assert found, f"no metric {name}"
        return float(found[1])

    async def stop(self) -> int:
        """As systemd would; answers the exit status."""
        os.kill(self.pid, signal.SIGTERM)
        async with asyncio.timeout(30):
            return await asyncio.shield(self.ended)


@asynccontextmanager
async def served(
    database_url: str, folder: Path, *, inside: Sequence[str] = (), host: str = "127.0.0.1", **settings: str
) -> AsyncIterator[Served]:
    """A server on a free port, ready; killed at the end of the block when it still runs. `inside`: what its command begins with."""
    log = folder / f"serve-{len(list(folder.glob('serve-*')))}.log"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TOCSIN_DATABASE_URL": database_url,
        "TOCSIN_HOST": host,
        "TOCSIN_PORT": "0",
        "TOCSIN_LOG_FORMAT": "json",
        "TOCSIN_OUTBOUND_ALLOW": "127.0.0.1/32",
        "TOCSIN_PAGE_LIMIT": "0",
        **{f"TOCSIN_{name.upper()}": value for name, value in settings.items()},
    }
    begin = _executed(inside, environment, log) if inside else _forked(environment, log)
    running = Served(*await begin, 0, log, host)
    try:
        await _ready(running)
        yield running
    finally:
        if not running.ended.done():
            await running.kill()


async def _forked(environment: dict[str, str], log: Path) -> tuple[int, asyncio.Future[int]]:
    log.touch()
    process = _forks.Process(target=_serve, args=(environment, log), daemon=True)
    process.start()

    async def ended() -> int:
        await asyncio.to_thread(process.join)
        return process.exitcode or 0

    assert process.pid
    return process.pid, asyncio.ensure_future(ended())


def _serve(environment: dict[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(out, stream.fileno())
    from app.cli.serve import serve

    serve([])


async def _executed(inside: Sequence[str], environment: dict[str, str], log: Path) -> tuple[int, asyncio.Future[int]]:
    command = (*inside, sys.executable, "-c", "from app.cli.serve import serve; serve()")
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    return process.pid, asyncio.ensure_future(process.wait())


async def _ready(running: Served) -> None:
    async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(trust_env=False) as web:
        while True:
            if running.ended.done():
                raise RuntimeError(f"the server ended at once:\n{running.log.read_text()}")
            found = re.search(r"http://[0-9.]+:(\d+)", running.log.read_text())
            if found:
                running.port = int(found[1])
                try:
                    if (await web.get(f"{running.url}/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
            await asyncio.sleep(0.02)
