"""Which shifts change hands when somebody asks another to swap, and whether what was asked still stands. Pure.

Only what lies in the two intervals changes hands, shift by shift: each keeps its own beginning and end, and whoever else
is on call in between is not touched. Must never know the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.clock import DAY, Micros, spoken
from app.ids import PersonId
from app.oncall.rota import Shift
from app.oncall.schedule import BadField
from app.store.resources import Refused

LONGEST: Micros = 35 * DAY
"""Each side of a swap is at most this long: a month of the calendar and a few days."""
FURTHEST: Micros = 366 * DAY
"""A swap begins at most this long after it is asked for."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `starts_at` until just before `ends_at`."""

    starts_at: Micros
    ends_at: Micros


@dataclass(frozen=True, slots=True)
class Hand:
    """One shift, or the part of one that lies in the interval, that goes from one person to another."""

    starts_at: Micros
    ends_at: Micros
    role: str
    gives: PersonId
    takes: PersonId


def check(gives: Interval, takes: Interval | None, now: Micros) -> None:
    """Raises BadField for an interval that can't be, Refused(`in_the_past`, `intervals_overlap`)."""
    for name, one in (("gives", gives), ("takes", takes)):
        if one is None:
            continue
        if one.ends_at <= one.starts_at:
            raise BadField(f"{name}.to", "must be after from")
        if one.ends_at - one.starts_at > LONGEST:
            raise BadField(f"{name}.to", f"must be at most {LONGEST // DAY} days after from; ask for several swaps")
        if one.starts_at <= now:
            raise Refused("in_the_past", f"`{name}` has begun already; ask for a swap of shifts that are still to come")
        if one.starts_at > now + FURTHEST:
            raise BadField(f"{name}.from", "must be within a year from now")
    if takes and takes.starts_at < gives.ends_at and gives.starts_at < takes.ends_at:
        raise Refused("intervals_overlap", "`gives` and `takes` overlap; nobody can give and take at the same time")


def handed(shifts: Iterable[Shift], gives: PersonId, takes: PersonId) -> tuple[Hand, ...]:
    """The duties of `gives` among the shifts of an interval, each going to `takes`; in order."""
    mine = (shift for shift in shifts if shift.person == gives)
    found = (Hand(shift.starts_at, shift.ends_at, shift.role, gives, takes) for shift in mine)
    return tuple(sorted(found, key=lambda hand: (hand.starts_at, hand.role)))


def doubled(shifts: Iterable[Shift], hands: Sequence[Hand]) -> tuple[Hand, ...]:
    """Those that go to somebody who is on call at that time already, in another place of the same schedule."""
    busy = list(shifts)
    return tuple(
        hand
        for hand in hands
        if any(
            shift.person == hand.takes and shift.starts_at < hand.ends_at and hand.starts_at < shift.ends_at
            for shift in busy
        )
    )


def begins(gives: Interval, takes: Interval | None) -> Micros:
    """When a swap begins: from then on it can't be answered any more."""
    return min(gives.starts_at, takes.starts_at) if takes else gives.starts_at


def refusal(then: Sequence[Hand], now: Sequence[Hand]) -> Refused | None:
    """Why a swap can't be accepted as it was asked: what would change hands `now` is not what it was `then`."""
    gone = [hand for hand in then if hand not in now]
    if not gone and len(then) == len(now):
        return None
    first = min([*gone, *(hand for hand in now if hand not in then)], key=lambda hand: hand.starts_at)
    return Refused(
        "shifts_changed",
        f"the shifts are not those that were asked for any more: look at {spoken(first.starts_at)}; ask for a new swap",
    )
