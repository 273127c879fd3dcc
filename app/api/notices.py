"""What somebody was told beside pages, and how it went: so that "why did nobody tell me?" has an answer. Read only.

The links in notices are not shown: each is the permission to answer for its person. Nor is a code, for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select

from app.api.parameters import NEWEST, Cursor, IdText, Limit, list_model, page, position
from app.api.problems import NotFound, answers
from app.clock import Micros, iso
from app.paging.notices import NoticeKind
from app.paging.notify import NOT_KEPT
from app.paging.tables import notices
from app.paging.ways import read_ways
from app.people.person import Urgency
from app.store import resources
from app.store.database import Reading
from app.world import World


class TriedWay(BaseModel):
    """One way that it was tried by, in order."""

    contact_method: str = Field(description="The id of the contact method.")
    kind: str
    label: str
    state: Literal["trying", "sent", "failed"]
    tries: int
    outcome: Literal["delivered", "accepted", "refused", "try_again", "unknown"] | None = Field(
        description="Of the last try; null while it is under way."
    )
    detail: str


class NoticeShown(BaseModel):
    """Something that somebody was told, or is to be told."""

    id: str
    kind: NoticeKind
    title: str
    text: str
    urgency: Urgency
    state: Literal["waiting", "sent", "failed", "expired", "withdrawn"]
    detail: str = Field(description="Why it failed or was not sent.")
    created_at: str
    due_at: str
    expires_at: str = Field(description="Later it would be of no use, and is not sent.")
    done_at: str | None
    tried: list[TriedWay]


def _iso(at: Micros | None) -> str | None:
    return None if at is None else iso(at)


def _shown(row: Any) -> NoticeShown:
    tried = [
        TriedWay(
            contact_method=way.method,
            kind=way.notifier,
            label=way.label,
            state=way.state,
            tries=way.tries,
            outcome=way.outcome,
            detail=way.detail,
        )
        for way in read_ways(row.used)
    ]
    return NoticeShown(
        id=str(row.id),
        kind=row.kind,
        title=row.title,
        text=NOT_KEPT if row.kind == "code" else row.text,
        urgency=row.urgency,
        state=row.state,
        detail=row.detail,
        created_at=iso(row.created_at),
        due_at=iso(row.due_at),
        expires_at=iso(row.expires_at),
        done_at=_iso(row.done_at),
        tried=tried,
    )


async def listed(view: Reading, person_id: int, before: int, limit: int) -> Sequence[Any]:
    """A person's notices, newest first, with an id below `before`; of one who was deleted too. Raises NotFound."""
    if not await resources.load(view, "person", [person_id], deleted=True):
        raise NotFound(f"There never was a person with the id {person_id}.")
    mine = (notices.c.person_id == person_id, notices.c.id < before)
    question = select(notices).where(*mine).order_by(notices.c.id.desc()).limit(limit)
    return (await view.conn.execute(question)).all()


def add_routes(routes: APIRouter, world: World) -> None:
    """The route."""

    @routes.get(
        "/people/{item_id}/notices",
        response_model=list_model("NoticeList", NoticeShown),
        tags=["people"],
        summary="What a person was told beside pages",
        operation_id="list_notices",
        responses=answers(404),
    )
    async def list_notices(item_id: IdText, limit: Limit = 50, cursor: Cursor = None) -> Any:
        """Newest first: shifts that begin, gaps ahead, swaps, drills, codes; by what each was sent, or why it was not."""
        found = await world.store.read(listed, int(item_id), position(cursor, NEWEST), limit + 1)
        return page(found, limit, _shown, lambda row: int(row.id))
