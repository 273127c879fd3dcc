"""Rest after a night with pages: whoever was paged at night is not asked for a turn the next morning, if others can.

A wish and no more: a soft absence, which moves turns on and never leaves a gap. Deeds for the job that looks at handoffs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from sqlalchemy import func, select

from app.clock import HOUR, Micros
from app.ids import PersonId
from app.oncall.facts import schedule_of
from app.oncall.rota import Away
from app.oncall.tables import absences
from app.oncall.walltime import instant, wall, zone
from app.paging.tables import attempts, pages
from app.rota.absences import REST, SERVER, enter
from app.store import resources
from app.store.database import Reading, Writing

EVENING, MORNING = time(22), time(6)
"""What a night is, on the clock of the schedule's zone."""


def last_night(time_zone: str, now: Micros) -> tuple[Micros, Micros]:
    """The night that ended last: from 22:00 until 06:00. Pure."""
    rules = zone(time_zone)
    today = wall(rules, now).date()
    morning = datetime.combine(today, MORNING)
    if instant(rules, morning) > now:
        morning -= timedelta(days=1)
    evening = datetime.combine(morning.date() - timedelta(days=1), EVENING)
    return instant(rules, evening), instant(rules, morning)


def next_morning(time_zone: str, now: Micros) -> Micros:
    """When the night that is on, or the next one, ends: then `rest` has something new to see. Pure."""
    rules = zone(time_zone)
    _, morning = last_night(time_zone, now)
    return instant(rules, datetime.combine(wall(rules, morning).date() + timedelta(days=1), MORNING))


async def rest(tx: Writing, schedule_ids: Iterable[int]) -> list[int]:
    """Gives rest to whoever these schedules put on call and had paged last night; answers who got it.

    Only where the schedule asks for it (`limits.rest_after_paged_night_h`), once a person and night however often it is
    called, and only as long as some of it is still to come. It begins at 06:00, or with the last try to send one of the
    night's pages if that was later.
    """
    given: list[int] = []
    for schedule in (await resources.load(tx, "schedule", schedule_ids)).values():
        rota = schedule_of(schedule.document)
        hours = rota.limits.rest_after_paged_night_h
        if hours is None:
            continue
        evening, morning = last_night(rota.time_zone, tx.now)
        for person, last in await _paged(tx, schedule.id, evening, morning):
            start = max(morning, last)
            if start + hours * HOUR <= tx.now or await _has_rest(tx, person, evening):
                continue
            await enter(tx, Away(PersonId(person), start, start + hours * HOUR, REST), None, SERVER, soft=True)
            given.append(person)
    return given


async def _paged(view: Reading, schedule_id: int, evening: Micros, morning: Micros) -> list[tuple[int, Micros]]:
    """Who was on call by the schedule and had pages sent in the night, and when the last try to send one began."""
    at_night = (attempts.c.started_at >= evening, attempts.c.started_at < morning)
    of_night = select(attempts.c.page_id).where(*at_night)
    question = (
        select(pages.c.person_id, func.max(attempts.c.started_at))
        .join(attempts, attempts.c.page_id == pages.c.id)
        .where(pages.c.id.in_(of_night), pages.c.schedule_id == schedule_id, pages.c.person_id.is_not(None))
        .group_by(pages.c.person_id)
        .order_by(pages.c.person_id)
    )
    return [(person, last) for person, last in await view.conn.execute(question)]


async def _has_rest(view: Reading, person_id: int, evening: Micros) -> bool:
    """Whether the person was given rest for this night already; also when it was taken back."""
    columns = absences.c
    question = select(columns.id).where(
        columns.person_id == person_id,
        columns.created_by == SERVER,
        columns.reason == REST,
        columns.starts_at >= evening,
    )
    return (await view.conn.execute(question.limit(1))).first() is not None
