"""The loop that does what is due. Knows kinds of job by their handler only, decides nothing about pages.

It claims what is due, as much as it has hands for, and runs each job as a task of its own, so that one slow provider
holds up nobody. With nothing due it sleeps until the next due time, a wake-up, or a short poll, whichever is first: a
wake-up is a hint, polling alone keeps the promise. A claim that is not finished ends by itself, whoever died.

What is more urgent goes first, by its rank (app/incidents/turn.py). So that a storm's slow sends never take every hand, a
share of them is kept for the first rank; so that nothing waits for ever, now and then the oldest are taken, whatever their
rank.

A job that fails is put back with a growing pause, for ever: no page is dropped because of a bug. After five failures in a
row it is in quarantine: said aloud, counted in a metric until it is gone, and its kind may have something to do then (a
page counts as failed, app/paging/quarantine.py). When the database is away, no job has failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from app.clock import SECOND, Clock, Micros
from app.metrics import Metrics
from app.store import jobs
from app.store.database import Store, Writing
from app.store.errors import StoreError, Unavailable
from app.store.jobs import Job, LeaseLost, Order

log = structlog.get_logger(__name__)

POLL_S = 1.0
BREATH_S = 0.02
"""Between taking all that was due and looking for more: what was just taken is on its way first."""
WORTH_A_CLAIM = 4
"""When all hands were busy: claims again once this share of them is free (a quarter), or after a breath."""
KEPT = 4
"""This share of the hands (a quarter) is kept for work of the first rank."""
OLDEST_EVERY = 8
"""One claim in so many takes the oldest, whatever their rank."""
TROUBLE_PAUSE_S = 1
LONGEST_PAUSE_S = 60
NEVER: Micros = 2**62
MAX_REASON = 300

Handler = Callable[[Job], Awaitable[Sequence[Job]]]
"""Does a job; answers jobs it has claimed meanwhile, to be done at once."""
Quarantine = Callable[[Writing, Job, str], Awaitable[None]]
"""The deed that goes with a job's way into quarantine, in the same transaction; it is told what went wrong."""


class Worker:
    """One process's hands. `run` until `stop`; then it finishes what it holds and claims nothing new."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        handlers: Mapping[str, Handler],
        wake: asyncio.Event,
        *,
        hands: int,
        lease_s: int,
        quarantine: Mapping[str, Quarantine] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._handlers = handlers
        self._quarantine = quarantine or {}
        self._wake = wake
        self._hands = hands
        self._kept = hands // KEPT
        self._worth = max(1, hands // WORTH_A_CLAIM)
        # Every second process, by chance, takes the oldest first: of those that die before they have claimed so often, none
        # would.
        self._claims = (OLDEST_EVERY - 1) * (clock.now() // 1_000 % 2)
        self._lease = lease_s * SECOND
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._looking = False
        self._expecting = True
        self._only_look = False
        self._full = False
        self._breathed = False
        self._asleep_until: Micros = 0
        self._sooner: Micros = NEVER
        self.last_round_at = clock.now()
        """When it last went round; at first, when it was made."""

    async def run(self) -> None:
        """Claims and works until stopped."""
        while not self._stopping:
            # Woken from outside: something is due. Otherwise look first, which locks nothing.
            self._expecting = self._expecting or (self._wake.is_set() and not self._only_look)
            self._only_look = False
            self._wake.clear()
            self._looking, self._sooner = True, NEVER
            pause_s = await self._round()
            self._looking = False
            self.last_round_at = self._clock.now()
            # Work that was written while it looked, and that it may not have seen.
            pause_s = min(pause_s, (self._sooner - self.last_round_at) / SECOND)
            self._metrics.last_progress.set(self.last_round_at / SECOND)
            if pause_s > 0 and not self._stopping:
                self._asleep_until = self.last_round_at + int(pause_s * SECOND)
                await self._clock.wait(self._wake, pause_s)
        # Not once: what is finished now may have claimed pages of its own, and they are ours to send.
        while self._running:
            await asyncio.wait(self._running)

    @property
    def busy(self) -> bool:
        """Whether it works on jobs, or is about to."""
        return self._looking or bool(self._running)

    def expect(self, at: Micros) -> None:
        """Work falls due at this instant: it is not slept over."""
        if at > self._clock.now():
            if self._looking:
                self._sooner = min(self._sooner, at)
                return
            if at >= self._asleep_until:
                return
            self._only_look = True
        self._wake.set()

    def stop(self) -> None:
        """Claims nothing new; `run` returns when what is held has finished."""
        self._stopping = True
        self._wake.set()

    async def _round(self) -> float:
        """Takes what is due; answers how long to sleep, 0 for not at all."""
        free = self._hands - len(self._running)
        if free <= 0:  # a level of many people takes more hands than there are
            self._full = True
            return POLL_S
        if free <= self._kept:
            return await self._first_rank(free)
        free -= self._kept
        if self._full and free < self._worth and not self._breathed:
            self._breathed = True
            return BREATH_S
        self._full = self._breathed = False
        try:
            taken = await self._claim(free) if self._expecting else []
            self._expecting = len(taken) == free
            if not taken:
                return await self._until_due()
        except StoreError as error:
            log.warning("worker_store_trouble", error=str(error))
            return POLL_S
        self._begin(taken)
        return 0.0 if self._expecting else BREATH_S

    async def _claim(self, free: int) -> list[Job]:
        self._claims += 1
        order: Order = "age" if self._claims % OLDEST_EVERY == 0 else "rank"
        return await self._store.write(jobs.claim, free, self._lease, order)

    async def _first_rank(self, free: int) -> float:
        """All hands but the kept ones are busy: takes what is of the first rank, and nothing else."""
        self._full = True
        try:
            taken = await self._store.write(jobs.claim, free, self._lease, "first rank")
            if not taken:
                return self._pause(await self._store.read(jobs.next_due, first_rank=True)) or BREATH_S
        except StoreError as error:
            log.warning("worker_store_trouble", error=str(error))
            return POLL_S
        self._begin(taken)
        return BREATH_S

    async def _until_due(self) -> float:
        upcoming = await self._store.read(jobs.next_due)
        if upcoming is not None and upcoming <= self._clock.now():
            self._expecting = True
            return 0.0
        return self._pause(upcoming)

    def _pause(self, upcoming: Micros | None) -> float:
        return POLL_S if upcoming is None else max(0.0, min(POLL_S, (upcoming - self._clock.now()) / SECOND))

    def _begin(self, taken: Sequence[Job]) -> None:
        for job in taken:
            task = asyncio.create_task(self._work(job), name=f"{job.kind}:{job.id}")
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        # There may be work that found no hand: the first that is free wakes the loop, which waits a breath for some more.
        free = self._hands - len(self._running)
        if self._full and (free == 1 or free == self._kept + 1 or free >= self._kept + self._worth):
            self._only_look = True
            self._wake.set()

    async def _work(self, job: Job) -> None:
        handler = self._handlers.get(job.kind)
        try:
            if handler is None:
                raise LookupError(f"no handler for jobs of kind {job.kind!r}; is another version running?")
            self._begin(await handler(job))
        except LeaseLost:
            log.info("job_taken_over", kind=job.kind, job=job.id)
        except Unavailable as error:
            log.warning("job_store_trouble", kind=job.kind, job=job.id, error=str(error))
            await self._put_back(job, TROUBLE_PAUSE_S, job.failures)
        except Exception as error:  # the supervisor: a job that fails must not end the loop, nor be lost
            log.exception("job_failed", kind=job.kind, job=job.id)
            self._metrics.job_failures.labels(job.kind).inc()
            await self._failed(job, f"{type(error).__name__}: {error}"[:MAX_REASON])

    async def _failed(self, job: Job, why: str) -> None:
        failures = job.failures + 1
        pause_s = min(LONGEST_PAUSE_S, 2 ** min(job.failures, 10))
        if failures >= jobs.QUARANTINE_AFTER:
            log.error("job_quarantined", kind=job.kind, job=job.id, subject=job.subject, failures=failures, error=why)
            if await self._put_back(job, pause_s, failures, self._quarantine.get(job.kind), why):
                return
        await self._put_back(job, pause_s, failures)

    async def _put_back(
        self, job: Job, pause_s: int, failures: int, deed: Quarantine | None = None, why: str = ""
    ) -> bool:
        """Gives a job back; False when its quarantine is as poisonous as the job itself."""
        due_at = self._clock.now() + pause_s * SECOND
        try:
            await self._store.write(_give_back, job, due_at, failures, deed, why)
        except (Unavailable, LeaseLost) as error:
            # Its lease ends by itself, and then somebody takes it.
            log.warning("job_left_to_its_lease", kind=job.kind, job=job.id, error=str(error))
        except Exception:
            log.exception("job_not_given_back", kind=job.kind, job=job.id)
            return False
        return True


async def _give_back(tx: Writing, job: Job, due_at: Micros, failures: int, deed: Quarantine | None, why: str) -> None:
    if deed is not None:
        await deed(tx, job, why)
    await jobs.put_back(tx, job, due_at, failures=failures)
