"""The deeds of delivery: begin a try, send it outside any transaction, record what came of it.

    begin    the incident is read again, the claim is checked: a page nobody needs any more is not sent; the try is
             written down before it starts, so that a death in the middle leaves a trace (it becomes `unknown`)
    send     the notifier, once
    record   outcome and what follows from it (app/paging/retry.py) in one transaction

Where the process may die, and what then happens: before `begin` commits, the job is claimed again when its lease ends;
between `begin` and `record` too, and the try without an outcome is counted as unknown: the page is sent again under
the same number; after `record` the work is done.
An incident is always locked before jobs of its own, so that two who want both never wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from app.clock import SECOND, Micros
from app.incidents import ledger
from app.incidents.incident import Entry, Incident
from app.incidents.states import OPEN_STATES
from app.notifiers.notifier import Accepted, Delivered, Message, Outcome, Refused, TryAgain, Unknown
from app.notifiers.text import clean
from app.paging import links
from app.paging.escalate import deliver_job
from app.paging.facts import facts_of
from app.paging.retry import MAX_TRIES, Again, Done, Failed, after_send, outcome_name
from app.paging.tables import ASKED, attempts, pages
from app.store import jobs
from app.store.database import Writing

MAX_DETAIL = 500
NOTIFIER_FAILED = "the notifier failed"
"""How the detail of a try begins whose notifier raised: the next one goes out in plain words."""


@dataclass(frozen=True, slots=True)
class LinkMaker:
    """What is needed to make links: the secret, where they lead and how long they live."""

    secret: str
    base_url: str
    hours: int

    def acknowledge(self, page: Any, incident: Incident, now: Micros) -> str:
        """Where the person of a page acknowledges the incident."""
        token = links.make(
            self.secret,
            incident_id=incident.id,
            number=incident.number,
            recipient=page.recipient,
            person_id=page.person_id,
            action="acknowledge",
            now=now,
            hours=self.hours,
        )
        return f"{self.base_url}/a/{token}"


@dataclass(frozen=True, slots=True)
class Try:
    """One try that has begun: what to send, where, and the rows that wait for its outcome."""

    job: jobs.Job
    page_id: int
    attempt_id: int
    number: int
    notifier: str
    address: dict[str, Any]
    message: Message
    due_at: Micros


# Made once: making a statement costs more than running it, and these run for each page.
_PAGE = select(pages).where(pages.c.id == bindparam("page"))
BEGUN = insert(attempts).values({name: bindparam(name) for name in ("id", "page_id", "number", "started_at", "late_s")})
TRIED = (
    update(attempts)
    .where(attempts.c.id == bindparam("attempt"))
    .values({name: bindparam(name) for name in ("finished_at", "outcome", "detail", "receipt")})
)
ENDED = (
    update(pages)
    .where(pages.c.id == bindparam("page"))
    .values({name: bindparam(name) for name in ("state", "outcome", "detail", "done_at")})
)


async def begin(tx: Writing, job: jobs.Job, maker: LinkMaker) -> Try | None:
    """Begins a try, or ends a page that nobody needs any more (None). Raises LeaseLost."""
    incident = (await ledger.load(tx, [job.subject], lock=True)).get(job.subject)
    await jobs.hold(tx, job)
    page = (await tx.conn.execute(_PAGE, {"page": job.payload["page"]})).one_or_none()
    if page is None or incident is None or page.state not in ("waiting", "quarantined"):
        await jobs.finish(tx, job)
        return None
    # The first claim of a job is the first try of its page.
    tries, plain = await _tries_so_far(tx, page.id) if job.fence > 1 else (0, False)
    if not needed(page, incident):
        await _end_page(tx, page.id, "not_needed", None, _not_needed(incident))
        await jobs.finish(tx, job)
        return None
    if page.state == "quarantined" and tries >= MAX_TRIES:
        await _end_page(tx, page.id, "failed", "unknown", f"given up: what came of {tries} tries could not be written")
        await jobs.finish(tx, job)
        return None
    facts = await facts_of(tx, [page], [incident])
    address = facts.address(page)
    if address is None:
        await _end_page(tx, page.id, "failed", "refused", "this contact method was removed since the page was planned")
        await jobs.finish(tx, job)
        await start_next_way(tx, page, incident, job.rank)
        return None
    ready = facts.message(page, incident, maker.acknowledge(page, incident, tx.now), plain=plain)
    tried = Try(job, page.id, tx.new_id(), tries + 1, page.notifier, address, ready, page.due_at)
    await tx.conn.execute(BEGUN, begun(tried, tx.now))
    return tried


def needed(page: Any, incident: Incident) -> bool:
    """Whether a waiting page is still to be sent. Who was asked to join is told as long as the incident is open."""
    if page.level == ASKED:
        return incident.state in OPEN_STATES
    return incident.state == "triggered" and incident.epoch == page.epoch


def begun(tried: Try, now: Micros) -> dict[str, Any]:
    """The row of a try that begins."""
    return {
        "id": tried.attempt_id,
        "page_id": tried.page_id,
        "number": tried.number,
        "started_at": now,
        "late_s": tried.message.late_s,
    }


def _not_needed(incident: Incident) -> str:
    if incident.state == "acknowledged":
        return f"{incident.acknowledged_by} had it before this page was due"
    if incident.state == "triggered":
        return "paging began anew before this page was due"
    return f"the incident was {incident.state} before this page was due"


async def _tries_so_far(tx: Writing, page_id: int) -> tuple[int, bool]:
    """How many tries there were, and whether the notifier failed at one.

    A try that has no outcome died with its process and becomes unknown.
    """
    await tx.conn.execute(
        update(attempts)
        .where(attempts.c.page_id == page_id, attempts.c.outcome.is_(None))
        .values(outcome="unknown", finished_at=tx.now, detail="the process stopped while it was sending")
    )
    details = (await tx.conn.execute(select(attempts.c.detail).where(attempts.c.page_id == page_id))).scalars().all()
    return len(details), any(detail.startswith(NOTIFIER_FAILED) for detail in details)


async def record(tx: Writing, tried: Try, outcome: Outcome) -> None:
    """Writes what came of a try and what follows. Raises LeaseLost when another worker took the page over meanwhile."""
    name, detail = outcome_name(outcome), _detail(outcome)
    following = after_send(outcome, tried.number, tx.now, tx.ids.chance())
    if isinstance(following, Done):
        # Most pages: nothing is read again, and nobody waits for the incident.
        await jobs.finish(tx, tried.job)
        await tx.conn.execute(TRIED, came_of(tried, outcome, tx.now))
        await tx.conn.execute(ENDED, sent(tried, outcome, tx.now))
        return
    incident = (await ledger.load(tx, [tried.job.subject], lock=True))[tried.job.subject]
    await jobs.hold(tx, tried.job)
    await tx.conn.execute(TRIED, came_of(tried, outcome, tx.now))
    page = (await tx.conn.execute(_PAGE, {"page": tried.page_id})).one()
    match following:
        case Failed(reason):
            await _end_page(tx, page.id, "failed", name, clean(reason))
            await jobs.finish(tx, tried.job)
            entry = Entry("page_failed", "tocsin", f"{page.recipient} by {page.notifier}: {clean(reason)[:MAX_DETAIL]}")
            await ledger.record(tx, [(incident.id, entry)])
            await start_next_way(tx, page, incident, tried.job.rank)
        case Again(at, _, beside):
            await tx.conn.execute(update(pages).where(pages.c.id == page.id).values(outcome=name, detail=detail))
            await jobs.put_back(tx, tried.job, at)
            if beside:
                await start_next_way(tx, page, incident, tried.job.rank)


def came_of(tried: Try, outcome: Outcome, now: Micros) -> dict[str, Any]:
    """What is written of a try that ended."""
    return {
        "attempt": tried.attempt_id,
        "finished_at": now,
        "outcome": outcome_name(outcome),
        "detail": _detail(outcome),
        "receipt": _receipt(outcome),
    }


def sent(tried: Try, outcome: Outcome, now: Micros) -> dict[str, Any]:
    """What is written of its page when nothing follows."""
    name, detail = outcome_name(outcome), _detail(outcome)
    return {"page": tried.page_id, "state": "sent", "outcome": name, "detail": detail, "done_at": now}


async def _end_page(tx: Writing, page_id: int, state: str, outcome: str | None, detail: str) -> None:
    row = {"page": page_id, "state": state, "outcome": outcome, "detail": detail[:MAX_DETAIL], "done_at": tx.now}
    await tx.conn.execute(ENDED, row)


async def start_next_way(tx: Writing, page: Any, incident: Incident, rank: int) -> None:
    """The person's next way starts now, with the rank of the one before.

    When nothing of the level is left, so does the next level.
    """
    if not needed(page, incident):
        return
    of_level = (
        pages.c.incident_id == page.incident_id,
        pages.c.epoch == page.epoch,
        pages.c.round == page.round,
        pages.c.level == page.level,
    )
    following = (
        await tx.conn.execute(
            select(pages.c.id)
            .where(
                *of_level,
                pages.c.person_id == page.person_id,
                pages.c.number > page.number,
                pages.c.fallback.is_(True),
                pages.c.state == "waiting",
                pages.c.due_at == 0,
            )
            .order_by(pages.c.number)
            .limit(1)
        )
    ).scalar()
    if following is not None:
        await tx.conn.execute(update(pages).where(pages.c.id == following).values(due_at=tx.now))
        await jobs.add(tx, [deliver_job(incident.id, following, tx.now, rank)])
        return
    left = select(func.count()).where(*of_level, pages.c.state.in_(("waiting", "sent")))
    if page.level != ASKED and not (await tx.conn.execute(left)).scalar_one():
        await jobs.pull(tx, incident.id, ["escalate"], tx.now)


def _detail(outcome: Outcome) -> str:
    match outcome:
        case Refused(reason) | TryAgain(reason) | Unknown(reason):
            return clean(reason)[:MAX_DETAIL]
        case Delivered() | Accepted():
            return ""


def _receipt(outcome: Outcome) -> str:
    match outcome:
        case Delivered(receipt) | Accepted(receipt):
            return clean(receipt)[:MAX_DETAIL]
        case Refused() | TryAgain() | Unknown():
            return ""


def lateness_s(tried: Try, now: Micros) -> float:
    """How long after its time a try began, in seconds."""
    return max(0, now - tried.due_at) / SECOND
