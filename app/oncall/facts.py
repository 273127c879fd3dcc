"""From the store to a `Rota`: everything that one schedule's on-call is computed from, for an interval. Reads only."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, assert_never

import orjson
from sqlalchemy import Row

from app.clock import DAY, Micros
from app.ids import PersonId
from app.oncall import kept
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
from app.store.database import Reading

_DAYS = {"hour": 1, "day": 1, "week": 7, "month": 31}
"""At most so many days to a unit."""
SCHEDULE_KEYS = ("time_zone", "layers", "limits")


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
    wanted = sorted(set(schedule_ids))
    rows = await kept.states_alone(view, wanted)
    return {schedule_id: found for schedule_id in wanted if (found := _state(rows, schedule_id))}


def _state(rows: kept.Rows, schedule_id: int) -> State | None:
    for row in rows["state", schedule_id]:
        return State(row.ends_at, {name: standing_from_document(one) for name, one in row.document.items()})
    return None


async def rotas(
    view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros, names: dict[int, str] | None = None
) -> dict[int, Rota]:
    """What is needed to say who is on call in [start, end), by schedule; of deleted schedules too, as they were.

    What is called how is read on the way and put into `names`: the schedules that there are or were, and whoever takes
    turns or overrides in them.
    """
    wanted = sorted(set(schedule_ids))
    if not wanted:
        return {}
    names = {} if names is None else names
    since, likely = _likely(wanted, start, end)
    rows = await kept.of_schedules(view, wanted, start, end, since, likely)
    low = min([start, *(row.ends_at for item in wanted for row in rows["state", item])])
    if low < since:
        rows = await kept.of_schedules(view, wanted, start, end, low, likely)
    names |= {item: row.word for item in wanted for row in rows["schedule", item]}
    bare = {schedule_id: _rota(rows, schedule_id) for schedule_id in wanted}
    found = await supplied(view, bare, low, end, names, (likely, rows))
    _remember(found)
    return found


class _Last(NamedTuple):
    """What a schedule hung on when it was last read."""

    people: frozenset[int]
    settled_until: Micros
    reach: Micros


_LAST: OrderedDict[int, _Last] = OrderedDict()
_MOST_REMEMBERED = 4096


def _likely(schedule_ids: Sequence[int], start: Micros, end: Micros) -> tuple[Micros, kept.People]:
    """Since when, and on whose leave of which time, these schedules are likely to hang: a guess, by the last time they were read.

    Looked up together with the schedules it saves a way to the database; what is missing is asked for after it.
    """
    last = [found for one in schedule_ids if (found := _LAST.get(one))]
    reach = max((one.reach for one in last), default=0)
    since = min([start, *(one.settled_until for one in last if one.settled_until)])
    return since, kept.People(frozenset().union(*(one.people for one in last)), since - reach, end + reach)


def _remember(found: Mapping[int, Rota]) -> None:
    for schedule_id, rota in found.items():
        _LAST[schedule_id] = _Last(frozenset(_everybody(rota)), rota.settled_until, _reach(rota))
    while len(_LAST) > _MOST_REMEMBERED:
        _LAST.popitem(last=False)


def _rota(rows: kept.Rows, schedule_id: int) -> Rota:
    state = _state(rows, schedule_id) or State(0, {})
    return Rota(
        eras=tuple(_era(row) for row in sorted(rows["era", schedule_id], key=_begun)),
        overrides=tuple(_overrides(rows, schedule_id)),
        settled_until=state.settled_until,
        standings=state.standings,
        record=tuple(_shift(row) for row in sorted(rows["record", schedule_id], key=_begun)),
    )


def _begun(row: Row[Any]) -> tuple[Micros, int]:
    return row.starts_at, row.number


def _era(row: Row[Any]) -> Era:
    return Era(row.starts_at, row.ends_at, schedule_of(row.document), row.number)


def _shift(row: Row[Any]) -> Shift:
    return Shift(row.starts_at, row.ends_at, PersonId(row.person), why_from_document(row.document), row.word)


def _overrides(rows: kept.Rows, schedule_id: int) -> list[Override]:
    """As they were made."""
    found = [
        Override(
            OverrideId(row.number),
            row.starts_at,
            row.ends_at,
            PersonId(row.person),
            None if row.other is None else PersonId(row.other),
            row.word,
        )
        for row in rows["override", schedule_id]
    ]
    return sorted(found, key=lambda one: one.id)


async def overrides_of(view: Reading, schedule_id: int, start: Micros, end: Micros) -> list[Override]:
    """The overrides that were not taken back and touch [start, end), as they were made."""
    return _overrides(await kept.overrides_alone(view, [schedule_id], start, end), schedule_id)


async def supplied(
    view: Reading,
    bare: Mapping[int, Rota],
    start: Micros,
    end: Micros,
    names: dict[int, str] | None = None,
    already: tuple[kept.People, kept.Rows] = (kept.NOBODY, {}),
) -> dict[int, Rota]:
    """The rotas with who is away and what calendars say, as far as their versions need it for [start, end).

    `already` is of whom and of which time leave has been read.
    """
    booked = await _booked(view, bare, start, end)
    reach = max((_reach(rota) for rota in booked.values()), default=0)
    everybody = frozenset(person for rota in booked.values() for person in _everybody(rota))
    wanted = kept.People(everybody, start - reach, end + reach)
    known, rows = already
    if not (everybody <= known.ids and known.start <= wanted.start and wanted.end <= known.end):
        rows = await kept.of_people(view, wanted)
    away = _away(rows, wanted, {} if names is None else names)
    return {
        schedule_id: replace(rota, away=tuple(one for person in _people(rota) for one in away[person]))
        for schedule_id, rota in booked.items()
    }


def _everybody(rota: Rota) -> set[int]:
    """Everybody who has to do with it, by whatever way."""
    found = {int(person) for person in _people(rota)} | {int(booking.person) for booking in rota.bookings}
    for override in rota.overrides:
        found |= {int(override.person)} | ({int(override.replaces)} if override.replaces else set())
    return found | mentioned(rota.record)


def _people(rota: Rota) -> list[PersonId]:
    return sorted({person for era in rota.eras for person in era.schedule.people()})


def _calendars(rota: Rota) -> list[CalendarId]:
    return sorted({calendar for era in rota.eras for calendar in era.schedule.calendars()})


def _reach(rota: Rota) -> Micros:
    """How far a turn that is on at one end of an interval may reach beyond it, and a little more."""
    layers = (layer for era in rota.eras for layer in era.schedule.layers)
    days = (_DAYS[layer.unit] * max(layer.lengths) for layer in layers if isinstance(layer, Layer))
    return (max(days, default=0) + 2) * DAY


def _away(rows: kept.Rows, wanted: kept.People, names: dict[int, str]) -> Mapping[PersonId, list[Away]]:
    """When each person is away: absences, public holidays of those who are off on them, and always who is disabled."""
    found: dict[PersonId, list[Away]] = defaultdict(list)
    for one in wanted.ids:
        person, of_person = PersonId(one), rows["person", one]
        leave = (row for row in of_person if row.starts_at is not None)
        found[person] += [
            Away(person, row.starts_at, row.ends_at, row.reason or "away", bool(row.person))
            for row in sorted(leave, key=_begun)
        ]
        for row in of_person[:1]:
            names[one] = row.word
            if row.other is None:
                found[person] += _away_by_document(person, row.document, wanted.start, wanted.end)
    return found


async def away_of(view: Reading, person: PersonId, start: Micros, end: Micros) -> tuple[str, tuple[Away, ...]]:
    """What somebody is called, and when in [start, end) they are away, whether or not they take turns anywhere."""
    wanted, names = kept.People(frozenset({int(person)}), start, end), dict[int, str]()
    found = _away(await kept.of_people(view, wanted), wanted, names)[person]
    return names.get(int(person), ""), tuple(one for one in found if one.starts_at < end and one.ends_at > start)


def _away_by_document(person: PersonId, document: Mapping[str, Any], start: Micros, end: Micros) -> Iterator[Away]:
    if document.get("disabled"):
        # Longer than any leave that is owed; what was before is in the record, which every edit of a person settles.
        yield Away(person, 0, end, "disabled")
    if document.get("off_on_public_holidays") and document.get("country"):
        where = (document["country"], document.get("subdivision", ""), document.get("time_zone", "UTC"))
        yield from holiday_away(person, *where, start, end)


async def _booked(view: Reading, bare: Mapping[int, Rota], start: Micros, end: Micros) -> Mapping[int, Rota]:
    """The rotas with the events of their calendars."""
    calendars = {int(calendar) for rota in bare.values() for calendar in _calendars(rota)}
    if not calendars:
        return bare
    found: dict[CalendarId, list[Booking]] = defaultdict(list)
    for row in await kept.of_calendars(view, calendars, start, end):
        calendar = CalendarId(row.calendar_id)
        found[calendar].append(Booking(calendar, row.starts_at, row.ends_at, PersonId(row.person_id), row.event))
    return {
        schedule_id: replace(rota, bookings=tuple(one for calendar in _calendars(rota) for one in found[calendar]))
        for schedule_id, rota in bare.items()
    }


async def schedules_of(view: Reading, people: Iterable[int]) -> list[int]:
    """The schedules in which any of these people takes turns, by the version in force or one to come."""
    wanted = {PersonId(person) for person in people}
    found = await kept.still_to_come(view)
    return sorted({schedule_id for schedule_id, document in found if schedule_of(document).people() & wanted})


async def schedules_reading(view: Reading, calendar_id: int) -> list[int]:
    """The schedules with a layer that is read from this calendar, by the version in force or one to come."""
    found = await kept.still_to_come(view)
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
