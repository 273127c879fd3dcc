"""The story of one incident: its timeline, its alerts and its pages in the order they came, each with its reason.

Ids are made in order of time by one source (app/ids.py), so the three tables are merged by id, a page at a time, and an
incident with 100,000 alerts costs as much as one with ten. Must never change anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import select

from app.api.problems import NotFound
from app.clock import Micros, iso
from app.dedup.tables import alerts
from app.incidents import ledger
from app.incidents.incident import Incident
from app.incidents.tables import timeline
from app.paging.tables import attempts, pages
from app.store import resources
from app.store.database import Reading


class Happened(BaseModel):
    """Something that happened to an incident, or was done about it."""

    id: str
    at: str
    kind: str = Field(description="alert, page, or what the timeline calls it: triggered, acknowledged, note, ...")
    actor: str
    reason: str = Field(description="A sentence; of a note its text.")
    detail: dict[str, Any]


class Attempt(BaseModel):
    """One call of a provider."""

    number: int
    started_at: str
    finished_at: str | None
    outcome: str | None = Field(description="delivered, accepted, refused, try_again, unknown; None: under way.")
    detail: str
    receipt: str = Field(description="The provider's name for the message.")
    late_s: int = Field(description="How much later than meant it went out.")
    receipt_at: str | None = Field(description="When the provider said what became of it, where it promises receipts.")


class Page(BaseModel):
    """One notification of one person or channel, and every try to send it."""

    number: int
    level: int = Field(description="Counted from 1; 0: somebody asked them to join.")
    round: int = Field(description="Counted from 1.")
    recipient: str
    person_id: str | None
    channel_id: str | None
    notifier: str
    reason: str = Field(description="Why them.")
    policy_id: str | None
    policy_version: int | None
    schedule_id: str | None
    fallback: bool = Field(description="Waits until the page before it has failed.")
    state: str = Field(description="waiting, sent, failed, blocked, quarantined, not_needed.")
    outcome: str | None
    detail: str
    due_at: str | None = Field(description="None: a fallback that was not needed so far.")
    created_at: str
    done_at: str | None
    attempts: list[Attempt]


def at(instant: Micros | None) -> str | None:
    """An instant that may not have come."""
    return None if instant is None else iso(instant)


def text_id(item_id: int | None) -> str | None:
    """An id that may not be set."""
    return None if item_id is None else str(item_id)


async def incident_of(view: Reading, number: int) -> Incident:
    """The incident. Raises NotFound."""
    found = await ledger.by_number(view, number)
    if found is None:
        raise NotFound(f"There is no incident #{number}.")
    return found


async def story(view: Reading, number: int, after: int, limit: int) -> list[Happened]:
    """What happened, in order, from the entry after the id `after`. Raises NotFound."""
    incident = await incident_of(view, number)
    found: list[Happened] = []
    for table, show in ((timeline, _entry), (alerts, _alert), (pages, _page)):
        question = (
            select(table)
            .where(table.c.incident_id == incident.id, table.c.id > after)
            .order_by(table.c.id)
            .limit(limit)
        )
        found += [show(row) for row in await view.conn.execute(question)]
    return await _named(view, sorted(found, key=lambda one: int(one.id))[:limit])


async def _named(view: Reading, found: list[Happened]) -> list[Happened]:
    """An alert's actor is its integration: by name."""
    ids = {int(one.actor) for one in found if one.kind == "alert"}
    names = {
        str(item): known.name for item, known in (await resources.load(view, "integration", ids, deleted=True)).items()
    }
    return [
        one.model_copy(update={"actor": names.get(one.actor, one.actor)}) if one.kind == "alert" else one
        for one in found
    ]


def _entry(row: Any) -> Happened:
    return Happened(
        id=str(row.id),
        at=iso(row.at),
        kind=row.kind,
        actor=row.actor,
        reason=row.reason,
        detail=_detail(row.detail or {}),
    )


def _detail(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Instants as people write them, levels and rounds counted from 1 as everywhere in the API."""
    shown = dict(stored)
    if "until" in shown:
        shown["until"] = iso(shown["until"])
    return shown | {name: shown[name] + 1 for name in ("level", "round") if name in shown}


def _alert(row: Any) -> Happened:
    return Happened(
        id=str(row.id),
        at=iso(row.first_seen_at),
        kind="alert",
        actor=str(row.integration_id),
        reason=row.because,
        detail={
            "alert": str(row.id),
            "title": row.title,
            "severity": row.severity,
            "rule": row.reason,
            "resolved_at": at(row.resolved_at),
        },
    )


def _page(row: Any) -> Happened:
    return Happened(
        id=str(row.id),
        at=iso(row.created_at),
        kind="page",
        actor="tocsin",
        reason=f"{row.recipient} by {row.notifier}: {row.reason}",
        detail={"page": row.number, "level": row.level + 1, "state": row.state, "outcome": row.outcome},
    )


async def pages_of(view: Reading, number: int, after: int, limit: int) -> list[Page]:
    """The pages with a number above `after`, and their attempts, in order. Raises NotFound."""
    incident = await incident_of(view, number)
    question = (
        select(pages)
        .where(pages.c.incident_id == incident.id, pages.c.number > after)
        .order_by(pages.c.number)
        .limit(limit)
    )
    rows = (await view.conn.execute(question)).all()
    tries = await _attempts(view, [row.id for row in rows])
    return [_page_shown(row, tries.get(row.id, ())) for row in rows]


async def _attempts(view: Reading, page_ids: Sequence[int]) -> Mapping[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = defaultdict(list)
    question = select(attempts).where(attempts.c.page_id.in_(page_ids)).order_by(attempts.c.page_id, attempts.c.number)
    for row in await view.conn.execute(question):
        found[row.page_id].append(
            Attempt(
                number=row.number,
                started_at=iso(row.started_at),
                finished_at=at(row.finished_at),
                outcome=row.outcome,
                detail=row.detail,
                receipt=row.receipt,
                late_s=row.late_s,
                receipt_at=at(row.receipt_at),
            )
        )
    return found


def _page_shown(row: Any, tries: Sequence[Attempt]) -> Page:
    return Page(
        number=row.number,
        level=row.level + 1,
        round=row.round + 1,
        recipient=row.recipient,
        person_id=text_id(row.person_id),
        channel_id=text_id(row.channel_id),
        notifier=row.notifier,
        reason=row.reason,
        policy_id=text_id(row.policy_id),
        policy_version=row.policy_version,
        schedule_id=text_id(row.schedule_id),
        fallback=row.fallback,
        state=row.state,
        outcome=row.outcome,
        detail=row.detail,
        due_at=at(row.due_at) if row.due_at else None,
        created_at=iso(row.created_at),
        done_at=at(row.done_at),
        attempts=list(tries),
    )
