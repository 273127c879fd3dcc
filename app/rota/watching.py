"""What the worker does to look ahead: facts are read, laid out in a thread, and what was found is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence

import structlog

from app.paging.worker import Handler
from app.rota import ahead
from app.rota.reach import reach
from app.store.database import Store
from app.store.jobs import Job

log = structlog.get_logger(__name__)


class Lookout:
    """The handlers of one process. `notifiers`: the kinds installed."""

    def __init__(self, store: Store, notifiers: Container[str]) -> None:
        self._store = store
        self._notifiers = notifiers

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {ahead.EVERYTHING: self.everything, ahead.OF_SCHEDULE: self.of_schedule, ahead.ONE: self.one}

    async def everything(self, job: Job) -> Sequence[Job]:
        """Something changed: every policy is to be looked at anew."""
        policies = await self._store.write(ahead.plan_all, job)
        log.info("looks_planned", policies=policies)
        return ()

    async def of_schedule(self, job: Job) -> Sequence[Job]:
        """A schedule changed: every policy that leads to it is to be looked at anew."""
        policies = await self._store.read(ahead.leading_to, job.subject)
        await self._store.write(ahead.plan, job, policies)
        return ()

    async def one(self, job: Job) -> Sequence[Job]:
        """One look at one policy."""
        look = await self._store.write(ahead.begin, job)
        if look is None:
            return ()
        facts, since = await self._store.read(ahead.facts, look.policy, self._notifiers)
        found = await asyncio.to_thread(reach, facts, since, since + ahead.AHEAD)
        told = await self._store.write(ahead.keep, look, facts, found, since)
        if told:
            log.info("gaps_told", policy=look.policy.id, findings=told)
        return ()
