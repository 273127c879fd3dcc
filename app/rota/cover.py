"""Overrides: somebody stands in for a whole shift, a part of one or several, or takes over what is on. Deeds.

An override is made and taken back, never edited. One made later is laid over the earlier ones. With `replaces` it takes
that person's shifts in the interval and nothing else, so the shifts of others in between stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, select, update

from app.clock import DAY, Micros, spoken
from app.ids import PersonId
from app.oncall.facts import away_of, overrides_of, rotas
from app.oncall.record import settle
from app.oncall.resolve import next_change, on_call
from app.oncall.rota import Away, ByOverride, Duty, Rota, Shift
from app.oncall.schedule import PRIMARY, BadField, Override, OverrideId
from app.oncall.shifts import shifts
from app.oncall.tables import overrides
from app.rota.ahead import look_again_of
from app.rota.watch import watch
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Refused

LONGEST: Micros = 366 * DAY
FURTHEST: Micros = 2 * 366 * DAY
"""An override begins at most this long from now: what is further is a typing error."""
LOOKED_AHEAD: Micros = 62 * DAY
"""How far ahead the end of a shift is looked for when somebody takes it over."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that was done as asked, and may not be what was meant."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What the schedule says to an override before it is made."""

    fault: BadField | None = None
    warned: tuple[Warned, ...] = ()


def misplaced(said: Override, now: Micros) -> BadField | None:
    """Why an override can't be made at this time, if it can't. Pure."""
    if said.ends_at <= now:
        return BadField("ends_at", "is over already: an override changes who is on call from now on, not who was")
    if said.ends_at - max(said.starts_at, now) > LONGEST:
        return BadField("ends_at", f"must be at most {LONGEST // DAY} days after starts_at")
    if said.starts_at > now + FURTHEST:
        return BadField("starts_at", "must be within two years from now")
    return None


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who is to stand in, as far as it matters to whoever asks them."""

    name: str = ""
    away: tuple[Away, ...] = ()


async def about(view: Reading, schedule_id: int, said: Override) -> tuple[Rota, StandIn] | None:
    """What `advice` is computed from; None: the override can't be made at this time."""
    if misplaced(said, view.now):
        return None
    start = max(said.starts_at, view.now)
    rota = (await rotas(view, [schedule_id], start, said.ends_at))[schedule_id]
    return rota, StandIn(*await away_of(view, said.person, start, said.ends_at))


def advice(rota: Rota, said: Override, now: Micros, stand_in: StandIn | None = None) -> Advice:
    """Whether the schedule has the role, whether `replaces` is on call at all then, and whether who stands in can.

    Pure; up to 100 ms for a year.
    """
    roles = roles_of(rota)
    if said.role is not None and said.role not in roles:
        return Advice(BadField("role", f"is not one of this schedule's; it has {', '.join(roles)}"))
    start = max(said.starts_at, now)
    if said.replaces is None or any(
        shift.person == said.replaces and said.role in (None, shift.role) for shift in shifts(rota, start, said.ends_at)
    ):
        return Advice(warned=_unable(rota, said, start, stand_in or StandIn()))
    where = "" if said.role is None else f" as {said.role}"
    sentence = (
        f"whom it replaces is not on call{where} in that time, as things are now; it changes nothing until they are"
    )
    return Advice(warned=(Warned("replaces_nobody", sentence),))


def _unable(rota: Rota, said: Override, start: Micros, stand_in: StandIn) -> tuple[Warned, ...]:
    """Why whoever stands in may not be the right one: they would be on call twice, or they are away."""
    laid = replace(said, id=OverrideId(max((one.id for one in rota.overrides), default=0) + 1))
    before = shifts(rota, start, said.ends_at)
    after = shifts(replace(rota, overrides=(*rota.overrides, laid)), start, said.ends_at)
    taken = [one for one in after if isinstance(one.why, ByOverride) and one.why.override == laid.id]
    found = []
    if _twice(after, said.person) and not _twice(before, said.person):
        found.append(Warned("on_call_twice", f"{stand_in.name} would be on call twice at a time, in two roles"))
    reasons = dict.fromkeys(
        one.why
        for one in stand_in.away
        if any(one.starts_at < shift.ends_at and shift.starts_at < one.ends_at for shift in taken)
    )
    return (*found, *(Warned("away", f"{stand_in.name} is away then: {reason}") for reason in reasons))


def _twice(found: Iterable[Shift], person: PersonId) -> bool:
    """Whether somebody has two roles at one time; the shifts are in order."""
    until: dict[str, Micros] = {}
    for shift in found:
        if shift.person == person:
            if any(end > shift.starts_at for role, end in until.items() if role != shift.role):
                return True
            until[shift.role] = max(until.get(shift.role, 0), shift.ends_at)
    return False


def roles_of(rota: Rota) -> tuple[str, ...]:
    """Every role that the schedule has in any of the versions; at least the one that everybody has."""
    return tuple(dict.fromkeys(role for era in rota.eras for role in era.schedule.roles())) or (PRIMARY,)


async def make(tx: Writing, schedule_id: int, said: Override, reason: str, by: str) -> list[Warned]:
    """Makes the override, from now on at the earliest; names those it is laid over. Raises BadField."""
    if fault := misplaced(said, tx.now):
        raise fault
    # Settling first keeps every other change of this schedule away: of two at once the second is told of the first.
    await settle(tx, [schedule_id])
    before = await overrides_of(tx, schedule_id, max(said.starts_at, tx.now), said.ends_at)
    await lay(tx, schedule_id, [said], reason, by)
    below = [one for one in before if touch(said, one)]
    names = await _names(tx, (int(one.person) for one in below))
    return [Warned("laid_over", _over(one, names)) for one in below]


def touch(above: Override, below: Override) -> bool:
    """Whether an override made later changes, or is changed by, one made before it at a time that both have. Pure."""
    if above.role is not None and below.role is not None and above.role != below.role:
        return False
    if above.replaces is None or below.replaces is None:
        return True
    return above.replaces in (below.person, below.replaces)


def _over(one: Override, names: Mapping[int, str]) -> str:
    name = names.get(int(one.person), "somebody who was deleted")
    return f"it lies over override {one.id}: {name} from {spoken(one.starts_at)} until {spoken(one.ends_at)}"


async def lay(
    tx: Writing, schedule_id: int, new: Sequence[Override], reason: str, by: str, *, swap_id: int | None = None
) -> None:
    """Writes overrides, none of which reaches into the past, and lets those who watch ahead look again."""
    await settle(tx, [schedule_id])
    rows = [
        {
            "id": one.id,
            "schedule_id": schedule_id,
            "person_id": one.person,
            "replaces": one.replaces,
            "role": one.role,
            # Who was on call until now stays who was.
            "starts_at": max(one.starts_at, tx.now),
            "ends_at": one.ends_at,
            "reason": reason,
            "swap_id": swap_id,
            "created_at": tx.now,
            "created_by": by,
        }
        for one in new
    ]
    await tx.conn.execute(insert(overrides), rows)
    await _look(tx, schedule_id)


async def cancel(tx: Writing, schedule_id: int, override_id: int) -> bool:
    """Takes an override back from now on; what was before stays. False: there is none.

    Raises Refused: `override_over`; `part_of_swap`, because half a swap would leave one of two with both shifts.
    """
    await settle(tx, [schedule_id])
    columns = overrides.c
    this = (columns.id == override_id, columns.schedule_id == schedule_id, columns.cancelled_at.is_(None))
    question = select(columns.starts_at, columns.ends_at, columns.swap_id).where(*this).with_for_update()
    found = (await tx.conn.execute(question)).first()
    if found is None:
        return False
    if found.ends_at <= tx.now:
        raise Refused("override_over", "this override has ended; who was on call stays who was")
    if found.swap_id is not None:
        raise Refused(
            "part_of_swap",
            f"this override is one side of the swap {found.swap_id}; ask for a swap back, or lay an override over it",
        )
    end = {"ends_at": tx.now} if found.starts_at < tx.now else {"cancelled_at": tx.now}
    await tx.conn.execute(update(overrides).where(*this).values(**end))
    await _look(tx, schedule_id)
    return True


async def _look(tx: Writing, schedule_id: int) -> None:
    await watch(tx, [schedule_id])
    await look_again_of(tx, [schedule_id])


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Somebody takes what is on now."""

    person: PersonId
    role: str | None = None
    replaces: PersonId | None = None
    until: Micros | None = None
    """None: until the shift that is taken ends, or where nobody is on call, until somebody would come."""
    reason: str = ""


async def take_over(tx: Writing, schedule_id: int, said: TakeOver, by: str) -> tuple[OverrideId, tuple[Warned, ...]]:
    """Puts the person in the place of whoever is on call now; answers the override that does it, and what to know of it.

    Raises BadField, Refused(`already_on_call`, `several_on_call`, `no_end`).
    """
    # Settling first keeps every other change of this schedule away: of two who take over at once the second does so from the first.
    await settle(tx, [schedule_id])
    rota = (await rotas(tx, [schedule_id], tx.now, tx.now + LOOKED_AHEAD))[schedule_id]
    place = taken(rota, said, tx.now, await _names(tx, (int(duty.person) for duty in on_call(rota, tx.now).people)))
    until = said.until if said.until is not None else _end(rota, place, tx.now)
    if not tx.now < until <= tx.now + LONGEST:
        raise BadField("until", f"must be after now, and within {LONGEST // DAY} days")
    made = Override(OverrideId(tx.new_id()), tx.now, until, said.person, place.replaces, place.role)
    seen = replace(made, ends_at=min(until, tx.now + LOOKED_AHEAD))
    stand_in = StandIn(*await away_of(tx, said.person, tx.now, seen.ends_at))
    await lay(tx, schedule_id, [made], said.reason, by)
    return made.id, _unable(rota, seen, tx.now, stand_in)


@dataclass(frozen=True, slots=True)
class Place:
    """What is taken over: the role, and from whom; from nobody where nobody has it."""

    role: str
    replaces: PersonId | None
    duty: Duty | None = None


def taken(rota: Rota, said: TakeOver, now: Micros, names: Mapping[int, str]) -> Place:
    """Whose place it is. Pure. Raises BadField, Refused as `take_over`."""
    roles = roles_of(rota)
    if said.role is not None and said.role not in roles:
        raise BadField("role", f"is not one of this schedule's; it has {', '.join(roles)}")
    people = on_call(rota, now).people
    there = [duty for duty in people if said.role in (None, duty.role) and said.replaces in (None, duty.person)]
    mine = next((duty for duty in there if duty.person == said.person), None)
    if mine is not None:
        raise Refused("already_on_call", f"this person is on call already, as {mine.role}")
    if len(there) > 1:
        who = ", ".join(f"{names.get(int(duty.person), '(deleted)')} ({duty.role})" for duty in there)
        raise Refused("several_on_call", f"several are on call: {who}; say which with `role` or `replaces`")
    if there:
        return Place(there[0].role, there[0].person, there[0])
    if said.replaces is not None:
        raise BadField("replaces", "is not on call now")
    return Place(said.role or roles[0], None)


def _end(rota: Rota, place: Place, now: Micros) -> Micros:
    """When the shift that is taken over ends. Raises Refused(`no_end`)."""
    horizon = now + LOOKED_AHEAD
    if place.duty is None:
        end = next_change(rota, now)
    else:
        source = place.duty.source
        ends = (
            shift.ends_at
            for shift in shifts(rota, now, horizon)
            if shift.starts_at == now and Duty(shift.person, shift.why, shift.role).source == source
        )
        end = next(ends, None)
    if end is None or end >= horizon:
        days = LOOKED_AHEAD // DAY
        raise Refused("no_end", f"what is taken over does not end within {days} days; say with `until` for how long")
    return end


async def _names(view: Reading, people: Iterable[int]) -> dict[int, str]:
    return {item: found.name for item, found in (await resources.load(view, "person", people)).items()}


async def stored(view: Reading, override_id: int) -> Any:
    """The row of an override."""
    return (await view.conn.execute(select(overrides).where(overrides.c.id == override_id))).one()
