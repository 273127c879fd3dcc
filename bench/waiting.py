"""Rows for the queue to carry: jobs that wait, incidents that are open, pages and levels that fall due at known instants.

Written past the API, because a million of them is the point; the server that is measured reads them like any others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, text

from app.clock import HOUR, Micros
from app.incidents import ledger, turn
from app.incidents.incident import Incident, opened
from app.paging.escalate import deliver_job
from app.paging.tables import pages
from app.store import counters, jobs
from app.store.database import Reading, Store, Writing

PORTION = 100_000
SPREAD = 30 * 24 * HOUR // 1_000_003
"""Waiting jobs fall due from an hour on, over thirty days, in no order."""

_SERIES = "WITH RECURSIVE s(i) AS (SELECT CAST(:first AS bigint) UNION ALL SELECT i + 1 FROM s WHERE i < CAST(:last AS bigint)) "
_JOBS = (
    "INSERT INTO jobs (id, kind, subject, payload, due_at) SELECT i, 'escalate', i, :payload, "
    "CAST(:from_on AS bigint) + (i * 7919 % 1000003) * CAST(:spread AS bigint) FROM s"
)
_INCIDENTS = (
    "INSERT INTO incidents (id, number, title, state, severity, impact, urgency, priority, grouping, opened_at, "
    "last_alert_at, updated_at, level, escalation) SELECT i, i + 1000000, 'waiting', 'triggered', 'critical', 'medium', "
    "'high', 'P2', {digest}, CAST(:now AS bigint), CAST(:now AS bigint), CAST(:now AS bigint), 1, 'running' FROM s"
)


async def wait(store: Store, many: int, incidents: int) -> None:
    """Adds `many` waiting jobs and `incidents` open incidents, and lets PostgreSQL look at them."""
    for first in range(1, many + 1, PORTION):
        await store.write(_add_jobs, first, min(first + PORTION - 1, many))
    for first in range(1, incidents + 1, PORTION):
        await store.write(_add_incidents, first, min(first + PORTION - 1, incidents))
    if store.kind == "postgresql":
        await store.write(_analyze)


async def _add_jobs(tx: Writing, first: int, last: int) -> None:
    payload = json.dumps({"epoch": 1})
    values = {"first": first, "last": last, "from_on": tx.now + HOUR, "spread": SPREAD, "payload": payload}
    await tx.conn.execute(text(_SERIES + _JOBS), values)


async def _add_incidents(tx: Writing, first: int, last: int) -> None:
    digest = "decode(md5(CAST(i AS text)), 'hex')" if tx.postgres else "randomblob(16)"
    values = {"first": first, "last": last, "now": tx.now}
    await tx.conn.execute(text(_SERIES + _INCIDENTS.format(digest=digest)), values)


async def _analyze(tx: Writing) -> None:
    await tx.conn.execute(text("ANALYZE jobs"))
    await tx.conn.execute(text("ANALYZE incidents"))


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom the pages go to: the person the target was configured with."""

    person_id: int
    method_id: str
    service_id: int


async def reader(view: Reading) -> Reader:
    """Finds them among the configuration."""
    found = (await view.conn.execute(text("SELECT id, kind, name, document FROM resources"))).all()
    person = next(row for row in found if row.kind == "person")
    service = next(row for row in found if row.kind == "service" and row.name == "alone")
    method = json.loads(person.document)["contact_methods"][0]["id"]
    return Reader(person.id, method, service.id)


async def _open(tx: Writing, name: str, many: int, service_id: int) -> list[Incident]:
    number = await counters.take(tx, "incident", many)
    return [
        opened(
            incident_id=tx.new_id(),
            number=number + place,
            service_id=service_id,
            title=f"{name}-{place}",
            severity="critical",
            impact="medium",
            grouping=place.to_bytes(8, "big") + tx.new_id().to_bytes(8, "big"),
            now=tx.now,
        )
        for place in range(many)
    ]


async def levels(tx: Writing, name: str, due: Sequence[Micros], service_id: int) -> None:
    """Incidents whose first level is told at the instants given."""
    made = await _open(tx, name, len(due), service_id)
    await ledger.add(tx, made)
    new = [jobs.NewJob("escalate", one.id, at, {"epoch": 1}) for one, at in zip(made, due, strict=True)]
    await jobs.add(tx, new)


async def storm(tx: Writing, many: int, service_id: int) -> None:
    """As many incidents as a storm of one service opens within a minute, each with its first page due now."""
    made = await _open(tx, "storm", many, service_id)
    lately = await ledger.opened_lately(tx, service_id)
    await ledger.add(tx, made)
    new = []
    for before, one in enumerate(made, start=lately):
        crowd = turn.crowd(before)
        rank = turn.rank(turn.FIRST, crowd)
        new.append(jobs.NewJob("escalate", one.id, tx.now, {"epoch": 1, "crowd": crowd}, rank=rank))
    await jobs.add(tx, new)


async def due_pages(tx: Writing, name: str, due: Sequence[Micros], to: Reader) -> None:
    """Incidents with one page each, to be sent at the instants given; nothing else of theirs is ever due."""
    made = await _open(tx, name, len(due), to.service_id)
    for one in made:
        one.level, one.escalation = 1, "exhausted"
    await ledger.add(tx, made)
    rows: list[dict[str, Any]] = [
        {
            "id": tx.new_id(),
            "incident_id": one.id,
            "number": 1,
            "epoch": 1,
            "round": 0,
            "level": 0,
            "person_id": to.person_id,
            "method_id": to.method_id,
            "notifier": "webhook",
            "recipient": "Ana",
            "reason": "measured",
            "fallback": False,
            "due_at": at,
            "state": "waiting",
            "created_at": tx.now,
        }
        for one, at in zip(made, due, strict=True)
    ]
    await tx.conn.execute(insert(pages), rows)
    # Not one by one, as `once` would have it: these are new.
    new = [deliver_job(row["incident_id"], row["id"], row["due_at"]) for row in rows]
    await jobs.add(tx, [replace(job, once=None) for job in new])
