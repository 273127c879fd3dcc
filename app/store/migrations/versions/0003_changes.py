"""Changes beside incidents"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "changes",
        sa.Column("id", number, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("integration_id", number, nullable=False),
        sa.Column("service_id", number, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("links", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["integration_id"], ["resources.id"], name=op.f("fk_changes_integration_id_resources")),
        sa.ForeignKeyConstraint(["service_id"], ["resources.id"], name=op.f("fk_changes_service_id_resources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sa.UniqueConstraint("digest", name=op.f("uq_changes_digest")),
    )
    with op.batch_alter_table("changes", schema=None) as batch_op:
        batch_op.create_index("ix_changes_service_id", ["service_id", "at"], unique=False)
