"""Who is on call, now or at any instant, and the shifts of an interval; each answer with its reason. Read only.

What was is read from the record, what will be is computed. Must never change anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import or_, select
from starlette.responses import Response, StreamingResponse

from app.api.parameters import AN_INSTANT, ID, IdText, InstantQuery, instant
from app.api.problems import NotFound, answers, invalid
from app.clock import DAY, Micros, iso
from app.oncall.facts import rotas, why
from app.oncall.resolve import NOBODY, OnCall, next_change, on_call, standings
from app.oncall.rota import ByCalendar, ByLayer, ByOverride, Duty, Rota, Shift, Turned
from app.oncall.shifts import Gap, roster
from app.oncall.tables import eras
from app.oncall.walltime import TZDATA_VERSION
from app.store import resources
from app.store.database import Reading, Store
from app.world import World

USUAL = 14 * DAY
LONGEST = 366 * DAY
MOST_AT_ONCE = 1_000
AT_A_TIME = 25
"""Schedules that are read and laid out in one go; between them others have their turn."""
FEW = 4
"""So many are asked for one instant without a thread of their own."""

FromQuery = Annotated[str | None, Query(alias="from", **AN_INSTANT)]
ToQuery = Annotated[str | None, Query(alias="to", **AN_INSTANT)]
SchedulesQuery = Annotated[
    list[Annotated[str, Field(pattern=ID)]] | None,
    Query(alias="schedule_id", max_length=MOST_AT_ONCE, description="Only these; may be given many times. None: all."),
]


class Via(BaseModel):
    """What put somebody on call: a layer's turn, an override, or a calendar."""

    layer: str | None = None
    turn: int | None = Field(default=None, description="The layer's first is 1.")
    how: Turned | None = Field(default=None, description="Whether the turn is theirs, and if not, how they came to it.")
    instead_of: str | None = Field(default=None, description="Whose turn it is by the rotation, when it is not theirs.")
    because: str | None = Field(default=None, description="Why not theirs; or which turn is paid back.")
    override_id: str | None = None
    replaces: str | None = Field(default=None, description="The person an override stands in for.")
    event: str | None = Field(default=None, description="What the calendar's event is called.")


class OnDuty(BaseModel):
    """Somebody on call."""

    person_id: str
    person: str
    role: str
    reason: str
    via: Via


class OnCallShown(BaseModel):
    """Who is on call in one schedule at the asked instant."""

    schedule_id: str
    schedule: str
    at: str
    people: list[OnDuty]
    nobody: str | None = Field(description="Why nobody is, when nobody is.")
    until: str | None = Field(description="When this changes. None: not within a year.")


class OnCallList(BaseModel):
    """Every schedule."""

    items: list[OnCallShown]
    tzdata: str = Field(description="The IANA release whose zone rules are in force.")


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


class ScheduleShifts(ShiftList):
    """One schedule's."""

    schedule_id: str
    schedule: str


class ManyShifts(BaseModel):
    """Many schedules laid out."""

    items: list[ScheduleShifts]


class Owed(BaseModel):
    """A turn that somebody missed and somebody else took."""

    layer: str
    debtor_id: str
    debtor: str = Field(description="Who takes one of the other's turns in return, the next time that it comes.")
    creditor_id: str
    creditor: str
    turn: int = Field(description="The turn that was missed.")


class OwedList(BaseModel):
    """Who owes whom, oldest first."""

    items: list[Owed]


@dataclass(frozen=True, slots=True)
class Facts:
    """One schedule, ready to be computed and shown."""

    id: int
    name: str
    rota: Rota
    names: Mapping[int, str]


def _text(person: int | None) -> str | None:
    return None if person is None else str(person)


def _via(duty: Duty | Shift) -> Via:
    match duty.why:
        case ByOverride(override=override, replaces=replaces):
            return Via(override_id=str(override), replaces=_text(replaces))
        case ByCalendar(layer=layer, event=event):
            return Via(layer=layer, event=event)
        case ByLayer(layer=layer, turn=turn, how=how, instead_of=other, because=because):
            return Via(layer=layer, turn=turn, how=how, instead_of=_text(other), because=because or None)


def _on_duty(duty: Duty | Shift, facts: Facts) -> dict[str, Any]:
    person = int(duty.person)
    return {
        "person_id": str(person),
        "person": facts.names.get(person, "(deleted)"),
        "role": duty.role,
        "reason": why(duty, facts.name, facts.names),
        "via": _via(duty),
    }


async def facts_of(view: Reading, wanted: Iterable[int], start: Micros, end: Micros) -> list[Facts]:
    """Schedules, deleted ones too, with all that says who is on call in [start, end). Raises NotFound."""
    ids = list(dict.fromkeys(wanted))
    names: dict[int, str] = {}
    found = await rotas(view, ids, start, end, names)
    for schedule_id in ids:
        if schedule_id not in names:
            raise NotFound(f"There is no schedule with the id {schedule_id}.")
    return [Facts(item, names[item], found[item], names) for item in ids]


async def there(view: Reading, start: Micros, end: Micros) -> list[int]:
    """Every schedule that is there now or was in force in [start, end), oldest first."""
    in_force = select(eras.c.schedule_id).where(
        eras.c.starts_at < end, or_(eras.c.ends_at.is_(None), eras.c.ends_at > start)
    )
    listed = {one.id for one in await resources.listed(view, "schedule")}
    return sorted(listed | set((await view.conn.execute(in_force)).scalars()))


async def _by_parts(store: Store, wanted: list[str] | None, start: Micros, end: Micros) -> AsyncIterator[list[Facts]]:
    """Schedules, a few at a time, so that a thousand hold nobody up. Raises Invalid when one is not there."""
    ids = [int(one) for one in wanted] if wanted else await store.read(there, start, end)
    for place in range(0, len(ids), AT_A_TIME):
        try:
            yield await store.read(facts_of, ids[place : place + AT_A_TIME], start, end)
        except NotFound as error:
            raise invalid("schedule_id", str(error), "query") from None


def _here(facts: Facts, at: Micros) -> OnCallShown:
    answer: OnCall = on_call(facts.rota, at)
    until = next_change(facts.rota, at)
    return OnCallShown(
        schedule_id=str(facts.id),
        schedule=facts.name,
        at=iso(at),
        people=[OnDuty(**_on_duty(duty, facts)) for duty in answer.people],
        nobody=NOBODY[answer.nobody] if answer.nobody else None,
        until=None if until is None else iso(until),
    )


def laid_out(facts: Facts, start: Micros, end: Micros) -> ScheduleShifts:
    """The shifts and gaps of an interval. Pure. Raises BadRange."""
    found = roster(facts.rota, start, end)
    return ScheduleShifts(
        schedule_id=str(facts.id),
        schedule=facts.name,
        items=[shift_shown(shift, facts) for shift in found.shifts],
        gaps=[gap_shown(gap) for gap in found.gaps],
    )


async def everywhere(store: Store, wanted: list[str] | None, at: Micros) -> OnCallList:
    """Who is on call at an instant, in these schedules or in all that are there now or were then. Raises Invalid."""
    items: list[OnCallShown] = []
    async for some in _by_parts(store, wanted, at, at + LONGEST):
        # Of a few it is told faster than another thread wakes.
        items += _all_here(some, at) if len(some) <= FEW else await asyncio.to_thread(_all_here, some, at)
    return OnCallList(items=items, tzdata=TZDATA_VERSION)


def _all_here(some: list[Facts], at: Micros) -> list[OnCallShown]:
    return [_here(one, at) for one in some]


def _all_written(some: list[Facts], start: Micros, end: Micros) -> bytes:
    return b",".join(laid_out(one, start, end).model_dump_json().encode() for one in some)


async def _in_pieces(written: list[bytes]) -> AsyncIterator[bytes]:
    """The answer of many schedules, never in one piece: to put 30 MB together would hold others up."""
    yield b'{"items":['
    for place, piece in enumerate(written):
        yield b"," + piece if place else piece
    yield b"]}"


def shift_shown(shift: Shift, facts: Facts) -> ShiftShown:
    """A shift as it is answered."""
    return ShiftShown(**_on_duty(shift, facts), starts_at=iso(shift.starts_at), ends_at=iso(shift.ends_at))


def gap_shown(gap: Gap) -> GapShown:
    """A gap as it is answered."""
    return GapShown(starts_at=iso(gap.starts_at), ends_at=iso(gap.ends_at), reason=NOBODY[gap.nobody])


def owed(facts: Facts, at: Micros) -> OwedList:
    """Who owes whom at an instant. Pure."""
    return OwedList(
        items=[
            Owed(
                layer=layer,
                debtor_id=str(debt.debtor),
                debtor=facts.names.get(int(debt.debtor), "(deleted)"),
                creditor_id=str(debt.creditor),
                creditor=facts.names.get(int(debt.creditor), "(deleted)"),
                turn=debt.turn,
            )
            for layer, standing in standings(facts.rota, at).items()
            for debt in standing.debts
        ]
    )


def interval(world: World, start: str | None, end: str | None) -> tuple[Micros, Micros]:
    """The asked interval: two weeks from now unless said otherwise, a year at most. Raises Invalid."""
    since = instant(start, "from") if start else world.clock.now()
    until = instant(end, "to") if end else since + USUAL
    if not since < until <= since + LONGEST:
        raise invalid("to", f"must be after `from`, by {LONGEST // DAY} days at most", "query")
    return since, until


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of being on call."""

    @routes.get(
        "/oncall", tags=["schedules"], summary="Who is on call", operation_id="read_oncall", response_model=OnCallList
    )
    async def read_oncall(at: InstantQuery = None, schedule_id: SchedulesQuery = None) -> Response:
        """Now or at an instant: who, by which layer, override or calendar, why them, and until when."""
        asked = world.clock.now() if at is None else instant(at, "at")
        found = await everywhere(world.store, schedule_id, asked)
        return Response(found.model_dump_json(), media_type="application/json")

    @routes.get(
        "/oncall/shifts",
        tags=["schedules"],
        summary="The shifts of many schedules",
        operation_id="list_all_shifts",
        response_model=ManyShifts,
    )
    async def list_all_shifts(
        start: FromQuery = None, end: ToQuery = None, schedule_id: SchedulesQuery = None
    ) -> Response:
        """Two weeks from now unless asked otherwise, a year at most."""
        since, until = interval(world, start, end)
        # Written in threads, where a year of a large schedule holds nobody up; and all of it before the answer begins, so
        # that what goes wrong until then is told as an error.
        written = [
            await asyncio.to_thread(_all_written, some, since, until)
            async for some in _by_parts(world.store, schedule_id, since, until)
        ]
        return StreamingResponse(_in_pieces(written), media_type="application/json")

    @routes.get(
        "/schedules/{item_id}/shifts",
        tags=["schedules"],
        summary="The shifts of an interval",
        operation_id="list_shifts",
        responses=answers(404),
    )
    async def list_shifts(item_id: IdText, start: FromQuery = None, end: ToQuery = None) -> ShiftList:
        """Two weeks from now unless asked otherwise, a year at most. Where nobody is on call is a gap, with its reason."""
        since, until = interval(world, start, end)
        (facts,) = await world.store.read(facts_of, [int(item_id)], since, until)
        return await asyncio.to_thread(laid_out, facts, since, until)

    @routes.get(
        "/schedules/{item_id}/owed",
        tags=["schedules"],
        summary="Turns that are owed",
        operation_id="list_owed",
        responses=answers(404),
    )
    async def list_owed(item_id: IdText) -> OwedList:
        """Who missed a turn, who took it, and so whose turn will be paid back."""
        now = world.clock.now()
        (facts,) = await world.store.read(facts_of, [int(item_id)], now, now + 1)
        return owed(facts, now)
