"""How reading a calendar from elsewhere goes, and reading it now. The calendars themselves are configuration (kinds.py).

Must never know how a calendar is read, nor show its address.
"""

from __future__ import annotations

from enum import Enum

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.access import CallerOf
from app.api.parameters import IdText
from app.api.problems import answers
from app.api.resources import read_one
from app.clock import Micros, iso
from app.oncall.copies import copy_of
from app.rota.calendars import next_reading, read_soon
from app.store.database import Reading, Writing
from app.world import World


class LeftOut(BaseModel):
    """An event that counts for nobody."""

    event: str = Field(description="Its title; empty when it is about the calendar as a whole.")
    reason: str
    times: int


class CalendarState(BaseModel):
    """How reading a calendar goes."""

    read_at: str | None = Field(description="When it was last there and could be read; null: never.")
    changed_at: str | None = Field(description="When it last was another than before.")
    tried_at: str | None
    next_at: str | None = Field(description="When it is read next.")
    trouble: str | None = Field(description="Why the last try failed. What was read before stays in force.")
    failures: int = Field(description="In a row.")
    events: int = Field(description="How many count, from 31 days back to 400 days ahead; repetitions one by one.")
    left_out: list[LeftOut] = Field(description="Events that count for nobody, at most 100.")
    left_out_more: int


async def state(view: Reading, calendar_id: int) -> CalendarState:
    """Raises NotFound."""
    await read_one(view, "calendar", calendar_id)
    copy = await copy_of(view, calendar_id)
    following = await next_reading(view, calendar_id)
    notes = copy.notes if copy is not None else {}
    return CalendarState(
        read_at=_told(copy.read_at if copy is not None else None),
        changed_at=_told(copy.changed_at if copy is not None else None),
        tried_at=_told(copy.tried_at if copy is not None else None),
        next_at=_told(following),
        trouble=(copy.trouble or None) if copy is not None else None,
        failures=copy.failures if copy is not None else 0,
        events=notes.get("events", 0),
        left_out=[LeftOut.model_validate(one) for one in notes.get("left_out", [])],
        left_out_more=notes.get("more", 0),
    )


def _told(at: Micros | None) -> str | None:
    return None if at is None else iso(at)


async def refresh(tx: Writing, calendar_id: int) -> CalendarState:
    """Has it read now. Raises NotFound."""
    await read_one(tx, "calendar", calendar_id)
    await read_soon(tx, calendar_id)
    return await state(tx, calendar_id)


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of reading."""
    tags: list[str | Enum] = ["calendars"]

    @routes.get(
        "/calendars/{item_id}/state",
        tags=tags,
        summary="How reading a calendar goes",
        operation_id="read_calendar_state",
        responses=answers(404),
    )
    async def read_state(item_id: IdText) -> CalendarState:
        """When it was read, what went wrong, which of its events count for nobody and why."""
        return await world.store.read(state, int(item_id))

    @routes.post(
        "/calendars/{item_id}/refresh",
        status_code=202,
        tags=tags,
        summary="Read a calendar now",
        operation_id="refresh_calendar",
        responses=answers(404),
    )
    async def refresh_calendar(item_id: IdText, _: CallerOf) -> CalendarState:
        """Does not wait for it: ask for its state a little later."""
        found = await world.store.write(refresh, int(item_id))
        world.wake.set()
        return found
