"""What is remembered of each sender that is listened to: heartbeats, and integrations."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text

from app.store.metadata import Id, Instant, metadata

pulses = Table(
    "pulses",
    metadata,
    Column("resource_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("last_seen_at", Instant),
    Column("counted_from", Instant, nullable=False, server_default="0"),
    Column("failed_at", Instant),
    Column("said", Text, nullable=False, server_default=""),
    Column("down_since", Instant),
)
"""`state`: waiting (nothing was ever heard), up, down (silent, or a failure was reported), unwatched (nothing is expected).
`last_seen_at` may be a few seconds behind: not every signal is written. `counted_from`: silence counts from here at the
earliest (an edit; an outage of ours in which a signal may have been lost). `failed_at` and `said`: a reported failure that
no later signal has taken back. One narrow row a sender, rewritten."""
