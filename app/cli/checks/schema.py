"""Whether the database has the schema of this version."""

from __future__ import annotations

from typing import Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from app.cli.checks.finding import Finding, ok, warn, wrong

ABOUT: Final = "schema"


def revision(connection: Connection) -> str | None:
    """The schema that the database has now; None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def judge(found: str | None, head: str, known: frozenset[str]) -> Finding:
    """`known` are the schemas that this version can start from. Pure."""
    if found == head:
        return ok(ABOUT, f"{head}, as this version wants it")
    if found is None:
        return warn(ABOUT, "the database is empty", "`tocsin serve` or `tocsin migrate` sets it up")
    if found in known:
        return warn(ABOUT, f"{found}; this version wants {head}", "`tocsin serve` or `tocsin migrate` brings it there")
    return wrong(ABOUT, f"{found}, which this version does not know", "use the version that made it, or a newer one")
