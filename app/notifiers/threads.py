"""A bounded set of threads for libraries that block.

Daemon threads of our own and not an executor: the interpreter waits for an executor's threads when it exits, and a
provider that never answers must not keep the process from stopping. Knows nothing of what it runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from app.notifiers.errors import NotSent

T = TypeVar("T")


class Threads:
    """At most `limit` pieces of work at a time; one more is refused at once, never queued."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._busy = 0
        self._lock = threading.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. A cancelled caller leaves its thread behind, which still counts as busy.

        Raises NotSent when all threads are busy.
        """
        result: Future[T] = Future()
        with self._lock:
            if self._busy >= self._limit:
                raise NotSent(f"all {self._limit} threads for slow providers are busy")
            self._busy += 1
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._run, work, result), name="tocsin-outbound", daemon=True
        ).start()
        return await asyncio.wrap_future(result)

    def _run(self, work: Callable[[], T], result: Future[T]) -> None:
        if not result.set_running_or_notify_cancel():
            self._free()  # cancelled before it began: it shall not begin
            return
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - handed to the waiting task as it is, nothing is swallowed
            self._free()
            result.set_exception(error)
        else:
            self._free()
            result.set_result(value)

    def _free(self) -> None:
        with self._lock:
            self._busy -= 1
