"""Who is on call, now or at any instant, and the shifts of an interval; each answer with its reason. Read only.

Computed from the schedule as it is now, never from a table of shifts. Must never change anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.parameters import AN_INSTANT, IdText, InstantQuery, instant
from app.api.problems import answers, invalid
from app.api.resources import read_one
from app.clock import DAY, Micros, iso
from app.oncall.overrides import overrides_of, schedule_of, why
from app.oncall.resolve import NOBODY, ByOverride, Duty, next_change, on_call
from app.oncall.schedule import LAST_INSTANT, Override
from app.oncall.shifts import Gap, Shift, gaps, shifts
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource
from app.world import World

USUAL = 14 * DAY
LONGEST = 366 * DAY


class Via(BaseModel):
    """What put somebody on call: a layer's turn, or an override."""

    layer: str | None = None
    turn: int | None = Field(default=None, description="The layer's first is 1.")
    override_id: str | None = None
    replaces: str | None = Field(default=None, description="The person an override stands in for.")


class OnDuty(BaseModel):
    """Somebody on call."""

    person_id: str
    person: str
    reason: str
    via: Via


class OnCallShown(BaseModel):
    """Who is on call in one schedule at the asked instant."""

    schedule_id: str
    schedule: str
    at: str
    people: list[OnDuty]
    nobody: str | None = Field(description="Why nobody is, when nobody is.")
    until: str | None = Field(description="When this changes, by the schedule and its overrides. None: never.")


class OnCallList(BaseModel):
    """Every schedule."""

    items: list[OnCallShown]


class ShiftShown(OnDuty):
    """Somebody on call without a break; cut at the ends of the interval."""

    starts_at: str
    ends_at: str


class GapShown(BaseModel):
    """Nobody on call."""

    starts_at: str
    ends_at: str
    reason: str


class ShiftList(BaseModel):
    """An interval laid out; shifts and gaps together fill it."""

    items: list[ShiftShown]
    gaps: list[GapShown]


def _via(duty: Duty) -> Via:
    match duty.why:
        case ByOverride(override=override, replaces=replaces):
            return Via(override_id=str(override), replaces=None if replaces is None else str(replaces))
        case by_layer:
            return Via(layer=by_layer.layer, turn=by_layer.turn)


def _on_duty(duty: Duty, schedule: str, names: Mapping[int, str]) -> dict[str, Any]:
    person = int(duty.person)
    name = names.get(person, "(deleted)")
    return {"person_id": str(person), "person": name, "reason": why(duty, schedule), "via": _via(duty)}


async def _names(view: Reading, people: Iterable[int]) -> dict[int, str]:
    return {item: found.name for item, found in (await resources.load(view, "person", people)).items()}


async def everywhere(view: Reading, asked: Micros | None) -> OnCallList:
    """Who is on call in every schedule at an instant, or now."""
    at = view.now if asked is None else asked
    known = {schedule.id: schedule for schedule in await resources.listed(view, "schedule")}
    overrides = await overrides_of(view, known, at, LAST_INSTANT)
    people = {person for schedule in known.values() for person in schedule_of(schedule.document).people()}
    people |= {override.person for found in overrides.values() for override in found}
    names = await _names(view, people)
    return OnCallList(items=[_here(schedule, overrides[item], at, names) for item, schedule in known.items()])


def _here(schedule: Resource, overrides: list[Override], at: Micros, names: Mapping[int, str]) -> OnCallShown:
    rota = schedule_of(schedule.document)
    answer, until = on_call(rota, overrides, at), next_change(rota, overrides, at)
    return OnCallShown(
        schedule_id=str(schedule.id),
        schedule=schedule.name,
        at=iso(at),
        people=[OnDuty(**_on_duty(duty, schedule.name, names)) for duty in answer.people],
        nobody=NOBODY[answer.nobody] if answer.nobody else None,
        until=None if until is None else iso(until),
    )


async def _facts(
    view: Reading, schedule_id: int, start: Micros, end: Micros
) -> tuple[Resource, list[Override], dict[int, str]]:
    schedule = await read_one(view, "schedule", schedule_id)
    overrides = (await overrides_of(view, [schedule_id], start, end))[schedule_id]
    people = schedule_of(schedule.document).people() | {override.person for override in overrides}
    return schedule, overrides, await _names(view, people)


def laid_out(
    schedule: Resource, overrides: list[Override], names: Mapping[int, str], start: Micros, end: Micros
) -> ShiftList:
    """The shifts and gaps of an interval. Pure. Raises BadRange."""
    rota = schedule_of(schedule.document)
    return ShiftList(
        items=[_shift(shift, schedule.name, names) for shift in shifts(rota, overrides, start, end)],
        gaps=[_gap(gap) for gap in gaps(rota, overrides, start, end)],
    )


def _shift(shift: Shift, schedule: str, names: Mapping[int, str]) -> ShiftShown:
    duty = Duty(shift.person, shift.why)
    return ShiftShown(**_on_duty(duty, schedule, names), starts_at=iso(shift.starts_at), ends_at=iso(shift.ends_at))


def _gap(gap: Gap) -> GapShown:
    return GapShown(starts_at=iso(gap.starts_at), ends_at=iso(gap.ends_at), reason=NOBODY[gap.nobody])


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of being on call."""

    @routes.get("/oncall", tags=["schedules"], summary="Who is on call", operation_id="read_oncall")
    async def read_oncall(at: InstantQuery = None) -> OnCallList:
        """In every schedule, now or at an instant: who, by which layer or override, and until when."""
        return await world.store.read(everywhere, None if at is None else instant(at, "at"))

    @routes.get(
        "/schedules/{item_id}/shifts",
        tags=["schedules"],
        summary="The shifts of an interval",
        operation_id="list_shifts",
        responses=answers(404),
    )
    async def list_shifts(
        item_id: IdText,
        start: Annotated[str | None, Query(alias="from", **AN_INSTANT)] = None,
        end: Annotated[str | None, Query(alias="to", **AN_INSTANT)] = None,
    ) -> ShiftList:
        """Two weeks from now unless asked otherwise, a year at most. Where nobody is on call is a gap, with its reason."""
        since = instant(start, "from") if start else world.clock.now()
        until = instant(end, "to") if end else since + USUAL
        if not since < until <= since + LONGEST:
            raise invalid("to", f"must be after `from`, by {LONGEST // DAY} days at most", "query")
        schedule, overrides, names = await world.store.read(_facts, int(item_id), since, until)
        # In a thread: a year of a large schedule takes long enough for others to notice.
        return await asyncio.to_thread(laid_out, schedule, overrides, names, since, until)
