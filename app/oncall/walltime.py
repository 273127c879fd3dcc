"""Turns what a clock on a wall shows into instants, and back. The only file that does.

All of on-call is computed on one idea: the clock of a zone, held still instead of being turned back. It can be held in two
ways, and the readings of neither ever go down:

- a missing hour: both clocks jump over it. A wall time inside is reached at the next valid instant, which is the jump.
- a repeated hour: the **first** clock shows each time at its first occurrence and stands still through the second; the
  **last** clock stands still just before the hour until it comes again, and shows each time at its last occurrence.

So `instant(zone, w) <= at` says exactly the same as `w <= first`, and `last_instant(zone, w) <= at` the same as
`w <= last`, with `last, first = walls(zone, at)`. What lasts from one wall time until another begins by the first clock and
ends by the last: wall times that tile a day become intervals without a gap, which overlap in a repeated hour.

Zones are read from the tzdata package and never from the machine's own files, so that all replicas of one release agree
and `TZDATA_VERSION` names what was really used. Must never know layers, people or overrides, nor read a clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from importlib.resources import files
from zoneinfo import ZoneInfo

from app.clock import SECOND, Micros, from_datetime, to_datetime

# Imported by name because the package carries no types.
TZDATA_VERSION: str = str(import_module("tzdata").IANA_VERSION)
"""The IANA release whose rules are in force, such as "2026f"."""

_NO_PLACE = {"Factory"}
"""In the package's list, but the clock of no place."""
_TICK = timedelta(microseconds=1)


class UnknownZone(ValueError):
    """There is no such IANA time zone; the text names it."""


@cache
def zone_names() -> frozenset[str]:
    """Every zone name that can be used, old spellings ("US/Eastern") included."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - _NO_PLACE


@cache
def zone(name: str) -> ZoneInfo:
    """The rules of one zone. Raises UnknownZone, also for an offset ("+02:00") or another spelling of a known name."""
    if name not in zone_names():
        raise UnknownZone(
            f"{name[:80]!r} is not an IANA time zone name such as 'Europe/Berlin' (tzdata {TZDATA_VERSION})"
        )
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def wall(zone: ZoneInfo, at: Micros) -> datetime:
    """What the zone's first clock shows: held just before the end of an hour that repeats."""
    return walls(zone, at)[1]


def walls(zone: ZoneInfo, at: Micros) -> tuple[datetime, datetime]:
    """What the zone's last and first clock show, without a zone. They differ only in an hour that comes twice.

    A wall interval [start, end) is on at the instant when `start <= first and last < end`.
    """
    local = to_datetime(at).astimezone(zone)
    shown = local.replace(tzinfo=None, fold=0)
    if local.fold:
        back = _offset(local.replace(fold=0)) - _offset(local)
        turned_at = _change(zone, at // SECOND, back)
        return shown, _naive(turned_at * SECOND) + _offset(local.replace(fold=0)) - _TICK
    offset, again = _offset(local), _offset(local.replace(fold=1))
    if again == offset:
        return shown, shown
    back = offset - again
    turns_at = _change(zone, at // SECOND + int(back.total_seconds()), back)
    return _naive(turns_at * SECOND) + again - _TICK, shown


def instant(zone: ZoneInfo, wall: datetime) -> Micros:
    """The first instant at which the zone's clock shows this time without a zone, or a later one because it jumped."""
    local = wall.replace(tzinfo=zone, fold=0)
    before, after = _offset(local), _offset(local.replace(fold=1))
    reached = from_datetime(wall.replace(tzinfo=UTC) - before)
    if after <= before:
        return reached
    return _change(zone, reached // SECOND, after - before) * SECOND


def last_instant(zone: ZoneInfo, wall: datetime) -> Micros:
    """The last instant at which the zone's clock shows this time, or the first at which it has jumped over it."""
    local = wall.replace(tzinfo=zone, fold=1)
    after = _offset(local)
    if after < _offset(local.replace(fold=0)):
        return from_datetime(wall.replace(tzinfo=UTC) - after)
    return instant(zone, wall)


def _offset(local: datetime) -> timedelta:
    offset = local.utcoffset()
    assert offset is not None
    return offset


def _naive(at: Micros) -> datetime:
    return to_datetime(at).replace(tzinfo=None)


def _change(zone: ZoneInfo, high: int, size: timedelta) -> int:
    """The second at which the offset in force at second `high` began, when it began less than `size` before.

    Zone rules change on whole seconds, so halving needs at most 17 steps; only nights of a change come here.
    """

    def offset(second: int) -> timedelta:
        return _offset(to_datetime(second * SECOND).astimezone(zone))

    now_in_force = offset(high)
    low = high - int(size.total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if offset(middle) == now_in_force:
            high = middle
        else:
            low = middle
    return high
