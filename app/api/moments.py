"""Instants and durations as people read them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import DAY, HOUR, MINUTE, SECOND, Micros, iso, to_datetime
from app.oncall.walltime import UnknownZone, wall, zone


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant for a machine and for a person."""

    iso: str
    text: str


def moment(at: Micros, zone_name: str = "UTC") -> Moment:
    """UTC, and beside it what the clock shows where the person lives: "2026-01-05 02:56 UTC (03:56 in Berlin)"."""
    text = to_datetime(at).strftime("%Y-%m-%d %H:%M UTC")
    return Moment(iso(at), text + _local(at, zone_name))


def brief(at: Micros, now: Micros) -> Moment:
    """UTC, without the date while that is today's: "02:56 UTC"."""
    then = to_datetime(at)
    today = then.date() == to_datetime(now).date()
    return Moment(iso(at), then.strftime("%H:%M UTC" if today else "%Y-%m-%d %H:%M UTC"))


def _local(at: Micros, zone_name: str) -> str:
    try:
        local = wall(zone(zone_name), at)
    except UnknownZone:
        return ""
    if local == to_datetime(at).replace(tzinfo=None):
        return ""
    place = zone_name.rpartition("/")[2].replace("_", " ")
    return f" ({local:%H:%M} in {place})"


def lasting(gap: Micros) -> str:
    """A duration in at most two units: "40 s", "4 min", "2 h 5 min", "3 days 4 h"."""
    gap = max(0, gap)
    if gap < MINUTE:
        return f"{gap // SECOND} s"
    if gap < HOUR:
        return f"{gap // MINUTE} min"
    if gap < DAY:
        return _two(gap // HOUR, "h", gap % HOUR // MINUTE, "min")
    days = gap // DAY
    return _two(days, "day" if days == 1 else "days", gap % DAY // HOUR, "h")


def _two(many: int, unit: str, few: int, small: str) -> str:
    return f"{many} {unit} {few} {small}" if few else f"{many} {unit}"


def ago(at: Micros, now: Micros) -> str:
    """How long before `now`: "just now", "4 min ago"."""
    gap = now - at
    return "just now" if gap < 5 * SECOND else f"{lasting(gap)} ago"
