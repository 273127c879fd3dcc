"""Overrides of a schedule: somebody stands in for a while. Made and taken back, never edited, and the past stays as it was.

Must never know how overrides change who is on call (app/oncall).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import insert, select, update
from starlette.responses import Response

from app.api import references
from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import ID, Cursor, IdText, InstantQuery, Limit, instant, list_model, page, position
from app.api.problems import NotFound, answers, invalid
from app.api.references import Reference
from app.api.resources import read_one
from app.clock import Micros, iso
from app.oncall.document import OverrideDocument
from app.oncall.schedule import Override, OverrideId
from app.oncall.tables import overrides
from app.store.database import Reading, Writing
from app.store.resources import Refused
from app.world import World

OverrideText = Annotated[str, Path(pattern=ID, description="The id of the override.")]


class NewOverride(OverrideDocument):
    """One person takes over for a while, whatever the layers say."""

    reason: str = Field(default="", max_length=500, description="For people to know: 'at the dentist'.")

    def override(self, override_id: OverrideId) -> Override:
        """The value that everything is computed from, under its id in the store."""
        return OverrideDocument(**self.model_dump(exclude={"reason"})).override(override_id)


class OverrideShown(BaseModel):
    """One person takes over for a while."""

    id: str
    schedule_id: str
    starts_at: str
    ends_at: str
    person: str
    replaces: str | None
    reason: str
    created_at: str
    created_by: str


def _shown(row: Any) -> OverrideShown:
    return OverrideShown(
        id=str(row.id),
        schedule_id=str(row.schedule_id),
        starts_at=iso(row.starts_at),
        ends_at=iso(row.ends_at),
        person=str(row.person_id),
        replaces=None if row.replaces is None else str(row.replaces),
        reason=row.reason,
        created_at=iso(row.created_at),
        created_by=row.created_by,
    )


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


async def create(tx: Writing, schedule_id: int, said: NewOverride, by: str) -> Made:
    """Adds an override. Raises NotFound, Invalid."""
    await read_one(tx, "schedule", schedule_id)
    people = [Reference("person", "person", said.person)]
    people += [Reference("replaces", "person", said.replaces)] if said.replaces else []
    await references.check(tx, iter(people))
    made = said.override(OverrideId(tx.new_id()))
    if made.ends_at <= tx.now:
        raise invalid("ends_at", "is over already: an override changes who is on call from now on, not who was")
    await tx.conn.execute(
        insert(overrides).values(
            id=made.id,
            schedule_id=schedule_id,
            person_id=made.person,
            replaces=made.replaces,
            # Who was on call until now stays who was.
            starts_at=max(made.starts_at, tx.now),
            ends_at=made.ends_at,
            reason=said.reason,
            created_at=tx.now,
            created_by=by,
        )
    )
    row = (await tx.conn.execute(select(overrides).where(overrides.c.id == made.id))).one()
    return Made(_shown(row).model_dump())


async def cancel(tx: Writing, schedule_id: int, override_id: int) -> None:
    """Takes an override back: from now on; what was before stays. Raises NotFound, Refused(`override_over`)."""
    this = (overrides.c.id == override_id, overrides.c.schedule_id == schedule_id)
    question = select(overrides.c.starts_at, overrides.c.ends_at).where(*this, overrides.c.cancelled_at.is_(None))
    found = (await tx.conn.execute(question.with_for_update())).first()
    if found is None:
        raise NotFound(f"There is no override {override_id} of the schedule {schedule_id}.")
    if found.ends_at <= tx.now:
        raise Refused("override_over", "this override has ended; who was on call stays who was")
    end = {"ends_at": tx.now} if found.starts_at < tx.now else {"cancelled_at": tx.now}
    await tx.conn.execute(update(overrides).where(*this).values(**end))


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
        response_model=OverrideShown,
        tags=tags,
        summary="Let somebody stand in",
        operation_id="create_override",
        responses=answers(404, 409, 413),
    )
    async def create_override(item_id: IdText, said: NewOverride, request: RequestedOf) -> Response:
        """From now on at the earliest. A later override is laid over the earlier ones."""
        made = await world.store.write(once, request.asked(said), create, int(item_id), said, request.actor)
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
        """One that goes on ends now; one to come is taken out."""
        await world.store.write(cancel, int(item_id), int(override_id))
