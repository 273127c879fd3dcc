"""Changes of a service, beside its incidents: kept once however often they are sent. Nobody is paged for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import select

from app.clock import DAY, MINUTE, Micros
from app.incidents.incident import Incident
from app.incidents.tables import changes
from app.sources.change import Change
from app.store.database import Reading, Writing

BEFORE = DAY
"""How long before an incident a change still stands beside it."""


async def record(tx: Writing, integration_id: int, service_id: int | None, change: Change) -> None:
    """Keeps a change; the same one sent again (without a time: within the same minute) is there already."""
    when = None if change.at else tx.now // MINUTE
    said = orjson.dumps((integration_id, asdict(change), when), option=orjson.OPT_SORT_KEYS)
    digest = blake2b(said, digest_size=16).digest()
    if (await tx.conn.execute(select(changes.c.id).where(changes.c.digest == digest))).first():
        return
    row = {
        "id": tx.new_id(),
        "digest": digest,
        "integration_id": integration_id,
        "service_id": service_id,
        "at": change.at or tx.now,
        "received_at": tx.now,
        "summary": change.summary,
        "source": change.source,
        "details": dict(change.details or {}),
        "links": change.links,
    }
    await tx.conn.execute(changes.insert().values(row))


async def beside(view: Reading, incident: Incident, limit: int) -> Sequence[Any]:
    """The changes of the incident's service from a day before it until it was over, the newest first."""
    if incident.service_id is None:
        return []
    until: Micros = incident.resolved_at or view.now
    question = select(changes).where(
        changes.c.service_id == incident.service_id,
        changes.c.at >= incident.opened_at - BEFORE,
        changes.c.at <= until,
    )
    return (await view.conn.execute(question.order_by(changes.c.at.desc(), changes.c.id.desc()).limit(limit))).all()


async def listed(view: Reading, service_id: int | None, before: int, limit: int) -> Sequence[Any]:
    """Changes as they came, the newest first."""
    question = select(changes).where(changes.c.id < before)
    if service_id is not None:
        question = question.where(changes.c.service_id == service_id)
    return (await view.conn.execute(question.order_by(changes.c.id.desc()).limit(limit))).all()
