"""Silences and inhibition: which incidents are quiet and why, what silences did, which alerts inhibit others"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Forward only."""
    op.add_column("incidents", sa.Column("quiet_until", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("quiet_by", _ID, nullable=True))
    op.add_column("incidents", sa.Column("quiet_because", sa.Text(), nullable=True))
    op.create_index(
        "ix_incidents_quiet_by",
        "incidents",
        ["quiet_by"],
        unique=False,
        sqlite_where=sa.text("quiet_by IS NOT NULL"),
        postgresql_where=sa.text("quiet_by IS NOT NULL"),
    )
    op.create_table(
        "silenced",
        sa.Column("silence_id", _ID, autoincrement=False, nullable=False),
        sa.Column("incident_id", _ID, autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_silenced_incident_id_incidents")),
        sa.ForeignKeyConstraint(["silence_id"], ["resources.id"], name=op.f("fk_silenced_silence_id_resources")),
        sa.PrimaryKeyConstraint("silence_id", "incident_id", name=op.f("pk_silenced")),
    )
    op.create_index("ix_silenced_incident_id", "silenced", ["incident_id"], unique=False)
    op.create_table(
        "inhibitors",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("alert_id", _ID, autoincrement=False, nullable=False),
        sa.Column("mutual", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "alert_id", name=op.f("pk_inhibitors")),
    )
    op.create_index("ix_inhibitors_alert_id", "inhibitors", ["alert_id"], unique=False)
