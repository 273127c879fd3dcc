"""A clock that stands still until the replay moves it: a day of alerts takes as long as its work takes."""

from __future__ import annotations

import asyncio
import contextlib

from app.clock import SECOND, Micros


class ReplayClock:
    """Implements app.clock.Clock; `monotonic` moves with `now`."""

    def __init__(self, now: Micros) -> None:
        self._now = now
        self._moved = asyncio.Event()

    def now(self) -> Micros:
        return self._now

    def monotonic(self) -> float:
        return self._now / SECOND

    def move_to(self, at: Micros) -> None:
        """Never back."""
        if at > self._now:
            self._now = at
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        until = self._now + int(timeout_s * SECOND)
        while not wake.is_set() and self._now < until:
            waits = [asyncio.create_task(self._moved.wait()), asyncio.create_task(wake.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for one in waits:
                one.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await one
