"""Receipts that come while the try they belong to is still under way: its outcome is not written yet. Deeds.

A provider may say that a message arrived before we have written that it was taken. Such a receipt is noted beside the try
and found when the outcome is written. Whoever calls holds the lock of the incident, so that neither misses the other.
"""

from __future__ import annotations

from sqlalchemy import select, update

from app.notifiers.notifier import Accepted, Delivered, Outcome, Refused
from app.paging.tables import attempts
from app.store.database import Reading, Writing


async def note(tx: Writing, page_id: int, why_not: str) -> None:
    """A receipt of a page; `why_not` is empty when it arrived. Nothing happens when no try is under way."""
    under_way = (attempts.c.page_id == page_id, attempts.c.outcome.is_(None))
    await tx.conn.execute(update(attempts).where(*under_way).values(receipt_at=tx.now, detail=why_not))


async def known(view: Reading, attempt_id: int, outcome: Outcome) -> Outcome:
    """What came of a try, with the receipt that is there already."""
    if not isinstance(outcome, Accepted) or not outcome.awaits_receipt:
        return outcome
    question = select(attempts.c.receipt_at, attempts.c.detail).where(attempts.c.id == attempt_id)
    row = (await view.conn.execute(question)).one()
    if row.receipt_at is None:
        return outcome
    return Refused(f"it was taken, and then not delivered: {row.detail}") if row.detail else Delivered(outcome.receipt)
