"""Monitoring tools: they send, read the answer, and come again when there was none or it was 503.

I1 is asked here, in the instant of the answer: what was answered 2xx is stored, and in an incident or has a reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from app.clock import SECOND, iso
from tests.sim.chance import chance
from tests.sim.machine import START
from tests.sim.replica import Gone, Running
from tests.sim.script import Step

if TYPE_CHECKING:
    from tests.sim.run import Run

TRIES = 12
LATE_S = 900
"""For so long after a resolve a firing of the same start is a late copy."""
_NO_PAGE = {"severity_none", "orphan_resolve", "test"}


def key_of(sender: int) -> str:
    """The key of a sender's integration."""
    return f"key-{sender}"


def body(alerts: Any) -> bytes:
    """Alertmanager's message."""
    return orjson.dumps(
        {
            "version": "4",
            "status": "firing",
            "groupKey": "{}",
            "alerts": [
                {
                    "status": status,
                    "labels": {
                        "alertname": name,
                        "severity": severity if severity != "none" else "info",
                        "zone": name[-1],
                    }
                    if severity != "none"
                    else {"alertname": "Watchdog", "zone": name},
                    "annotations": {"summary": name, "description": text},
                    "startsAt": iso(START + int(start * SECOND)),
                    "endsAt": "0001-01-01T00:00:00Z" if end is None else iso(START + int(end * SECOND)),
                }
                for name, start, status, end, severity, text in alerts
            ],
        }
    )


async def request(life: Running, path: str, content: bytes) -> int:
    """One POST to the way in of a process; answers the status."""
    assert life.ingest is not None
    said: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await life.ingest(scope, receive, send)
    return int(said[0]["status"])


async def post(run: Run, step: Step) -> None:
    """Sends until it was taken; gives up after a while, as senders do."""
    sender, alerts = step.args
    path = f"/v1/in/alertmanager/{key_of(sender)}"
    content = body(alerts)
    named = f"sender {sender}: " + ", ".join(f"{name} {status} since {start:.0f}" for name, start, status, *_ in alerts)
    for attempt in range(TRIES):
        draw = chance(run.seed, "post", named, attempt)
        try:
            status = await run.replica(draw).ask(lambda life: request(life, path, content))
        except (Gone, TimeoutError) as error:
            run.say(f"{named}: {type(error).__name__}")
            status = 0
        if status == 202:
            run.book.accepted += 1
            run.say(f"{named}: answered {status}")
            for alert in alerts:
                check(run, sender, *alert[:5])
            return
        if status and status < 500:
            run.break_rule(f"{named} was answered {status}")
        run.book.refused += 1
        if run.days_over:
            return
        await asyncio.sleep(min(60.0, 1.0 * 2**attempt) * (0.5 + draw))


def check(run: Run, sender: int, name: str, start: float, status: str, end: float | None, severity: str) -> None:
    """I1, for one event that was answered."""
    episodes = run.disk.rows(
        "SELECT starts_at, ended_at, incident_id, reason, resolved_at, resolved_by, first_seen_at FROM alerts "
        "WHERE integration_id = ? AND title = ? ORDER BY episode",
        run.ids["integration", sender],
        name,
    )
    # The way in keeps milliseconds.
    began = START + int(start * SECOND) // 1_000 * 1_000
    if not episodes:
        run.break_rule(f"{name} ({status}) was answered and is not stored")
        return
    starts_at, ended_at, incident, reason, resolved_at, *_ = episodes[-1]
    if incident is None and reason not in _NO_PAGE:
        run.break_rule(f"{name} ({severity}) was answered, is in no incident, and its reason is {reason!r}")
    if status == "resolved" and starts_at <= began and resolved_at is None:
        run.break_rule(f"{name} was answered resolved, and it fires")
    # A firing that comes after the resolve of the same time is a late copy, and wakes nobody.
    late = resolved_at is not None and ended_at is not None and ended_at > began
    if status == "firing" and starts_at < began and not late:
        run.break_rule(f"{name} (since {start}) was answered, and what is stored began before")
    _apart(run, name, episodes)


def _apart(run: Run, name: str, episodes: Sequence[Any]) -> None:
    """One problem is one episode: no late copy opens it anew, and no resolve of an earlier one ends it."""
    for before, after in pairwise(episodes):
        again_s = (after[6] - before[4]) / SECOND
        if after[0] == before[0] and before[5] == "sender" and after[3] != "orphan_resolve" and again_s <= LATE_S:
            run.break_rule(
                f"{name} was resolved, and a copy of its firing that was {again_s:.0f} s late opened it anew"
            )
    for starts_at, ended_at, *_, by, _ in episodes:
        if by == "sender" and ended_at is not None and ended_at < starts_at:
            run.break_rule(f"{name} was ended by a resolve of the time before it began")
