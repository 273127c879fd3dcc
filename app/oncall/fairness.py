"""How the load of being on call is shared, and how it was meant to be: hours, nights, weekends, holidays, pages.

**Actual** is who was (or will be) on call. **Expected** is what the rotations alone would give in the long run: the time in
which a layer is seen (not covered by a later one) belongs to its participants in equal parts, to somebody named twice
twice; that of a calendar's layer to whom the calendar says. Overrides and absences change what is actual, never what is
expected, and each version of the schedule counts while it is in force. Expected figures are scaled to add up to the actual.

Times are whole microseconds and shares are fractions, so nothing is lost in sums. Time, nights and shifts in two roles at
once count in each role. Pure: must never know the database or what time it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction

from app.clock import Micros
from app.ids import PersonId
from app.oncall.hours import Almanac, Home, Hours
from app.oncall.rota import Booking, ByCalendar, ByLayer, ByOverride, Debt, Era, Rota, Shift
from app.oncall.schedule import Layer
from app.oncall.shifts import shifts

NOWHERE = Home()
NO_HOURS = Hours()


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody was called because this schedule said so; ways and tries together are one call."""

    person: PersonId
    at: Micros


@dataclass(frozen=True, slots=True)
class Facts:
    """One schedule's on-call in [start, end)."""

    start: Micros
    end: Micros
    shifts: tuple[Shift, ...]
    """Cut at both ends."""
    eras: tuple[Era, ...]
    bookings: tuple[Booking, ...] = ()
    homes: Mapping[PersonId, Home] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    debts: tuple[Debt, ...] = ()
    """The turns that are owed now, whatever the interval."""


@dataclass(frozen=True, slots=True)
class Due:
    """What somebody was expected to take."""

    time: Fraction = Fraction(0)
    """In microseconds."""
    nights: Fraction = Fraction(0)
    weekend: Fraction = Fraction(0)
    """In microseconds."""
    pages: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One person's account. Lines of different schedules can be added up."""

    person: PersonId
    hours: Hours = NO_HOURS
    shifts: int = 0
    pages: int = 0
    pages_at_night: int = 0
    covered: Micros = 0
    """On call in the place of somebody named: by an override or swap, for somebody away, or paying a turn back."""
    handed: Micros = 0
    """Others on call in this person's place, for any of these reasons. All `covered` together are all `handed`."""
    owes: int = 0
    """Turns that this person missed and has not paid back."""
    is_owed: int = 0
    due: Due = Due()


@dataclass(frozen=True, slots=True)
class Share:
    """How much of all hours one person has and should have."""

    expected: Fraction | None
    """None: nobody is expected to take anything."""
    actual: Fraction | None
    """None: nobody was on call at all."""
    difference: Fraction
    """Actual minus expected, in microseconds: above 0 for somebody who had more than their part."""


@dataclass(frozen=True, slots=True)
class Score:
    """0 (one had all, others should) to 100 (all had exactly their part); None where there was nothing to share."""

    hours: Fraction | None
    nights: Fraction | None
    weekends: Fraction | None
    pages: Fraction | None

    @property
    def mean(self) -> Fraction | None:
        """Of those that there are."""
        known = [score for score in (self.hours, self.nights, self.weekends, self.pages) if score is not None]
        return sum(known, Fraction(0)) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class Account:
    """Everybody who was on call, or was expected to be, by id."""

    lines: tuple[Line, ...]

    def share(self, line: Line) -> Share:
        """One person's part of all hours."""
        actual = Fraction(sum(one.hours.total for one in self.lines))
        expected = sum((one.due.time for one in self.lines), Fraction(0))
        return Share(
            line.due.time / expected if expected else None,
            Fraction(line.hours.total) / actual if actual else None,
            line.hours.total - line.due.time,
        )

    @property
    def score(self) -> Score:
        """How near the shares are to what was expected."""
        return Score(
            evenness((line.hours.total, line.due.time) for line in self.lines),
            evenness((line.hours.nights, line.due.nights) for line in self.lines),
            evenness((line.hours.weekend, line.due.weekend) for line in self.lines),
            evenness((line.pages, line.due.pages) for line in self.lines),
        )


def evenness(shares: Iterable[tuple[int, Fraction]]) -> Fraction | None:
    """100 x (1 - H) of pairs (actual, expected); None when either side has nothing.

    H is the Hoover index, also called the Robin Hood index: half the sum of the distances between the shares that people
    have and those they should have, which is the part of all that would have to change hands (E. M. Hoover, "The
    Measurement of Industrial Localization", Review of Economics and Statistics 18, 1936).
    """
    pairs = list(shares)
    actual = sum(have for have, _ in pairs)
    expected = sum((should for _, should in pairs), Fraction(0))
    if not actual or not expected:
        return None
    moved = sum((abs(Fraction(have, actual) - should / expected) for have, should in pairs), Fraction(0)) / 2
    return 100 * (1 - moved)


def account(facts: Facts) -> Account:
    """One schedule's account of an interval. Raises BadRange (see shifts.MAX_RANGE)."""
    almanac = Almanac(facts.eras, facts.start, facts.end)
    lines: dict[PersonId, Line] = {}
    for one in (*_of_shifts(facts, almanac), *_of_calls(facts, almanac), *_of_debts(facts), *_of_dues(facts, almanac)):
        lines[one.person] = added(lines.get(one.person, Line(one.person)), one)
    scaled = _scaled(list(lines.values()))
    return Account(tuple(sorted(scaled, key=lambda line: line.person)))


def together(accounts: Iterable[Account]) -> Account:
    """The accounts of several schedules as one, person by person."""
    lines: dict[PersonId, Line] = {}
    for line in (line for one in accounts for line in one.lines):
        lines[line.person] = added(lines[line.person], line) if line.person in lines else line
    return Account(tuple(lines[person] for person in sorted(lines)))


def added(one: Line, other: Line) -> Line:
    """Two accounts of the same person."""
    due = Due(*(getattr(one.due, part.name) + getattr(other.due, part.name) for part in fields(Due)))
    return Line(
        one.person,
        one.hours + other.hours,
        one.shifts + other.shifts,
        one.pages + other.pages,
        one.pages_at_night + other.pages_at_night,
        one.covered + other.covered,
        one.handed + other.handed,
        one.owes + other.owes,
        one.is_owed + other.is_owed,
        due,
    )


def _of_shifts(facts: Facts, almanac: Almanac) -> Iterable[Line]:
    for shift in facts.shifts:
        hours = almanac.measure(shift.starts_at, shift.ends_at, facts.homes.get(shift.person, NOWHERE))
        owner = _in_place_of(shift)
        yield Line(shift.person, hours, shifts=1, covered=hours.total if owner is not None else 0)
        if owner is not None:
            yield Line(owner, handed=hours.total)


def _in_place_of(shift: Shift) -> PersonId | None:
    """Whose place it was, when it was that of somebody named."""
    match shift.why:
        case ByOverride(replaces=owner) | ByLayer(instead_of=owner):
            return owner if owner != shift.person else None
        case _:
            return None


def _of_calls(facts: Facts, almanac: Almanac) -> Iterable[Line]:
    for call in facts.calls:
        yield Line(call.person, pages=1, pages_at_night=int(almanac.at_night(call.at)))


def _of_debts(facts: Facts) -> Iterable[Line]:
    for debt in facts.debts:
        yield Line(debt.debtor, owes=1)
        yield Line(debt.creditor, is_owed=1)


def _of_dues(facts: Facts, almanac: Almanac) -> Iterable[Line]:
    """What the rotations of each era would give."""
    for era in facts.eras:
        start = max(facts.start, era.starts_at)
        end = facts.end if era.ends_at is None else min(facts.end, era.ends_at)
        if start >= end:
            continue
        pools: dict[str, Hours] = defaultdict(Hours)
        for shift in shifts(Rota((era,), bookings=facts.bookings), start, end):
            hours = almanac.measure(shift.starts_at, shift.ends_at, NOWHERE)
            if isinstance(shift.why, ByCalendar):
                yield Line(shift.person, due=_part(hours, Fraction(1)))
            elif isinstance(shift.why, ByLayer):
                pools[shift.why.layer] += hours
        for layer in era.schedule.layers:
            if isinstance(layer, Layer) and layer.name in pools:
                for person, places in Counter(layer.participants).items():
                    weight = Fraction(places, len(layer.participants))
                    yield Line(person, due=_part(pools[layer.name], weight))


def _part(hours: Hours, weight: Fraction) -> Due:
    return Due(hours.total * weight, hours.nights * weight, hours.weekend * weight)


def _scaled(lines: list[Line]) -> list[Line]:
    """With dues that add up to what there really was; pages are expected where hours are."""
    time = _scale((line.hours.total for line in lines), (line.due.time for line in lines))
    nights = _scale((line.hours.nights for line in lines), (line.due.nights for line in lines))
    weekend = _scale((line.hours.weekend for line in lines), (line.due.weekend for line in lines))
    pages = _scale((line.pages for line in lines), (line.due.time for line in lines))
    return [
        replace(line, due=Due(due.time * time, due.nights * nights, due.weekend * weekend, due.time * pages))
        for line in lines
        for due in (line.due,)
    ]


def _scale(actual: Iterable[int], expected: Iterable[Fraction]) -> Fraction:
    have, should = sum(actual), sum(expected, Fraction(0))
    return Fraction(have) / should if should else Fraction(0)
