"""The whole examination: gathers facts where they are, has each file of this folder judge its own."""

from __future__ import annotations

import asyncio

from pydantic import ValidationError
from sqlalchemy import func, select

from app.cli.checks import clocks, configured, holding, postgres, queue, reach, schema, sqlite, ways_in, ways_out
from app.cli.checks.finding import Finding, wrong
from app.cli.storage import SEE, in_database
from app.cli.trouble import Trouble
from app.clock import Micros, SystemClock, from_datetime
from app.incidents.tables import timeline
from app.notifiers import registry
from app.oncall.walltime import TZDATA_VERSION
from app.paging.failing import failing
from app.settings import Settings
from app.store import migrate
from app.store.database import Reading, Store
from app.store.tables import revisions


def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which one would put them right."""
    clock = SystemClock()
    start = clocks.read(clock)
    found = _database(settings)
    links = ways_out.judge_public_url(settings.public_url, settings.base_url)
    mail = settings.smtp_url.get_secret_value()
    if mail:
        found.append(asyncio.run(ways_out.ask_mail_server(mail)))
    machine = clocks.judge_machine(start, clocks.read(clock))
    secret = ways_out.judge_secret(settings.secret_key.get_secret_value())
    return [*found, links, *secret, machine, clocks.judge_zones(TZDATA_VERSION, start.wall)]


def _database(settings: Settings) -> list[Finding]:
    file = settings.sqlite_file
    unopened = sqlite.before_opening(file) if file is not None else None
    if unopened is not None:
        return [unopened]

    async def look(store: Store) -> list[Finding]:
        return await _in_store(settings, store)

    try:
        return in_database(settings, look)
    except Trouble as trouble:
        says = trouble.message.removesuffix(SEE)
        return [wrong("database", says, "start it or correct TOCSIN_DATABASE_URL; what is in it was not looked at")]


async def _in_store(settings: Settings, store: Store) -> list[Finding]:
    found = await store.read(_server, settings, store)
    state = schema.judge(await store.read(_revision), migrate.head(), frozenset(migrate.schemas()))
    found.append(state)
    if state.mark != "ok":
        return found
    found += queue.judge(*await store.read(queue.gather))
    try:
        return [*found, *await _rows(settings, store)]
    except ValidationError as error:
        # The version before this one may have taken it, or somebody edited the row by hand.
        says = f"a document can't be read as a {error.title}; what depends on it fails"
        return [*found, wrong("configuration", says, "put it right: PUT it again through the API")]


async def _revision(view: Reading) -> str | None:
    return await view.conn.run_sync(schema.revision)


async def _server(view: Reading, settings: Settings, store: Store) -> list[Finding]:
    conn = view.conn
    if settings.sqlite_file is not None:
        return sqlite.judge(await sqlite.gather(conn, settings.sqlite_file))
    found = postgres.judge(await postgres.gather(conn))
    before = store.clock.now()
    told = (await conn.execute(select(func.clock_timestamp()))).scalar_one()
    return [*found, clocks.judge_database(before, from_datetime(told), store.clock.now())]


async def _rows(settings: Settings, store: Store) -> list[Finding]:
    installed = registry.build()
    seen = await store.read(configured.read, installed)
    facts = await store.read(ways_in.gather, seen)
    newest = await store.read(_newest)
    return [
        *clocks.judge_newest(newest, store.clock.now()),
        *holding.judge(await store.read(holding.gather), heartbeat_url=bool(settings.heartbeat_url.get_secret_value())),
        *ways_in.judge(facts, seen),
        *reach.judge(seen),
        *ways_out.judge_tries(await store.read(failing)),
        *ways_out.judge_addresses(seen, installed, mail=bool(settings.smtp_url.get_secret_value())),
    ]


async def _newest(view: Reading) -> Micros | None:
    """When the last thing was written down; ids are in order of time, so each is one look at an index."""
    happened = select(timeline.c.at).order_by(timeline.c.id.desc()).limit(1)
    changed = select(func.max(revisions.c.changed_at))
    found = [(await view.conn.execute(question)).scalar() for question in (happened, changed)]
    return max((at for at in found if at is not None), default=None)
