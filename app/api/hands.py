"""Whose hands an incident is in: giving it to others, asking others to join, and what became of that.

Must never decide who is told (app/paging/redirect.py, app/paging/joining.py).
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select
from starlette.responses import Response

from app.api import references
from app.api.acts import act, act_route, perform
from app.api.idempotency import Made, RequestedOf
from app.api.parameters import IdText, Number
from app.api.problems import answers
from app.api.story import at, incident_of
from app.clock import iso
from app.incidents.tables import responders
from app.oncall.document import PersonText
from app.paging import joining, redirect
from app.paging.course import MOST_GIVEN
from app.store.database import Reading, Writing
from app.world import World

MOST_SHOWN = 200


class Reassign(BaseModel):
    """To whom it is given: to people, or to another policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: list[PersonText] = Field(default=[], max_length=MOST_GIVEN)
    policy_id: PersonText | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Reassign:
        if bool(self.people) == (self.policy_id is not None):
            raise ValueError("say either `people` or `policy_id`")
        return self


class Ask(BaseModel):
    """Who is asked to join, and what they are told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: list[PersonText] = Field(min_length=1, max_length=MOST_GIVEN)
    message: str = Field(default="", max_length=joining.MAX_MESSAGE, description="Stands in their pages.")


class Reply(BaseModel):
    """What they say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accept: bool


class ResponderShown(BaseModel):
    """Somebody whose own answer counts."""

    person_id: str
    name: str
    kind: Literal["must_ack", "asked"] = Field(
        description="must_ack: each person of a level must acknowledge; asked: somebody asked them to join."
    )
    state: Literal["waiting", "acknowledged", "accepted", "declined", "over"] = Field(
        description="over: paging began anew or ended before they answered."
    )
    asked_at: str
    asked_by: str
    message: str
    answered_at: str | None


class ResponderList(BaseModel):
    """All of one incident's, oldest first."""

    items: list[ResponderShown]


async def _reassign(tx: Writing, number: int, actor: str, said: Reassign) -> Made:
    """Raises NoSuchIncident, Invalid, Refused."""
    if said.policy_id is not None:
        await references.check(tx, iter([references.Reference("policy_id", "policy", said.policy_id)]))
        return await act(tx, redirect.to_policy, number, actor, int(said.policy_id))
    return await act(tx, redirect.to_people, number, actor, await _people(tx, said.people))


async def _people(tx: Writing, said: list[str]) -> list[int]:
    named = [references.Reference(f"people.{place}", "person", one) for place, one in enumerate(said)]
    await references.check(tx, iter(named))
    return [int(one) for one in said]


async def _ask(tx: Writing, number: int, actor: str, said: Ask) -> Made:
    """Raises NoSuchIncident, Invalid, Refused."""
    return await act(tx, joining.ask, number, actor, await _people(tx, said.people), said.message)


async def listed(view: Reading, number: int) -> list[ResponderShown]:
    """Raises NotFound."""
    incident = await incident_of(view, number)
    question = select(responders).where(responders.c.incident_id == incident.id).order_by(responders.c.id.desc())
    rows = (await view.conn.execute(question.limit(MOST_SHOWN))).all()
    return [_shown(row, incident.epoch) for row in reversed(rows)]


def _shown(row: Any, epoch: int) -> ResponderShown:
    over = row.kind == "must_ack" and row.state == "waiting" and row.epoch != epoch
    return ResponderShown(
        person_id=str(row.person_id),
        name=row.name,
        kind=row.kind,
        state="over" if over else row.state,
        asked_at=iso(row.asked_at),
        asked_by=row.asked_by,
        message=row.message,
        answered_at=at(row.answered_at),
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of handing over and joining."""

    @act_route(routes, "reassign", "Give an incident to others", 413)
    async def reassign(number: Number, said: Reassign, request: RequestedOf) -> Response:
        """They are told at once, and whoever had it has it no more.

        People come before the policy, which follows if none of them acknowledges; another policy takes its place.
        """
        return await perform(world, request, said, _reassign, number, request.actor, said)

    @act_route(routes, "responders", "Ask others to join", 413, name="ask_responders")
    async def ask(number: Number, said: Ask, request: RequestedOf) -> Response:
        """They are paged by their own rules until they answer. An escalation goes on as it would; so does a silence."""
        return await perform(world, request, said, _ask, number, request.actor, said)

    @routes.get(
        "/incidents/{number}/responders",
        tags=["incidents"],
        summary="Who must acknowledge, and who was asked to join",
        operation_id="list_responders",
        responses=answers(404),
    )
    async def list_responders(number: Number) -> ResponderList:
        """And what they answered; the newest 200."""
        return ResponderList(items=await world.store.read(listed, number))

    @act_route(
        routes,
        "responders/{item_id}/reply",
        "Answer for somebody who was asked to join",
        413,
        name="reply_for_responder",
    )
    async def reply(number: Number, item_id: IdText, said: Reply, request: RequestedOf) -> Response:
        """A second answer replaces the first."""
        person = int(item_id)
        return await perform(
            world, request, said, act, joining.reply, number, request.actor, person, accept=said.accept
        )
