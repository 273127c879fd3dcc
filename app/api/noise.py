"""What pages cost, what of it was for nothing, what could be done, and what came before an incident. Read only.

What is added up and proposed is app/noise's. Must never change anything.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.oncall import FromQuery, ToQuery
from app.api.parameters import ID, Number, instant
from app.api.problems import answers, invalid
from app.clock import DAY, MINUTE, Micros, iso
from app.noise.economics import By, Line, belongs, economics
from app.noise.past import Past
from app.noise.reading import MOST, pasts, recurrence_of
from app.noise.recurrence import Alike, Likeness
from app.noise.trial import Change, Kind, Trial, tried
from app.world import World

USUAL = 30 * DAY
LONGEST = 366 * DAY
LONGEST_SPAN = 24 * 60

ByQuery = Annotated[By, Query(description="What is added up.")]
OfService = Annotated[str | None, Query(pattern=ID, description="Only incidents of this service.")]


class TrialShown(BaseModel):
    """What a change would have done to the incidents of the interval."""

    change: Kind
    minutes: int
    to_do: str = Field(description="The change as an order.")
    sentence: str = Field(description="What it would have done.")
    calls: int
    spared: int = Field(description="Calls that would not have been.")
    night_spared: int
    later: int = Field(description="Calls that would have come later.")
    attention_spared_minutes: int
    missed: list[int] = Field(description="Incidents people acted on, of which nobody would have been told in time.")


class LineShown(BaseModel):
    """One check, service or rule."""

    key: str = Field(description="What a trial of it is asked for by.")
    name: str
    incidents: int
    calls: int = Field(description="One level told to one person is one call, however many ways were tried.")
    night_calls: int = Field(description="22:00 to 06:00 where the person who was called lives.")
    acked_without_action: int
    over_within_5_min: int = Field(description="Incidents with calls that were over by themselves within 5 minutes.")
    attention_minutes: int
    numbers: list[int] = Field(description="Its last incidents.")
    proposals: list[TrialShown] = Field(description="What the record speaks for, what spares most first.")


class NoiseShown(BaseModel):
    """What takes most attention first."""

    by: By
    starts_at: str
    ends_at: str
    incidents: int
    complete: bool = Field(description=f"False: more than {MOST:,} incidents; the newest are counted.")
    items: list[LineShown]


class AlikeShown(BaseModel):
    """An incident from before."""

    number: int
    title: str
    opened_at: str
    minutes: int | None = Field(description="How long it was open; null: it still is.")
    by_itself: bool
    resolved_by: str | None
    words: str = Field(description="What was said last by whoever worked on it.")
    likeness: Likeness
    because: str


class SimilarShown(BaseModel):
    """What is known from before."""

    sentence: str = Field(description="Empty: nothing alike in 30 days.")
    items: list[AlikeShown] = Field(description="Newest first.")


def _trial(trial: Trial) -> TrialShown:
    return TrialShown(
        change=trial.change.kind,
        minutes=trial.change.minutes,
        to_do=trial.change.words,
        sentence=trial.words,
        calls=trial.calls,
        spared=trial.spared,
        night_spared=trial.night_spared,
        later=trial.later,
        attention_spared_minutes=trial.attention_spared // MINUTE,
        missed=list(trial.missed),
    )


def _line(line: Line) -> LineShown:
    return LineShown(
        key=line.key,
        name=line.name,
        incidents=line.incidents,
        calls=line.calls,
        night_calls=line.night_calls,
        acked_without_action=line.acked_without_action,
        over_within_5_min=line.over_within_5_min,
        attention_minutes=line.attention // MINUTE,
        numbers=list(line.numbers),
        proposals=[_trial(trial) for trial in line.proposals],
    )


def _alike(one: Alike) -> AlikeShown:
    past = one.past
    return AlikeShown(
        number=past.number,
        title=past.title,
        opened_at=iso(past.opened_at),
        minutes=None if past.lasted is None else past.lasted // MINUTE,
        by_itself=past.by_itself,
        resolved_by=past.resolved_by or None,
        words=past.words,
        likeness=one.likeness,
        because=one.words,
    )


def _span(now: Micros, start: str | None, end: str | None) -> tuple[Micros, Micros]:
    """The asked interval, the last 30 days unless said otherwise. Raises Invalid."""
    until = instant(end, "to") if end else now
    since = instant(start, "from") if start else until - USUAL
    if not 0 <= since < until <= since + LONGEST:
        raise invalid("to", f"must be after `from`, by {LONGEST // DAY} days at most", "query")
    return since, until


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of noise."""

    @routes.get("/noise", tags=["noise"], summary="What takes attention, and what for", operation_id="read_noise")
    async def read_noise(
        by: ByQuery = "check", service_id: OfService = None, start: FromQuery = None, end: ToQuery = None
    ) -> NoiseShown:
        """By check, service or routing rule: calls, those at night, those for nothing, and what could be done about it."""
        since, until = _span(world.clock.now(), start, end)
        found, cut = await world.store.read(pasts, since, until, int(service_id) if service_id else None)
        lines = await asyncio.to_thread(economics, found, by)
        return NoiseShown(
            by=by,
            starts_at=iso(since),
            ends_at=iso(until),
            incidents=len(found),
            complete=not cut,
            items=[_line(line) for line in lines],
        )

    @routes.get("/noise/trial", tags=["noise"], summary="Try a change on what has been", operation_id="try_change")
    async def try_change(
        change: Annotated[Kind, Query(description="What to try.")],
        key: Annotated[str, Query(max_length=1_000, description="The `key` of a line of /noise.")],
        by: ByQuery = "check",
        minutes: Annotated[int, Query(ge=0, le=LONGEST_SPAN, description="For `hold` and `group`.")] = 0,
        service_id: OfService = None,
        start: FromQuery = None,
        end: ToQuery = None,
    ) -> TrialShown:
        """What `change` would have done to the incidents of one check, service or rule. Changes nothing."""
        if change in ("hold", "group") and not minutes:
            raise invalid("minutes", f"must be given for `{change}`: how long to wait, 1 at least", "query")
        since, until = _span(world.clock.now(), start, end)
        found, _ = await world.store.read(pasts, since, until, int(service_id) if service_id else None)
        return _trial(await asyncio.to_thread(_tried, Change(change, minutes), by, key, found))

    @routes.get(
        "/incidents/{number}/similar",
        tags=["incidents"],
        summary="Has this been before?",
        operation_id="list_similar",
        responses=answers(404),
    )
    async def list_similar(number: Number) -> SimilarShown:
        """Incidents of the 30 days before that are alike by key, check or text, and how they ended."""
        found = await world.store.read(recurrence_of, number)
        return SimilarShown(sentence=found.sentence, items=[_alike(one) for one in found.alike[:50]])


def _tried(change: Change, by: By, key: str, found: list[Past]) -> Trial:
    return tried(change, (past for past in found if belongs(past, by, key)))
