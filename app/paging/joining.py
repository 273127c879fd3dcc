"""Asking others to join: they are paged by their own rules, say yes or no, and the escalation goes on as it would. Deeds.

Pages of somebody who was asked are written beside the levels (ASKED): an acknowledgement does not end them, because it is
often whoever has acknowledged who needs help. Their answer does, and the end of the incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from app.clock import MINUTE, Micros
from app.incidents import ledger
from app.incidents.incident import Entry, Incident
from app.incidents.respond import NoSuchIncident
from app.incidents.states import OPEN_STATES
from app.incidents.tables import responders
from app.paging.course import MOST_GIVEN, NOTHING, rules_of
from app.paging.escalate import write_pages
from app.paging.joint import end_pages
from app.paging.plan import LevelPlan, plan_level
from app.paging.policy import Target
from app.paging.recipients import find
from app.paging.tables import ASKED
from app.store.database import Reading, Writing
from app.store.resources import Refused

MAX_MESSAGE = 500
PRESSED_TWICE: Micros = MINUTE
_C = responders.c


async def ask(tx: Writing, number: int, actor: str, people: Sequence[int], message: str = "") -> Incident:
    """Asks these people to join. Raises NoSuchIncident, Refused (`asked_already`, `reaches_nobody`, `already_...`)."""
    incident = await open_incident(tx, number, "be joined")
    asked = await _asked(tx, incident, people)
    if open_ := [row.name for row in asked if row.state in ("waiting", "accepted")]:
        raise Refused("asked_already", f"{', '.join(open_)} was asked to join #{number} already")
    words = f": {message.strip()[:MAX_MESSAGE]}" if message.strip() else ""
    plan = await reachable(tx, people, f"{actor} asks you to join{words}")
    await write_pages(tx, incident, plan.pages, NOTHING, lease=0, level=ASKED)
    rows = [
        {
            "id": tx.new_id(),
            "incident_id": incident.id,
            "person_id": person_id,
            "name": name,
            "kind": "asked",
            "epoch": incident.epoch,
            "state": "waiting",
            "asked_at": tx.now,
            "asked_by": actor,
            "message": message.strip()[:MAX_MESSAGE],
        }
        for person_id, name in plan.people.items()
    ]
    await tx.conn.execute(insert(responders), rows)
    await ledger.save(tx, [incident])
    missed = "".join(f"; {one.reason}" for one in plan.missed)
    said = f"asked {', '.join(plan.people.values())} to join{words}{missed}"
    await ledger.record(tx, [(incident.id, Entry("responders_asked", actor, said))])
    return incident


async def ask_next(tx: Writing, number: int, actor: str, person_id: int) -> bool:
    """Asks the people of the next level that has others than this person and those who were asked; after the last the first.

    Answers whether somebody was asked just now: a button pressed twice asks once.
    Raises NoSuchIncident, Refused (`nobody_else`).
    """
    incident = await open_incident(tx, number, "be joined")
    question = select(_C.person_id, _C.asked_by, _C.asked_at).where(_C.incident_id == incident.id, _C.kind == "asked")
    rows = (await tx.conn.execute(question)).all()
    if any(row.asked_by == actor and row.asked_at > tx.now - PRESSED_TWICE for row in rows):
        return False
    known = {person_id, *(row.person_id for row in rows)}
    policy = (await rules_of(tx, incident)).policy
    levels = policy.levels if policy else ()
    for level in (*levels[incident.level :], *levels[: incident.level]):
        plan = plan_level(await find(tx, level.targets), "high", known)
        if plan.people:
            await ask(tx, number, actor, list(plan.people))
            return True
    raise Refused("nobody_else", f"nobody else of the policy of #{number} can be asked")


async def open_incident(tx: Writing, number: int, what: str) -> Incident:
    """The incident, locked. Raises NoSuchIncident, Refused when it is over."""
    incident = await ledger.by_number(tx, number, lock=True)
    if incident is None:
        raise NoSuchIncident(f"there is no incident #{number}")
    if incident.state not in OPEN_STATES:
        raise Refused(f"already_{incident.state}", f"incident #{number} is {incident.state}: it can't {what}")
    return incident


async def reachable(view: Reading, people: Iterable[int], reason: str) -> LevelPlan:
    """What telling these people at once comes to. Raises Refused(`reaches_nobody`)."""
    targets = [Target(kind="person", id=str(one)) for one in dict.fromkeys(people)][:MOST_GIVEN]
    found = await find(view, targets, because=reason)
    plan = plan_level(found, "high")
    if not plan.pages:
        raise Refused("reaches_nobody", "; ".join(one.reason for one in plan.missed) or "nobody was named")
    return plan


async def reply(tx: Writing, number: int, actor: str, person_id: int, *, accept: bool) -> Incident:
    """Somebody who was asked says yes or no; a second answer replaces the first. Raises NoSuchIncident, Refused(`not_asked`)."""
    incident = await open_incident(tx, number, "be joined")
    asked = await _asked(tx, incident, [person_id])
    if not asked:
        raise Refused("not_asked", f"this person was not asked to join #{number}")
    state = "accepted" if accept else "declined"
    if asked[-1].state == state:
        return incident
    await tx.conn.execute(update(responders).where(_C.id == asked[-1].id).values(state=state, answered_at=tx.now))
    await end_pages(tx, incident, person_id, f"{asked[-1].name} {state} before this page was due", level=ASKED)
    said = f"{asked[-1].name} joins" if accept else f"{asked[-1].name} can't join"
    await ledger.record(tx, [(incident.id, Entry(f"responder_{state}", actor, said))])
    return incident


async def _asked(view: Reading, incident: Incident, people: Iterable[int]) -> Sequence[Any]:
    """The last question to each of these people, oldest first."""
    wanted = sorted(set(people))
    question = select(_C.id, _C.person_id, _C.name, _C.state, _C.asked_by, _C.message).where(
        _C.incident_id == incident.id, _C.kind == "asked", _C.person_id.in_(wanted)
    )
    rows = (await view.conn.execute(question.order_by(_C.id))).all()
    return list({row.person_id: row for row in rows}.values())


async def question_to(view: Reading, incident: Incident, person_id: int) -> Any | None:
    """What somebody was asked last: `state`, `asked_by`, `message`; None: they were not."""
    asked = await _asked(view, incident, [person_id])
    return asked[-1] if asked else None
