"""`tocsin oncall`: who is on call, now or at any instant, straight from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from app.api.oncall import OnCallList, OnCallShown
    from app.clock import Micros
    from app.store.database import Store


@click.command()
@click.option("--at", metavar="INSTANT", help="Another instant than now: 2026-03-29T01:00:00Z.")
@click.option("--schedule", "names", metavar="NAME", multiple=True, help="Only schedules with this in their name.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON document, as GET /v1/oncall answers.")
def oncall(at: str | None, names: tuple[str, ...], *, as_json: bool) -> None:
    """Who is on call, and why.

    What was is told from the record, what will be is computed. Changes nothing.
    """
    from app.api.oncall import everywhere
    from app.cli.environment import read_settings
    from app.cli.storage import in_database

    asked = read_at(at)

    async def work(store: Store) -> OnCallList:
        return await everywhere(store, None, store.clock.now() if asked is None else asked)

    found = in_database(read_settings(), work)
    found.items = [
        one for one in found.items if not names or any(name.lower() in one.schedule.lower() for name in names)
    ]
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found)


def read_at(at: str | None) -> Micros | None:
    """The instant of an option --at. Raises Trouble."""
    from app.oncall.codec import read_instant
    from app.oncall.schedule import BadField

    try:
        return None if at is None else read_instant("--at", at)
    except BadField as error:
        raise Trouble(str(error)) from None


def _print(found: OnCallList) -> None:
    if not found.items:
        click.echo("There is no such schedule.", err=True)
    for one in found.items:
        until = f" until {_spoken(one.until)}" if one.until else ""
        click.echo(f"{one.schedule}{until}")
        for line in _people(one):
            click.echo(f"  {line}")


def _people(one: OnCallShown) -> list[str]:
    if one.nobody:
        return [f"nobody: {one.nobody}"]
    width = max(len(duty.person) for duty in one.people)
    place = f"on call in {one.schedule} "
    roles = max(len(duty.role) for duty in one.people)
    return [f"{duty.person:<{width}}  {duty.role:<{roles}}  {duty.reason.removeprefix(place)}" for duty in one.people]


def _spoken(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"
