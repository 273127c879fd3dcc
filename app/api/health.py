"""What machines ask about this process: is it alive, may it be sent work, how does it fare."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from app.clock import SECOND
from app.store.errors import StoreError
from app.watch.health import said_of
from app.watch.hold import hold_of
from app.wiring import Process

STALLED = 30 * SECOND
"""A worker that has not gone round for this long is not alive, nor is a committer whose oldest request has waited so long."""


class Health(BaseModel):
    """The answer of /livez and /readyz."""

    status: Annotated[str, Field(description="ok, or what is wrong.")]


def _stalled(process: Process) -> list[str]:
    """What makes no progress, in words."""
    now, waiting_since = process.world.clock.now(), process.world.committer.waiting_since
    found = []
    if dead := process.supervisor.dead():
        found.append(f"not running: {', '.join(dead)}")
    elif now - process.worker.last_round_at > STALLED:
        found.append("the worker does not go round")
    if waiting_since is not None and now - waiting_since > STALLED:
        found.append("the committer does not get on")
    return found


def _process(request: Request) -> Process:
    """The process that answers: an application is one process's, its routes are not."""
    process: Process = request.app.state.process
    return process


ROUTES = APIRouter(tags=["health"])
"""None needs a key."""


@ROUTES.get("/livez", summary="Is this process alive?", operation_id="livez")
async def livez(request: Request, response: Response) -> Health:
    """200 while every loop makes progress; 503 asks for a restart."""
    process = _process(request)
    stalled = [] if process.draining else _stalled(process)
    response.status_code = 503 if stalled else 200
    return Health(status="; ".join(stalled) or "ok")


@ROUTES.get("/readyz", summary="May this process be sent work?", operation_id="readyz")
async def readyz(request: Request, response: Response) -> Health:
    """200 while the database answers and the process is not stopping. Says so where paging is held back."""
    process = _process(request)
    if process.draining:
        response.status_code = 503
        return Health(status="stopping")
    try:
        hold = await process.world.store.read(hold_of)
    except StoreError as error:
        response.status_code = 503
        return Health(status=str(error))
    return Health(status="ok" if hold is None else f"ok, but {said_of(hold, process.world.clock.now())}")


@ROUTES.get(
    "/metrics", summary="Metrics in the Prometheus text format", operation_id="metrics", include_in_schema=False
)
async def metrics(request: Request) -> Response:
    """Counters and gauges of this process."""
    world = _process(request).world
    world.metrics.ingest_waiting.set(world.committer.waiting)
    return Response(generate_latest(world.metrics.registry), media_type=CONTENT_TYPE_LATEST)
