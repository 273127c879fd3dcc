"""What an edit of the configuration does to who is on call, in the edit's own transaction.

Before it: what was until now is written down, so that no edit reaches back. After it: a new version comes into force, and
those who watch ahead (handoffs, gaps) look again. Must never know routes.
"""

from __future__ import annotations

from app.clock import Micros
from app.incidents.service import Service
from app.oncall.codec import read_instant
from app.oncall.facts import schedules_of
from app.oncall.record import end_for_good, put_in_force, settle
from app.rota.absences import move_days
from app.rota.ahead import look_again, look_again_of, look_at
from app.rota.watch import watch
from app.store.database import Writing
from app.store.resources import Resource


async def before_schedule(tx: Writing, old: Resource) -> None:
    """The past of a schedule is written down before it changes."""
    await settle(tx, [old.id])


async def after_schedule(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """The new version comes into force when it says; a deleted schedule is no more from now on."""
    if new is not None:
        await put_in_force(tx, new.id, new.version, new.document, _effective_at(new))
        await watch(tx, [new.id])
    elif old is not None:
        await end_for_good(tx, old.id)
    await look_again_of(tx, {one.id for one in (old, new) if one is not None})


def _effective_at(schedule: Resource) -> Micros | None:
    said = schedule.document.get("effective_at")
    return read_instant("effective_at", said) if said else None


async def before_person(tx: Writing, old: Resource) -> None:
    """Where somebody lives says when they are off: what was is written down by what was known."""
    await settle(tx, await schedules_of(tx, [old.id]))


async def after_person(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """Public holidays, contact methods, and which days are leave may have changed."""
    if old is not None and new is not None and old.document["time_zone"] != new.document["time_zone"]:
        await move_days(tx, new.id, new.document["time_zone"])
    person = new or old
    if person is not None and old is not None:
        await watch(tx, await schedules_of(tx, [person.id]))
    await look_again(tx)


async def after_policy(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """Whom it reaches may have changed."""
    await look_at(tx, {one.id for one in (old, new) if one is not None})


async def after_service(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """Who hears of gaps in a policy may have changed: the teams of the services that it is for."""
    there = [one.as_a(Service) for one in (old, new) if one is not None]
    await look_at(tx, {int(policy) for service in there for policy in service.policies()})


async def after_anything(tx: Writing, _: Resource | None, __: Resource | None) -> None:
    """Who is told may have changed."""
    await look_again(tx)
