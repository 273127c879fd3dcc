"""What one event does to one alert. Pure, and the only place that decides it.

Senders repeat themselves, lose messages and deliver them out of order; this is how each case comes out:

    known      event        answer
    nothing    firing       opened
    open       firing       repeated (nothing changed) or updated (text, severity or start changed)
    resolved   firing       opened, unless it is a late copy of what was resolved
    nothing    resolved     orphan: kept as an ended episode, so that its firing, should it come late, wakes nobody
    open       resolved     resolved, unless it speaks of an earlier episode
    resolved   resolved     repeated, or says that it ended later than was known
    open       acknowledged acknowledged; in every other state it means nothing

The sender's own times decide where it sends any; the time of receipt never does, but for bounding how late is late.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from app.clock import MINUTE, Micros
from app.sources.event import Event

LATE = 15 * MINUTE
"""How long after a resolve a firing with the same start still counts as a late copy. Retries of all known senders end
within it; a problem that really goes on is sent again afterwards."""

HAND_GRACE = 5 * MINUTE
"""How long a problem that a person declared resolved may go on firing before it is a new alert."""

RETRY = MINUTE
"""The same for a firing that does not say when it began: longer than that it may be a new failure, of which there is no other word."""


class Known(NamedTuple):
    """The last episode of a dedup key, as stored."""

    open: bool
    content: bytes
    starts_at: Micros | None
    ended_at: Micros | None
    """When it ended, says its sender; a person and a silence say nothing about that."""
    resolved_at: Micros | None
    resolved_by: str | None


class Change(NamedTuple):
    """What is to be done, with its reason: `name` for logs and metrics, `sentence` for people."""

    kind: Literal["open", "repeat", "update", "resolve", "orphan", "end", "nothing", "acknowledge"]
    name: str
    sentence: str


FIRST = Change("open", "first", "first alert of this key")
AGAIN = Change("open", "again", "fired again after it had resolved")
STILL_FIRING = Change("open", "still_firing", "still firing after a person had resolved it")
BACK_AFTER_EXPIRY = Change("open", "back_after_expiry", "sent again after it had expired by silence")
REPEATED = Change("repeat", "repeated", "a repeat that changes nothing")
CHANGED = Change("update", "changed", "text, labels or severity changed")
RESTARTED = Change("update", "restarted", "began anew without a resolve in between")
RESOLVED = Change("resolve", "resolved", "the sender says that it is over")
ORPHAN = Change("orphan", "orphan_resolve", "resolved, but its firing never reached us")
ENDED_LATER = Change("end", "ended_later", "resolved before; its sender now says when it ended")
ALREADY_RESOLVED = Change("nothing", "already_resolved", "resolved before; senders repeat that")
LATE_FIRING = Change("nothing", "late_firing", "a late copy of an alert that has resolved")
LATE_RESOLVE = Change("nothing", "late_resolve", "a late resolve of an earlier episode")
ACKNOWLEDGED = Change("acknowledge", "acknowledged_there", "somebody acknowledged it in the sending tool")
ACK_OF_NOTHING = Change("nothing", "ack_of_nothing", "acknowledged, but no alert of this key is open")


def decide(known: Known | None, event: Event, content: bytes, now: Micros) -> Change:
    """What `event` does to the last episode of its key. `content` is the digest of what the event shows."""
    if event.status == "firing":
        if known is None:
            return FIRST
        return _firing_on_open(known, event, content) if known.open else _firing_on_resolved(known, event, now)
    if event.status == "resolved":
        if known is None:
            return ORPHAN
        return _resolve_on_open(known, event) if known.open else _resolve_on_resolved(known, event)
    return ACKNOWLEDGED if known is not None and known.open else ACK_OF_NOTHING


def _firing_on_open(known: Known, event: Event, content: bytes) -> Change:
    if event.starts_at is not None and known.starts_at is not None and event.starts_at > known.starts_at:
        return RESTARTED
    return REPEATED if known.content == content else CHANGED


def _firing_on_resolved(known: Known, event: Event, now: Micros) -> Change:
    since_resolve = now - max(known.resolved_at or 0, known.ended_at or 0)
    began_before = event.starts_at is not None and event.starts_at < max(known.starts_at or 0, known.ended_at or 0)
    if began_before and since_resolve <= LATE:
        return LATE_FIRING
    same_start = event.starts_at is not None and known.starts_at is not None and event.starts_at <= known.starts_at
    if known.resolved_by == "person":
        if (same_start and since_resolve <= HAND_GRACE) or (event.starts_at is None and since_resolve <= RETRY):
            return LATE_FIRING
        return STILL_FIRING if same_start or event.starts_at is None else AGAIN
    if known.resolved_by == "expiry":
        return BACK_AFTER_EXPIRY
    return LATE_FIRING if event.once or (same_start and since_resolve <= LATE) else AGAIN


def _resolve_on_open(known: Known, event: Event) -> Change:
    if known.starts_at is None:
        return RESOLVED
    began_earlier = event.starts_at is not None and event.starts_at < known.starts_at
    ended_earlier = event.ends_at is not None and event.ends_at < known.starts_at
    if ended_earlier or (began_earlier and event.ends_at is None):
        return LATE_RESOLVE
    return RESOLVED


def _resolve_on_resolved(known: Known, event: Event) -> Change:
    newer = event.starts_at is not None and known.starts_at is not None and event.starts_at > known.starts_at
    if event.ends_at is not None and event.ends_at <= (known.ended_at or 0):
        return ALREADY_RESOLVED
    if newer:
        return ORPHAN
    return ALREADY_RESOLVED if event.ends_at is None else ENDED_LATER
