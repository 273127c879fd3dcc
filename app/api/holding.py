"""Whether paging is held back, for whoever asks; holding and releasing it is the terminal's (`tocsin paging`)."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.clock import iso
from app.routing.quieting import read_book
from app.store.database import Reading
from app.watch.hold import held
from app.world import World


class PagingShown(BaseModel):
    """How paging stands."""

    state: Literal["on", "held"] = Field(description="held: nobody is paged until `tocsin paging release`.")
    held_since: str | None
    held_by: str | None
    why: str | None
    waiting: int = Field(
        description="Jobs that are held back: they are done, each saying how late it is, once released."
    )
    silenced: list[str] = Field(description="Silences over everything that are on, one sentence each.")


async def shown(view: Reading) -> PagingShown:
    """How paging stands."""
    found = await held(view)
    book = await read_book(view)
    hold = found.hold
    return PagingShown(
        state="on" if hold is None else "held",
        held_since=None if hold is None else iso(hold.since),
        held_by=None if hold is None else hold.by,
        why=None if hold is None else hold.why,
        waiting=found.waiting,
        silenced=[one.says(one.window.ends_at) for one in book.over_everything(view.now)],
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The route."""

    @routes.get("/paging", tags=["health"], summary="Is paging held back?", operation_id="read_paging")
    async def read_paging() -> PagingShown:
        """Held back (after a restore, say) or silenced as a whole: alerts come in, and nobody is paged."""
        return await world.store.read(shown)
