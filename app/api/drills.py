"""Drills of a schedule: what came of each, and trying out whoever is on call now.

Must never know when drills are due by themselves (app/rota/announce.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select
from starlette.responses import Response

from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import NEWEST, Cursor, IdText, Limit, list_model, page, position
from app.api.problems import answers
from app.api.resources import read_one
from app.clock import Micros, iso
from app.rota.handoff import drill_now
from app.rota.tables import drills
from app.rota.tickets import Door
from app.store.database import Reading, Writing
from app.world import World


class DrillShown(BaseModel):
    """A test page to somebody on call, and what came of it."""

    id: str
    person_id: str
    role: str
    shift_starts_at: str = Field(description="When they came on call; of drills on request as far as 40 days back.")
    notice_id: str = Field(description="By what it was sent stands in the person's notices.")
    state: Literal["waiting", "answered", "failed"]
    created_at: str
    answer_by: str
    answered_at: str | None = Field(description="Also of one that failed, when the answer came too late.")
    failed_at: str | None
    detail: str = Field(description="Why it failed.")


class DrillsBegun(BaseModel):
    """One for each person on call."""

    items: list[DrillShown]


def _iso(at: Micros | None) -> str | None:
    return None if at is None else iso(at)


def _shown(row: Any) -> DrillShown:
    ended: Literal["waiting", "answered"] = "waiting" if row.answered_at is None else "answered"
    return DrillShown(
        id=str(row.id),
        person_id=str(row.person_id),
        role=row.role,
        shift_starts_at=iso(row.shift_starts_at),
        notice_id=str(row.notice_id),
        state=ended if row.failed_at is None else "failed",
        created_at=iso(row.created_at),
        answer_by=iso(row.answer_by),
        answered_at=_iso(row.answered_at),
        failed_at=_iso(row.failed_at),
        detail=row.detail,
    )


async def listed(view: Reading, schedule_id: int, before: int, limit: int) -> Sequence[Any]:
    """The drills of a schedule, newest first, with an id below `before`. Raises NotFound."""
    await read_one(view, "schedule", schedule_id)
    mine = (drills.c.schedule_id == schedule_id, drills.c.id < before)
    return (await view.conn.execute(select(drills).where(*mine).order_by(drills.c.id.desc()).limit(limit))).all()


async def begin(tx: Writing, schedule_id: int, door: Door) -> Made:
    """Tries out whoever is on call. Raises NotFound, Refused(`nobody_on_call`)."""
    made = await drill_now(tx, await read_one(tx, "schedule", schedule_id), door)
    rows = (await tx.conn.execute(select(drills).where(drills.c.id.in_(made)).order_by(drills.c.id))).all()
    return Made(DrillsBegun(items=[_shown(row) for row in rows]).model_dump())


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of drills."""
    tags: list[str | Enum] = ["schedules"]

    @routes.get(
        "/schedules/{item_id}/drills",
        response_model=list_model("DrillList", DrillShown),
        tags=tags,
        summary="List the drills of a schedule",
        operation_id="list_drills",
        responses=answers(404),
    )
    async def list_drills(item_id: IdText, limit: Limit = 50, cursor: Cursor = None) -> Any:
        """Newest first: who was tried out, and whether they answered in time."""
        found = await world.store.read(listed, int(item_id), position(cursor, NEWEST), limit + 1)
        return page(found, limit, _shown, lambda row: int(row.id))

    @routes.post(
        "/schedules/{item_id}/drill",
        status_code=201,
        response_model=DrillsBegun,
        tags=tags,
        summary="Try out whoever is on call now",
        operation_id="begin_drill",
        responses=answers(404, 409),
    )
    async def begin_drill(item_id: IdText, request: RequestedOf) -> Response:
        """Sends a test page to each of them, at any hour. Who does not answer within 10 minutes is told to the team's leads."""
        door = Door(world.secret, world.base_url)
        made = await world.store.write(once, request.asked(), begin, int(item_id), door)
        world.wake.set()
        return made.response()
