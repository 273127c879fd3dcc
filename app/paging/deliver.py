"""The deeds of delivery: begin a try, send it outside any transaction, record what came of it.

    begin    the incident is read again, the claim is checked: a page nobody needs any more is not sent; its provider's
             door is asked (doors.py); the try is written down before it starts, so that a death in the middle leaves a
             trace (it becomes `unknown`)
    send     the notifier, once
    record   outcome and what follows from it (app/paging/retry.py) in one transaction

Where the process may die, and what then happens: before `begin` commits, the job is claimed again when its lease ends;
between `begin` and `record` too, and the try without an outcome is counted as unknown: the page is sent again under
the same number; after `record` the work is done.
An incident is always locked before jobs of its own, so that two who want both never wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, insert, or_, select, update

from app.clock import SECOND, Micros
from app.incidents import ledger
from app.incidents.incident import Entry, Incident
from app.incidents.states import OPEN_STATES
from app.notifiers.notifier import Accepted, Delivered, Message, Outcome, Refused, TryAgain, Unknown
from app.notifiers.text import clean
from app.paging import bundle_links, early_receipts, links, receipt_links
from app.paging.bundle_links import BundleLink
from app.paging.doors import NOTIFIER_FAILED, Doors, Shut
from app.paging.escalate import deliver_job, goes_on
from app.paging.facts import Facts, facts_of
from app.paging.gathering import gather, too_many
from app.paging.overtaken import overtaken
from app.paging.receipt_links import About, ReceiptLink
from app.paging.retry import MAX_TRIES, Again, Awaits, Blocked, Done, Failed, after_send, outcome_name
from app.paging.storm import Allowance
from app.paging.tables import ASKED, UNSENT, attempts, pages
from app.store import jobs
from app.store.database import Writing

MAX_DETAIL = 500
REMOVED = "this contact method was removed, or its person disabled, since the page was planned"
NOTHING_STARTED = (None, "accepted", "delivered")
"""Outcomes of a page after which its person's next way was not started yet."""
BESIDE: Micros = 30 * SECOND
"""A page that waits longer than this for its provider starts its person's next way."""
OVERTAKING: Micros = 2 * SECOND
"""How long to look away while another page by the same way is being sent."""


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

    def receipt_of(self, about: About, item_id: int, now: Micros) -> str:
        """Where a provider says what became of a page, or of a bundle."""
        return f"{self.base_url}/r/{receipt_links.write(self.secret, ReceiptLink(about, item_id), now)}"

    def list_of(self, person_id: int, recipient: str, now: Micros) -> str:
        """Where a person has the list of what was told to them together."""
        link = BundleLink(person_id, recipient, bundle_links.ends_at(now, self.hours))
        return f"{self.base_url}/b/{bundle_links.write(self.secret, link)}"


@dataclass(frozen=True, slots=True)
class Desk:
    """What sending needs beside the database."""

    maker: LinkMaker
    doors: Doors
    allowance: Allowance

    def message(self, facts: Facts, page: Any, incident: Incident, *, plain: bool = False) -> Message:
        """What a page says, with its links."""
        said = facts.message(page, incident, self.maker.acknowledge(page, incident, facts.now), plain=plain)
        return replace(said, receipt_url=self.maker.receipt_of("page", page.id, facts.now))


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
    person_id: int | None = None
    failed: bool = False
    """The page counts as failed by now, and everything that follows from that was done."""


# Made once: making a statement costs more than running it, and these run for each page.
_PAGE = select(pages).where(pages.c.id == bindparam("page"))
BEGUN = insert(attempts).values(
    {name: bindparam(name) for name in ("id", "page_id", "number", "started_at", "late_s", "person_id")}
)
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


async def begin(tx: Writing, job: jobs.Job, desk: Desk) -> Try | None:
    """Begins a try, or ends a page that nobody needs any more, or puts it off (None). Raises LeaseLost."""
    incident = (await ledger.load(tx, [job.subject], lock=True)).get(job.subject)
    await jobs.hold(tx, job)
    page = (await tx.conn.execute(_PAGE, {"page": job.payload["page"]})).one_or_none()
    # The first claim of a job is the first try of its page.
    tries, plain = await _tries_so_far(tx, job.payload["page"]) if job.fence > 1 else (0, False)
    if page is None or incident is None or page.state not in UNSENT:
        await jobs.finish(tx, job)
        return None
    if not needed(page, incident):
        await end_page(tx, page.id, "not_needed", None, why_not_needed(incident))
        await jobs.finish(tx, job)
        return None
    if page.state == "quarantined" and tries >= MAX_TRIES:
        await end_page(tx, page.id, "failed", "unknown", f"given up: what came of {tries} tries could not be written")
        await jobs.finish(tx, job)
        return None
    if (other := (await overtaken(tx, [page])).get(page.id)) is not None:
        if other.arrived:
            await end_page(tx, page.id, "not_needed", None, other.why)
            await jobs.finish(tx, job)
        else:
            await jobs.put_back(tx, job, tx.now + OVERTAKING)
        return None
    facts = await facts_of(tx, [page], [incident])
    address = facts.address(page)
    if address is None:
        await end_page(tx, page.id, "failed", "refused", REMOVED)
        await jobs.finish(tx, job)
        await start_next_way(tx, page, incident, job.rank)
        return None
    # A try whose process died is made again at once: it has counted already, and nothing was started instead of it.
    died = tries > 0 and page.outcome is None
    if not died and await too_many(tx, [page], {incident.id: incident}, desk.allowance):
        await gather(tx, [page])
        await jobs.finish(tx, job)
        return None
    shut = desk.doors.ask(page.notifier, address, job.id, job.rank, tx.now)
    if shut is not None:
        await set_aside(tx, page, incident, shut, job.rank)
        await jobs.put_back(tx, job, shut.until)
        return None
    ready = desk.message(facts, page, incident, plain=plain)
    tried = Try(
        job=job,
        page_id=page.id,
        attempt_id=tx.new_id(),
        number=tries + 1,
        notifier=page.notifier,
        address=address,
        message=ready,
        due_at=page.due_at,
        person_id=page.person_id,
        failed=page.state != "waiting",
    )
    await tx.conn.execute(BEGUN, begun(tried, tx.now))
    return tried


async def set_aside(tx: Writing, page: Any, incident: Incident, shut: Shut, rank: int) -> None:
    """The page waits for its provider. Its person's next way does not wait for that, when it is long."""
    long = shut.broken or (shut.until - tx.now > BESIDE and page.outcome in NOTHING_STARTED)
    goes_on = long and page.state == "waiting"
    values = {"detail": clean(shut.reason)[:MAX_DETAIL]}
    if goes_on:
        values |= {"outcome": "held", "state": "blocked" if shut.broken else page.state}
    await tx.conn.execute(update(pages).where(pages.c.id == page.id).values(**values))
    if goes_on:
        await say(tx, page, "page_held", shut.reason)
        await start_next_way(tx, page, incident, rank)


async def say(tx: Writing, page: Any, kind: str, reason: str) -> None:
    """Tells the incident's timeline what became of a page."""
    entry = Entry(kind, "tocsin", f"{page.recipient} by {page.notifier}: {clean(reason)[:MAX_DETAIL]}")
    await ledger.record(tx, [(page.incident_id, entry)])


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
        "person_id": tried.person_id,
    }


def why_not_needed(incident: Incident) -> str:
    """Why a page of it is not sent."""
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
    if isinstance(outcome, Accepted) and outcome.awaits_receipt:
        await ledger.load(tx, [tried.job.subject], lock=True)
        outcome = await early_receipts.known(tx, tried.attempt_id, outcome)
    following = after_send(outcome, tried.number, tx.now, tx.ids.chance())
    if isinstance(following, Done | Awaits):
        if tried.failed:
            await goes_on(tx, await ledger.load(tx, [tried.job.subject], lock=True))
        # Most pages: nothing is read again, and nobody waits for the incident.
        await jobs.finish(tx, tried.job)
        if isinstance(following, Awaits):
            await jobs.add(tx, [receipt_job("page", tried.page_id, following.until)])
        await tx.conn.execute(TRIED, came_of(tried.attempt_id, outcome, tx.now))
        await tx.conn.execute(ENDED, sent(tried.page_id, outcome, tx.now))
        return
    incident = (await ledger.load(tx, [tried.job.subject], lock=True))[tried.job.subject]
    await jobs.hold(tx, tried.job)
    await tx.conn.execute(TRIED, came_of(tried.attempt_id, outcome, tx.now))
    page = (await tx.conn.execute(_PAGE, {"page": tried.page_id})).one()
    await follow(tx, page, incident, outcome, following, tried.job.rank)
    if isinstance(following, Failed) or page.state not in UNSENT:
        await jobs.finish(tx, tried.job)
    else:
        await jobs.put_back(tx, tried.job, following.at)


async def follow(
    tx: Writing, page: Any, incident: Incident, outcome: Outcome, following: Failed | Again | Blocked, rank: int
) -> None:
    """What a try that was not well means for its page, and what starts because of it: nothing where it ended meanwhile."""
    if page.state not in UNSENT:
        return
    name = outcome_name(outcome)
    match following:
        case Failed(reason):
            await end_page(tx, page.id, "failed", name, clean(reason))
            await say(tx, page, "page_failed", reason)
            if page.state == "waiting":
                await start_next_way(tx, page, incident, rank)
        case Blocked(_, reason):
            said = {"state": "blocked", "outcome": name, "detail": clean(reason)[:MAX_DETAIL]}
            await tx.conn.execute(update(pages).where(pages.c.id == page.id).values(**said))
            if page.state == "waiting":
                await say(tx, page, "page_failed", f"{reason}; it is tried on")
                await start_next_way(tx, page, incident, rank)
        case Again(_, _, beside):
            said = {"outcome": name, "detail": _detail(outcome)}
            await tx.conn.execute(update(pages).where(pages.c.id == page.id).values(**said))
            if beside:
                await start_next_way(tx, page, incident, rank)


def receipt_job(about: About, item_id: int, until: Micros) -> jobs.NewJob:
    """The job that looks whether a receipt has come."""
    return jobs.NewJob("receipt", item_id, until, {"about": about}, once=f"receipt:{item_id}")


def came_of(attempt_id: int, outcome: Outcome, now: Micros) -> dict[str, Any]:
    """What is written of a try that ended."""
    return {
        "attempt": attempt_id,
        "finished_at": now,
        "outcome": outcome_name(outcome),
        "detail": _detail(outcome),
        "receipt": _receipt(outcome),
    }


def sent(page_id: int, outcome: Outcome, now: Micros) -> dict[str, Any]:
    """What is written of its page when nothing follows."""
    name, detail = outcome_name(outcome), _detail(outcome)
    return {"page": page_id, "state": "sent", "outcome": name, "detail": detail, "done_at": now}


async def end_page(tx: Writing, page_id: int, state: str, outcome: str | None, detail: str) -> None:
    """Writes how a page ended."""
    row = {"page": page_id, "state": state, "outcome": outcome, "detail": detail[:MAX_DETAIL], "done_at": tx.now}
    await tx.conn.execute(ENDED, row)


async def start_next_way(tx: Writing, page: Any, incident: Incident, rank: int) -> None:
    """The person's next way starts now, with the rank of the one before; one that was due later does not wait for that.

    `page` is the row as it was before: one with an outcome has started the next way already. When nothing of the level is
    left, the next level starts.
    """
    if not needed(page, incident):
        return
    of_level = (
        pages.c.incident_id == page.incident_id,
        pages.c.epoch == page.epoch,
        pages.c.round == page.round,
        pages.c.level == page.level,
    )
    following = await _following(tx, page, of_level) if page.outcome in NOTHING_STARTED else None
    if following is not None:
        await tx.conn.execute(update(pages).where(pages.c.id == following).values(due_at=tx.now))
        await jobs.add(tx, [deliver_job(incident.id, following, tx.now, rank)])
        return
    left = select(func.count()).where(*of_level, pages.c.state.in_(("waiting", "sent")))
    if page.level != ASKED and not (await tx.conn.execute(left)).scalar_one():
        await jobs.pull(tx, incident.id, ["escalate"], tx.now)


async def _following(tx: Writing, page: Any, of_level: tuple[ColumnElement[bool], ...]) -> int | None:
    """The person's next page, if it is not on its way."""
    question = (
        select(pages.c.id)
        .where(
            *of_level,
            pages.c.person_id == page.person_id,
            pages.c.number > page.number,
            pages.c.state == "waiting",
            or_(pages.c.due_at == 0, pages.c.due_at > tx.now),
        )
        .order_by(pages.c.number)
        .limit(1)
    )
    return (await tx.conn.execute(question)).scalar()


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
