"""Alerts, and what could not be read.

An alert is one episode of one dedup key. `key_digest` stands for (integration, dedup key): 16 bytes keep the index small
whatever a sender uses as a key. The unique (key_digest, episode) is what keeps two transactions from opening the same
problem twice: both would have to insert the same next episode, and one of them can't.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)

from app.clock import Micros
from app.routing.tables import routings
from app.store.metadata import Digest, Id, Instant, metadata

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("integration_id", Id, nullable=False),
    Column("service_id", Id),
    Column("incident_id", Id),
    Column("key_digest", Digest, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("dedup_key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("annotations", Text, nullable=False),
    Column("links", Text, nullable=False),
    Column("content", Digest, nullable=False),
    Column("reason", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("starts_at", Instant),
    Column("ended_at", Instant),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("resolved_at", Instant),
    Column("resolved_by", Text),
    UniqueConstraint("key_digest", "episode"),
    Index("ix_alerts_incident_id", "incident_id", "id"),
    Index(
        "ix_alerts_open",
        "integration_id",
        "id",
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
    Index(
        "ix_alerts_expires_at",
        "expires_at",
        sqlite_where=text("resolved_at IS NULL AND expires_at IS NOT NULL"),
        postgresql_where=text("resolved_at IS NULL AND expires_at IS NOT NULL"),
    ),
)
"""No foreign keys on this one table: each would be a look-up per alert in a storm. Resources and incidents are never
deleted, and tests/stories checks that no alert points to nothing. labels, annotations and links are JSON text."""

sightings = Table(
    "sightings",
    metadata,
    Column("alert_id", Id, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    postgresql_with={"fillfactor": "60"},
)
"""What repeats added to an alert: narrow rows, because they are what a storm of repeats rewrites. An alert that was never
repeated has none; `alerts_seen` joins the two. Pages are left half empty on PostgreSQL, so that a new count needs no
new index entry."""


def alerts_seen() -> Select[Any]:
    """Every column of alerts, with `repeats`, `repeated_at` and `routed`: what rules did, as JSON (each None where absent)."""
    return select(
        alerts,
        sightings.c.count.label("repeats"),
        sightings.c.last_seen_at.label("repeated_at"),
        routings.c.said.label("routed"),
    ).select_from(
        alerts.outerjoin(sightings, sightings.c.alert_id == alerts.c.id).outerjoin(
            routings, routings.c.alert_id == alerts.c.id
        )
    )


def times_seen(row: Any) -> int:
    """How often an alert of `alerts_seen` was sent."""
    return int(row.count + (row.repeats or 0))


def last_seen(row: Any) -> Micros:
    """When an alert of `alerts_seen` was last sent."""
    return max(int(row.last_seen_at), row.repeated_at or 0)


habits = Table(
    "habits",
    metadata,
    Column("service_id", Id, primary_key=True, autoincrement=False),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("opened", Integer, nullable=False),
    Column("soon", Integer, nullable=False),
    Column("later", Integer, nullable=False),
)
"""Of services that hold pages by what they learned, by check and by sender: see app/dedup/habits.py."""

unparsed = Table(
    "unparsed",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("integration_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Index("ix_unparsed_integration_id", "integration_id", "id"),
)
"""What a sender said that could not be read, as it came (its beginning, when it is long)."""

samples = Table(
    "samples",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("integration_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("events", Integer, nullable=False),
    Index("ix_samples_integration_id", "integration_id", "id"),
)
"""The newest messages of integrations that ask for it (setting `samples`), without their secrets."""

proofs = Table(
    "proofs",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)
"""Signed deliveries that were taken: the same once more is a replay. Forgotten when its signature has long been too old."""

integration_keys = Table(
    "integration_keys",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("integration_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("hint", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Index("ix_integration_keys_integration_id", "integration_id"),
)
"""The keys that open an integration: random, shown once, stored as a digest. Rotating adds a new key and lets the old
one work for a while, so that a sender can be changed without losing an alert."""
