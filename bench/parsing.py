"""Measures what each sender's dialect costs: CPU microseconds an alert, bytes to events.

    python3 dev.py bench-parsing                        every kind, medians of nine runs
    python3 dev.py bench-parsing --only datadog --runs 30

A batch is one body with the recorded messages of a kind again and again, 100 of them, each with ids, names and hosts of its
own, so that no cache helps that would not help in a storm. Kinds that know no batches get as many requests. Wall times vary
with the machine's mood: read the CPU figure beside its ratio to what `json.loads` of the standard library takes for the
same bytes in the same run.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.clock import SECOND, SystemClock
from app.server import GC_THRESHOLD
from app.sources.event import Received, Unreadable
from app.sources.registry import SOURCES
from app.sources.source import SourceSettings

DATA = Path(__file__).parent.parent / "tests" / "data"
MANY = 100
REPEATED = 10
ONE_A_REQUEST = frozenset({"pagerduty", "sns", "email"})
"""Kinds whose protocol knows no batches."""
_OWN = ("id", "host", "instance", "name", "alias", "fingerprint", "key")
"""What fields are called whose values differ from alert to alert."""


def recorded(kind: str) -> list[bytes]:
    """The recorded messages of a kind from which something comes."""
    source, settings, found = SOURCES[kind], settings_of(kind), []
    for path in sorted((DATA / kind).iterdir()):
        if path.suffix in {".json", ".eml"}:
            body = path.read_bytes().strip()
            with suppress(Unreadable):
                if source.read(Received(body), settings, NOW).events and (kind == "email" or body.startswith(b"{")):
                    found.append(body)
    return found


def settings_of(kind: str) -> SourceSettings:
    """The defaults; SNS without its signature, which costs what RSA costs."""
    return SOURCES[kind].Settings().unsigned()


def another(value: Any, number: int, name: str = "") -> Any:
    """The same message about something else: ids, names and hosts have a number more."""
    if isinstance(value, dict):
        return {field: another(content, number, field.lower()) for field, content in value.items()}
    if isinstance(value, list):
        return [another(item, number, name) for item in value]
    own = isinstance(value, str) and value and any(word in name for word in _OWN)
    return f"{value}{number}" if own else value


def requests(kind: str) -> list[bytes]:
    """The bodies of one run: a batch, or many requests."""
    bodies = recorded(kind)
    many = [bodies[number % len(bodies)] for number in range(MANY)]
    if kind == "email":
        return many
    messages = [another(json.loads(body), number) for number, body in enumerate(many)]
    if kind in ONE_A_REQUEST:
        return [json.dumps(message, ensure_ascii=False).encode() for message in messages]
    grouped = [message for message in messages if isinstance(message.get("alerts"), list)]
    if grouped:
        return [
            json.dumps(
                {**grouped[0], "alerts": [alert for one in grouped for alert in one["alerts"]]}, ensure_ascii=False
            ).encode()
        ]
    return [json.dumps(messages, ensure_ascii=False).encode()]


def cpu(work: Callable[[], Any]) -> float:
    """Seconds of this thread, of one time among REPEATED."""
    before = time.thread_time()
    for _ in range(REPEATED):
        work()
    return (time.thread_time() - before) / REPEATED


def measured(kind: str, runs: int) -> Iterator[tuple[float, float]]:
    """Of each run: microseconds an alert, and the ratio to json.loads of the same bytes."""
    source, settings, bodies = SOURCES[kind], settings_of(kind), requests(kind)
    received = [Received(body) for body in bodies]
    alerts = sum(len(source.read(one, settings, NOW).events) for one in received)
    for _ in range(runs):
        taken = cpu(lambda: [source.read(one, settings, NOW) for one in received])
        plain = cpu(lambda: [loads(body) for body in bodies])
        yield taken * SECOND / alerts, taken / plain


def loads(body: bytes) -> Any:
    """What the standard library takes to decode this."""
    with suppress(ValueError):
        return json.loads(body)


NOW = SystemClock().now()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench-parsing", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", action="append", choices=sorted(SOURCES), help="this kind; may be given again")
    parser.add_argument("--runs", type=int, default=9, help="of which the median is shown")
    asked = parser.parse_args()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)  # all three as the server does
    table = Table(title=f"CPU an alert in batches of {MANY}: medians of {asked.runs} runs")
    for column in ("kind", "microseconds", "as a multiple of json.loads"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for kind in asked.only or sorted(SOURCES):
        micros, ratio = (statistics.median(figures) for figures in zip(*measured(kind, asked.runs), strict=True))
        table.add_row(kind, f"{micros:.1f}", f"{ratio:.1f}" if kind != "email" else "")
    Console().print(table)


if __name__ == "__main__":
    main()
