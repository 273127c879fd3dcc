"""What would come of it: a message, a new incident of a service, an incident at another hour. Nothing is kept, nobody is told.

Must never write. How it is found out is app/explain's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.api import ingest
from app.api.explain import ExpectedShown, expected_shown
from app.api.parameters import ID
from app.api.problems import answers, invalid
from app.clock import Micros, iso
from app.dedup import arrival
from app.dedup.directory import Directory, Inlet
from app.explain import rehearsal
from app.explain.outlook import EventSaid, IncidentSaid, Outlook, outlook
from app.explain.rehearsal import NotThere
from app.incidents.priority import Urgency
from app.oncall.codec import read_instant
from app.oncall.document import InstantText
from app.sources.event import Received, Unreadable
from app.sources.source import Source
from app.store.database import Store
from app.world import World

Pages = Literal["critical", "error", "warning", "info"]
IN_THREAD_BYTES = 64 * 1024


class DryRun(BaseModel):
    """What is tried out: a message (`integration_id`, `payload`), a new incident (`service_id`), or one that there is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: InstantText | None = Field(default=None, description="When it arrives; None: now.")
    integration_id: str | None = Field(default=None, pattern=ID, description="Which sender posts.")
    payload: Any = Field(default=None, description="What it posts: any JSON, or a text that is sent as it is.")
    content_type: str = Field(default="", max_length=200, description="As the sender would send it.")
    service_id: str | None = Field(default=None, pattern=ID, description="A new incident of this service.")
    title: str = Field(default="", max_length=300)
    severity: Pages | None = None
    urgency: Urgency | None = Field(default=None, description="Instead of a severity. Neither: high.")
    incident: int | None = Field(
        default=None, ge=1, lt=2**53, description="The number of an incident, as if it were opened then."
    )

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        things = [name for name in ("integration_id", "service_id", "incident") if getattr(self, name) is not None]
        if len(things) != 1:
            raise ValueError("say one of integration_id (with payload), service_id and incident")
        given = self.model_fields_set
        if ("payload" in given) != (things == ["integration_id"]):
            raise ValueError("payload is what the sender with integration_id posts: both or neither")
        if things != ["service_id"] and given & {"title", "severity", "urgency"}:
            raise ValueError("title, severity and urgency are of a new incident of a service_id")
        if self.severity is not None and self.urgency is not None:
            raise ValueError("say severity or urgency, not both: the urgency follows from the severity")
        return self


class ReplyShown(BaseModel):
    """What the sender would be answered."""

    status: int
    body: dict[str, Any]


class EventShown(BaseModel):
    """One event of the message."""

    title: str
    status: str
    severity: str
    change: str = Field(description="What it does to its alert, for programs: first, again, repeated, resolved, ...")
    incident: str = Field(description="What its incident is called here; empty where it concerns none.")
    sentence: str


class IncidentOutlook(BaseModel):
    """One incident that it would open or touch."""

    name: str
    number: int | None = Field(description="None: it would be new.")
    service: str
    title: str
    state: str = Field(description="When the message has been taken.")
    severity: str
    impact: str
    urgency: str
    priority: str
    policy: str | None
    policy_version: int | None
    sentences: list[str]
    expected: list[ExpectedShown] = Field(description="Who is told when, if nobody acknowledges.")
    gaps: list[str] = Field(description="Where nobody, or not everybody who is meant, would be told.")


class DryRunShown(BaseModel):
    """What would come of it."""

    at: str
    reply: ReplyShown | None = Field(description="What the sender would be answered. None: there is no message.")
    summary: list[str]
    events: list[EventShown]
    incidents: list[IncidentOutlook]
    assumed: list[str] = Field(description="What was taken for granted.")


@dataclass(frozen=True, slots=True)
class Tried:
    """What a dry run found."""

    outlook: Outlook
    reply: ingest.Reply | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """What a dry run needs of a process."""

    store: Store
    directory: Directory
    sources: Mapping[str, Source[Any]]
    max_body_bytes: int


async def try_message(stage: Stage, integration_id: int, received: Received, at: Micros) -> Tried:
    """What would come of a message. Raises NotThere."""
    inlet = (await stage.store.read(stage.directory.refresh)).by_id.get(integration_id)
    if inlet is None or inlet.kind not in stage.sources:
        raise NotThere("integration_id", f"there is no integration with the id {integration_id}")
    if len(received.body) > IN_THREAD_BYTES:
        found, reply = await asyncio.to_thread(_taken, stage, inlet, received, at)
    else:
        found, reply = _taken(stage, inlet, received, at)
    seen = await stage.store.read(rehearsal.of_arrival, stage.directory, found, at)
    return Tried(await asyncio.to_thread(outlook, seen), reply)


def _taken(stage: Stage, inlet: Inlet, received: Received, at: Micros) -> tuple[arrival.Arrival, ingest.Reply]:
    """What the way in makes of a message, and what it answers: the same as for one that is really sent."""
    limit, size = stage.max_body_bytes, len(received.body)
    if size > limit:
        start = received.body[:limit]
        found = arrival.unread(inlet, ingest.oversized(limit), received.content_type, start, size, at)
        return found, ingest.too_large(limit)
    try:
        found = arrival.read(stage.sources[inlet.kind], inlet, received, at)
    except Unreadable as error:
        found = arrival.unread(inlet, str(error), received.content_type, received.body, size, at)
        return found, ingest.unreadable(inlet.kind, error)
    return found, ingest.accepted(found)


async def try_service(stage: Stage, service_id: int, title: str, severity: str, at: Micros) -> Tried:
    """What would come of a new incident of a service. Raises NotThere."""
    seen = await stage.store.read(rehearsal.of_service, service_id, title, severity, at)
    return Tried(await asyncio.to_thread(outlook, seen))


async def try_incident(stage: Stage, number: int, at: Micros) -> Tried:
    """What would come of an incident, if it were opened at another instant. Raises NotThere."""
    seen = await stage.store.read(rehearsal.of_incident, number, at)
    return Tried(await asyncio.to_thread(outlook, seen))


def severity_of(severity: str | None, urgency: Urgency | None) -> str:
    """The severity of an incident of which only one of both may be known."""
    return severity or {"high": "error", "low": "warning"}[urgency or "high"]


def body_of(payload: Any) -> bytes:
    """What the sender posts: a text as it is, anything else as JSON."""
    return payload.encode("utf-8", "replace") if isinstance(payload, str) else orjson.dumps(payload)


async def tried(stage: Stage, asked: DryRun) -> Tried:
    """Does what is asked. Raises NotThere."""
    at = read_instant("at", asked.at) if asked.at else stage.store.clock.now()
    if asked.integration_id is not None:
        content_type = asked.content_type or ("text/plain" if isinstance(asked.payload, str) else "application/json")
        received = Received(body_of(asked.payload), content_type, {})
        return await try_message(stage, int(asked.integration_id), received, at)
    if asked.service_id is not None:
        severity = severity_of(asked.severity, asked.urgency)
        return await try_service(stage, int(asked.service_id), asked.title, severity, at)
    assert asked.incident is not None
    return await try_incident(stage, asked.incident, at)


def _event(said: EventSaid) -> EventShown:
    fate = said.fate
    return EventShown(
        title=fate.title,
        status=fate.status,
        severity=fate.severity,
        change=fate.change.name,
        incident=said.incident,
        sentence=said.sentence,
    )


def _incident(said: IncidentSaid, at: Micros) -> IncidentOutlook:
    incident = said.fate.incident
    since = at if said.fate.new else incident.opened_at
    rules = said.fate.ahead.rules if said.fate.ahead else None
    return IncidentOutlook(
        name=said.name,
        number=None if said.fate.new else incident.number,
        service=said.fate.service,
        title=incident.title,
        state=incident.state,
        severity=incident.severity,
        impact=incident.impact,
        urgency=incident.urgency,
        priority=incident.priority,
        policy=rules.policy.name if rules and rules.policy else None,
        policy_version=rules.version if rules else None,
        sentences=list(said.sentences),
        expected=[expected_shown(one, since) for one in said.expected],
        gaps=list(said.gaps),
    )


def shown(found: Tried) -> DryRunShown:
    """A dry run as it is answered."""
    said, reply = found.outlook, found.reply
    return DryRunShown(
        at=iso(said.at),
        reply=ReplyShown(status=reply.status, body=reply.body) if reply else None,
        summary=list(said.summary),
        events=[_event(one) for one in said.events],
        incidents=[_incident(one, said.at) for one in said.incidents],
        assumed=list(said.assumed),
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The route of trying out."""

    @routes.post(
        "/dry-run",
        tags=["incidents"],
        summary="Who would be told, when and how",
        operation_id="dry_run",
        responses=answers(413),
    )
    async def dry_run(asked: DryRun) -> DryRunShown:
        """If this arrived then: which incident it would open or join and why, and its escalation laid out in time.

        Nothing is kept and nobody is told.
        """
        stage = Stage(world.store, world.directory, world.sources, world.settings.max_body_bytes)
        try:
            return shown(await tried(stage, asked))
        except NotThere as error:
            raise invalid(error.field, str(error)) from None
