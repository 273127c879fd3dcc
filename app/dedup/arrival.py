"""One request of a sender on its way into the database: read, digested and encoded, before any transaction begins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from app.clock import HOUR, Micros
from app.dedup.directory import Inlet
from app.sources.event import Event, Received
from app.sources.source import Source

MAX_KEY = 255
_SHORTENED = re.compile(rf".{{{MAX_KEY - 34}}}~([0-9a-f]{{32}})", re.DOTALL)
"""A longer dedup key is shown by its beginning and its digest; what counts is the digest of all of it."""
MAX_KEPT_BODY = 65_536


class Prepared(NamedTuple):
    """An event with all that costs time already computed."""

    event: Event
    key_digest: bytes
    content: bytes
    """Digest of all that the alert shows: equal for repeats that change nothing."""


@dataclass(frozen=True, slots=True)
class Unread:
    """What of a request could not be read, to be kept as it came."""

    reason: str
    content_type: str
    body: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A message to be kept for people to look at."""

    content_type: str
    body: str
    size: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """All that one request said."""

    inlet: Inlet
    prepared: tuple[Prepared, ...]
    unread: tuple[Unread, ...] = ()
    proof: bytes = b""
    """What no other signed delivery has; empty when nothing is signed."""
    confirm: str = ""
    """See Reading."""
    sample: Sample | None = None


def shows_life(inlet: Inlet, prepared: Iterable[Prepared]) -> bool:
    """Whether the alert that an integration expects fires among these."""
    wanted = inlet.expects
    return any(
        event.status == "firing" and wanted in (event.labels.get("alertname"), event.title, event.key)
        for event, _, _ in prepared
    )


def key_digest(integration_id: int, key: str) -> bytes:
    """16 bytes for (integration, dedup key): the whole key is hashed, so two long keys never become one."""
    return blake2b(b"%d\0%b" % (integration_id, key.encode()), digest_size=16).digest()


def shown_key(key: str, digest: bytes) -> str:
    """The key as stored for people."""
    return key if len(key) <= MAX_KEY else f"{key[: MAX_KEY - 34]}~{digest.hex()}"


def digest_shown(key: str) -> bytes | None:
    """The digest in a key as `shown_key` stores one that is long; None for any other."""
    found = _SHORTENED.fullmatch(key)
    return bytes.fromhex(found[1]) if found else None


def content_of(event: Event) -> bytes:
    """16 bytes for all that an alert shows."""
    shown = orjson.dumps((event.title, event.severity, event.labels, event.annotations, event.links))
    return blake2b(shown, digest_size=16).digest()


def prepare(inlet: Inlet, events: Iterable[Event]) -> tuple[Prepared, ...]:
    """Digests and encodes the events of one integration."""
    return tuple(Prepared(event, key_digest(inlet.integration_id, event.key), content_of(event)) for event in events)


def read(source: Source[Any], inlet: Inlet, received: Received, now: Micros) -> Arrival:
    """What a request says, digested; what in it could not be read is kept, and told. Raises Unreadable."""
    reading = source.read(received, inlet.settings, now)
    proof = key_digest(inlet.integration_id, f"proof {reading.proof}") if reading.proof else b""
    if not reading.problems:
        return Arrival(inlet, prepare(inlet, reading.events), proof=proof, confirm=reading.confirm)
    reason = "Part of a message could not be read: " + "; ".join(reading.problems[:5])
    events = (*reading.events, coarse_event(inlet, reason, now))
    unread = Unread(reason, received.content_type, received.body, len(received.body))
    return Arrival(inlet, prepare(inlet, events), (unread,), proof, reading.confirm)


def unread(inlet: Inlet, reason: str, content_type: str, body: bytes, size: int, now: Micros) -> Arrival:
    """A request of which nothing could be read: it is kept, and made seen by one coarse alert a key and hour."""
    return Arrival(
        inlet, prepare(inlet, (coarse_event(inlet, reason, now),)), (Unread(reason, content_type, body, size),)
    )


def refused(inlet: Inlet, reason: str, content_type: str, body: bytes) -> Arrival:
    """A request that is kept and seen beside the integration, but is no reason to wake anybody."""
    return Arrival(inlet, (), (Unread(reason, content_type, body, len(body)),))


def coarse_event(inlet: Inlet, reason: str, now: Micros) -> Event:
    """The one visible alert an hour that says: this sender's messages can't be read. Ends by itself an hour later."""
    hour = now // HOUR
    return Event(
        status="firing",
        key=f"tocsin/unreadable/{hour}",
        title=f"{inlet.name}: a message from {inlet.kind} could not be read",
        severity="error",
        labels={"integration": inlet.name, "kind": inlet.kind},
        annotations={
            "description": f"{reason} The message is kept: see the integration's unparsed events. "
            "Until the sender is set right its alerts may be missing.",
        },
        starts_at=hour * HOUR,
        expires_at=(hour + 2) * HOUR,
    )
