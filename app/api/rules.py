"""What saving a rule checks, and what rules did: how often each matched, and what it dropped.

Must never decide what a rule does to an event.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from app.api.parameters import NEWEST, Cursor, IdText, Limit, list_model, page, position
from app.api.problems import FieldError, Invalid, NotFound, answers, invalid
from app.clock import DAY, iso
from app.routing.matchers import parse
from app.routing.reading import Rules, read_known
from app.routing.rule import Rule
from app.routing.rulebook import Known, tried
from app.routing.tables import dropped, rule_hits
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Resource
from app.world import World

_NAMED = {"@service": "service", "@integration": "integration"}
"""Fields whose values are names of configuration."""


async def _names(view: Reading, kind: str) -> dict[int, str]:
    return {one.id: one.name for one in await resources.listed(view, kind)}


async def after_rule(tx: Writing, _: Resource | None, new: Resource | None) -> None:
    """Checks what needs the rest of the configuration, and tries the rule's examples. Raises Invalid."""
    if new is None:
        return
    rule = new.as_a(Rule)
    known = await read_known(tx, await _names(tx, "service"))
    await _check_names(tx, rule)
    _check_columns(rule, known)
    if wrong := tried(new.id, rule, known):
        raise Invalid(*(FieldError(where="body", field=field, message=said) for field, said in wrong))


async def _check_names(tx: Writing, rule: Rule) -> None:
    """Raises Invalid for a matcher that only services or integrations could match that are not there."""
    for place, text in enumerate(rule.when):
        one = parse(text)
        kind = _NAMED.get(one.name)
        if kind is None or not one.words:
            continue
        known = set((await _names(tx, kind)).values())
        if kind == "integration":
            known |= set((await _names(tx, "heartbeat")).values())
        if not one.words & known:
            raise invalid(
                f"when.{place}", f"can never match: there is no {kind} called {' or '.join(sorted(one.words))}"
            )


def _check_columns(rule: Rule, known: Known) -> None:
    look = rule.then.look_up
    if look is None:
        return
    columns = {column for row in known.tables[int(look.table_id)].read() for column in row}
    for place, column in enumerate(look.take):
        if column not in columns:
            raise invalid(f"then.look_up.take.{place}", f"the table has no column {column[:80]!r}")


async def after_table(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """The examples of the rules that use a table still hold. Raises Invalid, naming the rule."""
    if old is None or new is None:
        return
    known = await read_known(tx, await _names(tx, "service"))
    for one in await resources.listed(tx, "rule"):
        rule = one.as_a(Rule)
        if rule.then.look_up is not None and rule.then.look_up.table_id == str(new.id):
            for field, said in tried(one.id, rule, known):
                raise invalid("rows", f"the rule {rule.name!r} would not keep its {field.replace('.', ' ')}: it {said}")


async def warn(view: Reading, rule: Resource) -> list[str]:
    """What whoever saves a rule may not have meant."""
    book = await Rules().read(view, await _names(view, "service"))
    before = book.hidden_behind(rule.id)
    if before is None:
        return []
    return [f"this rule is never asked: the rule {before.name!r} before it stops all that it could match"]


class RuleHits(BaseModel):
    """How often a rule matched."""

    rule_id: str
    name: str
    enabled: bool
    hits: int = Field(description="Events it matched in these days.")
    dropped: int = Field(description="Of those, how many it dropped.")
    last_at: str | None = Field(description="When it matched last in these days, to the second.")


class DroppedShown(BaseModel):
    """An event that a rule did not let become an alert."""

    id: str
    rule_id: str
    integration_id: str
    at: str
    dedup_key: str
    title: str
    severity: str
    labels: dict[str, str]
    reason: str


Days = Annotated[int, Query(ge=1, le=366, description="Today, in UTC, and the days before it.")]


async def hits(view: Reading, days: int, after: int, limit: int) -> list[RuleHits]:
    """Rules, oldest first, with what they did."""
    since = view.now // DAY - days
    counted = (
        select(
            rule_hits.c.rule_id,
            func.sum(rule_hits.c.hits),
            func.sum(rule_hits.c.dropped),
            func.max(rule_hits.c.last_at),
        )
        .where(rule_hits.c.day > since)
        .group_by(rule_hits.c.rule_id)
    )
    found = {row[0]: row for row in await view.conn.execute(counted)}
    return [
        RuleHits(
            rule_id=str(one.id),
            name=one.name,
            enabled=one.document["enabled"],
            hits=found[one.id][1] if one.id in found else 0,
            dropped=found[one.id][2] if one.id in found else 0,
            last_at=iso(found[one.id][3]) if one.id in found else None,
        )
        for one in await resources.listed(view, "rule", after=after, limit=limit)
    ]


async def dropped_by(view: Reading, rule_id: int, before: int, limit: int) -> list[Any]:
    """What a rule dropped last, newest first. Raises NotFound."""
    if not await resources.load(view, "rule", [rule_id], deleted=True):
        raise NotFound(f"There never was a rule with the id {rule_id}.")
    question = select(dropped).where(dropped.c.rule_id == rule_id, dropped.c.id < before)
    return list((await view.conn.execute(question.order_by(dropped.c.id.desc()).limit(limit))).all())


def _shown(row: Any) -> DroppedShown:
    return DroppedShown(
        id=str(row.id),
        rule_id=str(row.rule_id),
        integration_id=str(row.integration_id),
        at=iso(row.at),
        dedup_key=row.dedup_key,
        title=row.title,
        severity=row.severity,
        labels=orjson.loads(row.labels),
        reason=row.reason,
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes."""

    @routes.get(
        "/rule-hits",
        response_model=list_model("RuleHitsList", RuleHits),
        tags=["rules"],
        summary="How often each rule matched",
        operation_id="list_rule_hits",
    )
    async def list_hits(days: Days = 30, limit: Limit = 50, cursor: Cursor = None) -> Any:
        """Counts are added up together and at most a second old."""
        found = await world.store.read(hits, days, position(cursor, 0), limit + 1)
        return page(found, limit, lambda one: one, lambda one: int(one.rule_id))

    @routes.get(
        "/rules/{item_id}/dropped",
        response_model=list_model("DroppedList", DroppedShown),
        tags=["rules"],
        summary="What a rule dropped",
        operation_id="list_dropped",
        responses=answers(404),
    )
    async def list_dropped(item_id: IdText, limit: Limit = 50, cursor: Cursor = None) -> Any:
        """The last events that it did not let become alerts, newest first; in a storm a sample of them."""
        found = await world.store.read(dropped_by, int(item_id), position(cursor, NEWEST), limit + 1)
        return page(found, limit, _shown, lambda row: int(row.id))
