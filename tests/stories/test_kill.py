"""Killed at any instant of a storm, thirty times on each database.

Nothing answered is lost, no page is lost, and a page comes twice only where its outcome was unknown.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.clock import SystemClock
from app.ids import ProcessIds
from app.paging.policy import Policy
from app.people.person import Person
from app.store import resources
from app.store.database import Store, Writing
from app.store.migrate import migrate
from app.store.opening import open_store
from tests.harness.process import served
from tests.harness.providers import Answering, FakeProvider, provider
from tests.harness.town import add_key

KILLS = 30
SENDERS = 6


async def _seed(tx: Writing, phone: str) -> None:
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


async def _sender(url: str, names: Any, answered: set[str]) -> None:
    """Posts one alert after another until the server dies; a name counts once its 2xx was read."""
    with suppress(httpx.TransportError):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as web:
            while True:
                name = f"alert-{next(names)}"
                answer = await web.post("/v1/in/alertmanager/key", json=_body(name))
                if answer.status_code == 202:
                    answered.add(name)
                await asyncio.sleep(0.02)


async def _until_more(answered: set[str], before: int) -> None:
    """A life in which nothing was answered proves nothing: on a busy machine the first answer is waited for."""
    async with asyncio.timeout(20):
        while len(answered) == before:
            await asyncio.sleep(0.01)


async def _until_quiet(store: Store) -> None:
    """Returns when no job is due or held."""

    async def waiting(view: Any) -> int:
        question = "SELECT count(*) FROM jobs WHERE kind = 'deliver' OR due_at <= :now OR lease_until > :now"
        return int((await view.conn.execute(text(question), {"now": view.now})).scalar_one())

    async with asyncio.timeout(150):
        while await store.read(waiting):
            await asyncio.sleep(0.1)


async def _all(store: Store, question: str) -> list[Any]:
    async def ask(view: Any) -> list[Any]:
        return list((await view.conn.execute(text(question))).all())

    return await store.read(ask)


@pytest.mark.timeout(400)
async def test_killed_thirty_times_in_a_storm_nothing_answered_is_lost(database: str, tmp_path: Path) -> None:
    chance = random.Random(20_261_121)
    answered: set[str] = set()
    names = iter(range(1_000_000))
    store = open_store(database, SystemClock(), ProcessIds())
    await migrate(store)
    async with provider(Answering(200, b"{}")) as phone:
        await store.write(_seed, phone.url("/ana"))
        for _ in range(KILLS):
            async with served(database, tmp_path, lease_s="15") as server:
                senders = [asyncio.create_task(_sender(server.url, names, answered)) for _ in range(SENDERS)]
                before = len(answered)
                await asyncio.sleep(chance.uniform(0.05, 0.5))
                await _until_more(answered, before)
                await server.kill()
                await asyncio.gather(*senders)
        async with served(database, tmp_path, lease_s="15") as server:
            await _until_quiet(store)
            assert await server.stop() == 0
        assert len(answered) >= KILLS
        await _nothing_is_lost(store, answered)
        await _no_page_is_lost_or_doubled_for_nothing(store, phone)
    await store.close()


async def _nothing_is_lost(store: Store, answered: set[str]) -> None:
    stored = {row.title for row in await _all(store, "SELECT title FROM alerts")}
    assert not answered - stored


async def _no_page_is_lost_or_doubled_for_nothing(store: Store, phone: FakeProvider) -> None:
    received = Counter(seen.json["id"] for seen in phone.seen)
    titles = {seen.json["title"].split(" ", 1)[1] for seen in phone.seen}
    incidents = {row.title for row in await _all(store, "SELECT title FROM incidents WHERE number > 0")}
    assert not incidents - titles, f"never paged: {sorted(incidents - titles)[:5]}"
    unknown = Counter(
        f"tocsin-{row.page_id}" for row in await _all(store, "SELECT page_id FROM attempts WHERE outcome = 'unknown'")
    )
    for page, times in received.items():
        assert times <= 1 + unknown[page], f"{page} came {times} times with {unknown[page]} unknown outcomes"
