"""Whether anybody listened: every process says so each few seconds, and a hole between two sayings is an outage of ours.

A restart, a database that was away, a machine that slept: whatever came meanwhile is lost or late, and must not be taken
for the silence of its sender.
"""

from __future__ import annotations

from sqlalchemy import select, update

from app.clock import SECOND, Micros
from app.store import resources
from app.store.database import Writing
from app.watch.heartbeat import expected_of
from app.watch.marks import mark, marked, swap
from app.watch.silence import Deaf, Pulse, may_have_missed
from app.watch.tables import pulses

MARK = "listening_at"
DEAF_AFTER: Micros = 30 * SECOND
"""Three sayings that are missing."""


async def listening(tx: Writing) -> Deaf | None:
    """Somebody listens now. Answers the outage that has ended with it, whose loss no sender is blamed for."""
    deaf = await notice_outage(tx)
    if deaf is None:
        await mark(tx, MARK, str(tx.now))
    return deaf


async def notice_outage(tx: Writing) -> Deaf | None:
    """The outage that ends now, if there is one that nobody has noticed; senders that may have lost a signal in it begin anew.

    Whoever judges a silence asks this first: after a stall a late look may come before anybody has said that they listen.
    """
    said = await marked(tx, MARK)
    if said is None or tx.now - int(said) <= DEAF_AFTER:
        return None
    if not await swap(tx, MARK, said, str(tx.now)):
        return None  # another process noticed it, and has done the rest
    deaf = Deaf(int(said), tx.now)
    await _begin_anew(tx, deaf)
    return deaf


async def _begin_anew(tx: Writing, deaf: Deaf) -> None:
    expected = {
        one.id: found
        for kind in ("heartbeat", "integration")
        for one in await resources.listed(tx, kind)
        if (found := expected_of(kind, one.document)) is not None
    }
    question = select(pulses).where(pulses.c.state == "up").order_by(pulses.c.resource_id).with_for_update()
    missed = [
        row.resource_id
        for row in (await tx.conn.execute(question)).all()
        if row.resource_id in expected and may_have_missed(pulse_of(row), expected[row.resource_id], deaf)
    ]
    for start in range(0, len(missed), 500):
        some = missed[start : start + 500]
        await tx.conn.execute(update(pulses).where(pulses.c.resource_id.in_(some)).values(counted_from=deaf.end))


def pulse_of(row: object) -> Pulse:
    """A row of `pulses` as a value."""
    return Pulse(**{name: getattr(row, name) for name in Pulse.__slots__})
