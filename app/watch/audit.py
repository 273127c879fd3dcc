"""The audit of what must never be: work that nobody does, and incidents that nobody is told of any more.

Each question goes through an index and is cut at `MOST`. What can be put right is put right and said: an open incident whose
escalation has no job gets one. Every replica audits; a repair is checked again under the incident's lock, so one does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select, text

from app.clock import SECOND, Micros
from app.incidents import ledger
from app.incidents.incident import Entry
from app.incidents.tables import incidents, timeline
from app.store import jobs
from app.store.database import Reading, Writing
from app.store.jobs import NewJob
from app.store.tables import jobs as stored_jobs
from app.watch.hold import AWAY, hold_of, let_go

LATE: Micros = 60 * SECOND
MOST = 1_000
"""Findings of one kind that are counted; more are not told apart."""

_NO_ESCALATION = text("NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.subject = incidents.id AND jobs.kind = 'escalate')")
_NO_END = text("NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.subject = incidents.id AND jobs.kind = 'ack_expiry')")


@dataclass(frozen=True, slots=True)
class Findings:
    """What one audit found."""

    late_jobs: int = 0
    """Due for more than a minute, and held by nobody."""
    expired_leases: int = 0
    """Whose lease ended a whole lease ago, and nobody took them over."""
    left_away: int = 0
    """Put away for a hold that is no more."""
    lost: tuple[int, ...] = ()
    """Ids of incidents that are triggered, whose policy has not ended, and that have no job to go on with; or that are
    acknowledged until an instant that has passed, and have no job to end that."""
    undelivered: tuple[int, ...] = ()
    """Numbers of incidents that are triggered, and nobody at all could be told."""

    @property
    def faults(self) -> dict[str, int]:
        """How many of each kind that is a fault of ours."""
        return {
            "late_jobs": self.late_jobs,
            "expired_leases": self.expired_leases,
            "left_away": self.left_away,
            "lost_incidents": len(self.lost),
        }


async def examine(view: Reading, lease: Micros) -> Findings:
    """Looks at everything, at one instant. `lease` is how long a claim lasts."""
    held = await hold_of(view) is not None
    return Findings(
        late_jobs=await _count(view, stored_jobs.c.due_at <= view.now - LATE, stored_jobs.c.lease_until <= view.now),
        expired_leases=await _count(view, text("lease_until > 0"), stored_jobs.c.lease_until <= view.now - lease),
        left_away=0 if held else await _count(view, stored_jobs.c.due_at >= AWAY),
        lost=await _lost(view),
        undelivered=await _undelivered(view),
    )


async def _count(view: Reading, *where: object) -> int:
    found = select(stored_jobs.c.id).where(*where).limit(MOST).subquery()  # type: ignore[arg-type] # clauses, as SQLAlchemy makes them
    return int((await view.conn.execute(select(func.count()).select_from(found))).scalar_one())


async def _lost(view: Reading) -> tuple[int, ...]:
    open_ = select(incidents.c.id).where(
        incidents.c.state == "triggered", incidents.c.escalation != "exhausted", _NO_ESCALATION
    )
    ended = select(incidents.c.id).where(
        incidents.c.state == "acknowledged", incidents.c.ack_until <= view.now - LATE, _NO_END
    )
    found: list[int] = []
    for question in (open_, ended):
        found += (await view.conn.execute(question.order_by(incidents.c.id).limit(MOST))).scalars()
    return tuple(found)


async def _undelivered(view: Reading) -> tuple[int, ...]:
    last = (
        select(timeline.c.kind)
        .where(timeline.c.incident_id == incidents.c.id, timeline.c.kind.in_(("undelivered", "policy_exhausted")))
        .order_by(timeline.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    newest = (
        select(incidents.c.id, incidents.c.number, last.label("ended"))
        .where(incidents.c.state == "triggered", incidents.c.escalation == "exhausted")
        .order_by(incidents.c.id.desc())
        .limit(MOST)
        .subquery()
    )
    question = select(newest.c.number).where(newest.c.ended == "undelivered").order_by(newest.c.number)
    return tuple((await view.conn.execute(question)).scalars())


async def repair(tx: Writing, found: Findings) -> list[int]:
    """Puts right what can be put right; answers the numbers of the incidents that go on now."""
    if found.left_away and await hold_of(tx, share=True) is None:
        await let_go(tx)
    loaded = await ledger.load(tx, found.lost, lock=True)
    lost = await _still_lost(tx, list(loaded))
    repaired = []
    for incident_id in lost:
        incident = loaded[incident_id]
        kind, what = (
            ("escalate", "paging had stopped for no reason that is known (no job was left); it goes on now")
            if incident.state == "triggered"
            else ("ack_expiry", "the acknowledgement has ended, and nothing was left to say so; it ends now")
        )
        await jobs.add(tx, [NewJob(kind, incident.id, tx.now, {"epoch": incident.epoch})])
        await ledger.record(tx, [(incident.id, Entry("repaired", "tocsin", what))])
        repaired.append(incident.number)
    return repaired


async def _still_lost(tx: Writing, ids: Sequence[int]) -> list[int]:
    """Those of `ids`, which are locked, that are lost even now."""
    if not ids:
        return []
    unended = (incidents.c.state == "triggered") & (incidents.c.escalation != "exhausted") & _NO_ESCALATION
    unexpired = (incidents.c.state == "acknowledged") & (incidents.c.ack_until <= tx.now - LATE) & _NO_END
    question = select(incidents.c.id).where(incidents.c.id.in_(ids), or_(unended, unexpired)).order_by(incidents.c.id)
    return list((await tx.conn.execute(question)).scalars())
