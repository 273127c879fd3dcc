"""What on-call is computed from beside the documents: versions in force, overrides, absences, calendars; and the record.

Schedules and calendars themselves are resources (documents).
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from app.store.metadata import Digest, Document, Id, Instant, metadata

eras = Table(
    "schedule_eras",
    metadata,
    Column("schedule_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("document", Document, nullable=False),
)
"""Which version of a schedule is in force when: eras of one schedule never overlap, the last has no end until it is
followed or the schedule is deleted. A version that was taken back before it came into force has none."""

rota_states = Table(
    "rota_states",
    metadata,
    Column("schedule_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("settled_until", Instant, nullable=False),
    Column("standings", Document, nullable=False),
    Column("tzdata", Text, nullable=False),
)
"""Until when a schedule's past is written down, what its layers remember there, and the zone rules last used."""

shift_record = Table(
    "shift_record",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("schedule_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("person_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("why", Document, nullable=False),
    Index("ix_shift_record_schedule_id", "schedule_id", "ends_at"),
    Index("ix_shift_record_person_id", "person_id", "ends_at"),
)
"""Who was on call. Only ever added to; the shift that goes on is made longer."""

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
    Column("role", Text),
    Column("swap_id", Id),
    Index("ix_overrides_schedule_id", "schedule_id", "ends_at"),
)

swaps = Table(
    "swaps",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("schedule_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("asked_by", Id, ForeignKey("resources.id"), nullable=False),
    Column("asked", Id, ForeignKey("resources.id"), nullable=False),
    Column("gives_from", Instant, nullable=False),
    Column("gives_until", Instant, nullable=False),
    Column("takes_from", Instant),
    Column("takes_until", Instant),
    Column("reason", Text, nullable=False, server_default=""),
    Column("hands", Document, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("answered_at", Instant),
    Column("answered_by", Text),
    Index("ix_swaps_schedule_id", "schedule_id", "id"),
)
"""`asked_by` gives away their duty of the one interval, and takes over `asked`'s of the other, if there is one.
`hands` is which shifts those were when it was asked for: [starts_at, ends_at, role, gives, takes] each.
`state`: asked, accepted, declined, withdrawn. One that was not answered before it begins can't be any more."""

absences = Table(
    "absences",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("person_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("first_day", Text),
    Column("last_day", Text),
    Column("reason", Text, nullable=False, server_default=""),
    Column("soft", Boolean, nullable=False),
    Column("calendar_id", Id, ForeignKey("resources.id")),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("cancelled_at", Instant),
    Index("ix_absences_person_id", "person_id", "ends_at"),
    Index("ix_absences_calendar_id", "calendar_id"),
)
"""`first_day` and `last_day` (local dates, both included) where days were said and not instants. Those of a calendar are
replaced whenever it is read anew."""

calendar_copies = Table(
    "calendar_copies",
    metadata,
    Column("calendar_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("tried_at", Instant, nullable=False),
    Column("read_at", Instant),
    Column("changed_at", Instant),
    Column("etag", Text, nullable=False, server_default=""),
    Column("last_modified", Text, nullable=False, server_default=""),
    Column("body", LargeBinary),
    Column("trouble", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("notes", Document, nullable=False),
)
"""The last good copy of each calendar, and how reading it went since: `trouble` is empty when the last try was good,
`notes` is what was left out and why."""

bookings = Table(
    "bookings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("calendar_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("person_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("event", Text, nullable=False),
    Index("ix_bookings_calendar_id", "calendar_id", "ends_at"),
)
"""The events of the last good copy of a calendar of shifts, one row for each time that they happen."""

calendar_links = Table(
    "calendar_links",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("subject_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("digest", Digest, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", Instant),
    UniqueConstraint("digest"),
    Index("ix_calendar_links_subject_id", "subject_id"),
)
"""The secret addresses by which a schedule's or a person's shifts are read by calendar programs."""
