"""Instants and intervals as people read them, on the clock of the place where they live. Pure.

Such a text is for people only: in the night in which an hour comes twice it does not say which of the two is meant.
"""

from __future__ import annotations

from datetime import datetime

from app.clock import Micros, to_datetime
from app.oncall.walltime import UnknownZone, zone


def place(zone_name: str) -> str:
    """What a zone is called in a sentence: "Berlin" of Europe/Berlin."""
    return zone_name.rpartition("/")[2].replace("_", " ")


def clock(at: Micros, zone_name: str) -> tuple[datetime, str]:
    """What the clock of the zone shows, and what the place is called; UTC where the zone is not known."""
    try:
        return to_datetime(at).astimezone(zone(zone_name)), place(zone_name)
    except UnknownZone:
        return to_datetime(at), "UTC"


def beside(at: Micros, zone_name: str) -> str:
    """What stands behind an instant told in UTC: " (09:00 in Berlin)"; nothing where the clocks agree."""
    local, where = clock(at, zone_name)
    return f" ({local:%H:%M} in {where})" if local.utcoffset() else ""


def when(at: Micros, zone_name: str) -> str:
    """An instant: "Mon 5 Jan 09:00, Berlin"."""
    local, where = clock(at, zone_name)
    return f"{_day(local)} {local:%H:%M}, {where}"


def span(starts_at: Micros, ends_at: Micros, zone_name: str) -> str:
    """An interval: "Mon 5 Jan 09:00 to Tue 6 Jan 09:00, Berlin"; on one day "Mon 5 Jan 09:00 to 17:00, Berlin"."""
    start, where = clock(starts_at, zone_name)
    end, _ = clock(ends_at, zone_name)
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{_day(end)} {end:%H:%M}"
    return f"{_day(start)} {start:%H:%M} to {until}, {where}"


def _day(local: datetime) -> str:
    return f"{local:%a} {local.day} {local:%b}"
