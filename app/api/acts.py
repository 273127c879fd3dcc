"""What responders do to incidents, and reporting one. Each act is one deed of app/incidents/respond.py.

After an act the worker is woken, because a job may be due now; the hint may be lost, the job is a row. Each act may be
sent again with its Idempotency-Key. Must never decide what an act does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from app.api import references
from app.api.idempotency import Made, Requested, RequestedOf, once
from app.api.incidents import IncidentShown, shown
from app.api.parameters import Number
from app.api.problems import answers
from app.incidents import respond
from app.incidents.incident import Incident, Resolution
from app.incidents.priority import Urgency
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


class Snooze(_Said):
    """For how long it is to be quiet."""

    seconds: int = Field(ge=60, le=7 * 86_400)


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


def add_routes(routes: APIRouter, world: World) -> None:  # noqa: C901 - eight routes, no branch
    """The routes that do something to incidents."""

    async def done(
        request: Requested,
        said: BaseModel | None,
        deed: Callable[Concatenate[Writing, P], Awaitable[Made]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Response:
        """Commits it, wakes the worker, answers."""
        made = await world.store.write(once, request.asked(said), deed, *args, **kwargs)
        world.wake.set()
        return made.response()

    def route(act: str, summary: str, *statuses: int) -> Callable[[F], F]:
        return routes.post(
            f"/incidents/{{number}}/{act}",
            response_model=IncidentShown,
            tags=["incidents"],
            summary=summary,
            operation_id=f"{act}_incident",
            responses=answers(404, 409, *statuses),
        )

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
        return await done(request, said, report, said, request.actor)

    @route("acknowledge", "Take an incident")
    async def acknowledge(number: Number, request: RequestedOf) -> Response:
        """Nothing that starts after the answer pages. It pages again when the service's `ack_timeout_s` is over."""
        return await done(request, None, act, respond.acknowledge, number, request.actor)

    @route("snooze", "Be quiet for a while", 413)
    async def snooze(number: Number, said: Snooze, request: RequestedOf) -> Response:
        """Then it pages again, from the first level."""
        return await done(request, said, act, respond.snooze, number, request.actor, said.seconds)

    @route("escalate", "Tell the next level now", 413)
    async def escalate(number: Number, request: RequestedOf, said: Escalate | None = None) -> Response:
        """Or the level that is named. An acknowledgement ends."""
        level = said.level - 1 if said and said.level else None
        return await done(request, said, act, respond.escalate, number, request.actor, level)

    @route("resolve", "End an incident", 413)
    async def resolve(number: Number, request: RequestedOf, said: Resolve | None = None) -> Response:
        """Its open alerts end too; one that still fires opens an incident anew."""
        resolution = (said or Resolve()).resolution
        return await done(request, said, act, respond.resolve, number, request.actor, resolution)

    @route("reopen", "Take back a resolve")
    async def reopen(number: Number, request: RequestedOf) -> Response:
        """It pages again, from the first level."""
        return await done(request, None, act, respond.reopen, number, request.actor)

    @route("close", "Confirm a resolve")
    async def close(number: Number, request: RequestedOf) -> Response:
        """Verified; nothing happens to it any more."""
        return await done(request, None, act, respond.close, number, request.actor)

    @route("notes", "Add words to the timeline", 413)
    async def note(number: Number, said: Note, request: RequestedOf) -> Response:
        """They are kept as they are sent."""
        return await done(request, said, act, respond.note, number, request.actor, said.text)
