"""Measures ingest and page latency, and prints a table.

    python3 dev.py bench                     everything, on both databases, medians of three runs
    python3 dev.py bench --runs 1 --only sqlite

Wall rates of anything with a database vary with the machine's mood: read them beside `null` (what the generator can do)
and Alertmanager (memory only) of the same run, and steer by CPU seconds per 1,000 alerts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from bench.load import quantile
from bench.target import ROOT, Configured, Target, alertmanager, free_port, null, tocsin
from tests.harness.postgres import cluster

RUN = itertools.count(int(time.time()))


@dataclass
class Figures:
    """Medians of several runs, by name."""

    rows: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def add(self, name: str, **values: float) -> None:
        self.rows.setdefault(name, []).append(values)

    def median(self, name: str) -> dict[str, float]:
        runs = self.rows[name]
        return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def load(
    target: Target, folder: Path, *, each: int, posts: int, connections: int, times: int = 1, run: str = ""
) -> Any:
    """One run of the generator in its own process; answers what it saw, with the server's CPU beside it."""
    plan = folder / f"plan-{next(RUN)}.json"
    plan.write_text(
        json.dumps(
            {
                "form": target.form,
                "host": "127.0.0.1",
                "port": target.port,
                "path": target.path,
                "run": run or str(next(RUN)),
                "alerts_per_post": each,
                "posts": posts,
                "connections": connections,
                "times": times,
            }
        )
    )
    command = [sys.executable, "-m", "bench.load", str(plan)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as generator:
        assert generator.stdin is not None
        assert generator.stdout is not None
        generator.stdout.readline()
        before = target.cpu_s()
        generator.stdin.write("go\n")
        generator.stdin.flush()
        seen = json.loads(generator.stdout.readline())
        seen["server_cpu_s"] = target.cpu_s() - before
    wrong = {code: many for code, many in seen["answers"].items() if code not in ("200", "202")}
    if wrong:
        print(f"  {target.name}: answers other than 2xx: {wrong}", file=sys.stderr)
    return seen


def note(figures: Figures, name: str, seen: Any) -> None:
    """Keeps one run's figures."""
    figures.add(
        name,
        per_s=seen["alerts"] / seen["took_s"],
        cpu=seen["server_cpu_s"] / seen["alerts"] * 1_000,
        p50=seen["p50_ms"],
        p99=seen["p99_ms"],
        generator=seen["cpu_s"] / seen["took_s"],
    )


def ingest(figures: Figures, label: str, target: Target, folder: Path, scale: float) -> None:
    """New alerts in hundreds, the same again, singles, and a lone sender."""
    run = str(next(RUN))
    new = load(target, folder, each=100, posts=int(600 * scale), connections=16, run=run)
    note(figures, f"{label}: new, 100 a POST, 16 conns", new)
    again = load(target, folder, each=100, posts=int(600 * scale), connections=16, run=run, times=2)
    note(figures, f"{label}: repeats, 100 a POST, 16 conns", again)
    note(figures, f"{label}: single, 64 conns", load(target, folder, each=1, posts=int(12_000 * scale), connections=64))
    note(figures, f"{label}: lone POST of 1", load(target, folder, each=1, posts=int(1_000 * scale), connections=1))


@contextmanager
def phone(port: int) -> Iterator[subprocess.Popen[str]]:
    """The fake phone in its own process."""
    command = [sys.executable, "-m", "bench.phone", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.stdin.close()


def page_latency(figures: Figures, name: str, made: Configured, rings: subprocess.Popen[str], many: int) -> None:
    """From the POST to the phone's socket, one alert at a time."""
    sent: dict[str, float] = {}
    with httpx.Client(base_url=made.url, trust_env=False) as web:
        for _ in range(many):
            title = f"page-{next(RUN)}"
            body = {
                "version": "4",
                "alerts": [{"status": "firing", "labels": {"alertname": title, "severity": "critical"}}],
            }
            sent[title] = time.time()
            web.post(made.paged_path, json=body).raise_for_status()
            time.sleep(0.1)
    time.sleep(1.5)
    assert rings.stdin is not None
    assert rings.stdout is not None
    rings.stdin.write("tell\n")
    rings.stdin.flush()
    arrived = {title.split(" ", 1)[1]: at for title, at in json.loads(rings.stdout.readline()).items()}
    delays = [(arrived[title] - at) * 1_000 for title, at in sent.items() if title in arrived]
    figures.add(name, p50=quantile(delays, 0.5), p99=quantile(delays, 0.99), lost=float(len(sent) - len(delays)))


def measure(figures: Figures, label: str, url: str, database_pid: int | None, folder: Path, scale: float) -> None:
    """One fresh server on one database."""
    port = free_port()
    with phone(port) as rings, tocsin(folder, url, f"http://127.0.0.1:{port}/", database_pid) as made:
        figures.add(f"{label}: process", start_s=made.start_s, rest_mb=made.rest_mb)
        page_latency(figures, f"{label}: page, idle", made, rings, int(60 * scale))
        ingest(figures, label, made.target, folder, scale)
        rate = figures.median(f"{label}: new, 100 a POST, 16 conns")["per_s"] / 2
        storm = _storm(made.target, folder, rate, seconds=8 * scale)
        page_latency(figures, f"{label}: page, storm at half rate", made, rings, int(50 * scale))
        storm.wait()
        figures.add(f"{label}: peak", mb=made.target.peak_mb())


def _storm(target: Target, folder: Path, rate: float, seconds: float) -> subprocess.Popen[str]:
    """New alerts in hundreds at `rate`, in the background."""
    plan = folder / f"storm-{next(RUN)}.json"
    document = {
        "form": target.form,
        "host": "127.0.0.1",
        "port": target.port,
        "path": target.path,
        "run": str(next(RUN)),
        "alerts_per_post": 100,
        "posts": int(rate * seconds / 100),
        "connections": 16,
        "pace_s": 100 / rate,
    }
    plan.write_text(json.dumps(document))
    command = [sys.executable, "-m", "bench.load", str(plan)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


def show(figures: Figures, runs: int) -> None:
    """The tables."""
    console = Console(width=120)
    table = Table(title=f"Ingest, medians of {runs} run(s)", title_justify="left")
    for name in ("what", "alerts/s", "CPU s per 1,000", "p50 ms", "p99 ms", "generator CPU"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name in figures.rows:
        found = figures.median(name)
        if "per_s" in found:
            table.add_row(
                name,
                f"{found['per_s']:,.0f}",
                f"{found['cpu']:.3f}",
                f"{found['p50']:.1f}",
                f"{found['p99']:.1f}",
                f"{found['generator']:.0%}",
            )
    console.print(table)
    for name in figures.rows:
        found = figures.median(name)
        if "per_s" not in found:
            console.print(f"{name}: " + ", ".join(f"{key} {value:,.1f}" for key, value in found.items()))


def main() -> None:
    """Runs what was asked."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Tocsin from outside.")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is shown")
    parser.add_argument("--only", choices=["sqlite", "postgresql", "reference"], help="one part alone")
    parser.add_argument("--scale", type=float, default=1.0, help="how much load; 0.1 for a quick look")
    asked = parser.parse_args()
    figures = Figures()
    for run in range(asked.runs):
        folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
        print(f"run {run + 1} of {asked.runs}", file=sys.stderr, flush=True)
        try:
            if asked.only in (None, "reference"):
                with null(folder) as nothing:
                    hundreds = load(nothing, folder, each=100, posts=int(1_500 * asked.scale), connections=16)
                    note(figures, "null: 100 a POST, 16 conns (what the generator can do)", hundreds)
                    note(
                        figures,
                        "null: single, 64 conns",
                        load(nothing, folder, each=1, posts=int(12_000 * asked.scale), connections=64),
                    )
                with alertmanager(folder) as peer:
                    if peer is not None:
                        ingest(figures, "alertmanager (memory only)", peer, folder, asked.scale)
            if asked.only in (None, "sqlite"):
                measure(figures, "sqlite", f"sqlite:///{folder}/tocsin.db", None, folder, asked.scale)
            if asked.only in (None, "postgresql"):
                with cluster("fsync=on", "synchronous_commit=on", "shared_buffers=256MB") as server:
                    pid = server.process.pid if server.process else None
                    measure(figures, "postgresql", server.fresh(), pid, folder, asked.scale)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    show(figures, asked.runs)


if __name__ == "__main__":
    main()
