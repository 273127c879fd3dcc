"""Measures what it costs to decide which alerts belong together, inside the real ingest, in a storm.

    python3 dev.py bench-deciding                          a region goes dark; both databases, medians of three runs
    python3 dev.py bench-deciding --stream stream.jsonl    any stream that `tocsin replay` reads

In this process: the deed of ingest with all that it reads and writes, 64 messages a transaction, on the stream's own clock;
messages are read beforehand. A decision is an alert that opened an incident or joined one; what else is told repeats or ends
alerts. CPU is of this process and of the
database's. The same stream where a rule decides (`grouping` by service) stands beside it, of the same run: read the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from app.cli.replaying.clock import ReplayClock
from app.cli.replaying.stream import Post, posts
from app.clock import SECOND
from app.dedup.arrival import Arrival, read
from app.dedup.directory import Directory
from app.dedup.ingest import ingest
from app.dedup.tables import alerts
from app.ids import ProcessIds
from app.incidents.service import Grouping, Service
from app.incidents.tables import incidents
from app.sources import registry
from app.sources.event import Received
from app.sources.integration import Integration
from app.store import resources
from app.store.database import Reading
from app.store.migrate import migrate
from app.store.opening import open_store
from bench.__main__ import Figures
from bench.target import Target
from tests.harness.postgres import cluster

BEGAN = 1_767_225_600 * SECOND
TOGETHER = 64
"""Messages of one transaction: what queues up in a storm while the one before is written."""
By = Literal["evidence", "service"]


def storm() -> Iterator[Post]:
    """Ten minutes in which one of two regions goes dark: 18,000 alerts of nodes, pods and services, in messages of up to 30."""
    chance = random.Random(7)
    services = [
        f"{name}-{kind}" for name in ("cart", "pay", "mail", "search", "stock", "user") for kind in ("api", "db")
    ]
    for number in range(600 * 2):
        region = "eu" if chance.random() < 0.95 else "us"
        place = f"{region}-{chance.randrange(1, 4)}"
        check, of = chance.choice([("NodeNotReady", "node"), ("PodCrashLooping", "pod"), ("HighErrorRate", "service")])
        told = [_alert(check, of, region, place, services, chance) for _ in range(chance.randrange(1, 30))]
        body = json.dumps({"version": "4", "status": "firing", "alerts": told}).encode()
        yield Post(number / 2, "alertmanager", f"prometheus-{place}", body)


def _alert(check: str, of: str, region: str, place: str, services: list[str], chance: random.Random) -> dict[str, Any]:
    service, node = chance.choice(services), f"{place}-node-{chance.randrange(400)}"
    pod = f"{service}-6d4b7{chance.randrange(100, 999)}b-{chance.randrange(10_000, 99_999)}"
    named = {"node": {"node": node}, "pod": {"pod": pod, "node": node}, "service": {"service": service, "pod": pod}}[of]
    labels = {"alertname": check, "severity": "critical", "region": region, "cluster": place, "env": "prod", **named}
    said = {
        "summary": f"{check} of {next(iter(named.values()))}",
        "description": f"since the uplink of {place} is gone",
    }
    return {"status": "firing", "labels": labels, "annotations": said, "startsAt": "2026-01-01T00:00:00Z"}


class Stage:
    """A database with one service, to which every sender of a stream belongs."""

    def __init__(self, url: str) -> None:
        self.clock = ReplayClock(BEGAN)
        self.store = open_store(url, self.clock, ProcessIds())
        self.sources = registry.installed()
        self.directory = Directory(self.store, partial(registry.stored_settings, self.sources))
        self.senders: dict[str, int] = {}
        self.service = 0

    async def begin(self, by: By, stream: list[Post]) -> None:
        """Everything that is configured."""
        await migrate(self.store)
        self.service = await self._make("service", Service(name="shop", grouping=Grouping(by=by)))
        for name, kind in sorted({(post.integration, post.source) for post in stream}):
            document = Integration(name=name, kind=kind, service_id=str(self.service))
            self.senders[name] = await self._make("integration", document)
        await self.store.read(self.directory.refresh)

    async def _make(self, kind: str, document: Any) -> int:
        made = await self.store.write(resources.create, kind, document.name, document.model_dump(mode="json"), "bench")
        return made.id

    def read(self, post: Post) -> Arrival:
        """A message, read and digested."""
        inlet = self.directory.view.by_id[self.senders[post.integration]]
        return read(self.sources[post.source], inlet, Received(post.body), BEGAN + int(post.at_s * SECOND))

    async def take(self, at_s: float, arrivals: list[Arrival]) -> None:
        """One transaction."""
        self.clock.move_to(BEGAN + int(at_s * SECOND))
        await self.store.write(ingest, self.directory, arrivals)
        self.directory.memory.committed()


async def _counted(view: Reading) -> tuple[int, int]:
    placed = select(func.count()).where(alerts.c.incident_id.is_not(None))
    many = select(func.count()).select_from(incidents)
    return (await view.conn.execute(placed)).scalar_one(), (await view.conn.execute(many)).scalar_one()


async def run(figures: Figures, name: str, url: str, by: By, stream: list[Post], database: Target) -> None:
    """One pass over the stream."""
    stage = Stage(url)
    try:
        await stage.begin(by, stream)
        groups = [stream[first : first + TOGETHER] for first in range(0, len(stream), TOGETHER)]
        taken = [(group[-1].at_s, [stage.read(post) for post in group]) for group in groups]
        gc.collect()
        began, other = time.process_time(), database.cpu_s()
        for at_s, arrivals in taken:
            await stage.take(at_s, arrivals)
        spent = time.process_time() - began + database.cpu_s() - other
        placed, opened = await stage.store.read(_counted)
    finally:
        await stage.store.close()
    came = sum(len(one.prepared) for _, arrivals in taken for one in arrivals)
    figures.add(
        name, came=came, came_s=came / spent, placed=placed, placed_s=placed / spent, opened=opened, spent_s=spent
    )


def show(figures: Figures) -> None:
    """The table."""
    table = Table(title="Deciding which alerts belong together, inside ingest", title_justify="left")
    columns = ("", "CPU s", "alerts told", "a CPU second", "decisions", "a CPU second", "incidents")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    for name in figures.rows:
        found = figures.median(name)
        whole = [f"{found[one]:,.0f}" for one in ("came", "came_s", "placed", "placed_s", "opened")]
        table.add_row(name, f"{found['spent_s']:.2f}", *whole)
    Console(width=110).print(table)


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--stream", type=Path)
    asked = parser.parse_args()
    stream = list(posts(asked.stream) if asked.stream else storm())
    ways: tuple[By, ...] = ("evidence", "service")
    figures = Figures()
    nothing = Target("none", 0, "", "", ())
    for _ in range(asked.runs):
        if asked.only != "postgresql":
            for by in ways:
                with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
                    url = f"sqlite:///{folder}/tocsin.db"
                    asyncio.run(run(figures, f"SQLite, by {by}", url, by, stream, nothing))
        if asked.only != "sqlite":
            with cluster("fsync=on") as server:
                target = Target("postgresql", 0, "", "", (server.process.pid,) if server.process else ())
                for by in ways:
                    asyncio.run(run(figures, f"PostgreSQL, by {by}", server.fresh(), by, stream, target))
    show(figures)


if __name__ == "__main__":
    main()
