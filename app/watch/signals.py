"""The deeds of a signal: it is written down, and whoever is concerned is looked at. What follows is look.py's.

Every change of a sender's state is made by its one job, so here a row is written and that job called, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, or_, select, update

from app.clock import SECOND, Micros
from app.incidents import turn
from app.store import jobs
from app.store.database import Reading, Writing
from app.store.jobs import NewJob
from app.store.resources import Resource
from app.watch.heartbeat import expected_of
from app.watch.presence import pulse_of
from app.watch.silence import Pulse, silent_at
from app.watch.tables import pulses

JOB = "silence"
FRESH: Micros = 5 * SECOND
"""A signal so soon after one that was written is not written: a sender that beats each second costs a write each few."""
MAX_SAID = 1_000


def look_job(resource_id: int, due_at: Micros) -> NewJob:
    """The look at one sender; there is never more than one."""
    return NewJob(JOB, resource_id, due_at, once=f"{JOB}:{resource_id}", rank=turn.FIRST)


async def is_fresh(view: Reading, heartbeat_id: int) -> bool:
    """Whether a signal changes nothing that is worth a write."""
    known = await pulse(view, heartbeat_id)
    return (
        known is not None
        and known.state == "up"
        and known.failed_at is None
        and known.last_seen_at is not None
        and view.now - known.last_seen_at < FRESH
    )


async def pulse(view: Reading, resource_id: int) -> Pulse | None:
    """What is known of a sender."""
    row = (await view.conn.execute(select(pulses).where(pulses.c.resource_id == resource_id))).first()
    return pulse_of(row) if row else None


async def beat(tx: Writing, heartbeat_id: int) -> None:
    """A heartbeat says: all is well."""
    await _signal(tx, heartbeat_id, failed_at=None, said="")


async def fail(tx: Writing, heartbeat_id: int, said: str) -> None:
    """A heartbeat says: it went wrong."""
    await _signal(tx, heartbeat_id, failed_at=tx.now, said=said[:MAX_SAID])


async def _signal(tx: Writing, heartbeat_id: int, *, failed_at: Micros | None, said: str) -> None:
    mine = pulses.c.resource_id == heartbeat_id
    before = (await tx.conn.execute(select(pulses.c.state).where(mine).with_for_update())).scalar()
    values = {"last_seen_at": tx.now, "failed_at": failed_at, "said": said}
    if before is None:
        await tx.conn.execute(insert(pulses).values(resource_id=heartbeat_id, state="waiting", **values))
    else:
        await tx.conn.execute(update(pulses).where(mine).values(**values))
    if before != "up" or failed_at is not None:
        await jobs.add(tx, [look_job(heartbeat_id, tx.now)])


_SEEN = (
    update(pulses)
    .where(
        pulses.c.resource_id == bindparam("b_id"),
        or_(pulses.c.last_seen_at.is_(None), pulses.c.last_seen_at < bindparam("b_at")),
    )
    .values(last_seen_at=bindparam("b_at"))
)


async def hear(tx: Writing, heard: Mapping[int, Micros]) -> None:
    """Something came from these integrations, at these instants."""
    known: dict[int, str] = {}
    ids = sorted(heard)
    for start in range(0, len(ids), 500):
        question = select(pulses.c.resource_id, pulses.c.state).where(
            pulses.c.resource_id.in_(ids[start : start + 500])
        )
        found = await tx.conn.execute(question.order_by(pulses.c.resource_id).with_for_update())
        known.update({row.resource_id: row.state for row in found})
    if again := [{"b_id": one, "b_at": heard[one]} for one in ids if one in known]:
        await tx.conn.execute(_SEEN, again)
    if first := [{"resource_id": one, "last_seen_at": heard[one]} for one in ids if one not in known]:
        await tx.conn.execute(insert(pulses), first)
    concerned = [one for one in ids if known.get(one, "waiting") in ("waiting", "down")]
    await jobs.add(tx, [look_job(one, tx.now) for one in concerned])


async def after_edit(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """What is expected may have changed: silence counts from now at the earliest, and the sender is looked at."""
    edited = new or old
    if edited is None:
        return
    mine = pulses.c.resource_id == edited.id
    done = await tx.conn.execute(update(pulses).where(mine).values(counted_from=tx.now))
    if done.rowcount:
        await jobs.add(tx, [look_job(edited.id, tx.now)])
    elif new is not None and expected_of(new.kind, new.document) is not None:
        await tx.conn.execute(insert(pulses).values(resource_id=new.id, counted_from=tx.now))


@dataclass(frozen=True, slots=True)
class Standing:
    """A sender as it is shown: what is known of it, and when it counts as silent unless something comes."""

    pulse: Pulse
    silent_at: Micros | None


async def standing(view: Reading, resource: Resource) -> Standing:
    """How a heartbeat or an integration stands."""
    expected = expected_of(resource.kind, resource.document)
    known = await pulse(view, resource.id) or Pulse("waiting" if expected else "unwatched")
    due = silent_at(known, expected) if expected is not None and known.state == "up" else None
    return Standing(known, due)
