"""Escalation in full: who must acknowledge or was asked to join, turns inside a team, to whom an incident was given

All new columns have a default or may be empty, so that the version before this one can go on while replicas are replaced.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _id(name: str) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Forward only."""
    op.add_column("incidents", sa.Column("told_s", sa.Integer(), server_default="0", nullable=False))
    op.add_column("incidents", sa.Column("held_until", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("assigned", sa.Text(), nullable=True))
    op.add_column("incidents", sa.Column("awaiting", sa.Integer(), server_default="0", nullable=False))
    op.add_column("pages", sa.Column("urgency", sa.Text(), nullable=True))
    op.create_table(
        "responders",
        _id("id"),
        _id("incident_id"),
        _id("person_id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_responders_incident_id_incidents")),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_responders_person_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responders")),
    )
    op.create_index("ix_responders_incident_id", "responders", ["incident_id", "id"], unique=False)
    op.create_table(
        "team_turns",
        _id("team_id"),
        _id("person_id"),
        sa.Column("taken", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["resources.id"], name=op.f("fk_team_turns_person_id_resources")),
        sa.ForeignKeyConstraint(["team_id"], ["resources.id"], name=op.f("fk_team_turns_team_id_resources")),
        sa.PrimaryKeyConstraint("team_id", "person_id", name=op.f("pk_team_turns")),
    )
