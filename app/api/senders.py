"""Pointing a sender at Tocsin: which there are and how each is set up, a message tried before anything is saved, a test
that goes the whole way, and what was last heard of an integration and went wrong with it. Knows no dialect.
"""  # noqa: D205 - one sentence for what it is

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select

from app.api.integrations import address_of, unparsed_of
from app.api.parameters import NEWEST, IdText, list_model
from app.api.problems import FieldError, Invalid, NotFound, answers
from app.api.resources import read_one
from app.clock import DAY, Micros, iso
from app.dedup.arrival import Arrival, prepare
from app.dedup.tables import alerts, samples, unparsed
from app.incidents.tables import incidents
from app.sources.event import Event, Received, Unreadable
from app.sources.registry import BadSettings, parse_settings
from app.sources.setup import KEY, as_test, example_of, guide_of, message_of
from app.sources.source import Source
from app.store.database import Reading
from app.store.resources import Refused
from app.watch.signals import pulse
from app.world import World

MAX_TRIED = 1_000_000
IN_THREAD = 64 * 1024
"""A longer message is read in a thread: others are answered meanwhile."""
ERRORS_SHOWN = 5


class SenderShown(BaseModel):
    """A kind of sender."""

    kind: str = Field(description="What an integration of it has as `kind`.")
    title: str
    guide: str = Field(
        description="How it is pointed at Tocsin: Markdown, with the address in it; KEY stands for the key."
    )
    example: dict[str, Any] | str | None = Field(description="A message of its own form, to try settings on.")
    settings_schema: dict[str, Any] = Field(description="JSON Schema of the settings of an integration of it.")


class Trial(BaseModel):
    """A message to be read as an integration with these settings would read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: dict[str, Any] = Field(default_factory=dict, description="As in an integration; nothing is saved.")
    body: str = Field(max_length=MAX_TRIED, description="The message as the sender posts it, pasted.")
    query: dict[str, str] = Field(
        default_factory=dict, max_length=50, description="What stands behind ? in its address."
    )


class EventRead(BaseModel):
    """One event that comes out of a message."""

    status: Literal["firing", "resolved", "acknowledged"]
    key: str = Field(description="What makes two messages speak of the same problem.")
    title: str
    severity: Literal["critical", "error", "warning", "info", "none"]
    labels: dict[str, str]
    annotations: dict[str, str]
    links: list[tuple[str, str]]
    starts_at: str | None
    ends_at: str | None
    expires_at: str | None
    test: bool = Field(description="A test button: recorded, and nobody is paged.")


class TrialRead(BaseModel):
    """What comes out of a message."""

    events: list[EventRead] = Field(description="Empty: it would be answered, and mean nothing.")
    problems: list[str] = Field(description="What of it could not be read, while the rest could.")
    unreadable: str | None = Field(description="Why nothing of it could be read; None: it could.")


class Trouble(BaseModel):
    """A message that was refused, or not read whole."""

    received_at: str
    reason: str


class SetupShown(BaseModel):
    """How an integration is set up, and how it goes."""

    kind: str
    title: str
    url: str = Field(description="Where the sender posts; KEY stands for a key, which is shown once.")
    guide: str = Field(description="What to do in the sender's settings: Markdown with the address in it.")
    last_seen_at: str | None = Field(
        description="When something last came, be it readable or not; a few seconds behind."
    )
    open_alerts: int = Field(description="How many of its alerts are open.")
    errors_last_day: int = Field(description="Messages of the last day that were refused or not read whole.")
    errors: list[Trouble] = Field(description="The newest of these, of any day.")


class TestRequest(BaseModel):
    """How the way is tried."""

    __test__ = False

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: bool = Field(default=False, description="Page whoever an alert of this integration would page, for real.")


class TestSent(BaseModel):
    """What came of a test."""

    __test__ = False

    events: int
    alert_id: str | None = Field(description="The alert that was recorded.")
    incident: int | None = Field(description="The number of its incident; None when nobody is paged.")


class Sample(BaseModel):
    """A message that was kept, without its secrets."""

    id: str
    received_at: str
    content_type: str
    size: int = Field(description="Bytes as it came.")
    events: int = Field(description="How many events were in it.")
    body: str


def shown(source: Source[Any], base_url: str, domain: str) -> SenderShown:
    """A kind of sender as it is answered."""
    return SenderShown(
        kind=source.kind,
        title=source.title,
        guide=guide_of(source, base_url, domain=domain),
        example=example_of(source),
        settings_schema=source.Settings.model_json_schema(),
    )


def read_trial(source: Source[Any], trial: Trial, sources: Mapping[str, Source[Any]], now: Micros) -> TrialRead:
    """What an integration with these settings makes of the message. Raises Invalid for settings that can't be saved."""
    try:
        settings = parse_settings(source.kind, trial.settings, sources)
    except BadSettings as error:
        faults = (one.partition(": ") for one in error.errors)
        raise Invalid(
            *(FieldError(where="body", field=f"settings.{field}", message=said) for field, _, said in faults)
        ) from None
    received = Received(trial.body.encode("utf-8", "replace"), "", trial.query)
    try:
        reading = source.read(received, settings.unsigned(), now)
    except Unreadable as error:
        return TrialRead(events=[], problems=[], unreadable=str(error))
    return TrialRead(
        events=[_event(event) for event in reading.events], problems=list(reading.problems), unreadable=None
    )


def _event(event: Event) -> EventRead:
    at = {name: getattr(event, name) for name in ("starts_at", "ends_at", "expires_at")}
    return EventRead(
        status=event.status,
        key=event.key,
        title=event.title,
        severity=event.severity,
        labels=dict(event.labels),
        annotations=dict(event.annotations),
        links=list(event.links),
        test=event.test,
        **{name: iso(said) if said is not None else None for name, said in at.items()},
    )


async def setup_of(view: Reading, world: World, integration_id: int) -> SetupShown:
    """How an integration is set up, and how it goes. Raises NotFound, Refused(`kind_gone`)."""
    integration = await read_one(view, "integration", integration_id)
    source = _source(world.sources, integration.document["kind"])
    domain = world.settings.mail_in_domain
    heard = await pulse(view, integration_id)
    mine = unparsed.c.integration_id == integration_id
    lately = select(func.count()).where(mine, unparsed.c.received_at > view.now - DAY)
    open_now = select(func.count()).where(alerts.c.integration_id == integration_id, alerts.c.resolved_at.is_(None))
    troubles = await unparsed_of(view, integration_id, NEWEST, ERRORS_SHOWN)
    written_at = heard.last_seen_at if heard else None
    seen_at = max(written_at or 0, world.heard.last(integration_id))
    return SetupShown(
        kind=source.kind,
        title=source.title,
        url=address_of(world, source.kind, KEY),
        guide=guide_of(source, world.base_url, domain=domain),
        last_seen_at=iso(seen_at) if seen_at else None,
        open_alerts=int((await view.conn.execute(open_now)).scalar_one()),
        errors_last_day=int((await view.conn.execute(lately)).scalar_one()),
        errors=[Trouble(received_at=iso(row.received_at), reason=row.reason) for row in troubles],
    )


def _source(sources: Mapping[str, Source[Any]], kind: str) -> Source[Any]:
    if kind not in sources:
        raise Refused("kind_gone", f"the source {kind!r} is not installed any more: nothing of it can be read")
    return sources[kind]


async def send_test(world: World, integration_id: int, *, pages: bool) -> TestSent:
    """Reads the kind's example as this integration would, commits it, and looks what came of it. Raises NotFound, Refused."""
    view = await world.store.read(world.directory.refresh)
    inlet = view.by_id.get(integration_id)
    if inlet is None or inlet.kind == "heartbeat":
        raise NotFound("There is no such integration.")
    source, now = _source(world.sources, inlet.kind), world.clock.now()
    example = message_of(source)
    if example is None:
        raise Refused(
            "no_example", f"the source {inlet.kind!r} has no message to test with; send one from the tool itself"
        )
    reading = source.read(Received(example), inlet.settings.unsigned(), now)
    mark = world.ids.secret(8)
    prepared = prepare(inlet, [as_test(event, mark, now, pages=pages) for event in reading.events])
    await world.committer.commit(Arrival(inlet, prepared))
    world.heard.note(integration_id, now)
    alert_id, number = await world.store.read(_came_of, [item.key_digest for item in prepared])
    return TestSent(events=len(prepared), alert_id=str(alert_id) if alert_id else None, incident=number)


async def _came_of(view: Reading, digests: list[bytes]) -> tuple[int | None, int | None]:
    question = (
        select(alerts.c.id, incidents.c.number)
        .select_from(alerts.outerjoin(incidents, incidents.c.id == alerts.c.incident_id))
        .where(alerts.c.key_digest.in_(digests))
        .order_by(alerts.c.id)
        .limit(1)
    )
    row = (await view.conn.execute(question)).first()
    return (int(row[0]), row[1]) if row else (None, None)


async def samples_of(view: Reading, integration_id: int) -> list[Sample]:
    """The messages kept of an integration, newest first. Raises NotFound."""
    await read_one(view, "integration", integration_id)
    question = select(samples).where(samples.c.integration_id == integration_id).order_by(samples.c.id.desc())
    return [
        Sample(
            id=str(row.id),
            received_at=iso(row.received_at),
            content_type=row.content_type,
            size=row.size,
            events=row.events,
            body=row.body,
        )
        for row in await view.conn.execute(question.limit(50))
    ]


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of setting senders up."""

    def known(kind: str) -> Source[Any]:
        if kind not in world.sources:
            raise NotFound("There is no such kind of sender.")
        return world.sources[kind]

    @routes.get(
        "/senders",
        response_model=list_model("SenderList", SenderShown),
        tags=["senders"],
        summary="List the kinds of senders",
        operation_id="list_senders",
    )
    async def list_senders() -> Any:
        """How each is pointed at Tocsin, and what an integration of it can set."""
        found = sorted(world.sources.values(), key=lambda source: source.title.lower())
        return {
            "items": [shown(source, world.base_url, world.settings.mail_in_domain) for source in found],
            "next_cursor": None,
        }

    @routes.get(
        "/senders/{kind}",
        tags=["senders"],
        summary="Get a kind of sender",
        operation_id="get_sender",
        responses=answers(404),
    )
    async def get_sender(kind: str) -> SenderShown:
        """How it is pointed at Tocsin, and what an integration of it can set."""
        return shown(known(kind), world.base_url, world.settings.mail_in_domain)

    @routes.post(
        "/senders/{kind}/try",
        tags=["senders"],
        summary="Try settings on a message",
        operation_id="try_sender",
        responses=answers(404, 413),
    )
    async def try_sender(kind: str, trial: Trial) -> TrialRead:
        """The events that come out of a pasted message, before anything is saved. Writes nothing; signatures are not asked for."""
        arguments = known(kind), trial, world.sources, world.clock.now()
        if len(trial.body) > IN_THREAD:
            return await asyncio.to_thread(read_trial, *arguments)
        return read_trial(*arguments)

    @routes.get(
        "/integrations/{item_id}/setup",
        tags=["integrations"],
        summary="Get how an integration is set up",
        operation_id="get_integration_setup",
        responses=answers(404, 409),
    )
    async def get_setup(item_id: IdText) -> SetupShown:
        """What to paste where, when something last came, and what went wrong."""
        return await world.store.read(setup_of, world, int(item_id))

    @routes.post(
        "/integrations/{item_id}/test",
        tags=["integrations"],
        summary="Send a test event",
        operation_id="test_integration",
        responses=answers(404, 409, 413),
    )
    async def test(item_id: IdText, asked: TestRequest | None = None) -> TestSent:
        """A message of the sender's own form goes the whole way: read, grouped, recorded, and with `page` paged. It ends by itself."""
        return await send_test(world, int(item_id), pages=(asked or TestRequest()).page)

    @routes.get(
        "/integrations/{item_id}/samples",
        response_model=list_model("SampleList", Sample),
        tags=["integrations"],
        summary="List messages that were kept",
        operation_id="list_samples",
        responses=answers(404),
    )
    async def list_samples(item_id: IdText) -> Any:
        """The newest, as many as the setting `samples` says, without their secrets."""
        return {"items": await world.store.read(samples_of, int(item_id)), "next_cursor": None}
