"""The loops by which one process watches: says that it listens, audits, sends a synthetic page, tells the outside.

Each is a loop of its own under the supervisor, so that none holds up another, and each writes down when it went well: what
is told to the outside is made of that, so the absence of any of them is seen there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from app.clock import SECOND, Clock, Micros
from app.dedup.committer import Committer, Overloaded
from app.dedup.directory import Directory
from app.dedup.work import Written
from app.metrics import Metrics
from app.notifiers.outbound import Outbound, OutboundError
from app.paging.worker import Handler
from app.store.database import Reading, Store
from app.store.errors import StoreError
from app.store.jobs import Job
from app.watch import audit, synthetic
from app.watch.audit import Findings
from app.watch.gate import Gate
from app.watch.health import Facts, against, said_of
from app.watch.heard import Heard
from app.watch.hold import LOUD_AFTER, Hold, hold_of
from app.watch.look import look
from app.watch.marks import marked_at
from app.watch.presence import listening
from app.watch.signals import JOB, hear

log = structlog.get_logger(__name__)

LISTEN_EVERY_S = 10.0
AUDIT_EVERY_S = 30.0
PAGE_EVERY_S = 60.0
TELL_EVERY_S = 60.0
WARM_UP_S = 5.0
"""A process that has just started has senders to answer and late pages to send before it looks at itself."""
FIRST_TOLD_AFTER_S = 15.0
"""By then the first audit and the first synthetic page are over, where all is well."""
ARRIVES_WITHIN: Micros = 30 * SECOND
LOOK_EVERY_S = 0.2


class NotArrived(Exception):
    """A synthetic page did not arrive."""


class Watchers:
    """What one process watches."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        directory: Directory,
        committer: Committer,
        outbound: Outbound,
        heard: Heard,
        on_written: Callable[[Written], None],
        *,
        heartbeat_url: str,
        lease_s: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._directory = directory
        self._committer = committer
        self._outbound = outbound
        self._heard = heard
        self._on_written = on_written
        self._url = heartbeat_url
        self._lease = lease_s * SECOND
        self._never = asyncio.Event()
        self._audited_at: Micros | None = None
        self._found = Findings()
        self.gate = Gate(store, clock)

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {JOB: self.silence}

    def loops(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """By name. The one that tells the outside is there only when there is somewhere to tell."""
        found = {"listening": self._listen, "audit": self._audit, "synthetic": self._page}
        return {**found, "heartbeat": self._tell} if self._url else dict(found)

    async def silence(self, job: Job) -> Sequence[Job]:
        """One look at one sender."""
        looked = await self._store.write(look, self._directory, job)
        if looked is not None and looked.written is not None:
            self._on_written(looked.written)
        if looked is not None and looked.before != looked.state:
            log.info("sender_changed", sender=looked.name, before=looked.before, now=looked.state, why=looked.because)
        return ()

    async def _wait(self, seconds: float) -> None:
        await self._clock.wait(self._never, seconds)

    async def _listen(self) -> None:
        await self._wait(WARM_UP_S)
        while True:
            await self.listen()
            await self._wait(LISTEN_EVERY_S)

    async def listen(self) -> None:
        """Says that this process listens, and writes down from whom something came."""
        taken = self._heard.taken()
        try:
            deaf = await self._store.write(listening)
            if taken:
                await self._store.write(hear, taken)
        except StoreError as error:
            self._heard.give_back(taken)
            log.warning("listening_not_said", error=str(error))
        else:
            if deaf is not None:
                log.warning("nobody_had_listened", for_s=(deaf.end - deaf.start) // SECOND)

    async def _audit(self) -> None:
        await self._wait(WARM_UP_S)
        while True:
            await self.audit()
            await self._wait(AUDIT_EVERY_S)

    async def audit(self) -> None:
        """One audit: what is found is said, and put right where it can be."""
        try:
            found = await self._store.read(audit.examine, self._lease)
            repaired = await self._store.write(audit.repair, found) if found.lost or found.left_away else []
            hold = await self._store.read(hold_of)
        except StoreError as error:
            log.warning("audit_failed", error=str(error))
            return
        self._found, self._audited_at = found, self._clock.now()
        for kind, many in found.faults.items():
            self._metrics.audit_findings.labels(kind).set(many)
        self._metrics.undelivered_open.set(len(found.undelivered))
        self._metrics.audited_at.set(self._audited_at / SECOND)
        self._metrics.repairs.inc(len(repaired))
        if any(found.faults.values()):
            log.error("audit_found", **found.faults, repaired=repaired)
        self._say_hold(hold)

    def _say_hold(self, hold: Hold | None) -> None:
        held_for = self._clock.now() - hold.since if hold is not None else 0
        self._metrics.paging_held_seconds.set(max(held_for, SECOND) / SECOND if hold is not None else 0)
        if hold is not None:
            say = log.error if held_for >= LOUD_AFTER else log.warning
            say("paging_held", says=said_of(hold, self._clock.now()))

    async def _page(self) -> None:
        await self._wait(WARM_UP_S)
        while True:
            await self.page()
            await self._wait(PAGE_EVERY_S)

    async def page(self) -> None:
        """One synthetic page, unless paging is held or it is another replica's turn."""
        try:
            if await self.gate.held() is None and await self._store.write(synthetic.begin):
                async with asyncio.timeout(ARRIVES_WITHIN / SECOND):
                    await self._committer.commit(synthetic.arrival())
                took_s = await self._arrived()
                self._metrics.synthetic_page_seconds.observe(took_s)
            arrived_at = await self._store.read(marked_at, synthetic.ARRIVED)
        except (StoreError, Overloaded, NotArrived, TimeoutError) as error:
            self._metrics.synthetic_page_failures.inc()
            # One line says it all; a traceback each minute would bury what is wrong.
            log.error("synthetic_page_failed", why=str(error) or type(error).__name__)  # noqa: TRY400
        else:
            self._metrics.synthetic_arrived_at.set((arrived_at or 0) / SECOND)

    async def _arrived(self) -> float:
        """Waits until the page's outcome is recorded; answers how long after its ingest its sending began, in seconds."""
        until = self._clock.now() + ARRIVES_WITHIN
        while True:
            seen = await self._store.read(synthetic.progress)
            if seen is not None and seen.recorded and seen.sent_at is not None:
                await self._store.write(synthetic.end)
                return max(0, seen.sent_at - seen.ingested_at) / SECOND
            if self._clock.now() >= until:
                how_far = "it was not ingested" if seen is None else "it was ingested and not sent"
                raise NotArrived(f"after {ARRIVES_WITHIN // SECOND} s {how_far}")
            await self._wait(LOOK_EVERY_S)

    async def _tell(self) -> None:
        await self._wait(FIRST_TOLD_AFTER_S)
        while True:
            await self.tell()
            await self._wait(TELL_EVERY_S)

    async def tell(self) -> None:
        """Tells the outside that all is well, if it is. Its alarm is that nothing is told."""
        try:
            facts = await self._store.read(self._facts)
        except StoreError as error:
            log.warning("heartbeat_not_sent", why=str(error))
            return
        if reasons := against(facts, self._clock.now()):
            log.warning("heartbeat_not_sent", why="; ".join(reasons))
            return
        try:
            answer = await self._outbound.post(self._url, content=b"tocsin is well\n")
        except OutboundError as error:
            log.warning("heartbeat_failed", why=str(error))
            return
        if 200 <= answer.status < 300:
            self._metrics.heartbeat_sent_at.set(self._clock.now() / SECOND)
        else:
            log.warning("heartbeat_failed", why=f"it was answered {answer.status}")

    async def _facts(self, view: Reading) -> Facts:
        return Facts(
            self._audited_at,
            self._found.faults,
            self._found.undelivered,
            await marked_at(view, synthetic.ARRIVED),
            await hold_of(view),
        )
