"""Watching over the handoffs of schedules: who is told that they come on call, and who is tried out by a drill. Deeds.

One job a schedule looks at it whenever something of it changes, whenever somebody is to be told, and daily. Each look
first writes down who was on call until now, so that the record is never older than a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.clock import DAY, MINUTE, Micros
from app.ids import PersonId
from app.oncall.facts import rotas
from app.oncall.record import settle
from app.oncall.resolve import on_call
from app.oncall.shifts import shifts
from app.rota import drills
from app.rota.announce import Facts, Plan, Settings, Stint, decide, stints, window
from app.rota.arrivals import announce, people_of
from app.rota.drills import Drilled, last_drills
from app.rota.rest import next_morning, rest
from app.rota.tickets import Door
from app.store import jobs, resources
from app.store.database import Reading, Writing
from app.store.jobs import Job
from app.store.resources import Refused, Resource

FAR: Micros = 40 * DAY
"""The beginning of a stint is looked for so far back when somebody is tried out on request."""
BEFORE_MINUTES = 60
"""How long before a shift its person is told, where the schedule does not say."""


async def look(tx: Writing, job: Job, door: Door) -> Plan | None:
    """Looks at one schedule and tells what is to be told now; None when it is deleted. Raises LeaseLost."""
    # In the order in which an edit takes its locks: the schedule's past first, then its job.
    await settle(tx, [job.subject])
    await jobs.hold(tx, job)
    schedule = (await resources.load(tx, "schedule", [job.subject])).get(job.subject)
    if schedule is None:
        await jobs.finish(tx, job)
        return None
    await rest(tx, [schedule.id])
    plan = decide(await _facts(tx, schedule), tx.now)
    await announce(tx, schedule, plan)
    for stint in plan.drills:
        await drills.begin(tx, door, _drilled(schedule, stint))
    await jobs.put_back(tx, job, min([plan.look_at, *_mornings(schedule.document, tx.now)]))
    return plan


def _mornings(document: Mapping[str, Any], now: Micros) -> list[Micros]:
    """When a night ends after which somebody may be given rest, where that is wanted."""
    wanted = (document.get("limits") or {}).get("rest_after_paged_night_h") is not None
    return [next_morning(document["time_zone"], now)] if wanted else []


def settings_of(document: Mapping[str, Any]) -> Settings:
    """What a schedule's document says of notices and drills; one that was written before there were any says nothing."""
    said = document.get("notices") or {}
    minutes = said.get("before_minutes", BEFORE_MINUTES)
    return Settings(
        before=None if minutes is None else int(minutes) * MINUTE,
        at_handoff=bool(said.get("at_handoff", True)),
        drill=bool(document.get("drill", False)),
    )


async def _facts(view: Reading, schedule: Resource) -> Facts:
    settings = settings_of(schedule.document)
    since, until = window(settings, view.now)
    laid_out = shifts((await rotas(view, [schedule.id], since, until))[schedule.id], since, until)
    zones: dict[PersonId, str] = {}
    drilled: dict[PersonId, Micros] = {}
    if settings.drill:
        people = {shift.person for shift in laid_out}
        zones = {PersonId(item): zone for item, (_, zone) in (await people_of(view, people)).items()}
        drilled = {PersonId(item): at for item, at in (await last_drills(view, schedule.id, list(people))).items()}
    return Facts(settings, since, until, laid_out, zones, drilled)


def _drilled(schedule: Resource, stint: Stint) -> Drilled:
    return Drilled(schedule.id, schedule.name, int(stint.person), stint.role, stint.starts_at)


async def drill_now(tx: Writing, schedule: Resource, door: Door) -> list[int]:
    """Tries out whoever is on call now, whatever the time; answers the ids of the drills. Raises Refused(`nobody_on_call`)."""
    since = tx.now - FAR
    rota = (await rotas(tx, [schedule.id], since, tx.now + 1))[schedule.id]
    on = {duty.person: duty for duty in on_call(rota, tx.now).people}
    if not on:
        raise Refused("nobody_on_call", f"nobody is on call in {schedule.name} now, so there is nobody to try out")
    known = stints(shifts(rota, since, tx.now + 1))
    begun = {(one.person, one.role): one.starts_at for one in known if one.starts_at <= tx.now < one.ends_at}
    return [
        await drills.begin(
            tx,
            door,
            Drilled(schedule.id, schedule.name, int(person), duty.role, begun.get((person, duty.role), tx.now)),
        )
        for person, duty in on.items()
    ]
