"""What a person does by a link: one deed, in one transaction, the same however often it comes.

A page may be old when its button is pressed, so two things are never done by surprise: an incident that somebody else has
is taken from them only when that was asked for (`held`), and resolve, escalate and snooze act only on the state the
person saw (`stale`). An acknowledgement of an incident nobody has always counts.
Knows no HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from app.incidents import ledger, respond
from app.incidents.incident import Incident, Resolution
from app.incidents.respond import NoSuchIncident
from app.incidents.states import OPEN_STATES
from app.incidents.tables import timeline
from app.paging import joining, joint, redirect
from app.paging.links import Expired, Link
from app.people.active import GONE, active
from app.store.database import Reading, Writing
from app.store.resources import Refused

Said = Literal[
    "acknowledged",
    "counted",
    "taken_over",
    "snoozed",
    "escalated",
    "resolved",
    "joined",
    "declined",
    "asked",
    "alone",
    "already",
    "held",
    "each",
    "stale",
    "over",
    "merged",
]
"""`counted`: acknowledged for oneself, and others must too. `alone`: nobody else can be asked. `already`: the same person had done just that. `over`: the
incident is no longer open. `merged`: it goes on in another. `each`: it is not known whose acknowledgement it would be.
Those and `alone`, `held`, `stale` changed nothing."""

DONE: frozenset[Said] = frozenset(
    {"acknowledged", "counted", "taken_over", "snoozed", "escalated", "resolved", "joined", "declined", "asked"}
)
"""Answers after which something is different."""

_KINDS = {"acknowledge": "acknowledged", "snooze": "snoozed", "escalate": "escalated", "resolve": "resolved"}
_DEEDS = (*_KINDS.values(), "ack_expired", "unacknowledged", "reopened", "reassigned", "policy_changed")
"""Entries of the timeline that raise the epoch."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was chosen beside the link."""

    take_over: bool = False
    snooze_s: int = 900
    resolution: Resolution = "fix"


async def answer(tx: Writing, link: Link, wish: Wish) -> Said:
    """Does what the link may do. Raises NoSuchIncident, or Expired when the link's person is not there."""
    incident = await ledger.by_number(tx, link.number, lock=True)
    if incident is None or incident.id != link.incident_id:
        raise NoSuchIncident("this link's incident is not here")
    await check_person(tx, link)
    refusal = _refusal(incident, link, wish)
    if refusal == "stale" and await _did_it(tx, incident, link):
        return "already"
    return refusal or await _act(tx, incident, link, wish)


async def check_person(view: Reading, link: Link) -> None:
    """Raises Expired when the link's person was removed or disabled: their links end with them."""
    if link.person_id is not None and not await active(view, [link.person_id]):
        raise Expired(GONE)


def _refusal(incident: Incident, link: Link, wish: Wish) -> Said | None:
    """Why nothing is to be done, if so. Pure."""
    if incident.state == "merged":
        return "merged"
    if incident.state not in OPEN_STATES:
        return "already" if link.action == "resolve" and incident.resolved_by == link.actor else "over"
    if link.epoch and link.epoch != incident.epoch:
        return "stale"
    mine = incident.acknowledged_by == link.actor
    if link.action == "acknowledge" and incident.state == "acknowledged" and mine:
        return "already"
    if link.action in ("acknowledge", "snooze") and incident.state == "acknowledged" and not mine:
        return None if wish.take_over else "held"
    return None


async def _did_it(tx: Writing, incident: Incident, link: Link) -> bool:
    """Whether the last change was this same person doing this same thing: a button pressed twice."""
    question = (
        select(timeline.c.kind, timeline.c.actor)
        .where(timeline.c.incident_id == incident.id, timeline.c.kind.in_(_DEEDS))
        .order_by(timeline.c.id.desc())
        .limit(1)
    )
    last = (await tx.conn.execute(question)).first()
    return last is not None and (last.kind, last.actor) == (_KINDS[link.action], link.actor)


async def _act(tx: Writing, incident: Incident, link: Link, wish: Wish) -> Said:
    match link.action:
        case "acknowledge":
            return await _acknowledge(tx, incident, link, wish)
        case "snooze":
            await respond.snooze(tx, link.number, link.actor, wish.snooze_s)
            return "snoozed"
        case "escalate":
            await redirect.escalate(tx, link.number, link.actor)
            return "escalated"
        case "resolve":
            await respond.resolve(tx, link.number, link.actor, wish.resolution)
            return "resolved"
        case "join" | "decline":
            assert link.person_id is not None
            accept = link.action == "join"
            await joining.reply(tx, link.number, link.actor, link.person_id, accept=accept)
            return "joined" if accept else "declined"
        case "help":
            return await _help(tx, link)


async def _help(tx: Writing, link: Link) -> Said:
    try:
        return "asked" if await joining.ask_next(tx, link.number, link.actor, link.person_id or 0) else "already"
    except Refused:
        return "alone"


async def _joins(tx: Writing, incident: Incident, link: Link) -> None:
    """Whoever was asked to join and acknowledges instead has answered."""
    asked = await joining.question_to(tx, incident, link.person_id) if link.person_id is not None else None
    if asked is not None and asked.state == "waiting":
        await joining.reply(tx, link.number, link.actor, asked.person_id, accept=True)


async def _acknowledge(tx: Writing, incident: Incident, link: Link, wish: Wish) -> Said:
    """Where each of several must acknowledge, it counts for the link's person; taking over counts for everybody."""
    if incident.awaiting and link.person_id is None and not wish.take_over:
        return "each"
    had = await joint.have_it(tx, incident)
    after = await joint.acknowledge(tx, link.number, link.actor, link.person_id, for_everybody=wish.take_over)
    await _joins(tx, incident, link)
    if after.state == "triggered":
        return "already" if link.person_id in had else "counted"
    return "taken_over" if incident.state == "acknowledged" else "acknowledged"
