"""The secret addresses by which calendar programs follow a schedule or a person: made, replaced, taken back.

An address is shown once and kept as a digest. There is one at a time: a new one ends the one before, so that an address
which went astray is ended by asking for another. Must never know what is read there (calendar_feed.py).
"""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import insert, select, update
from starlette.responses import Response

from app.api.access import CallerOf
from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import IdText
from app.api.problems import answers
from app.api.resources import read_one
from app.clock import iso
from app.oncall.tables import calendar_links
from app.store.database import Reading, Writing
from app.world import World

TOKEN_BYTES = 32
MAX_TOKEN = 200
"""Longer is no token of ours and is not even hashed."""

Subject = Literal["schedule", "person"]


class CalendarLinkMade(BaseModel):
    """A new address. It replaces the one before."""

    url: str = Field(description="Give it to a calendar program. Whoever has it can read it; it is not shown again.")
    created_at: str


class CalendarLink(BaseModel):
    """Whether there is an address, never the address."""

    active: bool
    created_at: str | None
    created_by: str | None


def digest_of(token: str) -> bytes:
    """What is stored of a token; a token is 256 random bits, so a fast hash is as good as a slow one."""
    return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).digest()


async def make(tx: Writing, kind: Subject, subject_id: int, base_url: str, by: str) -> Made:
    """Makes an address and ends the one before. Raises NotFound."""
    await read_one(tx, kind, subject_id)
    await _end(tx, subject_id)
    token = tx.ids.secret(TOKEN_BYTES)
    await tx.conn.execute(
        insert(calendar_links).values(
            id=tx.new_id(), subject_id=subject_id, digest=digest_of(token), created_at=tx.now, created_by=by
        )
    )
    said = CalendarLinkMade(url=f"{base_url}/c/{token}.ics", created_at=iso(tx.now))
    return Made(said.model_dump(), secret=frozenset({"url"}))


async def take_back(tx: Writing, kind: Subject, subject_id: int) -> None:
    """Ends the address, if there is one. Raises NotFound."""
    await read_one(tx, kind, subject_id)
    await _end(tx, subject_id)


async def _end(tx: Writing, subject_id: int) -> None:
    this = (calendar_links.c.subject_id == subject_id, calendar_links.c.revoked_at.is_(None))
    await tx.conn.execute(update(calendar_links).where(*this).values(revoked_at=tx.now))


async def shown(view: Reading, kind: Subject, subject_id: int) -> CalendarLink:
    """Whether there is an address. Raises NotFound."""
    await read_one(view, kind, subject_id)
    columns = calendar_links.c
    question = (
        select(columns.created_at, columns.created_by)
        .where(columns.subject_id == subject_id, columns.revoked_at.is_(None))
        .order_by(columns.id.desc())
    )
    row = (await view.conn.execute(question)).first()
    if row is None:
        return CalendarLink(active=False, created_at=None, created_by=None)
    return CalendarLink(active=True, created_at=iso(row.created_at), created_by=row.created_by)


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of addresses, for schedules and for people."""
    _add(routes, world, "schedule", "schedules")
    _add(routes, world, "person", "people")


def _add(routes: APIRouter, world: World, kind: Subject, path: str) -> None:
    here, tags = f"/{path}/{{item_id}}/calendar-link", [path]
    of: list[str | Enum] = [*tags]

    @routes.post(
        here,
        status_code=201,
        response_model=CalendarLinkMade,
        tags=of,
        summary=f"Make a secret calendar address of a {kind}",
        operation_id=f"create_{kind}_calendar_link",
        responses=answers(404, 409),
    )
    async def make_link(item_id: IdText, request: RequestedOf) -> Response:
        """Shown this once. The address that there was before opens nothing from now on."""
        made = await world.store.write(once, request.asked(), make, kind, int(item_id), world.base_url, request.actor)
        return made.response()

    @routes.get(
        here,
        tags=of,
        summary=f"Whether a {kind} has a calendar address",
        operation_id=f"read_{kind}_calendar_link",
        responses=answers(404),
    )
    async def read_link(item_id: IdText) -> CalendarLink:
        """And since when; never the address."""
        return await world.store.read(shown, kind, int(item_id))

    @routes.delete(
        here,
        status_code=204,
        tags=of,
        summary=f"Take the calendar address of a {kind} back",
        operation_id=f"delete_{kind}_calendar_link",
        responses=answers(404),
    )
    async def delete_link(item_id: IdText, _: CallerOf) -> None:
        """It opens nothing from now on."""
        await world.store.write(take_back, kind, int(item_id))
