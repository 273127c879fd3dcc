"""What heartbeats have beside their document: keys, which are shown once and rotated, and how each of them stands; the
latter for integrations too. Must never decide what a silence is (app/watch/silence.py).
"""  # noqa: D205 - one sentence for what it is

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.idempotency import RequestedOf, once
from app.api.integrations import IntegrationKey, KeyIssued, Rotation, issuing, keys_of, rotate
from app.api.parameters import IdText, list_model
from app.api.problems import answers
from app.api.resources import read_one
from app.clock import Micros, iso
from app.store.database import Reading
from app.watch.heartbeat import KIND
from app.watch.signals import standing
from app.watch.silence import PulseState
from app.world import World


class PulseShown(BaseModel):
    """How a sender stands."""

    state: PulseState = Field(
        description="waiting: nothing was ever heard, and nobody is told; up; down: silent, or a failure was reported; "
        "unwatched: nothing is expected."
    )
    last_seen_at: str | None = Field(description="When something was last heard, to within some seconds.")
    silent_at: str | None = Field(description="When it counts as silent unless something is heard before.")
    down_since: str | None
    failed_at: str | None = Field(description="When it reported a failure that no later signal has taken back.")
    said: str = Field(description="What it said of its failure: a sender's text, show it as such.")


def _at(instant: Micros | None) -> str | None:
    return None if instant is None else iso(instant)


async def shown(view: Reading, kind: str, item_id: int) -> PulseShown:
    """How a heartbeat or an integration stands. Raises NotFound."""
    found = await standing(view, await read_one(view, kind, item_id))
    known = found.pulse
    return PulseShown(
        state=known.state,
        last_seen_at=_at(known.last_seen_at),
        silent_at=_at(found.silent_at),
        down_since=_at(known.down_since),
        failed_at=_at(known.failed_at),
        said=known.said,
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes beside those that every kind has."""
    issue = issuing(world)

    @routes.get(
        "/heartbeats/{item_id}/state",
        tags=["heartbeats"],
        summary="Is a heartbeat there?",
        operation_id="read_heartbeat_state",
        responses=answers(404),
    )
    async def heartbeat_state(item_id: IdText) -> PulseShown:
        """When it was last heard, and from when on its silence tells people."""
        return await world.store.read(shown, KIND, int(item_id))

    @routes.get(
        "/integrations/{item_id}/state",
        tags=["integrations"],
        summary="Was a sender heard?",
        operation_id="read_integration_state",
        responses=answers(404),
    )
    async def integration_state(item_id: IdText) -> PulseShown:
        """When anything last came from it, and from when on its silence tells people, where that is expected of it."""
        return await world.store.read(shown, "integration", int(item_id))

    @routes.post(
        "/heartbeats/{item_id}/rotate-key",
        status_code=201,
        response_model=KeyIssued,
        tags=["heartbeats"],
        summary="Give a heartbeat a new key",
        operation_id="rotate_heartbeat_key",
        responses=answers(404, 409, 413),
    )
    async def rotate_key(item_id: IdText, request: RequestedOf, rotation: Rotation | None = None) -> Response:
        """The new key is shown this once. The others go on for `grace_s` seconds: change the sender meanwhile."""
        made = await world.store.write(
            once, request.asked(rotation), rotate, issue, int(item_id), rotation or Rotation(), kind=KIND
        )
        return made.response()

    @routes.get(
        "/heartbeats/{item_id}/keys",
        response_model=list_model("HeartbeatKeyList", IntegrationKey),
        tags=["heartbeats"],
        summary="List the keys of a heartbeat",
        operation_id="list_heartbeat_keys",
        responses=answers(404),
    )
    async def list_keys(item_id: IdText) -> Any:
        """By their last four characters; the keys themselves are not kept."""
        return {"items": await world.store.read(keys_of, int(item_id), kind=KIND), "next_cursor": None}
