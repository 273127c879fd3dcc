"""How often incidents that a check opened ended by themselves, for services that hold pages by it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "habits",
        sa.Column("service_id", number, autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("soon", sa.Integer(), nullable=False),
        sa.Column("later", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", "slot", name=op.f("pk_habits")),
    )
