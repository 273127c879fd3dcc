"""Keeps the loops of a process alive: one that ends by a fault is started again, with a pause, and said aloud."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class Supervisor:
    """Owns the tasks of a process; asyncio itself holds them only weakly."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs `loop` until it returns; started again when it raises."""
        self._tasks[name] = asyncio.create_task(_keep(name, loop), name=name)

    def dead(self) -> list[str]:
        """The loops that are not running."""
        return [name for name, task in self._tasks.items() if task.done()]

    async def join(self, name: str, timeout_s: float) -> bool:
        """Waits for a loop to return; cancels it after `timeout_s`. Answers whether it returned by itself."""
        task = self._tasks[name]
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        return bool(done) or await self._cancel(task)

    async def cancel(self, name: str) -> None:
        """Ends a loop at once."""
        await self._cancel(self._tasks[name])

    @staticmethod
    async def _cancel(task: asyncio.Task[None]) -> bool:
        task.cancel()
        await asyncio.wait({task})
        return False


async def _keep(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            await loop()
        except Exception:  # the supervisor: whatever ended the loop, it must run again
            log.exception("loop_failed", loop=name, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
        else:
            return
