"""One process of Tocsin on a virtual clock, with one person who is told everything and answers nothing.

Ingest, correlation, jobs, escalation and delivery are those of a server; only time and the last step, where a message
leaves the house, are replaced. Between two messages all that falls due is done, in the order in which it falls due.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from app.cli.replaying.clock import ReplayClock
from app.clock import SECOND, Micros
from app.dedup import arrival
from app.dedup.arrival import Arrival
from app.dedup.directory import Inlet
from app.ids import ProcessIds
from app.incidents.service import FirstPage, Service
from app.notifiers.notifier import Address, Delivered, Limits, Message, Outcome
from app.notifiers.outbound import Outbound
from app.paging.policy import Level, Policy, Target
from app.people.person import ContactMethod, Person
from app.settings import Settings
from app.sources.event import Received, Unreadable
from app.sources.integration import Integration
from app.store import jobs, resources
from app.store.migrate import migrate
from app.wiring import Process, open_world

AT_ONCE = 64
STOPPED_WITHIN_S = 30.0


class NoAddress(Address):
    """The person needs none."""


class Mute:
    """Takes each message, and sends none: what went out is read from the pages."""

    kind: ClassVar[str] = "replay"
    title: ClassVar[str] = "Replay"
    limits: ClassVar[Limits] = Limits(title=300, text=4_000)
    Address: ClassVar[type[Address]] = NoAddress

    async def send(self, address: NoAddress, message: Message, outbound: Outbound) -> Outcome:
        return Delivered()


class Stage:
    """The process, and what came of the messages so far."""

    def __init__(self, process: Process, clock: ReplayClock, service_id: int) -> None:
        self.process = process
        self.world = process.world
        self.clock = clock
        self._handlers = process.handlers
        self._service_id = service_id
        self._inlets: dict[str, Inlet] = {}
        self._next_due: Micros | None = None

    async def passes_to(self, at: Micros) -> None:
        """Time goes on, and what falls due until then is done."""
        while True:
            if self.world.wake.is_set():
                self.world.wake.clear()
                self._next_due = await self.world.store.read(jobs.next_due)
            if self._next_due is None or self._next_due > at:
                break
            self.clock.move_to(self._next_due)
            for job in await self.world.store.write(jobs.claim, AT_ONCE, 60 * SECOND):
                await self._do(job)
            self._next_due = await self.world.store.read(jobs.next_due)
        self.clock.move_to(at)

    async def _do(self, job: jobs.Job) -> None:
        waiting = [job]
        while waiting:
            one = waiting.pop(0)
            waiting += await self._handlers[one.kind](one)

    async def posts(self, source: str, integration: str, body: bytes) -> Arrival:
        """A message comes in and is committed."""
        inlet = self._inlets.get(integration) or await self._inlet(source, integration)
        received, now = Received(body), self.clock.now()
        try:
            said = arrival.read(self.world.sources[source], inlet, received, now)
        except Unreadable as error:
            said = arrival.unread(inlet, str(error), "", body, len(body), now)
        await self.world.committer.commit(said)
        return said

    async def _inlet(self, source: str, integration: str) -> Inlet:
        document = Integration(name=integration, kind=source, service_id=str(self._service_id)).model_dump(mode="json")
        made = await self.world.store.write(resources.create, "integration", integration, document, "replay")
        view = await self.world.store.read(self.world.directory.refresh)
        found = self._inlets[integration] = view.by_id[made.id]
        return found


@asynccontextmanager
async def stage(
    folder: Path, now: Micros, first_page: FirstPage, documents: Sequence[tuple[str, dict[str, Any]]] = ()
) -> AsyncIterator[Stage]:
    """A process on an empty database in `folder`. `documents`: further configuration, each with its kind."""
    clock = ReplayClock(now)
    settings = Settings.model_construct(database_url=f"sqlite:///{folder / 'replay.db'}")
    world = await open_world(settings, clock, ProcessIds(1), prepare=migrate)
    world.notifiers = {**world.notifiers, Mute.kind: Mute()}
    service_id = await _configured(world.store, first_page)
    for kind, document in documents:
        await world.store.write(resources.create, kind, document["name"], document, "replay")
    process = Process(world)
    process.supervisor.start("committer", world.committer.run)
    try:
        yield Stage(process, clock, service_id)
    finally:
        world.committer.close()
        await process.supervisor.join("committer", STOPPED_WITHIN_S)
        await world.outbound.aclose()
        await world.store.close()


async def _configured(store: Any, first_page: FirstPage) -> int:
    """Whoever is told, one level of them, and the service whose incidents they are."""
    method = ContactMethod(id="m", kind=Mute.kind, label="replay")
    person = Person(name="on call", contact_methods=(method,)).model_dump(mode="json")
    told = await store.write(resources.create, "person", "on call", person, "replay")
    level = Level(targets=(Target(kind="person", id=str(told.id)),))
    policy = Policy(name="replay", levels=(level,), repeat=0).model_dump(mode="json")
    policy_id = (await store.write(resources.create, "policy", "replay", policy, "replay")).id
    service = Service(name="replay", policy_id=str(policy_id), first_page=first_page).model_dump(mode="json")
    return int((await store.write(resources.create, "service", "replay", service, "replay")).id)
