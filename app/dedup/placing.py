"""From alerts to incidents: the second half of ingest, in the same transaction.

Which incident a new alert belongs to, and what an alert that ended, worsened or was acknowledged does to the one it has.
The decisions are those of `app/incidents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select

from app.clock import SECOND, Micros
from app.dedup import correlating, episodes, habits, joining
from app.dedup.directory import Directory
from app.dedup.episodes import Episode
from app.dedup.work import NewId, Waiting, Work
from app.incidents import ledger, turn
from app.incidents.correlate import Candidate, Join, place
from app.incidents.incident import Entry, Incident, acknowledge, resolve
from app.routing.inhibitors import no_longer_inhibits
from app.store import counters, jobs
from app.store.database import Writing
from app.store.tables import resources

ASKED_A_SECOND = 1_000
"""Open alerts of a quiet incident that are asked a second, when more of them join, whether it is still quiet."""


async def place_new(tx: Writing, work: Work, directory: Directory) -> None:
    """Gives each alert that opened its incident: one that is open, or a new one with its first job."""
    by_rule, by_evidence = split(work.waiting)
    loaded: dict[int, Incident] = {}
    await habits.recall(tx, work)
    new: list[Incident] = []
    if by_rule:
        loaded = await _groups(tx, by_rule)
        new += placed(work, by_rule, loaded, tx.new_id)
    if by_evidence:
        new += await correlating.place(tx, work, directory, by_evidence, loaded)
    if work.waiting:
        await _write_placed(tx, work, loaded, new)


def split(waiting: Sequence[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
    """Those whose service has a rule, and those that go by evidence."""
    by_rule = [one for one in waiting if one.inlet.grouping.by != "evidence"]
    return by_rule, [one for one in waiting if one.inlet.grouping.by == "evidence"]


async def _groups(tx: Writing, waiting: Sequence[Waiting]) -> dict[int, Incident]:
    """The open incidents of the alerts' groupings, locked."""
    # Two replicas must not both open an incident for one group: whoever places alerts of a service holds its row.
    services = {one.inlet.service_id or one.inlet.integration_id for one in waiting}
    if tx.postgres:
        await tx.conn.execute(
            select(resources.c.id)
            .where(resources.c.id.in_(sorted(services)))
            .order_by(resources.c.id)
            .with_for_update(key_share=True)
        )
    found = await ledger.open_by_grouping(tx, {one.grouping for one in waiting}, lock=True)
    return {incident.id: incident for incident in found}


def placed(work: Work, waiting: Sequence[Waiting], loaded: dict[int, Incident], new_id: NewId) -> list[Incident]:
    """Decides by rule the place of each alert that waits for one, and notes it; answers the incidents that are new.

    `loaded` holds the open incidents of the alerts' groupings by id, and is added to. Touches nothing else.
    """
    by_group: dict[bytes, list[Candidate]] = {}
    for incident in loaded.values():
        by_group.setdefault(incident.grouping, []).append(Candidate(incident.id, incident.last_alert_at))
    new: list[Incident] = []
    for one in waiting:
        candidates = by_group.setdefault(one.grouping, [])
        placement = place(one.inlet.grouping, one.item.event.labels, candidates, work.now)
        if isinstance(placement, Join):
            incident = loaded[placement.incident_id]
            joining.join(work, incident, one, placement.name, placement.sentence)
        else:
            incident = joining.open_for(work, one, new_id(), placement.sentence)
            loaded[incident.id] = incident
            new.append(incident)
            candidates.append(Candidate(incident.id, work.now))
        for candidate in candidates:
            if candidate.id == incident.id:
                candidate.last_alert_at = work.now
    return new


async def _write_placed(tx: Writing, work: Work, loaded: dict[int, Incident], new: list[Incident]) -> None:
    await _tell(tx, work)
    if new:
        await _number(tx, work, new)
        await ledger.add(tx, new)
        work.written.opened = len(new)
    for incident_id, due_at in work.confirmed:
        await jobs.pull(tx, incident_id, ("escalate",), due_at)
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
    work.written.synthetic = len(new) - len(counted)
    if unnamed := [incident for incident in counted if not incident.number]:
        number = await counters.take(tx, "incident", len(unnamed))
        for offset, incident in enumerate(unnamed):
            incident.number = number + offset


async def _tell(tx: Writing, work: Work) -> None:
    """The jobs that page for incidents; those of a storm go behind the first ones of everybody else."""
    opened_by: dict[int | None, int] = {}
    made = []
    for one in work.due:
        owner = one.service_id
        before = opened_by[owner] if owner in opened_by else await ledger.opened_lately(tx, owner)
        opened_by[owner] = before + 1
        crowd = turn.crowd(before)
        payload = {"epoch": one.epoch, "crowd": crowd}
        made.append(jobs.NewJob("escalate", one.incident_id, one.at, payload, rank=turn.rank(turn.FIRST, crowd)))
    await jobs.add(tx, made)
    work.written.due += len(made)
    work.due.clear()


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
    while moved := {one.id: one.merged_into for one in loaded.values() if one.merged_into}:
        # Another transaction merged them since the alerts were read.
        work.moved |= moved
        loaded = await ledger.load(tx, touched(work), lock=True)
    settled(work, loaded)
    await habits.count(tx, work, loaded)
    await _ask_whether_quiet(
        tx, [loaded[one] for one in {work.lives_in(item[0].incident_id or 0) for item in work.graver} if one in loaded]
    )
    await ledger.save(tx, list(loaded.values()))
    await _tell(tx, work)
    work.written.due += len(work.confirmed)


def touched(work: Work) -> set[int]:
    """The incidents of the alerts that ended, worsened or were acknowledged."""
    found = [item[0].incident_id for item in work.resolves]
    found += [item[0].incident_id for item in work.graver]
    found += [item[0].incident_id for item in work.acknowledged]
    return {work.lives_in(incident_id) for incident_id in found if incident_id is not None}


def settled(work: Work, loaded: Mapping[int, Incident]) -> None:
    """Decides what becomes of the incidents in `loaded`, and notes it. Touches nothing else."""

    def of(episode: Episode) -> Incident | None:
        return loaded.get(work.lives_in(episode.incident_id or 0))

    for episode, inlet, severity, because in work.graver:
        if incident := of(episode):
            joining.worsen(work, incident, inlet, severity, because)
    for episode, inlet in work.acknowledged:
        incident = of(episode)
        if incident and incident.state == "triggered":
            entry = _acknowledged(incident, inlet.name, work.now)
            if entry:
                work.entries.append((incident.id, entry))
    for episode, inlet, _, by in work.resolves:
        if incident := of(episode):
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
