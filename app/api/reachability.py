"""Whom policies reach, ahead of time: what the last look found of all of them, and any interval of one computed now. Read only.

Everything is computed in a thread: a year of a large policy takes longer than others should wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select
from starlette.responses import JSONResponse, Response

from app.api.oncall import FromQuery, ToQuery
from app.api.parameters import Cursor, IdText, Limit, instant, list_model, page, position
from app.api.problems import answers, invalid
from app.api.resources import read_one
from app.clock import DAY, Micros, iso
from app.rota.ahead import AHEAD
from app.rota.gap_words import sentence
from app.rota.reach import Facts, FindingKind, reach
from app.rota.reach_facts import facts_of
from app.rota.tables import findings, reach_looks
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource
from app.world import World

LONGEST = 366 * DAY
MOST_SHOWN = 1_000
"""Findings that are answered at once; a year has at most so many that anybody reads."""


class FindingShown(BaseModel):
    """An interval in which a policy reaches nobody, or too few to be relied on."""

    kind: FindingKind = Field(
        description="nobody: no level reaches anybody; unverified: only people are reached who have not verified a contact "
        "method; same_person: every level reaches one and the same person."
    )
    starts_at: str
    ends_at: str = Field(description="Exclusive; cut at the end of what was looked at.")
    reason: str = Field(description="A sentence, with times on the clock of the policy's first schedule.")


class Reachability(BaseModel):
    """One policy through an interval. Where there is no finding, somebody is reached."""

    policy_id: str
    policy: str
    starts_at: str
    ends_at: str
    findings: list[FindingShown]
    more: bool = Field(description="There are more findings than can be answered at once; ask for a shorter interval.")


class LookedAt(BaseModel):
    """What the last look at one policy found."""

    policy_id: str
    policy: str
    looked_at: str | None = Field(description="None: not yet.")
    until: str | None = Field(description="How far ahead it looked.")
    findings: list[FindingShown]


class _Seen(NamedTuple):
    policy: Resource
    looked_at: Micros | None
    until: Micros | None
    found: tuple[FindingShown, ...]


async def _asked(
    view: Reading, world: World, policy_id: int, start: Micros | None, end: Micros | None
) -> tuple[Resource, Facts, Micros, Micros]:
    """A policy and all that says whom it reaches in the interval. Raises NotFound, Invalid."""
    policy = await read_one(view, "policy", policy_id)
    since = view.now if start is None else start
    until = since + AHEAD if end is None else end
    if not since < until <= since + LONGEST:
        raise invalid("to", f"must be after `from`, by {LONGEST // DAY} days at most", "query")
    return policy, (await facts_of(view, [policy], since, until, world.notifiers))[policy_id], since, until


def _laid_out(policy: Resource, facts: Facts, start: Micros, end: Micros) -> Reachability:
    found = reach(facts, start, end)
    return Reachability(
        policy_id=str(policy.id),
        policy=policy.name,
        starts_at=iso(start),
        ends_at=iso(end),
        findings=[
            FindingShown(
                kind=one.kind,
                starts_at=iso(one.starts_at),
                ends_at=iso(one.ends_at),
                reason=sentence(one, facts.zone, end),
            )
            for one in found[:MOST_SHOWN]
        ],
        more=len(found) > MOST_SHOWN,
    )


async def _remembered(view: Reading, after: int, limit: int) -> list[_Seen]:
    """What the last look at each policy found, policies oldest first."""
    policies = await resources.listed(view, "policy", after=after, limit=limit)
    ids = [policy.id for policy in policies]
    looks = select(reach_looks.c.policy_id, reach_looks.c.looked_at, reach_looks.c.until).where(
        reach_looks.c.policy_id.in_(ids)
    )
    looked = {row[0]: (row[1], row[2]) for row in await view.conn.execute(looks)}
    found = await _findings(view, ids)
    return [_Seen(policy, *looked.get(policy.id, (None, None)), found=tuple(found[policy.id])) for policy in policies]


async def _findings(view: Reading, policies: Sequence[int]) -> dict[int, list[FindingShown]]:
    columns = findings.c
    question = (
        select(columns.policy_id, columns.kind, columns.starts_at, columns.ends_at, columns.reason)
        .where(columns.policy_id.in_(policies), columns.ends_at > view.now)
        .order_by(columns.starts_at, columns.id)
    )
    found: dict[int, list[FindingShown]] = {policy: [] for policy in policies}
    for row in await view.conn.execute(question):
        found[row.policy_id].append(
            FindingShown(kind=row.kind, starts_at=iso(row.starts_at), ends_at=iso(row.ends_at), reason=row.reason)
        )
    return found


def _shown(seen: _Seen) -> dict[str, Any]:
    return LookedAt(
        policy_id=str(seen.policy.id),
        policy=seen.policy.name,
        looked_at=None if seen.looked_at is None else iso(seen.looked_at),
        until=None if seen.until is None else iso(seen.until),
        findings=list(seen.found),
    ).model_dump()


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of looking ahead."""

    @routes.get(
        "/policies/{item_id}/reachability",
        tags=["policies"],
        summary="Whom a policy reaches",
        operation_id="read_reachability",
        responses=answers(404),
    )
    async def read_reachability(item_id: IdText, start: FromQuery = None, end: ToQuery = None) -> Reachability:
        """Computed now, 30 days from now unless asked otherwise, a year at most."""
        since = instant(start, "from") if start else None
        until = instant(end, "to") if end else None
        return await asyncio.to_thread(_laid_out, *await world.store.read(_asked, world, int(item_id), since, until))

    @routes.get(
        "/reachability",
        tags=["policies"],
        summary="What was found ahead",
        operation_id="list_reachability",
        response_model=list_model("ReachabilityList", LookedAt),
    )
    async def list_reachability(limit: Limit = 50, cursor: Cursor = None) -> Response:
        """Of every policy, by the last look: looks are daily, and a moment after each edit."""
        found = await world.store.read(_remembered, position(cursor, 0), limit + 1)
        return JSONResponse(page(found, limit, _shown, lambda one: one.policy.id))
