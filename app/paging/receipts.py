"""Receipts: what a provider says later of a message it took, and what follows when it says nothing. Deeds.

Only a provider that promises receipts is waited for (`Accepted.awaits_receipt`). When none has come after 60 s the page
counts as failed for what follows; one that comes after all puts that right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, assert_never

from sqlalchemy import func, select, update

from app.clock import SECOND, Micros
from app.incidents import ledger, turn
from app.incidents.incident import Incident
from app.notifiers.text import clean
from app.paging import early_receipts
from app.paging.deliver import MAX_DETAIL, say, start_next_way
from app.paging.escalate import goes_on
from app.paging.receipt_links import ReceiptLink
from app.paging.retry import RECEIPT_WITHIN
from app.paging.tables import UNSENT, attempts, pages
from app.store import jobs
from app.store.database import Reading, Writing

Receipt = Literal["delivered", "failed"]
_SENT = ("delivered", "accepted")
_MISSING = "no_receipt"
MISSING = f"no receipt came within {RECEIPT_WITHIN // SECOND} s"


async def receive(tx: Writing, link: ReceiptLink, receipt: Receipt, detail: str) -> str | None:
    """Writes what the provider says; answers the kind of notifier, None when there is nothing it can be about.

    Said again it changes nothing.
    """
    some = await _pages(tx, link)
    of = await ledger.load(tx, (page.incident_id for page in some), lock=True)
    some = await _pages(tx, link)
    why = clean(detail)[:MAX_DETAIL] or "the provider gave no reason"
    for page in some:
        match receipt:
            case "delivered" | "failed" if page.state in UNSENT:
                await early_receipts.note(tx, page.id, why if receipt == "failed" else "")
            case "delivered" if (page.state, page.outcome) == ("sent", "accepted") or page.outcome == _MISSING:
                if page.outcome == _MISSING:
                    await goes_on(tx, {page.incident_id: of[page.incident_id]})
                await _write(tx, page, tx.now, state="sent", outcome="delivered", detail="")
            case "failed" if page.state == "sent" or page.outcome == _MISSING:
                await _write(tx, page, tx.now, state="failed", outcome="refused", detail=why)
                await _go_on(tx, page, of[page.incident_id], f"it was taken, and then not delivered: {why}")
            case "delivered" | "failed":
                pass
            case _:
                assert_never(receipt)
    return some[0].notifier if some else None


async def _pages(view: Reading, link: ReceiptLink) -> Sequence[Any]:
    whose = pages.c.id == link.id if link.about == "page" else pages.c.bundle_id == link.id
    return (await view.conn.execute(select(pages).where(whose).order_by(pages.c.id))).all()


async def _write(tx: Writing, page: Any, receipt_at: Micros | None, **values: Any) -> None:
    """Writes how the page stands; the receipt belongs to the last try that was taken."""
    await tx.conn.execute(update(pages).where(pages.c.id == page.id).values(**values))
    if receipt_at is not None:
        last = select(func.max(attempts.c.id)).where(attempts.c.page_id == page.id, attempts.c.outcome.in_(_SENT))
        row = {"receipt_at": receipt_at, "outcome": "delivered" if values["state"] == "sent" else "accepted"}
        await tx.conn.execute(update(attempts).where(attempts.c.id == last.scalar_subquery()).values(**row))


async def _go_on(tx: Writing, page: Any, incident: Incident, reason: str) -> None:
    """What follows a failure, once."""
    if page.state != "sent":
        return
    await say(tx, page, "page_failed", reason)
    await start_next_way(tx, page, incident, turn.FIRST)


async def receipt_due(tx: Writing, job: jobs.Job) -> str | None:
    """Counts what has no receipt as failed; answers the kind of notifier, None when all is well. Raises LeaseLost."""
    link = ReceiptLink(job.payload["about"], job.subject)
    some = await _pages(tx, link)
    of = await ledger.load(tx, (page.incident_id for page in some), lock=True)
    await jobs.finish(tx, job)
    missing = [page for page in await _pages(tx, link) if (page.state, page.outcome) == ("sent", "accepted")]
    for page in missing:
        await _write(tx, page, None, state="failed", outcome=_MISSING, detail=MISSING)
        await _go_on(tx, page, of[page.incident_id], f"it was taken, but {MISSING}")
    return missing[0].notifier if missing else None
