"""What people do to an incident: report, acknowledge, snooze, escalate, resolve, close, reopen, note. One deed each.

Each locks the incident, makes the move, tells the timeline and, where paging begins anew, adds the job for it: all in the
caller's one transaction. Paging that was under way ends by the raised epoch; no call to it is needed.
"""

from __future__ import annotations

from hashlib import blake2b

from app.clock import DAY, SECOND, Micros, spoken
from app.incidents import incident as moves
from app.incidents import ledger, turn
from app.incidents.incident import Entry, Incident, Resolution
from app.incidents.priority import Urgency
from app.incidents.service import Service
from app.store import counters, jobs, resources
from app.store.database import Writing
from app.store.resources import Refused

MAX_NOTE = 10_000
LONGEST_SNOOZE: Micros = 30 * DAY


class NoSuchIncident(Exception):
    """No incident has that number."""


async def _locked(tx: Writing, number: int) -> Incident:
    found = await ledger.by_number(tx, number, lock=True)
    if found is None:
        raise NoSuchIncident(f"there is no incident #{number}")
    return found


async def _write(tx: Writing, incident: Incident, entry: Entry) -> Incident:
    await ledger.save(tx, [incident])
    await ledger.record(tx, [(incident.id, entry)])
    return incident


async def _page_again(
    tx: Writing, incident: Incident, what: int = turn.NEXT, *, asked: bool = False, since: Micros | None = None
) -> None:
    """Paging is due now, or has been `since` an instant in the past: then it says how late it is."""
    payload = {"epoch": incident.epoch} | ({"asked": True} if asked else {})
    due_at = tx.now if since is None else min(tx.now, since)
    await jobs.add(tx, [jobs.NewJob("escalate", incident.id, due_at, payload, rank=what)])


async def _wake_at(tx: Writing, incident: Incident, at: Micros) -> None:
    await jobs.add(tx, [jobs.NewJob("ack_expiry", incident.id, at, {"epoch": incident.epoch})])


_SEVERITY: dict[Urgency, str] = {"high": "error", "low": "warning"}
"""What a person's "how soon does it hurt" stands for among the severities of alerts."""


async def report(
    tx: Writing, title: str, actor: str, *, service_id: int | None, urgency: Urgency, description: str = ""
) -> Incident:
    """A person says that something is broken: a new incident without alerts, which pages like any other.

    Raises Refused(`no_such_service`).
    """
    service = await _service(tx, service_id)
    incident = moves.opened(
        incident_id=tx.new_id(),
        number=await counters.take(tx, "incident", 1),
        service_id=service_id,
        title=title,
        severity=_SEVERITY[urgency],
        impact=service.impact if service else "medium",
        # Random, so that no alert ever joins it.
        grouping=blake2b(tx.ids.secret(16).encode(), digest_size=16).digest(),
        now=tx.now,
    )
    await ledger.add(tx, [incident])
    await _page_again(tx, incident, turn.FIRST)
    detail = {"description": description} if description else {}
    await ledger.record(tx, [(incident.id, Entry("triggered", actor, f"reported by {actor}", detail))])
    return incident


async def _service(tx: Writing, service_id: int | None) -> Service | None:
    if service_id is None:
        return None
    found = (await resources.load(tx, "service", [service_id])).get(service_id)
    if found is None:
        raise Refused("no_such_service", f"there is no service with the id {service_id}")
    return found.as_a(Service)


async def acknowledge(tx: Writing, number: int, actor: str) -> Incident:
    """`actor` has it; nothing that starts after this is committed pages. Raises NoSuchIncident, Refused."""
    incident = await _locked(tx, number)
    until = await _ack_until(tx, incident)
    if incident.state == "acknowledged" and incident.acknowledged_by == actor:
        return incident
    entry = moves.acknowledge(incident, actor, tx.now, until)
    if entry is None:
        return incident
    if until is not None:
        await _wake_at(tx, incident, until)
    return await _write(tx, incident, entry)


async def worsen(tx: Writing, incident_id: int, severity: str, because: str) -> None:
    """One of its alerts became graver, and so, if it was lighter, does the incident."""
    incident = (await ledger.load(tx, [incident_id], lock=True)).get(incident_id)
    entry = moves.raise_severity(incident, severity, because) if incident else None
    if incident is None or entry is None:
        return
    if entry.detail.get("restart"):
        await _page_again(tx, incident, turn.FIRST)
    await _write(tx, incident, entry)


async def unacknowledge(tx: Writing, number: int, actor: str) -> Incident:
    """Nobody has it any more: it pages again from the first level. Raises NoSuchIncident, Refused."""
    incident = await _locked(tx, number)
    entry = moves.unacknowledge(incident, actor)
    await _page_again(tx, incident)
    return await _write(tx, incident, entry)


async def _ack_until(tx: Writing, incident: Incident) -> Micros | None:
    if incident.service_id is None:
        return None
    found = (await resources.load(tx, "service", [incident.service_id])).get(incident.service_id)
    timeout_s = found.as_a(Service).ack_timeout_s if found else None
    return tx.now + timeout_s * SECOND if timeout_s else None


async def snooze(tx: Writing, number: int, actor: str, seconds: int) -> Incident:
    """Quiet for `seconds`, then it pages again from the first level. Raises NoSuchIncident, Refused."""
    return await snooze_until(tx, number, actor, tx.now + seconds * SECOND)


async def snooze_until(tx: Writing, number: int, actor: str, until: Micros) -> Incident:
    """Quiet until an instant. Raises NoSuchIncident, Refused (`snooze_in_the_past`, `snooze_too_long`)."""
    incident = await _locked(tx, number)
    if until <= tx.now:
        raise Refused("snooze_in_the_past", f"{spoken(until)} is over; name an instant that is still to come")
    if until > tx.now + LONGEST_SNOOZE:
        most = f"{LONGEST_SNOOZE // DAY} days"
        raise Refused("snooze_too_long", f"a snooze lasts {most} at most, until {spoken(tx.now + LONGEST_SNOOZE)}")
    entry = moves.snooze(incident, actor, tx.now, until)
    await _wake_at(tx, incident, until)
    return await _write(tx, incident, entry)


async def escalate(tx: Writing, number: int, actor: str, level: int | None = None) -> Incident:
    """The next level, or the one given (from 0), is told at once, whatever keeps the incident quiet.

    Raises NoSuchIncident, Refused.
    """
    incident = await _locked(tx, number)
    entry = moves.escalate(incident, actor, level)
    await _page_again(tx, incident, asked=True)
    return await _write(tx, incident, entry)


async def resolve(tx: Writing, number: int, actor: str, resolution: Resolution = "fix") -> Incident:
    """It is over. Its open alerts end too: one that still fires after a while opens anew. Raises NoSuchIncident, Refused."""
    incident = await _locked(tx, number)
    words = {
        "fix": "fixed",
        "workaround": "worked around",
        "recovered": "recovered by itself",
        "false_alarm": "a false alarm",
    }
    entry = moves.resolve(incident, actor, tx.now, resolution, f"{words[resolution]}, says {actor}")
    await ledger.end_alerts(tx, incident)
    return await _write(tx, incident, entry)


async def reopen(tx: Writing, number: int, actor: str) -> Incident:
    """It was not over: it pages again. Raises NoSuchIncident, Refused."""
    incident = await _locked(tx, number)
    entry = moves.reopen(incident, actor, f"reopened by {actor}")
    await _page_again(tx, incident)
    return await _write(tx, incident, entry)


async def close(tx: Writing, number: int, actor: str) -> Incident:
    """Verified. Raises NoSuchIncident, Refused."""
    incident = await _locked(tx, number)
    return await _write(tx, incident, moves.close(incident, actor, tx.now))


async def note(tx: Writing, number: int, actor: str, text: str) -> Incident:
    """Adds a person's words to the timeline. Raises NoSuchIncident, Refused(`note_too_long`)."""
    if len(text) > MAX_NOTE:
        raise Refused("note_too_long", f"a note may have {MAX_NOTE} characters; this one has {len(text)}")
    incident = await _locked(tx, number)
    return await _write(tx, incident, Entry("note", actor, text))


async def ack_expiry(tx: Writing, job: jobs.Job) -> bool:
    """The job behind an acknowledgement with an end. Answers whether paging begins anew."""
    incident = (await ledger.load(tx, [job.subject], lock=True)).get(job.subject)
    await jobs.finish(tx, job)
    if incident is None or incident.epoch != job.payload["epoch"] or incident.state != "acknowledged":
        return False
    entry = moves.ack_expired(incident, tx.now)
    await _page_again(tx, incident, since=job.due_at)
    await _write(tx, incident, entry)
    return True
