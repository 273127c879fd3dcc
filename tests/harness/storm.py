"""A storm of alerts from senders that come again until they are answered 202, and the account at its end.

Every alert is an incident of its own and every incident one page to one phone, so that what was lost and what came twice
can be counted. Nothing of Tocsin's memory is asked: only what senders were answered, what the phone got, and the tables.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
from sqlalchemy import text

from app.clock import HOUR
from app.paging.policy import Policy
from app.people.person import Person
from app.store import resources
from app.store.database import Store, Writing
from app.store.errors import Unavailable
from tests.harness.providers import FakeProvider
from tests.harness.town import add_key

PATH = "/v1/in/alertmanager/key"
SENDERS = 10
AGAIN_S = 0.2
HANGS_S = 30.0
"""A sender gives a server that says nothing so long."""


async def seed(tx: Writing, phone: str) -> None:
    """One person with one phone, one policy, one service whose every alert is an incident, one way in."""
    person = Person.model_validate(
        {"name": "Ana", "contact_methods": [{"id": "phone", "kind": "webhook", "address": {"url": phone}}]}
    )
    ana = await resources.create(tx, "person", "Ana", person.model_dump(mode="json"), "test")
    policy = Policy.model_validate(
        {"name": "p", "levels": [{"targets": [{"kind": "person", "id": str(ana.id)}], "delay_s": 86_400}]}
    )
    made = await resources.create(tx, "policy", "p", policy.model_dump(mode="json"), "test")
    service = {"name": "s", "policy_id": str(made.id), "grouping": {"by": "alert"}}
    owner = await resources.create(tx, "service", "s", service, "test")
    document = {"name": "am", "kind": "alertmanager", "service_id": str(owner.id), "settings": {}}
    integration = await resources.create(tx, "integration", "am", document, "test")
    await add_key(tx, integration.id, "key")


def _body(name: str) -> dict[str, Any]:
    labels = {"alertname": name, "severity": "critical"}
    return {"version": "4", "status": "firing", "alerts": [{"status": "firing", "labels": labels}]}


@dataclass
class Storm:
    """`rate` alerts a second, to whatever `url` is at the moment; an alert that is not answered 202 is sent again."""

    rate: float = 50.0
    url: str = ""
    answered: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    """The longest that a sender waited for an answer, whatever it was."""
    refused: int = 0
    """How often nobody was there, or nobody answered."""

    @asynccontextmanager
    async def blowing(self) -> AsyncIterator[None]:
        """It blows for the length of the block; what was not answered by then is sent no more."""
        names = count()
        senders = [asyncio.create_task(self._sender(names)) for _ in range(SENDERS)]
        try:
            yield
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)

    async def more(self, many: int = 1, within_s: float = 120.0) -> None:
        """Returns when so many more alerts have been answered 202: a life in which nothing was answered proves nothing."""
        wanted = len(self.answered) + many
        async with asyncio.timeout(within_s):
            while len(self.answered) < wanted:
                await asyncio.sleep(0.01)

    async def _sender(self, names: Any) -> None:
        every_s = SENDERS / self.rate
        async with httpx.AsyncClient(trust_env=False, timeout=HANGS_S) as web:
            while True:
                began = time.monotonic()
                name = f"alert-{next(names)}"
                while not await self._sent(web, name):
                    await asyncio.sleep(AGAIN_S)
                self.answered.add(name)
                await asyncio.sleep(max(0.0, every_s - (time.monotonic() - began)))

    async def _sent(self, web: httpx.AsyncClient, name: str) -> bool:
        began = time.monotonic()
        try:
            answer = await web.post(f"{self.url}{PATH}", json=_body(name))
        except httpx.TransportError:
            self.refused += 1
            return False
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.statuses[answer.status_code] += 1
        return answer.status_code == 202


async def quiet(store: Store, within_s: float = 150.0) -> None:
    """Returns when no page waits and no job is due, held, or put back in trouble. A level that follows is a day away."""

    async def waiting(view: Any) -> int:
        question = (
            "SELECT count(*) FROM jobs WHERE kind = 'deliver' OR due_at <= :now OR lease_until > :now "
            "OR (kind = 'escalate' AND due_at <= :soon)"
        )
        values = {"now": view.now, "soon": view.now + HOUR}
        return int((await view.conn.execute(text(question), values)).scalar_one())

    async with asyncio.timeout(within_s):
        while True:
            # Connections of this process, too, may have died of the fault.
            with suppress(Unavailable):
                if not await store.read(waiting):
                    return
            await asyncio.sleep(0.1)


async def _all(store: Store, question: str) -> list[Any]:
    async def ask(view: Any) -> list[Any]:
        return list((await view.conn.execute(text(question))).all())

    return await store.read(ask)


async def _tries(store: Store, page: str, times: int) -> str:
    rows = await _all(
        store, f"SELECT * FROM attempts WHERE page_id = {int(page.removeprefix('tocsin-'))} ORDER BY number"
    )
    return f"{page} came {times} times: " + "; ".join(str(dict(row._mapping)) for row in rows)


@dataclass(frozen=True)
class Account:
    """What came of a storm."""

    answered: int
    lost_alerts: int
    """Answered 202, and not in the database."""
    incidents: int
    lost_pages: int
    """Incidents of which the phone never heard."""
    extra: int
    """Pages that came again."""
    unknown: int
    """Tries of which nobody knows what came; each may come once more."""
    unexplained: int
    """Pages that came more often than their unknown outcomes explain, and pages that were planned twice."""
    latest_s: float
    """The longest from the instant a page was due to its first try."""
    statuses: dict[int, int]
    slowest_s: float
    puzzling: tuple[str, ...] = ()
    """The tries of some pages that came too often."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost_alerts or self.lost_pages or self.unexplained) and set(self.statuses) <= {202, 503}


async def account(store: Store, phone: FakeProvider, storm: Storm) -> Account:
    """Counts."""
    received = Counter(seen.json["id"] for seen in phone.seen)
    told = {seen.json["title"].split(" ", 1)[1] for seen in phone.seen}
    stored = {row.title for row in await _all(store, "SELECT title FROM alerts")}
    incidents = {row.title for row in await _all(store, "SELECT title FROM incidents WHERE number > 0")}
    # Not those of synthetic pages, one of which may be on its way just now.
    planned = await _all(store, "SELECT p.id FROM pages p JOIN incidents i ON i.id = p.incident_id WHERE i.number > 0")
    tries = await _all(store, "SELECT page_id FROM attempts WHERE outcome = 'unknown'")
    unknown = Counter(f"tocsin-{row.page_id}" for row in tries)
    puzzling = [page for page, times in received.items() if times > 1 + unknown[page]]
    late = await _all(
        store,
        "SELECT max(t.began - p.due_at) AS late FROM pages p JOIN "
        "(SELECT page_id, min(started_at) AS began FROM attempts GROUP BY page_id) t ON t.page_id = p.id",
    )
    return Account(
        answered=len(storm.answered),
        lost_alerts=len(storm.answered - stored),
        incidents=len(incidents),
        lost_pages=len(incidents - told),
        extra=sum(times - 1 for times in received.values()),
        unknown=sum(unknown.values()),
        unexplained=len(planned)
        - len(incidents)
        + sum(max(0, times - 1 - unknown[page]) for page, times in received.items()),
        latest_s=(late[0].late or 0) / 1_000_000,
        statuses=dict(storm.statuses),
        slowest_s=storm.slowest_s,
        puzzling=tuple([await _tries(store, page, received[page]) for page in puzzling[:3]]),
    )
