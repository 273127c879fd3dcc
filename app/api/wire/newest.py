"""Reading many alerts for one answer without keeping everybody else waiting."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from app.dedup.tables import alerts
from app.store.database import Reading

PART = 200
"""Rows that are read at a time, a few milliseconds: between two parts others have their turn."""


async def newest(view: Reading, question: Select[Any], most: int) -> list[Any]:
    """The newest `most` alerts of a question about alerts, the newest first."""
    found: list[Any] = []
    part = question.order_by(alerts.c.id.desc()).limit(PART)
    while len(found) < most:
        after = part.where(alerts.c.id < found[-1].id) if found else part
        rows = (await view.conn.execute(after)).all()
        found += rows
        if len(rows) < PART:
            break
    return found[:most]
