"""Runs real faults, many times, and prints what came of them.

    python3 dev.py torture                                   each fault on each database, as often as TIMES says
    python3 dev.py torture --only kill --times 1000          one of them
    sudo python3 dev.py torture --only disk_full             those that need root say so

Each line is one fault on one database: how often, what was answered, stored, paged, and what came twice. The exit code is 1
when any promise was not kept. Servers are `tocsin serve` in processes of their own; PostgreSQL flushes (fsync=on).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from app.store.errors import StoreError
from tests.harness.machine import NeedsRoot
from tests.harness.postgres import cluster
from tests.torture.faults import ON_POSTGRESQL, ON_SQLITE, Fault, Place

TIMES = {"kill": 1_000, "crash_postgres": 200, "freeze": 20, "replace": 50, "silence_in_a_room": 10, "silence": 10}
OTHERWISE = 20


def main() -> int:
    """Answers the exit code."""
    parser = argparse.ArgumentParser(prog="python3 dev.py torture", description="real faults on real servers")
    parser.add_argument(
        "--only", action="append", choices=sorted({*ON_SQLITE, *ON_POSTGRESQL}), help="these faults alone"
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="one database alone")
    parser.add_argument("--times", type=int, help="how often, instead of what each fault has of its own")
    asked = parser.parse_args()
    kept = True
    for kind, faults in (("sqlite", ON_SQLITE), ("postgresql", ON_POSTGRESQL)):
        for name, fault in faults.items():
            if asked.database in (None, kind) and (not asked.only or name in asked.only):
                kept &= _tried(kind, name, fault, asked.times or TIMES.get(name, OTHERWISE))
    return 0 if kept else 1


def _tried(kind: str, name: str, fault: Fault, times: int) -> bool:
    print(f"{name} on {kind}, {times} times", file=sys.stderr, flush=True)
    began = time.monotonic()
    said: dict[str, object]
    try:
        with tempfile.TemporaryDirectory(prefix="tocsin-torture-") as made:
            said = _run(kind, fault, times, Path(made))
    except (AssertionError, NeedsRoot, StoreError, TimeoutError) as error:
        said = {"kept": False, "error": f"{type(error).__name__}: {error}"}
    took_s = round(time.monotonic() - began, 1)
    print(json.dumps({"fault": name, "database": kind, "times": times, "took_s": took_s, **said}), flush=True)
    return bool(said["kept"])


def _run(kind: str, fault: Fault, times: int, folder: Path) -> dict[str, object]:
    if kind == "sqlite":
        found = asyncio.run(fault(Place(f"sqlite:///{folder}/tocsin.db", folder), times))
    else:
        with cluster("fsync=on") as server:
            found = asyncio.run(fault(Place(server.fresh(), folder, server), times))
    return {"kept": found.kept, **asdict(found)}


if __name__ == "__main__":
    sys.exit(main())
