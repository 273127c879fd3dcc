"""Puts one process together and takes it apart again. The only place that knows every part."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TextIO

import structlog

from app import __version__
from app.clock import SECOND, Clock, Micros
from app.dedup.committer import Committer, QueueLimits
from app.dedup.directory import Directory
from app.dedup.expire import expire
from app.dedup.work import Written
from app.ids import Ids
from app.metrics import Metrics
from app.notifiers import registry as notifiers
from app.notifiers import sink
from app.notifiers.notifier import Notifier
from app.notifiers.outbound import Outbound, OutboundSettings, system_trust
from app.notifiers.pace import read_paces
from app.paging.deliver import Desk, LinkMaker
from app.paging.doors import Doors
from app.paging.handlers import Paging
from app.paging.quarantine import QUARANTINE
from app.paging.storm import Allowance
from app.paging.worker import Worker
from app.rota.calendar_reading import CalendarReader
from app.rota.handlers import Duties
from app.rota.tickets import Door
from app.rota.watching import Lookout
from app.routing import inhibitors
from app.routing.quieting import Quieting
from app.settings import Settings
from app.sources import registry as sources
from app.sources.source import Source
from app.store import jobs
from app.store.database import Store
from app.store.errors import StoreError
from app.store.hints import Hints
from app.store.jobs import Job
from app.store.opening import open_store
from app.store.signing import signing_secret
from app.supervise import Supervisor
from app.watch import hold
from app.watch.lag import Lag
from app.watch.watchers import Watchers
from app.world import World

log = structlog.get_logger(__name__)

BACKLOG_EVERY_S = 5.0


async def open_world(
    settings: Settings,
    clock: Clock,
    ids: Ids,
    *,
    console: TextIO | None = None,
    store: Store | None = None,
    prepare: Callable[[Store], Awaitable[object]] | None = None,
    senders: Mapping[str, Source[Any]] | None = None,
    ways: Mapping[str, Notifier[Any]] | None = None,
    outbound: Outbound | None = None,
    trust: Callable[[], ssl.SSLContext] = system_trust,
) -> World:
    """The parts of one process, made but not started. `prepare` (the migration) runs first. Raises StoreError.

    Whoever has a store, senders' dialects, ways to reach people or a way out of its own (the simulator) brings them.
    """
    store = store or open_store(settings.database_url, clock, ids)
    if prepare is not None:
        await prepare(store)
    if settings.paging == "hold":
        await store.write(hold.begin, "TOCSIN_PAGING=hold", "set when the server started")
    metrics = Metrics()
    known = sources.installed() if senders is None else senders

    directory = Directory(store, partial(sources.stored_settings, known))
    wake = asyncio.Event()

    def on_written(written: Written) -> None:
        for change, many in written.changes.items():
            metrics.ingest_events.labels(change).inc(many)
        if written.opened:
            metrics.incidents_opened.inc(written.opened - written.synthetic)
        if written.due:
            wake.set()

    return World(
        settings=settings,
        clock=clock,
        ids=ids,
        store=store,
        metrics=metrics,
        directory=directory,
        committer=Committer(
            store,
            directory,
            clock,
            on_written=on_written,
            limits=QueueLimits(settings.queue_requests, settings.queue_events),
        ),
        sources=known,
        notifiers=notifiers.build(console) if ways is None else ways,
        outbound=outbound
        or Outbound(
            OutboundSettings(
                timeout_s=settings.send_timeout_s,
                smtp_url=settings.smtp_url.get_secret_value() or None,
                smtp_from=settings.smtp_from,
                allow=settings.outbound_allow,
                user_agent=f"Tocsin/{__version__}",
                telegram_api=settings.telegram_api,
            ),
            now=clock.now,
            trust=trust,
        ),
        secret=settings.secret_key.get_secret_value() or await store.write(signing_secret),
        base_url=settings.base_url,
        on_written=on_written,
        wake=wake,
    )


class Process:
    """A world with its loops running."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.draining = False
        self.supervisor = Supervisor()
        self.watchers = Watchers(
            world.store,
            world.clock,
            world.metrics,
            world.directory,
            world.committer,
            world.outbound,
            world.heard,
            world.on_written,
            heartbeat_url=world.settings.heartbeat_url.get_secret_value(),
            lease_s=world.settings.lease_s,
        )
        self._watching: tuple[str, ...] = ()
        self._quieting = Quieting()
        self.handlers = self._handlers()
        """What does each kind of job."""
        self.worker = Worker(
            world.store,
            world.clock,
            world.metrics,
            self.handlers,
            world.wake,
            hands=world.settings.workers,
            lease_s=world.settings.lease_s,
            quarantine=QUARANTINE,
        )
        address = world.settings.hints_address
        self.hints = Hints(address, world.ids, lambda: self.worker.expect(world.clock.now())) if address else None
        world.store.on_due = self._expect

    def _handlers(self) -> dict[str, Any]:
        world = self.world
        reaching = {**world.notifiers, sink.KIND: sink.Sink()}
        paces = read_paces(world.settings.provider_pace)
        paging = Paging(
            world.store,
            world.clock,
            world.metrics,
            reaching,
            world.outbound,
            Desk(
                LinkMaker(world.secret, world.base_url, world.settings.link_hours),
                Doors(reaching, paces, hands=world.settings.workers, metrics=world.metrics),
                Allowance(world.settings.page_limit, world.settings.page_window_s),
            ),
            world.settings.send_timeout_s,
            world.settings.lease_s,
        )
        duties = Duties(world.store, world.metrics, Door(world.secret, world.base_url))
        calendars = CalendarReader(world.store, world.clock, world.outbound)
        lookout = Lookout(world.store, world.notifiers)
        parts = (
            paging.handlers(),
            duties.handlers(),
            calendars.handlers(),
            lookout.handlers(),
            self.watchers.handlers(),
            {"expire": self._expire, inhibitors.JOB: self._inhibit},
        )
        return self.watchers.gate.guarded({kind: handler for part in parts for kind, handler in part.items()})

    def _expect(self, at: Micros) -> None:
        """Work has been written that falls due at `at`."""
        self.worker.expect(at)
        if self.hints is not None and at <= self.world.clock.now():
            self.hints.announce()

    async def _expire(self, job: Job) -> tuple[Job, ...]:
        ended = await self.world.store.write(expire, self.world.directory, job)
        self.world.metrics.ingest_events.labels("expired").inc(ended)
        return ()

    async def _inhibit(self, job: Job) -> tuple[Job, ...]:
        await self.world.store.write(inhibitors.look_for_sources, job)
        return ()

    def start(self, *, watching: bool = True) -> None:
        """Begins to commit, to page and to watch. `watching`: False where somebody else decides when what is looked at."""
        self.supervisor.start("committer", self.world.committer.run)
        self.supervisor.start("worker", self.worker.run)
        self.supervisor.start("lag", Lag(self.world.clock, self.world.metrics.loop_lag_seconds).run)
        self.supervisor.start("backlog", self._measure_backlog)
        loops = self.watchers.loops() if watching else {}
        self._watching = tuple(loops)
        for name, loop in loops.items():
            self.supervisor.start(name, loop)
        if self.hints is not None:
            self.supervisor.start("hints", self.hints.run)

    async def stop(self) -> None:
        """Takes nothing new, finishes what was begun (at most `drain_s`), gives everything back."""
        self.draining = True
        drain_s = self.world.settings.drain_s
        for name in self._watching:
            await self.supervisor.cancel(name)
        if self._watching:
            await self.watchers.listen()
        self.world.committer.close()
        self.worker.stop()
        for name in ("committer", "worker"):
            if not await self.supervisor.join(name, drain_s):
                log.warning("drain_cut_short", loop=name, after_s=drain_s)
        for name in ("lag", "backlog", *(("hints",) if self.hints else ())):
            await self.supervisor.cancel(name)
        await self.world.outbound.aclose()
        await self.world.store.close()

    async def _measure_silences(self) -> None:
        try:
            book = await self.world.store.read(self._quieting.book)
        except StoreError as error:
            log.warning("silences_unknown", error=str(error))
            return
        now = self.world.clock.now()
        everything = len(book.over_everything(now))
        self.world.metrics.silences_active.labels("everything").set(everything)
        self.world.metrics.silences_active.labels("some").set(book.silences_on(now) - everything)
        if everything:
            log.warning("everything_is_silenced", silences=everything)

    async def _measure_backlog(self) -> None:
        while True:
            try:
                behind = await self.world.store.read(jobs.backlog)
            except StoreError as error:
                log.warning("backlog_unknown", error=str(error))
            else:
                oldest = behind.oldest_due_at
                age = (self.world.clock.now() - oldest) / SECOND if oldest is not None else 0.0
                self.world.metrics.jobs_due.set(behind.due)
                self.world.metrics.jobs_quarantined.set(behind.quarantined)
                self.world.metrics.oldest_due_seconds.set(max(0.0, age))
            await self._measure_silences()
            await asyncio.sleep(BACKLOG_EVERY_S)
