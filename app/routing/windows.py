"""When a silence is on: from one instant to another, or each week at the same hours of a place. Pure.

Hours are local wall time, as in schedules (app/oncall/walltime.py): a window begins by the first clock and ends by the last,
so an hour that comes twice is inside both times, and one that is missing shortens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.clock import Micros
from app.oncall.walltime import instant, last_instant, wall

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours on some days of each week; `end` not after `begin`: on the next day."""

    zone: ZoneInfo
    weekdays: frozenset[int]
    """Of the day it begins on; Monday is 0."""
    begin: time
    end: time

    def until(self, at: Micros) -> Micros | None:
        """When the window ends that is on at an instant; None when none is."""
        today = wall(self.zone, at).date()
        ends = []
        for day in (today - _DAY, today, today + _DAY):
            if day.weekday() not in self.weekdays:
                continue
            last = day + _DAY if self.end <= self.begin else day
            begins_at = instant(self.zone, datetime.combine(day, self.begin))
            ends_at = last_instant(self.zone, datetime.combine(last, self.end))
            if begins_at <= at < ends_at:
                ends.append(ends_at)
        return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class Window:
    """When something is on."""

    starts_at: Micros
    ends_at: Micros
    weekly: Weekly | None = None

    def until(self, at: Micros) -> Micros | None:
        """Until when it is on at an instant; None when it is not."""
        if not self.starts_at <= at < self.ends_at:
            return None
        if self.weekly is None:
            return self.ends_at
        ends_at = self.weekly.until(at)
        return None if ends_at is None else min(ends_at, self.ends_at)
