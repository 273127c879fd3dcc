"""Incidents and what happened to them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, text

from app.store.metadata import Digest, Document, Id, Instant, metadata

OPEN = "state IN ('triggered', 'acknowledged')"
"""Stands literally in statements: a partial index is used only where its predicate is repeated to the letter."""

incidents = Table(
    "incidents",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("number", Id, nullable=False, unique=True),
    Column("service_id", Id, ForeignKey("resources.id")),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("resolution", Text),
    Column("severity", Text, nullable=False),
    Column("impact", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("grouping", Digest, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("last_alert_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),
    Column("ack_until", Instant),
    Column("resolved_at", Instant),
    Column("resolved_by", Text),
    Column("closed_at", Instant),
    Column("alerts", Integer, nullable=False, server_default="0"),
    Column("open_alerts", Integer, nullable=False, server_default="0"),
    Column("epoch", Integer, nullable=False, server_default="1"),
    Column("policy_id", Id),
    Column("policy_version", Integer),
    Column("escalation", Text, nullable=False, server_default="waiting"),
    Column("level", Integer, nullable=False, server_default="0"),
    Column("round", Integer, nullable=False, server_default="0"),
    Column("told_s", Integer, nullable=False, server_default="0"),
    Column("held_until", Instant),
    Column("assigned", Document),
    Column("awaiting", Integer, nullable=False, server_default="0"),
    Column("updated_at", Instant, nullable=False),
    Column("quiet_until", Instant),
    Column("quiet_by", Id),
    Column("quiet_because", Text),
    Column("merged_into", Id),
    Column("pinned", Integer, nullable=False, server_default="0"),
    Column("returns", Integer, nullable=False, server_default="0"),
    Index("ix_incidents_grouping", "grouping", "last_alert_at", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
    Index("ix_incidents_state_id", "state", "id"),
    Index("ix_incidents_service_id", "service_id", "id"),
    Index(
        "ix_incidents_quiet_by",
        "quiet_by",
        sqlite_where=text("quiet_by IS NOT NULL"),
        postgresql_where=text("quiet_by IS NOT NULL"),
    ),
)
"""`epoch` is raised whenever the question "who is to be told?" starts anew or ends (ack, resolve, escalate now, snooze
over); a job of an older epoch does nothing. `quiet_until`: it does not page, and why is asked again then; `quiet_by` is an
alert whose end is a reason to ask at once."""

timeline = Table(
    "timeline",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("incident_id", Id, ForeignKey(incidents.c.id), nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Document),
    Index("ix_timeline_incident_id", "incident_id", "id"),
)

changes = Table(
    "changes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("digest", Digest, nullable=False, unique=True),
    Column("integration_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("service_id", Id, ForeignKey("resources.id")),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("summary", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("details", Document),
    Column("links", Document),
    Index("ix_changes_service_id", "service_id", "at"),
)
"""What was changed, by service: shown beside its incidents, never paged. `digest` makes the same message sent twice one."""

responders = Table(
    "responders",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("incident_id", Id, ForeignKey(incidents.c.id), nullable=False),
    Column("person_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("answered_at", Instant),
    Index("ix_responders_incident_id", "incident_id", "id"),
)
"""People whose own answer counts. `kind`: must_ack (a level that each of its people must acknowledge; counts in its `epoch`)
or asked (somebody asked them to join). `state`: waiting, acknowledged, accepted, declined, over (it is asked no more)."""

memberships = Table(
    "memberships",
    metadata,
    Column("position", Id, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("incident_id", Id, nullable=False),
    Column("alert_id", Id),
    Column("body", Text, nullable=False),
    Index("ix_memberships_alert_id", "alert_id"),
)
"""Which alert went to which incident, in the order in which it was decided: what every replica's engine is folded from
(app/correlation). Positions have no gaps and are committed in order: whoever adds one holds the row of its counter.
Old rows are pruned; what an alert belongs to stands in `alerts`."""
