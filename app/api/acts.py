"""What responders do to incidents, and reporting one. Each act is one deed of app/incidents/respond.py.

After an act the worker is woken, because a job may be due now; the hint may be lost, the job is a row. Each act may be
sent again with its Idempotency-Key. Must never decide what an act does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from starlette.responses import Response

from app.api import references
from app.api.idempotency import Made, Requested, RequestedOf, once
from app.api.incidents import IncidentShown, shown
from app.api.parameters import Number
from app.api.problems import answers
from app.incidents import respond
from app.incidents.incident import Incident, Resolution
from app.incidents.priority import Urgency
from app.oncall.codec import read_instant
from app.oncall.document import InstantText, PersonText
from app.paging import joint, redirect
from app.store.database import Writing
from app.world import World

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Report(_Said):
    """An incident that a person saw."""

    title: Title
    description: str = Field(default="", max_length=respond.MAX_NOTE, description="Goes into the timeline.")
    service_id: str | None = Field(default=None, description="What is broken. Without it the console is told.")
    urgency: Urgency = Field(default="high", description="With the service's impact it gives the priority.")


class Acknowledge(_Said):
    """Whose acknowledgement it is, where each of several people must acknowledge."""

    person_id: PersonText | None = Field(default=None, description="It counts for this person.")
    for_everybody: bool = Field(default=False, description="It counts for all who must acknowledge.")


class Snooze(_Said):
    """For how long it is to be quiet: one of both."""

    seconds: int | None = Field(default=None, ge=60, le=30 * 86_400)
    until: InstantText | None = Field(default=None, description="At most 30 days from now.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Snooze:
        if (self.seconds is None) == (self.until is None):
            raise ValueError("say either `seconds` or `until`")
        return self


class Escalate(_Said):
    """Who is told now."""

    level: int | None = Field(default=None, ge=1, le=20, description="Counted from 1. Unset: the next one.")


class Resolve(_Said):
    """How it came to an end."""

    resolution: Resolution = "fix"


class Note(_Said):
    """Words for the timeline."""

    text: str = Field(min_length=1, max_length=respond.MAX_NOTE, pattern=r"\S")


async def report(tx: Writing, said: Report, actor: str) -> Made:
    """Opens an incident. Raises Invalid when its service is not there."""
    service_id = None
    if said.service_id is not None:
        await references.check(tx, iter([references.Reference("service_id", "service", said.service_id)]))
        service_id = int(said.service_id)
    incident = await respond.report(
        tx, said.title, actor, service_id=service_id, urgency=said.urgency, description=said.description
    )
    return Made(shown(incident).model_dump(), headers={"Location": f"/v1/incidents/{incident.number}"})


async def act(
    tx: Writing,
    deed: Callable[Concatenate[Writing, int, str, P], Awaitable[Incident]],
    number: int,
    actor: str,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Made:
    """Does it and answers the incident as it is then. Raises NoSuchIncident, Refused."""
    return Made(shown(await deed(tx, number, actor, *args, **kwargs)).model_dump(), 200)


async def perform(
    world: World,
    request: Requested,
    said: BaseModel | None,
    deed: Callable[Concatenate[Writing, P], Awaitable[Made]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response:
    """Commits it, wakes the worker, answers."""
    made = await world.store.write(once, request.asked(said), deed, *args, **kwargs)
    world.wake.set()
    return made.response()


def act_route(routes: APIRouter, act: str, summary: str, *statuses: int, name: str = "") -> Callable[[F], F]:
    """A route that does something to an incident, and answers it as it is then."""
    return routes.post(
        f"/incidents/{{number}}/{act}",
        response_model=IncidentShown,
        tags=["incidents"],
        summary=summary,
        operation_id=name or f"{act}_incident",
        responses=answers(404, 409, *statuses),
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes that do something to incidents."""
    route = partial(act_route, routes)

    @routes.post(
        "/incidents",
        status_code=201,
        response_model=IncidentShown,
        tags=["incidents"],
        summary="Report an incident",
        operation_id="report_incident",
        responses=answers(409, 413),
    )
    async def report_incident(said: Report, request: RequestedOf) -> Response:
        """For what no sender saw. It pages like any other; no alert joins it."""
        return await perform(world, request, said, report, said, request.actor)

    @route("acknowledge", "Take an incident", 413)
    async def acknowledge(number: Number, request: RequestedOf, said: Acknowledge | None = None) -> Response:
        """Nothing that starts after the answer pages. It pages again when the service's `ack_timeout_s` is over.

        Where a level must be acknowledged by each of its people, the incident stays triggered until the last of them has.
        """
        said = said or Acknowledge()
        person = int(said.person_id) if said.person_id else None
        return await perform(
            world,
            request,
            said,
            act,
            joint.acknowledge,
            number,
            request.actor,
            person,
            for_everybody=said.for_everybody,
        )

    @route("snooze", "Be quiet for a while", 413)
    async def snooze(number: Number, said: Snooze, request: RequestedOf) -> Response:
        """Then it pages again, from the first level."""
        if said.until is not None:
            until = read_instant("until", said.until)
            return await perform(world, request, said, act, respond.snooze_until, number, request.actor, until)
        return await perform(world, request, said, act, respond.snooze, number, request.actor, said.seconds or 0)

    @route("escalate", "Tell the next level now", 413)
    async def escalate(number: Number, request: RequestedOf, said: Escalate | None = None) -> Response:
        """Or the level that is named; after the last one the first. An acknowledgement ends, and nothing waits."""
        level = said.level - 1 if said and said.level else None
        return await perform(world, request, said, act, redirect.escalate, number, request.actor, level)

    @route("resolve", "End an incident", 413)
    async def resolve(number: Number, request: RequestedOf, said: Resolve | None = None) -> Response:
        """Its open alerts end too; one that still fires opens an incident anew."""
        resolution = (said or Resolve()).resolution
        return await perform(world, request, said, act, respond.resolve, number, request.actor, resolution)

    @route("reopen", "Take back a resolve")
    async def reopen(number: Number, request: RequestedOf) -> Response:
        """It pages again, from the first level."""
        return await perform(world, request, None, act, respond.reopen, number, request.actor)

    @route("close", "Confirm a resolve")
    async def close(number: Number, request: RequestedOf) -> Response:
        """Verified; nothing happens to it any more."""
        return await perform(world, request, None, act, respond.close, number, request.actor)

    @route("notes", "Add words to the timeline", 413)
    async def note(number: Number, said: Note, request: RequestedOf) -> Response:
        """They are kept as they are sent."""
        return await perform(world, request, said, act, respond.note, number, request.actor, said.text)
