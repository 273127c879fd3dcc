"""A pgbouncer in transaction mode before a PostgreSQL of the tests' own: each transaction may run on another connection."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.postgres import NOBODY, Cluster
from tests.harness.providers import free_port

CONNECTIONS = 3
"""Fewer than one process of Tocsin opens, so that they are really shared."""
STARTED_WITHIN_S = 20


class NoPgbouncer(Exception):
    """It is not installed; the text says how to get it."""


@contextmanager
def pooled(cluster: Cluster, folder: Path) -> Iterator[str]:
    """The address of all databases of the server by way of the pooler, to be ended with a name. Raises NoPgbouncer."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise NoPgbouncer("pgbouncer is not installed (apt-get install pgbouncer)")
    port = free_port()
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={cluster.socket.parent} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\nmax_client_conn = 200\n"
    )
    command = [program, "-q", str(config)]
    if os.geteuid() == 0:
        # It refuses to run as root; nobody must be able to read its file.
        folder.chmod(0o755)
        nobody = pwd.getpwnam(NOBODY)
        shutil.copyfile(config, config := cluster.folder / f"pgbouncer-{port}.ini")
        command = [program, "-q", "-u", nobody.pw_name, str(config)]
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
    try:
        _await_start(process, port, folder / "pgbouncer.log")
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


def _await_start(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    limit = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > limit:
                raise NoPgbouncer(f"pgbouncer did not start:\n{log.read_text(errors='replace')[-1_000:]}") from None
            time.sleep(0.02)
