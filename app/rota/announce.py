"""Who is told that they come on call, who is tried out by a drill, and when to look again. Pure.

A **stint** is what counts, not a shift: one person in one role without a break, whatever the reasons. So a shift that only
goes on is not announced, and a stand-in who begins is. What was told is known by name (the caller sees to that), so asking
again tells nobody twice; what is decided here is only what would be right to tell now:

- before: to whoever's stint begins within `before`;
- at handoff: whoever has begun and is still on call; a handoff that is seen later than LATE (the server was down) is not
  told to the person any more, and those that are over meanwhile are told to nobody;
- a drill: to whoever has begun, at a time of day at which people are awake (AWAKE), unless the stint has none.

Must never know the database, nor how a notice is worded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.clock import DAY, HOUR, MINUTE, Micros
from app.ids import PersonId
from app.oncall.rota import Shift
from app.oncall.walltime import UnknownZone, instant, wall, zone

BACK: Micros = 2 * DAY
"""How far back a beginning is looked for: after a longer stop of the server it is no news any more."""
LATE: Micros = 30 * MINUTE
LEAST_AHEAD: Micros = 2 * MINUTE
"""Nobody is told ahead of what begins sooner: the handoff itself follows at once."""
OVERLAP: Micros = 2 * HOUR
"""Who is still on call so long after another began hands over to them (the hour that comes twice)."""
AWAKE = (time(9), time(20))
"""From and until which local time of the person drills are sent."""
DRILL_LATE: Micros = 4 * HOUR
"""A drill that could not be sent at its time is sent within so long, or not at all."""
DRILL_APART: Micros = 20 * HOUR
"""Between two drills of one person in one schedule."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a schedule's people are told."""

    before: Micros | None
    at_handoff: bool
    drill: bool


@dataclass(frozen=True, slots=True)
class Stint:
    """One person on call in one role without a break."""

    starts_at: Micros
    ends_at: Micros
    shift: Shift
    """Its first shift: why they came on call."""

    @property
    def person(self) -> PersonId:
        """Who."""
        return self.shift.person

    @property
    def role(self) -> str:
        """As what."""
        return self.shift.role


@dataclass(frozen=True, slots=True)
class Facts:
    """One schedule, laid out around now."""

    settings: Settings
    since: Micros
    """From when it is laid out: what is on then began at a time that is not known."""
    until: Micros
    shifts: tuple[Shift, ...]
    zones: Mapping[PersonId, str]
    drilled: Mapping[PersonId, Micros]
    """When each was last tried out."""


@dataclass(frozen=True, slots=True)
class Turnover:
    """A stint that is to be announced, and who hands over to it."""

    stint: Stint
    handing_over: tuple[PersonId, ...]
    late: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to tell now, and when to look again."""

    before: tuple[Turnover, ...]
    handoffs: tuple[Turnover, ...]
    drills: tuple[Stint, ...]
    look_at: Micros


def window(settings: Settings, now: Micros) -> tuple[Micros, Micros]:
    """The interval that has to be laid out for a decision at `now`."""
    return now - BACK, now + (settings.before or 0) + DAY + HOUR


def stints(shifts: Iterable[Shift]) -> tuple[Stint, ...]:
    """Shifts joined where the same person goes on in the same role; in order."""
    done: list[Stint] = []
    running: dict[tuple[PersonId, str], Stint] = {}
    for shift in sorted(shifts, key=lambda one: (one.starts_at, one.ends_at)):
        key = (shift.person, shift.role)
        before = running.get(key)
        if before is not None and shift.starts_at <= before.ends_at:
            running[key] = replace(before, ends_at=max(before.ends_at, shift.ends_at))
            continue
        if before is not None:
            done.append(before)
        running[key] = Stint(shift.starts_at, shift.ends_at, shift)
    return tuple(sorted([*done, *running.values()], key=lambda one: (one.starts_at, one.role, one.person)))


def decide(facts: Facts, now: Micros) -> Plan:
    """What to tell at `now`, and when there may be something to tell next: within a day in any case."""
    known = stints(facts.shifts)
    begun = [one for one in known if facts.since < one.starts_at <= now < one.ends_at]
    ahead = [one for one in known if one.starts_at > now]
    lead = facts.settings.before
    soon = [one for one in ahead if lead is not None and LEAST_AHEAD <= one.starts_at - now <= lead]
    looks = [now + DAY, *(one.starts_at for one in ahead)]
    if lead is not None:
        looks += [one.starts_at - lead for one in ahead if one.starts_at - lead > now]
    drills, later = _drills(facts, begun, now) if facts.settings.drill else ((), [])
    return Plan(
        before=tuple(Turnover(one, _handing_over(one, known)) for one in soon),
        handoffs=tuple(
            Turnover(one, _handing_over(one, known), late=now - one.starts_at > LATE)
            for one in begun
            if facts.settings.at_handoff
        ),
        drills=drills,
        look_at=min([*looks, *later]),
    )


def _handing_over(stint: Stint, known: Iterable[Stint]) -> tuple[PersonId, ...]:
    """Who was on call in the same role until it began, or a little longer."""
    return tuple(
        one.person
        for one in known
        if one.role == stint.role
        and one.person != stint.person
        and one.starts_at < stint.starts_at <= one.ends_at <= stint.starts_at + OVERLAP
    )


def _drills(facts: Facts, begun: Iterable[Stint], now: Micros) -> tuple[tuple[Stint, ...], list[Micros]]:
    """Who is tried out now, each person once; and when others are to be."""
    due: dict[PersonId, Stint] = {}
    later = []
    for stint in begun:
        place = facts.zones.get(stint.person, "UTC")
        at = drill_at(stint, place)
        last = facts.drilled.get(stint.person)
        if last is not None and last > at - DRILL_APART:
            continue
        if at > now:
            later.append(at)
        elif now - at <= (DRILL_LATE if awake(at, place) and awake(now, place) else LATE):
            due.setdefault(stint.person, stint)
    return tuple(due.values()), later


def awake(at: Micros, zone_name: str) -> bool:
    """Whether people in that zone may be tried out at this instant."""
    return AWAKE[0] <= _clock(at, zone_name).time() < AWAKE[1]


def drill_at(stint: Stint, zone_name: str) -> Micros:
    """When a stint's drill is sent: at its start, or the first morning in it if it starts at night and has one."""
    if awake(stint.starts_at, zone_name):
        return stint.starts_at
    local = _clock(stint.starts_at, zone_name)
    morning = datetime.combine(local.date(), AWAKE[0])
    if morning <= local:
        morning += timedelta(days=1)
    at = instant(_rules(zone_name), morning)
    return at if at < stint.ends_at else stint.starts_at


def _clock(at: Micros, zone_name: str) -> datetime:
    return wall(_rules(zone_name), at)


def _rules(zone_name: str) -> ZoneInfo:
    try:
        return zone(zone_name)
    except UnknownZone:
        return zone("UTC")
