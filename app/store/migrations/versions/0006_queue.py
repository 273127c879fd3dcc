"""The queue: whose turn a job is, and those that fail again and again

`rank` has a default, so that the version before this one can go on adding jobs while replicas are replaced.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only."""
    op.add_column("jobs", sa.Column("rank", sa.Integer(), server_default="1", nullable=False))
    op.create_index("ix_jobs_rank_due_at", "jobs", ["rank", "due_at"], unique=False)
    op.create_index(
        "ix_jobs_failures",
        "jobs",
        ["failures"],
        unique=False,
        sqlite_where=sa.text("failures >= 5"),
        postgresql_where=sa.text("failures >= 5"),
    )
