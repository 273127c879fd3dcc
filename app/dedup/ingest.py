"""The deed of ingest: what several requests said becomes alerts, incidents and the first due job, in one transaction.

    load what is known of the keys -> decide event by event -> place what opened -> write everything, in bulk

The caller answers its requests when the transaction has committed. Repeats that change nothing are not written here but
handed back as touches, to be added up and written together. Knows no HTTP and no page: paging finds its job by due time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import func, insert, select

from app.clock import HOUR, SECOND, Micros
from app.dedup import episodes
from app.dedup.arrival import MAX_KEPT_BODY, Arrival, Prepared, shown_key
from app.dedup.directory import Directory, Inlet
from app.dedup.episodes import Episode, Touch
from app.dedup.lifecycle import Change, Known, decide
from app.dedup.placing import place_new, settle
from app.dedup.proofs import keep_proofs
from app.dedup.samples import keep_samples
from app.dedup.steering import drop, inhibit, routing, steer
from app.dedup.tables import unparsed
from app.dedup.work import NewId, Waiting, Work, Written
from app.incidents import ledger
from app.incidents.correlate import Suppress, grouping_key, never_pages
from app.routing.rulebook import Routed
from app.routing.tables import inhibitors, routings
from app.store import bulk, jobs
from app.store.database import Writing

EXPIRY_GRACE = 5 * SECOND
"""An alert ends this much after its expiry: repeats are written up to a second after they came."""
TEST_LIFE = HOUR
"""A test message ends by itself after this long: no sender resolves it."""
MAX_UNREAD_PER_HOUR = 1_000
"""Unreadable bodies kept per integration and hour; beyond it they are only counted, so that garbage can't fill the disk."""

_STEERED = ("open", "orphan", "update")
"""What rules are asked about: an event that changes what is known. Repeats and resolves cost nothing more."""


async def ingest(tx: Writing, directory: Directory, arrivals: Sequence[Arrival]) -> Written:
    """Writes what `arrivals` said, in their order."""
    view = await directory.refresh(tx)
    digests = {item.key_digest for arrival in arrivals for item in arrival.prepared}
    work = Work(tx.now, await episodes.last_episodes(tx, sorted(digests)), view)
    for arrival in arrivals:
        # The settings of this transaction, not those of the moment the request came in.
        inlet = view.by_id.get(arrival.inlet.integration_id, arrival.inlet)
        for item in arrival.prepared:
            apply(work, inlet, item, tx.new_id)
    await place_new(tx, work, directory)
    await settle(tx, work)
    await episodes.insert_alerts(tx, list(work.new.values()))
    await bulk.insert(tx, routings, list(work.routings.values()))
    await bulk.insert(tx, inhibitors, work.inhibitors)
    await episodes.update_alerts(tx, list(work.updates.values()))
    await episodes.note_ends(tx, work.ends)
    await _keep_unread(tx, arrivals)
    await keep_proofs(tx, arrivals)
    await keep_samples(tx, arrivals)
    await ledger.record(tx, work.entries)
    if work.expiries:
        await jobs.add(tx, [jobs.NewJob("expire", 0, min(work.expiries) + EXPIRY_GRACE, once="expire")])
    return work.written


def apply(work: Work, inlet: Inlet, item: Prepared, new_id: NewId) -> Change:
    """Decides what one event does, and notes it in `work`. Touches nothing else."""
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
    routed = None
    if work.view.rules and change.kind in _STEERED and inlet.integration_id > 0:
        inlet, item, routed = steer(work, inlet, item)
        if routed is not None and routed.verdict == "drop" and change.kind != "update":
            change = drop(work, inlet, item, routed)
    if inlet.integration_id > 0:  # what is synthetic is not counted
        work.written.changes[change.name] += 1
    if change.kind in ("open", "orphan"):
        _open(work, inlet, item, change, episode, new_id, routed)
    elif episode is None or change.kind == "nothing":
        pass
    elif change.kind == "repeat":
        work.written.touches.append(Touch(episode.id, 1, work.now, _expiry(inlet, item, work.now)))
    elif change.kind == "update":
        _update(work, inlet, item, change, episode)
    elif change.kind in ("resolve", "end"):
        _end(work, inlet, item, change, episode)
    else:
        work.acknowledged.append((episode, inlet))
    return change


def _end(work: Work, inlet: Inlet, item: Prepared, change: Change, episode: Episode) -> None:
    episode.ended_at = item.event.ends_at
    if change.kind == "resolve":
        episode.resolved_at, episode.resolved_by = work.now, "sender"
        work.resolves.append((episode, inlet, item.event.ends_at, "sender"))
    elif row := work.new.get(episode.id):
        row["ended_at"] = episode.ended_at
    else:
        work.ends[episode.id] = episode.ended_at


def _expiry(inlet: Inlet, item: Prepared, now: Micros) -> Micros | None:
    if item.event.expires_at is not None:
        return item.event.expires_at
    if item.event.test:
        return now + TEST_LIFE
    after_s = inlet.settings.expire_after_s
    return now + after_s * SECOND if after_s else None


def _open(
    work: Work,
    inlet: Inlet,
    item: Prepared,
    change: Change,
    before: Episode | None,
    new_id: NewId,
    routed: Routed | None,
) -> None:
    event = item.event
    ended = change.kind == "orphan"
    now = work.now
    episode = Episode(
        id=new_id(),
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
    if routed is not None:
        work.routings[episode.id] = routing(work, episode.id, routed)
    if ended:
        return
    if work.view.inhibitions and not event.test:
        inhibit(work, inlet, item, episode.id)
    if episode.expires_at is not None:
        work.expiries.append(episode.expires_at)
    suppressed = never_pages(event.severity, test=event.test)
    if suppressed is None and routed is not None and routed.verdict == "suppress":
        suppressed = Suppress("suppressed", routed.said[-1])
    if suppressed:
        _note(row, suppressed)
        return
    work.waiting.append(Waiting(row, episode, inlet, item, _grouping(work, inlet, item)))


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _grouping(work: Work, inlet: Inlet, item: Prepared) -> bytes:
    owner = inlet.service_id or -inlet.integration_id
    if inlet.grouping.by in ("labels", "alert"):
        return grouping_key(owner, inlet.grouping, item.event.labels, item.key_digest)
    known = work.groupings.get(owner)
    if known is None:
        known = work.groupings[owner] = grouping_key(owner, inlet.grouping, {}, b"")
    return known


def _note(row: dict[str, Any], placement: Suppress) -> None:
    row["reason"], row["because"] = placement.name, placement.sentence


def _update(work: Work, inlet: Inlet, item: Prepared, change: Change, episode: Episode) -> None:
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
    row = work.new.get(episode.id) or work.updates.setdefault(episode.id, {"id": episode.id, "count": 0})
    row.update(shown, count=row["count"] + 1)
    if event.severity != episode.severity:
        episode.severity = event.severity
        work.graver.append((episode, inlet, event.severity, f"{event.title} is {event.severity} now"))


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
