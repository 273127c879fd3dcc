"""Turns what a clock on a wall shows into instants, and back. The only file that does.

All of on-call is computed on one idea: the clock of a zone, held still instead of being turned back. Each instant has one
reading of that clock, and the readings never go down:

- a missing hour: the clock jumps over it. A wall time inside is reached at the next valid instant, which is the jump.
- a repeated hour: a wall time inside is reached at its first occurrence; during the second one the clock stands still.

So `instant(zone, w) <= at` says exactly the same as `w <= wall(zone, at)`. Wall times that tile a day are therefore turned
into instants that tile it too, whatever the zone does that night: no gap and no overlap can come from here.

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
    """What the zone's clock shows at the instant, without a zone; held just before the end of an hour that repeats."""
    local = to_datetime(at).astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    back = _offset(local.replace(fold=0)) - _offset(local)
    turned_at = _change(zone, at // SECOND, back)
    return _naive(turned_at * SECOND) + _offset(local.replace(fold=0)) - _TICK


def instant(zone: ZoneInfo, wall: datetime) -> Micros:
    """The first instant at which the zone's clock shows this time without a zone, or a later one because it jumped."""
    local = wall.replace(tzinfo=zone, fold=0)
    before, after = _offset(local), _offset(local.replace(fold=1))
    reached = from_datetime(wall.replace(tzinfo=UTC) - before)
    if after <= before:
        return reached
    return _change(zone, reached // SECOND, after - before) * SECOND


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
