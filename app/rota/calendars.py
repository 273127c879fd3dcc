"""Calendars that are read from elsewhere: what came of a reading, written down so that it counts. Deeds.

The last good copy stays in force until a better one is there: a file that can't be fetched or read changes nothing but
the calendar's trouble, which its teams are told of once. What a good one says replaces what the one before said, after the
past was settled. Must never know how a file is fetched or read (calendar_reading.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update

from app.clock import DAY, HOUR, MINUTE, Micros
from app.oncall.copies import Copy, copy_of, keep
from app.oncall.facts import schedules_of, schedules_reading
from app.oncall.ical_read import Found
from app.oncall.record import settle
from app.oncall.tables import absences, bookings, calendar_copies
from app.rota.ahead import look_again_of
from app.rota.calendar_trouble import tell_of_trouble
from app.rota.watch import watch
from app.store import jobs, resources
from app.store.database import Reading, Writing
from app.store.jobs import Job, NewJob
from app.store.resources import Refused, Resource
from app.store.tables import jobs as stored_jobs
from app.store.tables import resources as stored

JOB = "calendar"
READING_TIME: Micros = 10 * MINUTE
"""How long a reading may take before somebody else begins it anew."""
EXPANDED_FOR: Micros = DAY
"""How long what was laid out stays good: the interval that is laid out moves on."""
LONGEST_PAUSE: Micros = 6 * HOUR
_AT_ONCE = 5_000
"""Ids of one statement."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a reading begins with."""

    job: Job
    calendar: Resource
    copy: Copy | None
    people: tuple[tuple[int, str, str], ...]
    """Everybody there is: id, name, e-mail address."""
    stale: bool
    """Whether even the copy that is there has to be laid out anew."""


@dataclass(frozen=True, slots=True)
class Good:
    """The calendar is there and can be read; `body` only when it is another than before."""

    body: bytes | None
    etag: str
    last_modified: str


@dataclass(frozen=True, slots=True)
class Bad:
    """It could not be fetched or not be read; one sentence for people."""

    reason: str


async def after_calendar(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """What follows of an edit: the calendar is read at once; leave from one that was deleted counts no more.

    Raises Refused(`in_use`) when its shifts would be absences from now on while a schedule reads them.
    """
    if new is None:
        if old is not None:
            await _replace(tx, absences, old.id, set())
        return
    if new.document["purpose"] != "shifts" and (reading := await schedules_reading(tx, new.id)):
        names = [repr(one.name) for one in (await resources.load(tx, "schedule", reading)).values()]
        raise Refused(
            "in_use",
            f"a layer of schedule {', '.join(names)} is read from the calendar {new.name!r}, so its events must stay shifts; "
            "make another calendar for absences",
        )
    if old is not None and old.document["url"] != new.document["url"]:
        # What one server said of its file must not be asked of another.
        await tx.conn.execute(
            update(calendar_copies).where(calendar_copies.c.calendar_id == new.id).values(etag="", last_modified="")
        )
    await read_soon(tx, new.id)


async def read_soon(tx: Writing, calendar_id: int) -> None:
    """Has a calendar read now."""
    await jobs.add(tx, [NewJob(JOB, calendar_id, tx.now, once=f"{JOB}:{calendar_id}")])


async def next_reading(view: Reading, calendar_id: int) -> Micros | None:
    """When a calendar is read the next time."""
    due = select(func.min(stored_jobs.c.due_at)).where(stored_jobs.c.once == f"{JOB}:{calendar_id}")
    return (await view.conn.execute(due)).scalar()


async def begin(tx: Writing, job: Job) -> Known | None:
    """Begins a reading; None, and no more readings, when the calendar was deleted. Raises LeaseLost."""
    calendar = (await resources.load(tx, "calendar", [job.subject])).get(job.subject)
    if calendar is None:
        await jobs.finish(tx, job)
        return None
    # Longer than a lease, because a large file on a slow line takes longer than a page.
    await jobs.put_back(tx, job, tx.now + READING_TIME)
    copy = await copy_of(tx, calendar.id)
    everybody = await resources.listed(tx, "person")
    people = tuple((one.id, one.name, str(one.document.get("email", ""))) for one in everybody)
    return Known(job, calendar, copy, people, _stale(copy, calendar, await _people_changed_at(tx), tx.now))


async def _people_changed_at(view: Reading) -> Micros:
    """When any person was last edited or deleted."""
    found = await view.conn.execute(select(func.max(stored.c.updated_at)).where(stored.c.kind == "person"))
    return found.scalar() or 0


def _stale(copy: Copy | None, calendar: Resource, people_changed_at: Micros, now: Micros) -> bool:
    expanded_at = copy.notes.get("expanded_at", 0) if copy else 0
    return now - expanded_at >= EXPANDED_FOR or max(calendar.updated_at, people_changed_at) >= expanded_at


async def record(tx: Writing, known: Known, outcome: Good | Bad, found: Found | None) -> bool:
    """Writes down what came of a reading; `found` when the file was laid out anew.

    False when the calendar was edited meanwhile: nothing is written, and it is read again at once. Raises LeaseLost.
    """
    calendar = (await resources.load(tx, "calendar", [known.calendar.id])).get(known.calendar.id)
    if calendar is None or calendar.version != known.calendar.version:
        await jobs.put_back(tx, known.job, tx.now)
        return False
    copy = _after(known.copy or Copy(tx.now), outcome, found, tx.now)
    await jobs.put_back(tx, known.job, tx.now + pause(calendar, copy.failures, tx.ids.chance()))
    await keep(tx, calendar.id, copy, outcome.body if isinstance(outcome, Good) else None)
    if found is not None:
        await _put_in_force(tx, calendar, found)
    if copy.trouble:
        await tell_of_trouble(tx, calendar, copy)
    return True


def _after(copy: Copy, outcome: Good | Bad, found: Found | None, now: Micros) -> Copy:
    """The copy after a reading. Pure."""
    notes = copy.notes if found is None else _notes(found, now)
    if isinstance(outcome, Bad):
        return Copy(
            now, copy.read_at, copy.changed_at, copy.etag, copy.last_modified, outcome.reason, copy.failures + 1, notes
        )
    changed_at = copy.changed_at if outcome.body is None else now
    return Copy(now, now, changed_at, outcome.etag, outcome.last_modified, "", 0, notes)


def _notes(found: Found, now: Micros) -> dict[str, Any]:
    return {
        "expanded_at": now,
        "events": len(found.occurrences),
        "left_out": [{"event": note.event, "reason": note.reason, "times": note.times} for note in found.notes],
        "more": found.notes_more,
    }


def pause(calendar: Resource, failures: int, chance: float) -> Micros:
    """How long until the next reading: longer after each failure in a row, and never the same for all. Pure."""
    usual = int(calendar.document["refresh_minutes"]) * MINUTE
    longer = usual if failures == 0 else min(usual * 2 ** min(failures - 1, 10), max(usual, LONGEST_PAUSE))
    return longer + int(longer * chance / 10)


async def _put_in_force(tx: Writing, calendar: Resource, found: Found) -> None:
    """What the file says replaces what it said before; only what differs is written."""
    shifts: set[tuple[Any, ...]] = set()
    leave: set[tuple[Any, ...]] = set()
    for one in found.occurrences:
        for person in one.people:
            if calendar.document["purpose"] == "shifts":
                shifts.add((person, one.starts_at, one.ends_at, one.event))
            else:
                days = (one.first_day, one.last_day)
                leave.add((person, one.starts_at, one.ends_at, one.event, *(day and day.isoformat() for day in days)))
    await _replace(tx, bookings, calendar.id, shifts)
    await _replace(tx, absences, calendar.id, leave, created_by=f"calendar {calendar.name}")


_COLUMNS = {
    bookings: ("person_id", "starts_at", "ends_at", "event"),
    absences: ("person_id", "starts_at", "ends_at", "reason", "first_day", "last_day"),
}


async def _replace(
    tx: Writing, table: Table, calendar_id: int, wanted: set[tuple[Any, ...]], created_by: str = ""
) -> None:
    names = _COLUMNS[table]
    question = select(table.c.id, *(table.c[name] for name in names)).where(table.c.calendar_id == calendar_id)
    there = {tuple(row[1:]): int(row[0]) for row in await tx.conn.execute(question)}
    gone, new = there.keys() - wanted, wanted - there.keys()
    if not gone and not new:
        return
    if table is bookings:
        concerned = await schedules_reading(tx, calendar_id)
    else:
        concerned = await schedules_of(tx, {row[0] for row in (*gone, *new)})
    await settle(tx, concerned)
    await _delete(tx, table, sorted(there[row] for row in gone))
    more = {} if table is bookings else {"soft": False, "created_at": tx.now, "created_by": created_by}
    rows = [
        {"id": tx.new_id(), "calendar_id": calendar_id, **dict(zip(names, row, strict=True)), **more}
        for row in sorted(new, key=lambda row: row[:4])
    ]
    for start in range(0, len(rows), _AT_ONCE):
        await tx.conn.execute(insert(table), rows[start : start + _AT_ONCE])
    await watch(tx, concerned)
    await look_again_of(tx, concerned)


async def _delete(tx: Writing, table: Table, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), _AT_ONCE):
        await tx.conn.execute(delete(table).where(table.c.id.in_(ids[start : start + _AT_ONCE])))
