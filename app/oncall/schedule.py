"""What a schedule is: layers of turns in local wall time, and the overrides laid over them.

The values that on-call is computed from, and their rules: a value that breaks one can't be made. How they are written as
JSON is codec.py's; who is on call is resolve.py's. Must never know the database, HTTP, or what time it is.

ScheduleError (ValueError)
├── BadField    a value breaks a rule; names the field and the rule in one sentence
└── BadRange    an interval that can't be laid out (shifts.py)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Literal, NewType

from app.clock import Micros
from app.ids import PersonId
from app.oncall.walltime import UnknownZone, zone

OverrideId = NewType("OverrideId", int)
"""Ordered by time (app/ids.py): a larger one was made later, and is laid over the smaller ones."""

CalendarId = NewType("CalendarId", int)
"""A calendar that is read from elsewhere (app/oncall/tables.py, kind "calendar" of the configuration)."""

Unit = Literal["hour", "day", "week", "month"]
"""What the length of a turn is counted in, on the clock and calendar of the schedule's zone."""

PRIMARY = "primary"
"""The role of a layer that names none."""

MAX_NAME = 100
MAX_LAYERS = 50
MAX_PARTICIPANTS = 500
MAX_RESTRICTIONS = 50
MAX_LENGTH = 366
MAX_LENGTHS = 50
MAX_AT_ONCE = 20
MAX_ROLE = 50
FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Dates outside are typing errors; inside, no arithmetic here can overflow."""
LAST_INSTANT: Micros = 7_258_118_400_000_000
"""2200-01-01T00:00:00Z."""


class ScheduleError(ValueError):
    """Something is wrong with what a schedule was asked to be, or to tell."""


class BadField(ScheduleError):
    """A value breaks a rule. `field` is its path ("layers[0].handoff"), `rule` says what it must be."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field} {rule}")
        self.field = field
        self.rule = rule


class BadRange(ScheduleError):
    """The interval ends before it starts, or is longer than can be laid out at once."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """A window of local time in which a layer is active, on each of its weekdays.

    `end` is exclusive. An `end` at or before `start` is on the next day, so 00:00 to 00:00 is the whole day.
    """

    weekdays: frozenset[int]
    """The days on which the window starts: 0 is Monday, as in `date.weekday()`."""
    start: time
    end: time

    def __post_init__(self) -> None:
        _check(bool(self.weekdays) and self.weekdays <= frozenset(range(7)), "weekdays", "must name at least one day")
        _check_clock("start", self.start)
        _check_clock("end", self.end)


@dataclass(frozen=True, slots=True)
class Layer:
    """One rotation: its participants take turns, one after another, for ever.

    The first turn starts on `start_date` at `handoff`; a weekly layer hands over on the weekday of that date, a monthly
    one on its day of the month (the last day of a shorter month).
    Without restrictions the layer is active at all hours. Without participants it is never active.
    """

    name: str
    """Unique in its schedule: the reason "because of this layer" is told by it."""
    participants: tuple[PersonId, ...]
    """In the order of their turns; the same person may stand in it more than once."""
    unit: Unit
    lengths: tuple[int, ...]
    """How many units a turn lasts. Of several, turn 1 takes the first, turn 2 the second, and so on, round and round."""
    start_date: date
    handoff: time
    restrictions: tuple[Restriction, ...] = ()
    """The layer is active while any of them is."""
    starts_at: Micros | None = None
    """The layer is not active before; its turns are counted from `start_date` all the same."""
    ends_at: Micros | None = None
    """The layer is not active from this instant on."""
    roles: tuple[str, ...] = (PRIMARY,)
    """One for each person who is on call at once. The first is taken by the participant whose turn it is, the next by
    the participant after, and so on. The same role may stand here more than once."""
    advance: int = 1
    """By how many participants the rotation moves on from turn to turn."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check(len(self.participants) <= MAX_PARTICIPANTS, "participants", f"must be at most {MAX_PARTICIPANTS}")
        _check(1 <= len(self.lengths) <= MAX_LENGTHS, "length", f"must be one length, or a list of 1 to {MAX_LENGTHS}")
        in_bounds = all(1 <= length <= MAX_LENGTH for length in self.lengths)
        _check(in_bounds, "length", f"must be between 1 and {MAX_LENGTH}")
        in_years = FIRST_YEAR <= self.start_date.year <= LAST_YEAR
        _check(in_years, "start_date", f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
        _check_clock("handoff", self.handoff)
        _check(len(self.restrictions) <= MAX_RESTRICTIONS, "restrictions", f"must be at most {MAX_RESTRICTIONS}")
        _check_order(self.starts_at, self.ends_at)
        _check(1 <= len(self.roles) <= MAX_AT_ONCE, "roles", f"must be 1 to {MAX_AT_ONCE}")
        for role in self.roles:
            _check_role("roles", role)
        people = len(set(self.participants))
        enough = not people or len(self.roles) <= people
        _check(enough, "roles", f"must be at most as many as participants: {people} can't be {len(self.roles)} at once")
        _check(1 <= self.advance <= MAX_PARTICIPANTS, "advance", f"must be between 1 and {MAX_PARTICIPANTS}")

    @property
    def first_turn(self) -> datetime:
        """The local wall time at which turn 1 starts."""
        return datetime.combine(self.start_date, self.handoff)


@dataclass(frozen=True, slots=True)
class CalendarLayer:
    """A layer whose shifts are read from a calendar; active while an event of somebody known is on."""

    name: str
    calendar: CalendarId
    role: str = PRIMARY
    starts_at: Micros | None = None
    ends_at: Micros | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_role("role", self.role)
        _check_order(self.starts_at, self.ends_at)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person should not be asked for when somebody is needed in the place of another. Wishes, never gaps."""

    nights_in_7_days: int | None = None
    """At most so many nights (on call at 03:00 local time) in any seven days."""
    rest_after_paged_night_h: int | None = None
    """After a night with pages, so many hours from the end of that night without a turn."""

    def __post_init__(self) -> None:
        nights, rest = self.nights_in_7_days, self.rest_after_paged_night_h
        _check(nights is None or 0 <= nights <= 7, "nights_in_7_days", "must be between 0 and 7")
        _check(rest is None or 1 <= rest <= 72, "rest_after_paged_night_h", "must be between 1 and 72 hours")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who is on call, by layers: where a later layer is active it covers, role by role, the ones before it."""

    time_zone: str
    """The IANA name of the zone whose wall clock and calendar all layers mean."""
    layers: tuple[Layer | CalendarLayer, ...]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        try:
            zone(self.time_zone)
        except UnknownZone as error:
            raise BadField("time_zone", f"is wrong: {error}") from None
        _check(len(self.layers) <= MAX_LAYERS, "layers", f"must be at most {MAX_LAYERS}")
        twice = [name for name, count in Counter(layer.name for layer in self.layers).items() if count > 1]
        _check(not twice, "layers", f"must have different names; {twice[:3]} stand there more than once")

    def people(self) -> frozenset[PersonId]:
        """Everybody who takes turns in it: who must exist when it is saved."""
        return frozenset(person for layer in self.layers if isinstance(layer, Layer) for person in layer.participants)

    def calendars(self) -> frozenset[CalendarId]:
        """Every calendar that a layer is read from."""
        return frozenset(layer.calendar for layer in self.layers if isinstance(layer, CalendarLayer))

    def roles(self) -> tuple[str, ...]:
        """Every role that a layer has, in the order in which they are first named."""
        found = dict.fromkeys(
            role for layer in self.layers for role in (layer.roles if isinstance(layer, Layer) else (layer.role,))
        )
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Override:
    """One person takes over from `starts_at` until `ends_at` (exclusive), whatever the layers say.

    With `replaces` only while that person would be on call, be it by a layer or by an override made before, and in the
    roles they have then; with `role` only in that role. With `role` alone: instead of whoever has that role, and also
    where nobody has it. With neither: instead of everybody, and also where nobody is on call.
    """

    id: OverrideId
    starts_at: Micros
    ends_at: Micros
    person: PersonId
    replaces: PersonId | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        _check_order(self.starts_at, self.ends_at)
        if self.role is not None:
            _check_role("role", self.role)
        _check(self.person != self.replaces, "replaces", "must be somebody else than person")


def _check(holds: bool, field: str, rule: str) -> None:
    if not holds:
        raise BadField(field, rule)


def _check_name(name: str) -> None:
    _check(bool(name.strip()) and len(name) <= MAX_NAME, "name", f"must be 1 to {MAX_NAME} characters long")


def _check_role(field: str, role: str) -> None:
    right = bool(role.strip()) and len(role) <= MAX_ROLE
    _check(right, field, f"must be 1 to {MAX_ROLE} characters long, such as 'primary'")


def _check_clock(field: str, clock: time) -> None:
    whole = clock.second == 0 and clock.microsecond == 0 and clock.tzinfo is None
    _check(whole, field, "must be a local time in whole minutes")


def _check_order(starts_at: Micros | None, ends_at: Micros | None) -> None:
    for name, at in (("starts_at", starts_at), ("ends_at", ends_at)):
        _check(at is None or 0 <= at <= LAST_INSTANT, name, f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    if starts_at is not None and ends_at is not None:
        _check(starts_at < ends_at, "ends_at", "must be after starts_at")
