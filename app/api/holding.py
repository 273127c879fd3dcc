"""Whether paging is held back, for whoever asks; holding and releasing it is the terminal's (`tocsin paging`)."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.clock import iso
from app.paging.failing import failing
from app.routing.quieting import read_book
from app.store.database import Reading
from app.watch.hold import held
from app.world import World


class FailingShown(BaseModel):
    """Ways that don't work just now: their last try, within the last hour, did not go well."""

    notifier: str
    reason: str
    since: str = Field(description="When the first try failed; none went well after it.")
    tries: int = Field(description="How many failed since then.")
    people: list[str] = Field(description="Whom they lead to: people and channels.")


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
    failing: list[FailingShown] = Field(description="By notifier and reason; what concerns most people first.")


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
        failing=[
            FailingShown(
                notifier=one.notifier, reason=one.reason, since=iso(one.since), tries=one.tries, people=list(one.people)
            )
            for one in await failing(view)
        ],
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The route."""

    @routes.get(
        "/paging", tags=["health"], summary="Is paging held back, and do all ways work?", operation_id="read_paging"
    )
    async def read_paging() -> PagingShown:
        """Held back (after a restore, say) or silenced as a whole: alerts come in, and nobody is paged. And what fails."""
        return await world.store.read(shown)
