"""Where providers say what became of a message: `POST /r/TOKEN`, the `receipt_url` that came with it.

The token is the permission. The body is a small JSON document; said again, it changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.body import StrictRoute
from app.api.problems import NotFound
from app.paging import receipt_links, receipts
from app.paging.tokens import LinkError
from app.world import World


class Receipt(BaseModel):
    """What became of the message."""

    model_config = ConfigDict(extra="ignore")

    state: Literal["delivered", "failed"]
    detail: Annotated[str, Field(max_length=2_000)] = ""


def router(world: World) -> APIRouter:
    """The route; it needs no key and is not in the schema, because nobody writes such an address by hand."""
    routes = APIRouter(include_in_schema=False, route_class=StrictRoute)

    @routes.post("/r/{token}", status_code=204)
    async def receive(token: str, said: Receipt) -> Response:
        """Writes it down."""
        try:
            link = receipt_links.read(world.secret, token, world.clock.now())
        except LinkError:
            raise NotFound("This address is none of ours, or its time is over.") from None
        notifier = await world.store.write(receipts.receive, link, said.state, said.detail)
        if notifier is not None:
            world.metrics.receipts.labels(notifier, said.state).inc()
            world.wake.set()
        return Response(status_code=204)

    return routes
