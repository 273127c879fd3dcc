"""Those who run it and those who attack it: the configuration and its edits, faults of machines, and strangers' keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from app.api import edits
from app.clock import SECOND, Micros
from app.incidents.respond import NoSuchIncident
from app.incidents.service import Service
from app.paging import links
from app.paging.answer import Wish
from app.paging.links import Link, LinkError
from app.paging.policy import Channel, Policy
from app.people.person import Person
from app.people.team import Team
from app.sources.integration import Integration
from app.store import resources
from app.store.database import Store, Writing
from app.store.errors import StoreError
from app.store.resources import Refused
from app.watch import hold as holding
from app.watch.signals import after_edit
from tests.harness.town import add_key
from tests.sim.chance import chance
from tests.sim.people import presses
from tests.sim.replica import Gone, Replica
from tests.sim.script import Step
from tests.sim.senders import body, key_of, request

if TYPE_CHECKING:
    from tests.sim.run import Run

_MODELS: dict[str, Any] = {
    "person": Person,
    "team": Team,
    "channel": Channel,
    "policy": Policy,
    "service": Service,
    "integration": Integration,
}
_CHANGING: dict[str, Any] = {"person": edits.before_person, "schedule": edits.before_schedule}
_SAVED: dict[str, Any] = {
    "person": edits.after_person,
    "team": edits.after_anything,
    "schedule": edits.after_schedule,
    "channel": edits.after_anything,
    "policy": edits.after_policy,
    "service": edits.after_service,
    "integration": after_edit,
}
"""What belongs to an edit, in its transaction (app/api/kinds.py)."""
TRIES = 6


def _with_ids(run: Run, value: Any) -> Any:
    """The document with real ids for "@person:3"."""
    if isinstance(value, dict):
        return {name: _with_ids(run, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_ids(run, inner) for inner in value]
    if isinstance(value, str) and value.startswith("@"):
        kind, _, place = value[1:].partition(":")
        return str(run.ids[kind, int(place)])
    return value


def _document(run: Run, kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """As the API would store it."""
    filled = _with_ids(run, document)
    model = _MODELS.get(kind)
    return model.model_validate(filled).model_dump(mode="json") if model else filled


async def configure(run: Run, store: Store) -> None:
    """Makes everything that the script is about."""
    places: dict[str, int] = {}
    for kind, document in run.script.documents:
        place = places.get(kind, 0)
        places[kind] = place + 1
        run.ids[kind, place] = await store.write(_create, kind, _document(run, kind, document))
        if kind == "integration":
            await store.write(add_key, run.ids[kind, place], key_of(place))


async def _create(tx: Writing, kind: str, document: dict[str, Any]) -> int:
    made = await resources.create(tx, kind, document["name"], document, "operator")
    await _SAVED[kind](tx, None, made)
    return made.id


async def edit(run: Run, step: Step) -> None:
    """Changes or removes a resource; tried again when nobody answers."""
    kind, place, document = step.args
    shut = run.book.edited(kind, place, document)
    for attempt in range(TRIES):
        try:
            deed = _editing(run, kind, place, document)
            await run.replica(chance(run.seed, "edit", step.at, attempt)).ask(
                lambda life, deed=deed: deed(life.world.store)
            )
        except (Gone, TimeoutError, StoreError, Refused) as error:
            run.say(f"{kind} {place} is edited: {type(error).__name__}")
            await asyncio.sleep(5)
        else:
            shut(run.loop.time())
            return


def _editing(run: Run, kind: str, place: int, document: dict[str, Any] | None) -> Callable[[Store], Awaitable[None]]:
    wanted = _document(run, kind, document) if document is not None else None

    async def deed(tx: Writing) -> None:
        old = (await resources.load(tx, kind, [run.ids[kind, place]])).get(run.ids[kind, place])
        if old is None:
            return
        if kind in _CHANGING:
            await _CHANGING[kind](tx, old)
        new = None
        if wanted is None:
            await resources.remove(tx, old, "operator", seen=old.version)
        else:
            new = await resources.replace(tx, old, old.name, wanted, "operator", seen=old.version)
        await _SAVED[kind](tx, old, new)

    return lambda store: store.write(deed)


async def hold(run: Run, step: Step) -> None:
    """Paging is held back for a while, by `tocsin paging hold` and `release`: a process of its own, tried until it works."""
    (for_s,) = step.args
    await _insist(run, "paging is held back", partial(holding.begin, by="operator", why="a try"))
    if "stalls" not in run.script.features:
        run.book.held_since = run.loop.time()
    await asyncio.sleep(for_s)
    run.book.held_since = None
    await _insist(run, "paging goes on", holding.release)
    # What waited is due since long.
    run.trouble_for(60)


async def _insist(run: Run, said: str, deed: Callable[[Writing], Awaitable[Any]]) -> None:
    while True:
        try:
            await run.terminal.write(deed)
        except StoreError as error:
            run.say(f"not {said}: {type(error).__name__}")
            await asyncio.sleep(20)
        else:
            run.say(said)
            return


async def stranger(run: Run, step: Step) -> None:
    """I9: what nobody was given opens nothing and changes nothing."""
    (how,) = step.args
    replica: Replica = run.replica(chance(run.seed, "stranger", step.at))
    try:
        if how == "key":
            content = body((("intruder", step.at, "firing", None, "critical", ""),))
            status = await replica.ask(lambda life: request(life, "/v1/in/alertmanager/no-such-key", content))
            if status not in (401, 503):
                run.break_rule(f"a stranger's message was answered {status}")
        else:
            token = _stolen(run, how)
            await replica.ask(lambda life: presses(life, token, Wish()))
            run.break_rule(f"a stranger's {how} was taken")
    except LinkError as error:
        run.say(f"a stranger's {how}: {type(error).__name__}")
    except (NoSuchIncident, Refused) as error:
        run.break_rule(f"a stranger's {how} was believed, and only then refused: {error}")
    except (Gone, TimeoutError, StoreError) as error:
        run.say(f"a stranger: {type(error).__name__}")
    if run.disk.rows("SELECT 1 FROM alerts WHERE title = 'intruder'"):
        run.break_rule("a stranger's alert was stored")


def _stolen(run: Run, how: str) -> str:
    end: Micros = run.watch.now() + (3_600 * SECOND if how == "link" else -3_600 * SECOND)
    secret = "guessed" if how == "link" else run.replicas[0].ground.secret
    ((incident,),) = run.disk.rows("SELECT coalesce(max(id), 1) FROM incidents")
    return links.write(secret, Link("resolve", incident, 1, "mallory", None, end))


def fault(run: Run, step: Step) -> None:
    """Something goes wrong with a machine."""
    now = run.loop.time()
    match step.what, step.args:
        case "death", (slot, effects, pause_s):
            replica = run.replicas[slot]
            replica.restart_s = pause_s
            replica.arm(effects, replica.die)
        case "stall", (slot, effects, for_s):
            replica = run.replicas[slot]
            replica.arm(effects, partial(replica.stop, for_s))
        case "drain", (slot, pause_s):
            run.trouble_for(pause_s + 15)
            run.spawn(run.replicas[slot].drain(pause_s))
        case "arm", (kind, many):
            run.trouble.armed.append([kind, many])
        case "outage", (for_s, hangs):
            run.trouble.until, run.trouble.hangs = max(run.trouble.until, now + for_s), hangs
            run.trouble_for(for_s + 15)
        case "flaky", (for_s, share):
            run.trouble.flaky_until, run.trouble.flaky = now + for_s, share
            run.trouble_for(for_s)
        case "jump", (by_s,):
            run.furthest = max(run.furthest, run.watch.now())
            run.watch.offset += by_s * SECOND
            run.trouble_for(60)
    run.say(f"{step.what} {' '.join(map(str, step.args))}")
