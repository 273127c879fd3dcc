"""Who is told at one level of a policy, by which way and when. Pure: facts in, planned pages out.

Nobody is told twice on one level, whatever ways lead to them. What can't be reached says why: a level that reaches
nobody is never a silent one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import assert_never

from app.people.person import ContactMethod, Person, Urgency, steps, waits


@dataclass(frozen=True, slots=True)
class Reached:
    """Somebody a target led to. Exactly one of `person` and `channel` is set."""

    id: int
    name: str
    reason: str
    """Why them: "on call in Primary (layer weekly, turn 12)"."""
    person: Person | None = None
    channel: ContactMethod | None = None
    schedule_id: int | None = None
    quiet_s: int = 0
    """For how long their quiet hours go on; 0: they have none now."""


@dataclass(frozen=True, slots=True)
class InTurn:
    """A team of which one is told: the first of `members`, in the order of their turns, who can be."""

    team_id: int
    name: str
    members: tuple[Reached | Missed, ...]


@dataclass(frozen=True, slots=True)
class Missed:
    """A target that led to nobody, and why."""

    reason: str
    person_id: int | None = None
    """Who would have been told, where that is somebody."""


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """One page to be written. `fallback` waits until the one before it for the same person has failed."""

    person_id: int | None
    channel_id: int | None
    method_id: str
    notifier: str
    recipient: str
    reason: str
    delay_s: int
    fallback: bool
    schedule_id: int | None
    label: str = ""
    """What its person calls the contact method."""


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """What a level comes to."""

    pages: tuple[PlannedPage, ...]
    missed: tuple[Missed, ...]
    turns: tuple[tuple[int, int], ...] = ()
    """Of each team of which one is told: the team, and whose turn it was."""

    @property
    def people(self) -> dict[int, str]:
        """Who is told, by id; no channels."""
        return {page.person_id: page.recipient for page in self.pages if page.person_id is not None}


def plan_level(found: Iterable[Reached | Missed | InTurn], urgency: Urgency, have: Collection[int] = ()) -> LevelPlan:
    """The pages of one level, in the order of its targets. Who is in `have` has acknowledged already."""
    level = _Level(urgency, frozenset(have))
    for one in found:
        match one:
            case Missed():
                level.missed.append(one)
            case InTurn():
                level.add_one_of(one)
            case Reached():
                level.add(one)
            case _:
                assert_never(one)
    return LevelPlan(tuple(level.pages), tuple(level.missed), tuple(level.turns))


@dataclass(slots=True)
class _Level:
    urgency: Urgency
    have: frozenset[int]
    pages: list[PlannedPage] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    turns: list[tuple[int, int]] = field(default_factory=list)
    told: set[int] = field(default_factory=set)

    def add(self, one: Reached) -> bool:
        """Whether somebody is told for the first time on this level."""
        if one.id in self.told:
            return False
        if one.person and one.id in self.have:
            self.missed.append(Missed(f"{one.name} has acknowledged already", one.id))
            return False
        planned = _pages_of(one, self.urgency)
        if not planned:
            person_id = one.id if one.person else None
            self.missed.append(Missed(f"{one.name} has no contact method that is enabled", person_id))
            return False
        self.told.add(one.id)
        self.pages += planned
        return True

    def add_one_of(self, team: InTurn) -> None:
        """The first whose turn it is and who is not told on this level anyway; who can't be told is passed over."""
        for one in team.members:
            if isinstance(one, Missed):
                self.missed.append(one)
            elif self.add(one):
                self.turns.append((team.team_id, one.id))
                return
        if not any(isinstance(one, Reached) and one.id in self.told for one in team.members):
            self.missed.append(Missed(f"nobody of team {team.name} can be told"))


def _pages_of(one: Reached, urgency: Urgency) -> list[PlannedPage]:
    if one.channel is not None:
        return [_page(one, one.channel, 0, fallback=False)]
    assert one.person is not None
    waiting = one.quiet_s if waits(one.person, urgency) else 0
    found = steps(one.person, urgency, quiet=one.quiet_s > 0 and not waiting)
    return [_page(one, step.method, waiting + step.delay_s, fallback=step.fallback) for step in found]


def _page(one: Reached, method: ContactMethod, delay_s: int, *, fallback: bool) -> PlannedPage:
    return PlannedPage(
        person_id=one.id if one.person else None,
        channel_id=one.id if one.channel and one.id else None,
        method_id=method.id,
        notifier=method.kind,
        recipient=one.name,
        reason=one.reason,
        delay_s=delay_s,
        fallback=fallback,
        schedule_id=one.schedule_id,
        label=method.label,
    )


@dataclass(frozen=True, slots=True)
class Position:
    """Where an escalation stands: `level` counts the levels told in this round, `round` from 0."""

    level: int
    round: int


def next_position(at: Position, levels: int, repeat: int) -> Position | None:
    """The level to be told next, or None when the policy has ended."""
    if at.level < levels:
        return at
    return Position(0, at.round + 1) if at.round < repeat else None
