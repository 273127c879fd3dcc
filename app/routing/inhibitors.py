"""The deeds around inhibition: an alert that inhibited others has ended; a rule of inhibition is new."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete

from app.incidents import ledger
from app.routing.quieting import alerts_after, read_book
from app.routing.tables import inhibitors
from app.store import bulk, jobs
from app.store.database import Writing
from app.store.jobs import Job, NewJob
from app.store.resources import Resource

JOB = "inhibit"
PART = 200
"""Open incidents whose alerts are looked at in one transaction for a rule that is new; alerts that end together."""


async def no_longer_inhibits(tx: Writing, alert_ids: Sequence[int]) -> None:
    """These alerts have ended: what they kept quiet is asked at once whether it pages."""
    for start in range(0, len(alert_ids), PART):
        some = sorted(alert_ids[start : start + PART])
        await ledger.ask_again(tx, "quiet_by IN :ended", ended=some)
        await tx.conn.execute(delete(inhibitors).where(inhibitors.c.alert_id.in_(some)))


async def after_inhibition(tx: Writing, _: Resource | None, new: Resource | None) -> None:
    """A rule has changed: what is inhibited is asked again, and what fires already is looked at for the rule."""
    await ledger.ask_again(tx, "quiet_by IS NOT NULL")
    if new is not None and new.document["enabled"]:
        await jobs.add(tx, [NewJob(JOB, new.id, tx.now, {"after": 0})])


async def look_for_sources(tx: Writing, job: Job) -> None:
    """Finds, part by part, what fires and is a source of a rule. Raises LeaseLost."""
    book = await read_book(tx)
    rows, last = await alerts_after(tx, book, int(job.payload["after"]), PART)
    found = [
        (side.digest, alert.id, int(side.mutual))
        for alert in rows
        for side in book.inhibitions.as_source(alert.facts)
        if side.rule.id == job.subject
    ]
    await bulk.write(tx, _ROWS, _ADD, found)
    await jobs.finish(tx, job)
    if last is not None:
        await jobs.add(tx, [NewJob(JOB, job.subject, tx.now, {"after": last})])


_ROWS = bulk.Rows.of(inhibitors, ("digest", "alert_id", "mutual"))
_ADD = (
    "INSERT INTO inhibitors (digest, alert_id, mutual) SELECT digest, alert_id, mutual FROM t WHERE true "
    "ON CONFLICT (digest, alert_id) DO NOTHING"
)
