"""Overrides of a schedule: somebody stands in for a while, or takes over what is on. Made and taken back, never edited.

Must never know how overrides change who is on call (app/oncall), nor how they are kept (app/rota/cover.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from starlette.responses import Response

from app.api import references
from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import ID, Cursor, IdText, InstantQuery, Limit, instant, list_model, page, position
from app.api.problems import NotFound, answers
from app.api.references import Reference
from app.api.resources import read_one
from app.clock import Micros, iso
from app.ids import PersonId
from app.oncall.codec import read_instant
from app.oncall.document import InstantText, OverrideDocument, PersonText, RoleText
from app.oncall.schedule import Override, OverrideId
from app.oncall.tables import overrides
from app.rota import cover
from app.rota.cover import Advice, TakeOver, Warned
from app.store import resources
from app.store.database import Reading, Writing
from app.world import World

OverrideText = Annotated[str, Path(pattern=ID, description="The id of the override.")]
Reason = Annotated[str, Field(max_length=500, description="For people to know: 'at the dentist'.")]


class NewOverride(OverrideDocument):
    """One person takes over for a while, whatever the layers say."""

    reason: Reason = ""

    def override(self, override_id: OverrideId) -> Override:
        """The value that everything is computed from, under its id in the store."""
        return OverrideDocument(**self.model_dump(exclude={"reason"})).override(override_id)


class NewTakeOver(BaseModel):
    """Somebody takes what is on now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: PersonText = Field(description="Who takes over.")
    role: RoleText | None = Field(default=None, description="Which role, when several are on call.")
    replaces: PersonText | None = Field(default=None, description="From whom, when several have that role.")
    until: InstantText | None = Field(
        default=None,
        description="Unset: until the shift that is taken over ends; where nobody is on call, until somebody would come.",
    )
    reason: Reason = ""

    def take_over(self) -> TakeOver:
        """The value that it is decided on."""
        return TakeOver(
            PersonId(int(self.person)),
            self.role,
            None if self.replaces is None else PersonId(int(self.replaces)),
            None if self.until is None else read_instant("until", self.until),
            self.reason,
        )


class OverrideShown(BaseModel):
    """One person takes over for a while."""

    id: str
    schedule_id: str
    starts_at: str
    ends_at: str
    person: str
    replaces: str | None
    role: str | None
    reason: str
    swap_id: str | None = Field(description="The swap that it is one side of.")
    created_at: str
    created_by: str


class WarningShown(BaseModel):
    """Something that was done as asked, and may not be what was meant."""

    code: str = Field(description="For programs; never renamed.")
    message: str


class OverrideMade(OverrideShown):
    """An override, and what is to be known about it."""

    warnings: list[WarningShown]


def warnings_shown(found: Sequence[Warned]) -> list[WarningShown]:
    """Warnings as they are answered."""
    return [WarningShown(code=one.code, message=one.message) for one in found]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _fields(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "schedule_id": str(row.schedule_id),
        "starts_at": iso(row.starts_at),
        "ends_at": iso(row.ends_at),
        "person": str(row.person_id),
        "replaces": _text(row.replaces),
        "role": row.role,
        "reason": row.reason,
        "swap_id": _text(row.swap_id),
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
    }


def _shown(row: Any) -> OverrideShown:
    return OverrideShown(**_fields(row))


async def listed(view: Reading, schedule_id: int, ends_after: Micros | None, after: int, limit: int) -> Sequence[Any]:
    """The overrides that were not taken back and end after an instant, or now; as they were made. Raises NotFound."""
    await read_one(view, "schedule", schedule_id)
    question = (
        select(overrides)
        .where(
            overrides.c.schedule_id == schedule_id,
            overrides.c.ends_at > (view.now if ends_after is None else ends_after),
            overrides.c.cancelled_at.is_(None),
            overrides.c.id > after,
        )
        .order_by(overrides.c.id)
        .limit(limit)
    )
    return (await view.conn.execute(question)).all()


async def create(tx: Writing, schedule_id: int, said: NewOverride, advice: Advice, by: str) -> Made:
    """Adds an override. Raises NotFound, Invalid, BadField."""
    await read_one(tx, "schedule", schedule_id)
    await _check_people(tx, person=said.person, replaces=said.replaces)
    if advice.fault:
        raise advice.fault
    override = said.override(OverrideId(tx.new_id()))
    warned = await cover.make(tx, schedule_id, override, said.reason, by)
    return await _made(tx, override.id, [*warned, *advice.warned])


async def take_over(tx: Writing, schedule_id: int, said: NewTakeOver, by: str) -> Made:
    """Puts somebody on call at once. Raises NotFound, Invalid, BadField, Refused."""
    await read_one(tx, "schedule", schedule_id)
    await _check_people(tx, person=said.person, replaces=said.replaces)
    return await _made(tx, *await cover.take_over(tx, schedule_id, said.take_over(), by))


async def _check_people(tx: Writing, **fields: str | None) -> None:
    # Nobody is deleted between this and the commit.
    await resources.config_held(tx)
    named = (Reference(field, "person", person) for field, person in fields.items() if person is not None)
    await references.check(tx, named)


async def _made(view: Reading, override_id: int, warned: Sequence[Warned]) -> Made:
    row = await cover.stored(view, override_id)
    return Made(OverrideMade(**_fields(row), warnings=warnings_shown(warned)).model_dump())


async def cancel(tx: Writing, schedule_id: int, override_id: int) -> None:
    """Takes an override back: from now on; what was before stays. Raises NotFound, Refused."""
    if not await cover.cancel(tx, schedule_id, override_id):
        raise NotFound(f"There is no override {override_id} of the schedule {schedule_id}.")


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of overrides."""
    tags: list[str | Enum] = ["schedules"]

    @routes.get(
        "/schedules/{item_id}/overrides",
        response_model=list_model("OverrideList", OverrideShown),
        tags=tags,
        summary="List the overrides of a schedule",
        operation_id="list_overrides",
        responses=answers(404),
    )
    async def list_overrides(
        item_id: IdText,
        ends_after: InstantQuery = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Any:
        """Those that go on or are to come, or that end after `ends_after`; in the order they were made."""
        end = None if ends_after is None else instant(ends_after, "ends_after")
        found = await world.store.read(listed, int(item_id), end, position(cursor, 0), limit + 1)
        return page(found, limit, _shown, lambda row: int(row.id))

    @routes.post(
        "/schedules/{item_id}/overrides",
        status_code=201,
        response_model=OverrideMade,
        tags=tags,
        summary="Let somebody stand in",
        operation_id="create_override",
        responses=answers(404, 409, 413),
    )
    async def create_override(item_id: IdText, said: NewOverride, request: RequestedOf) -> Response:
        """From now on at the earliest. A later override is laid over the earlier ones; `warnings` names those.

        They also say that whoever stands in would be on call twice, or is away or disabled. With `replaces` it takes
        that person's shifts and nothing else, and each of them stays a shift of its own.
        """
        override, advice = said.override(OverrideId(0)), Advice()
        known = await world.store.read(cover.about, int(item_id), override)
        if known is not None:
            rota, stand_in = known
            # In a thread: a year of a large schedule takes long enough for others to notice.
            advice = await asyncio.to_thread(cover.advice, rota, override, world.clock.now(), stand_in)
        asked = request.asked(said)
        made = await world.store.write(once, asked, create, int(item_id), said, advice, request.actor)
        world.wake.set()
        return made.response()

    @routes.post(
        "/schedules/{item_id}/take-over",
        status_code=201,
        response_model=OverrideMade,
        tags=tags,
        summary="Take over what is on now",
        operation_id="take_over",
        responses=answers(404, 409, 413),
    )
    async def take_over_now(item_id: IdText, said: NewTakeOver, request: RequestedOf) -> Response:
        """From now until the end of the current shift, in the place of whoever has it; pages go to the new person at once."""
        made = await world.store.write(once, request.asked(said), take_over, int(item_id), said, request.actor)
        world.wake.set()
        return made.response()

    @routes.delete(
        "/schedules/{item_id}/overrides/{override_id}",
        status_code=204,
        tags=tags,
        summary="Take an override back",
        operation_id="cancel_override",
        responses=answers(404, 409),
    )
    async def cancel_override(item_id: IdText, override_id: OverrideText) -> None:
        """One that goes on ends now; one to come is taken out. One side of an accepted swap can't be taken back alone."""
        await world.store.write(cancel, int(item_id), int(override_id))
        world.wake.set()
