"""The record of who was on call, and the versions of a schedule: deeds.

Whatever could change who was on call first settles: what was until now is computed by what was known until now, written
down, and never computed again. In the transaction of the change, so nothing can come in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from app.clock import Micros
from app.oncall.codec import standing_to_document, why_from_document, why_to_document
from app.oncall.facts import rotas, states
from app.oncall.resolve import standings
from app.oncall.rota import Duty, Rota, Shift
from app.oncall.shifts import MAX_RANGE, shifts
from app.oncall.tables import eras, rota_states, shift_record
from app.oncall.walltime import TZDATA_VERSION
from app.store.database import Writing


async def settle(tx: Writing, schedule_ids: Iterable[int]) -> None:
    """Writes down who was on call until now. Repeating it at the same instant writes nothing."""
    wanted = sorted(set(schedule_ids))
    await _lock(tx, wanted)
    known = await states(tx, wanted)
    for schedule_id in wanted:
        state = known.get(schedule_id)
        since = state.settled_until if state else await _begin(tx, schedule_id)
        if since is None or since >= tx.now:
            continue
        # After years without a server nobody was on call by us: no more is laid out than can be.
        since = max(since, tx.now - MAX_RANGE)
        rota = (await rotas(tx, [schedule_id], since, tx.now))[schedule_id]
        await _write_down(tx, schedule_id, shifts(rota, since, tx.now))
        await _keep_state(tx, schedule_id, rota, new=state is None)


async def _lock(tx: Writing, wanted: list[int]) -> None:
    """Two who settle the same schedule do it one after the other."""
    question = select(rota_states.c.schedule_id).where(rota_states.c.schedule_id.in_(wanted))
    await tx.conn.execute(question.order_by(rota_states.c.schedule_id).with_for_update())


async def _begin(tx: Writing, schedule_id: int) -> Micros | None:
    """When the schedule began to exist; None: it does not."""
    question = select(eras.c.starts_at).where(eras.c.schedule_id == schedule_id).order_by(eras.c.starts_at).limit(1)
    return (await tx.conn.execute(question)).scalar()


async def _write_down(tx: Writing, schedule_id: int, been: Iterable[Shift]) -> None:
    """Adds shifts to the record; one that was on when the record ended is made longer."""
    for shift in been:
        written = why_to_document(shift.why)
        longer = await _going_on(tx, schedule_id, shift)
        if longer is not None:
            await tx.conn.execute(update(shift_record).where(shift_record.c.id == longer).values(ends_at=shift.ends_at))
            continue
        await tx.conn.execute(
            insert(shift_record).values(
                id=tx.new_id(),
                schedule_id=schedule_id,
                person_id=shift.person,
                role=shift.role,
                starts_at=shift.starts_at,
                ends_at=shift.ends_at,
                why=written,
            )
        )


async def _going_on(tx: Writing, schedule_id: int, shift: Shift) -> int | None:
    """The row of the shift that this one continues."""
    columns = shift_record.c
    question = select(columns.id, columns.why).where(
        columns.schedule_id == schedule_id,
        columns.ends_at == shift.starts_at,
        columns.person_id == shift.person,
        columns.role == shift.role,
    )
    source = Duty(shift.person, shift.why, shift.role).source
    for row_id, why in await tx.conn.execute(question):
        if Duty(shift.person, why_from_document(why), shift.role).source == source:
            return int(row_id)
    return None


async def _keep_state(tx: Writing, schedule_id: int, rota: Rota, *, new: bool) -> None:
    remembered = {name: standing_to_document(one) for name, one in standings(rota, tx.now).items()}
    values: Mapping[str, Any] = {"settled_until": tx.now, "standings": remembered, "tzdata": TZDATA_VERSION}
    if new:
        await tx.conn.execute(insert(rota_states).values(schedule_id=schedule_id, **values))
    else:
        await tx.conn.execute(update(rota_states).where(rota_states.c.schedule_id == schedule_id).values(**values))


async def put_in_force(
    tx: Writing, schedule_id: int, version: int, document: Mapping[str, Any], at: Micros | None
) -> None:
    """Makes a version the one in force from `at` on, or from now; versions that were to follow later are taken back.

    The caller has settled the schedule in this transaction.
    """
    since = max(at or tx.now, tx.now)
    columns = eras.c
    await tx.conn.execute(delete(eras).where(columns.schedule_id == schedule_id, columns.starts_at >= since))
    await _end(tx, schedule_id, since)
    await tx.conn.execute(
        insert(eras).values(schedule_id=schedule_id, version=version, starts_at=since, document=dict(document))
    )
    if version == 1:
        # Nothing is remembered, and nothing was: so the plan of its layers begins here.
        state = {"settled_until": tx.now, "standings": {}, "tzdata": TZDATA_VERSION}
        await tx.conn.execute(insert(rota_states).values(schedule_id=schedule_id, **state))


async def end_for_good(tx: Writing, schedule_id: int) -> None:
    """The schedule is no more, from now on. The caller has settled it in this transaction."""
    columns = eras.c
    await tx.conn.execute(delete(eras).where(columns.schedule_id == schedule_id, columns.starts_at >= tx.now))
    await _end(tx, schedule_id, tx.now)


async def _end(tx: Writing, schedule_id: int, at: Micros) -> None:
    columns = eras.c
    still = or_(columns.ends_at.is_(None), columns.ends_at > at)
    await tx.conn.execute(update(eras).where(columns.schedule_id == schedule_id, still).values(ends_at=at))
