"""What a schedule would do if it were saved: computed, shown, and not kept.

Must never write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api import references
from app.api.kinds import NamedSchedule
from app.api.oncall import Facts, FromQuery, GapShown, ShiftShown, ToQuery, facts_of, gap_shown, interval, shift_shown
from app.api.parameters import IdText
from app.api.problems import answers
from app.clock import Micros, iso
from app.oncall.changes import Change, changes, with_version
from app.oncall.codec import read_instant
from app.oncall.facts import supplied
from app.oncall.rota import Rota
from app.oncall.shifts import roster, shifts
from app.store import resources
from app.store.database import Reading
from app.world import World


class Watch(BaseModel):
    """Somebody in a role."""

    role: str
    person_id: str
    person: str


class ChangeShown(BaseModel):
    """An interval through which other people would be on call."""

    starts_at: str
    ends_at: str
    before: list[Watch]
    after: list[Watch]


class Preview(BaseModel):
    """What a schedule would do."""

    changes: list[ChangeShown] = Field(description="Where it differs from the schedule as it is saved.")
    shifts: list[ShiftShown] = Field(description="All of it, as it would be.")
    gaps: list[GapShown]


def changes_shown(found: tuple[Change, ...], names: Mapping[int, str]) -> list[ChangeShown]:
    """Changes as they are answered."""

    def watch(role: str, person: int) -> Watch:
        return Watch(role=role, person_id=str(person), person=names.get(person, "(deleted)"))

    return [
        ChangeShown(
            starts_at=iso(one.starts_at),
            ends_at=iso(one.ends_at),
            before=[watch(role, int(person)) for role, person in one.before],
            after=[watch(role, int(person)) for role, person in one.after],
        )
        for one in found
    ]


async def _facts(
    view: Reading, schedule_id: int | None, said: NamedSchedule, start: Micros, end: Micros
) -> tuple[Facts, Rota]:
    """The schedule as it is, and as it would be. Raises NotFound, Invalid."""
    await references.check(view, references.references("schedule", said.model_dump(mode="json")))
    if schedule_id is None:
        facts = Facts(0, said.name, Rota(()), {})
    else:
        (facts,) = await facts_of(view, [schedule_id], start, end)
    at = read_instant("effective_at", said.effective_at) if said.effective_at else view.now
    schedule = said.schedule()
    known = await resources.load(view, "person", {int(person) for person in schedule.people()})
    names = {**facts.names, **{item: person.name for item, person in known.items()}}
    would_be = {facts.id: with_version(facts.rota, schedule, max(at, view.now))}
    return replace(facts, names=names), (await supplied(view, would_be, min(start, view.now), end))[facts.id]


def _previewed(facts: Facts, would_be: Rota, start: Micros, end: Micros) -> Preview:
    after = roster(would_be, start, end)
    return Preview(
        changes=changes_shown(changes(shifts(facts.rota, start, end), after.shifts), facts.names),
        shifts=[shift_shown(shift, facts) for shift in after.shifts],
        gaps=[gap_shown(gap) for gap in after.gaps],
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of trying a schedule out."""

    async def previewed(schedule_id: int | None, said: NamedSchedule, start: str | None, end: str | None) -> Preview:
        since, until = interval(world, start, end)
        facts, would_be = await world.store.read(_facts, schedule_id, said, since, until)
        return await asyncio.to_thread(_previewed, facts, would_be, since, until)

    @routes.post(
        "/schedules/preview",
        tags=["schedules"],
        summary="Try a new schedule out",
        operation_id="preview_schedule",
        responses=answers(413),
    )
    async def preview_new(said: NamedSchedule, start: FromQuery = None, end: ToQuery = None) -> Preview:
        """Its shifts and gaps, as if it had been saved now. Nothing is kept."""
        return await previewed(None, said, start, end)

    @routes.post(
        "/schedules/{item_id}/preview",
        tags=["schedules"],
        summary="Try an edit of a schedule out",
        operation_id="preview_schedule_edit",
        responses=answers(404, 413),
    )
    async def preview_edit(
        item_id: IdText, said: NamedSchedule, start: FromQuery = None, end: ToQuery = None
    ) -> Preview:
        """What would change for whom, as if it had been saved now. Nothing is kept."""
        return await previewed(int(item_id), said, start, end)
