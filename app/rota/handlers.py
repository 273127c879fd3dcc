"""What the worker does for the jobs of schedules: looks at handoffs, and whether drills were answered."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from app.metrics import Metrics
from app.paging.worker import Handler
from app.rota import drills, handoff
from app.rota.tickets import Door
from app.store.database import Store
from app.store.jobs import Job

log = structlog.get_logger(__name__)


class Duties:
    """The handlers of one process."""

    def __init__(self, store: Store, metrics: Metrics, door: Door) -> None:
        self._store = store
        self._metrics = metrics
        self._door = door

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {"duty": self.duty, "drill": self.drill}

    async def duty(self, job: Job) -> Sequence[Job]:
        """One look at one schedule."""
        await self._store.write(handoff.look, job, self._door)
        return ()

    async def drill(self, job: Job) -> Sequence[Job]:
        """The end of the time to answer one drill."""
        ended = await self._store.write(drills.check, job)
        if ended is not None:
            self._metrics.drills.labels(ended).inc()
            log.info("drill_ended", drill=job.subject, state=ended)
        return ()
