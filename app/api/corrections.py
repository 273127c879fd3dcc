"""Putting right what was put together: merging incidents, splitting and moving alerts, pinning. Deeds of
app/incidents/corrections.py. Must never decide anything.
"""  # noqa: D205 - the deeds belong to the sentence

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from app.api.acts import act, act_route, perform
from app.api.idempotency import RequestedOf
from app.api.parameters import ID, Number
from app.incidents import corrections
from app.world import World


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MergeInto(_Said):
    """Which incident stays."""

    into: int = Field(ge=1, le=2**53, description="Its number.")


class MoveAlerts(_Said):
    """Which alerts belong elsewhere."""

    alerts: tuple[Annotated[str, StringConstraints(pattern=ID)], ...] = Field(
        min_length=1, max_length=corrections.MOST, description="Ids of its alerts."
    )
    into: int | None = Field(
        default=None, ge=1, le=2**53, description="The incident they belong to; unset: a new one, which pages."
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of corrections."""
    route = partial(act_route, routes)

    @route("merge", "Merge an incident into another", 413)
    async def merge(number: Number, said: MergeInto, request: RequestedOf) -> Response:
        """All of its alerts go to the other, which is answered; nothing pages for it any more."""
        return await perform(world, request, said, act, corrections.merge, number, request.actor, said.into)

    @route("split", "Move alerts to another incident, or to one of their own", 413)
    async def split(number: Number, said: MoveAlerts, request: RequestedOf) -> Response:
        """They, and what looks like them, go there from now on; the incident they are in now is answered."""
        wanted = [int(one) for one in said.alerts]
        return await perform(world, request, said, act, corrections.move, number, request.actor, wanted, said.into)

    @route("pin", "Let nothing join by itself")
    async def pin(number: Number, request: RequestedOf) -> Response:
        """Its own alerts come back to it when they fire again; nothing else joins it, and it is not merged."""
        return await perform(world, request, None, act, corrections.pin, number, request.actor, pinned=True)

    @route("unpin", "Let alerts join again")
    async def unpin(number: Number, request: RequestedOf) -> Response:
        """What was put right by hand stays so."""
        return await perform(world, request, None, act, corrections.pin, number, request.actor, pinned=False)
