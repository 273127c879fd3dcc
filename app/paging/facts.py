"""What pages need when they are sent: where they go, and what they say. The configuration as it is now: an edit counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import structlog
from sqlalchemy import bindparam, text

from app.clock import Micros
from app.incidents.incident import Incident
from app.notifiers.notifier import Message
from app.paging.policy import Channel
from app.paging.render import PageFacts, message, minimal
from app.people.person import Person
from app.store import resources
from app.store.database import Reading

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """People, channels and services by id, at one instant."""

    now: Micros
    people: dict[int, resources.Resource]
    channels: dict[int, resources.Resource]
    services: dict[int, resources.Resource]
    links: dict[int, str]
    """By incident: what the alert that opened it links to, as it is stored."""

    def address(self, page: Any) -> dict[str, Any] | None:
        """Where a page goes; None when its contact method, or its person, is gone."""
        if page.person_id is None and page.channel_id is None:
            return {}
        if page.channel_id is not None:
            channel = self.channels.get(page.channel_id)
            return channel.as_a(Channel).address if channel else None
        found = self.people.get(page.person_id)
        if found is None:
            return None
        person = found.as_a(Person)
        mine = (one for one in person.contact_methods if one.id == page.method_id and one.enabled)
        return next((method.address for method in mine if not person.disabled), None)

    def _zone(self, page: Any) -> str:
        found = self.people.get(page.person_id)
        return str(found.document.get("time_zone") or "UTC") if found else "UTC"

    def message(self, page: Any, incident: Incident, url: str, *, plain: bool = False) -> Message:
        """What a page says, or no more than it must (`plain`). `url`: where its person acknowledges."""
        service = self.services.get(incident.service_id or 0)
        told = PageFacts(
            id=page.id,
            number=page.number,
            recipient=page.recipient,
            reason=page.reason,
            service=service.name if service else "",
            level=page.level,
            round=page.round,
            url=url,
            due_at=page.due_at,
            urgency=page.urgency or ("high" if incident.urgency == "high" else "low"),
            zone=self._zone(page),
        )
        if plain:
            return minimal(told, incident, self.now)
        try:
            return message(replace(told, links=self._links(incident)), incident, self.now)
        except Exception:  # whatever is wrong with the words, the page goes out, plainer
            log.exception("page_not_rendered", page=page.id, incident=incident.id)
            return minimal(told, incident, self.now)

    def _links(self, incident: Incident) -> tuple[tuple[str, str], ...]:
        """The runbook first."""
        found = [(str(label), str(url)) for label, url in orjson.loads(self.links.get(incident.id) or "[]")]
        return tuple(sorted(found, key=lambda link: link[0].lower() != "runbook"))


_LINKS = text(
    "SELECT i.id, (SELECT a.links FROM alerts a WHERE a.incident_id = i.id ORDER BY a.id LIMIT 1) FROM incidents i "
    "WHERE i.id IN :ids"
).bindparams(bindparam("ids", expanding=True))


async def facts_of(view: Reading, some: Sequence[Any], incidents: Iterable[Incident]) -> Facts:
    """Loads what these pages, of these incidents, need."""
    people = await resources.load(view, "person", (page.person_id for page in some if page.person_id is not None))
    channels = await resources.load(view, "channel", (page.channel_id for page in some if page.channel_id is not None))
    owners = (incident.service_id for incident in incidents if incident.service_id is not None)
    services = await resources.load(view, "service", owners, deleted=True)
    about = sorted({page.incident_id for page in some})
    links = {row[0]: row[1] for row in await view.conn.execute(_LINKS, {"ids": about})} if about else {}
    return Facts(view.now, people, channels, services, links)
