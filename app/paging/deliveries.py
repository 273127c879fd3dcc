"""The deeds of delivery for many pages at once: the plain ones, in a handful of statements. See app/paging/deliver.py.

Whatever is not plain (a try before it, a claim that was lost, a page nobody needs, a send that failed) is left as it was
and answered `Alone`: the deed for one page does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select

from app.incidents import ledger
from app.incidents.incident import Incident
from app.notifiers.notifier import Outcome
from app.paging.deliver import BEGUN, ENDED, TRIED, Desk, Try, begun, came_of, needed, sent, set_aside
from app.paging.facts import facts_of
from app.paging.gathering import gather, too_many
from app.paging.overtaken import overtaken, way_of
from app.paging.retry import Done, after_send
from app.paging.tables import pages
from app.paging.together import Alone
from app.store import jobs
from app.store.database import Writing
from app.store.jobs import Job

_PAGES = select(pages).where(pages.c.id.in_(bindparam("ids", expanding=True)), pages.c.state == "waiting")


async def begin_all(tx: Writing, claimed: Sequence[Job], desk: Desk) -> list[Try | Alone | None]:
    """Begins the first try of each page that is still to be sent."""
    incidents = await ledger.load(tx, (job.subject for job in claimed), lock=True)
    held = await jobs.still_held(tx, [job for job in claimed if job.fence == 1])
    wanted = [held[job.id].payload["page"] for job in claimed if job.id in held]
    found = {page.id: page for page in await tx.conn.execute(_PAGES, {"ids": wanted})}
    over = await overtaken(tx, found.values())
    firsts: dict[tuple[Any, ...], tuple[int, Any]] = {}
    for job in held.values():
        page = found.get(job.payload["page"])
        if page is not None and page.id not in over and needed(page, incidents[page.incident_id]):
            firsts.setdefault(way_of(page), (job.id, page))
    plain = dict(firsts.values())
    facts = await facts_of(tx, list(plain.values()), incidents.values())
    gathered = await _gather(
        tx, {job_id: page for job_id, page in plain.items() if facts.address(page)}, held, incidents, desk
    )
    answers: list[Try | Alone | None] = []
    for job in claimed:
        page = plain.get(job.id)
        if job.id in gathered:
            answers.append(None)
            continue
        address = facts.address(page) if page is not None else None
        if page is None or address is None:
            answers.append(Alone())
            continue
        incident = incidents[page.incident_id]
        if shut := desk.doors.ask(page.notifier, address, job.id, job.rank, tx.now):
            await set_aside(tx, page, incident, shut, job.rank)
            await jobs.put_back(tx, job, shut.until)
            answers.append(None)
            continue
        ready = desk.message(facts, page, incident)
        answers.append(Try(job, page.id, tx.new_id(), 1, page.notifier, address, ready, page.due_at, page.person_id))
    if begins := [begun(tried, tx.now) for tried in answers if isinstance(tried, Try)]:
        await tx.conn.execute(BEGUN, begins)
    return answers


async def _gather(
    tx: Writing, plain: Mapping[int, Any], held: Mapping[int, Job], of: Mapping[int, Incident], desk: Desk
) -> set[int]:
    """Puts what is too much for its person into bundles; answers the jobs that are finished by that."""
    ordered = sorted(plain, key=lambda job_id: (held[job_id].rank, held[job_id].due_at, job_id))
    found = await too_many(tx, [plain[job_id] for job_id in ordered], of, desk.allowance)
    if not found:
        return set()
    ids = {page.id for page in found}
    gathered = [held[job_id] for job_id in ordered if plain[job_id].id in ids]
    await gather(tx, found)
    await jobs.finish_held(tx, gathered)
    return {job.id for job in gathered}


async def record_all(tx: Writing, tried: Sequence[tuple[Try, Outcome]]) -> list[Alone | None]:
    """Writes what came of tries after which nothing follows, and finishes their jobs."""
    done = [
        one for one in tried if not one[0].failed and isinstance(after_send(one[1], one[0].number, tx.now, 0), Done)
    ]
    held = await jobs.still_held(tx, [one.job for one, _ in done])
    plain = [(one, outcome) for one, outcome in done if one.job.id in held]
    if plain:
        await jobs.finish_held(tx, [one.job for one, _ in plain])
        await tx.conn.execute(TRIED, [came_of(one.attempt_id, outcome, tx.now) for one, outcome in plain])
        await tx.conn.execute(ENDED, [sent(one.page_id, outcome, tx.now) for one, outcome in plain])
    ended = {one.job.id for one, _ in plain}
    return [None if one.job.id in ended else Alone() for one, _ in tried]
