"""An event loop without a machine under it: time jumps to whatever comes next, and everything runs in one fixed order.

Nothing here waits, no thread and no socket plays a part, and callbacks run first in, first out: the same start gives the
same run. Each callback belongs to a life (the context it was made in says which), and that is how a process is treated as
its machine would treat it: a life that is stopped (SIGSTOP) has its callbacks put by until it goes on, and of one that
died no callback ever runs again, no `finally` either.

An idle poll is not run: `idle` says when the next poll would find something, and time jumps there (see `Idle`).
Knows nothing of Tocsin.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT = 300_000
"""Callbacks of one run; more is a loop that makes no progress."""


@dataclass(eq=False)
class Life:
    """What callbacks belong to: one process, from its start to its end."""

    name: str
    burnt: Callable[[], None] = lambda: None
    """Called when its fuse has burnt down: makes it dead or stopped."""
    dead: bool = False
    stopped: bool = False
    fuse: int | None = None
    """How many effects it will still have; None for no end in sight."""
    put_by: list[asyncio.Handle] = field(default_factory=list)

    async def effect(self) -> None:
        """An instant before or after an effect: here it may die or be stopped, and whoever awaits this goes on after that."""
        if self.fuse is None:
            return
        self.fuse -= 1
        if self.fuse < 0:
            self.fuse = None
            self.burnt()
            await asyncio.sleep(0)


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)
"""Whose code is running; None is the world outside."""


@dataclass(eq=False, slots=True)
class Idle:
    """A wait that would end each `period_s`, look for work, find none and wait again.

    Looking has no effect while nothing is due, so only the look that finds something takes place: at the first poll after
    it was due, or exactly when it falls due if an earlier poll would have seen it coming.
    """

    scope: asyncio.Timeout
    life: Life | None
    since: float
    period_s: float
    due: Callable[[], float]
    """The loop's time at which there will be something to do, as far as is known now; infinite for never."""

    def ends(self, now: float) -> float:
        """When the look takes place that finds something."""
        polls = max(1, math.floor((now - self.since) / self.period_s) + 1)
        return max(self.since + polls * self.period_s, self.due())


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


class Endless(RuntimeError):
    """The run makes no progress in time."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """The loop. `run` drives one coroutine to its end, as far as others that it started come meanwhile."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._halted = False
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.callbacks = 0
        self.idle: list[Idle] = []
        self.trouble: list[str] = []
        """What callbacks raised; nothing should."""

    def run(self, main: Coroutine[Any, Any, T]) -> T | None:
        """The answer of `main`; None when the run was halted."""
        self._halted = False
        events._set_running_loop(self)
        try:
            task = self.create_task(main, name="main")
            while not task.done() and not self._halted:
                self._step()
        finally:
            events._set_running_loop(None)
        return task.result() if task.done() else None

    def halt(self) -> None:
        """Ends `run` before the next callback."""
        self._halted = True

    def _step(self) -> None:
        if not self._ready:
            self._jump()
        handle = self._ready.popleft()
        if handle._cancelled:
            return
        life: Life | None = handle._context.get(LIFE)
        if life is not None and (life.dead or life.stopped):
            life.put_by.append(handle)
            return
        self.callbacks += 1
        if self.callbacks > LIMIT:
            raise Endless(f"{LIMIT} callbacks by {self._now:.3f} s")
        handle._run()

    def _jump(self) -> None:
        """Moves time to whatever comes next. Timers of one instant are ready together, in the order they were set."""
        while self._timers and self._timers[0][2]._cancelled:
            heapq.heappop(self._timers)
        at = self._timers[0][0] if self._timers else math.inf
        sleeper, ends = None, at
        for idle in self.idle:
            if idle.life is None or not (idle.life.dead or idle.life.stopped):
                end = idle.ends(self._now)
                if end < ends:
                    sleeper, ends = idle, end
        if math.isinf(ends):
            raise Endless(f"nothing will ever happen again after {self._now:.3f} s")
        self._now = max(self._now, ends)
        if sleeper is not None:
            self.idle.remove(sleeper)
            sleeper.scope.reschedule(self._now)
            return
        while self._timers and self._timers[0][0] <= self._now:
            handle = heapq.heappop(self._timers)[2]
            if not handle._cancelled:
                self._ready.append(handle)

    def bury(self, lives: Iterable[Life]) -> None:
        """Ends, after the run, all that is still in the middle, so that nothing of it is left to the garbage collector."""
        for life in lives:
            self.continue_life(life)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self.trouble.clear()
        self.callbacks = 0
        self.run(_ended(tasks))

    def stop_life(self, life: Life) -> None:
        """As SIGSTOP: nothing of it runs until `continue_life`."""
        life.stopped = True

    def continue_life(self, life: Life) -> None:
        """As SIGCONT: what came up meanwhile runs now, in its order."""
        life.dead = life.stopped = False
        self._ready.extend(life.put_by)
        life.put_by.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override] # there are no threads
        """At once: work in a thread takes no time, and what it raises is raised where it was asked for."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed over, as a thread does
            done.set_exception(error)
        return done

    def create_task(self, coro: Any, **more: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, **more)
        # Held here: asyncio holds tasks weakly, and one of a dead life is nobody's.
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        said = f"{context.get('message')}: {context.get('exception')!r}"
        self.trouble.append(said)
