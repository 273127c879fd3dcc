"""What the layers of one era say together, at an instant and through an interval, before overrides are laid over them.

Each layer says who is on call by it, or why nobody is; a later layer that is active covers the ones before it role by role.
The instant is answered by arithmetic alone, the interval is laid out; both stand on the same turns. Pure: must never know
the database or what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from app.clock import Micros
from app.oncall.rota import Booking, ByCalendar, ByLayer, Duty, Rota, Stint
from app.oncall.rotation import covered, owners, pieces, turn_at, turn_start
from app.oncall.schedule import PRIMARY, CalendarLayer, Layer
from app.oncall.turns import Plan, plans
from app.oncall.walltime import instant, last_instant, walls, zone

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)

Nobody = Literal[
    "not_existing",
    "not_recorded",
    "no_layers",
    "no_participants",
    "ended",
    "not_started",
    "no_event",
    "outside_restrictions",
]
"""Why nobody is on call. Of several layers the reason named is the one furthest to the right."""

NOBODY: dict[Nobody, str] = {
    "not_existing": "the schedule did not exist then",
    "not_recorded": "nobody was on call by the record of that time",
    "no_layers": "the schedule has no layers",
    "no_participants": "no layer in force has participants",
    "ended": "every layer with participants has ended",
    "not_started": "no layer has started yet",
    "no_event": "no event of the calendar is on",
    "outside_restrictions": "no layer is active at this hour",
}
"""Each reason as people read it, from the emptiest schedule to the one nearest to having somebody."""


_REASONS = list(NOBODY)


@dataclass(frozen=True, slots=True)
class Span:
    """An interval through which one layer, by itself, puts the same people on call."""

    starts_at: Micros
    ends_at: Micros
    duties: tuple[Duty, ...]


class Stack:
    """The layers of one version of a schedule, ready to be asked."""

    def __init__(self, rota: Rota, index: int) -> None:
        schedule = rota.eras[index].schedule
        self.rules = zone(schedule.time_zone)
        self.rank = {role: place for place, role in enumerate(schedule.roles())}
        self.main_role = next(iter(self.rank), PRIMARY)
        planned = plans(rota, index)
        self._layers: list[_Turning | _Booked] = [
            _Turning(layer, self.rules, planned.get(layer.name))
            if isinstance(layer, Layer)
            else _Booked(layer, rota.bookings)
            for layer in reversed(schedule.layers)
        ]

    def at(self, at: Micros) -> tuple[Duty, ...] | Nobody:
        """Who is on call by the layers at the instant, or why nobody is."""
        last, first = walls(self.rules, at)
        reasons: list[Nobody] = ["no_layers"]
        said: list[tuple[frozenset[str], tuple[Duty, ...]]] = []
        uncovered = len(self.rank)
        for layer in self._layers:
            found = layer.at(at, last, first)
            if isinstance(found, str):
                reasons.append(found)
                continue
            said.append((layer.roles, found))
            if len(layer.roles) == uncovered:
                break
        return self.stacked(said) if said else _nearest(reasons)

    def spans(self, start: Micros, end: Micros) -> list[tuple[frozenset[str], list[Span]]]:
        """What each layer says by itself inside the interval, in order, beside the roles it covers; from the top down."""
        return [(layer.roles, _cut(layer.spans(start, end), layer, start, end)) for layer in self._layers]

    def stacked(self, said: Sequence[tuple[frozenset[str], tuple[Duty, ...]]]) -> tuple[Duty, ...]:
        """What is left of the layers that are active, told from the top down, in the order of their roles."""
        if len(said) == 1 and len(said[0][1]) == 1:
            return said[0][1]
        taken: set[str] = set()
        found: list[Duty] = []
        for roles, duties in said:
            found = [*(duty for duty in duties if duty.role not in taken), *found]
            taken |= roles
        return tuple(sorted(once(found), key=lambda duty: self.rank[duty.role]))


def stack(rota: Rota, index: int) -> Stack:
    """The layers of the era at this place; made once for each rota."""
    made = rota.memo.get(index)
    if not isinstance(made, Stack):
        made = rota.memo[index] = Stack(rota, index)
    return made


def once(duties: Iterable[Duty]) -> tuple[Duty, ...]:
    """Without whoever stands there already in the same role: nobody is on call twice for one thing."""
    found: dict[tuple[int, str], Duty] = {}
    for duty in duties:
        found.setdefault((duty.person, duty.role), duty)
    return tuple(found.values())


class _Turning:
    """A layer of people who take turns."""

    def __init__(self, layer: Layer, rules: ZoneInfo, plan: Plan | None) -> None:
        self.layer = layer
        self.roles = frozenset(layer.roles)
        self._rules = rules
        self._plan = plan

    def at(self, at: Micros, last: datetime, first: datetime) -> tuple[Duty, ...] | Nobody:
        if not self.layer.participants:
            return "no_participants"
        if reason := _out_of_force(self.layer, at):
            return reason
        if last != first:
            found = once(duty for _, _, duties in self._parts(last, first + _TICK) for duty in duties)
            if found:
                return found
        turn = turn_at(self.layer, first)
        if turn < 1:
            return "not_started"
        if last != first or not covered(self.layer.restrictions, first):
            return "outside_restrictions"
        stints = self._stints(turn)
        return self._deviating(turn, stints, first) if stints else self._by_rotation(turn)

    def spans(self, start: Micros, end: Micros) -> Iterator[Span]:
        since, until = walls(self._rules, start)[0], walls(self._rules, end - 1)[1] + _TICK
        for opens, closes, duties in self._parts(since, until):
            yield Span(instant(self._rules, opens), last_instant(self._rules, closes), duties)

    def _parts(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, tuple[Duty, ...]]]:
        """The stretches of wall time that touch the interval, through each of which the same people have a turn."""
        for piece in pieces(self.layer, start, end):
            stints = self._stints(piece.turn)
            if not stints:
                yield piece.start, piece.end, self._by_rotation(piece.turn)
                continue
            begun = turn_start(self.layer, piece.turn)
            edges = {begun + block * _DAY for stint in stints for block in (stint.first, stint.until)}
            inside = sorted(edge for edge in edges if piece.start < edge < piece.end)
            for since, until in pairwise([piece.start, *inside, piece.end]):
                yield since, until, self._deviating(piece.turn, stints, since)

    def _stints(self, turn: int) -> tuple[Stint, ...]:
        return self._plan.stints(turn) if self._plan else ()

    def _by_rotation(self, turn: int) -> tuple[Duty, ...]:
        why = ByLayer(self.layer.name, turn)
        if len(self.layer.roles) == 1:
            return (Duty(owners(self.layer, turn)[0], why, self.layer.roles[0]),)
        people = zip(owners(self.layer, turn), self.layer.roles, strict=True)
        return tuple(Duty(person, why, role) for person, role in people)

    def _deviating(self, turn: int, stints: tuple[Stint, ...], wall: datetime) -> tuple[Duty, ...]:
        """Who has the turn at a wall time, where not all of it is by the rotation."""
        block = (wall - turn_start(self.layer, turn)) // _DAY
        duties = list(self._by_rotation(turn))
        for stint in stints:
            if stint.first <= block < stint.until:
                owner, role = duties[stint.role].person, self.layer.roles[stint.role]
                instead_of = None if stint.person == owner else owner
                why = ByLayer(self.layer.name, turn, stint.how, instead_of, stint.because)
                duties[stint.role] = Duty(stint.person, why, role)
        return tuple(duties)


class _Booked:
    """A layer that is read from a calendar."""

    def __init__(self, layer: CalendarLayer, bookings: tuple[Booking, ...]) -> None:
        self.layer = layer
        self.roles = frozenset((layer.role,))
        mine = (one for one in bookings if one.calendar == layer.calendar and one.starts_at < one.ends_at)
        self._bookings = sorted(mine, key=lambda one: (one.starts_at, one.ends_at, one.person, one.event))

    def at(self, at: Micros, _: datetime, __: datetime) -> tuple[Duty, ...] | Nobody:
        if reason := _out_of_force(self.layer, at):
            return reason
        found = once(self._duty(one) for one in self._bookings if one.starts_at <= at < one.ends_at)
        return found or "no_event"

    def spans(self, start: Micros, end: Micros) -> Iterator[Span]:
        for one in self._bookings:
            if one.starts_at < end and start < one.ends_at:
                yield Span(one.starts_at, one.ends_at, (self._duty(one),))

    def _duty(self, booking: Booking) -> Duty:
        return Duty(booking.person, ByCalendar(self.layer.name, booking.event), self.layer.role)


def _nearest(reasons: list[Nobody]) -> Nobody:
    """The reason that is the furthest to the right."""
    return max(reasons, key=_REASONS.index)


def _out_of_force(layer: Layer | CalendarLayer, at: Micros) -> Literal["not_started", "ended"] | None:
    if layer.starts_at is not None and at < layer.starts_at:
        return "not_started"
    if layer.ends_at is not None and at >= layer.ends_at:
        return "ended"
    return None


def _cut(spans: Iterable[Span], layer: _Turning | _Booked, start: Micros, end: Micros) -> list[Span]:
    """The spans inside the interval; those that a missing hour or the layer's validity left empty are gone."""
    low = start if layer.layer.starts_at is None else max(start, layer.layer.starts_at)
    high = end if layer.layer.ends_at is None else min(end, layer.layer.ends_at)
    cut = (Span(max(span.starts_at, low), min(span.ends_at, high), span.duties) for span in spans)
    return [span for span in cut if span.starts_at < span.ends_at]
