"""`tocsin explain`: why each person was paged or was not, straight from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from app.explain.explanation import Explanation
    from app.store.database import Store


@click.command()
@click.argument("number", type=click.IntRange(1, 2**53))
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON document, as the API answers it.")
def explain(number: int, *, as_json: bool) -> None:
    """Why each person was paged for an incident, or was not.

    NUMBER is what people call the incident by. Changes nothing.
    """
    from app.api.explain import explained, shown
    from app.cli.environment import read_settings
    from app.cli.storage import in_database
    from app.incidents.respond import NoSuchIncident

    async def work(store: Store) -> Explanation:
        return await explained(store, number)

    try:
        found = in_database(read_settings(), work)
    except NoSuchIncident as error:
        raise Trouble(str(error)) from None
    if as_json:
        click.echo(shown(found).model_dump_json(indent=2))
    else:
        _print(found)


def _print(found: Explanation) -> None:
    from app.cli.paper import Paper

    paper = Paper(found.opened_at)
    paper.text(*found.summary)
    paper.title("Who was paged, and who was not")
    for one in found.people:
        paper.item("+" if one.paged else "-", " ".join(one.sentences))
    for said in found.nobody:
        paper.item("!", said)
    paper.title("What happened")
    for line in found.entries:
        paper.timed(line.at, line.sentence)
    if found.ahead:
        paper.title("What follows if nobody does anything")
        for expected in found.ahead:
            paper.timed(expected.at, expected.sentence)
    for said in found.left_out:
        paper.text("", said)
