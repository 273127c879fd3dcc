"""What somebody sees and does by a ticket: a swap they are asked for, a drill. One question and one deed.

A ticket ends with its person. Must never know a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select

from app.clock import Micros
from app.paging.tokens import Expired, Forged
from app.people.active import GONE, active
from app.people.person import Person
from app.rota import drills, swaps
from app.rota.hands import Hand
from app.rota.swaps import State
from app.rota.tables import drills as drill_rows
from app.rota.tickets import Ticket
from app.store import resources
from app.store.database import Reading, Writing

Word = Literal["accept", "decline", "here"]
Said = Literal["accepted", "declined", "answered", "late", "already"]


@dataclass(frozen=True, slots=True)
class SwapFacts:
    """A swap as the person who is asked sees it."""

    now: Micros
    me: str
    zone: str
    schedule: str
    asker: str
    reason: str
    takes: tuple[Hand, ...]
    """The shifts that come to the person who is asked."""
    gives: tuple[Hand, ...]
    """The shifts that they give in return."""
    state: State
    answered_by: str
    answered_at: Micros | None
    begins_at: Micros


@dataclass(frozen=True, slots=True)
class DrillFacts:
    """A drill as the person who is tried out sees it."""

    now: Micros
    me: str
    zone: str
    schedule: str
    role: str
    created_at: Micros
    answer_by: Micros
    answered_at: Micros | None
    failed_at: Micros | None


Facts = SwapFacts | DrillFacts


async def facts_of(view: Reading, ticket: Ticket) -> Facts:
    """What a ticket is about. Raises Forged when that is not there (or not theirs), Expired when its person is not there."""
    person = await _person(view, ticket)
    match ticket.purpose:
        case "swap":
            return await _swap(view, ticket, person)
        case "drill":
            return await _drill(view, ticket, person)


async def _person(view: Reading, ticket: Ticket) -> Person:
    found = (await active(view, [ticket.person_id])).get(ticket.person_id)
    if found is None:
        raise Expired(GONE)
    return found.as_a(Person)


async def _name(view: Reading, kind: str, item: int) -> str:
    found = (await resources.load(view, kind, [item], deleted=True)).get(item)
    return found.name if found else "(deleted)"


async def _swap(view: Reading, ticket: Ticket, person: Person) -> SwapFacts:
    swap = await swaps.load(view, ticket.subject)
    if swap is None or int(swap.asking.asked) != ticket.person_id:
        raise Forged("not a link of ours")
    return SwapFacts(
        now=view.now,
        me=person.name,
        zone=person.time_zone,
        schedule=await _name(view, "schedule", swap.asking.schedule_id),
        asker=await _name(view, "person", int(swap.asking.asked_by)),
        reason=swap.asking.reason,
        takes=tuple(hand for hand in swap.hands if hand.takes == swap.asking.asked),
        gives=tuple(hand for hand in swap.hands if hand.gives == swap.asking.asked),
        state=swap.state_at(view.now),
        answered_by=swap.answered_by or "",
        answered_at=swap.answered_at,
        begins_at=swap.begins_at,
    )


async def _drill(view: Reading, ticket: Ticket, person: Person) -> DrillFacts:
    drill = await _drill_row(view, ticket)
    return DrillFacts(
        now=view.now,
        me=person.name,
        zone=person.time_zone,
        schedule=await _name(view, "schedule", drill.schedule_id),
        role=drill.role,
        created_at=drill.created_at,
        answer_by=drill.answer_by,
        answered_at=drill.answered_at,
        failed_at=drill.failed_at,
    )


async def _drill_row(view: Reading, ticket: Ticket) -> Any:
    found = (await view.conn.execute(select(drill_rows).where(drill_rows.c.id == ticket.subject))).one_or_none()
    if found is None or found.person_id != ticket.person_id:
        raise Forged("not a link of ours")
    return found


async def act(tx: Writing, ticket: Ticket, word: Word) -> Said:
    """Does what the person pressed, in their name. Raises Forged, Expired, or Refused with a sentence for them."""
    facts = await facts_of(tx, ticket)
    match word:
        case "accept":
            await swaps.accept(tx, ticket.subject, facts.me)
            return "accepted"
        case "decline":
            await swaps.decline(tx, ticket.subject, facts.me)
            return "declined"
        case "here":
            return await drills.answer(tx, ticket.subject, ticket.person_id)
