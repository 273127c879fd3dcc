"""What the page behind a link shows, read in one transaction; and the log of who opened it.

Everything is bounded, whatever an incident holds: 100,000 alerts cost as much as ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import func, insert, select

from app.clock import Micros
from app.dedup.tables import alerts, alerts_seen, last_seen, times_seen
from app.incidents import changes, ledger
from app.incidents.incident import Incident
from app.incidents.respond import NoSuchIncident
from app.incidents.tables import timeline
from app.noise.reading import recurrence_of
from app.paging import joining, joint
from app.paging.links import Expired, Link
from app.paging.tables import link_opens, pages
from app.paging.visitors import Visitor, shown
from app.people.active import GONE, active
from app.store import resources
from app.store.database import Reading, Writing

MAX_ALERTS = 10
MAX_ENTRIES = 10
MAX_CHANGES = 5
MAX_OPENS = 50
MAX_MACHINE_OPENS = 25
"""Rows kept for one incident; of machines at most half, so that scanners don't hide that a person looked."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of the incident."""

    title: str
    severity: str
    count: int
    first_seen_at: Micros
    last_seen_at: Micros
    resolved_at: Micros | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    links: tuple[tuple[str, str], ...]
    because: str = ""
    """Why it joined the incident; empty for what did not join one that was there."""


@dataclass(frozen=True, slots=True)
class Told:
    """The last page of the link's person: why them."""

    number: int
    level: int
    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the link's person was asked, and what they answered so far."""

    by: str
    message: str
    state: str


@dataclass(frozen=True, slots=True)
class Happened:
    """One entry of the timeline."""

    at: Micros
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of the incident's service, shortly before it or while it lasted."""

    at: Micros
    summary: str
    source: str
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the page needs."""

    now: Micros
    incident: Incident
    service: str
    zone: str
    told: Told | None
    alerts: tuple[Alert, ...]
    happened: tuple[Happened, ...]
    """Newest first."""
    changed: tuple[Changed, ...] = ()
    """Newest first."""
    missing: tuple[str, ...] = ()
    """Who must still acknowledge, each for themselves."""
    has_it: bool = False
    """The link's person has acknowledged for themselves."""
    asked: Question | None = None
    """Somebody asked the link's person to join."""
    waits: str = ""
    """Why its first page waits."""
    before: str = ""
    """Whether this has been before, and how it ended."""
    goes_on: Incident | None = None
    """Where it lives on when it was merged, however often."""


async def facts_of(view: Reading, link: Link) -> Facts:
    """Raises NoSuchIncident, or Expired when the link's person was removed."""
    incident = await ledger.by_number(view, link.number)
    if incident is None or incident.id != link.incident_id:
        raise NoSuchIncident("this link's incident is not here")
    return Facts(
        now=view.now,
        incident=incident,
        service=await _service(view, incident),
        zone=await _zone(view, link),
        told=await _told(view, link),
        alerts=await _alerts(view, incident.id),
        happened=await _happened(view, incident.id),
        changed=await _changed(view, incident),
        missing=await joint.missing(view, incident),
        has_it=link.person_id in await joint.have_it(view, incident),
        asked=await _asked(view, incident, link),
        waits=await _waits(view, incident),
        before=(await recurrence_of(view, link.number)).sentence,
        goes_on=await _goes_on(view, incident),
    )


async def _goes_on(view: Reading, incident: Incident) -> Incident | None:
    found = None
    while into := (found or incident).merged_into:
        found = (await ledger.load(view, [into]))[into]
    return found


async def _asked(view: Reading, incident: Incident, link: Link) -> Question | None:
    if link.person_id is None:
        return None
    row = await joining.question_to(view, incident, link.person_id)
    return Question(row.asked_by, row.message, row.state) if row else None


async def _service(view: Reading, incident: Incident) -> str:
    if incident.service_id is None:
        return ""
    found = await resources.load(view, "service", [incident.service_id], deleted=True)
    return found[incident.service_id].name if incident.service_id in found else ""


async def _zone(view: Reading, link: Link) -> str:
    """Where the person lives; a link ends with its person."""
    if link.person_id is None:
        return "UTC"
    person = (await active(view, [link.person_id])).get(link.person_id)
    if person is None:
        raise Expired(GONE)
    return str(person.document.get("time_zone") or "UTC")


async def _told(view: Reading, link: Link) -> Told | None:
    whose = pages.c.person_id == link.person_id if link.person_id else pages.c.recipient == link.recipient
    question = (
        select(pages.c.number, pages.c.level, pages.c.reason)
        .where(pages.c.incident_id == link.incident_id, whose, pages.c.state.in_(("sent", "waiting", "failed")))
        .order_by(pages.c.number.desc())
        .limit(1)
    )
    row = (await view.conn.execute(question)).first()
    return Told(row.number, row.level, row.reason) if row else None


async def _alerts(view: Reading, incident_id: int) -> tuple[Alert, ...]:
    """Those that fire first, oldest first; the rest as room is left."""
    question = alerts_seen().where(alerts.c.incident_id == incident_id).order_by(alerts.c.id).limit(MAX_ALERTS)
    firing = (await view.conn.execute(question.where(alerts.c.resolved_at.is_(None)))).all()
    over = (await view.conn.execute(question.where(alerts.c.resolved_at.is_not(None)))).all()
    return tuple(_alert(row) for row in [*firing, *over][:MAX_ALERTS])


def _alert(row: Any) -> Alert:
    return Alert(
        title=row.title,
        severity=row.severity,
        count=times_seen(row),
        first_seen_at=row.first_seen_at,
        last_seen_at=last_seen(row),
        resolved_at=row.resolved_at,
        labels=orjson.loads(row.labels),
        annotations=orjson.loads(row.annotations),
        links=tuple((str(text), str(url)) for text, url in orjson.loads(row.links)),
        because="" if row.reason == "first" else row.because,
    )


async def _happened(view: Reading, incident_id: int) -> tuple[Happened, ...]:
    question = (
        select(timeline.c.at, timeline.c.actor, timeline.c.reason)
        .where(timeline.c.incident_id == incident_id)
        .order_by(timeline.c.id.desc())
        .limit(MAX_ENTRIES)
    )
    return tuple(Happened(*row) for row in await view.conn.execute(question))


async def _waits(view: Reading, incident: Incident) -> str:
    """What the timeline says of a page that is held at this moment; empty when none is."""
    if incident.state != "triggered" or incident.escalation != "waiting":
        return ""
    question = (
        select(timeline.c.reason, timeline.c.detail)
        .where(timeline.c.incident_id == incident.id, timeline.c.kind == "held")
        .order_by(timeline.c.id.desc())
        .limit(1)
    )
    row = (await view.conn.execute(question)).first()
    return str(row.reason) if row and row.detail.get("until", 0) > view.now else ""


async def _changed(view: Reading, incident: Incident) -> tuple[Changed, ...]:
    return tuple(
        Changed(row.at, row.summary, row.source, tuple((str(text), str(url)) for text, url in row.links))
        for row in await changes.beside(view, incident, MAX_CHANGES)
    )


async def has_room(view: Reading, link: Link, visitor: Visitor) -> bool:
    """Whether one more visit of this kind is kept."""
    question = (
        select(link_opens.c.by, func.count())
        .where(link_opens.c.incident_id == link.incident_id)
        .group_by(link_opens.c.by)
    )
    kept: dict[str, int] = {row[0]: row[1] for row in await view.conn.execute(question)}
    if visitor.by == "machine" and kept.get("machine", 0) >= MAX_MACHINE_OPENS:
        return False
    return sum(kept.values()) < MAX_OPENS


async def note_visit(tx: Writing, link: Link, visitor: Visitor, agent: str) -> None:
    """Writes down who opened a link; beyond the limits nothing."""
    if not await has_room(tx, link, visitor):
        return
    await tx.conn.execute(
        insert(link_opens).values(
            id=tx.new_id(),
            incident_id=link.incident_id,
            recipient=link.recipient,
            action=link.action,
            at=tx.now,
            by=visitor.by,
            why=visitor.why,
            user_agent=shown(agent),
        )
    )
