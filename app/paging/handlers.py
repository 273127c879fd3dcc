"""What the worker does for each kind of job: a deed, for a page the call of the provider, and another deed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from app.clock import SECOND, Clock
from app.incidents.respond import ack_expiry
from app.metrics import Metrics
from app.notifiers.notifier import Notifier, Outcome, Refused, Unknown
from app.notifiers.outbound import Outbound
from app.notifiers.registry import BadAddress, parse_address
from app.notifiers.sink import KIND as SYNTHETIC
from app.paging import notify
from app.paging.bundles import BundleTry, begin_bundle, record_bundle
from app.paging.deliver import Desk, Try, begin, lateness_s, record
from app.paging.deliveries import begin_all, record_all
from app.paging.doors import NOTIFIER_FAILED
from app.paging.escalate import escalate
from app.paging.notify import NoticeTry
from app.paging.receipts import receipt_due
from app.paging.retry import outcome_name
from app.paging.together import Alone, Together
from app.paging.worker import Handler
from app.routing.quieting import Quieting
from app.store.database import Store
from app.store.jobs import Job

log = structlog.get_logger(__name__)

SLACK_S = 2.0
"""A notifier keeps its own time; one that does not is stopped this much later."""
STALLED_S = 1.0
"""Who notices that so late stood still meanwhile."""


class Paging:
    """The handlers of one process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        notifiers: Mapping[str, Notifier[Any]],
        outbound: Outbound,
        desk: Desk,
        send_timeout_s: float,
        lease_s: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._notifiers = notifiers
        self._outbound = outbound
        self._desk = desk
        self._deadline_s = send_timeout_s + SLACK_S
        self._lease = lease_s * SECOND
        self._begin = Together(self._begin_one, self._begin_many)
        self._record = Together(self._record_one, self._record_many)
        self._quieting = Quieting()

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {
            "escalate": self.escalate,
            "deliver": self.deliver,
            "bundle": self.bundle,
            "ack_expiry": self.ack_expiry,
            "receipt": self.receipt,
            "notice": self.notice,
        }

    async def escalate(self, job: Job) -> Sequence[Job]:
        """Tells the next level; answers the pages it has claimed."""
        done = await self._store.write(escalate, job, self._lease, self._quieting)
        if done.undelivered:
            self._metrics.undelivered.inc()
            log.error("incident_undelivered", incident=job.subject)
        return done.claimed

    async def ack_expiry(self, job: Job) -> Sequence[Job]:
        """Ends an acknowledgement that had an end."""
        await self._store.write(ack_expiry, job)
        return ()

    async def deliver(self, job: Job) -> Sequence[Job]:
        """One try of one page."""
        try:
            tried = await self._begin(job)
            if tried is None:
                return ()
            late_s = lateness_s(tried, self._clock.now())
            outcome = await self._sent(tried)
        finally:
            self._desk.doors.give_back(job.id)
        self._metrics.page_outcomes.labels(tried.notifier, outcome_name(outcome)).inc()
        await self._record((tried, outcome))
        # The synthetic page of each minute is nobody's page.
        if tried.notifier != SYNTHETIC:
            self._metrics.page_delay_seconds.observe(late_s)
            log.info(
                "page_tried",
                page=tried.page_id,
                number=tried.number,
                notifier=tried.notifier,
                outcome=outcome_name(outcome),
            )
        return ()

    async def bundle(self, job: Job) -> Sequence[Job]:
        """One try of a message with many pages."""
        try:
            tried = await self._store.write(begin_bundle, job, self._desk)
            if tried is None:
                return ()
            outcome = await self._sent(tried)
        finally:
            self._desk.doors.give_back(job.id)
        name = outcome_name(outcome)
        self._metrics.page_outcomes.labels(tried.notifier, name).inc()
        await self._store.write(record_bundle, tried, outcome)
        self._metrics.bundled_pages.labels(tried.notifier).inc(len(tried.attempts))
        log.info("bundle_tried", bundle=job.subject, pages=len(tried.attempts), notifier=tried.notifier, outcome=name)
        return ()

    async def receipt(self, job: Job) -> Sequence[Job]:
        """Looks whether a receipt has come."""
        missing = await self._store.write(receipt_due, job)
        if missing is not None:
            self._metrics.receipts.labels(missing, "missing").inc()
        return ()

    async def _begin_one(self, job: Job) -> Try | None:
        return await self._store.write(begin, job, self._desk)

    async def _begin_many(self, claimed: Sequence[Job]) -> list[Try | Alone | None]:
        return await self._store.write(begin_all, claimed, self._desk)

    async def _record_one(self, tried: tuple[Try, Outcome]) -> None:
        await self._store.write(record, *tried)

    async def _record_many(self, tried: Sequence[tuple[Try, Outcome]]) -> list[Alone | None]:
        return await self._store.write(record_all, tried)

    async def notice(self, job: Job) -> Sequence[Job]:
        """One try of one notice."""
        try:
            begun = await self._store.write(notify.begin, job, self._desk.doors)
            if isinstance(begun, NoticeTry):
                outcome = await self._sent(begun)
                self._metrics.notice_outcomes.labels(begun.notifier, outcome_name(outcome)).inc()
                ended = await self._store.write(notify.record, begun, outcome)
            else:
                ended = begun
        finally:
            self._desk.doors.give_back(job.id)
        if ended is not None:
            self._metrics.notices.labels(ended.kind, ended.state).inc()
            log.info("notice_ended", notice=job.subject, kind=ended.kind, state=ended.state, detail=ended.detail)
        return ()

    async def _sent(self, tried: Try | BundleTry | NoticeTry) -> Outcome:
        """Sends, and tells the provider's door how it went."""
        began = self._clock.monotonic()
        outcome = await self.send(tried)
        # After a stall every call that was on its way has timed out at once: that says nothing of the provider.
        stood_still = self._clock.monotonic() - began > self._deadline_s + STALLED_S
        self._desk.doors.came_of(tried.job.id, outcome, self._clock.now(), stood_still=stood_still)
        return outcome

    async def send(self, tried: Try | BundleTry | NoticeTry) -> Outcome:
        """Calls the notifier and turns everything it may do into an outcome."""
        notifier = self._notifiers.get(tried.notifier)
        if notifier is None:
            return Refused(f"no notifier of kind {tried.notifier!r} is installed")
        try:
            address = parse_address(self._notifiers, tried.notifier, tried.address)
        except BadAddress as error:
            return Refused(f"the address can't be used: {error}")
        try:
            async with asyncio.timeout(self._deadline_s):
                return await notifier.send(address, tried.message, self._outbound)
        except TimeoutError:
            return Unknown(f"no answer within {self._deadline_s:g} s")
        except Exception as error:  # a notifier's bug must not lose the page: whether it was sent is not known
            log.exception("notifier_failed", notifier=tried.notifier)
            return Unknown(f"{NOTIFIER_FAILED}: {type(error).__name__}")
