"""Tocsin watches itself: a synthetic page goes the way of every page, an audit finds what nobody does, the outside is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from app.clock import HOUR, SECOND
from app.store import jobs
from app.store.database import Database, Store, Work
from app.watch import hold, synthetic
from tests.harness.clock import StoryClock
from tests.harness.providers import Answering, FakeProvider, provider
from tests.harness.town import Town
from tests.harness.town import begin as begin_town

EMPTY_AFTER = ("incidents", "alerts", "sightings", "pages", "attempts", "timeline")


class WaitedFor(StoryClock):
    """Knows how many wait for it: when all do, nothing happens any more until it moves."""

    def __init__(self) -> None:
        super().__init__()
        self._until: dict[object, int] = {}

    @property
    def waiting(self) -> int:
        """How many wait for an instant that has not come."""
        return sum(until > self.now() for until in self._until.values())

    async def wait(self, wake: asyncio.Event, timeout_s: float) -> None:
        waiter = object()
        self._until[waiter] = self.now() + int(timeout_s * SECOND)
        try:
            await super().wait(wake, timeout_s)
        finally:
            del self._until[waiter]


@dataclass
class Gated:
    """A database whose transactions can be made to hang, as behind a lock that nobody gives back."""

    inner: Database
    stuck: bool = False
    free: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def kind(self) -> str:
        return self.inner.kind

    async def write(self, work: Work[Any]) -> Any:
        if self.stuck:
            await self.free.wait()
        return await self.inner.write(work)

    async def read(self, work: Work[Any]) -> Any:
        return await self.inner.read(work)

    async def close(self) -> None:
        await self.inner.close()


@dataclass
class Watching:
    """A process that watches itself, and the outside that it tells."""

    story: Town
    clock: WaitedFor
    fake: FakeProvider
    loops: int = 7
    """Worker, committer, lag, and the four of the watch."""

    async def still(self) -> None:
        """Returns when every loop waits for the clock."""
        async with asyncio.timeout(20):
            while self.clock.waiting < self.loops or self._awake():
                await asyncio.sleep(0.002)

    def _awake(self) -> bool:
        """Whether the worker, if there is one, has something to do."""
        process = self.story.process
        return not process.supervisor.dead() and (process.worker.busy or self.story.world.wake.is_set())

    async def passes(self, seconds: float) -> None:
        end = self.clock.now() + int(seconds * SECOND)
        while self.clock.now() < end:
            self.clock.move_to(min(end, self.clock.now() + 5 * SECOND))
            await asyncio.sleep(0)
            await self.still()

    @property
    def told(self) -> int:
        """How often the outside was told that all is well."""
        return sum(seen.path == "/out" for seen in self.fake.seen)

    def errors(self) -> list[str]:
        """What the log says is wrong, since the last time."""
        found = [one["event"] for one in self.story.errors]
        self.story.errors.clear()
        return found

    def metric(self, name: str, **labels: str) -> float | None:
        return self.story.world.metrics.registry.get_sample_value(name, labels)

    async def livez(self) -> tuple[int, str]:
        answer = await self.story.web.get("/livez")
        return answer.status_code, answer.json()["status"]


@asynccontextmanager
async def watching(
    database: str, *, around: Callable[[Database], Database] = lambda one: one, **settings: Any
) -> AsyncIterator[Watching]:
    async with provider(Answering(200, b"{}")) as fake:
        clock = WaitedFor()
        story = await begin_town(
            database, clock, fake, around=around, watching=True, heartbeat_url=fake.url("/out"), **settings
        )
        watch = Watching(story, clock, fake)
        try:
            yield watch
        finally:
            await story.ends()


@asynccontextmanager
async def quiet(database: str) -> AsyncIterator[Watching]:
    """A process that watches when it is told to."""
    async with provider(Answering(200, b"{}")) as fake:
        clock = WaitedFor()
        story = await begin_town(database, clock, fake)
        try:
            yield Watching(story, clock, fake, loops=3)
        finally:
            await story.ends()


async def test_a_synthetic_page_goes_the_whole_way_each_minute_and_leaves_nothing(database: str) -> None:
    """Ten minutes, ten pages, and not one row, number, list or figure of real incidents is touched."""
    async with watching(database) as watch:
        story = watch.story
        await watch.still()
        await watch.passes(600)
        assert 10 <= (watch.metric("tocsin_synthetic_page_seconds_count") or 0) <= 11
        assert (watch.metric("tocsin_synthetic_page_seconds_sum") or 0) < 1
        assert watch.metric("tocsin_page_outcomes_total", notifier="synthetic", outcome="delivered") is not None
        for table in EMPTY_AFTER:
            assert (await story.rows(f"SELECT count(*) AS n FROM {table}"))[0].n == 0, table
        assert await story.rows("SELECT value FROM counters WHERE name = 'incident'") == []
        assert watch.metric("tocsin_incidents_opened_total") == 0
        assert watch.metric("tocsin_page_delay_seconds_count") == 0
        assert watch.metric("tocsin_ingest_events_total", change="first") is None
        assert watch.told == 10
        assert watch.errors() == []
        key = await story.api_key("admin")
        headers = {"authorization": f"Bearer {key}"}
        for path in ("services", "policies", "channels", "integrations"):
            assert (await story.web.get(f"/v1/{path}", headers=headers)).json()["items"] == []
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        answer = await story.web.post(alerts.path, json=alerts._group("firing", ["DiskFull"], "critical", {}))
        assert answer.status_code == 202
        await watch.still()
        assert [one.number for one in await story.incidents()] == [1]
        assert len(ana.phone.inbox()) == 1


async def test_one_that_does_not_arrive_is_said_is_in_no_list_and_is_swept_by_the_next(database: str) -> None:
    async with quiet(database) as watch:
        story = watch.story
        # The worker takes nothing: the page is ingested and stays there.
        story.process.worker.stop()
        await story.process.supervisor.join("worker", 5)
        page = asyncio.create_task(story.process.watchers.page())
        headers = {"authorization": f"Bearer {await story.api_key('admin')}"}
        while not page.done():
            if watch.clock.waiting < 3:
                await asyncio.sleep(0.002)
                continue
            for path in ("incidents", "alerts"):
                assert (await story.web.get(f"/v1/{path}", headers=headers)).json()["items"] == []
            watch.clock.move_to(watch.clock.now() + 5 * SECOND)
            await asyncio.sleep(0.002)
        assert watch.errors() == ["synthetic_page_failed"]
        assert watch.metric("tocsin_synthetic_page_failures_total") == 1
        assert [one.title for one in await story.incidents()] == ["A synthetic page: nothing is broken"]
        story.clock.move_to(story.clock.now() + 60 * SECOND)
        assert await story.store.write(synthetic.begin)
        assert await story.incidents() == []


async def test_of_many_replicas_one_sends_the_synthetic_page_of_a_minute(database: str) -> None:
    async with quiet(database) as watch:
        begun = await asyncio.gather(*(watch.story.store.write(synthetic.begin) for _ in range(8)))
        assert sum(begun) == 1
        watch.clock.move_to(watch.clock.now() + 60 * SECOND)
        begun = await asyncio.gather(*(watch.story.store.write(synthetic.begin) for _ in range(8)))
        assert sum(begun) == 1
        # A replica whose clock is a little behind: what another has begun lies ahead of it, and is left alone.
        store = watch.story.store
        behind = Store(store.database, StoryClock(store.clock.now() - SECOND // 20), store.ids)
        assert not await behind.write(synthetic.begin)


async def test_a_worker_that_died_is_noticed_within_ninety_seconds(database: str) -> None:
    """Its task is gone. The process says that it is not alive, the log that pages do not arrive, and the outside hears nothing."""
    async with watching(database) as watch:
        story = watch.story
        await watch.still()
        await watch.passes(80)
        assert watch.told == 2
        await story.process.supervisor.cancel("worker")
        watch.loops = 6
        assert await watch.livez() == (503, "not running: worker")
        alerts = await story.integration("generic")
        assert (await story.web.post(alerts.path, json={"title": "disk full"})).status_code == 202
        await watch.passes(90)
        assert {"synthetic_page_failed", "audit_found"} <= set(watch.errors())
        assert (watch.metric("tocsin_audit_findings", kind="late_jobs") or 0) >= 1
        heard = watch.told
        await watch.passes(300)
        assert watch.told == heard
        watch.errors()


async def test_a_worker_that_lives_and_does_not_get_on_is_not_alive(database: str) -> None:
    """Behind a lock that nobody gives back, every loop is there and none goes round."""
    gated: list[Gated] = []

    def around(inner: Database) -> Database:
        gated.append(Gated(inner))
        return gated[0]

    async with watching(database, around=around) as watch:
        await watch.still()
        story = watch.story
        alerts = await story.integration("generic")
        await watch.passes(5)
        assert await watch.livez() == (200, "ok")
        gated[0].stuck = True
        sent = asyncio.create_task(story.web.post(alerts.path, json={"title": "disk full"}))
        await asyncio.sleep(0.05)
        watch.clock.move_to(watch.clock.now() + 30 * SECOND)
        story.world.wake.set()
        await asyncio.sleep(0.05)
        assert await watch.livez() == (200, "ok")
        watch.clock.move_to(watch.clock.now() + 2 * SECOND)
        story.process.worker.last_round_at = watch.clock.now() - 31 * SECOND
        assert await watch.livez() == (503, "the worker does not go round; the committer does not get on")
        told = watch.told
        gated[0].stuck = False
        gated[0].free.set()
        assert (await sent).status_code == 202
        await watch.still()
        assert await watch.livez() == (200, "ok")
        assert told <= 1


async def test_the_outside_hears_nothing_while_paging_is_held_and_the_log_is_loud_after_fifteen_minutes(
    database: str,
) -> None:
    async with watching(database) as watch:
        await watch.still()
        await watch.passes(80)
        assert watch.told == 2
        await watch.story.store.write(hold.begin, "Ana", "restored")
        await watch.passes(14 * 60)
        assert (watch.told, watch.errors()) == (2, [])
        assert (watch.metric("tocsin_paging_held_seconds") or 0) > 800
        await watch.passes(120)
        assert set(watch.errors()) == {"paging_held"}
        await watch.story.store.write(hold.release)
        await watch.passes(120)
        assert watch.told >= 3
        assert watch.errors() == []
        assert watch.metric("tocsin_paging_held_seconds") == 0


async def test_the_outside_hears_nothing_while_nobody_could_be_told_of_an_open_incident(database: str) -> None:
    """Nobody is reachable: the last way to wake somebody is the watch outside."""
    async with watching(database) as watch:
        story = watch.story
        await watch.still()
        ana = await story.person("Ana", contact_methods=[])
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        answer = await story.web.post(alerts.path, json=alerts._group("firing", ["DiskFull"], "critical", {}))
        assert answer.status_code == 202
        await watch.passes(60)
        assert set(watch.errors()) == {"incident_undelivered"}
        told = watch.told
        await watch.passes(300)
        assert watch.told == told
        assert watch.metric("tocsin_undelivered_open_incidents") == 1
        (incident,) = [one for one in await story.incidents() if one.number > 0]
        await story.acknowledges(incident, by="Ben")
        await watch.passes(120)
        assert watch.told >= told + 1


async def test_an_outside_that_does_not_answer_well_is_called_again_and_nothing_else_suffers(database: str) -> None:
    async with watching(database) as watch:
        watch.fake.by_path["/out"] = Answering(500)
        await watch.still()
        await watch.passes(140)
        assert watch.told == 3
        assert watch.metric("tocsin_heartbeat_sent_timestamp_seconds") == 0
        watch.fake.by_path.clear()
        await watch.passes(60)
        assert (watch.metric("tocsin_heartbeat_sent_timestamp_seconds") or 0) > 0
        assert watch.errors() == []


async def test_an_incident_without_a_job_is_found_and_paged_for(database: str) -> None:
    """Something lost its escalation, and something the end of its acknowledgement: both go on, and their timelines say so."""
    async with quiet(database) as watch:
        story = watch.story
        ana, ben = await story.person("Ana"), await story.person("Ben")
        service = await story.service("s", await story.policy([[ana], [ben]]), grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("A", "B", "C")
        await ana.is_paged(times=3)
        _, b, c = await story.incidents()
        await story.snoozes(b, by="Ana", seconds=600)
        await story.resolves(c, by="Ana")
        await story.store.write(_lose_jobs)
        await story.passes(hours=1)
        await ben.is_not_paged()
        await story.process.watchers.audit()
        story.world.wake.set()
        await story.settled()
        assert watch.errors() == ["audit_found"]
        assert watch.metric("tocsin_audit_repairs_total") == 2
        assert watch.metric("tocsin_audit_findings", kind="lost_incidents") == 2
        await ana.is_paged("B")
        await ben.is_paged("A")
        said = await story.rows("SELECT reason FROM timeline WHERE kind = 'repaired' ORDER BY id")
        assert ["no job was left" in row.reason for row in said] == [True, False]
        await story.process.watchers.audit()
        assert (watch.errors(), watch.metric("tocsin_audit_findings", kind="lost_incidents")) == ([], 0)


async def _lose_jobs(tx: Any) -> None:
    await tx.conn.exec_driver_sql("DELETE FROM jobs")


async def test_an_incident_whose_policy_has_ended_is_not_lost(database: str) -> None:
    async with quiet(database) as watch:
        story = watch.story
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await alerts.fires("A")
        await ana.is_paged("A")
        await story.passes(hours=2)
        await story.process.watchers.audit()
        assert watch.errors() == []


async def test_work_that_nobody_does_is_found(database: str) -> None:
    """Jobs that are long due, and claims whose end nobody noticed."""
    async with quiet(database) as watch:
        story = watch.story
        story.process.worker.stop()
        await story.process.supervisor.join("worker", 5)
        ana = await story.person("Ana")
        service = await story.service("s", await story.policy([[ana]]), grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        answer = await story.web.post(alerts.path, json=alerts._group("firing", ["A", "B"], "critical", {}))
        assert answer.status_code == 202
        await story.store.write(_claim_one)
        story.clock.move_to(story.clock.now() + 61 * SECOND)
        await story.process.watchers.audit()
        assert watch.errors() == ["audit_found"]
        assert watch.metric("tocsin_audit_findings", kind="late_jobs") == 2
        assert watch.metric("tocsin_audit_findings", kind="expired_leases") == 1


async def _claim_one(tx: Any) -> None:
    assert len(await jobs.claim(tx, 1, 30 * SECOND)) == 1


async def test_a_page_that_is_planned_late_says_so_and_its_ways_keep_their_distance(database: str) -> None:
    """Two hours without a worker: the incident's first page is two hours late, and the message still comes two minutes later."""
    async with quiet(database) as watch:
        story = watch.story
        await story.process.supervisor.cancel("worker")
        rules = [{"contact_method": name, "delay_s": delay_s} for name, delay_s in (("a", 0), ("b", 120))]
        ana = await story.person("Ana", contact_methods=story.phones("a", "b"), rules=rules)
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        answer = await story.web.post(alerts.path, json=alerts._group("firing", ["A"], "critical", {}))
        assert answer.status_code == 202
        story.clock.move_to(story.clock.now() + 2 * HOUR)
        story.process.supervisor.start("worker", story.process.worker.run)
        story.world.wake.set()
        await story.settled()
        assert [(seen.path, seen.json["late_s"]) for seen in watch.fake.seen] == [("/a", 7_200)]
        await story.passes(119)
        assert len(watch.fake.seen) == 1
        await story.passes(1)
        assert [(seen.path, seen.json["late_s"]) for seen in watch.fake.seen[1:]] == [("/b", 7_200)]
