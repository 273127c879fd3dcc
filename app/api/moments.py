"""Instants and durations as people read them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import SECOND, Micros, iso, lasting, to_datetime
from app.oncall import wording


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant for a machine and for a person."""

    iso: str
    text: str


def moment(at: Micros, zone_name: str = "UTC") -> Moment:
    """UTC, and beside it what the clock shows where the person lives: "2026-01-05 02:56 UTC (03:56 in Berlin)"."""
    text = to_datetime(at).strftime("%Y-%m-%d %H:%M UTC")
    return Moment(iso(at), text + wording.beside(at, zone_name))


def brief(at: Micros, now: Micros, zone_name: str = "UTC") -> Moment:
    """As `moment`, without the date while that is today's: "02:56 UTC (03:56 in Berlin)"."""
    then = to_datetime(at)
    today = then.date() == to_datetime(now).date()
    text = then.strftime("%H:%M UTC" if today else "%Y-%m-%d %H:%M UTC")
    return Moment(iso(at), text + wording.beside(at, zone_name))


def span(starts_at: Micros, ends_at: Micros, zone_name: str = "UTC") -> Moment:
    """An interval on the clock of one place: "Mon 5 Jan 09:00 to Tue 6 Jan 09:00, Berlin". Dated by its start."""
    return Moment(iso(starts_at), wording.span(starts_at, ends_at, zone_name))


def ago(at: Micros, now: Micros) -> str:
    """How long before `now`: "just now", "4 min ago"."""
    gap = now - at
    return "just now" if gap < 5 * SECOND else f"{lasting(gap)} ago"
