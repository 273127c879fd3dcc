"""Rules: what they did to which alert, how often they matched, what they dropped"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Forward only."""
    op.create_table(
        "routings",
        sa.Column("alert_id", _ID, autoincrement=False, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("hold_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_routings")),
    )
    op.create_table(
        "rule_hits",
        sa.Column("rule_id", _ID, autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["resources.id"], name=op.f("fk_rule_hits_rule_id_resources")),
        sa.PrimaryKeyConstraint("rule_id", "day", name=op.f("pk_rule_hits")),
    )
    op.create_table(
        "dropped",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("rule_id", _ID, nullable=False),
        sa.Column("integration_id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["integration_id"], ["resources.id"], name=op.f("fk_dropped_integration_id_resources")),
        sa.ForeignKeyConstraint(["rule_id"], ["resources.id"], name=op.f("fk_dropped_rule_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dropped")),
    )
    op.create_index("ix_dropped_rule_id", "dropped", ["rule_id", "id"], unique=False)
