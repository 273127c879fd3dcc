"""How late the event loop wakes up: what blocks it, or a machine that stands still, is seen afterwards.

While it stands still nothing here can be said: nobody answers /livez, and that is how whoever watches the process learns
of it. Must never know what the loop does.
"""

from __future__ import annotations

import asyncio
from collections import deque

import structlog
from prometheus_client import Gauge

from app.clock import Clock

log = structlog.get_logger(__name__)

EVERY_S = 0.5
REMEMBERED_S = 60.0
"""So that whoever reads the metric now and then misses none."""
LONG_S = 1.0
"""From here on it is said in the log: every page was as late."""


class Lag:
    """Looks twice a second, and keeps the worst of the last minute."""

    def __init__(self, clock: Clock, gauge: Gauge) -> None:
        self._clock = clock
        self._gauge = gauge
        self._seen: deque[tuple[float, float]] = deque()
        """When, and how late; each later than those after it."""

    async def run(self) -> None:
        """For ever."""
        never = asyncio.Event()
        while True:
            before = self._clock.monotonic()
            await self._clock.wait(never, EVERY_S)
            now = self._clock.monotonic()
            self._note(now, max(0.0, now - before - EVERY_S))

    def _note(self, now: float, late_s: float) -> None:
        if late_s >= LONG_S:
            log.warning("loop_stood_still", seconds=round(late_s, 1))
        while self._seen and self._seen[-1][1] <= late_s:
            self._seen.pop()
        self._seen.append((now, late_s))
        while self._seen[0][0] < now - REMEMBERED_S:
            self._seen.popleft()
        self._gauge.set(self._seen[0][1])
