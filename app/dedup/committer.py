"""Group commit: all requests that wait are written in one transaction, and answered when it is on disk.

One loop a process takes what has queued up while the last transaction ran. Alone, a request waits for nothing; in a
storm hundreds share one flush. When a group fails it is tried again request by request, so that one bad request fails
alone. The queue is bounded: what does not fit is refused at once, and the sender comes again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import structlog

from app.clock import SECOND, Clock, Micros
from app.dedup.arrival import Arrival
from app.dedup.directory import Directory
from app.dedup.episodes import Touch, touch_alerts
from app.dedup.ingest import ingest
from app.dedup.work import Written
from app.routing.tally import Tally, write_tally
from app.store.database import Store, Writing
from app.store.errors import StoreError, Unavailable

log = structlog.get_logger(__name__)

GROUP_EVENTS = 2_000
"""Events of one transaction: long enough to share a flush, short enough that paging's own transactions get in between."""
STILL_TURNS = 3
MOST_TURNS = 64
"""A storm has been heard out when so many turns of the event loop brought nothing, or after the most: an answer leaves in
one turn, the next request is read in another and its alerts wait in a third. What never pauses is written all the same."""
FLUSH_AFTER = SECOND // 2
FLUSH_TOUCHES = 4_000
"""Repeats begin to be added up this long after the first came, at most so many alerts in one transaction: at the latest
a second after it came, a repeat is written."""


class Overloaded(Exception):
    """The queue is full; nothing was taken. The sender is asked to come again."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What may wait at a time."""

    requests: int = 2_000
    events: int = 50_000


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    answer: asyncio.Future[None]
    since: Micros


class Committer:
    """The one writer of alerts in a process."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        clock: Clock,
        *,
        on_written: Callable[[Written], None],
        limits: QueueLimits = QueueLimits(),
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._on_written = on_written
        self._limits = limits
        self._queue: deque[_Waiting] = deque()
        self._queued_events = 0
        self._wake = asyncio.Event()
        self._touches: dict[int, Touch] = {}
        self._tally = Tally()
        self._flush_at: Micros = 0
        self._closing = False
        self._writing_since: Micros | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait to be committed."""
        return len(self._queue)

    @property
    def waiting_since(self) -> Micros | None:
        """Since when the request that has waited longest waits, be it written already; None when none does."""
        if self._writing_since is not None:
            return self._writing_since
        return self._queue[0].since if self._queue else None

    @property
    def unwritten(self) -> int:
        """Alerts whose repeats are still to be added up."""
        return len(self._touches) + len(self._tally.hits)

    async def commit(self, arrival: Arrival, within_s: float | None = None) -> None:
        """Returns once all that the request said is on disk. Raises Overloaded, or why it could not be written.

        Raises Unavailable when that takes longer than `within_s`; it may still be written then.
        """
        size = len(arrival.prepared)
        full = len(self._queue) >= self._limits.requests or self._queued_events + size > self._limits.events
        # A request larger than the whole bound is let in when nothing else waits: it could never come in otherwise.
        if self._closing or (full and self._queue):
            raise Overloaded
        loop = asyncio.get_running_loop()
        waiting = _Waiting(arrival, loop.create_future(), self._clock.now())
        self._queue.append(waiting)
        self._queued_events += size
        self._wake.set()
        # As asyncio.timeout, for a seventh of its cost.
        late = None if within_s is None else loop.call_later(within_s, _late, waiting, within_s)
        try:
            await waiting.answer
        finally:
            if late is not None:
                late.cancel()

    async def run(self) -> None:
        """Writes groups until `close`; what has queued by then is still written."""
        await self._remember_incidents()
        while True:
            if not self._queue:
                if self._closing:
                    break
                self._wake.clear()
                await self._clock.wait(self._wake, self._until_flush())
            await self._gather()
            group = self._take()
            if group:
                self._writing_since = group[0].since
                await self._write(group)
                self._writing_since = None
            elif self.unwritten and self._flush_due():
                await self._flush_alone()
        while self.unwritten:
            await self._flush_alone()

    async def _remember_incidents(self) -> None:
        """Before the first alert, so that none has to wait for it; what fails here is done in its transaction."""
        try:
            await self._store.read(self._directory.memory.look)
        except StoreError as error:
            log.warning("incidents_not_yet_remembered", error=type(error).__name__)

    def close(self) -> None:
        """Takes nothing new; `run` ends when all is written."""
        self._closing = True
        self._wake.set()

    async def _gather(self) -> None:
        """In a storm, hears out those who are talking, so that one transaction has what two or three would have had.

        Those who were just answered, and whose next request is on its way through the event loop; not one that waits alone.
        """
        seen, still = len(self._queue), 0
        for _ in range(MOST_TURNS):
            if seen < 2 or still == STILL_TURNS or self._queued_events >= GROUP_EVENTS:
                break
            await asyncio.sleep(0)
            still = still + 1 if len(self._queue) == seen else 0
            seen = len(self._queue)

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        events = 0
        while self._queue and (not group or events + len(self._queue[0].arrival.prepared) <= GROUP_EVENTS):
            waiting = self._queue.popleft()
            size = len(waiting.arrival.prepared)
            events += size
            self._queued_events -= size
            # A client that hung up while waiting is written all the same: it may have been about to be answered.
            group.append(waiting)
        return group

    async def _write(self, group: list[_Waiting]) -> None:
        try:
            await self._write_together([waiting.arrival for waiting in group])
        except Unavailable as error:
            for waiting in group:
                _fail(waiting, error)
        except Exception as error:
            if len(group) == 1:
                log.exception("ingest_request_failed", integration=group[0].arrival.inlet.name)
                _fail(group[0], error)
                return
            log.warning("ingest_group_split", requests=len(group), error=type(error).__name__)
            for waiting in group:
                await self._write([waiting])
        else:
            for waiting in group:
                if not waiting.answer.done():
                    waiting.answer.set_result(None)

    async def _write_together(self, arrivals: list[Arrival]) -> None:
        touches, tally = self._due_touches(), self._due_tally()
        written = await self._store.write(self._ingest_and_flush, arrivals, touches, tally)
        self._directory.memory.committed()
        self._forget(touches, tally)
        self._remember(written)
        self._on_written(written)

    async def _ingest_and_flush(
        self, tx: Writing, arrivals: list[Arrival], touches: list[Touch], tally: Tally
    ) -> Written:
        await _flush(tx, touches, tally)
        return await ingest(tx, self._directory, arrivals)

    async def _flush_alone(self) -> None:
        touches, tally = self._due_touches(), self._due_tally()
        try:
            await self._store.write(_flush, touches, tally)
        except Exception as error:  # noqa: BLE001 - counts only: they stay remembered and are tried again
            log.warning("touch_flush_failed", alerts=len(touches), error=type(error).__name__)
            self._flush_at = self._clock.now() + FLUSH_AFTER
            if self._closing:
                self._touches.clear()
                self._tally = Tally()
        else:
            self._forget(touches, tally)

    def _remember(self, written: Written) -> None:
        if (written.touches or written.tally) and not self.unwritten:
            self._flush_at = self._clock.now() + FLUSH_AFTER
        if written.tally:
            self._tally.add(written.tally)
        for touch in written.touches:
            known = self._touches.get(touch.id)
            if known is None:
                self._touches[touch.id] = touch
            else:
                known.count += touch.count
                known.last_seen_at = touch.last_seen_at
                known.expires_at = touch.expires_at

    def _forget(self, touches: list[Touch], tally: Tally) -> None:
        # Nothing was added to them meanwhile: this loop is the only one that remembers and forgets.
        if tally is self._tally:
            self._tally = Tally()
        for touch in touches:
            del self._touches[touch.id]

    def _due_touches(self) -> list[Touch]:
        """What is to be written now: the oldest, and not so many that paging has to wait for them."""
        if not self._closing and (not self._touches or not self._flush_due()):
            return []
        return list(islice(self._touches.values(), FLUSH_TOUCHES))

    def _due_tally(self) -> Tally:
        return self._tally if self._closing or self._flush_due() else Tally()

    def _flush_due(self) -> bool:
        return self._clock.now() >= self._flush_at

    def _until_flush(self) -> float:
        if not self.unwritten:
            return 60.0
        return max(0.0, (self._flush_at - self._clock.now()) / SECOND)


async def _flush(tx: Writing, touches: list[Touch], tally: Tally) -> None:
    await touch_alerts(tx, touches)
    if tally:
        await write_tally(tx, tally)


def _late(waiting: _Waiting, within_s: float) -> None:
    _fail(waiting, Unavailable(f"the database has not answered within {within_s:g} s"))


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
