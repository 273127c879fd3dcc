"""Runs migration scripts, by Alembic. Loaded by migrate.py when there is something to run (decision 0017)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def run(connection: Connection, folder: Path) -> None:
    """Runs what is new in the transaction that the connection has begun."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
