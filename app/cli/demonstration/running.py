"""The demo's server: `tocsin serve` as a process of its own, on a free port, with all it writes in one temporary folder.

Its pages come back through its standard output, its log goes to a file. Whatever the person has set for a real server
(TOCSIN_...) is kept from it. Must never know what the demo shows.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import app
from app.cli.storage import in_database
from app.cli.trouble import Trouble
from app.clock import Clock
from app.settings import Settings
from app.store.database import Store

LOG: Final = "server.log"
PAGE: Final = " PAGE "
"""In the head of a page, and of no other message."""
READY_WITHIN_S: Final = 30.0
STOPPED_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Written:
    """A page as the console notifier wrote it, and when, in seconds of the clock's steady count."""

    framed: str
    at_s: float


class Running:
    """A server that answers, and the pages it has written since."""

    def __init__(self, process: subprocess.Popen[str], address: str, key: str, clock: Clock) -> None:
        self.address = address
        self.key = key
        self._process = process
        self._pages: queue.SimpleQueue[Written] = queue.SimpleQueue()
        assert process.stdout is not None
        threading.Thread(target=_collect, args=(process.stdout, self._pages, clock), daemon=True).start()

    def page(self, within_s: float) -> Written | None:
        """The next page that the console notifier wrote, waiting for it at most `within_s`."""
        try:
            return self._pages.get(timeout=within_s)
        except queue.Empty:
            return None

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._process.poll() is None


@contextmanager
def server(folder: Path, clock: Clock) -> Iterator[Running]:
    """Starts one in `folder`, stops it at the end. Raises Trouble when it does not come up."""
    url = f"sqlite:///{folder / 'demo.db'}"
    key = in_database(Settings.model_construct(database_url=url), _first_key)
    with (folder / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(os.environ, url),
            cwd=folder,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the demo; the demo stops its server
        )
    try:
        yield Running(process, _address(process, folder / LOG, clock), key, clock)
    finally:
        _stop(process)


async def _first_key(store: Store) -> str:
    from app.cli.key import new_key
    from app.store.migrate import migrate

    await migrate(store)
    return (await new_key(store, "demo", "admin"))[1]


def _environment(outer: Mapping[str, str], url: str) -> dict[str, str]:
    """What is needed to run Python, and the demo's own settings."""
    kept = {name: value for name, value in outer.items() if not name.upper().startswith("TOCSIN_")}
    package = str(Path(app.__file__).resolve().parents[1])
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, (package, outer.get("PYTHONPATH")))),
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "TOCSIN_DATABASE_URL": url,
        "TOCSIN_HOST": "127.0.0.1",
        "TOCSIN_PORT": "0",
        "TOCSIN_LOG_FORMAT": "json",
        "TOCSIN_DRAIN_S": "2",
    }


def _address(process: subprocess.Popen[str], log: Path, clock: Clock) -> str:
    """Where it listens, as its log says once it is ready. Raises Trouble."""
    pause, until_s = threading.Event(), clock.monotonic() + READY_WITHIN_S
    while process.poll() is None and clock.monotonic() < until_s:
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"event":"ready"' in line:
                return str(json.loads(line)["address"])
        pause.wait(LOOK_EVERY_S)
    last = log.read_text(encoding="utf-8").strip().splitlines()[-1:] or ["(nothing in its log)"]
    raise Trouble(f"the demo's server did not come up: {last[0]}")


def _collect(stream: IO[str], pages: queue.SimpleQueue[Written], clock: Clock) -> None:
    """Cuts what the console notifier writes into pages: each ends with its lower frame. Other messages are passed over."""
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        if line.startswith(("└", "+--")):
            if any(line.startswith(("┌", "+")) and PAGE in line for line in lines):
                pages.put(Written("".join(lines), clock.monotonic()))
            lines = []


def _stop(process: subprocess.Popen[str]) -> None:
    # The end is quick and has to be whole: a second Ctrl-C would leave the server behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
