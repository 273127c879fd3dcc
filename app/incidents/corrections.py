"""What people do when alerts were put together wrongly: merge, split, move, pin. One deed each.

Each writes what it did among the memberships, in their one order, so that every replica's engine decides by it from then
on. Locks the counter of memberships first and incidents after it, as ingest does.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import insert, select, text

from app.incidents import incident as moves
from app.incidents import ledger, turn
from app.incidents.incident import Entry, Incident
from app.incidents.priority import worse
from app.incidents.respond import NoSuchIncident
from app.incidents.service import Service
from app.incidents.tables import memberships
from app.store import counters, jobs, resources
from app.store.database import Writing
from app.store.resources import Refused

COUNTER = "membership"
MOST = 1_000
"""Alerts that one correction moves."""


async def merge(tx: Writing, number: int, actor: str, into: int) -> Incident:
    """All alerts of an incident belong to another; answers the one that stays. Raises NoSuchIncident, Refused."""
    if number == into:
        raise Refused("same_incident", f"#{number} can't be merged into itself")
    position = await counters.take(tx, COUNTER, 1)
    gone, kept = await _both(tx, number, into)
    _refuse_ended(kept, "merge into it")
    told = moves.merge(gone, kept, actor, f"{actor} says that they are one")
    raised = await _raised(tx, kept, gone.severity, f"#{gone.number} was {gone.severity}")
    await tx.conn.execute(_MOVE_ALL, {"into": kept.id, "gone": gone.id})
    await _write(tx, position, kept, {"what": "merge", "gone": gone.id, "scope": await _scope(tx, kept)})
    await ledger.save(tx, [gone, kept])
    entries = [(gone.id, told[0]), (kept.id, told[1])]
    await ledger.record(tx, entries + ([(kept.id, raised)] if raised else []))
    return kept


async def move(tx: Writing, number: int, actor: str, alert_ids: Sequence[int], into: int | None) -> Incident:
    """Alerts of an incident belong to another, or (`into` None) to a new one of their own, which pages.

    Answers the incident they are in now. They, and what looks like them, go there from now on, and the two are not merged
    by themselves. Raises NoSuchIncident, Refused.
    """
    position = await counters.take(tx, COUNTER, 1)
    if into is None:
        source = await ledger.by_number(tx, number, lock=True)
        if source is None:
            raise NoSuchIncident(f"there is no incident #{number}")
        target = None
    else:
        source, target = await _both(tx, number, into)
        _refuse_ended(target, "move alerts into it")
    _refuse_ended(source, "take alerts out of it")
    taken = await _alerts(tx, source, sorted(set(alert_ids)))
    if len(taken) >= source.alerts:
        raise Refused("all_alerts", f"these are all alerts of #{number}: merge it into the other incident instead")
    if target is None:
        target = await _opened(tx, source, taken)
    for row in taken:
        is_open = int(row["resolved_at"] is None)
        source.alerts, target.alerts = source.alerts - 1, target.alerts + 1
        source.open_alerts, target.open_alerts = source.open_alerts - is_open, target.open_alerts + is_open
        raised = await _raised(tx, target, row["severity"], f"{row['title']} is {row['severity']}")
        if raised:
            await ledger.record(tx, [(target.id, raised)])
        await tx.conn.execute(_MOVE_ONE, {"into": target.id, "id": row["id"], "because": _because(actor, source)})
    said = {
        "what": "move",
        "source": source.id,
        "scope": await _scope(tx, target),
        "alerts": await _facets(tx, [row["id"] for row in taken]),
    }
    await _write(tx, position, target, said)
    await ledger.save(tx, [source, target])
    many = f"{len(taken)} alert{'s' if len(taken) > 1 else ''}"
    titles = ", ".join(row["title"] for row in taken[:3]) + (" ..." if len(taken) > 3 else "")
    await ledger.record(
        tx,
        [
            (source.id, Entry("alerts_moved", actor, f"{many} moved to #{target.number}: {titles}")),
            (target.id, Entry("alerts_moved", actor, f"{many} moved here from #{source.number}: {titles}")),
        ],
    )
    return target


async def _raised(tx: Writing, incident: Incident, severity: str, because: str) -> Entry | None:
    """It may become graver by what it takes over; then whoever was told mildly is told anew."""
    raised = moves.raise_severity(incident, severity, because)
    if raised and raised.detail.get("restart"):
        await jobs.add(tx, [jobs.NewJob("escalate", incident.id, tx.now, {"epoch": incident.epoch}, rank=turn.FIRST)])
    return raised


async def pin(tx: Writing, number: int, actor: str, *, pinned: bool) -> Incident:
    """Its own alerts come back to it, and nothing else joins or merges by itself; or that ends. Raises NoSuchIncident."""
    position = await counters.take(tx, COUNTER, 1)
    incident = await ledger.by_number(tx, number, lock=True)
    if incident is None:
        raise NoSuchIncident(f"there is no incident #{number}")
    if bool(incident.pinned) == pinned:
        return incident
    incident.pinned = int(pinned)
    await _write(tx, position, incident, {"what": "pin" if pinned else "unpin"})
    await ledger.save(tx, [incident])
    reason = "no alert joins it by itself any more" if pinned else "alerts may join it again"
    await ledger.record(tx, [(incident.id, Entry("pinned" if pinned else "unpinned", actor, reason))])
    return incident


_MOVE_ALL = text("UPDATE alerts SET incident_id = :into WHERE incident_id = :gone")
_MOVE_ONE = text("UPDATE alerts SET incident_id = :into, reason = 'moved', because = :because WHERE id = :id")
_LISTED = "SELECT id, title, severity, resolved_at FROM alerts WHERE incident_id = :incident AND id IN ({}) ORDER BY id"


def _because(actor: str, source: Incident) -> str:
    return f"{actor} moved it here from #{source.number}"


def _refuse_ended(incident: Incident, deed: str) -> None:
    if incident.state in ("closed", "merged"):
        raise Refused(f"already_{incident.state}", f"incident #{incident.number} is {incident.state}: you can't {deed}")


async def _both(tx: Writing, number: int, other: int) -> tuple[Incident, Incident]:
    """Two incidents, locked in order of their ids, as ingest locks them."""
    ids = []
    for wanted in (number, other):
        found = await ledger.by_number(tx, wanted)
        if found is None:
            raise NoSuchIncident(f"there is no incident #{wanted}")
        ids.append(found.id)
    locked = await ledger.load(tx, ids, lock=True)
    return locked[ids[0]], locked[ids[1]]


async def _alerts(tx: Writing, source: Incident, alert_ids: Sequence[int]) -> list[dict[str, Any]]:
    names = [f"a{place}" for place in range(len(alert_ids))]
    question = text(_LISTED.format(", ".join(f":{name}" for name in names)))
    values = {"incident": source.id, **dict(zip(names, alert_ids, strict=True))}
    rows = [dict(row._mapping) for row in await tx.conn.execute(question, values)]  # noqa: SLF001 - the public name of a row's columns
    if missing := sorted(set(alert_ids) - {row["id"] for row in rows}):
        raise Refused("no_such_alert", f"#{source.number} has no alert with the id {missing[0]}")
    return rows


async def _opened(tx: Writing, source: Incident, taken: Sequence[dict[str, Any]]) -> Incident:
    severity = taken[0]["severity"]
    for row in taken:
        severity = worse(severity, row["severity"])
    made = moves.opened(
        incident_id=tx.new_id(),
        number=await counters.take(tx, "incident", 1),
        service_id=source.service_id,
        title=taken[0]["title"],
        severity=severity,
        impact=source.impact,
        grouping=blake2b(source.grouping + str(tx.new_id()).encode(), digest_size=16).digest(),
        now=tx.now,
    )
    await ledger.add(tx, [made])
    await jobs.add(tx, [jobs.NewJob("escalate", made.id, tx.now, {"epoch": made.epoch})])
    await ledger.record(tx, [(made.id, Entry("triggered", "tocsin", f"split from #{source.number}"))])
    return made


async def _facets(tx: Writing, alert_ids: Sequence[int]) -> list[Any]:
    """What the engine read of alerts; of one that came long ago nothing is left, and nothing is needed."""
    question = select(memberships.c.body).where(memberships.c.alert_id.in_(list(alert_ids)))
    bodies = [orjson.loads(body) for body in (await tx.conn.execute(question)).scalars()]
    return [body[1] for body in bodies if isinstance(body, list)]


async def _scope(tx: Writing, incident: Incident) -> int:
    if incident.service_id is None:
        return 0
    found = (await resources.load(tx, "service", [incident.service_id])).get(incident.service_id)
    return int(found.as_a(Service).policy_id or 0) if found else 0


async def _write(tx: Writing, position: int, incident: Incident, said: dict[str, Any]) -> None:
    await tx.conn.execute(
        insert(memberships).values(
            position=position, at=tx.now, incident_id=incident.id, alert_id=None, body=orjson.dumps(said).decode()
        )
    )
