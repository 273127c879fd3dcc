"""What is kept of schedules and of people, read in one statement each, however many of them are asked for. Reads only.

To PostgreSQL each statement is a way there and back, and with both databases asking costs more than the answer: what five
tables keep of a schedule is therefore asked for together, in rows that say which table they are of. Each statement is
built once, which costs five times what asking it does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Executable,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from app.clock import Micros
from app.oncall.tables import absences, bookings, eras, overrides, rota_states, shift_record
from app.store.database import Reading
from app.store.metadata import Document
from app.store.tables import resources

Of = Literal["schedule", "state", "era", "override", "record"]
Rows = Mapping[tuple[Of, int], list[Row[Any]]]
"""By what they are of and their schedule; as `_row` names their columns."""

_WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)
_START = bindparam("start", type_=BigInteger)
_END = bindparam("end", type_=BigInteger)

_NO_NUMBER = cast(null(), BigInteger)
_NO_TEXT = cast(null(), Text)
_NO_DOCUMENT = cast(null(), Document)


def _row(
    of: Of,
    schedule_id: Any,
    number: Any = _NO_NUMBER,
    starts_at: Any = _NO_NUMBER,
    ends_at: Any = _NO_NUMBER,
    *,
    person: Any = _NO_NUMBER,
    other: Any = _NO_NUMBER,
    word: Any = _NO_TEXT,
    document: Any = _NO_DOCUMENT,
) -> Select[Any]:
    return select(
        literal_column(f"'{of}'", Text).label("of"),
        schedule_id.label("schedule_id"),
        number.label("number"),
        starts_at.label("starts_at"),
        ends_at.label("ends_at"),
        person.label("person"),
        other.label("other"),
        word.label("word"),
        document.label("document"),
    )


_o, _r, _e, _s = overrides.c, shift_record.c, eras.c, rota_states.c

_settled = select(_s.settled_until.label("at")).where(_s.schedule_id.in_(_WANTED))
_since = select(func.min(union_all(select(_START.label("at")), _settled).subquery().c.at)).scalar_subquery()
"""What is computed follows from what was in force since the past was last written down."""

_STATE = _row("state", _s.schedule_id, ends_at=_s.settled_until, document=_s.standings).where(
    _s.schedule_id.in_(_WANTED)
)
_OVERRIDE = _row(
    "override", _o.schedule_id, _o.id, _o.starts_at, _o.ends_at, person=_o.person_id, other=_o.replaces, word=_o.role
)
_OVERRIDE = _OVERRIDE.where(_o.schedule_id.in_(_WANTED), _o.starts_at < _END, _o.cancelled_at.is_(None))
_OVERRIDES = _OVERRIDE.where(_o.ends_at > _START)
_KEPT = union_all(
    _OVERRIDE.where(_o.ends_at > _since),
    _row("era", _e.schedule_id, _e.version, _e.starts_at, _e.ends_at, document=_e.document).where(
        _e.schedule_id.in_(_WANTED),
        _e.starts_at < _END,
        # One that ended at that instant too: what it remembers goes over to the next.
        or_(_e.ends_at.is_(None), _e.ends_at >= _since),
    ),
    # There is none that ends after the past was last written down.
    _row(
        "record", _r.schedule_id, _r.id, _r.starts_at, _r.ends_at, person=_r.person_id, word=_r.role, document=_r.why
    ).where(_r.schedule_id.in_(_WANTED), _r.starts_at < _END, _r.ends_at > _START),
    _STATE,
    _row("schedule", resources.c.id, word=resources.c.name).where(
        resources.c.id.in_(_WANTED), resources.c.kind == "schedule"
    ),
)

_PEOPLE = (
    select(
        resources.c.id,
        resources.c.name,
        resources.c.document,
        resources.c.deleted_at,
        absences.c.starts_at,
        absences.c.ends_at,
        absences.c.reason,
        absences.c.soft,
    )
    .join_from(
        resources,
        absences,
        and_(
            absences.c.person_id == resources.c.id,
            absences.c.starts_at < _END,
            absences.c.ends_at > _START,
            absences.c.cancelled_at.is_(None),
        ),
        isouter=True,
    )
    .where(resources.c.id.in_(_WANTED), resources.c.kind == "person")
    .order_by(absences.c.starts_at, absences.c.id)
)
_BOOKINGS = (
    select(bookings.c.calendar_id, bookings.c.starts_at, bookings.c.ends_at, bookings.c.person_id, bookings.c.event)
    .where(bookings.c.calendar_id.in_(_WANTED), bookings.c.starts_at < _END, bookings.c.ends_at > _START)
    .order_by(bookings.c.starts_at, bookings.c.id)
)
_TO_COME = select(_e.schedule_id, _e.document).where(or_(_e.ends_at.is_(None), _e.ends_at > _START))


async def of_schedules(view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros) -> Rows:
    """All that who is on call in [start, end) is computed from, of deleted schedules too; not what was cancelled."""
    return await _rows(view, _KEPT, schedule_ids, start=start, end=end)


async def overrides_alone(view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros) -> Rows:
    """The overrides that were not cancelled and touch [start, end)."""
    return await _rows(view, _OVERRIDES, schedule_ids, start=start, end=end)


async def states_alone(view: Reading, schedule_ids: Iterable[int]) -> Rows:
    """Until when the past of each schedule is written down, and what is remembered there."""
    return await _rows(view, _STATE, schedule_ids)


async def _rows(view: Reading, statement: Executable, schedule_ids: Iterable[int], **interval: Micros) -> Rows:
    found: dict[tuple[Of, int], list[Row[Any]]] = defaultdict(list)
    for row in await view.conn.execute(statement, {"wanted": sorted(set(schedule_ids)), **interval}):
        found[row.of, row.schedule_id].append(row)
    return found


async def of_people(view: Reading, people: Iterable[int], start: Micros, end: Micros) -> Sequence[Row[Any]]:
    """Each person, deleted ones too, with each absence in [start, end) or with none; in the order of the absences."""
    wanted = sorted(set(people))
    if not wanted:
        return ()
    return (await view.conn.execute(_PEOPLE, {"wanted": wanted, "start": start, "end": end})).all()


async def of_calendars(view: Reading, calendars: Iterable[int], start: Micros, end: Micros) -> Sequence[Row[Any]]:
    """The events of calendars in [start, end), in order."""
    return (await view.conn.execute(_BOOKINGS, {"wanted": sorted(set(calendars)), "start": start, "end": end})).all()


async def still_to_come(view: Reading) -> list[tuple[int, dict[str, Any]]]:
    """The versions in force and those to come: of which schedule, and its document."""
    found = await view.conn.execute(_TO_COME, {"start": view.now})
    return [(row.schedule_id, row.document) for row in found]
