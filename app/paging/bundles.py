"""The deeds of a bundle: what one message with many pages is begun, and what came of it for each of them.

As for a page (deliver.py): each page's try is written down before the call, under the page's own number, so that a
death in the middle is seen and every page is explained as if it had gone alone. What nobody needs any more is left out.
Incidents are locked first, then the bundle's job, then the person: while that is locked, nothing joins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select, update

from app.clock import Micros
from app.incidents import ledger
from app.incidents.incident import Incident
from app.notifiers.notifier import Message, Outcome
from app.paging import early_receipts
from app.paging.deliver import (
    BEGUN,
    ENDED,
    REMOVED,
    TRIED,
    Desk,
    came_of,
    end_page,
    follow,
    needed,
    receipt_job,
    sent,
    set_aside,
    start_next_way,
    why_not_needed,
)
from app.paging.escalate import goes_on
from app.paging.facts import facts_of
from app.paging.gathering import gather, lock_people
from app.paging.overtaken import Overtaken, overtaken, way_of
from app.paging.render import BundleFacts, bundle_message
from app.paging.retry import Awaits, Done, Failed, after_send
from app.paging.tables import UNSENT, attempts, bundles, pages
from app.store import jobs
from app.store.database import Reading, Writing


@dataclass(frozen=True, slots=True)
class BundleTry:
    """One try of a bundle that has begun."""

    job: jobs.Job
    number: int
    notifier: str
    address: dict[str, Any]
    message: Message
    attempts: Mapping[int, int]
    """By page."""
    due_at: Micros


async def begin_bundle(tx: Writing, job: jobs.Job, desk: Desk) -> BundleTry | None:
    """Begins a try, or ends a bundle that nobody needs any more, or puts it off (None). Raises LeaseLost."""
    some = await _unsent(tx, job.subject)
    of = await ledger.load(tx, (page.incident_id for page in some), lock=True)
    await jobs.hold(tx, job)
    bundle = (await tx.conn.execute(select(bundles).where(bundles.c.id == job.subject))).one_or_none()
    if bundle is None or bundle.state not in ("waiting", "sending"):
        await jobs.finish(tx, job)
        return None
    await lock_people(tx, [bundle.person_id])
    await _set(tx, bundle.id, state="sending", tries=bundle.tries + 1)
    some = await _unsent(tx, job.subject)
    # What joined after the incidents were locked goes with the next one.
    await gather(tx, [page for page in some if page.incident_id not in of])
    due = [page for page in some if page.incident_id in of]
    tried = await _tries_so_far(tx, due)
    wanted = [page for page in due if needed(page, of[page.incident_id])]
    await _leave_out(tx, [page for page in due if page not in wanted], of)
    wanted = await _not_overtaken(tx, wanted)
    if not wanted:
        await _end(tx, job, bundle.id, "not_needed")
        return None
    facts = await facts_of(tx, wanted, of.values())
    address = facts.address(wanted[0])
    if address is None:
        for page in wanted:
            await end_page(tx, page.id, "failed", "refused", REMOVED)
            await start_next_way(tx, page, of[page.incident_id], job.rank)
        await _end(tx, job, bundle.id, "failed")
        return None
    if shut := desk.doors.ask(bundle.notifier, address, job.id, job.rank, tx.now):
        for page in wanted:
            await set_aside(tx, page, of[page.incident_id], shut, job.rank)
        await _set(tx, bundle.id, tries=bundle.tries)
        await jobs.put_back(tx, job, shut.until)
        return None
    receipt_url = desk.maker.receipt_of("bundle", bundle.id, tx.now)
    due_at = min(page.due_at for page in wanted)
    if len(wanted) == 1:
        incident = of[wanted[0].incident_id]
        ready = replace(desk.message(facts, wanted[0], incident), receipt_url=receipt_url)
    else:
        told = BundleFacts(
            id=bundle.id,
            recipient=bundle.recipient,
            url=desk.maker.list_of(bundle.person_id, bundle.recipient, tx.now),
            receipt_url=receipt_url,
            due_at=due_at,
            allowance=desk.allowance,
        )
        ready = bundle_message(told, [of[page.incident_id] for page in wanted], tx.now)
    begun = await _begun(tx, wanted, tried, ready.late_s)
    return BundleTry(job, bundle.tries + 1, bundle.notifier, address, ready, begun, due_at)


async def _unsent(view: Reading, bundle_id: int) -> Sequence[Any]:
    question = select(pages).where(pages.c.bundle_id == bundle_id, pages.c.state.in_(UNSENT)).order_by(pages.c.id)
    return (await view.conn.execute(question)).all()


async def _set(tx: Writing, bundle_id: int, **values: Any) -> None:
    await tx.conn.execute(update(bundles).where(bundles.c.id == bundle_id).values(**values))


async def _end(tx: Writing, job: jobs.Job, bundle_id: int, state: str) -> None:
    await _set(tx, bundle_id, state=state, done_at=tx.now)
    await jobs.finish(tx, job)


async def _leave_out(tx: Writing, some: Sequence[Any], of: Mapping[int, Incident]) -> None:
    for page in some:
        await end_page(tx, page.id, "not_needed", None, why_not_needed(of[page.incident_id]))


async def _not_overtaken(tx: Writing, some: Sequence[Any]) -> list[Any]:
    """Without what its person has been told meanwhile, and of pages that say the same only the first. What is being told waits."""
    over = await overtaken(tx, some)
    firsts: dict[tuple[Any, ...], Any] = {}
    for page in some:
        if page.id not in over and firsts.setdefault(way_of(page), page) is not page:
            over[page.id] = Overtaken(firsts[way_of(page)].number, arrived=True)
        if page.id in over and over[page.id].arrived:
            await end_page(tx, page.id, "not_needed", None, over[page.id].why)
    await gather(tx, [page for page in some if page.id in over and not over[page.id].arrived])
    return list(firsts.values())


async def _tries_so_far(tx: Writing, some: Sequence[Any]) -> dict[int, int]:
    """How many tries each page had, where any. One that has no outcome died with its process and becomes unknown."""
    of_these = attempts.c.page_id.in_([page.id for page in some])
    await tx.conn.execute(
        update(attempts)
        .where(of_these, attempts.c.outcome.is_(None))
        .values(outcome="unknown", finished_at=tx.now, detail="the process stopped while it was sending")
    )
    counted = select(attempts.c.page_id, func.count()).where(of_these).group_by(attempts.c.page_id)
    return {row[0]: row[1] for row in await tx.conn.execute(counted)}


async def _begun(tx: Writing, some: Sequence[Any], before: Mapping[int, int], late_s: int) -> dict[int, int]:
    """Writes the tries."""
    begun = {page.id: tx.new_id() for page in some}
    rows = [
        {
            "id": attempt_id,
            "page_id": page_id,
            "number": before.get(page_id, 0) + 1,
            "started_at": tx.now,
            "late_s": late_s,
            "person_id": None,
        }
        for page_id, attempt_id in begun.items()
    ]
    await tx.conn.execute(BEGUN, rows)
    return begun


async def record_bundle(tx: Writing, tried: BundleTry, outcome: Outcome) -> None:
    """Writes what came of a try, for each page, and what follows. Raises LeaseLost."""
    question = select(pages).where(pages.c.id.in_(list(tried.attempts))).order_by(pages.c.id)
    some = (await tx.conn.execute(question)).all()
    of = await ledger.load(tx, (page.incident_id for page in some), lock=True)
    await jobs.hold(tx, tried.job)
    # Again: what ended before the incidents were locked has nothing that follows.
    some = (await tx.conn.execute(question)).all()
    outcome = await early_receipts.known(tx, next(iter(tried.attempts.values())), outcome)
    await tx.conn.execute(TRIED, [came_of(attempt, outcome, tx.now) for attempt in tried.attempts.values()])
    following = after_send(outcome, tried.number, tx.now, tx.ids.chance())
    if isinstance(following, Done | Awaits):
        if isinstance(following, Awaits):
            await jobs.add(tx, [receipt_job("bundle", tried.job.subject, following.until)])
        failed = {page.incident_id for page in some if page.state in UNSENT and page.state != "waiting"}
        await goes_on(tx, {incident_id: of[incident_id] for incident_id in failed})
        await tx.conn.execute(ENDED, [sent(page.id, outcome, tx.now) for page in some])
        await _end(tx, tried.job, tried.job.subject, "sent")
        return
    for page in some:
        await follow(tx, page, of[page.incident_id], outcome, following, tried.job.rank)
    if isinstance(following, Failed):
        await _end(tx, tried.job, tried.job.subject, "failed")
    else:
        await jobs.put_back(tx, tried.job, following.at)
