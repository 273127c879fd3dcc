"""What is seen ahead and what is tried out: instants at which a policy reaches nobody, and drills."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from app.store.metadata import Id, Instant, metadata

findings = Table(
    "reach_findings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("policy_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("told", Text, nullable=False, server_default=""),
    Index("ix_reach_findings_policy_id", "policy_id", "starts_at"),
)
"""What the last look ahead found of each policy; replaced as a whole by the next look. `kind`: nobody, unverified,
same_person. `told`: what the team was told of it so far: nothing, week (a week ahead), day."""

reach_looks = Table(
    "reach_looks",
    metadata,
    Column("policy_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("looked_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)
"""When each policy was last looked at, and how far ahead."""

drills = Table(
    "drills",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("schedule_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("person_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("shift_starts_at", Instant, nullable=False),
    Column("notice_id", Id, ForeignKey("notices.id")),
    Column("created_at", Instant, nullable=False),
    Column("answer_by", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("failed_at", Instant),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_drills_schedule_id", "schedule_id", "id"),
)
"""A test page to somebody who came on call, and whether they answered in time."""
