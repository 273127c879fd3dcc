"""What becomes of paging that was held back, once it may go on: planned anew instead of replayed. Deeds.

Meanwhile the on-call changed, people acknowledged, and a person's three ways to be reached have all come due at once. So
what had not been sent of the level that was being told is thrown away, and the level is told again, to whoever is on call
now; where somebody had been told, the next level comes if its time has come, and nothing of the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from app.incidents import ledger
from app.incidents.incident import Entry, Incident
from app.paging.tables import ASKED, pages
from app.store import jobs
from app.store.database import Writing
from app.store.jobs import Job
from app.store.tables import jobs as stored_jobs
from app.watch.hold import HELD

WHY = "paging was held back when this page was due; it was planned anew"


async def resume(tx: Writing, job: Job) -> None:
    """Prepares one job that was held back for being done now. Raises LeaseLost."""
    of_incident = job.kind in ("escalate", "deliver")
    incident = (await ledger.load(tx, [job.subject], lock=True)).get(job.subject) if of_incident else None
    await jobs.hold(tx, job)
    await _unflag(tx, job)
    if incident is None or incident.state != "triggered":
        return
    if job.kind == "escalate":
        await _level_anew(tx, incident)
    else:
        await _page_anew(tx, incident, job)


async def _unflag(tx: Writing, job: Job) -> None:
    payload = {name: value for name, value in job.payload.items() if name != HELD}
    await tx.conn.execute(update(stored_jobs).where(stored_jobs.c.id == job.id).values(payload=payload))


async def _level_anew(tx: Writing, incident: Incident) -> None:
    """What is left of the plan is thrown away; a level of which nothing had been sent is told again."""
    planned = await _pages(tx, incident)
    waiting = [page.id for page in planned if page.state == "waiting"]
    if not waiting:
        return
    await _throw_away(tx, waiting)
    if not _reached(incident, planned):
        if incident.escalation == "fallback":
            incident.escalation = "running"
        else:
            incident.level -= 1
        await ledger.save(tx, [incident])
    reason = "paging was held back and goes on now: what had not been sent is planned anew"
    await ledger.record(tx, [(incident.id, Entry("paging_resumed", "tocsin", reason))])


async def _page_anew(tx: Writing, incident: Incident, job: Job) -> None:
    """A page leaves its place to a new plan, where the escalation makes one now; otherwise it is sent, late."""
    planned = await _pages(tx, incident)
    mine = any(page.id == job.payload["page"] and page.state == "waiting" for page in planned)
    escalation = await _escalation(tx, incident)
    if not mine or escalation is None:
        return  # it is planned anew already, or its policy has ended and this is what is left of it
    if not _reached(incident, planned):
        await _level_anew(tx, incident)
        await jobs.pull(tx, incident.id, ["escalate"], tx.now)
    elif HELD in escalation.payload:
        await _throw_away(tx, [job.payload["page"]])


async def _escalation(tx: Writing, incident: Incident) -> Any:
    """The job that tells the next level."""
    question = select(stored_jobs.c.payload).where(
        stored_jobs.c.subject == incident.id, stored_jobs.c.kind == "escalate"
    )
    return (await tx.conn.execute(question.limit(1))).first()


def _reached(incident: Incident, planned: Sequence[Any]) -> bool:
    """Whether anything was sent of what was told last."""
    told = incident.level if incident.escalation == "fallback" else incident.level - 1
    return any(page.state == "sent" and (page.round, page.level) == (incident.round, told) for page in planned)


async def _pages(tx: Writing, incident: Incident) -> list[Any]:
    question = select(pages.c.id, pages.c.state, pages.c.round, pages.c.level).where(
        pages.c.incident_id == incident.id,
        pages.c.epoch == incident.epoch,
        pages.c.state.in_(("waiting", "sent")),
        pages.c.level != ASKED,
    )
    return list((await tx.conn.execute(question)).all())


async def _throw_away(tx: Writing, page_ids: Sequence[int]) -> None:
    await tx.conn.execute(
        update(pages).where(pages.c.id.in_(page_ids)).values(state="not_needed", detail=WHY, done_at=tx.now)
    )
