"""What would come of something that did not happen: a message, an alert of a service, an incident at another hour. Reads only.

A message goes the way of a real one: the sender's dialect, the directory, `apply`, `placed` and `settled` of app/dedup, and
the course of the escalation (app/paging/ahead.py). Only what writes is left out; ids that would be new are negative here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count

import orjson
from sqlalchemy import func, or_, select

from app.clock import Micros
from app.dedup import correlating, episodes
from app.dedup.arrival import Arrival, Prepared
from app.dedup.directory import Directory
from app.dedup.episodes import Episode
from app.dedup.ingest import EXPIRY_GRACE, apply
from app.dedup.lifecycle import Change
from app.dedup.placing import placed, settled, split, touched
from app.dedup.tables import alerts
from app.dedup.work import Work
from app.incidents import ledger
from app.incidents.incident import Entry, Incident, opened
from app.incidents.service import Service
from app.paging.ahead import BEGIN, Ahead, Start, ahead, ahead_of
from app.routing.quiet import Quiet, quieted
from app.routing.quieting import alert_of, read_book, reasons_of
from app.store import resources
from app.store.database import Reading

MOST_EVENTS = 50
"""Events that are told one by one; the rest of a large message is counted."""
MOST_INCIDENTS = 10


@dataclass(frozen=True, slots=True)
class EventFate:
    """What would become of one event."""

    title: str
    status: str
    severity: str
    change: Change
    because: str
    """Why it is an alert of its own and where it belongs; of one that opens none, why."""
    incident_id: int | None
    """The incident of its alert; negative: one that would be new."""
    opens: bool = False
    """It is the alert with which its incident begins."""


@dataclass(frozen=True, slots=True)
class IncidentFate:
    """What would become of one incident."""

    incident: Incident
    """As it would be then. Its number is 0 when it would be new."""
    service: str
    new: bool
    entries: tuple[Entry, ...]
    """What its timeline would say of it."""
    ahead: Ahead | None
    """What its escalation would do if nobody stopped it; None: nothing."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would come of it."""

    now: Micros
    at: Micros
    events: tuple[EventFate, ...] = ()
    more_events: int = 0
    incidents: tuple[IncidentFate, ...] = ()
    more_incidents: int = 0


class NotThere(Exception):
    """What the rehearsal is asked about is not there. `field` is what named it."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


async def of_arrival(view: Reading, directory: Directory, arrival: Arrival, at: Micros) -> Rehearsal:
    """What would come of a message that arrives at an instant, if nothing else happened before."""
    configured = await directory.refresh(view)
    inlet = configured.by_id.get(arrival.inlet.integration_id, arrival.inlet)
    digests = sorted({item.key_digest for item in arrival.prepared})
    known = await episodes.last_episodes(view, digests)
    work = Work(at, {key: _as_of(episode, at) for key, episode in known.items()}, configured)
    new_ids = count(-1, -1)
    changes: list[tuple[Prepared, Change, int | None]] = []
    for item in arrival.prepared:
        change = apply(work, inlet, item, new_ids.__next__)
        episode = work.known.get(item.key_digest)
        changes.append((item, change, episode.id if episode else None))
    by_rule, by_evidence = split(work.waiting)
    loaded = await _joinable(view, {one.grouping for one in by_rule}, at)
    opened_here = placed(work, by_rule, loaded, new_ids.__next__)
    opened_here += await correlating.foresee(view, work, directory, by_evidence, loaded, new_ids.__next__)
    new = {incident.id for incident in opened_here}
    loaded |= await ledger.load(view, touched(work) - set(loaded))
    settled(work, loaded)
    concerned = dict.fromkeys(_incident_of(work, item) for item, _, _ in changes)
    loaded |= await ledger.load(view, {one for one in concerned if one is not None} - set(loaded))
    fates = [loaded[one] for one in concerned if one is not None and one in loaded]
    return Rehearsal(
        now=view.now,
        at=at,
        events=tuple(_event(work, *one) for one in changes[:MOST_EVENTS]),
        more_events=max(0, len(changes) - MOST_EVENTS),
        incidents=tuple([await _fate(view, work, one, at, new=one.id in new) for one in fates[:MOST_INCIDENTS]]),
        more_incidents=max(0, len(fates) - MOST_INCIDENTS),
    )


def _as_of(episode: Episode, at: Micros) -> Episode:
    """An alert as it will be then: one that its sender does not repeat in time has ended."""
    if episode.resolved_at is not None or episode.expires_at is None or episode.expires_at + EXPIRY_GRACE > at:
        return episode
    over = episode.expires_at + EXPIRY_GRACE
    return replace(episode, resolved_at=over, resolved_by="expiry")


async def _joinable(view: Reading, groupings: Iterable[bytes], at: Micros) -> dict[int, Incident]:
    """The open incidents of these groupings that will not have ended by themselves then."""
    found = {one.id: one for one in await ledger.open_by_grouping(view, groupings)}
    if not found:
        return {}
    lasting = or_(alerts.c.expires_at.is_(None), alerts.c.expires_at + EXPIRY_GRACE > at)
    question = (
        select(alerts.c.incident_id, func.count())
        .where(alerts.c.incident_id.in_(sorted(found)), alerts.c.resolved_at.is_(None), lasting)
        .group_by(alerts.c.incident_id)
    )
    left: dict[int, int] = {row[0]: row[1] for row in await view.conn.execute(question)}
    return {
        one.id: one for one in found.values() if left.get(one.id) or not one.open_alerts or not await _ends(view, one)
    }


async def _ends(view: Reading, incident: Incident) -> bool:
    """Whether an incident ends with the last of its alerts."""
    service = await _service(view, incident.service_id)
    return service.auto_resolve if service else True


def _incident_of(work: Work, item: Prepared) -> int | None:
    episode = work.known.get(item.key_digest)
    return episode.incident_id if episode else None


def _event(work: Work, item: Prepared, change: Change, episode_id: int | None) -> EventFate:
    row = work.new.get(episode_id) if episode_id is not None else None
    incident_id = _incident_of(work, item)
    because = str(row["because"]) if row is not None and change.kind == "open" else change.sentence
    if row is not None and row["id"] in work.routings:
        because = "; ".join([*orjson.loads(work.routings[row["id"]]["said"]), because])
    return EventFate(
        title=item.event.title,
        status=item.event.status,
        severity=str(row["severity"]) if row is not None else item.event.severity,
        change=change,
        because=because,
        incident_id=incident_id,
        # An alert that joins has the reason of that; one that opens an incident keeps its own.
        opens=row is not None and row["reason"] == change.name and incident_id is not None,
    )


async def _fate(view: Reading, work: Work, incident: Incident, at: Micros, *, new: bool) -> IncidentFate:
    said = tuple(entry for incident_id, entry in work.entries if incident_id == incident.id)
    return await _incident(view, incident, at, new=new, entries=said, work=work)


async def _incident(
    view: Reading,
    incident: Incident,
    at: Micros,
    *,
    new: bool,
    entries: tuple[Entry, ...] = (),
    work: Work | None = None,
) -> IncidentFate:
    course = None
    if new and incident.state == "triggered":
        quiet = await _quiet(view, work, incident, at)
        start = Start(BEGIN, at if quiet is None else quiet.until)
        course = replace(await ahead(view, incident, start), quiet=quiet)
    elif not new:
        course = await ahead_of(view, incident)
    service = await _named(view, incident.service_id)
    return IncidentFate(incident, service, new, entries, course)


async def _quiet(view: Reading, work: Work | None, incident: Incident, at: Micros) -> Quiet | None:
    """Why an incident that would be new would not page."""
    book = await read_book(view)
    if work is None or not book:
        return None
    nothing = {"hold_until": None, "said": None}
    own = [
        alert_of(book, {**nothing, **work.routings.get(row["id"], {}), **row})
        for row in work.new.values()
        if row["incident_id"] == incident.id and row["resolved_at"] is None
    ]
    reasons = await reasons_of(view, book, own, at)
    return quieted(reasons) if reasons else None


async def _named(view: Reading, service_id: int | None) -> str:
    if service_id is None:
        return ""
    found = await resources.load(view, "service", [service_id], deleted=True)
    return found[service_id].name if service_id in found else ""


async def _service(view: Reading, service_id: int | None) -> Service | None:
    if service_id is None:
        return None
    found = (await resources.load(view, "service", [service_id])).get(service_id)
    return found.as_a(Service) if found else None


async def of_service(view: Reading, service_id: int, title: str, severity: str, at: Micros) -> Rehearsal:
    """What would come of a new incident of a service. Raises NotThere."""
    service = await _service(view, service_id)
    if service is None:
        raise NotThere("service_id", f"there is no service with the id {service_id}")
    incident = opened(
        incident_id=-1,
        number=0,
        service_id=service_id,
        title=title or f"Something is wrong with {service.name}",
        severity=severity,
        impact=service.impact,
        grouping=b"",
        now=at,
    )
    return Rehearsal(view.now, at, incidents=(await _incident(view, incident, at, new=True),))


async def of_incident(view: Reading, number: int, at: Micros) -> Rehearsal:
    """What would come of an incident that there is, if it were opened at another instant. Raises NotThere."""
    known = await ledger.by_number(view, number)
    if known is None:
        raise NotThere("incident", f"there is no incident #{number}")
    incident = opened(
        incident_id=-1,
        number=0,
        service_id=known.service_id,
        title=known.title,
        severity=known.severity,
        impact=known.impact,
        grouping=b"",
        now=at,
    )
    return Rehearsal(view.now, at, incidents=(await _incident(view, incident, at, new=True),))
