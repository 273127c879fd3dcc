"""Incidents, as they are and as they came to be. Read only; what responders do is acts.py's.

Must never decide anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import select

from app.api.alerts import AlertShown, alert_shown, alerts_with_numbers
from app.api.parameters import ID, NEWEST, Cursor, Limit, Number, list_model, page, position
from app.api.problems import answers
from app.api.story import Happened, Page, at, incident_of, pages_of, story, text_id
from app.clock import iso
from app.dedup.tables import alerts
from app.incidents import ledger
from app.incidents.incident import Escalation, Incident, Resolution
from app.incidents.priority import Impact, Priority, Urgency
from app.incidents.states import State
from app.incidents.tables import incidents
from app.store.database import Reading
from app.world import World


class IncidentShown(BaseModel):
    """What people respond to."""

    id: str
    number: int
    title: str
    state: State
    resolution: Resolution | None
    service_id: str | None
    severity: str = Field(description="The gravest of its alerts.")
    impact: Impact
    urgency: Urgency
    priority: Priority
    opened_at: str
    last_alert_at: str
    acknowledged_at: str | None
    acknowledged_by: str | None
    ack_until: str | None = Field(description="When the acknowledgement ends and it pages again. None: never.")
    resolved_at: str | None
    resolved_by: str | None
    closed_at: str | None
    updated_at: str
    alerts: int
    open_alerts: int
    escalation: Escalation
    level: int = Field(description="How many levels of the policy were told in this round.")
    round: int = Field(description="Counted from 1.")
    policy_id: str | None
    policy_version: int | None
    awaiting: int = Field(description="How many people must still acknowledge, each for themselves.")
    held_until: str | None = Field(description="Nobody is told before: support hours begin then.")
    quiet_until: str | None = Field(
        description="It does not page: all of its open alerts are silenced, inhibited or held. When that is asked again."
    )
    quiet_because: str | None = Field(description="Why, in one sentence.")
    merged_into: str | None = Field(description="The id of the incident it lives on in.")
    returns: int = Field(description="How often it recovered by itself and came back.")
    pinned: bool = Field(description="Nothing joins it by itself.")


def shown(incident: Incident) -> IncidentShown:
    """An incident as it is answered."""
    return IncidentShown(
        id=str(incident.id),
        number=incident.number,
        title=incident.title,
        state=incident.state,
        resolution=cast(Resolution | None, incident.resolution),
        service_id=text_id(incident.service_id),
        severity=incident.severity,
        impact=incident.impact,
        urgency=cast(Urgency, incident.urgency),
        priority=cast(Priority, incident.priority),
        opened_at=iso(incident.opened_at),
        last_alert_at=iso(incident.last_alert_at),
        acknowledged_at=at(incident.acknowledged_at),
        acknowledged_by=incident.acknowledged_by,
        ack_until=at(incident.ack_until),
        resolved_at=at(incident.resolved_at),
        resolved_by=incident.resolved_by,
        closed_at=at(incident.closed_at),
        updated_at=iso(incident.updated_at),
        alerts=incident.alerts,
        open_alerts=incident.open_alerts,
        escalation=incident.escalation,
        level=incident.level,
        round=incident.round + 1,
        policy_id=text_id(incident.policy_id),
        policy_version=incident.policy_version,
        awaiting=incident.awaiting,
        held_until=at(incident.held_until) if incident.escalation == "held" else None,
        quiet_until=at(incident.quiet_until),
        quiet_because=incident.quiet_because,
        merged_into=text_id(incident.merged_into),
        returns=incident.returns,
        pinned=bool(incident.pinned),
    )


async def listed(
    view: Reading, states: Sequence[State], service_id: int | None, before: int, limit: int
) -> list[Incident]:
    """Incidents, newest first."""
    # Number 0 is Tocsin's own (app/watch/synthetic.py).
    shown = select(incidents.c.id).where(incidents.c.id < before, incidents.c.number > 0)
    question = shown.order_by(incidents.c.id.desc()).limit(limit)
    if states:
        question = question.where(incidents.c.state.in_(states))
    if service_id is not None:
        question = question.where(incidents.c.service_id == service_id)
    ids = (await view.conn.execute(question)).scalars().all()
    found = await ledger.load(view, ids)
    return [found[incident_id] for incident_id in ids]


async def alerts_of(view: Reading, number: int, after: int, limit: int) -> Sequence[Any]:
    """The alerts of an incident, oldest first. Raises NotFound."""
    incident = await incident_of(view, number)
    question = alerts_with_numbers().where(alerts.c.incident_id == incident.id, alerts.c.id > after)
    return (await view.conn.execute(question.order_by(alerts.c.id).limit(limit))).all()


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes that read incidents."""

    @routes.get(
        "/incidents",
        response_model=list_model("IncidentList", IncidentShown),
        tags=["incidents"],
        summary="List incidents",
        operation_id="list_incidents",
    )
    async def list_incidents(
        state: Annotated[list[State] | None, Query(max_length=5, description="Only these; may be given again.")] = None,
        service_id: Annotated[str | None, Query(pattern=ID, description="Only of this service.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Any:
        """Newest first."""
        service = int(service_id) if service_id else None
        found = await world.store.read(listed, state or [], service, position(cursor, NEWEST), limit + 1)
        return page(found, limit, shown, lambda incident: incident.id)

    @routes.get(
        "/incidents/{number}",
        tags=["incidents"],
        summary="Read an incident",
        operation_id="read_incident",
        responses=answers(404),
    )
    async def read_incident(number: Number) -> IncidentShown:
        """As it is now; its story is in the timeline."""
        return shown(await world.store.read(incident_of, number))

    @routes.get(
        "/incidents/{number}/timeline",
        response_model=list_model("Timeline", Happened),
        tags=["incidents"],
        summary="The story of an incident",
        operation_id="list_incident_timeline",
        responses=answers(404),
    )
    async def list_timeline(number: Number, limit: Limit = 100, cursor: Cursor = None) -> Any:
        """In order of time: what happened, each alert and why it joined, each page and why it was sent."""
        found = await world.store.read(story, number, position(cursor, 0), limit + 1)
        return page(found, limit, lambda one: one, lambda one: int(one.id))

    @routes.get(
        "/incidents/{number}/alerts",
        response_model=list_model("IncidentAlertList", AlertShown),
        tags=["incidents"],
        summary="List the alerts of an incident",
        operation_id="list_incident_alerts",
        responses=answers(404),
    )
    async def list_alerts(number: Number, limit: Limit = 50, cursor: Cursor = None) -> Any:
        """Oldest first, each with the reason why it belongs here."""
        found = await world.store.read(alerts_of, number, position(cursor, 0), limit + 1)
        return page(found, limit, alert_shown, lambda row: int(row.id))

    @routes.get(
        "/incidents/{number}/pages",
        response_model=list_model("PageList", Page),
        tags=["incidents"],
        summary="List the pages of an incident",
        operation_id="list_incident_pages",
        responses=answers(404),
    )
    async def list_pages(number: Number, limit: Limit = 50, cursor: Cursor = None) -> Any:
        """In order of their numbers: who was told, why, by which way, and every try to send it."""
        found = await world.store.read(pages_of, number, position(cursor, 0), limit + 1)
        return page(found, limit, lambda one: one, lambda one: one.number)
