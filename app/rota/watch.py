"""Has schedules looked at anew: the row by which an edit hands over to those who watch handoffs (handoff.py)."""

from __future__ import annotations

from collections.abc import Iterable

from app.store import jobs
from app.store.database import Writing
from app.store.jobs import NewJob


async def watch(tx: Writing, schedule_ids: Iterable[int]) -> None:
    """Has each of these schedules looked at anew, at once: what is known of it changed."""
    await jobs.add(tx, [NewJob("duty", item, tx.now, once=f"duty:{item}") for item in sorted(set(schedule_ids))])
