"""From the store to what happened in past incidents. Bounded: so many incidents, and of each so much as is counted. Reads only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import BindParameter, bindparam, func, select

from app.clock import Micros
from app.dedup.tables import alerts
from app.ids import first_id
from app.incidents import ledger
from app.incidents.respond import NoSuchIncident
from app.incidents.tables import incidents, timeline
from app.noise.past import Call, Past, check_of
from app.noise.recurrence import LOOKED_BACK, MANY, Recurrence, recurrence
from app.oncall.hours import NIGHT_BEGINS, NIGHT_ENDS
from app.oncall.walltime import wall, zone
from app.paging.tables import attempts, pages
from app.routing.tables import routings
from app.store import resources
from app.store.database import Reading

MOST = 20_000
"""Incidents that are looked at for one answer, the newest of the interval."""
_AT_ONCE = 500
_RULE = re.compile(r"^rule '(.*?)' ")
"""How app/routing/rulebook.py begins what a rule did."""
_MACHINE = "tocsin"
_HANDS_OFF = frozenset({"acknowledged", "snoozed", "triggered"})
"""What people do without doing anything about the fault."""
_NOTHING_DONE = frozenset({"recovered", "false_alarm"})
"""Resolutions that say that nobody had to do anything."""

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_INCIDENTS = select(
    incidents.c.id,
    incidents.c.number,
    incidents.c.service_id,
    incidents.c.title,
    incidents.c.opened_at,
    incidents.c.resolved_at,
    incidents.c.resolved_by,
    incidents.c.resolution,
)
_FIRST = select(func.min(alerts.c.id)).where(alerts.c.incident_id.in_(_IDS)).group_by(alerts.c.incident_id)
_ALERTS = (
    select(alerts.c.incident_id, alerts.c.key_digest, alerts.c.title, alerts.c.labels, routings.c.said)
    .select_from(alerts.outerjoin(routings, routings.c.alert_id == alerts.c.id))
    .where(alerts.c.id.in_(_FIRST.scalar_subquery()))
)
_DEEDS = (
    select(timeline.c.incident_id, timeline.c.at, timeline.c.kind, timeline.c.reason, timeline.c.detail)
    .where(timeline.c.incident_id.in_(_IDS), timeline.c.actor != _MACHINE)
    .order_by(timeline.c.id)
)
_CALLS = (
    select(
        pages.c.incident_id,
        pages.c.person_id,
        pages.c.epoch,
        pages.c.round,
        pages.c.level,
        func.min(attempts.c.started_at),
    )
    .join(attempts, attempts.c.page_id == pages.c.id)
    .where(pages.c.incident_id.in_(_IDS), pages.c.person_id.is_not(None))
    .group_by(pages.c.incident_id, pages.c.person_id, pages.c.epoch, pages.c.round, pages.c.level)
)


@dataclass(slots=True)
class _Deeds:
    """What people did to one incident."""

    acknowledged_at: Micros | None = None
    acted: bool = False
    words: str = ""

    def take(self, at: Micros, kind: str, reason: str, detail: Mapping[str, Any] | None) -> None:
        if kind == "acknowledged" and self.acknowledged_at is None:
            self.acknowledged_at = at
        if kind not in _HANDS_OFF and (detail or {}).get("resolution") not in _NOTHING_DONE:
            self.acted = True
        if kind == "note":
            self.words = reason


@dataclass(slots=True)
class _Found:
    """What the questions of one batch answered, by incident."""

    first: dict[int, Any] = field(default_factory=dict)
    deeds: dict[int, _Deeds] = field(default_factory=lambda: defaultdict(_Deeds))
    calls: dict[int, list[Call]] = field(default_factory=lambda: defaultdict(list))


async def pasts(view: Reading, start: Micros, end: Micros, service_id: int | None = None) -> tuple[list[Past], bool]:
    """What happened in the incidents opened in [start, end), of one service or all; whether older ones were left out."""
    question = _INCIDENTS.where(incidents.c.id >= first_id(start), incidents.c.id < first_id(end))
    if service_id is not None:
        question = question.where(incidents.c.service_id == service_id)
    rows = (await view.conn.execute(question.order_by(incidents.c.id.desc()).limit(MOST + 1))).all()
    return await _told(view, rows[:MOST]), len(rows) > MOST


async def recurrence_of(view: Reading, number: int) -> Recurrence:
    """What is known from before of an incident. Raises NoSuchIncident."""
    incident = await ledger.by_number(view, number)
    if incident is None:
        raise NoSuchIncident(number)
    since = first_id(incident.opened_at - LOOKED_BACK)
    before = (incidents.c.id >= since, incidents.c.id < incident.id)
    keys = select(alerts.c.key_digest).where(
        alerts.c.id == select(func.min(alerts.c.id)).where(alerts.c.incident_id == incident.id).scalar_subquery()
    )
    returns = select(alerts.c.incident_id).where(
        alerts.c.key_digest == keys.scalar_subquery(), alerts.c.incident_id >= since, alerts.c.incident_id < incident.id
    )
    rows: dict[int, Any] = {}
    for condition in (incidents.c.service_id == incident.service_id, incidents.c.id.in_(returns)):
        question = _INCIDENTS.where(*before, condition).order_by(incidents.c.id.desc()).limit(MANY)
        rows |= {row.id: row for row in await view.conn.execute(question)}
    itself = (await view.conn.execute(_INCIDENTS.where(incidents.c.id == incident.id))).all()
    told = await _told(view, [*itself, *rows.values()])
    return recurrence(told[0], told[1:])


async def _told(view: Reading, rows: Sequence[Any]) -> list[Past]:
    """The incidents of these rows, in their order."""
    found = _Found()
    for place in range(0, len(rows), _AT_ONCE):
        await _ask(view, [row.id for row in rows[place : place + _AT_ONCE]], found)
    known = await resources.load(view, "service", {row.service_id for row in rows if row.service_id}, deleted=True)
    names = {item: service.name for item, service in known.items()}
    return [_past(row, found, names.get(row.service_id, "no service")) for row in rows]


async def _ask(view: Reading, ids: Sequence[int], found: _Found) -> None:
    asked = {"ids": ids}
    found.first |= {row.incident_id: row for row in await view.conn.execute(_ALERTS, asked)}
    for incident_id, *deed in await view.conn.execute(_DEEDS, asked):
        found.deeds[incident_id].take(*deed)
    rows = (await view.conn.execute(_CALLS, asked)).all()
    people = await resources.load(view, "person", {row.person_id for row in rows}, deleted=True)
    zones = {item: person.document.get("time_zone") or "UTC" for item, person in people.items()}
    for incident_id, person, *_, at in rows:
        found.calls[incident_id].append(Call(at, at_night(at, zones.get(person, "UTC"))))


def at_night(at: Micros, time_zone: str) -> bool:
    """Whether it is night where somebody lives, by the same hours that fairness counts."""
    local = wall(zone(time_zone), at).time()
    return local >= NIGHT_BEGINS or local < NIGHT_ENDS


def _past(row: Any, found: _Found, service: str) -> Past:
    first, deeds = found.first.get(row.id), found.deeds[row.id]
    labels = orjson.loads(first.labels) if first is not None else {}
    return Past(
        number=row.number,
        service_id=row.service_id,
        service=service,
        check=check_of(labels, first.title if first is not None else row.title),
        title=row.title,
        key=bytes(first.key_digest).hex() if first is not None else f"incident {row.number}",
        opened_at=row.opened_at,
        calls=tuple(sorted(found.calls[row.id], key=lambda call: call.at)),
        rules=_rules(first.said) if first is not None and first.said else (),
        acknowledged_at=deeds.acknowledged_at,
        acted=deeds.acted,
        over_at=row.resolved_at,
        by_itself=row.resolution in _NOTHING_DONE,
        resolved_by="" if row.resolved_by in (None, _MACHINE) else row.resolved_by,
        words=deeds.words,
    )


def _rules(said: str) -> tuple[str, ...]:
    sentences: Iterable[str] = orjson.loads(said)
    return tuple(dict.fromkeys(found[1] for one in sentences if (found := _RULE.match(one))))
