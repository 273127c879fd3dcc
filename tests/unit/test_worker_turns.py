"""Which work a worker asks for first: by rank, and now and then the oldest, also where no process lives for long."""

from __future__ import annotations

import asyncio
from typing import Any

from app.metrics import Metrics
from app.paging.worker import Worker
from tests.harness.clock import START, StoryClock


class Asked:
    """In place of a store in which nothing is due."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    async def write(self, _: Any, *how: Any) -> list[Any]:
        self.orders.append(how[-1])
        return []

    async def read(self, *_: Any, **__: Any) -> None:
        return None


async def _first_claim(ms: int) -> str:
    """What a worker that begins so many milliseconds after the start claims first."""
    store: Any = Asked()
    clock, wake = StoryClock(START + ms * 1_000), asyncio.Event()
    worker = Worker(store, clock, Metrics(), {}, wake, hands=4, lease_s=30)
    running = asyncio.create_task(worker.run())
    while not store.orders:
        await asyncio.sleep(0)
    worker.stop()
    await running
    return str(store.orders[0])


async def test_of_processes_that_die_after_their_first_claim_half_take_the_oldest() -> None:
    """Otherwise a storm's later pages wait for ever where a process is killed again and again."""
    first = [await _first_claim(ms) for ms in range(10)]
    assert (first.count("age"), first.count("rank")) == (5, 5)
