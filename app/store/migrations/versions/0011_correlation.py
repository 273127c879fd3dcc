"""Which alert went to which incident, in order; and which incident a merged one lives on in"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "memberships",
        sa.Column("position", number, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("alert_id", number, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_memberships")),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index("ix_memberships_alert_id", ["alert_id"], unique=False)
    # No batch: incidents are many, and are not to be copied for three columns.
    op.add_column("incidents", sa.Column("merged_into", number, nullable=True))
    op.add_column("incidents", sa.Column("returns", sa.Integer(), server_default="0", nullable=False))
    op.add_column("incidents", sa.Column("pinned", sa.Integer(), server_default="0", nullable=False))
