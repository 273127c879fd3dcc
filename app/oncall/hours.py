"""What kinds of hours an interval has: at night, on a weekend, on a public holiday. Pure: must never know the database.

Night and weekend are those of the schedule's clock: its zone is where the work is. Public holidays are those of the
person's country, from midnight to midnight on their own clock: it is they who would be off. All of it is cut at local wall
times by walltime.py, so a night in which the clocks change has seven or nine hours, and sums are whole microseconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from app.clock import Micros
from app.oncall.holidays import holiday_spans
from app.oncall.pay import PayKind
from app.oncall.rota import Era
from app.oncall.walltime import instant, wall, zone

NIGHT_BEGINS = time(22)
NIGHT_ENDS = time(6)
MIDDLE_OF_NIGHT = time(3)
"""Who is on call at this local time is on call that night."""
WEEKEND = frozenset({5, 6})
"""Saturday and Sunday, from midnight to midnight; 0 is Monday."""

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a person lives, as far as it says when they would be off."""

    time_zone: str = "UTC"
    country: str = ""
    """ISO 3166-1; empty: no public holidays."""
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """Time on call in one role, by kind; times in two roles at once are added up like any others.

    `night`, `weekend` and `holiday` overlap: Christmas night on a Sunday is in all three. What an hour is *paid as* is one
    kind and never two: holiday before weekend before night before day.
    """

    total: Micros = 0
    night: Micros = 0
    weekend: Micros = 0
    holiday: Micros = 0
    weekend_only: Micros = 0
    """On a weekend, and not on a holiday: what is paid as weekend."""
    night_only: Micros = 0
    """At night, and neither on a weekend nor on a holiday: what is paid as night."""
    nights: int = 0
    """How many nights: a night is one when MIDDLE_OF_NIGHT is in it."""

    def __add__(self, other: Hours) -> Hours:
        return Hours(
            self.total + other.total,
            self.night + other.night,
            self.weekend + other.weekend,
            self.holiday + other.holiday,
            self.weekend_only + other.weekend_only,
            self.night_only + other.night_only,
            self.nights + other.nights,
        )

    @property
    def paid_as(self) -> Mapping[PayKind, Micros]:
        """The time of each kind that is paid; together they are `total`."""
        day = self.total - self.holiday - self.weekend_only - self.night_only
        return {"day": day, "night": self.night_only, "weekend": self.weekend_only, "holiday": self.holiday}


@dataclass(frozen=True, slots=True)
class _Tile:
    """A piece of time that is of one kind."""

    starts_at: Micros
    ends_at: Micros
    night: bool
    weekend: bool


class Almanac:
    """Which kind each hour of [start, end) is, by the zones that a schedule had."""

    def __init__(self, eras: Sequence[Era], start: Micros, end: Micros) -> None:
        self._tiles: list[_Tile] = []
        self._middles: list[Micros] = []
        self._holidays: dict[Home, tuple[tuple[Micros, Micros, str], ...]] = {}
        self._span = (start, end)
        for name, since, until in _zones(eras, start, end):
            self._tiles += _tiles(name, since, until)
            self._middles += (at for at in _middles(name, since, until) if since <= at < until)
        self._edges = [tile.starts_at for tile in self._tiles]

    def at_night(self, at: Micros) -> bool:
        """Whether an instant of the interval is at night."""
        place = bisect_right(self._edges, at) - 1
        return place >= 0 and self._tiles[place].night

    def measure(self, start: Micros, end: Micros, home: Home) -> Hours:
        """The kinds of the hours of [start, end), which lies in the interval, to somebody who lives there."""
        off = [span for span in self._off(home) if span[0] < end and span[1] > start]
        night = weekend = holiday = weekend_only = night_only = 0
        for tile in self._touching(start, end):
            since, until = max(start, tile.starts_at), min(end, tile.ends_at)
            held = sum(max(0, min(until, off_until) - max(since, off_since)) for off_since, off_until, _ in off)
            length, rest = until - since, until - since - held
            night += length * tile.night
            weekend += length * tile.weekend
            holiday += held
            weekend_only += rest * tile.weekend
            night_only += rest * (tile.night and not tile.weekend)
        nights = bisect_left(self._middles, end) - bisect_left(self._middles, start)
        return Hours(end - start, night, weekend, holiday, weekend_only, night_only, nights)

    def _off(self, home: Home) -> tuple[tuple[Micros, Micros, str], ...]:
        if not home.country:
            return ()
        if home not in self._holidays:
            self._holidays[home] = holiday_spans(home.country, home.subdivision, home.time_zone, *self._span)
        return self._holidays[home]

    def _touching(self, start: Micros, end: Micros) -> Iterable[_Tile]:
        first = max(0, bisect_right(self._edges, start) - 1)
        return self._tiles[first : bisect_left(self._edges, end)]


def _zones(eras: Sequence[Era], start: Micros, end: Micros) -> Iterator[tuple[str, Micros, Micros]]:
    """Which zone counts when: an era's until the next one begins, and the first one's before it too."""
    if not eras:
        yield "UTC", start, end
        return
    borders = [start, *(min(max(start, era.starts_at), end) for era in eras[1:]), end]
    for era, (since, until) in zip(eras, pairwise(borders), strict=True):
        if since < until:
            yield era.schedule.time_zone, since, until


def _dates(name: str, start: Micros, end: Micros) -> Iterator[date]:
    """Every local date that touches [start, end), and one more on either side."""
    day = wall(zone(name), start).date() - _ONE_DAY
    last = wall(zone(name), end).date() + _ONE_DAY
    while day <= last:
        yield day
        day += _ONE_DAY


def _tiles(name: str, start: Micros, end: Micros) -> Iterator[_Tile]:
    """Tiles [start, end) at midnight and at both ends of the night."""
    rules = zone(name)
    edges = [
        (instant(rules, datetime.combine(day, clock)), clock != NIGHT_ENDS, day.weekday() in WEEKEND)
        for day in _dates(name, start, end)
        for clock in (time.min, NIGHT_ENDS, NIGHT_BEGINS)
    ]
    for (since, night, weekend), (until, _, _) in pairwise(edges):
        low, high = max(since, start), min(until, end)
        if low < high:
            yield _Tile(low, high, night, weekend)


def _middles(name: str, start: Micros, end: Micros) -> Iterator[Micros]:
    rules = zone(name)
    for day in _dates(name, start, end):
        middle = instant(rules, datetime.combine(day, MIDDLE_OF_NIGHT))
        # A date that the calendar of a zone left out had no night.
        if wall(rules, middle).date() == day:
            yield middle
