"""Pages, and each try to send one."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from app.store.metadata import Document, Id, Instant, metadata

ASKED = -1
"""As which level the pages of somebody are written who was asked to join."""
UNSENT = ("waiting", "blocked", "quarantined")
"""States of pages that are tried, now or later."""

bundles = Table(
    "bundles",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("person_id", Id, ForeignKey("resources.id"), nullable=False),
    Column("method_id", Text, nullable=False),
    Column("notifier", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("done_at", Instant),
    Index("ix_bundles_person_id", "person_id", "method_id", "id"),
)
"""One message in which several pages of one person go out by one contact method. `state`: waiting (more may join), sending
(nothing joins any more), sent, failed, not_needed. `pages`: how many joined."""

pages = Table(
    "pages",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("incident_id", Id, ForeignKey("incidents.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("person_id", Id),
    Column("channel_id", Id),
    Column("method_id", Text, nullable=False),
    Column("notifier", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("policy_id", Id),
    Column("policy_version", Integer),
    Column("schedule_id", Id),
    Column("fallback", Boolean, nullable=False),
    Column("urgency", Text),
    Column("due_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("detail", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("done_at", Instant),
    Column("bundle_id", Id),
    UniqueConstraint("incident_id", "number"),
    Index(
        "ix_pages_bundle_id",
        "bundle_id",
        sqlite_where=text("bundle_id IS NOT NULL"),
        postgresql_where=text("bundle_id IS NOT NULL"),
    ),
)
"""`state`: waiting (its time has not come, or a try is due), sent (delivered or accepted), failed (refused, or tries ran
out), blocked (its provider does not work: counts as failed, and is tried on), quarantined (it can't even be tried: the
same), not_needed (somebody had it before its time). `outcome` held: it waits so long for its provider that its
person's next way was started. A `fallback` waits without a due job until the one before it failed. Pages of one incident are numbered from 1 without gaps.
With a `bundle_id` it goes out in that bundle, not by itself."""

team_turns = Table(
    "team_turns",
    metadata,
    Column("team_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("person_id", Id, ForeignKey("resources.id"), primary_key=True, autoincrement=False),
    Column("taken", Id, nullable=False),
)
"""Turns inside a team: the higher `taken`, the later somebody's last turn was. Who has no row has had none."""

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("page_id", Id, ForeignKey(pages.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("outcome", Text),
    Column("detail", Text, nullable=False, server_default=""),
    Column("receipt", Text, nullable=False, server_default=""),
    Column("late_s", Integer, nullable=False, server_default="0"),
    Column("person_id", Id),
    Column("receipt_at", Instant),
    UniqueConstraint("page_id", "number"),
    Index("ix_attempts_started_at", "started_at"),
    Index(
        "ix_attempts_person_id_started_at",
        "person_id",
        "started_at",
        sqlite_where=text("person_id IS NOT NULL"),
        postgresql_where=text("person_id IS NOT NULL"),
    ),
)
"""One call of a provider. It is written before the call, without an outcome; one that still has none when its job comes
back (the process died) becomes `unknown`. `person_id`: of a page that went to a person by itself, not in a bundle.
`receipt_at`: when the provider said what became of it."""

link_opens = Table(
    "link_opens",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("incident_id", Id, ForeignKey("incidents.id"), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Index("ix_link_opens_incident_id", "incident_id", "id"),
)
"""Who opened a link without doing anything: `by` is person or machine (link scanners, chat previews), `why` how we know."""

notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("once", Text, unique=True),
    Column("person_id", Id, ForeignKey("resources.id")),
    Column("channel_id", Id, ForeignKey("resources.id")),
    Column("method_id", Text),
    Column("recipient", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("url", Text, nullable=False, server_default=""),
    Column("urgency", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("used", Document, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("outcome", Text),
    Column("detail", Text, nullable=False, server_default=""),
    Column("done_at", Instant),
    Index("ix_notices_person_id", "person_id", "id"),
)
"""What is told to a person or a channel beside pages: a shift that begins, a gap ahead, a swap that is asked for, a drill,
a code. `once` names what it is about, so that nobody is told twice. With `method_id` it goes by that contact method only;
otherwise by the person's methods, the next when one fails: `used` lists those that have. `state`: waiting, sent, failed
(no way worked), expired (`expires_at` passed: it would be no use any more), withdrawn."""
