"""Who is on call, in depth: versions, the record of shifts, absences, swaps, calendars, notices, drills; and heartbeats"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only."""
    op.create_table(
        "absences",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("first_day", sa.Text(), nullable=True),
        sa.Column("last_day", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("soft", sa.Boolean(), nullable=False),
        sa.Column("calendar_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["calendar_id"], ["resources.id"], name=op.f("fk_absences_calendar_id_resources")),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_absences_person_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
    )
    with op.batch_alter_table("absences", schema=None) as batch_op:
        batch_op.create_index("ix_absences_calendar_id", ["calendar_id"], unique=False)
        batch_op.create_index("ix_absences_person_id", ["person_id", "ends_at"], unique=False)

    op.create_table(
        "bookings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("calendar_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["calendar_id"], ["resources.id"], name=op.f("fk_bookings_calendar_id_resources")),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_bookings_person_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
    )
    with op.batch_alter_table("bookings", schema=None) as batch_op:
        batch_op.create_index("ix_bookings_calendar_id", ["calendar_id", "ends_at"], unique=False)

    op.create_table(
        "calendar_copies",
        sa.Column(
            "calendar_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("tried_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.Text(), server_default="", nullable=False),
        sa.Column("last_modified", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["resources.id"], name=op.f("fk_calendar_copies_calendar_id_resources")
        ),
        sa.PrimaryKeyConstraint("calendar_id", name=op.f("pk_calendar_copies")),
    )
    op.create_table(
        "calendar_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["subject_id"], ["resources.id"], name=op.f("fk_calendar_links_subject_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_calendar_links_digest")),
    )
    with op.batch_alter_table("calendar_links", schema=None) as batch_op:
        batch_op.create_index("ix_calendar_links_subject_id", ["subject_id"], unique=False)

    op.create_table(
        "contact_checks",
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("method_id", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("verified_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_contact_checks_person_id_resources")),
        sa.PrimaryKeyConstraint("person_id", "method_id", name=op.f("pk_contact_checks")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("once", sa.Text(), nullable=True),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("method_id", sa.Text(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["resources.id"], name=op.f("fk_notices_channel_id_resources")),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_notices_person_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("once", name=op.f("uq_notices_once")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index("ix_notices_person_id", ["person_id", "id"], unique=False)

    op.create_table(
        "reach_findings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["resources.id"], name=op.f("fk_reach_findings_policy_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reach_findings")),
    )
    with op.batch_alter_table("reach_findings", schema=None) as batch_op:
        batch_op.create_index("ix_reach_findings_policy_id", ["policy_id", "starts_at"], unique=False)

    op.create_table(
        "reach_looks",
        sa.Column(
            "policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["resources.id"], name=op.f("fk_reach_looks_policy_id_resources")),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_reach_looks")),
    )
    op.create_table(
        "rota_states",
        sa.Column(
            "schedule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("settled_until", sa.BigInteger(), nullable=False),
        sa.Column("standings", sa.Text(), nullable=False),
        sa.Column("tzdata", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["schedule_id"], ["resources.id"], name=op.f("fk_rota_states_schedule_id_resources")),
        sa.PrimaryKeyConstraint("schedule_id", name=op.f("pk_rota_states")),
    )
    op.create_table(
        "schedule_eras",
        sa.Column(
            "schedule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["schedule_id"], ["resources.id"], name=op.f("fk_schedule_eras_schedule_id_resources")),
        sa.PrimaryKeyConstraint("schedule_id", "version", name=op.f("pk_schedule_eras")),
    )
    op.create_table(
        "shift_record",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("schedule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_shift_record_person_id_resources")),
        sa.ForeignKeyConstraint(["schedule_id"], ["resources.id"], name=op.f("fk_shift_record_schedule_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_record")),
    )
    with op.batch_alter_table("shift_record", schema=None) as batch_op:
        batch_op.create_index("ix_shift_record_person_id", ["person_id", "ends_at"], unique=False)
        batch_op.create_index("ix_shift_record_schedule_id", ["schedule_id", "ends_at"], unique=False)

    op.create_table(
        "swaps",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("schedule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("gives_from", sa.BigInteger(), nullable=False),
        sa.Column("gives_until", sa.BigInteger(), nullable=False),
        sa.Column("takes_from", sa.BigInteger(), nullable=True),
        sa.Column("takes_until", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("hands", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["asked"], ["resources.id"], name=op.f("fk_swaps_asked_resources")),
        sa.ForeignKeyConstraint(["asked_by"], ["resources.id"], name=op.f("fk_swaps_asked_by_resources")),
        sa.ForeignKeyConstraint(["schedule_id"], ["resources.id"], name=op.f("fk_swaps_schedule_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swaps")),
    )
    with op.batch_alter_table("swaps", schema=None) as batch_op:
        batch_op.create_index("ix_swaps_schedule_id", ["schedule_id", "id"], unique=False)

    op.create_table(
        "drills",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("schedule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("shift_starts_at", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_drills_notice_id_notices")),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_drills_person_id_resources")),
        sa.ForeignKeyConstraint(["schedule_id"], ["resources.id"], name=op.f("fk_drills_schedule_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drills")),
    )
    with op.batch_alter_table("drills", schema=None) as batch_op:
        batch_op.create_index("ix_drills_schedule_id", ["schedule_id", "id"], unique=False)

    with op.batch_alter_table("overrides", schema=None) as batch_op:
        batch_op.add_column(sa.Column("role", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("swap_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))

    _eras_of_what_is_there()
    _watch_what_is_there()

    # Heartbeats in: what is remembered of each sender that is listened to (app/watch/tables.py).
    op.create_table(
        "pulses",
        sa.Column(
            "resource_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("counted_from", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.Column("down_since", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"], name=op.f("fk_pulses_resource_id_resources")),
        sa.PrimaryKeyConstraint("resource_id", name=op.f("pk_pulses")),
    )


def _eras_of_what_is_there() -> None:
    """Each version of a schedule was in force from when it was saved until the next was, or until it was deleted."""
    op.execute(
        sa.text(
            """
            INSERT INTO schedule_eras (schedule_id, version, starts_at, ends_at, document)
            SELECT r.resource_id, r.version, r.changed_at,
                   (SELECT MIN(n.changed_at) FROM revisions n
                    WHERE n.resource_id = r.resource_id AND n.version > r.version),
                   r.document
            FROM revisions r JOIN resources s ON s.id = r.resource_id
            WHERE s.kind = 'schedule' AND r.action <> 'deleted'
            """
        )
    )


def _watch_what_is_there() -> None:
    """Schedules and policies are looked at as soon as the server runs, later ones when they are made; ids are one family."""
    for kind, job in (("schedule", "duty"), ("policy", "reach")):
        op.execute(
            sa.text(
                """
                INSERT INTO jobs (id, kind, subject, payload, due_at, once)
                SELECT id, :job, id, '{}', 0, :job || ':' || CAST(id AS TEXT)
                FROM resources WHERE kind = :kind AND deleted_at IS NULL
                """
            ).bindparams(kind=kind, job=job)
        )
