"""Alembic's entry: runs the scripts on the connection it is given, inside that connection's transaction."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),  # only to compare (tests) or to draft a script
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,  # the caller's transaction holds everything
    transaction_per_migration=False,
)
context.run_migrations()
