"""What is measured: Tocsin as a user starts it, Alertmanager when it is installed, and a server that does nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Target:
    """A running server and where its generator posts to."""

    name: str
    port: int
    path: str
    form: str
    pids: tuple[int, ...]

    def cpu_s(self) -> float:
        """CPU seconds used so far by the server and its database."""
        return sum(_cpu_s(pid) for root in self.pids for pid in _family(root))

    def peak_mb(self) -> float:
        """The most memory the server itself ever held, in MB (VmHWM)."""
        return _status_kb(self.pids[0], "VmHWM") / 1024

    def now_mb(self) -> float:
        """What the server itself holds now, in MB (VmRSS)."""
        return _status_kb(self.pids[0], "VmRSS") / 1024


def _status_kb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return float(line.split()[1])
    return 0.0


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _family(root: int) -> list[int]:
    """A process and all that it started, however deep."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += parents.get(pid, [])
    return found


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes]) -> float:
    """Seconds until `url` answers 200."""
    began = time.perf_counter()
    with httpx.Client(trust_env=False) as web:
        while time.perf_counter() - began < 60:
            try:
                if web.get(url).status_code == 200:
                    return time.perf_counter() - began
            except httpx.TransportError:
                pass
            if process.poll() is not None:
                raise SystemExit(f"the server ended with status {process.returncode}")
            time.sleep(0.01)
    raise SystemExit(f"{url} did not answer within a minute")


@contextmanager
def _process(command: list[str], folder: Path, name: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@dataclass
class Configured:
    """A Tocsin with one service, one integration and one person with a webhook."""

    target: Target
    start_s: float
    rest_mb: float
    url: str
    paged_path: str
    """Where each alert is an incident of its own."""
    headers: dict[str, str]
    """An admin's."""


@contextmanager
def tocsin(
    folder: Path, database_url: str, phone: str, database_pid: int | None, **settings: str
) -> Iterator[Configured]:
    """Starts Tocsin with `tocsin serve` and configures it by its API, as a user would."""
    port = free_port()
    environment = {
        "TOCSIN_DATABASE_URL": database_url,
        "TOCSIN_PORT": str(port),
        "TOCSIN_LOG_FORMAT": "json",
        "TOCSIN_LOG_LEVEL": "warning",
        "TOCSIN_OUTBOUND_ALLOW": "127.0.0.1/32",
        "TOCSIN_PAGE_LIMIT": "0",
        **settings,
    }
    with _process([sys.executable, "-m", "app", "serve"], folder, "tocsin", **environment) as process:
        start_s = _await(f"http://127.0.0.1:{port}/readyz", process)
        made = subprocess.run(
            [sys.executable, "-m", "app", "key", "create", "--name", "bench", "--role", "admin"],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
            text=True,
        )
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        pids = (process.pid,) if database_pid is None else (process.pid, database_pid)
        url = f"http://127.0.0.1:{port}"
        grouped, alone = _configure(url, headers, phone)
        target = Target("tocsin", port, grouped, "webhook", pids)
        yield Configured(target, start_s, target.now_mb(), url, alone, headers)


def _configure(url: str, headers: dict[str, str], phone: str) -> tuple[str, str]:
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as web:

        def create(resource: str, **document: Any) -> dict[str, Any]:
            answer = web.post(f"/v1/{resource}", json=document)
            answer.raise_for_status()
            return dict(answer.json())

        method = {"kind": "webhook", "label": "phone", "address": {"url": phone}}
        person = create("people", name="Ana", contact_methods=[method])
        levels = [{"targets": [{"kind": "person", "id": person["id"]}], "delay_s": 86_400}]
        policy = create("policies", name="default", levels=levels)
        service = create("services", name="checkout", policy_id=policy["id"])
        integration = create("integrations", name="alertmanager", kind="alertmanager", service_id=service["id"])
        alone = create("services", name="alone", policy_id=policy["id"], grouping={"by": "alert"})
        paged = create("integrations", name="paged", kind="alertmanager", service_id=alone["id"])
    grouped, alone_ = ("/" + str(made["url"]).split("/", 3)[3] for made in (integration, paged))
    return grouped, alone_


@contextmanager
def alertmanager(folder: Path) -> Iterator[Target | None]:
    """Debian's prometheus-alertmanager, memory only, or None when it is not installed."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        yield None
        return
    config = folder / "alertmanager.yml"
    config.write_text("route:\n  receiver: none\nreceivers:\n  - name: none\n")
    port = free_port()
    command = [
        program,
        f"--config.file={config}",
        f"--storage.path={folder / 'am'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    with _process(command, folder, "alertmanager") as process:
        _await(f"http://127.0.0.1:{port}/-/ready", process)
        yield Target("alertmanager", port, "/api/v2/alerts", "alertmanager", (process.pid,))


@contextmanager
def null(folder: Path) -> Iterator[Target]:
    """A server that reads a request and answers 202 without looking: what the generator can do."""
    port = free_port()
    with _process([sys.executable, "-m", "bench.null", str(port)], folder, "null") as process:
        _await(f"http://127.0.0.1:{port}/", process)
        yield Target("null", port, "/", "webhook", (process.pid,))
