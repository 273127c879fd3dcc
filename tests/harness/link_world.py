"""An incident with its alerts, a person with a link to it, and the pages behind links: no worker, no sender.

async with link_world(database) as story:
    ana = await story.person("Ana")
    await story.incident("DiskFull")
    await story.opens(ana)
    await story.presses(ana)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from sqlalchemy import insert, text

from app.api import landing
from app.api import links as link_routes
from app.clock import MINUTE, SECOND
from app.dedup.tables import alerts
from app.ids import ProcessIds
from app.incidents import ledger
from app.incidents.incident import Entry, Incident, opened
from app.incidents.service import Service
from app.paging import links
from app.paging.tables import pages
from app.people.person import Person
from app.settings import Settings
from app.store import resources
from app.store.database import Reading, Writing
from app.store.migrate import migrate
from app.wiring import open_world
from app.world import World
from tests.harness.clock import StoryClock

PHONE = {
    "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.9",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "none",
}
PRESS = {**PHONE, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Holder:
    """Somebody with a link; `id` is None for a channel."""

    id: int | None
    name: str


@dataclass
class LinkWorld:
    """The story's world: one incident at a time."""

    world: World
    web: httpx.AsyncClient
    clock: StoryClock
    about: Incident | None = None
    made: list[Any] = field(default_factory=list)

    async def person(self, name: str, time_zone: str = "UTC") -> Holder:
        document = Person(name=name, time_zone=time_zone).model_dump(mode="json")
        made = await self.world.store.write(resources.create, "person", name, document, "the story")
        return Holder(made.id, name)

    async def leaves(self, holder: Holder) -> None:
        """Somebody is removed."""
        await self.world.store.write(_remove, holder.id)

    async def incident(
        self, title: str, *problems: Mapping[str, Any], severity: str = "critical", **more: Any
    ) -> Incident:
        """An open incident of a new service with these alerts (one, when none is given)."""
        self.about = await self.world.store.write(_open, title, problems or ({},), severity, more)
        return self.about

    async def paged(self, holder: Holder, reason: str = "on call in Primary (layer weekly, turn 12)") -> None:
        await self.world.store.write(_page, self._about, holder, reason)

    async def now(self) -> Incident:
        """The incident as it is in the database."""

        async def question(view: Reading) -> Incident | None:
            return await ledger.by_number(view, self._about.number)

        found = await self.world.store.read(question)
        assert found is not None
        return found

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async def question(view: Reading) -> Sequence[Any]:
            return (await view.conn.execute(text(sql), values)).all()

        return list(await self.world.store.read(question))

    async def breaks_the_database(self) -> None:
        """From now on every question and every deed fails as it does when a table can't be read."""

        async def rename(tx: Writing) -> None:
            await tx.conn.execute(text("ALTER TABLE incidents RENAME TO elsewhere"))

        await self.world.store.write(rename)

    @property
    def _about(self) -> Incident:
        assert self.about is not None
        return self.about

    def token(self, holder: Holder, action: links.LinkAction = "acknowledge", *, hours: int = 24) -> str:
        return links.make(
            self.world.secret,
            incident_id=self._about.id,
            number=self._about.number,
            recipient=holder.name,
            person_id=holder.id,
            action=action,
            now=self.clock.now(),
            hours=hours,
        )

    async def opens(self, holder: Holder, **headers: str) -> httpx.Response:
        """Looks at the page of the holder's link."""
        return await self.web.get(f"/a/{self.token(holder)}", headers=PHONE | headers)

    async def presses(self, holder: Holder, action: links.LinkAction = "acknowledge", **fields: str) -> httpx.Response:
        """Opens the page and presses the button of `action` that is there."""
        shown = await self.opens(holder)
        assert shown.status_code == 200, shown.text
        token = button(shown.text, action, self.world.secret, self.clock.now())
        return await self.web.post(f"/a/{token}", headers=PRESS, data=hidden(shown.text, token) | fields)

    async def follows(self, answer: httpx.Response) -> httpx.Response:
        """Where a browser goes after a button."""
        assert answer.status_code == 303, answer.text
        address = answer.url.join(answer.headers["location"])
        return await self.web.get(address, headers=PHONE)


FORM = re.compile(r'<form[^>]*action="\./([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)


def buttons(html: str, secret: str, now: int) -> dict[str, str]:
    """The token of each action that the page offers."""
    return {links.read(secret, token, now).action: token for token, _ in FORM.findall(html)}


def button(html: str, action: str, secret: str, now: int) -> str:
    offered = buttons(html, secret, now)
    assert action in offered, f"the page offers {sorted(offered)}, not {action}"
    return offered[action]


def hidden(html: str, token: str) -> dict[str, str]:
    """The hidden fields of one form."""
    inside = dict(FORM.findall(html))[token]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', inside))


async def _remove(tx: Writing, person_id: int) -> None:
    found = (await resources.load(tx, "person", [person_id]))[person_id]
    await resources.remove(tx, found, "the story", seen=found.version)


async def _open(
    tx: Writing, title: str, problems: Sequence[Mapping[str, Any]], severity: str, more: Mapping[str, Any]
) -> Incident:
    id_ = tx.new_id()
    name = more.get("service", f"checkout {id_}")
    service = await resources.create(tx, "service", name, Service(name=name).model_dump(mode="json"), "the story")
    made = opened(
        incident_id=id_,
        number=id_ % 1_000_000,
        service_id=service.id,
        title=title,
        severity=severity,
        impact=more.get("impact", "high"),
        grouping=b"g" * 16,
        now=tx.now,
    )
    made.alerts = made.open_alerts = len(problems)
    made.escalation = "running"
    made.level = 1
    await ledger.add(tx, [made])
    await ledger.record(tx, [(made.id, Entry("triggered", "tocsin", f"opened by {title}"))])
    await tx.conn.execute(insert(alerts), [_alert(tx, made, place, one) for place, one in enumerate(problems)])
    return made


def _alert(tx: Writing, incident: Incident, place: int, given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": tx.new_id(),
        "integration_id": 1,
        "service_id": incident.service_id,
        "incident_id": incident.id,
        "key_digest": incident.id.to_bytes(8) + place.to_bytes(8),
        "episode": 1,
        "dedup_key": f"key {place}",
        "title": given.get("title", incident.title),
        "severity": given.get("severity", incident.severity),
        "labels": orjson.dumps(given.get("labels", {"alertname": "DiskFull"})).decode(),
        "annotations": orjson.dumps(given.get("annotations", {})).decode(),
        "links": orjson.dumps(given.get("links", [])).decode(),
        "content": b"c" * 16,
        "reason": "first",
        "because": "the story",
        "count": given.get("count", 1),
        "first_seen_at": tx.now - MINUTE,
        "last_seen_at": tx.now,
        "resolved_at": given.get("resolved_at"),
    }


async def _page(tx: Writing, incident: Incident, holder: Holder, reason: str) -> None:
    known = (
        await tx.conn.execute(text("SELECT count(*) FROM pages WHERE incident_id = :i"), {"i": incident.id})
    ).scalar()
    await tx.conn.execute(
        insert(pages).values(
            id=tx.new_id(),
            incident_id=incident.id,
            number=int(known or 0) + 1,
            epoch=incident.epoch,
            round=0,
            level=0,
            person_id=holder.id,
            method_id="phone",
            notifier="console",
            recipient=holder.name,
            reason=reason,
            fallback=False,
            due_at=tx.now,
            state="sent",
            created_at=tx.now,
            done_at=tx.now + SECOND,
        )
    )


@asynccontextmanager
async def link_world(database_url: str) -> AsyncIterator[LinkWorld]:
    """A world on an empty database, with the pages behind links and nothing else."""
    clock = StoryClock()
    settings = Settings(database_url=database_url, public_url="http://tocsin.test")
    world = await open_world(settings, clock, ProcessIds(1), prepare=migrate)
    application = FastAPI(openapi_url=None)
    application.include_router(link_routes.router(world))
    application.include_router(landing.router())
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://tocsin.test") as web:
        try:
            yield LinkWorld(world, web, clock)
        finally:
            await world.outbound.aclose()
            await world.store.close()
