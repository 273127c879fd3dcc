"""The gate that jobs pass before anybody is paged: while paging is held, they are put away; afterwards they are prepared.

The hold is read at most each `TRUSTED_S`: a page costs no question more in a storm, and a hold counts everywhere within a
second. Knows kinds of job by their names only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.clock import Clock
from app.paging.worker import Handler
from app.store.database import Store
from app.store.jobs import Job
from app.watch.hold import HELD, Hold, hold_of, keep_back
from app.watch.resume import resume

PAGING = frozenset({"escalate", "deliver", "bundle", "notice"})
"""What tells people something."""
TRUSTED_S = 1.0


class Gate:
    """The gate of one process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._hold: Hold | None = None
        self._asked_at: float | None = None

    async def held(self) -> Hold | None:
        """The hold, as it was at most a second ago. Raises Unavailable."""
        now = self._clock.monotonic()
        if self._asked_at is None or now - self._asked_at >= TRUSTED_S:
            self._hold = await self._store.read(hold_of)
            self._asked_at = now
        return self._hold

    def guarded(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """The handlers, those of paging behind the gate."""
        return {kind: self._behind(one) if kind in PAGING else one for kind, one in handlers.items()}

    def _behind(self, handler: Handler) -> Handler:
        async def pass_gate(job: Job) -> Sequence[Job]:
            if await self.held() is not None and await self._store.write(keep_back, job):
                return ()
            if HELD in job.payload:
                await self._store.write(resume, job)
            return await handler(job)

        return pass_gate
