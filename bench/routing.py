"""Measures rules, silences and inhibition: does what does not concern an alert cost it anything?

    python3 dev.py bench-routing                        SQLite, medians of three runs
    python3 dev.py bench-routing --only postgresql --runs 1

In this process, the deeds alone: CPU microseconds an alert of ingest (requests of 100 new alerts), and of the question that
the escalation asks before each level. Each figure stands beside the same one with nothing configured: read the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.clock import DAY, SystemClock, iso
from app.dedup.arrival import Arrival, read
from app.dedup.directory import Directory
from app.dedup.ingest import ingest
from app.ids import ProcessIds
from app.incidents import ledger
from app.incidents.incident import Incident
from app.incidents.service import Grouping, Service
from app.routing.inhibition import Inhibition
from app.routing.quieting import Quieting, quiet_of
from app.routing.rule import Rule
from app.routing.silence import Silence
from app.sources import registry
from app.sources.event import Received
from app.sources.integration import Integration
from app.store import resources
from app.store.database import Reading, Store
from app.store.migrate import migrate
from app.store.opening import open_store
from bench.__main__ import Figures
from tests.harness.postgres import cluster

OPEN = 100
"""Requests of 100 alerts that are open before anything is measured."""
MEASURED = 60
ASKED = 300
HOSTS = 50


@dataclass
class Place:
    """A store with one service, and what its ingest needs."""

    store: Store
    directory: Directory
    integration_id: int
    sent: int = 0

    def request(self) -> Arrival:
        """The next 100 new alerts, read and digested."""
        self.sent += 1
        inlet = self.directory.view.by_id[self.integration_id]
        alerts = [_alert(f"{self.sent}-{place}", place) for place in range(100)]
        body = json.dumps({"version": "4", "alerts": alerts}).encode()
        return read(registry.installed()["alertmanager"], inlet, Received(body), self.store.clock.now())


def _alert(name: str, place: int) -> dict[str, Any]:
    labels = {
        "alertname": f"Pod{place}Crash",
        "severity": "critical",
        "instance": f"{name}:9100",
        "pod": f"p-{name}",
        "node": f"n{place % HOSTS}",
        "cluster": "eu-1",
        "namespace": "shop",
        "job": "kubelet",
        "team": "web",
        "env": "prod",
        "region": "eu",
        "zone": "a",
    }
    annotations = {"summary": "something is wrong", "description": "x" * 80, "runbook_url": "https://r.example/x"}
    return {"status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2026-01-05T00:00:00Z"}


async def _make(store: Store, kind: str, document: Any) -> int:
    made = await store.write(resources.create, kind, document.name, document.model_dump(mode="json"), "bench")
    return made.id


async def _place(url: str) -> Place:
    clock, ids = SystemClock(), ProcessIds()
    store = open_store(url, clock, ids)
    await migrate(store)
    service = await _make(store, "service", Service(name="shop", grouping=Grouping(by="labels", labels=("node",))))
    sender = await _make(store, "integration", Integration(name="am", kind="alertmanager", service_id=str(service)))
    place = Place(store, Directory(store, partial(registry.stored_settings, registry.installed())), sender)
    await store.read(place.directory.refresh)
    return place


async def _fill(place: Place, requests: int) -> float:
    """CPU microseconds an alert."""
    arrivals = [place.request() for _ in range(requests)]
    began = time.process_time()
    for arrival in arrivals:
        await place.store.write(ingest, place.directory, [arrival])
    return (time.process_time() - began) / requests / 100 * 1e6


async def _rules(place: Place) -> None:
    """1,000 rules about other alerts."""
    for one in range(1_000):
        when = (f'alertname="Other{one}"', 'severity=~"crit.*|error"')
        await _make(
            place.store, "rule", Rule.model_validate({"name": f"r{one}", "when": when, "then": {"category": "x"}})
        )


async def _concerned(place: Place) -> None:
    """5 rules about all of these."""
    for one in range(5):
        then = {"labels": {f"l{one}": "{node}"}}
        document = {"name": f"c{one}", "when": ('job="kubelet"', 'node=~"n[0-9]+"'), "then": then}
        await _make(place.store, "rule", Rule.model_validate(document))


async def _inhibitions(place: Place) -> None:
    """100 rules by which every tenth of these alerts inhibits others."""
    for one in range(100):
        source = (f'alertname="Pod{one * 10}Crash"',)
        document = {"name": f"i{one}", "source": source, "target": (f'alertname="Pod{one}Crash"',), "equal": ("node",)}
        await _make(place.store, "inhibition", Inhibition.model_validate(document))


async def _silences(place: Place) -> None:
    """1,000 silences over other alerts."""
    now = place.store.clock.now()
    said = {"comment": "bench", "starts_at": iso(now), "ends_at": iso(now + DAY)}
    for one in range(1_000):
        matchers = (f'alertname="Other{one}"', 'job=~"kube.*"')
        await _make(place.store, "silence", Silence.model_validate({"name": f"s{one}", "matchers": matchers, **said}))


async def _incidents(view: Reading) -> list[Incident]:
    rows = await view.conn.exec_driver_sql("SELECT id FROM incidents ORDER BY id LIMIT 100")
    return list((await ledger.load(view, [row[0] for row in rows])).values())


async def _asking(place: Place) -> float:
    """Microseconds (CPU) of the question whether an incident is quiet."""
    quieting = Quieting()
    incidents = await place.store.read(_incidents)

    async def ask(view: Reading) -> None:
        book = await quieting.book(view)
        for one in range(ASKED):
            await quiet_of(view, book, incidents[one % len(incidents)])

    await place.store.read(ask)
    began = time.process_time()
    await place.store.read(ask)
    return (time.process_time() - began) / ASKED * 1e6


async def _over_all(place: Place) -> None:
    """One silence over all of these alerts."""
    now = place.store.clock.now()
    said = {"name": "kubelet", "comment": "bench", "starts_at": iso(now), "ends_at": iso(now + DAY)}
    await _make(place.store, "silence", Silence.model_validate({**said, "matchers": ('job="kubelet"',)}))


STEPS: tuple[tuple[str, Callable[[Place], Awaitable[None]] | None], ...] = (
    ("nothing configured", None),
    ("+ 1,000 rules about others", _rules),
    ("+ 5 rules about each", _concerned),
    ("+ 100 rules of inhibition", _inhibitions),
    ("+ 1,000 silences over others", _silences),
    ("+ a silence over all of them", _over_all),
)


async def run(figures: Figures, url: str) -> None:
    """One run on a fresh database."""
    place = await _place(url)
    await _fill(place, OPEN)
    for name, configure in STEPS:
        if configure is not None:
            await configure(place)
            await place.store.read(place.directory.refresh)
        figures.add(name, ingest=await _fill(place, MEASURED), asked=await _asking(place))
    await place.store.close()


def show(figures: Figures, label: str) -> None:
    """The table."""
    table = Table(title=f"{label}: {OPEN * 100:,} alerts open before; CPU microseconds, and as a multiple of nothing")
    for column in ("", "ingest, an alert", "x", "is it quiet?", "x"):
        table.add_column(column, justify="left" if not column else "right")
    first = figures.median(STEPS[0][0])
    for name, _ in STEPS:
        found = figures.median(name)
        table.add_row(
            name,
            f"{found['ingest']:.1f}",
            f"{found['ingest'] / first['ingest']:.2f}",
            f"{found['asked']:.0f}",
            f"{found['asked'] / max(first['asked'], 0.1):.1f}",
        )
    Console(width=120).print(table)


@contextmanager
def _urls(only: str) -> Iterator[Callable[[], str]]:
    if only == "postgresql":
        with cluster("fsync=off") as server:
            yield server.fresh
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        yield lambda: f"sqlite:///{Path(folder, f'{time.monotonic_ns()}.db')}"


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["sqlite", "postgresql"], default="sqlite")
    asked = parser.parse_args()
    figures = Figures()
    with _urls(asked.only) as fresh:
        for _ in range(asked.runs):
            asyncio.run(run(figures, fresh()))
    show(figures, asked.only)


if __name__ == "__main__":
    main()
