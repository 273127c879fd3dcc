"""Swaps: asked for, accepted, declined, withdrawn. The same deeds as a person's answer by a link (app/rota/swaps.py).

Must never know which shifts change hands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api import references
from app.api.idempotency import Made, Requested, RequestedOf, once
from app.api.overrides import Reason, WarningShown, warnings_shown
from app.api.parameters import NEWEST, Cursor, IdText, Limit, list_model, page, position
from app.api.problems import NotFound, answers, invalid
from app.api.references import Reference
from app.api.resources import read_one
from app.clock import Micros, iso
from app.ids import PersonId
from app.oncall.codec import read_instant
from app.oncall.document import InstantText, PersonText
from app.rota import swaps
from app.rota.hands import Hand, Interval
from app.rota.swaps import Asking, State, Swap
from app.rota.tickets import Door
from app.store import resources
from app.store.database import Reading, Writing
from app.world import World

Answer = Callable[[Writing, int, str], Awaitable[Swap]]


class Span(BaseModel):
    """An interval; what lies outside of it is not touched."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    start: InstantText = Field(alias="from")
    end: InstantText = Field(alias="to", description="Until just before this instant; at most 35 days after `from`.")

    def interval(self, field: str) -> Interval:
        """The instants. Raises BadField."""
        return Interval(read_instant(f"{field}.from", self.start), read_instant(f"{field}.to", self.end))


class NewSwap(BaseModel):
    """A swap that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asked_by: PersonText = Field(description="Who gives away their shifts in `gives`.")
    asked: PersonText = Field(description="Who is asked to take them.")
    gives: Span = Field(description="To come, and not more than a year ahead.")
    takes: Span | None = Field(
        default=None, description="Where `asked_by` takes the shifts of `asked` in return. Null: nothing in return."
    )
    reason: Reason = ""

    def asking(self, schedule_id: int) -> Asking:
        """The value that it is decided on. Raises BadField."""
        return Asking(
            schedule_id,
            PersonId(int(self.asked_by)),
            PersonId(int(self.asked)),
            self.gives.interval("gives"),
            self.takes.interval("takes") if self.takes else None,
            self.reason,
        )


class SpanShown(BaseModel):
    """An interval."""

    model_config = ConfigDict(populate_by_name=True)

    start: str = Field(alias="from")
    end: str = Field(alias="to")


class HandShown(BaseModel):
    """One shift, or a part of one, that changes hands."""

    starts_at: str
    ends_at: str
    role: str
    before: str = Field(description="Who has it without the swap.")
    after: str = Field(description="Who has it with the swap.")


class SwapShown(BaseModel):
    """A swap, and exactly what it changes."""

    id: str
    schedule_id: str
    asked_by: str
    asked: str
    gives: SpanShown
    takes: SpanShown | None
    reason: str
    state: State = Field(description="asked: it waits for an answer; expired: nobody answered before it was to begin.")
    changes: list[HandShown] = Field(description="The shifts as they were when it was asked for.")
    created_at: str
    created_by: str
    answered_at: str | None
    answered_by: str | None


class SwapMade(SwapShown):
    """A swap, and what both should know before they agree."""

    warnings: list[WarningShown]


def _span(one: Interval) -> SpanShown:
    return SpanShown(start=iso(one.starts_at), end=iso(one.ends_at))


def _hand(hand: Hand) -> HandShown:
    return HandShown(
        starts_at=iso(hand.starts_at),
        ends_at=iso(hand.ends_at),
        role=hand.role,
        before=str(hand.gives),
        after=str(hand.takes),
    )


def shown(swap: Swap, now: Micros) -> dict[str, Any]:
    """A swap as it is answered."""
    asking = swap.asking
    return SwapShown(
        id=str(swap.id),
        schedule_id=str(asking.schedule_id),
        asked_by=str(asking.asked_by),
        asked=str(asking.asked),
        gives=_span(asking.gives),
        takes=_span(asking.takes) if asking.takes else None,
        reason=asking.reason,
        state=swap.state_at(now),
        changes=[_hand(hand) for hand in swap.hands],
        created_at=iso(swap.created_at),
        created_by=swap.created_by,
        answered_at=None if swap.answered_at is None else iso(swap.answered_at),
        answered_by=swap.answered_by,
    ).model_dump(by_alias=True)


async def ask(tx: Writing, schedule_id: int, said: NewSwap, door: Door, by: str) -> Made:
    """Asks for a swap. Raises NotFound, Invalid, BadField, Refused."""
    await read_one(tx, "schedule", schedule_id)
    # Nobody is deleted between this and the commit.
    await resources.config_held(tx)
    people = (Reference(field, "person", getattr(said, field)) for field in ("asked_by", "asked"))
    await references.check(tx, people)
    if said.asked_by == said.asked:
        raise invalid("asked", "must be somebody else than asked_by")
    swap, warned = await swaps.ask(tx, door, said.asking(schedule_id), by)
    warnings = [one.model_dump() for one in warnings_shown(warned)]
    return Made({**shown(swap, tx.now), "warnings": warnings}, headers={"Location": f"/v1/swaps/{swap.id}"})


async def answer(tx: Writing, deed: Answer, swap_id: int, by: str) -> Made:
    """Answers a swap, and how it is then. Raises NotFound, Refused."""
    await one_swap(tx, swap_id)
    return Made(shown(await deed(tx, swap_id, by), tx.now), 200)


async def one_swap(view: Reading, swap_id: int) -> Swap:
    """The swap. Raises NotFound."""
    found = await swaps.load(view, swap_id)
    if found is None:
        raise NotFound(f"There is no swap with the id {swap_id}.")
    return found


async def listed(view: Reading, schedule_id: int, state: State | None, before: int, limit: int) -> Sequence[Swap]:
    """The swaps of a schedule, newest first. Raises NotFound."""
    await read_one(view, "schedule", schedule_id)
    return await swaps.listed(view, schedule_id, state, before, limit)


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of swaps."""
    tags: list[str | Enum] = ["schedules"]

    async def answered(request: Requested, deed: Answer, swap_id: str) -> Response:
        made = await world.store.write(once, request.asked(), answer, deed, int(swap_id), request.actor)
        world.wake.set()
        return made.response()

    @routes.get(
        "/schedules/{item_id}/swaps",
        response_model=list_model("SwapList", SwapShown),
        tags=tags,
        summary="List the swaps of a schedule",
        operation_id="list_swaps",
        responses=answers(404),
    )
    async def list_swaps(
        item_id: IdText,
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Newest first."""
        before, now = position(cursor, NEWEST), world.clock.now()
        found = await world.store.read(listed, int(item_id), state, before, limit + 1)
        return Made(page(found, limit, lambda swap: shown(swap, now), lambda swap: swap.id), 200).response()

    @routes.post(
        "/schedules/{item_id}/swaps",
        status_code=201,
        response_model=SwapMade,
        tags=tags,
        summary="Ask somebody to swap or to cover",
        operation_id="ask_swap",
        responses=answers(404, 409, 413),
    )
    async def ask_swap(item_id: IdText, said: NewSwap, request: RequestedOf) -> Response:
        """The other person is told, with a link to answer by. Nothing changes until it is accepted."""
        door = Door(world.secret, world.base_url)
        made = await world.store.write(once, request.asked(said), ask, int(item_id), said, door, request.actor)
        world.wake.set()
        return made.response()

    @routes.get("/swaps/{item_id}", tags=tags, summary="Read a swap", operation_id="read_swap", responses=answers(404))
    async def read_swap(item_id: IdText) -> SwapShown:
        """What it changes, and whether it was answered."""
        found = await world.store.read(one_swap, int(item_id))
        return SwapShown.model_validate(shown(found, world.clock.now()))

    @routes.post(
        "/swaps/{item_id}/accept",
        response_model=SwapShown,
        tags=tags,
        summary="Accept a swap",
        operation_id="accept_swap",
        responses=answers(404, 409),
    )
    async def accept_swap(item_id: IdText, request: RequestedOf) -> Response:
        """The shifts change hands, each as an override. Refused when they are not those that were asked for any more."""
        return await answered(request, swaps.accept, item_id)

    @routes.post(
        "/swaps/{item_id}/decline",
        response_model=SwapShown,
        tags=tags,
        summary="Decline a swap",
        operation_id="decline_swap",
        responses=answers(404, 409),
    )
    async def decline_swap(item_id: IdText, request: RequestedOf) -> Response:
        """Nothing changes."""
        return await answered(request, swaps.decline, item_id)

    @routes.post(
        "/swaps/{item_id}/withdraw",
        response_model=SwapShown,
        tags=tags,
        summary="Take back that a swap was asked for",
        operation_id="withdraw_swap",
        responses=answers(404, 409),
    )
    async def withdraw_swap(item_id: IdText, request: RequestedOf) -> Response:
        """While it was not answered. An accepted swap stays; ask for one back."""
        return await answered(request, swaps.withdraw, item_id)
