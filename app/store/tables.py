"""Tables that belong to no single domain: configuration as versioned documents, jobs, and this installation's own facts.

A resource (person, team, service, integration, schedule, policy, channel) is one JSON document with a version. Each edit
adds a revision, so that "which policy paged me" and "who changed it" are rows and not guesses; nothing is ever deleted
but marked, so that what points to it can still be explained.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, text

from app.store.metadata import Digest, Document, Id, Instant, metadata

resources = Table(
    "resources",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("document", Document, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Index("ix_resources_kind_id", "kind", "id"),
    Index(
        "uq_resources_kind_name",
        "kind",
        "name",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

revisions = Table(
    "revisions",
    metadata,
    Column("resource_id", Id, ForeignKey(resources.c.id), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", Document, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("action", Text, nullable=False),
)

instance = Table(
    "instance",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts of this installation: the signing secret, the version of the configuration as a whole."""

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Id, nullable=False),
)
"""Numbers that people read out to each other (incident numbers): counted under a row lock, without gaps."""

QUARANTINED = "failures >= 5"
"""Stands literally in statements: a partial index is used only where its predicate is repeated to the letter."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("subject", Id, nullable=False),
    Column("payload", Document, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("lease_until", Instant, nullable=False, server_default="0"),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("rank", Integer, nullable=False, server_default="1"),
    Column("once", Text, unique=True),
    Index("ix_jobs_due_at", "due_at"),
    Index("ix_jobs_rank_due_at", "rank", "due_at"),
    Index("ix_jobs_failures", "failures", sqlite_where=text(QUARANTINED), postgresql_where=text(QUARANTINED)),
    Index("ix_jobs_subject", "subject"),
    Index(
        "ix_jobs_lease_until",
        "lease_until",
        sqlite_where=text("lease_until > 0"),
        postgresql_where=text("lease_until > 0"),
    ),
)
"""`rank`: of jobs that are due, those of a lower rank are taken first. `failures`: how often it failed in a row."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", Digest, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("digest", Digest, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)
