"""All that is known of one schedule's on-call: what was, and what what is to come is computed from. Values only.

**The past is a record, the future is computed.** Until `settled_until` who was on call is what was written down at the
time; from there on it follows from the versions of the schedule, overrides, absences and calendars. So no edit, no late
absence and no new zone rules ever change who was on call. Must never know the database or what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

from app.clock import Micros
from app.ids import PersonId
from app.oncall.schedule import PRIMARY, CalendarId, Override, OverrideId, Schedule

Turned = Literal["turn", "stands_in", "pays_back", "nobody_else"]
"""How somebody came to a turn: it is theirs; its owner is away; they owe one; its owner is away, and so is everybody."""


@dataclass(frozen=True, slots=True)
class ByLayer:
    """On call by a turn of a layer. Turn 1 is the layer's first."""

    layer: str
    turn: int
    how: Turned = "turn"
    instead_of: PersonId | None = None
    """Whose turn it is by the rotation, when it is not theirs."""
    because: str = ""
    """Why not the owner: "on leave", "public holiday (Epiphany)"; which turn is paid back: "turn 12"."""


@dataclass(frozen=True, slots=True)
class ByOverride:
    """On call because of an override; `replaces` is who they stand in for, None when for anybody."""

    override: OverrideId
    replaces: PersonId | None
    beneath: str = field(default="", compare=False)
    """Which shift of the one who is replaced it covers: by which layer, event or override they had it. Two shifts that
    meet stay two when they are covered, because a boundary is a handoff."""


@dataclass(frozen=True, slots=True)
class ByCalendar:
    """On call because a calendar says so."""

    layer: str
    event: str
    """What the event is called there."""


Why = ByLayer | ByOverride | ByCalendar


@dataclass(frozen=True, slots=True)
class Duty:
    """One person on call in one role, and why."""

    person: PersonId
    why: Why
    role: str = PRIMARY

    @property
    def source(self) -> tuple[object, ...]:
        """What makes two duties one shift: the same person in the same role for the same reason, whatever the turn."""
        match self.why:
            case ByLayer(layer=layer, how=how, instead_of=instead_of, because=because):
                return (self.person, self.role, layer, how, instead_of, because)
            case ByOverride(override=override, beneath=beneath):
                return (self.person, self.role, override, beneath)
            case ByCalendar(layer=layer, event=event):
                return (self.person, self.role, layer, event)
            case _:
                assert_never(self.why)


@dataclass(frozen=True, slots=True)
class Shift:
    """One person on call in one role without a break, for one reason; cut at the ends of the asked interval."""

    starts_at: Micros
    ends_at: Micros
    """Exclusive."""
    person: PersonId
    why: Why
    """For several turns in a row of one person: the first of them."""
    role: str = PRIMARY


@dataclass(frozen=True, slots=True)
class Era:
    """A version of the schedule and the time in which it is in force."""

    starts_at: Micros
    ends_at: Micros | None
    """Exclusive; None: until somebody changes it."""
    schedule: Schedule
    version: int = 1


@dataclass(frozen=True, slots=True)
class Away:
    """A person can't (or, `soft`: should not) be on call from `starts_at` until `ends_at` (exclusive)."""

    person: PersonId
    starts_at: Micros
    ends_at: Micros
    why: str
    """As people read it after "because": "on leave", "public holiday (Epiphany)", "rest after a night with pages"."""
    soft: bool = False
    """A wish: such a person is still asked before nobody, and before somebody who is really away."""


@dataclass(frozen=True, slots=True)
class Booking:
    """An event of a calendar, of somebody known."""

    calendar: CalendarId
    starts_at: Micros
    ends_at: Micros
    person: PersonId
    event: str


@dataclass(frozen=True, slots=True)
class Debt:
    """A turn, or days of one, that somebody missed and another took: they take as much of the other's in return."""

    debtor: PersonId
    creditor: PersonId
    turn: int
    """The turn that was missed."""
    blocks: int
    """How much of it: days from handoff to handoff, or turns where those are no longer than a day."""
    whole: bool = False
    """The whole turn, which is paid back by a whole turn, however long either is."""


@dataclass(frozen=True, slots=True)
class Stint:
    """What is not as the rotation says: one person in one role for some blocks of a turn (turns.py)."""

    turn: int
    role: int
    """Its place in the layer's roles."""
    first: int
    """The first block: 0 is the first day of the turn."""
    until: int
    """The block that is not theirs any more."""
    person: PersonId
    how: Turned = "stands_in"
    because: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a layer remembers when turn `turn` begins: all of the past that turns from there on depend on."""

    turn: int
    debts: tuple[Debt, ...] = ()
    """Who owes whom, oldest first."""
    lately: tuple[Stint, ...] = ()
    """Who took others' turns in the week before: not to ask the same people again."""


@dataclass(frozen=True, slots=True)
class Rota:
    """One schedule's on-call."""

    eras: tuple[Era, ...]
    """In order, apart. Before, between and after them the schedule does not exist and nobody is on call by it."""
    overrides: tuple[Override, ...] = ()
    """In any order; those outside of what is asked count nothing."""
    away: tuple[Away, ...] = ()
    bookings: tuple[Booking, ...] = ()
    settled_until: Micros = 0
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """Of each layer, by its name, of the version in force just before `settled_until`, which had better be among the
    eras even if it ended there; a layer that is missing owes nothing."""
    record: tuple[Shift, ...] = ()
    """Who was on call before `settled_until`, as far as it was asked for; in order."""
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What has been worked out of the above already (layers.py); answers never depend on what is in it. Because of it a
    rota belongs to one thread at a time."""

    @classmethod
    def of(cls, schedule: Schedule, *overrides: Override, away: tuple[Away, ...] = ()) -> Rota:
        """A schedule that has been and will be as it is."""
        return cls((Era(0, None, schedule),), overrides, away)
