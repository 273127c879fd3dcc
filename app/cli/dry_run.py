"""`tocsin dry-run`: who would be told, when and how; straight from the database, and nothing is kept."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from app.api.dry_run import Stage, Tried
    from app.cli.paper import Paper
    from app.clock import Micros
    from app.explain.outlook import IncidentSaid
    from app.settings import Settings
    from app.store.database import Store


@click.command("dry-run")
@click.option("--at", metavar="INSTANT", help="When it arrives: 2026-03-29T03:00:00+02:00. Left out: now.")
@click.option("--service", metavar="NAME", help="A new incident of this service.")
@click.option("--severity", type=click.Choice(["critical", "error", "warning", "info"]), help="Of that incident.")
@click.option("--integration", metavar="NAME", help="A message of this sender, with --payload.")
@click.option("--payload", metavar="FILE", type=click.File("rb"), help="What the sender posts; - is standard input.")
@click.option("--incident", metavar="N", type=click.IntRange(1, 2**53), help="This incident, as if opened then.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON document, as the API answers it.")
def dry_run(
    at: str | None,
    service: str | None,
    severity: str | None,
    integration: str | None,
    payload: IO[bytes] | None,
    incident: int | None,
    *,
    as_json: bool,
) -> None:
    """Who would be told, when and how, if this arrived then.

    Say one of --service, --integration and --incident. Nothing is kept and nobody is told.
    """
    from app.api.dry_run import shown
    from app.cli.environment import read_settings
    from app.cli.oncall import read_at
    from app.cli.storage import in_database
    from app.explain.rehearsal import NotThere

    if sum(one is not None for one in (service, integration, incident)) != 1:
        raise Trouble("say one of --service NAME, --integration NAME (with --payload FILE) and --incident N")
    if (payload is None) != (integration is None):
        raise Trouble("--payload FILE is what the sender of --integration NAME posts: say both or neither")
    if severity is not None and service is None:
        raise Trouble("--severity is of a new incident of --service NAME")
    body = payload.read() if payload else b""
    asked, settings = read_at(at), read_settings()

    async def work(store: Store) -> Tried:
        from app.api.dry_run import severity_of, try_incident, try_message, try_service
        from app.sources.event import Received

        stage = _stage(store, settings)
        when: Micros = store.clock.now() if asked is None else asked
        if service is not None:
            found = await _id(store, "service", service)
            return await try_service(stage, found, "", severity_of(severity, None), when)
        if integration is not None:
            return await try_message(stage, await _id(store, "integration", integration), Received(body, "", {}), when)
        assert incident is not None
        return await try_incident(stage, incident, when)

    try:
        tried = in_database(settings, work)
    except NotThere as error:
        raise Trouble(str(error)) from None
    if as_json:
        click.echo(shown(tried).model_dump_json(indent=2))
    else:
        _print(tried)


def _stage(store: Store, settings: Settings) -> Stage:
    from functools import partial

    from app.api.dry_run import Stage
    from app.dedup.directory import Directory
    from app.sources.registry import installed, stored_settings

    known = installed()
    return Stage(store, Directory(store, partial(stored_settings, known)), known, settings.max_body_bytes)


async def _id(store: Store, kind: str, name: str) -> int:
    from app.store import resources

    found = await store.read(resources.named, kind, name)
    if found is None:
        raise Trouble(f"there is no {kind} named {name!r}")
    return found.id


def _print(tried: Tried) -> None:
    from app.cli.paper import Paper

    said = tried.outlook
    paper = Paper(said.at)
    paper.text(*said.summary)
    if tried.reply is not None:
        paper.title("What the sender is answered")
        body = tried.reply.body
        paper.text(f"{tried.reply.status}: {body.get('detail') or body.get('status', '')}")
    if said.events:
        paper.title("What its events do")
        for event in said.events:
            paper.item("-", event.sentence)
    for incident in said.incidents:
        _print_incident(paper, incident)
    paper.text("", *said.assumed)


def _print_incident(paper: Paper, said: IncidentSaid) -> None:
    paper.title(said.name[:1].upper() + said.name[1:])
    paper.text(*said.sentences)
    for gap in said.gaps:
        paper.item("!", gap)
    for one in said.expected:
        paper.timed(one.at, one.sentence)
