"""Silences beyond their documents: what one would have silenced, what it has done, and its end before its time.

Must never decide what a silence is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from pydantic import ValidationError as Wrong

from app.api.access import CallerOf
from app.api.parameters import IdText
from app.api.problems import FieldError, Invalid, NotFound, answers, invalid
from app.clock import iso
from app.routing import silencing
from app.routing.quieting import read_all_names
from app.routing.silence import Silence, State
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Resource
from app.watch.signals import after_edit
from app.world import World


def ready(tx: Writing, silence: Silence, old: Resource | None) -> Mapping[str, Any]:
    """A silence as it is kept. Raises Invalid, Refused."""
    try:
        return silencing.stored(silence, tx.now, old.document if old else None)
    except Wrong as error:
        said = "; ".join(str(fault["msg"]).removeprefix("Value error, ") for fault in error.errors())
        raise invalid("ends_at", said) from None


async def after_silence(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """Checks the services and tags that it names anew, and sets going what its edit does. Raises Invalid."""
    if new is not None:
        known = await silencing.tagged_services(tx)
        tags = {tag for _, own in known.values() for tag in own}
        there = {"service_ids": {str(one) for one in known}, "tags": tags}
        missing = {"service_ids": "there is no service with the id", "tags": "no service has the tag"}
        wrong = [
            FieldError(where="body", field=f"{field}.{place}", message=f"{missing[field]} {one[:40]!r}")
            for field, known_ones in there.items()
            for place, one in enumerate(new.document[field])
            # What was there when it was saved first may have gone since.
            if one not in known_ones and (old is None or one not in old.document[field])
        ]
        if wrong:
            raise Invalid(*wrong)
    await silencing.after_silence(tx, old, new)


async def after_integration(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """What every edit of a sender does; and the silences over it stay over it when it is renamed."""
    await after_edit(tx, old, new)
    if old is not None and new is not None and old.name != new.name:
        await silencing.sender_renamed(tx, old.name, new.name)


async def warn(_: Reading, silence: Resource) -> list[str]:
    """What whoever saves one should be sure of."""
    if not silence.document["everything"]:
        return []
    until = silence.document["ends_at"]
    return [f"THIS SILENCES EVERYTHING until {until}: no alert of any service pages anybody"]


class Matched(BaseModel):
    """An alert that it would have been over."""

    id: str
    title: str
    first_seen_at: str
    incident: int | None


class SilencePreview(BaseModel):
    """What a silence would have silenced."""

    days: int
    looked_at: int = Field(description="Alerts of these days that were looked at.")
    complete: bool = Field(description="false: there were more; the newest were looked at.")
    alerts: int = Field(description="Of those, how many it would have been over.")
    incidents: int = Field(description="Incidents all of whose alerts it would have been over: none would have paged.")
    pages: int = Field(description="Pages that there were for these incidents.")
    newest: list[Matched]


class PreviewAsked(BaseModel):
    """A silence that is not saved, and how far to look back."""

    silence: Silence
    days: int = Field(default=7, ge=1, le=31)


class SilenceShown(BaseModel):
    """How a silence stands, and what it has done."""

    state: State
    until: str | None = Field(description="When it is on: until when, these hours.")
    incidents: int = Field(description="Incidents that it kept from paging.")
    quiet: int = Field(description="Of those, still quiet.")
    resolved: int = Field(description="Of those, over without a page since.")
    paged: int = Field(description="Of those, paged after it.")


async def _found(view: Reading, item_id: int) -> Resource:
    found = (await resources.load(view, silencing.KIND, [item_id], deleted=True)).get(item_id)
    if found is None:
        raise NotFound(f"There never was a silence with the id {item_id}.")
    return found


async def _standing(view: Reading, item_id: int) -> SilenceShown:
    silence = Silence.model_validate((await _found(view, item_id)).document)
    until = silence.window().until(view.now)
    did = await silencing.effect(view, item_id)
    return SilenceShown(
        state=silence.state(view.now),
        until=None if until is None else iso(until),
        incidents=did.incidents,
        quiet=did.quiet,
        resolved=did.resolved,
        paged=did.paged,
    )


async def _end(tx: Writing, item_id: int, by: str) -> SilenceShown:
    await resources.touch_config(tx)
    await silencing.end(tx, await _found(tx, item_id), by)
    return await _standing(tx, item_id)


def _wholly(found: list[silencing.Past]) -> set[int]:
    """The incidents all of whose alerts it would have been over."""
    matched = {one.incident_id for one in found if one.matched}
    left = {one.incident_id for one in found if not one.matched}
    return {one for one in matched - left if one is not None}


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes."""

    @routes.post(
        "/silences/preview",
        tags=["silences"],
        summary="What a silence would have silenced",
        operation_id="preview_silence",
        responses=answers(413),
    )
    async def preview(asked: PreviewAsked) -> SilencePreview:
        """By the alerts of the last days; one that repeats, in its hours only. Nothing is kept."""
        rows, more = await world.store.read(silencing.past, asked.days)
        services = await world.store.read(silencing.tagged_services)
        book = await world.store.read(read_all_names)
        found = await asyncio.to_thread(silencing.would_silence, book, asked.silence, services, rows)
        matched = [one for one in found if one.matched]
        wholly = _wholly(found)
        return SilencePreview(
            days=asked.days,
            looked_at=len(found),
            complete=not more,
            alerts=len(matched),
            incidents=len(wholly),
            pages=await world.store.read(silencing.pages_of, wholly),
            newest=[
                Matched(id=str(one.id), title=one.title, first_seen_at=iso(one.first_seen_at), incident=one.number)
                for one in matched[: silencing.NAMED]
            ],
        )

    @routes.get(
        "/silences/{item_id}/effect",
        tags=["silences"],
        summary="What a silence has done",
        operation_id="read_silence_effect",
        responses=answers(404),
    )
    async def read_effect(item_id: IdText) -> SilenceShown:
        """How it stands; how many incidents it kept quiet, and what became of them. Also of one that has ended."""
        return await world.store.read(_standing, int(item_id))

    @routes.post(
        "/silences/{item_id}/end",
        tags=["silences"],
        summary="End a silence now",
        operation_id="end_silence",
        responses=answers(404),
    )
    async def end_now(item_id: IdText, caller: CallerOf) -> SilenceShown:
        """What still fires pages at once. A second end changes nothing."""
        found = await world.store.write(_end, int(item_id), caller.actor)
        world.wake.set()
        return found
