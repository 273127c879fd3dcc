"""Reading a calendar from elsewhere: fetch it outside of any transaction, lay it out in a thread, write it down.

One file at a time is laid out in a process: it is work for the processor, and everybody else's pages come first.
Must never know what the events do to who is on call (calendars.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from app.clock import DAY, Clock, Micros
from app.ids import PersonId
from app.notifiers.fetch import Failed, Fetched, NotModified, fetch
from app.notifiers.outbound import Outbound
from app.oncall.copies import body_of
from app.oncall.ical_lines import MAX_BODY
from app.oncall.ical_people import Match
from app.oncall.ical_read import Found, Unreadable, read
from app.paging.worker import Handler
from app.rota.calendars import JOB, Bad, Good, Known, begin, record
from app.store.database import Store
from app.store.jobs import Job
from app.store.resources import Resource

log = structlog.get_logger(__name__)

BACK: Micros = 31 * DAY
AHEAD: Micros = 400 * DAY
"""What is laid out of a calendar, from now."""


def match_of(calendar: Resource, people: Sequence[tuple[int, str, str]]) -> Match:
    """Who its events can be of. Pure."""
    document = calendar.document
    mapped = {text: PersonId(int(person)) for text, person in document["people"].items()}
    everything = PersonId(int(document["person_id"])) if document["person_id"] else None
    known = ((PersonId(person), name, email) for person, name, email in people)
    return Match.of(known, mapped, everything, organizers=document["purpose"] == "absences")


class CalendarReader:
    """The handler of one process."""

    def __init__(self, store: Store, clock: Clock, outbound: Outbound) -> None:
        self._store = store
        self._clock = clock
        self._outbound = outbound
        self._turn = asyncio.Semaphore(1)

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {JOB: self.read}

    async def read(self, job: Job) -> Sequence[Job]:
        """Reads one calendar once."""
        known = await self._store.write(begin, job)
        if known is None:
            return ()
        outcome = await self._fetched(known)
        fresh = outcome.body if isinstance(outcome, Good) else None
        found: Found | None = None
        if fresh is not None:
            try:
                found = await self._laid_out(known, fresh)
            except Unreadable as error:
                outcome = Bad(str(error))
        if found is None and known.stale:
            found = await self._laid_out_anew(known)
        if await self._store.write(record, known, outcome, found):
            trouble = outcome.reason if isinstance(outcome, Bad) else ""
            log.info("calendar_read", calendar=known.calendar.id, trouble=trouble, new=fresh is not None)
        return ()

    async def _fetched(self, known: Known) -> Good | Bad:
        copy = known.copy
        etag, last_modified = (copy.etag, copy.last_modified) if copy and copy.read_at is not None else ("", "")
        got = await fetch(
            self._outbound,
            known.calendar.document["url"],
            accept="text/calendar, */*;q=0.1",
            limit_bytes=MAX_BODY,
            etag=etag,
            last_modified=last_modified,
        )
        match got:
            case Failed(reason):
                return Bad(reason)
            case NotModified():
                return Good(None, etag, last_modified)
            case Fetched(body, etag, last_modified):
                same = body == await self._store.read(body_of, known.calendar.id)
                return Good(None if same else body, etag, last_modified)

    async def _laid_out_anew(self, known: Known) -> Found | None:
        """The last good copy, for the interval and the people of today."""
        body = await self._store.read(body_of, known.calendar.id)
        try:
            return None if body is None else await self._laid_out(known, body)
        except Unreadable as error:
            # It could be read once, and a newer release may be stricter: what was laid out then stays.
            log.warning("calendar_copy_unreadable", calendar=known.calendar.id, reason=str(error))
            return None

    async def _laid_out(self, known: Known, body: bytes) -> Found:
        now = self._clock.now()
        match = match_of(known.calendar, known.people)
        async with self._turn:
            return await asyncio.to_thread(
                read, body, now - BACK, now + AHEAD, known.calendar.document["time_zone"], match
            )
