"""The deed of amending: what an alert shows is changed without its having been sent again. Its count stays what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import select, update

from app.dedup.arrival import content_of
from app.dedup.tables import alerts
from app.incidents import respond
from app.sources.event import Event
from app.sources.limits import fitted
from app.store.database import Writing

Change = Callable[[Event], Event]
"""What is to be shown, from what is shown. Pure."""


async def amend(tx: Writing, alert_id: int, change: Change) -> None:
    """Writes what `change` makes of the alert; a graver severity makes its incident graver. An alert that is gone is left."""
    row = (await tx.conn.execute(select(alerts).where(alerts.c.id == alert_id).with_for_update())).first()
    if row is None:
        return
    event = fitted(change(shown(row)))
    content = content_of(event)
    if content == bytes(row.content):
        return
    await tx.conn.execute(
        update(alerts)
        .where(alerts.c.id == alert_id)
        .values(
            title=event.title,
            severity=event.severity,
            labels=_text(event.labels),
            annotations=_text(event.annotations),
            content=content,
        )
    )
    if row.resolved_at is None and row.incident_id and event.severity != row.severity:
        await respond.worsen(tx, row.incident_id, event.severity, f"{event.title} is {event.severity} now")


def shown(row: Any, **changed: Any) -> Event:
    """A row of alerts as the event that would show the same."""
    event = Event(
        status="firing",
        key=row.dedup_key,
        title=row.title,
        severity=row.severity,
        labels=orjson.loads(row.labels),
        annotations=orjson.loads(row.annotations),
        links=tuple((str(text), str(url)) for text, url in orjson.loads(row.links)),
    )
    return event._replace(**changed)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
