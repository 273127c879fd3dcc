"""Drills: a test page to whoever comes on call, which asks for an answer; a failed one is told to the team. Deeds.

    waiting ── answer ──────────────> answered   the contact method that it went by is verified
       └────── nobody in ANSWER_IN ─> failed     leads and channel of the team are told, with the reason
                                        └── answer ──> answered late; it stays failed

Must never know when a drill is due (announce.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import insert, select, update

from app.clock import MINUTE, Micros
from app.paging.notices import Notice, tell
from app.paging.tables import notices
from app.paging.ways import read_ways, surely_by
from app.people import contacts
from app.people.person import Person
from app.people.team import Team
from app.rota import tickets
from app.rota.tables import drills
from app.rota.tickets import Door
from app.store import jobs, resources
from app.store.database import Reading, Writing
from app.store.jobs import Job, NewJob
from app.store.resources import Refused

ANSWER_IN: Micros = 10 * MINUTE
TICKET_HOURS = 12
"""For how long a drill can be answered, late too: that somebody reads there is worth knowing."""
MAX_DETAIL = 500

Answered = Literal["answered", "late", "already"]


@dataclass(frozen=True, slots=True)
class Drilled:
    """Who is tried out, and as what."""

    schedule_id: int
    schedule: str
    person_id: int
    role: str
    shift_starts_at: Micros


async def begin(tx: Writing, door: Door, who: Drilled) -> int:
    """Sends a test page, and will look whether it was answered; answers the drill's id."""
    drill_id = tx.new_id()
    token = tickets.make(
        door.secret, purpose="drill", subject=drill_id, person_id=who.person_id, now=tx.now, hours=TICKET_HOURS
    )
    notice = Notice(
        "drill",
        f"Drill: you are on call in {who.schedule}",
        f"Open the link and press \N{LEFT DOUBLE QUOTATION MARK}I am here\N{RIGHT DOUBLE QUOTATION MARK} "
        f"within {ANSWER_IN // MINUTE} min. Without an answer your team is told that you could not be reached.",
        person_id=who.person_id,
        url=door.address(token),
        urgency="high",
        useful=ANSWER_IN,
    )
    (notice_id,) = await tell(tx, [notice])
    await tx.conn.execute(
        insert(drills).values(
            id=drill_id,
            schedule_id=who.schedule_id,
            person_id=who.person_id,
            role=who.role,
            shift_starts_at=who.shift_starts_at,
            notice_id=notice_id,
            created_at=tx.now,
            answer_by=tx.now + ANSWER_IN,
        )
    )
    await jobs.add(tx, [NewJob("drill", drill_id, tx.now + ANSWER_IN, once=f"drill:{drill_id}")])
    return drill_id


async def answer(tx: Writing, drill_id: int, person_id: int) -> Answered:
    """Somebody is there. Raises Refused(`no_such_drill`)."""
    drill = await _held(tx, drill_id)
    if drill is None or drill.person_id != person_id:
        raise Refused("no_such_drill", "there is no such drill")
    if drill.answered_at is not None:
        return "already"
    await tx.conn.execute(update(drills).where(drills.c.id == drill_id).values(answered_at=tx.now))
    await _verify(tx, drill)
    return "answered" if drill.failed_at is None and tx.now < drill.answer_by else "late"


async def _held(tx: Writing, drill_id: int) -> Any:
    return (await tx.conn.execute(select(drills).where(drills.c.id == drill_id).with_for_update())).one_or_none()


async def _verify(tx: Writing, drill: Any) -> None:
    """Who answers reads what is sent by the contact method that the drill went by, if its address is still that one."""
    notice = await _notice(tx, drill.notice_id)
    way = surely_by(read_ways(notice.used)) if notice is not None else None
    person = (await resources.load(tx, "person", [drill.person_id])).get(drill.person_id)
    if way is None or person is None:
        return
    for method in person.as_a(Person).contact_methods:
        if method.id == way.method and contacts.address_digest(method).hex() == way.address:
            await contacts.verify(tx, drill.person_id, method, "drill")


async def _notice(view: Reading, notice_id: int | None) -> Any:
    return (await view.conn.execute(select(notices).where(notices.c.id == notice_id))).one_or_none()


async def check(tx: Writing, job: Job) -> Literal["answered", "failed"] | None:
    """When the time to answer is over: what came of it; None when it was looked at before. Raises LeaseLost."""
    await jobs.hold(tx, job)
    drill = await _held(tx, job.subject)
    await jobs.finish(tx, job)
    if drill is None or drill.failed_at is not None:
        return None
    if drill.answered_at is not None:
        return "answered"
    reason = _why(await _notice(tx, drill.notice_id))
    await tx.conn.execute(
        update(drills).where(drills.c.id == drill.id).values(failed_at=tx.now, detail=reason[:MAX_DETAIL])
    )
    await _report(tx, drill, reason)
    return "failed"


def _why(notice: Any) -> str:
    """Why a drill failed, as it follows a colon."""
    used = read_ways(notice.used) if notice is not None else ()
    if notice is None or not used:
        return f"it was not sent ({notice.detail or 'nothing was tried in time'})" if notice else "it was not sent"
    if notice.state != "sent":
        return f"it could not be sent ({notice.detail})"
    last = used[-1]
    arrived = "delivered" if last.outcome == "delivered" else "accepted by the provider"
    return f"no answer within {ANSWER_IN // MINUTE} min (sent by {last.name}, {arrived})"


async def _report(tx: Writing, drill: Any, reason: str) -> None:
    """Tells the leads of the schedule's team, and its channel."""
    schedule = (await resources.load(tx, "schedule", [drill.schedule_id], deleted=True))[drill.schedule_id]
    person = (await resources.load(tx, "person", [drill.person_id], deleted=True))[drill.person_id]
    title = f"The drill of {person.name} failed: {reason}"
    text = (
        f"{person.name} is on call in {schedule.name} ({drill.role}) and did not answer a test page. A page may not reach "
        "them: ask them, look at their contact methods, or let somebody else take over."
    )
    team = await team_of(tx, schedule.document)
    once = f"drill-failed:{drill.id}"
    told = [
        Notice("drill_failed", title, text, person_id=other, once=f"{once}:{other}")
        for other in dict.fromkeys(_who_hears(team, drill.person_id))
    ]
    if team and team.channel_id:
        channel = int(team.channel_id)
        told.append(Notice("drill_failed", title, text, channel_id=channel, once=f"{once}:{channel}"))
    await tell(tx, told)


def _who_hears(team: Team | None, failed: int) -> list[int]:
    """The leads, without the one who failed; where that is nobody and there is no channel, the other members."""
    if team is None:
        return []
    others = [member for member in team.members if int(member.person_id) != failed]
    leads = [member for member in others if member.role == "lead"]
    return [int(member.person_id) for member in (leads if leads or team.channel_id else others)]


async def team_of(view: Reading, schedule: dict[str, Any]) -> Team | None:
    """The team that a schedule's document names, if it names one that is there."""
    team_id = int(schedule.get("team_id") or 0)
    found = (await resources.load(view, "team", [team_id])).get(team_id) if team_id else None
    return found.as_a(Team) if found else None


async def last_drills(view: Reading, schedule_id: int, people: Sequence[int]) -> dict[int, Micros]:
    """When each of these people was last tried out for this schedule."""
    question = (
        select(drills.c.person_id, drills.c.created_at)
        .where(drills.c.schedule_id == schedule_id, drills.c.person_id.in_(sorted(people)))
        .order_by(drills.c.id)
    )
    return {row.person_id: row.created_at for row in await view.conn.execute(question)} if people else {}
