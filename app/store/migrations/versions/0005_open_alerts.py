"""The open alerts of an integration are found by an index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only."""
    is_open = sa.text("resolved_at IS NULL")
    op.create_index(
        "ix_alerts_open", "alerts", ["integration_id", "id"], sqlite_where=is_open, postgresql_where=is_open
    )
