"""What was changed: deployments and the like, as senders told them, by themselves and beside an incident. Read only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.alerts import Link
from app.api.parameters import ID, NEWEST, Cursor, Limit, Number, list_model, page, position
from app.api.problems import answers
from app.api.story import incident_of, text_id
from app.clock import iso
from app.incidents import changes
from app.store.database import Reading
from app.world import World


class ChangeShown(BaseModel):
    """A change."""

    id: str
    integration_id: str
    service_id: str | None
    at: str = Field(description="When it was made; when it came, if the sender did not say.")
    received_at: str
    summary: str
    source: str
    details: dict[str, str]
    links: list[Link]


def change_shown(row: Any) -> ChangeShown:
    """A row of `changes` as it is answered."""
    return ChangeShown(
        id=str(row.id),
        integration_id=str(row.integration_id),
        service_id=text_id(row.service_id),
        at=iso(row.at),
        received_at=iso(row.received_at),
        summary=row.summary,
        source=row.source,
        details=row.details,
        links=[Link(label=label, url=url) for label, url in row.links],
    )


async def _beside(view: Reading, number: int, limit: int) -> Any:
    return await changes.beside(view, await incident_of(view, number), limit)


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of changes."""

    @routes.get(
        "/changes",
        response_model=list_model("ChangeList", ChangeShown),
        tags=["changes"],
        summary="List changes",
        operation_id="list_changes",
    )
    async def list_changes(
        service_id: Annotated[str | None, Query(pattern=ID, description="Only of this service.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Any:
        """As they came, the newest first."""
        service = int(service_id) if service_id else None
        found = await world.store.read(changes.listed, service, position(cursor, NEWEST), limit + 1)
        return page(found, limit, change_shown, lambda row: int(row.id))

    @routes.get(
        "/incidents/{number}/changes",
        response_model=list_model("IncidentChangeList", ChangeShown),
        tags=["changes"],
        summary="What was changed before an incident",
        operation_id="list_incident_changes",
        responses=answers(404),
    )
    async def list_incident_changes(number: Number, limit: Limit = 50) -> Any:
        """Of its service, from a day before it was opened until it was over; the newest first."""
        found = await world.store.read(_beside, number, limit)
        return {"items": [change_shown(row) for row in found], "next_cursor": None}
