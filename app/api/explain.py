"""Why each person was paged, or was not: an incident explained in sentences. Read only; decides nothing.

What is said and in which words is app/explain's.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.parameters import Number
from app.api.problems import answers
from app.api.story import text_id
from app.clock import SECOND, Micros, iso
from app.explain.explanation import Explanation, explain
from app.explain.forecast import Expected, Told
from app.explain.people import OnePerson
from app.explain.reading import facts_of
from app.store.database import Store
from app.world import World


class PersonShown(BaseModel):
    """A person or a channel, and why they were paged or not."""

    name: str
    person_id: str | None
    channel_id: str | None
    paged: bool = Field(description="A page to them was sent.")
    sentences: list[str]


class EntryShown(BaseModel):
    """Something that happened."""

    at: str
    after_s: float = Field(description="Seconds since the incident was opened.")
    kind: str
    sentence: str


class WayShown(BaseModel):
    """A contact method and when it is used."""

    notifier: str
    label: str = Field(description="What its person calls it.")
    at: str
    after_s: float
    if_others_fail: bool = Field(description="Only when those before it have failed, and then at once.")


class ToldShown(BaseModel):
    """Somebody who would be told."""

    name: str
    person_id: str | None
    channel_id: str | None
    reason: str = Field(description="Why them.")
    ways: list[WayShown]


class ExpectedShown(BaseModel):
    """What happens at an instant, if nobody acknowledges before."""

    at: str
    after_s: float
    kind: str = Field(description="level, fallback, console, end.")
    level: int | None = Field(description="Counted from 1.")
    round: int = Field(description="Counted from 1.")
    told: list[ToldShown]
    missed: list[str] = Field(description="Which targets lead to nobody, and why.")
    sentence: str


class ExplanationShown(BaseModel):
    """Why each person was paged or not."""

    number: int
    title: str
    service: str = Field(description="Empty: it belongs to none.")
    state: str
    priority: str
    opened_at: str
    as_of: str = Field(description="The instant of this explanation.")
    summary: list[str] = Field(description="The whole of it in two to four sentences.")
    people: list[PersonShown]
    nobody: list[str] = Field(description="Where a target led to nobody, and why.")
    entries: list[EntryShown] = Field(description="In order of time.")
    ahead: list[ExpectedShown] = Field(description="What follows if nobody does anything; empty when nothing does.")
    left_out: list[str] = Field(description="What was too much to be told here.")


def after_s(instant: Micros, since: Micros) -> float:
    """Seconds from one instant to another, to the millisecond."""
    return round((instant - since) / SECOND, 3)


def _person(one: OnePerson) -> PersonShown:
    return PersonShown(
        name=one.name,
        person_id=text_id(one.person_id),
        channel_id=text_id(one.channel_id),
        paged=one.paged,
        sentences=list(one.sentences),
    )


def _told(told: Told, since: Micros) -> ToldShown:
    return ToldShown(
        name=told.name,
        person_id=text_id(told.person_id),
        channel_id=text_id(told.channel_id),
        reason=told.reason,
        ways=[
            WayShown(
                notifier=way.notifier,
                label=way.label,
                at=iso(way.at),
                after_s=after_s(way.at, since),
                if_others_fail=way.if_others_fail,
            )
            for way in told.ways
        ],
    )


def expected_shown(one: Expected, since: Micros) -> ExpectedShown:
    """A step that is to come, as it is answered."""
    return ExpectedShown(
        at=iso(one.at),
        after_s=after_s(one.at, since),
        kind=one.kind,
        level=None if one.level is None else one.level + 1,
        round=one.round + 1,
        told=[_told(told, since) for told in one.told],
        missed=list(one.missed),
        sentence=one.sentence,
    )


def shown(found: Explanation) -> ExplanationShown:
    """An explanation as it is answered."""
    since = found.opened_at
    return ExplanationShown(
        number=found.number,
        title=found.title,
        service=found.service,
        state=found.state,
        priority=found.priority,
        opened_at=iso(since),
        as_of=iso(found.as_of),
        summary=list(found.summary),
        people=[_person(one) for one in found.people],
        nobody=list(found.nobody),
        entries=[
            EntryShown(at=iso(line.at), after_s=after_s(line.at, since), kind=line.kind, sentence=line.sentence)
            for line in found.entries
        ],
        ahead=[expected_shown(one, since) for one in found.ahead],
        left_out=list(found.left_out),
    )


async def explained(store: Store, number: int) -> Explanation:
    """The explanation of an incident. Raises NoSuchIncident."""
    facts = await store.read(facts_of, number)
    return await asyncio.to_thread(explain, facts)


def add_routes(routes: APIRouter, world: World) -> None:
    """The route of explaining."""

    @routes.get(
        "/incidents/{number}/explain",
        tags=["incidents"],
        summary="Why each person was paged or not",
        operation_id="explain_incident",
        responses=answers(404),
    )
    async def explain_incident(number: Number) -> ExplanationShown:
        """Who was told when, by what and by which rules, what came of it, and who was not told and why.

        Of an open incident also what follows if nobody does anything.
        """
        return shown(await explained(world.store, number))
