"""Plays a script from its beginning to its end, and says what came of it.

    result = play(write(seed))         # the whole day of that seed
    result = play(script, keep=None)   # with every line of what happened

The same script on the same code gives the same run to the last row: `digest` is over every line of what happened and
every row of every table at the end (T46).
"""

from __future__ import annotations

import gc
import random
import traceback
from dataclasses import dataclass
from typing import Any

import structlog

from app.ids import ProcessIds
from app.store.database import Store
from app.store.migrate import migrate
from tests.sim import machine
from tests.sim.loop import Endless, Life, VirtualLoop
from tests.sim.machine import Disk, SimClock, SimDatabase, Trouble, Watch
from tests.sim.run import Run
from tests.sim.script import Script
from tests.sim.seeds import write

LAST_LINES = 60


@dataclass
class Result:
    """What came of a run."""

    script: Script
    digest: str
    broken: str | None
    lines: list[str]
    facts: dict[str, int]

    @property
    def told(self) -> str:
        """The end of the run for people."""
        return "\n".join(self.lines[-LAST_LINES:])


def play(script: Script, *, keep: int | None = 400) -> Result:
    """Tells a script. `keep`: how many lines of it are kept (None: all)."""
    _prepare()
    collects = gc.isenabled()
    gc.disable()  # a run is short, and a sixth of it went into looking for cycles
    run = Run(script, keep)

    def logged(_: Any, method: str, entry: dict[str, Any]) -> dict[str, Any]:
        level = "error" if method in ("error", "exception", "critical") else method
        if level in ("error", "warning"):
            run.logged({**entry, "level": level, "exc": traceback.format_exc() if entry.get("exc_info") else ""})
        raise structlog.DropEvent

    structlog.configure(processors=[logged])
    try:
        run.loop.run(run.day())
    except Endless as error:
        run.broken = run.broken or f"no progress: {error}"
    finally:
        facts = run.facts()
        broken = run.broken or (f"a callback raised: {run.loop.trouble[0]}" if run.loop.trouble else None)
        digest = run.close()
        structlog.reset_defaults()
        if collects:
            gc.enable()
    return Result(script, digest, broken, list(run.lines), facts)


def play_seed(seed: int) -> Result:
    """The whole day of a seed."""
    return play(write(seed))


def _prepare() -> None:
    """A migrated database is made once a process, and copied by each run."""
    if machine._TEMPLATE:
        return
    loop, disk = VirtualLoop(), Disk()
    chance = random.Random(0)
    database = SimDatabase(disk, Trouble(chance), loop, chance, Life("nobody").effect, lambda _: None)
    clock = SimClock(Watch(loop), 0, disk)
    loop.run(migrate(Store(database, clock, ProcessIds(1))))
    disk.let_go()
    machine.remember_template(disk.raw)
