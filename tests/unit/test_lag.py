"""A loop that stood still is seen afterwards, for a minute, however seldom somebody looks."""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import CollectorRegistry, Gauge

from app.clock import SECOND
from app.watch.lag import Lag
from tests.harness.clock import StoryClock


async def test_the_worst_of_the_last_minute_is_shown_and_a_long_one_is_said() -> None:
    clock, gauge = StoryClock(), Gauge("lag", "lag", registry=CollectorRegistry())
    seen: list[float] = []

    async def passes(seconds: float) -> None:
        clock.move_to(clock.now() + int(seconds * SECOND))
        for _ in range(10):
            await asyncio.sleep(0)
        seen.append(round(gauge._value.get(), 3))

    loop = asyncio.create_task(Lag(clock, gauge).run())
    await asyncio.sleep(0)
    with structlog.testing.capture_logs() as logs:
        for step in (0.5, 0.7, 5.5, 0.6, 59, 0.5, 0.5):
            await passes(step)
    loop.cancel()
    assert seen == [0, 0.2, 5, 5, 58.5, 58.5, 58.5]
    assert [entry["seconds"] for entry in logs if entry["event"] == "loop_stood_still"] == [5.0, 58.5]
    seen.clear()
    loop = asyncio.create_task(Lag(clock, gauge).run())
    await asyncio.sleep(0)
    for _ in range(3):
        await passes(0.6)
    for _ in range(121):
        await passes(0.5)
    loop.cancel()
    assert (seen[2], seen[-2], seen[-1]) == (0.1, 0.1, 0)
