"""The deeds of sending a notice: begin a try, send it outside any transaction, record what came of it.

As for a page (deliver.py): the try is written down before it starts, so a death in the middle is seen and the notice is
sent again under the same id. When a way has failed the job is due again at once and begins with the next one; when none
is left, or the notice would come too late to be of use, it ends with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import select, update

from app.clock import SECOND, Micros, spoken
from app.notifiers.notifier import Message, Outcome
from app.paging.doors import Doors, Shut
from app.paging.policy import Channel
from app.paging.retry import Again, Awaits, Blocked, Done, Failed, after_send
from app.paging.tables import notices
from app.paging.ways import (
    MAX_DETAIL,
    Ways,
    after_try,
    as_now,
    how_it_went,
    methods_of,
    next_way,
    passed_over,
    read_ways,
)
from app.people.person import ContactMethod, Person
from app.store import jobs, resources
from app.store.database import Reading, Writing

NOT_KEPT = "(the code is not kept)"
"""What is left of the text of a code once it is on its way: who may read the database may not confirm for others."""

EndState = Literal["sent", "failed", "expired"]

_TESTS = ("drill", "code", "test")
"""Kinds that say of themselves that nothing is broken."""


@dataclass(frozen=True, slots=True)
class NoticeTry:
    """One try that has begun."""

    job: jobs.Job
    kind: str
    notifier: str
    address: dict[str, Any]
    message: Message
    used: Ways
    expires_at: Micros


@dataclass(frozen=True, slots=True)
class NoticeEnd:
    """A notice that has come to its end."""

    kind: str
    state: EndState
    detail: str


async def begin(tx: Writing, job: jobs.Job, doors: Doors) -> NoticeTry | NoticeEnd | None:
    """Begins a try, or ends a notice that can't be sent; None when it has ended before, or waits for its provider.

    Raises LeaseLost.
    """
    await jobs.hold(tx, job)
    notice = (await tx.conn.execute(select(notices).where(notices.c.id == job.subject))).one_or_none()
    if notice is None or notice.state != "waiting":
        await jobs.finish(tx, job)
        return None
    methods, reason = await _methods(tx, notice)
    known = as_now(read_ways(notice.used), methods)
    if tx.now >= notice.expires_at:
        late = f"it was of use until {spoken(notice.expires_at)} only"
        return await _end(tx, job, notice, "expired", f"{late}; {how_it_went(known)}" if known else late, known)
    used, method, shut = _open_way(known, methods, job, doors, tx.now)
    if method is None:
        return await _end(tx, job, notice, "failed", how_it_went(used) or reason, used)
    if shut is not None:
        await tx.conn.execute(update(notices).where(notices.c.id == notice.id).values(detail=shut.reason[:MAX_DETAIL]))
        await jobs.put_back(tx, job, min(shut.until, notice.expires_at))
        return None
    await _keep(tx, notice.id, used, tries=notice.tries + 1)
    return NoticeTry(job, notice.kind, method.kind, method.address, _message(notice, tx.now), used, notice.expires_at)


def _open_way(
    known: Ways, methods: Sequence[ContactMethod], job: jobs.Job, doors: Doors, now: Micros
) -> tuple[Ways, ContactMethod | None, Shut | None]:
    """The next way, past those whose provider does not work; when none of the others works either, the first is waited for."""
    first, passed = None, known
    while True:
        used, method = next_way(passed, methods)
        if method is None:
            return first or (used, None, None)
        shut = doors.ask(method.kind, method.address, job.id, job.rank, now)
        if shut is None or not shut.broken:
            return used, method, shut
        first = first or (used, method, shut)
        passed = passed_over(passed, used, shut.reason)


async def _methods(view: Reading, notice: Any) -> tuple[tuple[ContactMethod, ...], str]:
    """By what it may be sent, as configured now; and why by nothing, in case there is nothing."""
    if notice.channel_id is not None:
        channel = (await resources.load(view, "channel", [notice.channel_id])).get(notice.channel_id)
        if channel is None:
            return (), "this channel was deleted"
        known = channel.as_a(Channel)
        method = ContactMethod(id=str(channel.id), kind=known.kind, label=channel.name, address=known.address)
        return (method,), ""
    person = (await resources.load(view, "person", [notice.person_id])).get(notice.person_id)
    if person is None:
        return (), "this person was deleted"
    somebody = person.as_a(Person)
    methods = methods_of(somebody, notice.urgency, notice.method_id)
    if somebody.disabled:
        return methods, "this person is disabled"
    return methods, "this contact method was removed" if notice.method_id else "this person has no contact method"


def _message(notice: Any, now: Micros) -> Message:
    return Message(
        id=f"tocsin-notice-{notice.id}",
        kind="test" if notice.kind in _TESTS else "update",
        title=notice.title,
        text=notice.text,
        url=notice.url,
        urgency=notice.urgency,
        to=notice.recipient,
        late_s=max(0, now - notice.due_at) // SECOND,
    )


async def record(tx: Writing, tried: NoticeTry, outcome: Outcome) -> NoticeEnd | None:
    """Writes what came of a try and what follows. Raises LeaseLost when another worker took the notice over meanwhile."""
    await jobs.hold(tx, tried.job)
    notice = (await tx.conn.execute(select(notices).where(notices.c.id == tried.job.subject))).one()
    follows = after_send(outcome, tried.used[-1].tries, tx.now, tx.ids.chance())
    used = after_try(tried.used, outcome, follows)
    if isinstance(follows, Done | Awaits):
        return await _end(tx, tried.job, notice, "sent", "", used)
    await _keep(tx, notice.id, used, tries=notice.tries)
    match follows:
        case Failed() | Blocked():
            await jobs.put_back(tx, tried.job, tx.now)
        case Again(at, _, _):
            await jobs.put_back(tx, tried.job, min(at, tried.expires_at))
    return None


async def _keep(tx: Writing, notice_id: int, used: Ways, **values: Any) -> None:
    last = used[-1] if used else None
    said = {"outcome": last.outcome, "detail": last.detail} if last else {}
    await tx.conn.execute(
        update(notices)
        .where(notices.c.id == notice_id)
        .values({**said, "used": [asdict(way) for way in used], **values})
    )


async def _end(tx: Writing, job: jobs.Job, notice: Any, state: EndState, detail: str, used: Ways) -> NoticeEnd:
    text = NOT_KEPT if notice.kind == "code" else notice.text
    await _keep(tx, notice.id, used, state=state, detail=detail[:MAX_DETAIL], text=text, done_at=tx.now)
    await jobs.finish(tx, job)
    return NoticeEnd(notice.kind, state, detail)
