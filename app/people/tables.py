"""What is known of contact methods beside the person's document: whether somebody proved to read there."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Table, Text

from app.store.metadata import Digest, Id, Instant, metadata

contact_checks = Table(
    "contact_checks",
    metadata,
    Column("person_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("method_id", Text, primary_key=True),
    Column("address", Digest, nullable=False),
    Column("code", Digest),
    Column("sent_at", Instant),
    Column("expires_at", Instant),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("verified_at", Instant),
    Column("verified_by", Text, nullable=False, server_default=""),
)
"""`address` is the digest of the kind and address that was checked: after an edit of either, the check counts no more."""
