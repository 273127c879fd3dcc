"""`tocsin paging`: holds paging back, as after a restore, and lets it go on. Straight in the database: no server need run."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from app.store.database import Store
    from app.watch.hold import Held, Hold


@click.group()
def paging() -> None:
    """Hold paging back, let it go on, or say how it stands.

    While it is held alerts are taken and incidents open, and nobody is paged. Every replica knows within a second.
    """


@paging.command()
@click.option("--why", default="", help="What people read who wonder why nobody is paged.")
@click.option("--by", default="", help="Who holds it; the user of this terminal, unless given.")
def hold(why: str, by: str) -> None:
    """Hold paging back until it is released. Before a restored database is started, for instance."""
    from app.cli.environment import read_settings
    from app.cli.storage import in_database
    from app.watch import hold as holding

    async def work(store: Store) -> Hold:
        from app.store.migrate import migrate

        await migrate(store)
        return await store.write(holding.begin, by or _user(), why[:500])

    made = in_database(read_settings(), work)
    click.echo(
        f"Paging is held back since {_spoken(made.since)} by {made.by}. Nobody is paged until: tocsin paging release"
    )


@paging.command()
def release() -> None:
    """Let paging go on. Each incident that is still open is paged for once, and each page says how late it is."""
    from app.cli.environment import read_settings
    from app.cli.storage import in_database
    from app.watch import hold as holding

    settings = read_settings()

    async def work(store: Store) -> Held:
        return await store.write(holding.release)

    found = in_database(settings, work)
    if found.hold is None:
        click.echo("Paging was not held back.")
    else:
        click.echo(f"Paging goes on; {found.waiting} jobs that had been held back are due now.")
    if settings.paging == "hold":
        click.echo("TOCSIN_PAGING=hold is set: take it out, or the next start holds paging back again.", err=True)


@paging.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Say how paging stands. Exit code 1 while it is held back."""
    from app.cli.environment import read_settings
    from app.cli.storage import in_database
    from app.watch import hold as holding

    async def work(store: Store) -> Held:
        return await store.read(holding.held)

    found = in_database(read_settings(), work)
    if found.hold is None:
        click.echo("Paging is on.")
        return
    why = f" ({found.hold.why})" if found.hold.why else ""
    click.echo(
        f"Paging is held back since {_spoken(found.hold.since)} by {found.hold.by}{why}; {found.waiting} jobs wait. "
        "Nobody is paged until: tocsin paging release"
    )
    context.exit(1)


def _user() -> str:
    try:
        return f"{getpass.getuser()} at the terminal"
    except (KeyError, OSError):  # a user without a name, as in containers
        return "somebody at the terminal"


def _spoken(at: int) -> str:
    from app.clock import spoken

    return spoken(at)
