"""People: what they do when a page reaches them, and what they do from the list of incidents.

They answer late, twice, by an old page, while a colleague does the same; they read what they are told, and that counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.incidents import ledger, respond
from app.incidents.respond import NoSuchIncident
from app.notifiers.notifier import Message
from app.paging import links
from app.paging.answer import Wish, answer
from app.paging.links import Link, LinkAction, LinkError
from app.store.errors import StoreError
from app.store.resources import Refused
from tests.sim.book import Promise
from tests.sim.chance import chance, pick
from tests.sim.providers import Call
from tests.sim.replica import Gone, Running
from tests.sim.script import LEVELS_S, Step

if TYPE_CHECKING:
    from tests.sim.run import Run

TRIES = 4
_HOLDS = ("acknowledged", "taken_over", "snoozed", "resolved")
"""Answers after which nothing pages."""
_ACTIONS: tuple[LinkAction, ...] = (*["acknowledge"] * 5, "snooze", "resolve", "escalate")
_DELAYS_S = (3.0, 10.0, 45.0, 90.0, 240.0, 900.0, 3_600.0)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What somebody does about a page: when, what, and how long they read before they press."""

    who: str
    token: str
    action: LinkAction
    wish: Wish
    delay_s: float
    reads_s: float
    key: tuple[object, ...]
    """Names this reaction for everything that is left to chance in it."""


def paged(run: Run, call: Call, message: Message) -> None:
    """A page is on somebody's device; what they do depends on who, what and how often."""
    problem = message.title.partition(" ")[2]
    key = (call.to, problem, run.providers.asked[problem, call.kind, call.to])

    def draw(name: str) -> float:
        return chance(run.seed, name, *key)

    # At the end of the day people get tired of it: whatever goes on must come to an end by itself.
    if draw("habit") > 0.55 or run.days_over or "nobody answers" in run.script.features:
        return
    delay_s, reads_s = pick(_DELAYS_S, run.seed, "delay", *key) * (0.5 + draw("exactly")), 0.5 + 5 * draw("reads")
    if "races" in run.script.features and draw("race") < 0.5:
        # Just when the next level, or a colleague who has the same page, is at it.
        reads_s = 0.5
        due_s = pick(LEVELS_S, run.seed, "race to", *key) - reads_s - (run.loop.time() - call.began)
        delay_s = max(0.0, due_s + 0.3 * (draw("exactly") - 0.5))
    action = pick(_ACTIONS, run.seed, "do", *key)
    if run.book.calls_about[call.incident] > 5 and (action == "escalate" or draw("enough") < 0.5):
        # What comes again and again is looked into, and ended.
        action = "resolve"
    wish = Wish(take_over=draw("take over") < 0.25, snooze_s=pick((900, 3_600), run.seed, "snooze", *key))
    does = Reaction(call.to, message.url.rpartition("/")[2], action, wish, delay_s, reads_s, key)
    run.spawn(_answers(run, does))
    if draw("twice") < 0.2:
        run.spawn(_answers(run, replace(does, delay_s=delay_s + 2 * draw("again"), key=(*key, "twice"))))
    if draw("old") < 0.08:
        run.spawn(_answers(run, replace(does, delay_s=delay_s + 7_200, key=(*key, "old"))))


async def _answers(run: Run, does: Reaction) -> None:
    await asyncio.sleep(does.delay_s)
    for attempt in range(TRIES):
        draw = chance(run.seed, "through", *does.key, attempt)
        replica = run.replica(draw)
        try:
            link, shown = await replica.ask(lambda life: _opens(life, does.token))
            await asyncio.sleep(does.reads_s)
            if does.action == "escalate":
                run.book.stir.add(link.number)
            # An acknowledgement of what nobody has always counts; the rest acts only on what the page showed.
            epoch = 0 if does.action == "acknowledge" else shown
            token = links.beside(replica.ground.secret, link, does.action, epoch)
            said = await replica.ask(lambda life, token=token: presses(life, token, does.wish))
        except (Gone, TimeoutError, StoreError) as error:
            run.say(f"{does.who} wants to {does.action}: {type(error).__name__}")
            await asyncio.sleep(3 + 10 * draw)
        except (LinkError, NoSuchIncident, Refused) as error:
            run.say(f"{does.who} wants to {does.action}: {type(error).__name__} {error}")
            return
        else:
            if said == "taken_over" and not does.wish.take_over:
                run.break_rule(f"{does.who} took #{link.number} from somebody without asking for it")
            _counts(run, link, shown, said, does.wish)
            _told(run, link.number, link.actor, said)
            return


def _counts(run: Run, link: Link, epoch: int, said: str, wish: Wish) -> None:
    """Where each must acknowledge, one acknowledgement counts for one person, and only the last ends paging."""
    asked = run.disk.rows(
        "SELECT r.state FROM responders r JOIN incidents i ON i.id = r.incident_id AND i.epoch = r.epoch + ? "
        "WHERE i.number = ? AND r.epoch = ? AND r.kind = 'must_ack'",
        0 if said == "counted" else 1,
        link.number,
        epoch,
    )
    if said == "counted" and asked:
        run.book.counted[link.number, link.actor, epoch] = run.loop.time()
    if said == "acknowledged" and not wish.take_over and ("waiting",) in asked:
        run.break_rule(f"#{link.number} was acknowledged by {link.actor} for all, and others must acknowledge too")


async def _opens(life: Running, token: str) -> tuple[Link, int]:
    """The page behind the link: what it may do, and the epoch it shows."""
    world = life.world
    assert world is not None
    link = links.read(world.secret, token, world.clock.now())
    incident = await world.store.read(ledger.by_number, link.number)
    if incident is None:
        raise NoSuchIncident(str(link.number))
    return link, incident.epoch


async def presses(life: Running, token: str, wish: Wish) -> str:
    """The button is pressed; answers what the person is told. Raises LinkError, NoSuchIncident, Refused, StoreError."""
    world = life.world
    assert world is not None
    link = links.read(world.secret, token, world.clock.now())
    said = await world.store.write(answer, link, wish)
    world.wake.set()
    return said


def _told(run: Run, number: int, who: str, said: str) -> None:
    """Somebody was told what came of it: from now on it holds, unless something allowed has come between."""
    run.say(f"{who} is told about #{number}: {said}")
    if said not in _HOLDS:
        return
    ((incident, state, until),) = run.disk.rows("SELECT id, state, ack_until FROM incidents WHERE number = ?", number)
    held = run.rules.incidents.held[incident]
    if held.state == "triggered":
        # Only by what was committed after the answer's own commit; the rules have looked at that entry.
        return
    run.book.promises[number] = Promise(run.loop.time(), until if state == "acknowledged" else None, who, said)


_DEEDS: dict[str, Callable[..., Awaitable[Any]]] = {
    "acknowledge": respond.acknowledge,
    "resolve": respond.resolve,
    "escalate": respond.escalate,
    "reopen": respond.reopen,
    "close": respond.close,
}
_SAYS = {"acknowledge": "acknowledged", "resolve": "resolved", "snooze": "snoozed"}


async def act(run: Run, step: Step) -> None:
    """Something done from the list: on an incident chosen among those there are."""
    person, deed, draw = step.args
    who = f"person {person}"
    states = {"reopen": ("resolved",), "close": ("resolved",)}.get(deed, ("triggered", "acknowledged"))
    found = [
        row[0]
        for row in run.disk.rows("SELECT number, state FROM incidents WHERE number > 0 ORDER BY id")
        if row[1] in states
    ]
    if deed != "report" and not found:
        return
    number = found[int(draw * len(found))] if deed != "report" else 0
    if deed in ("escalate", "escalate to", "reopen"):
        run.book.stir.add(number)
    try:
        await run.replica(draw).ask(lambda life: _does(life, who, deed, number, draw))
    except (Gone, TimeoutError, StoreError, Refused) as error:
        run.say(f"{who}: {deed} #{number}: {type(error).__name__} {error}")
        return
    _told(run, number, who, _SAYS.get(deed, deed))


async def _does(life: Running, who: str, deed: str, number: int, draw: float) -> None:
    world = life.world
    assert world is not None
    store = world.store
    match deed:
        case "report":
            await store.write(respond.report, f"reported {draw}", who, service_id=None, urgency="high")
        case "snooze":
            await store.write(respond.snooze, number, who, 900 if draw < 0.5 else 7_200)
        case "escalate to":
            await store.write(respond.escalate, number, who, int(draw * 3))
        case _:
            await store.write(_DEEDS[deed], number, who)
    world.wake.set()
