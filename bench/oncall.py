"""Measures who is on call: pure and through the API, beside two libraries that lay recurrence out.

    python3 dev.py bench-oncall              medians of five runs; two databases for what goes through the API
    python3 dev.py bench-oncall --runs 1 --only pure

Pure figures are CPU time. The libraries lay out the same turns without overrides, restrictions or covering, which is less
than what is asked of ours: read them as a scale, not as a race.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from functools import partial
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx
import recurring_ical_events
from dateutil.rrule import DAILY, WEEKLY, rrule
from icalendar import Calendar
from rich.console import Console
from rich.table import Table

from app.clock import DAY, HOUR, MINUTE, Micros, from_datetime
from app.ids import PersonId
from app.oncall.resolve import on_call
from app.oncall.rota import Away, Rota
from app.oncall.schedule import Layer, Override, OverrideId, Restriction, Schedule
from app.oncall.shifts import shifts
from bench.load import quantile
from bench.target import Configured, tocsin
from tests.harness.postgres import Cluster, cluster

NOW = from_datetime(datetime(2026, 6, 3, 12, tzinfo=UTC))
PEOPLE = tuple(PersonId(number) for number in range(1, 9))
EVERY_DAY = frozenset(range(7))
BERLIN = "Europe/Berlin"


def schedule(years: int) -> Schedule:
    """Three layers: a week each, nights by the day, office hours by the week; begun `years` ago."""
    begun = date(2026 - years, 1, 5)
    begun -= timedelta(days=begun.weekday())
    return Schedule(
        BERLIN,
        (
            Layer("weekly", PEOPLE, "week", (1,), begun, clock(9)),
            Layer("nights", PEOPLE[:5], "day", (1,), begun, clock(20), (Restriction(EVERY_DAY, clock(20), clock(8)),)),
            Layer(
                "office",
                PEOPLE[4:],
                "week",
                (1,),
                begun,
                clock(9),
                (Restriction(frozenset(range(5)), clock(9), clock(17)),),
            ),
        ),
    )


def overrides(many: int, span: Micros) -> tuple[Override, ...]:
    """Of an hour to two days, spread over the span from now."""
    chance = random.Random(7)
    made = []
    for number in range(many):
        start = NOW + chance.randrange(span)
        person, other = chance.sample(PEOPLE, 2)
        end = start + HOUR + chance.randrange(2 * DAY)
        made.append(Override(OverrideId(number + 1), start, end, person, chance.choice((None, other))))
    return tuple(made)


def leave() -> tuple[Away, ...]:
    """Three people away for a week or two within the next month."""
    return tuple(
        Away(PEOPLE[place], NOW + (3 + 9 * place) * DAY, NOW + (10 + 11 * place) * DAY, "on leave")
        for place in range(3)
    )


def cpu_us(work: Callable[[], object], times: int) -> float:
    """CPU microseconds of one call."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def calendar(years: int) -> Calendar:
    """The turns of the same three layers as a calendar: one event a participant, repeated."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tocsin//bench//EN"]
    for layer in schedule(years).layers:
        assert isinstance(layer, Layer)
        many, days = len(layer.participants), 7 if layer.unit == "week" else 1
        for place in range(many):
            first = datetime.combine(layer.start_date + timedelta(days=days * place), layer.handoff)
            last = first + (timedelta(hours=12) if layer.name == "nights" else timedelta(days=days))
            lines += [
                "BEGIN:VEVENT",
                f"UID:{layer.name}-{place}",
                f"DTSTART;TZID={BERLIN}:{first:%Y%m%dT%H%M%S}",
                f"DTEND;TZID={BERLIN}:{last:%Y%m%dT%H%M%S}",
                f"RRULE:FREQ={'WEEKLY' if layer.unit == 'week' else 'DAILY'};INTERVAL={many}",
                f"SUMMARY:{layer.name} {place}",
                "END:VEVENT",
            ]
    return Calendar.from_ical("\r\n".join([*lines, "END:VCALENDAR", ""]))


def rules(years: int) -> list[rrule]:
    """The starts of the same turns as rules of dateutil."""
    made = []
    for layer in schedule(years).layers:
        assert isinstance(layer, Layer)
        first = datetime.combine(layer.start_date, layer.handoff, ZoneInfo(BERLIN))
        made.append(rrule(WEEKLY if layer.unit == "week" else DAILY, dtstart=first))
    return made


def _expanded(events: Calendar, start: datetime, end: datetime) -> object:
    return recurring_ical_events.of(events).between(start, end)


def _between(starts: list[rrule], start: datetime, end: datetime) -> object:
    return [rule.between(start, end) for rule in starts]


def _before(starts: list[rrule], at: datetime) -> object:
    return [rule.before(at) for rule in starts]


@dataclass
class Figures:
    """Each run's figures, by name; the median is shown."""

    rows: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.rows.setdefault(name, []).append(value)


def pure(figures: Figures) -> None:
    """What is computed without a database."""
    start = datetime(2026, 6, 3, 12, tzinfo=UTC)
    end = start + timedelta(days=365)
    for years, label in ((0, "begun this year"), (20, "begun 20 years ago")):
        rota = Rota.of(schedule(years))
        figures.add(f"on call at one instant, 3 layers, {label}: µs", cpu_us(partial(on_call, rota, NOW), 2_000))
        busy = Rota.of(schedule(years), *overrides(200, 365 * DAY))
        figures.add(
            f"a year, 3 layers, 200 overrides, {label}: ms",
            cpu_us(partial(shifts, busy, NOW, NOW + 365 * DAY), 3) / 1_000,
        )
        events = calendar(years)
        figures.add(
            f"recurring-ical-events: a year of these turns, {label}: ms",
            cpu_us(partial(_expanded, events, start, end), 1) / 1_000,
        )
        figures.add(
            f"recurring-ical-events: one instant, {label}: µs",
            cpu_us(partial(_expanded, events, start, start + timedelta(seconds=1)), 3),
        )
        starts = rules(years)
        figures.add(
            f"dateutil: the starts of a year's turns, {label}: ms",
            cpu_us(partial(_between, starts, start, end), 1) / 1_000,
        )
        figures.add(
            f"dateutil: the turn before one instant, {label}: µs",
            cpu_us(partial(_before, starts, start), 3),
        )
    away = Rota.of(schedule(20), *overrides(20, 30 * DAY), away=leave())
    at = NOW + 20 * DAY
    figures.add(
        "on call at one instant, three people on leave, 20 overrides: µs", cpu_us(lambda: on_call(away, at), 500)
    )


class Prober:
    """Asks the server for nothing, again and again, and keeps the longest time an answer took."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.took_ms: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False) as web:
            while not self._stop.wait(0.005):
                began = time.perf_counter()
                web.get("/livez")
                self.took_ms.append((time.perf_counter() - began) * 1_000)


def served(figures: Figures, label: str, made: Configured, many: int) -> None:
    """What goes through the API: one schedule's instant, and a month of `many` schedules."""
    with httpx.Client(base_url=made.url, headers=made.headers, trust_env=False, timeout=120) as web:
        people = [_create(web, "people", name=f"Person {number}") for number in range(8)]
        ids = [_create(web, "schedules", name=f"Rota {number}", **_document(people)) for number in range(many)]
        _await_quiet(web)
        for path, name in (
            (f"/v1/oncall?schedule_id={ids[0]}", "GET /v1/oncall of one schedule"),
            ("/livez", "GET /livez, what any answer costs"),
        ):
            spent = made.target.cpu_s()
            took = [_took_ms(web, path) for _ in range(300)]
            spent = made.target.cpu_s() - spent
            figures.add(f"{label}: {name}, p50: ms", quantile(took, 0.5))
            figures.add(f"{label}: {name}, p99: ms", quantile(took, 0.99))
            figures.add(f"{label}: {name}, CPU: ms", spent / len(took) * 1_000)
        now = int(time.time() * 1e6) // MINUTE * MINUTE
        ends = datetime.fromtimestamp((now + 30 * DAY) / 1e6, UTC).isoformat().replace("+00:00", "Z")
        with Prober(made.url) as prober:
            all_of_them = _took_ms(web, f"/v1/oncall/shifts?to={ends}")
        figures.add(f"{label}: {many} schedules x 30 days: s", all_of_them / 1_000)
        figures.add(f"{label}: longest wait of others meanwhile: ms", max(prober.took_ms, default=0.0))


def _pid(server: Cluster) -> int | None:
    return server.process.pid if server.process else None


def _await_quiet(web: httpx.Client) -> None:
    """Until the looks at new schedules, which are jobs, have been done."""
    for _ in range(240):
        time.sleep(0.5)
        due = re.search(r"^tocsin_jobs_due (\S+)", web.get("/metrics").text, re.MULTILINE)
        if due and float(due[1]) == 0:
            return


def _create(web: httpx.Client, kind: str, **document: Any) -> str:
    answer = web.post(f"/v1/{kind}", json=document)
    answer.raise_for_status()
    return str(answer.json()["id"])


def _document(people: list[str]) -> dict[str, Any]:
    week = {"unit": "week", "length": 1, "start_date": "2006-01-02", "handoff": "09:00"}
    nights = [{"start": "20:00", "end": "08:00"}]
    office = [{"weekdays": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:00"}]
    return {
        "time_zone": BERLIN,
        "layers": [
            {"name": "weekly", "participants": people, **week},
            {"name": "nights", "participants": people[:5], **week, "unit": "day", "restrictions": nights},
            {"name": "office", "participants": people[4:], **week, "restrictions": office},
        ],
    }


def _took_ms(web: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    web.get(path).raise_for_status()
    return (time.perf_counter() - began) * 1_000


def main() -> None:
    """Runs what was asked and prints medians."""
    parser = argparse.ArgumentParser(prog="bench.oncall", description="Measure who is on call.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["pure", "sqlite", "postgresql"])
    parser.add_argument("--schedules", type=int, default=1_000)
    asked = parser.parse_args()
    figures = Figures()
    for run in range(asked.runs):
        print(f"run {run + 1} of {asked.runs}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
            folder = Path(name)
            if asked.only in (None, "pure"):
                pure(figures)
            if asked.only in (None, "sqlite"):
                with tocsin(folder, f"sqlite:///{folder}/tocsin.db", "http://127.0.0.1:9/", None) as made:
                    served(figures, "SQLite", made, asked.schedules)
            if asked.only in (None, "postgresql"):
                with (
                    cluster("fsync=on", "synchronous_commit=on", "shared_buffers=256MB") as server,
                    tocsin(folder, server.fresh(), "http://127.0.0.1:9/", _pid(server)) as made,
                ):
                    served(figures, "PostgreSQL", made, asked.schedules)
    table = Table(title=f"On call, medians of {asked.runs} run(s)", title_justify="left")
    table.add_column("what")
    table.add_column("median", justify="right")
    for row, values in figures.rows.items():
        table.add_row(row, f"{statistics.median(values):,.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
