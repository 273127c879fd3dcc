"""Levels that each of their people must acknowledge: who has, who has not, and what an acknowledgement does then. Deeds.

    ask_all      a level is told: each of its people is asked for their own acknowledgement
    acknowledge  one of them has it: their pages end, the escalation goes on until the last one has acknowledged too
    settle       whoever is no more (deleted meanwhile) is asked no more, so that nobody is waited for in vain

An acknowledgement of somebody who was not asked is written down and ends their own pages; it counts for everybody only when
that is said. Must never know HTTP, nor how a link says who somebody is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from app.incidents import ledger, respond
from app.incidents.incident import Entry, Incident
from app.incidents.respond import NoSuchIncident
from app.incidents.tables import responders
from app.paging.tables import UNSENT, pages
from app.people.active import active
from app.store.database import Reading, Writing
from app.store.resources import Refused

_C = responders.c


async def ask_all(tx: Writing, incident: Incident, people: Mapping[int, str]) -> None:
    """Each of these people must acknowledge. The caller saves the incident."""
    known = {row.person_id for row in await _asked(tx, incident)}
    rows = [
        {
            "id": tx.new_id(),
            "incident_id": incident.id,
            "person_id": person_id,
            "name": name,
            "kind": "must_ack",
            "epoch": incident.epoch,
            "state": "waiting",
            "asked_at": tx.now,
            "asked_by": "tocsin",
        }
        for person_id, name in people.items()
        if person_id not in known
    ]
    if rows:
        await tx.conn.execute(insert(responders), rows)
    incident.awaiting += len(rows)


async def _asked(view: Reading, incident: Incident) -> Sequence[Any]:
    question = select(_C.id, _C.person_id, _C.name, _C.state).where(
        _C.incident_id == incident.id, _C.kind == "must_ack", _C.epoch == incident.epoch
    )
    return (await view.conn.execute(question.order_by(_C.id))).all()


async def have_it(view: Reading, incident: Incident) -> frozenset[int]:
    """Who has acknowledged for themselves since paging began anew."""
    if not incident.awaiting:
        return frozenset()
    return frozenset(row.person_id for row in await _asked(view, incident) if row.state == "acknowledged")


async def missing(view: Reading, incident: Incident) -> tuple[str, ...]:
    """The names of those who must still acknowledge."""
    if not incident.awaiting:
        return ()
    return tuple(row.name for row in await _asked(view, incident) if row.state == "waiting")


async def acknowledge(
    tx: Writing, number: int, actor: str, person_id: int | None = None, *, for_everybody: bool = False
) -> Incident:
    """`actor` has it. Where each of several must acknowledge, it counts for this person alone, unless it is for everybody.

    Raises NoSuchIncident, Refused (`each_must_acknowledge`: it is not said whose acknowledgement it is).
    """
    incident = await ledger.by_number(tx, number, lock=True)
    if incident is None:
        raise NoSuchIncident(f"there is no incident #{number}")
    if not incident.awaiting or for_everybody:
        return await respond.acknowledge(tx, number, actor)
    asked = await _asked(tx, incident)
    if person_id is None:
        raise Refused(
            "each_must_acknowledge",
            f"{_joined(row.name for row in asked if row.state == 'waiting')} must acknowledge #{number}, each for "
            "themselves: say whose acknowledgement this is, or that it is for everybody",
        )
    return await _one_has_it(tx, incident, asked, actor, person_id)


async def _one_has_it(tx: Writing, incident: Incident, asked: Sequence[Any], actor: str, person_id: int) -> Incident:
    mine = next((row for row in asked if row.person_id == person_id), None)
    if mine is not None and mine.state == "acknowledged":
        return incident
    if mine is not None:
        await _answered(tx, [mine.id], "acknowledged")
    await end_pages(tx, incident, person_id, f"{actor} had it before this page was due")
    others = [row.name for row in asked if row.state == "waiting" and row is not mine]
    if not others:
        return await respond.acknowledge(tx, incident.number, actor)
    incident.awaiting = len(others)
    await ledger.save(tx, [incident])
    said = f"{actor} has it{'' if mine is not None else ' too'}; {_joined(others)} must still acknowledge"
    detail = {"person_id": str(person_id), "missing": others}
    await ledger.record(tx, [(incident.id, Entry("acknowledged_by_one", actor, said, detail))])
    return incident


async def end_pages(tx: Writing, incident: Incident, person_id: int, why: str, *, level: int | None = None) -> None:
    """Pages of one person that are still to be sent are not needed any more."""
    which = [pages.c.incident_id == incident.id, pages.c.person_id == person_id, pages.c.state.in_(UNSENT)]
    which += [] if level is None else [pages.c.level == level]
    await tx.conn.execute(update(pages).where(*which).values(state="not_needed", detail=why, done_at=tx.now))


async def _answered(tx: Writing, ids: Collection[int], state: str) -> None:
    await tx.conn.execute(update(responders).where(_C.id.in_(ids)).values(state=state, answered_at=tx.now))


async def settle(tx: Writing, incident: Incident) -> bool:
    """Whoever was deleted or disabled is asked no more. Answers whether all others have acknowledged, and so the incident is."""
    asked = await _asked(tx, incident)
    waiting = {row.person_id: row for row in asked if row.state == "waiting"}
    there = await active(tx, waiting)
    gone = [row for person_id, row in waiting.items() if person_id not in there]
    if not gone:
        return False
    await _answered(tx, [row.id for row in gone], "over")
    incident.awaiting = len(waiting) - len(gone)
    said = f"{_joined(row.name for row in gone)} was deleted or disabled, and is waited for no more"
    await ledger.record(tx, [(incident.id, Entry("responder_gone", "tocsin", said))])
    await ledger.save(tx, [incident])
    had = [row.name for row in asked if row.state == "acknowledged"]
    if incident.awaiting or not had:
        return False
    await respond.acknowledge(tx, incident.number, had[-1])
    return True


def _joined(names: Any) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
