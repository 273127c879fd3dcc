"""Reading and writing alerts in bulk.

The last episode of a key is found through the unique index alone, one look-up a key; on PostgreSQL that stays quick on
tables that have no statistics yet (a fresh install, a restore), where `= ANY(array)` does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.clock import Micros
from app.dedup.tables import alerts, sightings
from app.store import bulk
from app.store.database import Reading, Writing


@dataclass(slots=True)
class Episode:
    """The last episode of a key as stored, changed in memory by the events of one transaction."""

    id: int
    episode: int
    incident_id: int | None
    content: bytes
    severity: str
    starts_at: Micros | None
    ended_at: Micros | None
    expires_at: Micros | None
    resolved_at: Micros | None
    resolved_by: str | None


_KEYS = bulk.Rows(("key",), ("bytea",))
_PLAIN = (
    "id",
    "episode",
    "incident_id",
    "severity",
    "starts_at",
    "ended_at",
    "expires_at",
    "resolved_at",
    "resolved_by",
)
_LAST_POSTGRES = (
    "FROM t CROSS JOIN LATERAL (SELECT * FROM alerts WHERE key_digest = t.key ORDER BY episode DESC LIMIT 1) AS a"
)
_LAST_SQLITE = "FROM t JOIN alerts AS a ON a.key_digest = t.key AND a.episode = (SELECT max(episode) FROM alerts WHERE key_digest = t.key)"


async def last_episodes(view: Reading, keys: Sequence[bytes]) -> dict[bytes, Episode]:
    """The last episode of each key that has one."""
    content = "encode(a.content, 'hex')" if view.postgres else "lower(hex(a.content))"
    statement = _LAST_POSTGRES if view.postgres else _LAST_SQLITE
    wanted = [content, *(f"a.{name}" for name in _PLAIN)]
    found = await bulk.ask(view, _KEYS, statement, [(key,) for key in keys], wanted)
    return {
        keys[place]: Episode(id_, episode, incident, bytes.fromhex(shown), severity, *rest)
        for place, shown, id_, episode, incident, severity, *rest in found
    }


async def insert_alerts(tx: Writing, rows: Sequence[dict[str, Any]]) -> None:
    """Adds new episodes."""
    await bulk.insert(tx, alerts, rows)


_SHOWN = ("title", "severity", "labels", "annotations", "links", "content", "starts_at", "expires_at", "last_seen_at")
_UPDATED = bulk.Rows.of(alerts, ("id", "count", *_SHOWN))
_UPDATE = (
    f"UPDATE alerts SET {', '.join(f'{name} = t.{name}' for name in _SHOWN)}, count = alerts.count + t.count "  # noqa: S608 - names of columns, from this file
    "FROM t WHERE alerts.id = t.id"
)


async def update_alerts(tx: Writing, rows: Iterable[dict[str, Any]]) -> None:
    """Writes what open alerts show now, each once; `count` is how many firings are new."""
    await bulk.write(tx, _UPDATED, _UPDATE, [tuple(row[name] for name in _UPDATED.names) for row in rows])


_RESOLVED = bulk.Rows.of(alerts, ("id", "resolved_at", "resolved_by", "ended_at"))
_RESOLVE = (
    "UPDATE alerts SET resolved_at = t.resolved_at, resolved_by = t.resolved_by, ended_at = t.ended_at, "
    "expires_at = NULL FROM t WHERE alerts.id = t.id AND alerts.resolved_at IS NULL"
)


async def resolve_alerts(tx: Writing, rows: Iterable[dict[str, Any]]) -> None:
    """Ends open episodes."""
    await bulk.write(tx, _RESOLVED, _RESOLVE, [tuple(row[name] for name in _RESOLVED.names) for row in rows])


_ENDED = bulk.Rows.of(alerts, ("id", "ended_at"))
_END = "UPDATE alerts SET ended_at = t.ended_at FROM t WHERE alerts.id = t.id"


async def note_ends(tx: Writing, ends: Mapping[int, Micros | None]) -> None:
    """Writes when alerts that were over already have ended, by alert."""
    await bulk.write(tx, _ENDED, _END, sorted(ends.items()))


@dataclass(slots=True)
class Touch:
    """What repeats add to an open alert."""

    id: int
    count: int
    last_seen_at: Micros
    expires_at: Micros | None


_SIGHTED = bulk.Rows.of(sightings, ("alert_id", "count", "last_seen_at"))
_SIGHT = (
    "INSERT INTO sightings (alert_id, count, last_seen_at) SELECT alert_id, count, last_seen_at FROM t WHERE true "
    "ON CONFLICT (alert_id) DO UPDATE SET count = sightings.count + excluded.count, last_seen_at = excluded.last_seen_at"
)
_LEASED = bulk.Rows.of(alerts, ("id", "expires_at"))
_LEASE = "UPDATE alerts SET expires_at = t.expires_at FROM t WHERE alerts.id = t.id AND alerts.resolved_at IS NULL"


async def touch_alerts(tx: Writing, touches: Iterable[Touch]) -> None:
    """Adds up what repeats said. In order of id, so that two replicas never wait for each other in a circle."""
    ordered = sorted(touches, key=lambda touch: touch.id)
    await bulk.write(tx, _SIGHTED, _SIGHT, [(one.id, one.count, one.last_seen_at) for one in ordered])
    leases = [(one.id, one.expires_at) for one in ordered if one.expires_at is not None]
    await bulk.write(tx, _LEASED, _LEASE, leases)
