"""The deed of ingest: what several requests said becomes alerts, incidents and the first due job, in one transaction.

    load what is known of the keys -> decide event by event -> place what opened -> write everything, in bulk

The caller answers its requests when the transaction has committed. Repeats that change nothing are not written here but
handed back as touches, to be added up and written together. Knows no HTTP and no page: paging finds its job by due time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import func, insert, select

from app.clock import HOUR, SECOND, Micros
from app.dedup import episodes
from app.dedup.arrival import MAX_KEPT_BODY, Arrival, Prepared, shown_key
from app.dedup.directory import Directory, Inlet
from app.dedup.episodes import Episode, Touch
from app.dedup.lifecycle import Change, Known, decide
from app.dedup.tables import unparsed
from app.incidents import ledger
from app.incidents.correlate import Candidate, Join, Suppress, grouping_key, never_pages, place
from app.incidents.incident import Entry, Incident, acknowledge, opened, raise_severity, resolve
from app.store import counters, jobs
from app.store.database import Writing
from app.store.tables import resources

EXPIRY_GRACE = 5 * SECOND
"""An alert ends this much after its expiry: repeats are written up to a second after they came."""
TEST_LIFE = HOUR
"""A test message ends by itself after this long: no sender resolves it."""
MAX_UNREAD_PER_HOUR = 1_000
"""Unreadable bodies kept per integration and hour; beyond it they are only counted, so that garbage can't fill the disk."""


@dataclass(slots=True)
class Written:
    """What one transaction did."""

    changes: Counter[str] = field(default_factory=Counter)
    touches: list[Touch] = field(default_factory=list)
    opened: int = 0


@dataclass(slots=True)
class _Work:
    """The state of one transaction while it decides."""

    now: Micros
    known: dict[bytes, Episode]
    written: Written = field(default_factory=Written)
    new: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Rows of alerts that open or begin as ended here, by id."""
    waiting: list[tuple[dict[str, Any], Inlet, Prepared, bytes]] = field(default_factory=list)
    """New open alerts that need a place, with the grouping of each."""
    updates: list[dict[str, Any]] = field(default_factory=list)
    resolves: list[tuple[Episode, Inlet, Micros | None, str]] = field(default_factory=list)
    graver: list[tuple[Episode, str, str]] = field(default_factory=list)
    acknowledged: list[tuple[Episode, Inlet]] = field(default_factory=list)
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    expiries: list[Micros] = field(default_factory=list)
    groupings: dict[int, bytes] = field(default_factory=dict)
    """The one grouping of each integration whose alerts are grouped by service."""


async def ingest(tx: Writing, directory: Directory, arrivals: Sequence[Arrival]) -> Written:
    """Writes what `arrivals` said, in their order."""
    view = await directory.refresh(tx)
    digests = {item.key_digest for arrival in arrivals for item in arrival.prepared}
    work = _Work(tx.now, await episodes.last_episodes(tx, sorted(digests)))
    for arrival in arrivals:
        # The settings of this transaction, not those of the moment the request came in.
        inlet = view.by_id.get(arrival.inlet.integration_id, arrival.inlet)
        for item in arrival.prepared:
            _apply(tx, work, inlet, item)
    await _place(tx, work)
    await _settle(tx, work)
    await episodes.insert_alerts(tx, list(work.new.values()))
    await episodes.update_alerts(tx, work.updates)
    await _keep_unread(tx, arrivals)
    await ledger.record(tx, work.entries)
    if work.expiries:
        await jobs.add(tx, [jobs.NewJob("expire", 0, min(work.expiries) + EXPIRY_GRACE, once="expire")])
    return work.written


def _apply(tx: Writing, work: _Work, inlet: Inlet, item: Prepared) -> None:
    """Decides what one event does, and notes it."""
    episode = work.known.get(item.key_digest)
    known = None
    if episode is not None:
        known = Known(
            episode.resolved_at is None,
            episode.content,
            episode.starts_at,
            episode.ended_at,
            episode.resolved_at,
            episode.resolved_by,
        )
    change = decide(known, item.event, item.content, work.now)
    work.written.changes[change.name] += 1
    if change.kind in ("open", "orphan"):
        _open(tx, work, inlet, item, change, episode)
    elif episode is None or change.kind == "nothing":
        return
    elif change.kind == "repeat":
        work.written.touches.append(Touch(episode.id, 1, work.now, _expiry(inlet, item, work.now)))
    elif change.kind == "update":
        _update(work, inlet, item, change, episode)
    elif change.kind == "resolve":
        episode.resolved_at, episode.resolved_by, episode.ended_at = work.now, "sender", item.event.ends_at
        work.resolves.append((episode, inlet, item.event.ends_at, "sender"))
    else:
        work.acknowledged.append((episode, inlet))


def _expiry(inlet: Inlet, item: Prepared, now: Micros) -> Micros | None:
    if item.event.expires_at is not None:
        return item.event.expires_at
    if item.event.test:
        return now + TEST_LIFE
    after_s = inlet.settings.expire_after_s
    return now + after_s * SECOND if after_s else None


def _open(tx: Writing, work: _Work, inlet: Inlet, item: Prepared, change: Change, before: Episode | None) -> None:
    event = item.event
    ended = change.kind == "orphan"
    now = work.now
    episode = Episode(
        id=tx.new_id(),
        episode=before.episode + 1 if before else 1,
        incident_id=None,
        content=item.content,
        severity=event.severity,
        starts_at=event.starts_at,
        ended_at=event.ends_at if ended else None,
        expires_at=None if ended else _expiry(inlet, item, now),
        resolved_at=now if ended else None,
        resolved_by="sender" if ended else None,
    )
    work.known[item.key_digest] = episode
    row = {
        "id": episode.id,
        "integration_id": inlet.integration_id,
        "service_id": inlet.service_id,
        "incident_id": None,
        "key_digest": item.key_digest,
        "episode": episode.episode,
        "dedup_key": shown_key(event.key, item.key_digest),
        "title": event.title,
        "severity": event.severity,
        "labels": _text(event.labels),
        "annotations": _text(event.annotations),
        "links": _text(event.links),
        "content": item.content,
        "reason": change.name,
        "because": change.sentence,
        "count": 0 if ended else 1,
        "starts_at": event.starts_at,
        "ended_at": episode.ended_at,
        "first_seen_at": now,
        "last_seen_at": now,
        "expires_at": episode.expires_at,
        "resolved_at": episode.resolved_at,
        "resolved_by": episode.resolved_by,
    }
    work.new[episode.id] = row
    if ended:
        return
    if episode.expires_at is not None:
        work.expiries.append(episode.expires_at)
    suppressed = never_pages(event.severity, test=event.test)
    if suppressed:
        _note(row, suppressed)
        return
    work.waiting.append((row, inlet, item, _grouping(work, inlet, item)))


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _grouping(work: _Work, inlet: Inlet, item: Prepared) -> bytes:
    owner = inlet.service_id or -inlet.integration_id
    if inlet.grouping.by != "service":
        return grouping_key(owner, inlet.grouping, item.event.labels, item.key_digest)
    known = work.groupings.get(inlet.integration_id)
    if known is None:
        known = work.groupings[inlet.integration_id] = grouping_key(owner, inlet.grouping, {}, b"")
    return known


def _note(row: dict[str, Any], placement: Join | Suppress) -> None:
    row["reason"], row["because"] = placement.name, placement.sentence


def _update(work: _Work, inlet: Inlet, item: Prepared, change: Change, episode: Episode) -> None:
    event = item.event
    episode.content = item.content
    if change.name == "restarted":
        episode.starts_at = event.starts_at
    episode.expires_at = _expiry(inlet, item, work.now)
    if episode.expires_at is not None:
        work.expiries.append(episode.expires_at)
    shown = {
        "title": event.title,
        "severity": event.severity,
        "labels": _text(event.labels),
        "annotations": _text(event.annotations),
        "links": _text(event.links),
        "content": item.content,
        "starts_at": episode.starts_at,
        "expires_at": episode.expires_at,
        "last_seen_at": work.now,
    }
    row = work.new.get(episode.id)
    if row is not None:
        row.update(shown, count=row["count"] + 1)
    else:
        work.updates.append({"id": episode.id, "count": 1, **shown})
    if event.severity != episode.severity:
        episode.severity = event.severity
        work.graver.append((episode, event.severity, f"{event.title} is {event.severity} now"))


async def _place(tx: Writing, work: _Work) -> None:
    """Gives each alert that opened its incident: one that is open, or a new one with its first job."""
    if not work.waiting:
        return
    # Two replicas must not both open an incident for one group: whoever places alerts of a service holds its row.
    services = {inlet.service_id or inlet.integration_id for _, inlet, _, _ in work.waiting}
    if tx.postgres:
        await tx.conn.execute(
            select(resources.c.id)
            .where(resources.c.id.in_(sorted(services)))
            .order_by(resources.c.id)
            .with_for_update(key_share=True)
        )
    found = await ledger.open_by_grouping(tx, {key for _, _, _, key in work.waiting})
    loaded = {incident.id: incident for incident in found}
    by_group: dict[bytes, list[Candidate]] = {}
    for incident in found:
        by_group.setdefault(incident.grouping, []).append(Candidate(incident.id, incident.last_alert_at))
    new: list[Incident] = []
    for row, inlet, item, key in work.waiting:
        candidates = by_group.setdefault(key, [])
        placement = place(inlet.grouping, item.event.labels, candidates, work.now)
        if isinstance(placement, Join):
            _note(row, placement)
            incident = loaded[placement.incident_id]
        else:
            incident = opened(
                incident_id=tx.new_id(),
                number=0,
                service_id=inlet.service_id,
                title=item.event.title,
                severity=item.event.severity,
                impact=inlet.impact,
                grouping=key,
                now=work.now,
            )
            row["because"] = f"{row['because']}; {placement.sentence}"
            loaded[incident.id] = incident
            new.append(incident)
            candidates.append(Candidate(incident.id, work.now))
            reason = f"alert of {inlet.name}: {placement.sentence}"
            work.entries.append((incident.id, Entry("triggered", inlet.name, reason, {"alert": str(row["id"])})))
        _join(work, incident, row, item)
        for candidate in candidates:
            if candidate.id == incident.id:
                candidate.last_alert_at = work.now
    await _write_placed(tx, work, loaded, new)


def _join(work: _Work, incident: Incident, row: dict[str, Any], item: Prepared) -> None:
    row["incident_id"] = incident.id
    work.known[item.key_digest].incident_id = incident.id
    incident.last_alert_at = work.now
    incident.alerts += 1
    incident.open_alerts += 1
    entry = raise_severity(incident, item.event.severity, f"{item.event.title} is {item.event.severity}")
    if entry:
        work.entries.append((incident.id, entry))


async def _write_placed(tx: Writing, work: _Work, loaded: dict[int, Incident], new: list[Incident]) -> None:
    if new:
        number = await counters.take(tx, "incident", len(new))
        for offset, incident in enumerate(new):
            incident.number = number + offset
        await ledger.add(tx, new)
        await jobs.add(
            tx,
            [jobs.NewJob("escalate", incident.id, tx.now, {"epoch": incident.epoch}) for incident in new],
        )
        work.written.opened = len(new)
    fresh = {incident.id for incident in new}
    await ledger.save(tx, [incident for incident in loaded.values() if incident.id not in fresh])


async def _settle(tx: Writing, work: _Work) -> None:
    """Ends, acknowledges and makes graver: what this transaction does to alerts that have an incident."""
    stored = []
    for episode, _, ended_at, by in work.resolves:
        row = work.new.get(episode.id)
        end = {"resolved_at": work.now, "resolved_by": by, "ended_at": ended_at}
        if row is not None:
            row.update(end, expires_at=None)
        else:
            stored.append({"id": episode.id, **end})
    await episodes.resolve_alerts(tx, stored)
    touched = [item[0].incident_id for item in work.resolves]
    touched += [item[0].incident_id for item in work.graver]
    touched += [item[0].incident_id for item in work.acknowledged]
    loaded = await ledger.load(tx, (found for found in touched if found is not None), lock=True)
    for episode, severity, because in work.graver:
        if (incident := loaded.get(episode.incident_id or 0)) and (
            entry := raise_severity(incident, severity, because)
        ):
            work.entries.append((incident.id, entry))
    for episode, inlet in work.acknowledged:
        incident = loaded.get(episode.incident_id or 0)
        if incident and incident.state == "triggered":
            entry = acknowledge(incident, inlet.name, work.now, None)
            if entry:
                work.entries.append((incident.id, entry))
    for episode, inlet, _, by in work.resolves:
        if incident := loaded.get(episode.incident_id or 0):
            work.entries += recovered(incident, by, work.now, auto_resolve=inlet.auto_resolve)
    await ledger.save(tx, list(loaded.values()))


def recovered(incident: Incident, by: str, now: Micros, *, auto_resolve: bool) -> list[tuple[int, Entry]]:
    """One alert of the incident has ended; when it was the last open one, so has the incident."""
    incident.open_alerts = max(0, incident.open_alerts - 1)
    if incident.open_alerts or not auto_resolve or incident.state not in ("triggered", "acknowledged"):
        return []
    how = "all of its alerts have resolved" if by == "sender" else "its last alert expired: the sender fell silent"
    return [(incident.id, resolve(incident, "tocsin", now, "recovered", how))]


async def _keep_unread(tx: Writing, arrivals: Sequence[Arrival]) -> None:
    kept: Counter[int] = Counter()
    rows = []
    for arrival in arrivals:
        for unread in arrival.unread:
            integration_id = arrival.inlet.integration_id
            if integration_id not in kept:
                kept[integration_id] = await _unread_this_hour(tx, integration_id)
            kept[integration_id] += 1
            if kept[integration_id] > MAX_UNREAD_PER_HOUR:
                continue
            rows.append(
                {
                    "id": tx.new_id(),
                    "integration_id": integration_id,
                    "received_at": tx.now,
                    "reason": unread.reason,
                    "content_type": unread.content_type,
                    "body": unread.body[:MAX_KEPT_BODY],
                    "size": unread.size,
                }
            )
    if rows:
        await tx.conn.execute(insert(unparsed), rows)


async def _unread_this_hour(tx: Writing, integration_id: int) -> int:
    question = select(func.count()).where(
        unparsed.c.integration_id == integration_id, unparsed.c.received_at > tx.now - HOUR
    )
    return int((await tx.conn.execute(question)).scalar_one())
