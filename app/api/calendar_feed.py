"""What a calendar program reads: `GET /c/TOKEN.ics`, the shifts of a schedule or of a person as iCalendar.

The token is the credential. An address that opens nothing is answered the same whatever the reason. From 31 days back to
366 days ahead, both on whole days, so that the file stays the same while no shift changes: its ETag is made of the shifts,
and who has the last one gets a 304 before anything is built. Changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from sqlalchemy import select, union
from starlette.responses import PlainTextResponse, Response

from app.api.calendar_links import MAX_TOKEN, digest_of
from app.clock import DAY, Micros
from app.ids import PersonId
from app.oncall.facts import rotas, schedules_of, schedules_reading
from app.oncall.ical import Entry, Laid, of_person, of_schedule, tag_of, written
from app.oncall.rota import ByLayer, ByOverride, Rota
from app.oncall.shifts import shifts
from app.oncall.tables import bookings, calendar_links, overrides, shift_record
from app.people.active import active
from app.store import resources
from app.store.database import Reading
from app.store.errors import StoreError
from app.store.resources import Resource
from app.world import World

BACK: Final = 31 * DAY
AHEAD: Final = 366 * DAY
AT_ONCE: Final = 2
"""Files that are built at a time; the others wait, because pages come first."""
KEPT: Final = 32
"""Files that are remembered, by what is in them."""
HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a file is made of."""

    subject: Resource
    rotas: Mapping[int, Rota]
    schedules: Mapping[int, str]
    people: Mapping[int, str]
    start: Micros
    end: Micros


async def facts_of(view: Reading, digest: bytes) -> Facts | None:
    """What the address opens; None: nothing, or nothing any more."""
    question = select(calendar_links.c.subject_id).where(
        calendar_links.c.digest == digest, calendar_links.c.revoked_at.is_(None)
    )
    found = (await view.conn.execute(question)).scalar()
    if found is None:
        return None
    start, end = (view.now - BACK) // DAY * DAY, (view.now + AHEAD) // DAY * DAY
    subject = (await resources.load(view, "schedule", [found])).get(found)
    ids = [found]
    if subject is None:
        subject = (await active(view, [found])).get(found)
        if subject is None:
            return None
        ids = await _schedules_with(view, found, start, end)
    known = await rotas(view, ids, start, end)
    schedules = await resources.load(view, "schedule", known, deleted=True)
    people = await resources.load(view, "person", _everybody(known), deleted=True)
    return Facts(subject, known, _names(schedules), _names(people), start, end)


def _names(found: Mapping[int, Resource]) -> dict[int, str]:
    return {item: one.name for item, one in found.items()}


async def _schedules_with(view: Reading, person: int, start: Micros, end: Micros) -> list[int]:
    """Where somebody takes turns, stands in, is entered in a calendar, or was on call."""
    found = set(await schedules_of(view, [person]))
    question = union(
        select(overrides.c.schedule_id).where(
            overrides.c.person_id == person,
            overrides.c.ends_at > start,
            overrides.c.starts_at < end,
            overrides.c.cancelled_at.is_(None),
        ),
        select(shift_record.c.schedule_id).where(
            shift_record.c.person_id == person, shift_record.c.ends_at > start, shift_record.c.starts_at < end
        ),
    )
    found |= set((await view.conn.execute(question)).scalars())
    entered = select(bookings.c.calendar_id).where(bookings.c.person_id == person).distinct()
    for calendar in (await view.conn.execute(entered)).scalars().all():
        found |= set(await schedules_reading(view, calendar))
    return sorted(found)


def _everybody(known: Mapping[int, Rota]) -> set[int]:
    """Whoever may be named in a file."""
    found: set[int | None] = set()
    for rota in known.values():
        for era in rota.eras:
            found |= era.schedule.people()
        found |= {one.person for one in rota.overrides} | {one.replaces for one in rota.overrides}
        found |= {one.person for one in rota.bookings}
        for shift in rota.record:
            found.add(shift.person)
            match shift.why:
                case ByLayer(instead_of=other) | ByOverride(replaces=other):
                    found.add(other)
                case _:
                    pass
    return {int(one) for one in found if one is not None}


def entries_of(facts: Facts) -> tuple[str, tuple[Entry, ...]]:
    """What the file is called, and its events. Pure; up to 50 ms a schedule."""
    laid = (
        Laid.of(item, facts.schedules.get(item, ""), rota, shifts(rota, facts.start, facts.end), facts.start)
        for item, rota in facts.rotas.items()
    )
    name = f"{facts.subject.name} on call"
    if facts.subject.kind == "person":
        return name, of_person(PersonId(facts.subject.id), laid, facts.people)
    return name, tuple(entry for one in laid for entry in of_schedule(one, facts.people))


class Feed:
    """The files of one process, built in threads and remembered by what is in them."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._built: OrderedDict[str, bytes] = OrderedDict()

    async def answer(self, facts: Facts, seen: str) -> tuple[str, bytes | None]:
        """The file's tag, and the file unless `seen` (If-None-Match) has it already."""
        async with self._turns:
            name, entries = await asyncio.to_thread(entries_of, facts)
            tag = await asyncio.to_thread(tag_of, name, entries)
            if _has(seen, tag):
                return tag, None
            if tag not in self._built:
                self._remember(tag, await asyncio.to_thread(written, name, entries))
            return tag, self._built[tag]

    def _remember(self, tag: str, body: bytes) -> None:
        self._built[tag] = body
        while len(self._built) > KEPT:
            self._built.popitem(last=False)


def _has(seen: str, tag: str) -> bool:
    """Whether If-None-Match names the tag, weakly compared as RFC 9110 says."""
    return seen.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in seen.split(","))


def router(world: World) -> APIRouter:
    """The route; it needs no key and is not in the schema."""
    routes = APIRouter(include_in_schema=False)
    feed = Feed()

    @routes.api_route("/c/{token}.ics", methods=["GET", "HEAD"])
    async def read(request: Request, token: str) -> Response:
        """The calendar."""
        try:
            facts = await world.store.read(facts_of, digest_of(token)) if len(token) <= MAX_TOKEN else None
        except StoreError:
            return PlainTextResponse(
                "Tocsin can't reach its database. Try again in a few seconds.\n", 503, {"Retry-After": "5"}
            )
        if facts is None:
            return PlainTextResponse(
                "There is no calendar at this address. It may have been replaced by another; ask your team.\n",
                404,
                HEADERS,
            )
        tag, body = await feed.answer(facts, request.headers.get("if-none-match", ""))
        headers = {**HEADERS, "ETag": tag}
        if body is None:
            return Response(status_code=304, headers=headers)
        headers |= {"Content-Disposition": 'inline; filename="on-call.ics"', "Content-Length": str(len(body))}
        content = b"" if request.method == "HEAD" else body
        return Response(content, headers=headers, media_type="text/calendar")

    return routes
