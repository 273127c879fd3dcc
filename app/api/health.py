"""What machines ask about this process: is it alive, may it be sent work, how does it fare."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from sqlalchemy import text

from app.clock import SECOND
from app.store.database import Reading
from app.store.errors import StoreError
from app.wiring import Process

STALLED = 30 * SECOND
"""A worker that has not gone round for this long is not alive."""


class Health(BaseModel):
    """The answer of /livez and /readyz."""

    status: Annotated[str, Field(description="ok, or what is wrong.")]


async def _ask(view: Reading) -> None:
    await view.conn.execute(text("SELECT value FROM instance LIMIT 1"))


def router(process: Process) -> APIRouter:
    """The routes; none needs a key."""
    routes = APIRouter(tags=["health"])
    world = process.world

    @routes.get("/livez", summary="Is this process alive?", operation_id="livez")
    async def livez(response: Response) -> Health:
        """200 while every loop makes progress; 503 asks for a restart."""
        dead = process.supervisor.dead()
        stalled = world.clock.now() - process.worker.last_round_at > STALLED
        if not process.draining and (dead or stalled):
            response.status_code = 503
            return Health(status=f"not running: {', '.join(dead)}" if dead else "the worker does not go round")
        return Health(status="ok")

    @routes.get("/readyz", summary="May this process be sent work?", operation_id="readyz")
    async def readyz(response: Response) -> Health:
        """200 while the database answers and the process is not stopping."""
        if process.draining:
            response.status_code = 503
            return Health(status="stopping")
        try:
            await world.store.read(_ask)
        except StoreError as error:
            response.status_code = 503
            return Health(status=str(error))
        return Health(status="ok")

    @routes.get(
        "/metrics", summary="Metrics in the Prometheus text format", operation_id="metrics", include_in_schema=False
    )
    async def metrics() -> Response:
        """Counters and gauges of this process."""
        world.metrics.ingest_waiting.set(world.committer.waiting)
        return Response(generate_latest(world.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
