"""Swaps: somebody asks another to take their shifts, for some of the other's in return or for nothing. Deeds.

    asked ── accept ──> accepted   overrides are written, one for each shift that changes hands
      ├───── decline ─> declined
      ├───── withdraw > withdrawn
      └── it begins ──> expired    nothing is written; it can't be answered any more

Accepting looks at the shifts again in its own transaction: what would change hands must be what was asked for. An accepted
swap stays; to undo it, a new one is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import and_, insert, or_, select, update

from app.clock import HOUR, Micros
from app.ids import PersonId
from app.oncall.facts import away_of, rotas
from app.oncall.record import settle
from app.oncall.rota import Away, Rota
from app.oncall.schedule import Override, OverrideId
from app.oncall.shifts import shifts
from app.oncall.tables import swaps
from app.paging.notices import Notice, tell
from app.rota import tickets
from app.rota.cover import Warned, lay
from app.rota.hands import Hand, Interval, begins, check, doubled, handed, refusal
from app.rota.swap_words import Names, answered_text, asked_text, withdrawn_text
from app.rota.tickets import Door
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Refused

State = Literal["asked", "accepted", "declined", "withdrawn", "expired"]
TICKET_HOURS = 31 * 24
"""A link to answer by lives until the swap begins, and never longer than this."""
USEFUL: Micros = 12 * HOUR
"""For how long somebody is worth telling."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for."""

    schedule_id: int
    asked_by: PersonId
    asked: PersonId
    gives: Interval
    takes: Interval | None = None
    """None: nothing in return."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap as it was asked for, and what became of it."""

    id: int
    asking: Asking
    hands: tuple[Hand, ...]
    """The shifts that change hands, as they were when it was asked for."""
    state: State
    created_at: Micros
    created_by: str
    answered_at: Micros | None
    answered_by: str | None

    @property
    def begins_at(self) -> Micros:
        """From then on it can't be answered."""
        return begins(self.asking.gives, self.asking.takes)

    def open_at(self, now: Micros) -> bool:
        """Whether it can still be answered."""
        return self.state == "asked" and now < self.begins_at

    def state_at(self, now: Micros) -> State:
        """As people are told: one that nobody answered in time is expired."""
        return "expired" if self.state == "asked" and not self.open_at(now) else self.state


async def ask(tx: Writing, door: Door, asking: Asking, by: str) -> tuple[Swap, list[Warned]]:
    """Asks, and tells the other person. The caller has checked that schedule and people are there.

    Raises BadField, Refused(`in_the_past`, `intervals_overlap`, `gives_nothing`, `takes_nothing`).
    """
    check(asking.gives, asking.takes, tx.now)
    rota = await _rota(tx, asking)
    hands = _hands(rota, asking)
    names = await _names(tx, asking)
    _refuse_empty(hands, asking, names)
    swap_id = tx.new_id()
    row = {
        "id": swap_id,
        "schedule_id": asking.schedule_id,
        "asked_by": asking.asked_by,
        "asked": asking.asked,
        "gives_from": asking.gives.starts_at,
        "gives_until": asking.gives.ends_at,
        "takes_from": asking.takes.starts_at if asking.takes else None,
        "takes_until": asking.takes.ends_at if asking.takes else None,
        "reason": asking.reason,
        "hands": [[hand.starts_at, hand.ends_at, hand.role, hand.gives, hand.takes] for hand in hands],
        "state": "asked",
        "created_at": tx.now,
        "created_by": by,
    }
    await tx.conn.execute(insert(swaps).values(row))
    swap = Swap(swap_id, asking, hands, "asked", tx.now, by, None, None)
    await _tell_asked(tx, swap, names, door)
    return swap, _warned(rota, swap, names, await _away(tx, asking))


async def accept(tx: Writing, swap_id: int, by: str) -> Swap:
    """The shifts change hands. Raises Refused(`no_such_swap`, `swap_answered`, `swap_begun`, `shifts_changed`)."""
    # Who takes the shifts is not deleted while they change hands.
    await resources.config_held(tx)
    swap = await _open(tx, swap_id)
    # Settling first also keeps every other change of this schedule away until this is committed.
    await settle(tx, [swap.asking.schedule_id])
    now = _hands(await _rota(tx, swap.asking), swap.asking)
    if refused := refusal(swap.hands, now):
        raise refused
    new = [
        Override(OverrideId(tx.new_id()), hand.starts_at, hand.ends_at, hand.takes, hand.gives, hand.role)
        for hand in swap.hands
    ]
    await lay(tx, swap.asking.schedule_id, new, swap.asking.reason or "swap", by, swap_id=swap.id)
    return await _answer(tx, swap, "accepted", by)


async def decline(tx: Writing, swap_id: int, by: str) -> Swap:
    """Nothing changes hands. Raises Refused(`no_such_swap`, `swap_answered`, `swap_begun`)."""
    return await _answer(tx, await _open(tx, swap_id), "declined", by)


async def withdraw(tx: Writing, swap_id: int, by: str) -> Swap:
    """It is asked for no more. Raises Refused(`no_such_swap`, `swap_answered`, `swap_begun`)."""
    return await _answer(tx, await _open(tx, swap_id), "withdrawn", by)


async def load(view: Reading, swap_id: int) -> Swap | None:
    """The swap; None: there is none."""
    row = (await view.conn.execute(select(swaps).where(swaps.c.id == swap_id))).first()
    return _swap(row) if row else None


async def listed(view: Reading, schedule_id: int, state: State | None, before: int, limit: int) -> list[Swap]:
    """The swaps of a schedule, newest first, with an id below `before`; of one state, if it is named."""
    columns = swaps.c
    question = select(swaps).where(columns.schedule_id == schedule_id, columns.id < before)
    if state is not None:
        to_come = and_(columns.gives_from > view.now, or_(columns.takes_from.is_(None), columns.takes_from > view.now))
        question = question.where(columns.state == ("asked" if state == "expired" else state))
        if state in ("asked", "expired"):
            question = question.where(to_come if state == "asked" else ~to_come)
    found = await view.conn.execute(question.order_by(columns.id.desc()).limit(limit))
    return [_swap(row) for row in found]


async def open_swaps_of(view: Reading, person_id: int) -> list[int]:
    """The schedules in which somebody asks for a swap or is asked for one, not answered yet."""
    columns = swaps.c
    question = (
        select(columns.schedule_id)
        .where(
            or_(columns.asked_by == person_id, columns.asked == person_id),
            columns.state == "asked",
            columns.gives_from > view.now,
            or_(columns.takes_from.is_(None), columns.takes_from > view.now),
        )
        .distinct()
    )
    return sorted((await view.conn.execute(question)).scalars())


def _swap(row: Any) -> Swap:
    takes = None if row.takes_from is None else Interval(row.takes_from, row.takes_until)
    gives = Interval(row.gives_from, row.gives_until)
    asking = Asking(row.schedule_id, PersonId(row.asked_by), PersonId(row.asked), gives, takes, row.reason)
    hands = tuple(Hand(start, end, role, PersonId(a), PersonId(b)) for start, end, role, a, b in row.hands)
    state: State = row.state
    return Swap(row.id, asking, hands, state, row.created_at, row.created_by, row.answered_at, row.answered_by)


async def _open(tx: Writing, swap_id: int) -> Swap:
    """The swap, held for this transaction. Raises Refused when it can't be answered."""
    row = (await tx.conn.execute(select(swaps).where(swaps.c.id == swap_id).with_for_update())).first()
    if row is None:
        raise Refused("no_such_swap", "there is no such swap")
    swap = _swap(row)
    if swap.state != "asked":
        raise Refused("swap_answered", f"this swap was {swap.state} by {swap.answered_by}")
    if not swap.open_at(tx.now):
        raise Refused("swap_begun", "this swap was to begin already; it can't be answered any more")
    return swap


async def _answer(tx: Writing, swap: Swap, state: State, by: str) -> Swap:
    await tx.conn.execute(
        update(swaps).where(swaps.c.id == swap.id).values(state=state, answered_at=tx.now, answered_by=by)
    )
    names = await _names(tx, swap.asking)
    withdrawn = state == "withdrawn"
    text = withdrawn_text(swap.asking, names) if withdrawn else answered_text(swap.asking, swap.hands, names, state, by)
    told = swap.asking.asked if withdrawn else swap.asking.asked_by
    await tell(tx, [Notice("swap", *text, person_id=told, once=f"swap {swap.id} {state}", useful=USEFUL)])
    return Swap(swap.id, swap.asking, swap.hands, state, swap.created_at, swap.created_by, tx.now, by)


async def _tell_asked(tx: Writing, swap: Swap, names: Names, door: Door) -> None:
    asked, left = swap.asking.asked, swap.begins_at - tx.now
    hours = min(TICKET_HOURS, -(-left // HOUR))
    token = tickets.make(door.secret, purpose="swap", subject=swap.id, person_id=int(asked), now=tx.now, hours=hours)
    text = asked_text(swap.asking, swap.hands, names)
    url = door.address(token)
    notice = Notice("swap", *text, person_id=asked, once=f"swap {swap.id}", url=url, useful=min(left, USEFUL))
    await tell(tx, [notice])


async def _rota(view: Reading, asking: Asking) -> Rota:
    both = [asking.gives, asking.takes] if asking.takes else [asking.gives]
    start, end = min(one.starts_at for one in both), max(one.ends_at for one in both)
    return (await rotas(view, [asking.schedule_id], start, end))[asking.schedule_id]


def _hands(rota: Rota, asking: Asking) -> tuple[Hand, ...]:
    """What changes hands as things are now."""
    gives, takes = asking.gives, asking.takes
    found = handed(shifts(rota, gives.starts_at, gives.ends_at), asking.asked_by, asking.asked)
    if takes:
        found += handed(shifts(rota, takes.starts_at, takes.ends_at), asking.asked, asking.asked_by)
    return found


def _refuse_empty(hands: Sequence[Hand], asking: Asking, names: Names) -> None:
    if not any(hand.gives == asking.asked_by for hand in hands):
        sentence = f"{names.people[int(asking.asked_by)]} is not on call in {names.schedule} in `gives`"
        raise Refused("gives_nothing", f"{sentence}; there is nothing to give away")
    if asking.takes and not any(hand.gives == asking.asked for hand in hands):
        sentence = f"{names.people[int(asking.asked)]} is not on call in {names.schedule} in `takes`"
        raise Refused("takes_nothing", f"{sentence}; leave `takes` out to ask for nothing in return")


async def _away(view: Reading, asking: Asking) -> list[Away]:
    """When the two are away, whether or not they take turns in this schedule."""
    sides = [(asking.asked, asking.gives), *([(asking.asked_by, asking.takes)] if asking.takes else [])]
    return [one for who, when in sides for one in (await away_of(view, who, when.starts_at, when.ends_at))[1]]


def _warned(rota: Rota, swap: Swap, names: Names, found_away: Sequence[Away]) -> list[Warned]:
    """What the two should know before they agree."""
    sides = [one for one in (swap.asking.gives, swap.asking.takes) if one]
    busy = [hand for one in sides for hand in doubled(shifts(rota, one.starts_at, one.ends_at), swap.hands)]
    found = [
        Warned("on_call_twice", f"{names.people[int(person)]} would be on call twice at a time, in two roles")
        for person in dict.fromkeys(hand.takes for hand in busy)
    ]
    away = {
        (one.person, one.why): one
        for one in found_away
        for hand in swap.hands
        if one.person == hand.takes and one.starts_at < hand.ends_at and hand.starts_at < one.ends_at
    }
    found += [Warned("away", f"{names.people[int(person)]} is away then: {why}") for person, why in away]
    return found


async def _names(view: Reading, asking: Asking) -> Names:
    """What people and schedule are called, and where the people live; of deleted ones too."""
    wanted = (int(asking.asked_by), int(asking.asked))
    people = await resources.load(view, "person", wanted, deleted=True)
    schedule = await resources.load(view, "schedule", [asking.schedule_id], deleted=True)
    zones: Mapping[int, str] = {item: found.document.get("time_zone", "UTC") for item, found in people.items()}
    called = {item: found.name for item, found in people.items()}
    return Names(schedule[asking.schedule_id].name, called, zones)
