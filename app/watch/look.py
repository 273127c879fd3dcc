"""The deed of looking at one sender: has it fallen silent, failed, or returned? A job that re-arms itself.

Silence is told as any sender tells an alert, through the same ingest in the same transaction: so grouping, incidents,
timelines and paging are what they always are, and its return resolves it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from app.clock import DAY, Micros
from app.dedup.arrival import Arrival, prepare
from app.dedup.directory import Directory, Inlet
from app.dedup.episodes import touch_alerts
from app.dedup.ingest import ingest
from app.dedup.work import Written
from app.routing.tally import write_tally
from app.sources.event import Event
from app.sources.limits import fitted
from app.sources.source import SourceSettings
from app.store import jobs, resources
from app.store.database import Writing
from app.store.jobs import Job
from app.store.resources import Resource
from app.watch.heartbeat import KIND, expected_of
from app.watch.presence import notice_outage, pulse_of
from app.watch.silence import FAILED, Verdict, judge
from app.watch.tables import pulses

KEY = "tocsin/silent"
LASTING: Micros = 3_650 * DAY
"""The alert does not expire by an integration's own setting: silence is just what this alert is about."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to, for logs and metrics."""

    name: str
    before: str
    state: str
    because: str
    written: Written | None = None


async def look(tx: Writing, directory: Directory, job: Job) -> Looked | None:
    """Judges one sender, tells what changed, and asks to be called again. Raises LeaseLost."""
    await notice_outage(tx)
    # The sender's row before the job's: in that order signals take them too.
    mine = pulses.c.resource_id == job.subject
    row = (await tx.conn.execute(select(pulses).where(mine).with_for_update())).first()
    await jobs.hold(tx, job)
    found = await _resource(tx, job.subject)
    if row is None or found is None:
        await jobs.finish(tx, job)
        return None
    before = pulse_of(row)
    expected = expected_of(found.kind, found.document) if found.deleted_at is None else None
    verdict = judge(before, expected, tx.now)
    written = None
    if verdict.state == "down" or before.state == "down":
        view = await directory.refresh(tx)
        inlet = view.by_id.get(found.id) or _inlet_of_deleted(found)
        event = _event(found, verdict, before.down_since)
        written = await ingest(tx, directory, [Arrival(inlet, prepare(inlet, (event,)))])
        await touch_alerts(tx, written.touches)
        await write_tally(tx, written.tally)
    await tx.conn.execute(update(pulses).where(mine).values(state=verdict.state, down_since=verdict.down_since))
    if verdict.look_at is None:
        await jobs.finish(tx, job)
    else:
        await jobs.put_back(tx, job, verdict.look_at)
    return Looked(found.name, before.state, verdict.state, verdict.because, written)


async def _resource(tx: Writing, resource_id: int) -> Resource | None:
    for kind in (KIND, "integration"):
        if found := (await resources.load(tx, kind, [resource_id], deleted=True)).get(resource_id):
            return found
    return None


def _inlet_of_deleted(found: Resource) -> Inlet:
    """What it was: its alert can still be ended."""
    service = found.document.get("service_id")
    return Inlet(found.id, found.name, KIND, SourceSettings(), int(service) if service else None)


def _event(found: Resource, verdict: Verdict, down_since: Micros | None) -> Event:
    document, failed = found.document, verdict.because.startswith(FAILED)
    runbook = document.get("runbook_url")
    began_at = verdict.down_since or down_since or 0
    return fitted(
        Event(
            status="firing" if verdict.state == "down" else "resolved",
            key=KEY,
            title=f"{found.name}: a failure was reported" if failed else f"{found.name} fell silent",
            severity=document.get("severity", "error"),
            labels={found.kind: found.name},
            annotations={
                "description": f"{verdict.because[:1].upper()}{verdict.because[1:]}.",
                "about": document.get("description", ""),
            },
            links=(("Runbook", runbook),) if runbook else (),
            starts_at=began_at,
            expires_at=began_at + LASTING,
        )
    )
