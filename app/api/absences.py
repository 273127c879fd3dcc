"""When people are away: enter it, see it beside calendars and public holidays, take it back.

Must never know how turns move on (app/oncall), nor how absences are kept (app/rota/absences.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from app.api.idempotency import Made, RequestedOf, once
from app.api.oncall import FromQuery, ToQuery
from app.api.overrides import Reason, WarningShown
from app.api.parameters import ID, IdText, instant
from app.api.preview import ChangeShown, changes_shown
from app.api.problems import NotFound, answers, invalid
from app.api.resources import read_one
from app.clock import DAY, Micros, iso, spoken
from app.ids import PersonId
from app.oncall.codec import read_instant
from app.oncall.document import DateText, InstantText
from app.oncall.rota import Away, ByLayer, Rota, Shift
from app.oncall.schedule import BadField
from app.rota import absences
from app.rota.absences import Absence, Days, Moved, Source
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Resource
from app.world import World

AbsenceText = Annotated[str, Path(pattern=ID, description="The id of the absence.")]
USUAL = 366 * DAY
LONGEST = 2 * 366 * DAY
SHOWN = 10
"""More shifts that somebody keeps while away, or is not covered in any more, are counted, not named."""


class NewAbsence(BaseModel):
    """Somebody is away: whole days (`from`, `to`), or from one instant to another (`starts_at`, `ends_at`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    first: DateText | None = Field(default=None, alias="from", description="The first day, where the person lives.")
    last: DateText | None = Field(default=None, alias="to", description="The last day, included.")
    starts_at: InstantText | None = None
    ends_at: InstantText | None = Field(default=None, description="Until just before this instant.")
    reason: Reason = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        days, instants = (self.first, self.last), (self.starts_at, self.ends_at)
        either = (None not in days and instants == (None, None)) or (None not in instants and days == (None, None))
        if not either:
            raise ValueError("say either from and to (dates) or starts_at and ends_at (instants)")
        return self

    def days(self) -> Days | None:
        """The days, when it was said in days."""
        if self.first is None or self.last is None:
            return None
        return Days(date.fromisoformat(self.first), date.fromisoformat(self.last))

    def away(self, person: Resource) -> Away:
        """From when until when, as instants. Raises BadField."""
        days = self.days()
        if days is not None:
            start, end = absences.span_of(days, person.document.get("time_zone", "UTC"))
        else:
            start, end = read_instant("starts_at", self.starts_at), read_instant("ends_at", self.ends_at)
        return Away(PersonId(person.id), start, end, self.reason)


class DaysShown(BaseModel):
    """Whole days, both included."""

    model_config = ConfigDict(populate_by_name=True)

    first: str = Field(alias="from")
    last: str = Field(alias="to")


class AbsenceShown(BaseModel):
    """Somebody is away."""

    id: str | None = Field(description="None for a public holiday, which nobody entered.")
    person_id: str
    starts_at: str
    ends_at: str
    days: DaysShown | None = Field(description="When it was said in days, where the person lives.")
    reason: str
    source: Source = Field(description="Where it comes from; only `entered` and `rest` can be deleted.")
    soft: bool = Field(description="A wish: such a person is still asked before nobody.")
    calendar_id: str | None
    created_at: str | None
    created_by: str | None


class AbsenceList(BaseModel):
    """When somebody is away, in order."""

    items: list[AbsenceShown]


class ScheduleChanges(BaseModel):
    """What an absence does to one schedule in the next 60 days."""

    schedule_id: str
    schedule: str
    changes: list[ChangeShown]


class AbsenceMade(AbsenceShown):
    """An absence, and what it changes."""

    schedules: list[ScheduleChanges] = Field(description="Who is on call instead, in the next 60 days.")
    warnings: list[WarningShown] = Field(description="Where the person stays on call all the same.")


def shown(one: Absence) -> AbsenceShown:
    """An absence as it is answered."""
    return AbsenceShown(
        id=None if one.id is None else str(one.id),
        person_id=str(one.person_id),
        starts_at=iso(one.starts_at),
        ends_at=iso(one.ends_at),
        days=DaysShown(first=one.days.first.isoformat(), last=one.days.last.isoformat()) if one.days else None,
        reason=one.reason,
        source=one.source,
        soft=one.soft,
        calendar_id=None if one.calendar_id is None else str(one.calendar_id),
        created_at=None if one.created_at is None else iso(one.created_at),
        created_by=one.created_by,
    )


class Foreseen(BaseModel):
    """What an absence would change, computed before it is written."""

    schedules: list[ScheduleChanges] = []
    warnings: list[WarningShown] = []


async def facts(view: Reading, person_id: int, said: NewAbsence) -> tuple[Away, dict[int, Rota], dict[int, str]] | None:
    """The absence, the schedules it may touch, and what everybody in them is called; None: it can't be entered."""
    person = (await resources.load(view, "person", [person_id])).get(person_id)
    if person is None:
        return None
    try:
        away = said.away(person)
        absences.check(away.starts_at, away.ends_at, view.now)
    except BadField:
        # Whoever enters it is told why, or that the same request was answered before.
        return None
    known = await absences.rotas_with(view, person_id)
    people = {int(person) for rota in known.values() for era in rota.eras for person in era.schedule.people()}
    people |= {int(override.person) for rota in known.values() for override in rota.overrides}
    people |= {int(booking.person) for rota in known.values() for booking in rota.bookings}
    named = {**await resources.load(view, "person", people), **await resources.load(view, "schedule", known)}
    return away, known, {item: found.name for item, found in named.items()}


def foreseen(away: Away, known: Mapping[int, Rota], names: Mapping[int, str], now: Micros) -> Foreseen:
    """What is answered of it. Pure."""
    found = absences.moved(known, away, now)
    return Foreseen(
        schedules=[
            ScheduleChanges(
                schedule_id=str(schedule_id),
                schedule=names.get(schedule_id, "(deleted)"),
                changes=changes_shown(moved.changes, names),
            )
            for schedule_id, moved in found.items()
            if moved.changes
        ],
        warnings=[
            warning
            for schedule_id, moved in found.items()
            for warning in _warnings(moved, names.get(schedule_id, "(deleted)"), names)
        ],
    )


def _warnings(moved: Moved, schedule: str, names: Mapping[int, str]) -> list[WarningShown]:
    """The shifts that somebody keeps while away, and why; and those in which a stand-in is not needed any more."""
    found = []
    for shift in moved.stays:
        by_turn = isinstance(shift.why, ByLayer)
        code = "nobody_else" if by_turn else "not_by_turn"
        why = "nobody else is available" if by_turn else "an override or a calendar says so"
        found.append((code, f"stays on call in {schedule} {_span(shift)}: {why}"))
    for shift in moved.undone:
        who = names.get(int(shift.person), "(deleted)")
        why = "who is away passes their turn on, and owes it; without this absence the cover stays"
        found.append(("cover_undone", f"{who} stands in no more in {schedule} {_span(shift)}: {why}"))
    shown = [WarningShown(code=code, message=message) for code, message in found[:SHOWN]]
    if len(found) > SHOWN:
        shown.append(WarningShown(code="more", message=f"and {len(found) - SHOWN} more shifts in {schedule}"))
    return shown


def _span(shift: Shift) -> str:
    return f"({shift.role}) from {spoken(shift.starts_at)} until {spoken(shift.ends_at)}"


async def create(tx: Writing, person_id: int, said: NewAbsence, seen: Foreseen, by: str) -> Made:
    """Enters an absence. Raises NotFound, BadField."""
    # Nobody moves to another time zone between this and the commit.
    await resources.config_held(tx)
    away = said.away(await read_one(tx, "person", person_id))
    absences.check(away.starts_at, away.ends_at, tx.now)
    made = await absences.enter(tx, away, said.days(), by)
    answer = AbsenceMade(**shown(made).model_dump(), schedules=seen.schedules, warnings=seen.warnings)
    return Made(answer.model_dump(by_alias=True))


async def cancel(tx: Writing, person_id: int, absence_id: int) -> None:
    """Takes an absence back: from now on; what was before stays. Raises NotFound, Refused."""
    if not await absences.take_back(tx, person_id, absence_id):
        raise NotFound(f"There is no absence {absence_id} of the person {person_id}.")


async def listed(view: Reading, person_id: int, start: Micros, end: Micros) -> tuple[Resource, Sequence[Absence]]:
    """The person, and the absences in [start, end). Raises NotFound."""
    person = await read_one(view, "person", person_id)
    return person, await absences.listed(view, person_id, start, end)


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of absences."""
    tags: list[str | Enum] = ["people"]

    @routes.get(
        "/people/{item_id}/absences",
        response_model=AbsenceList,
        tags=tags,
        summary="When somebody is away",
        operation_id="list_absences",
        responses=answers(404),
    )
    async def list_absences(item_id: IdText, start: FromQuery = None, end: ToQuery = None) -> Any:
        """A year from now unless asked otherwise, two at most: what was entered, what calendars say, public holidays."""
        since = instant(start, "from") if start else world.clock.now()
        until = instant(end, "to") if end else since + USUAL
        if not since < until <= since + LONGEST:
            raise invalid("to", "must be after `from`, by two years at most", "query")
        person, found = await world.store.read(listed, int(item_id), since, until)
        # In a thread: the first question about public holidays loads all countries.
        items = await asyncio.to_thread(absences.with_holidays, found, person, since, until)
        return AbsenceList(items=[shown(one) for one in items])

    @routes.post(
        "/people/{item_id}/absences",
        status_code=201,
        response_model=AbsenceMade,
        tags=tags,
        summary="Enter that somebody is away",
        operation_id="create_absence",
        responses=answers(404, 409, 413),
    )
    async def create_absence(item_id: IdText, said: NewAbsence, request: RequestedOf) -> Response:
        """Turns move on to the next who is available; the turn that is skipped stays owed. Who was on call stays who was."""
        seen, known = Foreseen(), await world.store.read(facts, int(item_id), said)
        if known is not None:
            # In a thread: sixty days of many schedules take long enough for others to notice.
            seen = await asyncio.to_thread(foreseen, *known, world.clock.now())
        asked = request.asked(said)
        made = await world.store.write(once, asked, create, int(item_id), said, seen, request.actor)
        world.wake.set()
        return made.response()

    @routes.delete(
        "/people/{item_id}/absences/{absence_id}",
        status_code=204,
        tags=tags,
        summary="Take an absence back",
        operation_id="cancel_absence",
        responses=answers(404, 409),
    )
    async def cancel_absence(item_id: IdText, absence_id: AbsenceText) -> None:
        """One that goes on ends now; one to come is taken out. One of a calendar is changed in the calendar."""
        await world.store.write(cancel, int(item_id), int(absence_id))
        world.wake.set()
