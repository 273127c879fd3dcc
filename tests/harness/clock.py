"""A clock that stands still until a story moves it."""

from __future__ import annotations

import asyncio
import contextlib

from app.clock import SECOND, Micros

START: Micros = 1_767_571_200 * SECOND
"""2026-01-05T00:00:00Z, a Monday."""


class StoryClock:
    """Implements app.clock.Clock. `monotonic` moves with `now`."""

    def __init__(self, now: Micros = START) -> None:
        self._now = now
        self._moved = asyncio.Event()

    def now(self) -> Micros:
        return self._now

    def monotonic(self) -> float:
        return self._now / SECOND

    def move_to(self, at: Micros) -> None:
        """Never back."""
        self._now = max(self._now, at)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        until = self._now + int(timeout_s * SECOND)
        while not wake.is_set() and self._now < until:
            moved = asyncio.ensure_future(self._moved.wait())
            woken = asyncio.ensure_future(wake.wait())
            try:
                await asyncio.wait({moved, woken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (moved, woken):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
