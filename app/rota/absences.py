"""When people are away: entered by somebody, read from a calendar, or public holidays where they live. Deeds and answers.

An absence changes who is on call from now on, never who was: what was is written down first. Whose turn it would have
been owes it (app/oncall/turns.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from sqlalchemy import insert, select, update

from app.clock import DAY, Micros
from app.ids import PersonId
from app.oncall.changes import Change, changes
from app.oncall.facts import rotas, schedules_of
from app.oncall.holidays import holiday_away
from app.oncall.record import settle
from app.oncall.rota import Away, ByOverride, Rota, Shift
from app.oncall.schedule import FIRST_YEAR, LAST_INSTANT, LAST_YEAR, BadField
from app.oncall.shifts import shifts
from app.oncall.tables import absences, overrides
from app.oncall.walltime import UnknownZone, instant, zone
from app.rota.ahead import look_again_of
from app.rota.watch import watch
from app.store.database import Reading, Writing
from app.store.resources import Refused, Resource

LONGEST: Micros = 2 * 366 * DAY
FORESEEN: Micros = 60 * DAY
"""How far ahead it is shown who is on call instead."""
REST = "rest after a night with pages"
SERVER = "tocsin"
"""Who enters a rest (rest.py)."""

Source = Literal["entered", "calendar", "rest", "public_holiday"]


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days where the person lives, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Absence:
    """A person is away."""

    id: int | None
    """None: nobody entered it, it is a public holiday."""
    person_id: int
    starts_at: Micros
    ends_at: Micros
    days: Days | None
    reason: str
    soft: bool
    source: Source
    calendar_id: int | None = None
    created_at: Micros | None = None
    created_by: str | None = None


def span_of(days: Days, time_zone: str) -> tuple[Micros, Micros]:
    """The instants at which these days begin and end in the zone. Raises BadField."""
    for field, day in (("from", days.first), ("to", days.last)):
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise BadField(field, f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    if days.last < days.first:
        raise BadField("to", "must not be before from")
    try:
        rules = zone(time_zone)
    except UnknownZone:
        raise BadField("from", "can't be a day: the time zone of this person is not known; use starts_at") from None
    midnights = (datetime.combine(day, time()) for day in (days.first, days.last + timedelta(days=1)))
    start, end = (instant(rules, midnight) for midnight in midnights)
    return start, end


def check(starts_at: Micros, ends_at: Micros, now: Micros) -> None:
    """Raises BadField for an absence that can't be entered. One that has begun can: it counts from now on."""
    if not 0 <= starts_at < LAST_INSTANT:
        raise BadField("starts_at", f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    if ends_at <= starts_at:
        raise BadField("ends_at", "must be after starts_at")
    if ends_at - starts_at > LONGEST:
        raise BadField("ends_at", "must be at most two years after starts_at")
    if ends_at <= now:
        raise BadField("ends_at", "is over already: an absence changes who is on call from now on, not who was")


async def enter(tx: Writing, away: Away, days: Days | None, by: str, *, soft: bool = False) -> Absence:
    """Writes an absence down; the caller has checked it. Rotations move on from now."""
    there = await schedules_of(tx, [away.person])
    await settle(tx, there)
    row = {
        "id": tx.new_id(),
        "person_id": away.person,
        "starts_at": away.starts_at,
        "ends_at": away.ends_at,
        "first_day": days.first.isoformat() if days else None,
        "last_day": days.last.isoformat() if days else None,
        "reason": away.why,
        "soft": soft,
        "created_at": tx.now,
        "created_by": by,
    }
    await tx.conn.execute(insert(absences).values(row))
    await _look(tx, there)
    return _absence((await tx.conn.execute(select(absences).where(absences.c.id == row["id"]))).one())


async def take_back(tx: Writing, person_id: int, absence_id: int) -> bool:
    """Takes an absence back from now on; what was before stays. False: there is none.

    Raises Refused(`of_a_calendar`, `absence_over`).
    """
    there = await schedules_of(tx, [person_id])
    await settle(tx, there)
    columns = absences.c
    this = (columns.id == absence_id, columns.person_id == person_id, columns.cancelled_at.is_(None))
    found = (await tx.conn.execute(select(absences).where(*this).with_for_update())).first()
    if found is None:
        return False
    if found.calendar_id is not None:
        raise Refused("of_a_calendar", "this absence is read from a calendar; change it in that calendar")
    if found.ends_at <= tx.now:
        raise Refused("absence_over", "this absence has ended; who was on call stays who was")
    end = {"ends_at": tx.now} if found.starts_at < tx.now else {"cancelled_at": tx.now}
    await tx.conn.execute(update(absences).where(*this).values(**end))
    await _look(tx, there)
    return True


async def move_days(tx: Writing, person_id: int, time_zone: str) -> None:
    """Days of leave are days where the person lives, also after they move. The caller settles before and looks after it."""
    columns = absences.c
    question = select(columns.id, columns.first_day, columns.last_day).where(
        columns.person_id == person_id,
        columns.first_day.is_not(None),
        # Those of a calendar are days of its zone.
        columns.calendar_id.is_(None),
        columns.cancelled_at.is_(None),
        columns.ends_at > tx.now,
    )
    for row in (await tx.conn.execute(question)).all():
        days = Days(date.fromisoformat(row.first_day), date.fromisoformat(row.last_day))
        start, end = span_of(days, time_zone)
        await tx.conn.execute(update(absences).where(columns.id == row.id).values(starts_at=start, ends_at=end))


async def _look(tx: Writing, schedule_ids: Sequence[int]) -> None:
    await watch(tx, schedule_ids)
    await look_again_of(tx, schedule_ids)


async def listed(view: Reading, person_id: int, start: Micros, end: Micros) -> list[Absence]:
    """The absences of a person that touch [start, end), except public holidays; in order."""
    columns = absences.c
    question = (
        select(absences)
        .where(
            columns.person_id == person_id,
            columns.starts_at < end,
            columns.ends_at > start,
            columns.cancelled_at.is_(None),
        )
        .order_by(columns.starts_at, columns.id)
    )
    return [_absence(row) for row in await view.conn.execute(question)]


def with_holidays(found: Iterable[Absence], person: Resource, start: Micros, end: Micros) -> list[Absence]:
    """The same with the public holidays on which the person is off, in order. Pure; the first call loads a package."""
    document = person.document
    off: list[Absence] = []
    if document.get("off_on_public_holidays") and document.get("country"):
        where = (document["country"], document.get("subdivision", ""), document.get("time_zone", "UTC"))
        off = [
            Absence(None, person.id, one.starts_at, one.ends_at, None, one.why, one.soft, "public_holiday")
            for one in holiday_away(PersonId(person.id), *where, start, end)
        ]
    return sorted([*found, *off], key=lambda one: (one.starts_at, one.ends_at))


def _absence(row: Any) -> Absence:
    days = Days(date.fromisoformat(row.first_day), date.fromisoformat(row.last_day)) if row.first_day else None
    source: Source = "entered"
    if row.calendar_id is not None:
        source = "calendar"
    elif row.soft and row.created_by == SERVER:
        source = "rest"
    return Absence(
        row.id,
        row.person_id,
        row.starts_at,
        row.ends_at,
        days,
        row.reason,
        bool(row.soft),
        source,
        row.calendar_id,
        row.created_at,
        row.created_by,
    )


async def rotas_with(view: Reading, person_id: int) -> dict[int, Rota]:
    """The schedules in which the person takes turns or stands in, as far as `moved` looks ahead."""
    columns = overrides.c
    standing_in = select(columns.schedule_id).where(
        columns.person_id == person_id, columns.ends_at > view.now, columns.cancelled_at.is_(None)
    )
    wanted = {*await schedules_of(view, [person_id]), *(await view.conn.execute(standing_in)).scalars()}
    return await rotas(view, wanted, view.now, view.now + FORESEEN)


@dataclass(frozen=True, slots=True)
class Moved:
    """What an absence does to one schedule in the next 60 days."""

    changes: tuple[Change, ...]
    stays: tuple[Shift, ...]
    """Shifts that the person still has while away: nobody else is available, or they are not by turns."""
    undone: tuple[Shift, ...]
    """Shifts in which somebody stands in for the person already, and will not: their turn is somebody else's then."""


def moved(known: Mapping[int, Rota], away: Away, now: Micros) -> dict[int, Moved]:
    """What the absence changes, by schedule; those that it does not touch are left out. Pure; some 20 ms a schedule."""
    found = {}
    for schedule_id, rota in known.items():
        without = replace(rota, away=(*rota.away, away))
        before, after = shifts(rota, now, now + FORESEEN), shifts(without, now, now + FORESEEN)
        stays = tuple(
            shift
            for shift in after
            if shift.person == away.person and shift.starts_at < away.ends_at and away.starts_at < shift.ends_at
        )
        undone = tuple(
            shift
            for shift in before
            if isinstance(shift.why, ByOverride) and shift.why.replaces == away.person and shift not in after
        )
        one = Moved(changes(before, after), stays, undone)
        if one.changes or one.stays:
            found[schedule_id] = one
    return found
