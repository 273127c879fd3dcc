"""How the load of being on call is shared, for a schedule or a team: as JSON, and as CSV for pay. Read only.

Everything is computed in a thread: a year of a large rota takes longer than others should wait. Must never change anything.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.api.oncall import FromQuery, ToQuery, there
from app.api.parameters import IdText, instant
from app.api.problems import NotFound, answers, invalid
from app.api.resources import read_one
from app.api.shares import ScheduleFairness, TeamFairness, of_schedule, of_team, table
from app.api.spreadsheet import MEDIA_TYPE, csv_file
from app.clock import DAY, Micros, to_datetime
from app.rota.fairness import Report, reports
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource
from app.world import World

USUAL = 28 * DAY
LONGEST = 366 * DAY


async def _of_one(view: Reading, schedule_id: int, start: Micros | None, end: Micros | None) -> Report:
    # A deleted one too: what was is paid all the same.
    known = await resources.load(view, "schedule", [schedule_id], deleted=True)
    if not known:
        raise NotFound(f"There is no schedule with the id {schedule_id}.")
    (found,) = await reports(view, known.values(), *_span(view.now, start, end))
    return found


async def _of_all(
    view: Reading, team_id: int, start: Micros | None, end: Micros | None
) -> tuple[Resource, list[Report], Micros, Micros]:
    team = await read_one(view, "team", team_id)
    span = _span(view.now, start, end)
    known = await resources.load(view, "schedule", await there(view, *span), deleted=True)
    theirs = [known[item] for item in sorted(known) if known[item].document.get("team_id") == str(team_id)]
    return team, await reports(view, theirs, *span), *span


def _span(now: Micros, start: Micros | None, end: Micros | None) -> tuple[Micros, Micros]:
    """The asked interval; what is left out makes it USUAL long, until now when both are. Raises Invalid."""
    if end is None:
        end = now if start is None else start + USUAL
    if start is None:
        start = end - USUAL
    if not 0 <= start < end <= start + LONGEST:
        raise invalid("to", f"must be after `from`, by {LONGEST // DAY} days at most", "query")
    return start, end


async def _asked(start: FromQuery = None, end: ToQuery = None) -> tuple[Micros | None, Micros | None]:
    return instant(start, "from") if start else None, instant(end, "to") if end else None


Asked = Annotated[tuple[Micros | None, Micros | None], Depends(_asked)]

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
}


def _file(kind: str, item_id: str, start: Micros, end: Micros, text: str) -> Response:
    days = f"{to_datetime(start):%Y-%m-%d}-{to_datetime(end):%Y-%m-%d}"
    return csv_file(f"on-call-{kind}-{item_id}-{days}.csv", text)


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of fairness and pay."""
    _schedule_routes(routes, world)
    _team_routes(routes, world)


def _schedule_routes(routes: APIRouter, world: World) -> None:
    @routes.get(
        "/schedules/{item_id}/fairness",
        tags=["schedules"],
        summary="How the load is shared",
        operation_id="read_schedule_fairness",
        responses=answers(404),
    )
    async def read_schedule_fairness(item_id: IdText, asked: Asked) -> ScheduleFairness:
        """The last 28 days unless asked otherwise, a year at most; days to come are as the rota stands now."""
        report = await world.store.read(_of_one, int(item_id), *asked)
        shown, _ = await asyncio.to_thread(of_schedule, report)
        return shown

    @routes.get(
        "/schedules/{item_id}/fairness.csv",
        tags=["schedules"],
        summary="How the load is shared, as a table",
        operation_id="export_schedule_fairness",
        responses={**answers(404), **_CSV},
        response_class=Response,
    )
    async def export_schedule_fairness(item_id: IdText, asked: Asked) -> Response:
        """A row a person, with hours by what they are paid as, and the amount."""
        report = await world.store.read(_of_one, int(item_id), *asked)

        def work() -> str:
            return table([of_schedule(report)[0]])

        return _file("schedule", item_id, report.start, report.end, await asyncio.to_thread(work))


def _team_routes(routes: APIRouter, world: World) -> None:
    @routes.get(
        "/teams/{item_id}/fairness",
        tags=["teams"],
        summary="How the load of a team is shared",
        operation_id="read_team_fairness",
        responses=answers(404),
    )
    async def read_team_fairness(item_id: IdText, asked: Asked) -> TeamFairness:
        """Over all schedules that name the team, summed for each person, and each schedule by itself."""
        return await asyncio.to_thread(of_team, *await world.store.read(_of_all, int(item_id), *asked))

    @routes.get(
        "/teams/{item_id}/fairness.csv",
        tags=["teams"],
        summary="How the load of a team is shared, as a table",
        operation_id="export_team_fairness",
        responses={**answers(404), **_CSV},
        response_class=Response,
    )
    async def export_team_fairness(item_id: IdText, asked: Asked) -> Response:
        """A row for each person in each schedule, with hours by what they are paid as, and the amount."""
        _, found, start, end = await world.store.read(_of_all, int(item_id), *asked)

        def work() -> str:
            return table(of_schedule(report)[0] for report in found)

        return _file("team", item_id, start, end, await asyncio.to_thread(work))
