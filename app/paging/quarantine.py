"""What follows when a job of paging has failed five times in a row: a broken row, or a bug.

A page then counts as failed, so that its person's next way starts at once, or the next level when nothing of this one is
left. It is not given up: its job stays and is tried again each minute while the incident needs it, so that a page goes out
after the row or the bug has been put right. Only a page that was really sent, again and again, without that anybody could
write down what came of it is not sent any more (app/paging/deliver.py).

An escalation is never given up either: nobody else would tell the next level. It is tried again each minute, and the
incident's timeline says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from app.incidents import ledger
from app.incidents.incident import Entry, Incident
from app.notifiers.text import one_line
from app.paging.deliver import MAX_DETAIL, start_next_way
from app.paging.tables import pages
from app.paging.worker import Quarantine
from app.store.database import Writing
from app.store.jobs import QUARANTINE_AFTER, Job

_PREFIX = "page:"
"""How the name of a page's one job begins (app/paging/escalate.py)."""


async def page_quarantined(tx: Writing, job: Job, why: str) -> None:
    """The page counts as failed; what follows a failure starts."""
    incident = (await ledger.load(tx, [job.subject], lock=True)).get(job.subject)
    page = (await tx.conn.execute(select(pages).where(pages.c.id == _page_of(job)))).one_or_none()
    if incident is not None and page is not None and page.state == "waiting":
        await _count_as_failed(tx, page, incident, why, job.rank)


async def bundle_quarantined(tx: Writing, job: Job, why: str) -> None:
    """Each page of it counts as failed."""
    question = select(pages).where(pages.c.bundle_id == job.subject, pages.c.state == "waiting").order_by(pages.c.id)
    some = (await tx.conn.execute(question)).all()
    of = await ledger.load(tx, (page.incident_id for page in some), lock=True)
    for page in some:
        await _count_as_failed(tx, page, of[page.incident_id], why, job.rank)


async def _count_as_failed(tx: Writing, page: Any, incident: Incident, why: str, rank: int) -> None:
    detail = f"it could not be sent, {QUARANTINE_AFTER} times: {one_line(why)}; it is tried again each minute"
    await tx.conn.execute(
        update(pages).where(pages.c.id == page.id).values(state="quarantined", detail=detail[:MAX_DETAIL])
    )
    entry = Entry("page_failed", "tocsin", f"{page.recipient} by {page.notifier}: {detail}"[:MAX_DETAIL])
    await ledger.record(tx, [(incident.id, entry)])
    await start_next_way(tx, page, incident, rank)


def _page_of(job: Job) -> int:
    """The page of a job, also when the job's own row can't be read."""
    named = (job.once or "").removeprefix(_PREFIX)
    return int(job.payload.get("page", named if named.isdigit() else 0))


async def escalation_quarantined(tx: Writing, job: Job, why: str) -> None:
    """The incident's timeline says, once, that nobody more can be told."""
    if job.failures + 1 != QUARANTINE_AFTER or not await ledger.load(tx, [job.subject]):
        return
    said = f"who is to be told next could not be found, {QUARANTINE_AFTER} times: {one_line(why)}; it is tried again each minute"
    await ledger.record(tx, [(job.subject, Entry("escalation_failed", "tocsin", said[:MAX_DETAIL]))])


QUARANTINE: Mapping[str, Quarantine] = {
    "escalate": escalation_quarantined,
    "deliver": page_quarantined,
    "bundle": bundle_quarantined,
}
"""By kind of job."""
