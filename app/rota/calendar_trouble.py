"""Telling the right teams, once, that a calendar which counts for them can't be read any more. Deeds."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from app.clock import DAY, Micros, spoken
from app.oncall.calendar import person_ids
from app.oncall.copies import Copy
from app.oncall.facts import schedules_of, schedules_reading
from app.oncall.tables import absences
from app.paging.notices import Notice, tell
from app.rota.drills import team_of
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Resource

FAILURES = 3
"""In a row; one that fails now and then is nobody's business."""
TOO_LONG: Micros = DAY
"""Without a good reading, for those that are read rarely."""


async def tell_of_trouble(tx: Writing, calendar: Resource, copy: Copy) -> None:
    """Tells the leads and channels of the teams whose schedules it counts for, when it is time to and they don't know."""
    if not _to_be_told(copy, calendar, tx.now):
        return
    since = f"since {spoken(copy.read_at)}" if copy.read_at is not None else "ever since it was entered"
    title = f"The calendar {calendar.name!r} can't be read"
    text = (
        f"It could not be read {since}: {copy.trouble}. What it said last stays in force, so nobody's turns change, but "
        "nothing new of it counts. Look whether its address still holds; Tocsin goes on trying."
    )
    # A trouble begins with the last good reading; where there was none, with the address that was entered.
    episode = f"calendar:{calendar.id}:{copy.read_at or -calendar.version}"
    leads, channels = await _teams(tx, await _concerned(tx, calendar))
    told = [Notice("calendar", title, text, person_id=lead, once=f"{episode}:{lead}") for lead in leads]
    told += [Notice("calendar", title, text, channel_id=one, once=f"{episode}:{one}") for one in channels]
    await tell(tx, told)


def _to_be_told(copy: Copy, calendar: Resource, now: Micros) -> bool:
    since = calendar.updated_at if copy.read_at is None else copy.read_at
    return copy.failures >= FAILURES or now - since >= TOO_LONG


async def _concerned(view: Reading, calendar: Resource) -> list[int]:
    if calendar.document["purpose"] == "shifts":
        return await schedules_reading(view, calendar.id)
    away = select(absences.c.person_id).where(absences.c.calendar_id == calendar.id).distinct()
    people = set((await view.conn.execute(away)).scalars()) | set(person_ids(calendar.document))
    return await schedules_of(view, people)


async def _teams(view: Reading, schedule_ids: Iterable[int]) -> tuple[list[int], list[int]]:
    """The leads and the channels of these schedules' teams, each once."""
    leads: dict[int, None] = {}
    channels: dict[int, None] = {}
    for schedule in (await resources.load(view, "schedule", schedule_ids)).values():
        team = await team_of(view, schedule.document)
        if team is not None:
            leads |= {int(one.person_id): None for one in team.members if one.role == "lead"}
            channels |= {int(team.channel_id): None} if team.channel_id else {}
    return list(leads), list(channels)
