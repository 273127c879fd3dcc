"""Overrides: who stands in for whom in a schedule, from when to when. Schedules themselves are resources (documents)."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from app.store.metadata import Id, Instant, metadata

overrides = Table(
    "overrides",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("schedule_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("person_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("replaces", Id, ForeignKey("resources.id")),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("cancelled_at", Instant),
    Index("ix_overrides_schedule_id", "schedule_id", "ends_at"),
)
