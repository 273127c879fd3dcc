"""`tocsin migrate`: the database brought to the schema of this version. `tocsin serve` does the same at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from app.store.database import Store


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema; safe to repeat, and while servers run."""
    from app.cli.environment import read_settings
    from app.cli.storage import in_database

    before, now = in_database(read_settings(), _migrate)
    if before == now:
        click.echo(f"schema {now}, nothing to do")
    else:
        click.echo(f"schema {before or 'empty'} -> {now}")


async def _migrate(store: Store) -> tuple[str | None, str]:
    from app.store import migrate as schema

    return await schema.migrate(store)
