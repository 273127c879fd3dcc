"""What rules did: to which alert, how often, and what they dropped."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from app.store.metadata import Digest, Id, Instant, metadata

routings = Table(
    "routings",
    metadata,
    Column("alert_id", Id, primary_key=True, autoincrement=False),
    Column("said", Text, nullable=False),
    Column("hold_until", Instant),
)
"""What rules did to an alert, as JSON list of sentences. An alert that no rule concerned has none, and costs nothing."""

rule_hits = Table(
    "rule_hits",
    metadata,
    Column("rule_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("hits", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
)
"""How often a rule matched on one day (days since 1970 in UTC): added up together, not written by each event."""

dropped = Table(
    "dropped",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("rule_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("integration_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("dedup_key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_dropped_rule_id", "rule_id", "id"),
)
"""The last events that each rule dropped, so that whoever asks sees what it takes away."""

silenced = Table(
    "silenced",
    metadata,
    Column("silence_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True, autoincrement=False),
    Column("since", Instant, nullable=False),
    Index("ix_silenced_incident_id", "incident_id"),
)
"""Which incidents a silence kept from paging: what it did is counted from these, and its end wakes them."""

inhibitors = Table(
    "inhibitors",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("alert_id", Id, primary_key=True, autoincrement=False),
    Column("mutual", Integer, nullable=False),
    Index("ix_inhibitors_alert_id", "alert_id"),
)
"""Alerts that inhibit others: `digest` stands for a rule and the values it compares (app/routing/inhibition.py). Only alerts
that are the source of a rule have rows, and only while they fire. `mutual`: 1 for an
alert that is also a target of the rule."""
