"""Measures the queue: does work that waits make work that is due any dearer or later?

    python3 dev.py bench-queue                        both databases, 1,000,000 waiting jobs, medians of three runs
    python3 dev.py bench-queue --only sqlite --runs 1
    python3 dev.py bench-queue --part claiming        a few minutes; CPU, which a busy machine hardly falsifies

Each figure is taken beside the same figure with 1,000 waiting jobs in the same run, because wall times vary with the
machine's mood: read the ratio. The server under test is `tocsin serve` in a process of its own, its pages go to a phone in
another, and lateness is counted from the instant a row was due to the instant the phone's socket was rung.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from app.clock import SECOND, SystemClock
from app.ids import ProcessIds
from app.store import jobs
from app.store.database import Store
from app.store.migrate import migrate
from app.store.opening import open_store
from bench import waiting
from bench.__main__ import RUN, Figures, phone
from bench.load import quantile
from bench.target import Configured, Target, free_port, tocsin
from tests.harness.postgres import cluster

PARTS = ("claiming", "serving")
FEW = 1_000
CLAIMS = 200
HANDS = 16
RATE = 200
"""Due jobs a second."""
STEPS = 100
STEP_EVERY_S = 0.3
STORM = 10_000
STORM_PORTION = 2_000
TEAMS = 40
PAGE_EVERY_S = 0.1
AHEAD = 3 * SECOND
"""Rows are written so long before the first of them is due."""


async def claiming(store: Store) -> dict[str, float]:
    """What the worker asks of the queue, in milliseconds, with this process as the only worker.

    Beside it the CPU of a whole round (16 jobs added, claimed, finished; what is next, how many are due), the database's too.
    """
    everything = Target("this process and its database", 0, "", "", (os.getpid(),))
    before = everything.cpu_s()
    took: dict[str, list[float]] = {"claim 16": [], "finish": [], "look": [], "backlog": []}

    async def timed(name: str, asked: Awaitable[object]) -> object:
        began = time.perf_counter()
        answer = await asked
        took[name].append((time.perf_counter() - began) * 1_000)
        return answer

    for _ in range(CLAIMS):
        await store.write(jobs.add, [jobs.NewJob("measured", 1, store.clock.now() - 1) for _ in range(HANDS)])
        began = time.perf_counter()
        taken = await store.write(jobs.claim, HANDS, 30 * SECOND)
        took["claim 16"].append((time.perf_counter() - began) * 1_000)
        await timed("look", store.read(jobs.next_due))
        await timed("backlog", store.read(jobs.backlog))
        for job in taken:
            await timed("finish", store.write(jobs.finish, job))
    spent = everything.cpu_s() - before
    return {**{name: quantile(values, 0.5) for name, values in took.items()}, "round, CPU": spent / CLAIMS * 1_000}


def rung(process: subprocess.Popen[str]) -> dict[str, float]:
    """When each title first rang, in seconds since the epoch."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("tell\n")
    process.stdin.flush()
    found = json.loads(process.stdout.readline())
    return {title.split(" ", 1)[1]: at for title, at in found.items()}


def lateness(name: str, due: list[int], process: subprocess.Popen[str]) -> dict[str, float]:
    """Waits until all have rung, or ten seconds longer than that should take; then how late they were, in ms."""
    until = due[-1] / SECOND + 10
    while True:
        late = [(at - due[int(title.rsplit("-", 1)[1])] / SECOND) * 1_000 for title, at in _of(name, process)]
        if len(late) == len(due) or time.time() > until:
            break
        time.sleep(0.2)
    lost = float(len(due) - len(late))
    return {"p50": quantile(late, 0.5), "p99": quantile(late, 0.99), "most": max(late, default=0.0), "missing": lost}


def _of(name: str, process: subprocess.Popen[str]) -> list[tuple[str, float]]:
    return [(title, at) for title, at in rung(process).items() if title.startswith(f"{name}-")]


def teams(made: Configured, many: int) -> list[str]:
    """Other teams: a service each, and where its alerts are posted to."""
    with httpx.Client(base_url=made.url, headers=made.headers, trust_env=False) as web:

        def create(resource: str, **document: Any) -> dict[str, Any]:
            answer = web.post(f"/v1/{resource}", json=document)
            answer.raise_for_status()
            return dict(answer.json())

        policy = web.get("/v1/policies").raise_for_status().json()["items"][0]["id"]
        paths = []
        for _ in range(many):
            name = f"team {next(RUN)}"
            service = create("services", name=name, policy_id=policy, grouping={"by": "alert"})
            way_in = create("integrations", name=name, kind="alertmanager", service_id=service["id"])
            paths.append("/" + str(way_in["url"]).split("/", 3)[3])
        return paths


def paged(name: str, made: Configured, rings: subprocess.Popen[str], paths: list[str]) -> dict[str, float]:
    """From the POST of an alert of each of these teams to the phone, one at a time, in ms."""
    sent: dict[str, float] = {}
    with httpx.Client(base_url=made.url, trust_env=False) as web:
        for place, path in enumerate(paths):
            title = f"{name}-{place}"
            labels = {"alertname": title, "severity": "critical"}
            sent[title] = time.time()
            body = {"version": "4", "alerts": [{"status": "firing", "labels": labels}]}
            while web.post(path, json=body).status_code == 503:
                time.sleep(PAGE_EVERY_S)  # as senders do; it counts as late
            time.sleep(PAGE_EVERY_S)
    time.sleep(2)
    late = [(at - sent[title]) * 1_000 for title, at in _of(name, rings)]
    missing = float(len(paths) - len(late))
    return {"p50": quantile(late, 0.5), "most": max(late, default=0.0), "missing": missing}


async def fairness(store: Store, made: Configured, rings: subprocess.Popen[str]) -> tuple[dict[str, float], ...]:
    """How long other teams' first pages take, on an idle server and in a storm of one service; and the storm itself."""
    paths = await asyncio.to_thread(teams, made, TEAMS)
    idle = await asyncio.to_thread(paged, "calm", made, rings, paths)
    to = await store.read(waiting.reader)
    began = time.perf_counter()
    for _ in range(STORM // STORM_PORTION):
        await store.write(waiting.storm, STORM_PORTION, to.service_id)
    amid = await asyncio.to_thread(paged, "amid", made, rings, paths)
    left = (await store.read(jobs.backlog)).due
    while (await store.read(jobs.backlog)).due:  # noqa: ASYNC110 - it is another process that works it off
        await asyncio.sleep(0.5)
    took = time.perf_counter() - began
    return idle, {**amid, "storm_left": float(left)}, {"incidents": float(STORM), "took_s": took}


async def _serving(
    figures: Figures, label: str, store: Store, made: Configured, rings: subprocess.Popen[str], seconds: int
) -> None:
    """Levels of an idle server, then pages at RATE."""
    to = await store.read(waiting.reader)
    first = store.clock.now() + AHEAD
    due = [first + int(place * STEP_EVERY_S * SECOND) for place in range(STEPS)]
    await store.write(waiting.levels, "level", due, to.service_id)
    figures.add(f"{label}: level told, idle", **await asyncio.to_thread(lateness, "level", due, rings))
    first = store.clock.now() + AHEAD
    due = [first + place * SECOND // RATE for place in range(RATE * seconds)]
    await store.write(waiting.due_pages, "page", due, to)
    before = made.target.cpu_s()
    seen = await asyncio.to_thread(lateness, "page", due, rings)
    spent = made.target.cpu_s() - before
    figures.add(f"{label}: {RATE} pages a second", **seen, cpu_ms_each=spent / len(due) * 1_000)
    idle, amid, storm = await fairness(store, made, rings)
    figures.add(f"{label}: first pages of others, idle", **idle)
    figures.add(f"{label}: first pages of others, in a storm of {STORM:,} incidents", **amid)
    figures.add(f"{label}: the storm", **storm)
    figures.add(f"{label}: memory", mb=made.target.now_mb())


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Callable[[], tuple[str, int | None]]]:
    """Makes empty databases of a kind: their address, and the process to count CPU of beside the server's."""
    if kind == "sqlite":
        names = iter(range(100))
        yield lambda: (f"sqlite:///{folder}/{next(names)}.db", None)
        return
    with cluster("fsync=on", "synchronous_commit=on", "shared_buffers=256MB") as server:
        yield lambda: (server.fresh(), server.process.pid if server.process else None)


async def _with_store(url: str, work: Callable[[Store], Awaitable[None]]) -> None:
    store = open_store(url, SystemClock(), ProcessIds())
    try:
        await migrate(store)
        await work(store)
    finally:
        await store.close()


def measure(figures: Figures, kind: str, folder: Path, many: int, seconds: int, parts: Sequence[str]) -> None:
    """The same with few and with many waiting jobs."""
    with database(kind, folder) as fresh:
        for count in (FEW, many):
            label = f"{kind}, {count:,} waiting"
            url, pid = fresh()

            async def alone(store: Store, count: int = count, label: str = label) -> None:
                await waiting.wait(store, count, count // 10)
                if "claiming" in parts:
                    figures.add(f"{label}: queue", **await claiming(store))

            asyncio.run(_with_store(url, alone))
            if "serving" not in parts:
                continue
            port = free_port()
            with phone(port) as rings, tocsin(folder, url, f"http://127.0.0.1:{port}/", pid) as made:
                asyncio.run(_with_store(url, partial(_served, figures, label, made, rings, seconds)))


async def _served(
    figures: Figures, label: str, made: Configured, rings: subprocess.Popen[str], seconds: int, store: Store
) -> None:
    await _serving(figures, label, store, made, rings, seconds)


def show(figures: Figures, kinds: list[str], many: int, runs: int) -> None:
    """One table a database: few, many, and the ratio."""
    for kind in kinds:
        table = Table(title=f"{kind}: the queue, medians of {runs} run(s)", title_justify="left")
        for name in ("what", f"{FEW:,} waiting", f"{many:,} waiting", "ratio"):
            table.add_column(name, justify="left" if name == "what" else "right")
        few, lots = f"{kind}, {FEW:,} waiting: ", f"{kind}, {many:,} waiting: "
        for name in [one.removeprefix(few) for one in figures.rows if one.startswith(few)]:
            small, large = figures.median(few + name), figures.median(lots + name)
            for key, value in small.items():
                ratio = f"{large[key] / value:.2f}" if value else ""
                table.add_row(f"{name}: {key}", f"{value:,.2f}", f"{large[key]:,.2f}", ratio)
        Console(width=120).print(table)


def main() -> None:
    """Runs what was asked."""
    parser = argparse.ArgumentParser(prog="bench.queue", description="Measure the queue with many jobs waiting.")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is shown")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="one database alone")
    parser.add_argument("--part", choices=PARTS, help="one part alone")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="how many jobs wait; a tenth as many incidents")
    parser.add_argument("--seconds", type=int, default=20, help=f"how long {RATE} pages a second are due")
    asked = parser.parse_args()
    kinds = [asked.only] if asked.only else ["sqlite", "postgresql"]
    figures = Figures()
    for run in range(asked.runs):
        print(f"run {run + 1} of {asked.runs}", file=sys.stderr, flush=True)
        for kind in kinds:
            folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
            try:
                measure(figures, kind, folder, asked.waiting, asked.seconds, [asked.part] if asked.part else PARTS)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    show(figures, kinds, asked.waiting, asked.runs)


if __name__ == "__main__":
    main()
