"""Reading and writing incidents and their timelines. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, insert, select, text, update

from app.ids import first_id
from app.incidents import turn
from app.incidents.incident import Entry, Incident
from app.incidents.tables import OPEN, incidents, timeline
from app.store.database import Reading, Writing

_NAMES = tuple(item.name for item in fields(Incident))
_COLUMNS = [incidents.c[name] for name in _NAMES]
_MUTABLE = tuple(name for name in _NAMES if name not in ("id", "number", "opened_at", "grouping"))


def _values(incident: Incident, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in names}


def _of(row: Any) -> Incident:
    found = Incident(*row)
    found.grouping = bytes(found.grouping)
    return found


# Made once: making a statement costs more than running it.
_ONE = select(*_COLUMNS).where(incidents.c.id == bindparam("b_id"))
_ONE_LOCKED = _ONE.with_for_update()
_SOME = select(*_COLUMNS).where(incidents.c.id.in_(bindparam("wanted", expanding=True))).order_by(incidents.c.id)
_SOME_LOCKED = _SOME.with_for_update()
_NUMBERED = select(*_COLUMNS).where(incidents.c.number == bindparam("called"))
_NUMBERED_LOCKED = _NUMBERED.with_for_update()


async def load(view: Reading, ids: Iterable[int], *, lock: bool = False) -> dict[int, Incident]:
    """Incidents by id. With `lock` nobody else changes them until the transaction ends; locked in order of id."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    if len(wanted) == 1:
        found = await view.conn.execute(_ONE_LOCKED if lock else _ONE, {"b_id": wanted[0]})
        return {row.id: _of(row) for row in found}
    found = await view.conn.execute(_SOME_LOCKED if lock else _SOME, {"wanted": wanted})
    return {row.id: _of(row) for row in found}


async def by_number(view: Reading, number: int, *, lock: bool = False) -> Incident | None:
    """The incident people call #number."""
    row = (await view.conn.execute(_NUMBERED_LOCKED if lock else _NUMBERED, {"called": number})).first()
    return _of(row) if row else None


async def open_by_grouping(view: Reading, groupings: Iterable[bytes], *, lock: bool = False) -> list[Incident]:
    """The open incidents of these groupings. With `lock` nobody else changes them until the transaction ends."""
    wanted = sorted(set(groupings))
    found: list[Incident] = []
    for start in range(0, len(wanted), 500):
        question = (
            select(*_COLUMNS)
            .where(
                incidents.c.grouping.in_(wanted[start : start + 500]),
                text(OPEN),
            )
            .order_by(incidents.c.id)
        )
        if lock:
            question = question.with_for_update()
        found += [_of(row) for row in await view.conn.execute(question)]
    return found


def _lately(whose: ColumnElement[bool]) -> Select[int]:
    some = select(incidents.c.id).where(whose, incidents.c.id >= bindparam("since")).limit(turn.COUNTED)
    return select(func.count()).select_from(some.subquery())


_LATELY = _lately(incidents.c.service_id == bindparam("service"))
_LATELY_OF_NONE = _lately(incidents.c.service_id.is_(None))


async def opened_lately(view: Reading, service_id: int | None) -> int:
    """How many incidents a service (None: those without one) has opened lately; counted no further than matters."""
    values = {"since": first_id(view.now - turn.CROWDED_FOR)}
    if service_id is None:
        return int((await view.conn.execute(_LATELY_OF_NONE, values)).scalar_one())
    return int((await view.conn.execute(_LATELY, {**values, "service": service_id})).scalar_one())


async def add(tx: Writing, new: Sequence[Incident]) -> None:
    """Writes new incidents."""
    if new:
        await tx.conn.execute(insert(incidents), [_values(incident, _NAMES) for incident in new])


_SAVE = (
    update(incidents)
    .where(incidents.c.id == bindparam("b_id"))
    .values({name: bindparam(f"b_{name}") for name in _MUTABLE})
)


async def save(tx: Writing, changed: Sequence[Incident]) -> None:
    """Writes incidents back; the caller holds their locks."""
    if changed:
        rows = []
        for incident in changed:
            incident.updated_at = tx.now
            rows.append({f"b_{name}": value for name, value in _values(incident, ("id", *_MUTABLE)).items()})
        await tx.conn.execute(_SAVE, rows)


async def record(tx: Writing, entries: Iterable[tuple[int, Entry]]) -> None:
    """Adds to timelines, in the order given."""
    rows = [
        {
            "id": tx.new_id(),
            "incident_id": incident_id,
            "at": tx.now,
            "kind": entry.kind,
            "actor": entry.actor,
            "reason": entry.reason,
            "detail": entry.detail,
        }
        for incident_id, entry in entries
    ]
    if rows:
        await tx.conn.execute(insert(timeline), rows)


_END_ALERTS = text(
    "UPDATE alerts SET resolved_at = :now, resolved_by = 'person', expires_at = NULL "
    "WHERE incident_id = :incident AND resolved_at IS NULL"
)


_ASK = (
    "UPDATE jobs SET due_at = :now WHERE kind = 'escalate' AND due_at > :now AND subject IN "
    "(SELECT id FROM incidents WHERE quiet_until IS NOT NULL AND"
)


async def ask_again(tx: Writing, which: str, **values: int | list[int]) -> None:
    """Quiet incidents that `which` holds of are asked at once whether they page: a condition of our own on their table."""
    question = text(f"{_ASK} {which})")
    for name, value in values.items():
        if isinstance(value, list):
            question = question.bindparams(bindparam(name, expanding=True))
    if (await tx.conn.execute(question, {"now": tx.now, **values})).rowcount:
        tx.due.append(tx.now)


async def end_alerts(tx: Writing, incident: Incident) -> None:
    """Ends the open alerts of an incident a person declared over; what they kept quiet is asked whether it pages."""
    await ask_again(tx, "quiet_by IN (SELECT id FROM alerts WHERE incident_id = :incident)", incident=incident.id)
    await tx.conn.execute(_END_ALERTS, {"now": tx.now, "incident": incident.id})
    incident.open_alerts = 0
