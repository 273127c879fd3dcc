"""From alerts to incidents: the second half of ingest, in the same transaction.

Which incident a new alert belongs to, and what an alert that ended, worsened or was acknowledged does to the one it has.
The decisions are those of `app/incidents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from app.clock import SECOND, Micros
from app.dedup import episodes
from app.dedup.arrival import Prepared
from app.dedup.episodes import Episode
from app.dedup.work import NewId, Work
from app.incidents import ledger, turn
from app.incidents.correlate import Candidate, Join, place
from app.incidents.incident import Entry, Incident, acknowledge, opened, raise_severity, resolve
from app.routing.inhibitors import no_longer_inhibits
from app.store import counters, jobs
from app.store.database import Writing
from app.store.tables import resources

ASKED_A_SECOND = 1_000
"""Open alerts of a quiet incident that are asked a second, when more of them join, whether it is still quiet."""


async def place_new(tx: Writing, work: Work) -> None:
    """Gives each alert that opened its incident: one that is open, or a new one with its first job."""
    if not work.waiting:
        return
    # Two replicas must not both open an incident for one group: whoever places alerts of a service holds its row.
    services = {inlet.service_id or inlet.integration_id for _, inlet, _, _ in work.waiting}
    if tx.postgres:
        await tx.conn.execute(
            select(resources.c.id)
            .where(resources.c.id.in_(sorted(services)))
            .order_by(resources.c.id)
            .with_for_update(key_share=True)
        )
    found = await ledger.open_by_grouping(tx, {key for _, _, _, key in work.waiting}, lock=True)
    loaded = {incident.id: incident for incident in found}
    new = placed(work, loaded, tx.new_id)
    await _write_placed(tx, work, loaded, new)


def placed(work: Work, loaded: dict[int, Incident], new_id: NewId) -> list[Incident]:
    """Decides the place of each alert that waits for one, and notes it; answers the incidents that are new.

    `loaded` holds the open incidents of the alerts' groupings by id, and is added to. Touches nothing else.
    """
    by_group: dict[bytes, list[Candidate]] = {}
    for incident in loaded.values():
        by_group.setdefault(incident.grouping, []).append(Candidate(incident.id, incident.last_alert_at))
    new: list[Incident] = []
    for episode, inlet, item, key in work.waiting:
        row = work.new[episode.id]
        candidates = by_group.setdefault(key, [])
        placement = place(inlet.grouping, item.event.labels, candidates, work.now)
        if isinstance(placement, Join):
            row["reason"], row["because"] = placement.name, placement.sentence
            incident = loaded[placement.incident_id]
        else:
            incident = opened(
                incident_id=new_id(),
                number=0,
                service_id=inlet.service_id,
                title=item.event.title,
                severity=item.event.severity,
                impact=inlet.impact,
                grouping=key,
                now=work.now,
            )
            row["because"] = f"{row['because']}; {placement.sentence}"
            loaded[incident.id] = incident
            new.append(incident)
            candidates.append(Candidate(incident.id, work.now))
            reason = f"opened by {item.event.title}: {placement.sentence}"
            work.entries.append((incident.id, Entry("triggered", inlet.name, reason, {"alert": str(row["id"])})))
        _join(work, incident, episode, item)
        for candidate in candidates:
            if candidate.id == incident.id:
                candidate.last_alert_at = work.now
    return new


def _join(work: Work, incident: Incident, episode: Episode, item: Prepared) -> None:
    # The episode itself, not the last one of its key: a key may have opened, resolved and opened again in here.
    episode.incident_id = work.new[episode.id]["incident_id"] = incident.id
    incident.last_alert_at = work.now
    incident.alerts += 1
    incident.open_alerts += 1
    _raised(work, incident, item.event.severity, f"{item.event.title} is {item.event.severity}")


def _raised(work: Work, incident: Incident, severity: str, because: str) -> None:
    entry = raise_severity(incident, severity, because)
    if entry:
        work.entries.append((incident.id, entry))
        if entry.detail.get("restart"):
            work.restarts[incident.id] = incident


async def _write_placed(tx: Writing, work: Work, loaded: dict[int, Incident], new: list[Incident]) -> None:
    if new:
        await _number(tx, work, new)
        first_pages = await _first_pages(tx, new)
        await ledger.add(tx, new)
        await jobs.add(tx, first_pages)
        work.written.opened = len(new)
    await _ask_whether_quiet(tx, loaded.values())
    fresh = {incident.id for incident in new}
    await ledger.save(tx, [incident for incident in loaded.values() if incident.id not in fresh])


async def _ask_whether_quiet(tx: Writing, joined: Iterable[Incident]) -> None:
    """What joined, or became graver, may page; of many alerts that is not asked at each."""
    for incident in joined:
        if incident.quiet_until is not None:
            await jobs.pull(tx, incident.id, ["escalate"], tx.now + incident.open_alerts // ASKED_A_SECOND * SECOND)


async def _number(tx: Writing, work: Work, new: list[Incident]) -> None:
    """Each takes the next number; a synthetic one, of a service below zero, uses none up: its number stays 0."""
    counted = [incident for incident in new if (incident.service_id or 0) >= 0]
    if counted:
        number = await counters.take(tx, "incident", len(counted))
        for offset, incident in enumerate(counted):
            incident.number = number + offset
    work.written.synthetic = len(new) - len(counted)


async def _first_pages(tx: Writing, new: list[Incident]) -> list[jobs.NewJob]:
    """The jobs that page for new incidents; those of a storm go behind the first ones of everybody else."""
    opened_by: dict[int | None, int] = {}
    made = []
    for incident in new:
        owner = incident.service_id
        before = opened_by[owner] if owner in opened_by else await ledger.opened_lately(tx, owner)
        opened_by[owner] = before + 1
        crowd = turn.crowd(before)
        payload = {"epoch": incident.epoch, "crowd": crowd}
        made.append(jobs.NewJob("escalate", incident.id, tx.now, payload, rank=turn.rank(turn.FIRST, crowd)))
    return made


async def settle(tx: Writing, work: Work) -> None:
    """Ends, acknowledges and makes graver: what this transaction does to alerts that have an incident."""
    stored = []
    for episode, _, ended_at, by in work.resolves:
        row = work.new.get(episode.id)
        end = {"resolved_at": work.now, "resolved_by": by, "ended_at": ended_at}
        if row is not None:
            row.update(end, expires_at=None)
        else:
            stored.append({"id": episode.id, **end})
    await episodes.resolve_alerts(tx, stored)
    if work.view.inhibitions:
        await no_longer_inhibits(tx, [episode.id for episode, *_ in work.resolves])
    loaded = await ledger.load(tx, touched(work), lock=True)
    settled(work, loaded)
    await _ask_whether_quiet(
        tx, [loaded[one] for one in {item[0].incident_id for item in work.graver} if one in loaded]
    )
    await ledger.save(tx, list(loaded.values()))
    await jobs.add(tx, _begin_anew(work))


def _begin_anew(work: Work) -> list[jobs.NewJob]:
    """The jobs that page anew for incidents that became graver."""
    graver = [one for one in work.restarts.values() if one.state == "triggered"]
    return [jobs.NewJob("escalate", one.id, work.now, {"epoch": one.epoch}, rank=turn.FIRST) for one in graver]


def touched(work: Work) -> set[int]:
    """The incidents of the alerts that ended, worsened or were acknowledged."""
    found = [item[0].incident_id for item in work.resolves]
    found += [item[0].incident_id for item in work.graver]
    found += [item[0].incident_id for item in work.acknowledged]
    return {incident_id for incident_id in found if incident_id is not None}


def settled(work: Work, loaded: Mapping[int, Incident]) -> None:
    """Decides what becomes of the incidents in `loaded`, and notes it. Touches nothing else."""
    for episode, severity, because in work.graver:
        if incident := loaded.get(episode.incident_id or 0):
            _raised(work, incident, severity, because)
    for episode, inlet in work.acknowledged:
        incident = loaded.get(episode.incident_id or 0)
        if incident and incident.state == "triggered":
            entry = _acknowledged(incident, inlet.name, work.now)
            if entry:
                work.entries.append((incident.id, entry))
    for episode, inlet, _, by in work.resolves:
        if incident := loaded.get(episode.incident_id or 0):
            ends = work.auto_resolves(incident, inlet)
            work.entries += recovered(incident, by, work.now, auto_resolve=ends)


def _acknowledged(incident: Incident, sender: str, now: Micros) -> Entry | None:
    """Where each of several people must acknowledge, a sender can't do it for them."""
    if not incident.awaiting:
        return acknowledge(incident, sender, now, None)
    return Entry(
        "sender_acknowledged", sender, "acknowledged there; here each person of the level must still acknowledge"
    )


def recovered(incident: Incident, by: str, now: Micros, *, auto_resolve: bool) -> list[tuple[int, Entry]]:
    """One alert of the incident has ended; when it was the last open one, so has the incident."""
    incident.open_alerts = max(0, incident.open_alerts - 1)
    if incident.open_alerts or not auto_resolve or incident.state not in ("triggered", "acknowledged"):
        return []
    how = "all of its alerts have resolved" if by == "sender" else "its last alert expired: the sender fell silent"
    return [(incident.id, resolve(incident, "tocsin", now, "recovered", how))]
