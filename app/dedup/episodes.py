"""Reading and writing alerts in bulk: few statements that carry hundreds of rows each.

The last episode of a key is found through the unique index alone. On PostgreSQL that is a LATERAL look-up per key, which
stays quick on tables that have no statistics yet (a fresh install, a restore), where `= ANY(array)` does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import insert, text

from app.clock import Micros
from app.dedup.tables import alerts
from app.store.database import Writing

_COLUMNS = "id, key_digest, episode, incident_id, content, severity, count, starts_at, ended_at, expires_at, resolved_at, resolved_by"

_LAST_POSTGRES = text(
    f"SELECT {', '.join('a.' + name.strip() for name in _COLUMNS.split(','))} "  # noqa: S608 - constants
    "FROM unnest(CAST(:keys AS bytea[])) AS k(key) CROSS JOIN LATERAL "
    "(SELECT * FROM alerts WHERE key_digest = k.key ORDER BY episode DESC LIMIT 1) AS a"
)

_CHUNK = 256
"""Keys a statement on SQLite; one text for each chunk size, so that it is prepared once."""


@dataclass(slots=True)
class Episode:
    """The last episode of a key as stored, changed in memory by the events of one transaction."""

    id: int
    key_digest: bytes
    episode: int
    incident_id: int | None
    content: bytes
    severity: str
    count: int
    starts_at: Micros | None
    ended_at: Micros | None
    expires_at: Micros | None
    resolved_at: Micros | None
    resolved_by: str | None


async def last_episodes(tx: Writing, keys: Sequence[bytes]) -> dict[bytes, Episode]:
    """The last episode of each key that has one."""
    rows: list[Any] = []
    if tx.postgres:
        rows += (await tx.conn.execute(_LAST_POSTGRES, {"keys": list(keys)})).all()
    else:
        for start in range(0, len(keys), _CHUNK):
            rows += await _last_sqlite(tx, keys[start : start + _CHUNK])
    return {bytes(row[1]): Episode(*row) for row in rows}


def _sqlite_question(many: int) -> str:
    marks = ", ".join(["(?)"] * many)
    return (
        f"WITH k(key) AS (VALUES {marks}) SELECT {_COLUMNS} FROM k JOIN alerts AS a ON a.key_digest = k.key "  # noqa: S608 - constants
        "AND a.episode = (SELECT max(episode) FROM alerts WHERE key_digest = k.key)"
    )


_FULL_QUESTION = _sqlite_question(_CHUNK)


async def _last_sqlite(tx: Writing, keys: Sequence[bytes]) -> Sequence[Any]:
    question = _FULL_QUESTION if len(keys) == _CHUNK else _sqlite_question(len(keys))
    return (await tx.conn.exec_driver_sql(question, tuple(keys))).all()


async def insert_alerts(tx: Writing, rows: list[dict[str, Any]]) -> None:
    """Adds new episodes."""
    if rows:
        await tx.conn.execute(insert(alerts), rows)


_UPDATE = text(
    "UPDATE alerts SET title = :title, severity = :severity, labels = :labels, annotations = :annotations, "
    "links = :links, content = :content, starts_at = :starts_at, expires_at = :expires_at, "
    "last_seen_at = :last_seen_at, count = count + :count WHERE id = :id"
)


async def update_alerts(tx: Writing, rows: list[dict[str, Any]]) -> None:
    """Writes what open alerts show now; `count` is how many firings are new."""
    if rows:
        await tx.conn.execute(_UPDATE, rows)


_RESOLVE = text(
    "UPDATE alerts SET resolved_at = :resolved_at, resolved_by = :resolved_by, ended_at = :ended_at, "
    "expires_at = NULL WHERE id = :id AND resolved_at IS NULL"
)


async def resolve_alerts(tx: Writing, rows: list[dict[str, Any]]) -> None:
    """Ends open episodes."""
    if rows:
        await tx.conn.execute(_RESOLVE, rows)


@dataclass(slots=True)
class Touch:
    """What repeats add to an open alert."""

    id: int
    count: int
    last_seen_at: Micros
    expires_at: Micros | None


_TOUCH = text(
    "UPDATE alerts SET count = count + :count, last_seen_at = :last_seen_at, expires_at = :expires_at "
    "WHERE id = :id AND resolved_at IS NULL"
)
_TOUCH_POSTGRES = text(
    "UPDATE alerts AS a SET count = a.count + t.count, last_seen_at = t.last_seen_at, expires_at = t.expires_at "
    "FROM unnest(CAST(:id AS bigint[]), CAST(:count AS integer[]), CAST(:last_seen_at AS bigint[]), "
    "CAST(:expires_at AS bigint[])) AS t(id, count, last_seen_at, expires_at) "
    "WHERE a.id = t.id AND a.resolved_at IS NULL"
)
_TOUCH_FIELDS = tuple(item.name for item in fields(Touch))


async def touch_alerts(tx: Writing, touches: Iterable[Touch]) -> None:
    """Adds up what repeats said. In order of id, so that two replicas never wait for each other in a circle."""
    ordered = sorted(touches, key=lambda touch: touch.id)
    if not ordered:
        return
    rows = [{name: getattr(touch, name) for name in _TOUCH_FIELDS} for touch in ordered]
    if tx.postgres:
        await tx.conn.execute(_TOUCH_POSTGRES, {name: [row[name] for row in rows] for name in _TOUCH_FIELDS})
    else:
        await tx.conn.execute(_TOUCH, rows)
