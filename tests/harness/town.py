"""A running Tocsin with people in it: real database, real sockets to fake phones, and a clock the story moves.

    async with town(database) as story:
        ana = await story.person("Ana")
        policy = await story.policy(levels=[[ana]])
        alerts = await story.integration("alertmanager", await story.service("checkout", policy))
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await ana.acknowledges()

A page nobody expected, or an error in the log, fails the story at its end.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import structlog
from sqlalchemy import insert, text

from app.api.access import Role, create_key
from app.api.app import Routes
from app.clock import HOUR, SECOND, iso
from app.dedup.directory import digest_of
from app.dedup.tables import integration_keys
from app.ids import ProcessIds
from app.incidents import ledger, respond
from app.incidents.incident import Incident
from app.incidents.service import Service
from app.notifiers.outbound import system_trust
from app.oncall.record import put_in_force
from app.oncall.tables import overrides
from app.paging.policy import Channel, Policy
from app.people.person import Person
from app.server import Tocsin
from app.settings import Settings
from app.sources.integration import Integration
from app.store import jobs, resources
from app.store.database import Database, Store, Writing
from app.store.migrate import migrate
from app.store.opening import open_store
from app.wiring import Process, open_world
from app.world import World
from tests.harness.clock import StoryClock
from tests.harness.lending import give_back, lend
from tests.harness.providers import Answering, FakeProvider, Seen, provider

SETTLED_WITHIN_S = 60
MINUTE = 60


@dataclass
class Phone:
    """Where pages of one person or channel arrive: a webhook of a real server."""

    story: Town
    path: str
    taken: int = 0

    def inbox(self) -> list[Seen]:
        return [seen for seen in self.story.provider.seen if seen.path == self.path]

    def unread(self) -> list[dict[str, Any]]:
        return [seen.json for seen in self.inbox()[self.taken :]]


@dataclass
class Resident:
    """A person of the story, with a phone."""

    story: Town
    id: int
    name: str
    phone: Phone
    last: dict[str, Any] = field(default_factory=dict)

    async def is_paged(self, about: str = "", *, times: int = 1) -> dict[str, Any]:
        """Exactly `times` new pages are there, each about `about`; answers the last."""
        await self.story.settled()
        unread = self.phone.unread()
        if len(unread) != times:
            tries = await self.story.rows("SELECT page_id, number, outcome, detail FROM attempts ORDER BY id")
            came = [page["title"] for page in unread]
            raise AssertionError(f"{self.name}: {len(came)} pages instead of {times}: {came}; of the tries {tries}")
        for page in unread:
            assert about in page["title"], f"{self.name} was paged about {page['title']!r}, not {about!r}"
        self.phone.taken += times
        self.last = unread[-1]
        return self.last

    async def is_not_paged(self) -> None:
        """No new page is there."""
        await self.story.settled()
        assert not self.phone.unread(), f"{self.name} was paged: {self.phone.unread()}"

    async def opens_link(self) -> httpx.Response:
        """Looks at the page as a phone would."""
        return await self.story.web.get(_path(self.last["url"]), headers=BROWSER)

    async def acknowledges(self) -> httpx.Response:
        """Opens the link of the last page and presses the button."""
        assert (await self.opens_link()).status_code == 200
        answer = await self.story.web.post(_path(self.last["url"]), headers=FORM)
        assert answer.status_code in (200, 303), answer.text
        await self.story.settled()
        return answer


BROWSER = {
    "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "accept": "text/html,application/xhtml+xml",
    "accept-language": "en",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "none",
}
FORM = {**BROWSER, "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


@dataclass
class Sender:
    """A monitoring tool of the story."""

    story: Town
    id: int
    kind: str
    key: str
    starts: dict[str, int] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/v1/in/{self.kind}/{self.key}"

    async def posts(self, document: Any, **how: Any) -> httpx.Response:
        """Sends any JSON as it is."""
        answer = await self.story.web.post(self.path, json=document, **how)
        await self.story.settled()
        return answer

    async def fires(self, *names: str, severity: str = "critical", **labels: str) -> None:
        """Alertmanager's message of one group in which these alerts fire."""
        for name in names:
            self.starts.setdefault(name, self.story.clock.now())
        answer = await self.posts(self._group("firing", names, severity, labels))
        assert answer.status_code == 202, answer.text

    async def resolves(self, *names: str, severity: str = "critical", **labels: str) -> None:
        """Alertmanager's message of one group in which these alerts have resolved."""
        answer = await self.posts(self._group("resolved", names, severity, labels))
        assert answer.status_code == 202, answer.text
        for name in names:
            self.starts.pop(name, None)

    def _group(self, status: str, names: Sequence[str], severity: str, labels: dict[str, str]) -> dict[str, Any]:
        return {
            "version": "4",
            "status": status,
            "groupKey": "{}",
            "alerts": [
                {
                    "status": status,
                    "labels": {"alertname": name, "severity": severity, **labels},
                    "annotations": {"summary": name},
                    "startsAt": iso(self.starts.get(name, self.story.clock.now())),
                    "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else iso(self.story.clock.now()),
                }
                for name in names
            ],
        }


@dataclass
class Town:
    """The story's world."""

    world: World
    process: Process
    provider: FakeProvider
    web: httpx.AsyncClient
    clock: StoryClock
    console: io.StringIO
    routes: Routes
    residents: list[Resident] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    names: Any = field(default_factory=itertools.count)
    replicas: tuple[Town, ...] = ()
    """All that share its database and its clock: a clock that is moved while one works ends what that one has claimed."""

    @property
    def store(self) -> Store:
        return self.world.store

    async def _create(self, kind: str, name: str, document: dict[str, Any]) -> int:
        made = await self.store.write(resources.create, kind, name, document, "the story")
        return made.id

    def _webhook(self, path: str) -> dict[str, Any]:
        return {"url": self.provider.url(path)}

    async def person(self, name: str, **more: Any) -> Resident:
        """Somebody with a phone; `more` goes into the document."""
        path = f"/{name.lower()}"
        document = {
            "name": name,
            "contact_methods": self.phones(name.lower()),
            **more,
        }
        person_id = await self._create("person", name, Person.model_validate(document).model_dump(mode="json"))
        resident = Resident(self, person_id, name, Phone(self, path))
        self.residents.append(resident)
        return resident

    def phones(self, *names: str) -> list[dict[str, Any]]:
        """Contact methods, one phone a name."""
        return [{"id": name, "kind": "webhook", "label": name, "address": self._webhook(f"/{name}")} for name in names]

    async def channel(self, name: str) -> Resident:
        """A place a team reads, with an inbox like a phone's."""
        path = f"/channel-{name.lower()}"
        document = {"name": name, "kind": "webhook", "address": self._webhook(path)}
        channel_id = await self._create("channel", name, Channel.model_validate(document).model_dump(mode="json"))
        resident = Resident(self, channel_id, name, Phone(self, path))
        self.residents.append(resident)
        return resident

    async def schedule(self, name: str, *people: Resident, **layer: Any) -> int:
        """A daily rotation from 2026-01-05 in UTC, handing over at 00:00."""
        document = {
            "name": name,
            "time_zone": "UTC",
            "layers": [
                {
                    "name": "daily",
                    "participants": [str(person.id) for person in people],
                    "unit": "day",
                    "length": 1,
                    "start_date": "2026-01-05",
                    "handoff": "00:00",
                    "restrictions": [],
                    **layer,
                }
            ],
        }
        schedule_id = await self._create("schedule", name, document)
        await self.store.write(put_in_force, schedule_id, 1, document, None)
        return schedule_id

    async def override(self, schedule: int, person: Resident, *, after_h: float, hours: float) -> None:
        """`person` stands in, beginning `after_h` hours from now."""
        start = self.clock.now() + int(after_h * HOUR)
        await self.store.write(_add_override, schedule, person.id, start, start + int(hours * HOUR))

    async def snoozes(self, incident: Incident, *, by: str, seconds: int) -> None:
        await self.store.write(respond.snooze, incident.number, by, seconds)

    async def acknowledges(self, incident: Incident, *, by: str) -> None:
        await self.store.write(respond.acknowledge, incident.number, by)

    async def resolves(self, incident: Incident, *, by: str) -> None:
        await self.store.write(respond.resolve, incident.number, by)

    async def flushed(self) -> None:
        """Returns when what repeats added up to is written."""
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while self.world.committer.unwritten:
                await asyncio.sleep(0.002)

    async def policy(self, levels: Sequence[Sequence[Any]], *, delay_s: int = 300, repeat: int = 0) -> int:
        """Levels of people, channels and schedules (by the id of the schedule)."""
        document = {
            "name": f"policy {next(self.names)}",
            "levels": [{"targets": [_target(one) for one in level], "delay_s": delay_s} for level in levels],
            "repeat": repeat,
        }
        return await self._create("policy", document["name"], Policy.model_validate(document).model_dump(mode="json"))

    async def service(self, name: str, policy: int | None = None, **more: Any) -> int:
        document = {"name": name, "policy_id": str(policy) if policy else None, **more}
        return await self._create("service", name, Service.model_validate(document).model_dump(mode="json"))

    async def integration(self, kind: str, service: int | None = None, **settings: Any) -> Sender:
        """A sender's way in, with a key."""
        name = f"{kind} {next(self.names)}"
        document = Integration(name=name, kind=kind, service_id=str(service) if service else None, settings=settings)
        key = f"key-{next(self.names)}"
        integration_id = await self._create("integration", name, document.model_dump(mode="json"))
        await self.store.write(add_key, integration_id, key)
        return Sender(self, integration_id, kind, key)

    async def incidents(self) -> list[Incident]:
        """All of them, oldest first."""

        async def question(view: Any) -> list[Incident]:
            ids = (await view.conn.execute(text("SELECT id FROM incidents ORDER BY id"))).scalars().all()
            return list((await ledger.load(view, ids)).values())

        return await self.store.read(question)

    async def incident(self) -> Incident:
        """The only one."""
        found = await self.incidents()
        assert len(found) == 1, f"{len(found)} incidents instead of one: {[one.title for one in found]}"
        return found[0]

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        """Looks into the database."""

        async def question(view: Any) -> list[Any]:
            return list((await view.conn.execute(text(sql), values)).all())

        return await self.store.read(question)

    async def times_seen(self) -> int:
        """How often the only alert was sent, as far as it is written."""
        question = "SELECT a.count + coalesce(s.count, 0) AS n FROM alerts a LEFT JOIN sightings s ON s.alert_id = a.id"
        (row,) = await self.rows(question)
        return int(row.n)

    async def api_key(self, role: Role) -> str:
        """A new key of the HTTP API."""
        _, secret = await self.store.write(create_key, f"story {next(self.names)}", role)
        return secret

    async def settled(self) -> None:
        """Returns when nothing is due, nothing waits and nothing is under way, in all replicas."""
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while not await self._quiet():
                await asyncio.sleep(0.002)

    async def _quiet(self) -> bool:
        if self._working():
            return False
        due = await self.store.read(jobs.next_due)
        # Asked again: what was claimed while the question was on its way is not due, but under way.
        return (due is None or due > self.clock.now()) and not self._working()

    def _working(self) -> bool:
        return any(
            one.world.committer.waiting or one.process.worker.busy or one.world.wake.is_set() for one in self.replicas
        )

    async def passes(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0) -> None:
        """Time goes by, stopping wherever something falls due."""
        end = self.clock.now() + int((seconds + minutes * MINUTE + hours * 60 * MINUTE) * SECOND)
        await self.settled()
        while self.clock.now() < end:
            due = await self.store.read(jobs.next_due)
            self.clock.move_to(end if due is None else min(end, due))
            self.world.wake.set()
            await self.settled()

    async def ends(self) -> None:
        """The process stops in good order."""
        await self.web.aclose()
        await self.process.stop()

    def assert_nothing_unexpected(self) -> None:
        for resident in self.residents:
            assert not resident.phone.unread(), f"unexpected pages of {resident.name}: {resident.phone.unread()}"
        assert not self.errors, f"errors in the log: {self.errors}"


def _target(one: Any) -> dict[str, str]:
    if isinstance(one, Resident):
        return {"kind": "channel" if one.phone.path.startswith("/channel-") else "person", "id": str(one.id)}
    return {"kind": "schedule", "id": str(one)}


async def add_key(tx: Writing, integration_id: int, key: str) -> None:
    await tx.conn.execute(
        insert(integration_keys).values(
            digest=digest_of(key), integration_id=integration_id, hint=key[-4:], created_at=tx.now
        )
    )
    await resources.touch_config(tx)


async def _add_override(tx: Writing, schedule: int, person: int, start: int, end: int) -> None:
    await tx.conn.execute(
        insert(overrides).values(
            id=tx.new_id(),
            schedule_id=schedule,
            person_id=person,
            starts_at=start,
            ends_at=end,
            created_at=tx.now,
            created_by="the story",
        )
    )


@asynccontextmanager
async def town(database_url: str, *, seed: int = 1, **settings: Any) -> AsyncIterator[Town]:
    """A running Tocsin on an empty database, ended in good order; anything unexpected fails the story."""
    async with provider(Answering(200, b"{}")) as fake:
        story = await begin(database_url, StoryClock(), fake, seed=seed, **settings)
        try:
            yield story
            await story.settled()
            story.assert_nothing_unexpected()
        finally:
            await story.ends()
            give_back(story.world, story.routes)


@asynccontextmanager
async def replicas(database_url: str, **settings: Any) -> AsyncIterator[tuple[Town, Town]]:
    """Two processes on one database, with one clock, whose pages go to the same phones."""
    async with provider(Answering(200, b"{}")) as fake:
        one = await begin(database_url, StoryClock(), fake, seed=1, **settings)
        other = await begin(database_url, one.clock, fake, seed=2, **settings)
        one.replicas = other.replicas = (one, other)
        try:
            yield one, other
        finally:
            await one.ends()
            await other.ends()


_trust = cache(system_trust)
"""Reading all authorities costs more than most stories do."""


async def begin(
    database_url: str,
    clock: StoryClock,
    fake: FakeProvider,
    *,
    seed: int = 1,
    around: Callable[[Database], Database] = lambda database: database,
    watching: bool = False,
    **settings: Any,
) -> Town:
    """Starts a process on a database. `around` puts something between it and its database.

    `watching`: it also watches itself, each few seconds of the story's clock.
    """
    console = io.StringIO()
    errors: list[dict[str, Any]] = []

    def keep_errors(_: Any, __: str, entry: dict[str, Any]) -> dict[str, Any]:
        if entry.get("log_level") in ("error", "critical") or entry.get("exc_info"):
            errors.append(entry)
        raise structlog.DropEvent

    structlog.configure(processors=[_level, keep_errors])
    ids = ProcessIds(seed)
    store = open_store(database_url, clock, ids)
    await migrate(store)
    world = await open_world(
        Settings(
            database_url=database_url,
            public_url="http://tocsin.test",
            outbound_allow=("127.0.0.1/32",),
            # A busy machine is no silent provider and no silent database.
            send_timeout_s=14,
            answer_within_s=60,
            # Stories count pages one by one; bundles have a story of their own.
            **({"page_limit": 0} | settings),
        ),
        clock,
        ids,
        console=console,
        store=Store(around(store.database), clock, ids),
        trust=_trust,
    )
    world, routes = lend(world)
    process = Process(world)
    process.start(watching=watching)
    transport = httpx.ASGITransport(app=Tocsin(process, routes))
    web = httpx.AsyncClient(transport=transport, base_url="http://tocsin.test")
    story = Town(world, process, fake, web, clock, console, routes, errors=errors)
    story.replicas = (story,)
    return story


def _level(_: Any, method: str, entry: dict[str, Any]) -> dict[str, Any]:
    entry["log_level"] = "error" if method == "exception" else method
    return entry


LINK = re.compile(r"https?://\S+/a/\S+")
