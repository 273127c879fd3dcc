"""What is kept of schedules and of people, read in one statement, however many of them are asked for. Reads only.

To PostgreSQL each statement is a way there and back, and with both databases asking costs more than the answer: what six
tables keep of a schedule is therefore asked for together, in rows that say which table they are of. Who takes turns in it
is only known from these rows; but it was the same people when it was read the last time, and so whoever asks says whom to
look up on the way. Each statement is built once, which costs five times what asking it does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Executable,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from app.clock import Micros
from app.oncall.tables import absences, bookings, eras, overrides, rota_states, shift_record
from app.store.database import Reading
from app.store.metadata import Among, Document, Ids
from app.store.tables import resources

Of = Literal["schedule", "state", "era", "override", "record", "person"]
Rows = Mapping[tuple[Of, int], list[Row[Any]]]
"""By what they are of, and their schedule or person; as `_row` names their columns."""


class People(NamedTuple):
    """Whose leave is asked for, and of which time."""

    ids: frozenset[int]
    start: Micros
    end: Micros


NOBODY = People(frozenset(), 0, 0)

_WANTED: BindParameter[Any] = bindparam("wanted", type_=Ids)
_SINCE = bindparam("since", type_=BigInteger)
_START = bindparam("start", type_=BigInteger)
_END = bindparam("end", type_=BigInteger)
_PEOPLE: BindParameter[Any] = bindparam("people", type_=Ids)
_AWAY_START = bindparam("away_start", type_=BigInteger)
_AWAY_END = bindparam("away_end", type_=BigInteger)

_NO_NUMBER = cast(null(), BigInteger)
_NO_TEXT = cast(null(), Text)
_NO_DOCUMENT = cast(null(), Document)


def _row(
    of: Of,
    of_id: Any,
    number: Any = _NO_NUMBER,
    starts_at: Any = _NO_NUMBER,
    ends_at: Any = _NO_NUMBER,
    *,
    person: Any = _NO_NUMBER,
    other: Any = _NO_NUMBER,
    word: Any = _NO_TEXT,
    reason: Any = _NO_TEXT,
    document: Any = _NO_DOCUMENT,
) -> Select[Any]:
    return select(
        literal_column(f"'{of}'", Text).label("of"),
        of_id.label("of_id"),
        number.label("number"),
        starts_at.label("starts_at"),
        ends_at.label("ends_at"),
        person.label("person"),
        other.label("other"),
        word.label("word"),
        reason.label("reason"),
        document.label("document"),
    )


_o, _r, _e, _s = overrides.c, shift_record.c, eras.c, rota_states.c

_STATE = _row("state", _s.schedule_id, ends_at=_s.settled_until, document=_s.standings).where(
    Among(_s.schedule_id, _WANTED)
)
_OVERRIDE = _row(
    "override", _o.schedule_id, _o.id, _o.starts_at, _o.ends_at, person=_o.person_id, other=_o.replaces, word=_o.role
)
_OVERRIDE = _OVERRIDE.where(Among(_o.schedule_id, _WANTED), _o.starts_at < _END, _o.cancelled_at.is_(None))
_OVERRIDES = _OVERRIDE.where(_o.ends_at > _START)
_a, _p = absences.c, resources.c
# Of a person: `number` is the leave, `person` whether it is only a wish, `other` when they were deleted, if they were.
_PERSON = (
    _row(
        "person",
        _p.id,
        _a.id,
        _a.starts_at,
        _a.ends_at,
        person=cast(cast(_a.soft, Integer), BigInteger),
        other=_p.deleted_at,
        word=_p.name,
        reason=_a.reason,
        document=_p.document,
    )
    .join_from(
        resources,
        absences,
        and_(
            _a.person_id == _p.id,
            _a.starts_at < _AWAY_END,
            _a.ends_at > _AWAY_START,
            _a.cancelled_at.is_(None),
        ),
        isouter=True,
    )
    .where(Among(_p.id, _PEOPLE), _p.kind == "person")
)
_KEPT = union_all(
    _OVERRIDE.where(_o.ends_at > _SINCE),
    _row("era", _e.schedule_id, _e.version, _e.starts_at, _e.ends_at, document=_e.document).where(
        Among(_e.schedule_id, _WANTED),
        _e.starts_at < _END,
        # One that ended at that instant too: what it remembers goes over to the next.
        or_(_e.ends_at.is_(None), _e.ends_at >= _SINCE),
    ),
    # There is none that ends after the past was last written down.
    _row(
        "record", _r.schedule_id, _r.id, _r.starts_at, _r.ends_at, person=_r.person_id, word=_r.role, document=_r.why
    ).where(Among(_r.schedule_id, _WANTED), _r.starts_at < _END, _r.ends_at > _START),
    _STATE,
    _row("schedule", resources.c.id, word=resources.c.name).where(
        Among(resources.c.id, _WANTED), resources.c.kind == "schedule"
    ),
    _PERSON,
)
_BOOKINGS = (
    select(bookings.c.calendar_id, bookings.c.starts_at, bookings.c.ends_at, bookings.c.person_id, bookings.c.event)
    .where(Among(bookings.c.calendar_id, _WANTED), bookings.c.starts_at < _END, bookings.c.ends_at > _START)
    .order_by(bookings.c.starts_at, bookings.c.id)
)
_TO_COME = select(_e.schedule_id, _e.document).where(or_(_e.ends_at.is_(None), _e.ends_at > _START))


async def of_schedules(
    view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros, since: Micros, people: People
) -> Rows:
    """All that who is on call in [start, end) is computed from, of deleted schedules too; not what was cancelled.

    Overrides and versions are read from `since` on: from when the past was last written down, what is computed follows
    from them. And what is kept of these people, as `of_people` tells it.
    """
    return await _rows(view, _KEPT, schedule_ids, start=start, end=end, since=since, **_asked(people))


async def overrides_alone(view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros) -> Rows:
    """The overrides that were not cancelled and touch [start, end)."""
    return await _rows(view, _OVERRIDES, schedule_ids, start=start, end=end)


async def states_alone(view: Reading, schedule_ids: Iterable[int]) -> Rows:
    """Until when the past of each schedule is written down, and what is remembered there."""
    return await _rows(view, _STATE, schedule_ids)


async def of_people(view: Reading, people: People) -> Rows:
    """Each person, deleted ones too, with each absence in the time or with none."""
    return await _rows(view, _PERSON, (), **_asked(people)) if people.ids else {}


def _asked(people: People) -> dict[str, Any]:
    return {"people": sorted(people.ids), "away_start": people.start, "away_end": people.end}


async def _rows(view: Reading, statement: Executable, schedule_ids: Iterable[int], **asked: Any) -> Rows:
    found: dict[tuple[Of, int], list[Row[Any]]] = defaultdict(list)
    for row in await view.conn.execute(statement, {"wanted": sorted(set(schedule_ids)), **asked}):
        found[row.of, row.of_id].append(row)
    return found


async def of_calendars(view: Reading, calendars: Iterable[int], start: Micros, end: Micros) -> Sequence[Row[Any]]:
    """The events of calendars in [start, end), in order."""
    return (await view.conn.execute(_BOOKINGS, {"wanted": sorted(set(calendars)), "start": start, "end": end})).all()


async def still_to_come(view: Reading) -> list[tuple[int, dict[str, Any]]]:
    """The versions in force and those to come: of which schedule, and its document."""
    found = await view.conn.execute(_TO_COME, {"start": view.now})
    return [(row.schedule_id, row.document) for row in found]
