"""Alerts: one episode of one problem each, as senders told it. Read only; what happens to one is its sender's to say.

Must never change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Select

from app.api.parameters import ID, NEWEST, Cursor, IdText, Limit, list_model, page, position
from app.api.problems import NotFound, answers
from app.clock import Micros, iso
from app.dedup.tables import alerts, alerts_seen, last_seen, times_seen
from app.incidents.tables import incidents
from app.store.database import Reading
from app.world import World


class Link(BaseModel):
    """An address the sender gave."""

    label: str
    url: str


class AlertShown(BaseModel):
    """One episode of one problem, from its first firing to its resolve."""

    id: str
    integration_id: str
    service_id: str | None
    incident: int | None = Field(
        description="The number of its incident; None when it concerns nobody (see `because`)."
    )
    state: Literal["open", "resolved"]
    episode: int = Field(description="The how manieth of its dedup key.")
    dedup_key: str
    title: str
    severity: str
    labels: dict[str, str]
    annotations: dict[str, str]
    links: list[Link]
    reason: str = Field(description="Why it was opened and where it was put, for programs.")
    because: str = Field(description="The same as a sentence.")
    rules: list[str] = Field(description="What each rule that matched did to it, one sentence each.")
    count: int = Field(description="How often it was sent as firing.")
    starts_at: str | None = Field(description="When it began, says the sender.")
    ended_at: str | None = Field(description="When it ended, says the sender.")
    first_seen_at: str
    last_seen_at: str
    expires_at: str | None = Field(description="When it ends by itself, unless it is sent again.")
    resolved_at: str | None
    resolved_by: str | None


def _at(instant: Micros | None) -> str | None:
    return None if instant is None else iso(instant)


def alert_shown(row: Any) -> AlertShown:
    """A row of `alerts_with_numbers` as it is answered."""
    return AlertShown(
        id=str(row.id),
        integration_id=str(row.integration_id),
        service_id=None if row.service_id is None else str(row.service_id),
        incident=row.number,
        state="open" if row.resolved_at is None else "resolved",
        episode=row.episode,
        dedup_key=row.dedup_key,
        title=row.title,
        severity=row.severity,
        labels=orjson.loads(row.labels),
        annotations=orjson.loads(row.annotations),
        links=[Link(label=label, url=url) for label, url in orjson.loads(row.links)],
        reason=row.reason,
        because=row.because,
        rules=orjson.loads(row.routed) if row.routed else [],
        count=times_seen(row),
        starts_at=_at(row.starts_at),
        ended_at=_at(row.ended_at),
        first_seen_at=iso(row.first_seen_at),
        last_seen_at=iso(last_seen(row)),
        expires_at=_at(row.expires_at),
        resolved_at=_at(row.resolved_at),
        resolved_by=row.resolved_by,
    )


def alerts_with_numbers() -> Select[Any]:
    """Alerts, each with the number of its incident."""
    return alerts_seen().add_columns(incidents.c.number).outerjoin(incidents, incidents.c.id == alerts.c.incident_id)


async def listed(
    view: Reading, state: str | None, integration_id: int | None, before: int, limit: int
) -> Sequence[Any]:
    """Alerts, newest first."""
    # Below zero is what Tocsin says to itself (app/watch/synthetic.py).
    shown = alerts_with_numbers().where(alerts.c.id < before, alerts.c.integration_id > 0)
    question = shown.order_by(alerts.c.id.desc()).limit(limit)
    if state is not None:
        over = alerts.c.resolved_at
        question = question.where(over.is_(None) if state == "open" else over.is_not(None))
    if integration_id is not None:
        question = question.where(alerts.c.integration_id == integration_id)
    return (await view.conn.execute(question)).all()


async def one(view: Reading, alert_id: int) -> Any:
    """One alert. Raises NotFound."""
    row = (await view.conn.execute(alerts_with_numbers().where(alerts.c.id == alert_id))).first()
    if row is None:
        raise NotFound(f"There is no alert with the id {alert_id}.")
    return row


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of alerts."""

    @routes.get(
        "/alerts",
        response_model=list_model("AlertList", AlertShown),
        tags=["alerts"],
        summary="List alerts",
        operation_id="list_alerts",
    )
    async def list_alerts(
        state: Annotated[Literal["open", "resolved"] | None, Query(description="Only these.")] = None,
        integration_id: Annotated[str | None, Query(pattern=ID, description="Only what came this way.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Any:
        """Newest first."""
        integration = int(integration_id) if integration_id else None
        found = await world.store.read(listed, state, integration, position(cursor, NEWEST), limit + 1)
        return page(found, limit, alert_shown, lambda row: int(row.id))

    @routes.get(
        "/alerts/{item_id}",
        tags=["alerts"],
        summary="Read an alert",
        operation_id="read_alert",
        responses=answers(404),
    )
    async def read_alert(item_id: IdText) -> AlertShown:
        """Labels, annotations and links are the sender's words: show them as text."""
        return alert_shown(await world.store.read(one, int(item_id)))
