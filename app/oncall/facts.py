"""From the store to a `Rota`: everything that one schedule's on-call is computed from, for an interval. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, assert_never

import orjson
from sqlalchemy import BindParameter, bindparam, or_, select

from app.clock import DAY, Micros
from app.ids import PersonId
from app.oncall.codec import from_document, standing_from_document, why_from_document
from app.oncall.holidays import holiday_away
from app.oncall.rota import (
    Away,
    Booking,
    ByCalendar,
    ByLayer,
    ByOverride,
    Duty,
    Era,
    Rota,
    Shift,
    Standing,
)
from app.oncall.schedule import CalendarId, Layer, Override, OverrideId, Schedule
from app.oncall.tables import absences, bookings, eras, overrides, rota_states, shift_record
from app.store import resources
from app.store.database import Reading

_DAYS = {"hour": 1, "day": 1, "week": 7, "month": 31}
"""At most so many days to a unit."""
SCHEDULE_KEYS = ("time_zone", "layers", "limits")

# The questions below are asked at each page and each answer of the API: each is built once, which costs five times what
# asking it does.
_WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)
_START: BindParameter[Any] = bindparam("start")
_END: BindParameter[Any] = bindparam("end")
_STATES = select(rota_states.c.schedule_id, rota_states.c.settled_until, rota_states.c.standings).where(
    rota_states.c.schedule_id.in_(_WANTED)
)
_ERAS = (
    select(eras.c.schedule_id, eras.c.starts_at, eras.c.ends_at, eras.c.document, eras.c.version)
    .where(
        eras.c.schedule_id.in_(_WANTED),
        eras.c.starts_at < _END,
        # One that ended at that instant too: what it remembers goes over to the next.
        or_(eras.c.ends_at.is_(None), eras.c.ends_at >= _START),
    )
    .order_by(eras.c.schedule_id, eras.c.starts_at)
)
_OVERRIDES = (
    select(
        overrides.c.schedule_id,
        overrides.c.id,
        overrides.c.starts_at,
        overrides.c.ends_at,
        overrides.c.person_id,
        overrides.c.replaces,
        overrides.c.role,
    )
    .where(
        overrides.c.schedule_id.in_(_WANTED),
        overrides.c.starts_at < _END,
        overrides.c.ends_at > _START,
        overrides.c.cancelled_at.is_(None),
    )
    .order_by(overrides.c.id)
)
_RECORD = (
    select(
        shift_record.c.schedule_id,
        shift_record.c.starts_at,
        shift_record.c.ends_at,
        shift_record.c.person_id,
        shift_record.c.why,
        shift_record.c.role,
    )
    .where(shift_record.c.schedule_id.in_(_WANTED), shift_record.c.ends_at > _START, shift_record.c.starts_at < _END)
    .order_by(shift_record.c.starts_at, shift_record.c.id)
)
_ABSENCES = (
    select(absences.c.person_id, absences.c.starts_at, absences.c.ends_at, absences.c.reason, absences.c.soft)
    .where(
        absences.c.person_id.in_(_WANTED),
        absences.c.starts_at < _END,
        absences.c.ends_at > _START,
        absences.c.cancelled_at.is_(None),
    )
    .order_by(absences.c.starts_at, absences.c.id)
)
_BOOKINGS = (
    select(bookings.c.calendar_id, bookings.c.starts_at, bookings.c.ends_at, bookings.c.person_id, bookings.c.event)
    .where(bookings.c.calendar_id.in_(_WANTED), bookings.c.starts_at < _END, bookings.c.ends_at > _START)
    .order_by(bookings.c.starts_at, bookings.c.id)
)
_TO_COME = select(eras.c.schedule_id, eras.c.document).where(or_(eras.c.ends_at.is_(None), eras.c.ends_at > _START))


def schedule_of(document: Mapping[str, Any]) -> Schedule:
    """The schedule of a resource's document (which carries more than is computed from). Raises BadField."""
    return _read_once(orjson.dumps({key: document[key] for key in SCHEDULE_KEYS if document.get(key) is not None}))


@lru_cache(maxsize=4096)
def _read_once(document: bytes) -> Schedule:
    """Schedules change rarely and are values: what a text says is read once a process."""
    return from_document(orjson.loads(document))


@dataclass(frozen=True, slots=True)
class State:
    """Until when a schedule's past is written down, and what its layers remember there."""

    settled_until: Micros
    standings: dict[str, Standing]


async def states(view: Reading, schedule_ids: Iterable[int]) -> dict[int, State]:
    """The state of each schedule that has one."""
    found = await view.conn.execute(_STATES, {"wanted": sorted(set(schedule_ids))})
    return {
        schedule_id: State(until, {name: standing_from_document(one) for name, one in standings.items()})
        for schedule_id, until, standings in found
    }


async def rotas(
    view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros, names: dict[int, str] | None = None
) -> dict[int, Rota]:
    """What is needed to say who is on call in [start, end), by schedule; of deleted schedules too, as they were.

    The names of participants, which are read on the way, are put into `names`.
    """
    wanted = sorted(set(schedule_ids))
    if not wanted:
        return {}
    known = await states(view, wanted)
    low = min([start, *(state.settled_until for state in known.values())])
    in_force = await _eras(view, wanted, low, end)
    taken = await overrides_of(view, wanted, low, end)
    written = await _record(view, known, start, end)
    bare = {
        schedule_id: Rota(
            eras=tuple(in_force[schedule_id]),
            overrides=tuple(taken[schedule_id]),
            settled_until=known[schedule_id].settled_until if schedule_id in known else 0,
            standings=known[schedule_id].standings if schedule_id in known else {},
            record=tuple(written[schedule_id]),
        )
        for schedule_id in wanted
    }
    return await supplied(view, bare, low, end, names)


async def supplied(
    view: Reading, bare: Mapping[int, Rota], start: Micros, end: Micros, names: dict[int, str] | None = None
) -> dict[int, Rota]:
    """The rotas with who is away and what calendars say, as far as their versions need it for [start, end)."""
    reach = _longest_turn(bare) + 2 * DAY
    everybody = {person for rota in bare.values() for person in _people(rota)}
    away = await _away(view, everybody, start - reach, end + reach, {} if names is None else names)
    booked = await _bookings(view, {one for rota in bare.values() for one in _calendars(rota)}, start, end)
    return {
        schedule_id: replace(
            rota,
            away=tuple(one for person in _people(rota) for one in away.get(person, ())),
            bookings=tuple(one for calendar in _calendars(rota) for one in booked.get(calendar, ())),
        )
        for schedule_id, rota in bare.items()
    }


def _people(rota: Rota) -> list[PersonId]:
    return sorted({person for era in rota.eras for person in era.schedule.people()})


def _calendars(rota: Rota) -> list[CalendarId]:
    return sorted({calendar for era in rota.eras for calendar in era.schedule.calendars()})


def _longest_turn(known: Mapping[int, Rota]) -> Micros:
    """How long a turn that is on at one end of an interval may reach beyond it."""
    layers = (layer for rota in known.values() for era in rota.eras for layer in era.schedule.layers)
    days = (_DAYS[layer.unit] * max(layer.lengths) for layer in layers if isinstance(layer, Layer))
    return max(days, default=0) * DAY


async def _eras(view: Reading, wanted: list[int], start: Micros, end: Micros) -> dict[int, list[Era]]:
    """The versions in force in [start, end), in order."""
    found: dict[int, list[Era]] = {schedule_id: [] for schedule_id in wanted}
    rows = await view.conn.execute(_ERAS, {"wanted": wanted, "start": start, "end": end})
    for schedule_id, starts_at, ends_at, document, version in rows:
        found[schedule_id].append(Era(starts_at, ends_at, schedule_of(document), version))
    return found


async def overrides_of(view: Reading, wanted: Iterable[int], start: Micros, end: Micros) -> dict[int, list[Override]]:
    """The overrides that were not taken back and touch [start, end), by schedule, as they were made."""
    found: dict[int, list[Override]] = {schedule_id: [] for schedule_id in wanted}
    rows = await view.conn.execute(_OVERRIDES, {"wanted": sorted(found), "start": start, "end": end})
    for schedule_id, override_id, starts_at, ends_at, person, replaces, role in rows:
        found[schedule_id].append(
            Override(
                OverrideId(override_id),
                starts_at,
                ends_at,
                PersonId(person),
                None if replaces is None else PersonId(replaces),
                role,
            )
        )
    return found


async def _record(view: Reading, known: Mapping[int, State], start: Micros, end: Micros) -> dict[int, list[Shift]]:
    """The shifts that are written down, of schedules whose past is asked for."""
    found: dict[int, list[Shift]] = defaultdict(list)
    settled = sorted(schedule_id for schedule_id, state in known.items() if state.settled_until > start)
    if not settled:
        return found
    rows = await view.conn.execute(_RECORD, {"wanted": settled, "start": start, "end": end})
    for schedule_id, starts_at, ends_at, person, why, role in rows:
        found[schedule_id].append(Shift(starts_at, ends_at, PersonId(person), why_from_document(why), role))
    return found


async def _away(
    view: Reading, people: set[PersonId], start: Micros, end: Micros, names: dict[int, str]
) -> dict[PersonId, list[Away]]:
    """When each person is away: absences, public holidays of those who are off on them, and always who is disabled."""
    found: dict[PersonId, list[Away]] = defaultdict(list)
    if not people:
        return found
    rows = await view.conn.execute(_ABSENCES, {"wanted": sorted(people), "start": start, "end": end})
    for person, starts_at, ends_at, reason, soft in rows:
        found[PersonId(person)].append(Away(PersonId(person), starts_at, ends_at, reason or "away", soft))
    for person_id, person in (await resources.load(view, "person", people)).items():
        document = person.document
        names[person_id] = person.name
        if document.get("disabled"):
            # Longer than any leave that is owed; what was before is in the record, which every edit of a person settles.
            found[PersonId(person_id)].append(Away(PersonId(person_id), 0, end, "disabled"))
        if document.get("off_on_public_holidays") and document.get("country"):
            where = (document["country"], document.get("subdivision", ""), document.get("time_zone", "UTC"))
            found[PersonId(person_id)] += holiday_away(PersonId(person_id), *where, start, end)
    return found


async def _bookings(
    view: Reading, calendars: set[CalendarId], start: Micros, end: Micros
) -> dict[CalendarId, list[Booking]]:
    """The events of calendars."""
    found: dict[CalendarId, list[Booking]] = defaultdict(list)
    if not calendars:
        return found
    rows = await view.conn.execute(_BOOKINGS, {"wanted": sorted(calendars), "start": start, "end": end})
    for calendar, starts_at, ends_at, person, event in rows:
        booking = Booking(CalendarId(calendar), starts_at, ends_at, PersonId(person), event)
        found[booking.calendar].append(booking)
    return found


async def schedules_of(view: Reading, people: Iterable[int]) -> list[int]:
    """The schedules in which any of these people takes turns, by the version in force or one to come."""
    wanted = {PersonId(person) for person in people}
    found = await view.conn.execute(_TO_COME, {"start": view.now})
    return sorted({schedule_id for schedule_id, document in found if schedule_of(document).people() & wanted})


async def schedules_reading(view: Reading, calendar_id: int) -> list[int]:
    """The schedules with a layer that is read from this calendar, by the version in force or one to come."""
    found = await view.conn.execute(_TO_COME, {"start": view.now})
    wanted = CalendarId(calendar_id)
    return sorted({schedule_id for schedule_id, document in found if wanted in schedule_of(document).calendars()})


def mentioned(duties: Iterable[Duty | Shift]) -> set[int]:
    """Everybody whose name is needed to say who is on call and why."""
    found: set[int] = set()
    for duty in duties:
        found.add(int(duty.person))
        match duty.why:
            case ByLayer(instead_of=other) | ByOverride(replaces=other):
                found |= {int(other)} if other is not None else set()
            case ByCalendar():
                pass
            case _:
                assert_never(duty.why)
    return found


def why(duty: Duty | Shift, schedule: str, names: Mapping[int, str]) -> str:
    """The sentence that tells somebody why they are on call."""
    place = f"on call in {schedule}"
    match duty.why:
        case ByLayer(layer=layer, turn=turn, how=how, instead_of=instead_of, because=because):
            of_layer = f"{place} (layer {layer}, turn {turn})"
            owner = names.get(instead_of, "somebody who was deleted") if instead_of is not None else ""
            match how:
                case "turn":
                    return of_layer
                case "stands_in":
                    return f"{of_layer} in place of {owner}, who is away: {because}"
                case "pays_back":
                    return f"{of_layer} in place of {owner}, who took {because} for them"
                case "nobody_else":
                    return f"{of_layer}, though away ({because}), because everybody else is too"
                case _:
                    assert_never(how)
        case ByOverride(replaces=replaces):
            of_whom = names.get(replaces, "somebody who was deleted") if replaces is not None else ""
            return f"{place} (override) in place of {of_whom}" if of_whom else f"{place} (override)"
        case ByCalendar(layer=layer, event=event):
            return f"{place} (layer {layer}, calendar event {event!r})"
        case _:
            assert_never(duty.why)
