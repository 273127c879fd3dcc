"""Time, as it is handed to everything that needs it.

The only file that reads the machine's clock. Instants are whole microseconds since 1970-01-01T00:00:00Z (UTC), in code
and in tables: both databases keep them exactly, they compare as numbers, and no driver can drop a zone.
Local wall time exists only in `app/oncall` and where something is shown to a person.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

Micros = int
"""Microseconds since the epoch, UTC."""

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(at: Micros) -> datetime:
    """The same instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def from_datetime(at: datetime) -> Micros:
    """The same instant in microseconds; `at` must be aware."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    gap = at - _EPOCH
    return (gap.days * 86_400 + gap.seconds) * SECOND + gap.microseconds


def iso(at: Micros) -> str:
    """RFC 3339 in UTC, to the millisecond: what logs, pages and the API show."""
    return to_datetime(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def spoken(at: Micros) -> str:
    """An instant in a sentence for people: to the minute, in UTC."""
    return to_datetime(at).strftime("%Y-%m-%d %H:%M UTC")


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


class Clock(Protocol):
    """Where now comes from, and how to wait for later."""

    def now(self) -> Micros:
        """The instant, for decisions and rows."""

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring durations only."""

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        """Returns when `wake` is set or after `timeout_s` of this clock's seconds, whichever is first."""


class SystemClock:
    """The machine's clock; waits on the loop's monotonic time, so a clock jump delays nothing."""

    def now(self) -> Micros:
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        try:
            await asyncio.wait_for(wake.wait(), timeout_s)
        except TimeoutError:
            return
