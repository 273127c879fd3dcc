"""One incident as a value, and what each move does to it. Pure.

Every move answers with the timeline entry that tells it, or raises `Refused` with a name and a sentence. A move that
begins or ends the question "who is to be told?" raises `epoch`: jobs that were written for an older epoch then do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from app.clock import Micros, lasting, spoken
from app.incidents.priority import Impact, priority_of, urgency_of, worse
from app.incidents.states import Move, State, after
from app.store.resources import Refused

Resolution = Literal["fix", "workaround", "recovered", "false_alarm"]
Escalation = Literal["waiting", "held", "running", "fallback", "stopped", "exhausted"]
"""Where paging stands: not begun; not before support hours begin; levels are told; nobody was reached and the fallback is
told; somebody has it, or it is over; everybody was told."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to an incident, for its timeline."""

    kind: str
    actor: str
    reason: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Incident:
    """An incident while a transaction works on it; the names are the columns."""

    id: int
    number: int
    service_id: int | None
    title: str
    state: State
    severity: str
    impact: Impact
    urgency: str
    priority: str
    grouping: bytes
    opened_at: Micros
    last_alert_at: Micros
    updated_at: Micros
    resolution: str | None = None
    acknowledged_at: Micros | None = None
    acknowledged_by: str | None = None
    ack_until: Micros | None = None
    resolved_at: Micros | None = None
    resolved_by: str | None = None
    closed_at: Micros | None = None
    alerts: int = 0
    open_alerts: int = 0
    epoch: int = 1
    policy_id: int | None = None
    policy_version: int | None = None
    escalation: Escalation = "waiting"
    level: int = 0
    round: int = 0
    told_s: int = 0
    """How many seconds what was told last has."""
    held_until: Micros | None = None
    """When paging was held back last: until when."""
    assigned: Assigned | None = None
    """To whom somebody gave it, before the policy or in its place."""
    awaiting: int = 0
    """How many people must still acknowledge, each for themselves."""
    quiet_until: Micros | None = None
    """It does not page, as all of its alerts have a reason not to; when that is asked again."""
    quiet_by: int | None = None
    """The alert that inhibits it."""
    quiet_because: str | None = None
    merged_into: int | None = None
    returns: int = 0
    pinned: int = 0
    """1: a person said that it is what it is; nothing joins or merges by itself."""


class Assigned(TypedDict, total=False):
    """What somebody decided about who is told: people, or another policy; `by` whom. Nothing waits for support hours then."""

    people: list[str]
    policy_id: str
    by: str


def opened(
    *,
    incident_id: int,
    number: int,
    service_id: int | None,
    title: str,
    severity: str,
    impact: Impact,
    grouping: bytes,
    now: Micros,
) -> Incident:
    """A new incident, triggered."""
    urgency = urgency_of(severity)
    return Incident(
        id=incident_id,
        number=number,
        service_id=service_id,
        title=title,
        state="triggered",
        severity=severity,
        impact=impact,
        urgency=urgency,
        priority=priority_of(impact, urgency),
        grouping=grouping,
        opened_at=now,
        last_alert_at=now,
        updated_at=now,
    )


def _make(incident: Incident, move: Move) -> None:
    state = after(incident.state, move)
    if state is None:
        raise Refused(
            f"already_{incident.state}",
            f"incident #{incident.number} is {incident.state}: it can't {move.replace('_', ' ')}",
        )
    incident.state = state


def acknowledge(incident: Incident, actor: str, now: Micros, until: Micros | None) -> Entry | None:
    """Somebody has it: paging stops. `until`: when it pages again by itself. A second ack by the same changes nothing."""
    if incident.state == "acknowledged" and incident.acknowledged_by == actor and incident.ack_until == until:
        return None
    was = incident.acknowledged_by if incident.state == "acknowledged" else None
    _make(incident, "acknowledge")
    _hold(incident, actor, now, until)
    reason = f"{actor} has it" + (f" (taken over from {was})" if was and was != actor else "")
    return Entry("acknowledged", actor, reason, {"until": until} if until else {})


def snooze(incident: Incident, actor: str, now: Micros, until: Micros) -> Entry:
    """Quiet until an instant; then it pages again."""
    _make(incident, "snooze")
    _hold(incident, actor, now, until)
    return Entry("snoozed", actor, f"quiet until {spoken(until)}", {"until": until})


def _hold(incident: Incident, actor: str, now: Micros, until: Micros | None) -> None:
    incident.acknowledged_at = now
    incident.acknowledged_by = actor
    incident.ack_until = until
    _forget_quiet(incident)
    incident.escalation = "stopped"
    incident.epoch += 1
    incident.awaiting = 0


def ack_expired(incident: Incident, now: Micros) -> Entry:
    """The acknowledgement has ended: it pages again, from the first level."""
    was = incident.acknowledged_by
    _make(incident, "ack_expired")
    _restart(incident, level=0)
    return Entry("ack_expired", "tocsin", f"the acknowledgement of {was} ended at {spoken(now)}; paging starts anew")


def unacknowledge(incident: Incident, actor: str) -> Entry:
    """Whoever had it has it no more: it pages again, from the first level."""
    was = incident.acknowledged_by
    _make(incident, "ack_expired")
    _restart(incident, level=0)
    return Entry("unacknowledged", actor, f"{actor} took back the acknowledgement of {was}; paging starts anew")


def escalate(incident: Incident, actor: str, level: int | None = None) -> Entry:
    """The next level (or level number `level`, from 0) is told at once."""
    # `level` counts the levels told so far in this round, so it is also the index of the one that comes next.
    fresh = incident.state == "acknowledged" and incident.escalation == "waiting"
    _make(incident, "escalate")
    wanted = level if level is not None else (0 if fresh else incident.level)
    _restart(incident, level=wanted)
    incident.assigned = incident.assigned or {"by": actor}
    return Entry("escalated", actor, f"level {wanted + 1} is told now", {"level": wanted})


def reassign(incident: Incident, actor: str, assigned: Assigned, to: str) -> Entry:
    """It is given to others, who are told at once; whoever had it has it no more."""
    _make(incident, "reassign")
    incident.assigned = {**assigned, "by": actor}
    _restart(incident, level=0)
    return Entry("reassigned", actor, f"given to {to}, who are told now", {"assigned": assigned})


def begin_anew(incident: Incident) -> None:
    """Paging begins anew from the first level: what it follows is something else now."""
    _restart(incident, level=0)


def reopen(incident: Incident, actor: str, reason: str) -> Entry:
    """It was not over: it pages again, from the first level."""
    _make(incident, "reopen")
    incident.resolved_at = incident.resolved_by = incident.resolution = incident.assigned = None
    _restart(incident, level=0)
    return Entry("reopened", actor, reason)


def keep_quiet(incident: Incident, until: Micros, by: int | None, because: str, detail: dict[str, Any]) -> Entry | None:
    """It does not page now, and why; nothing is said when that is known already."""
    known = incident.quiet_because
    incident.quiet_until, incident.quiet_by, incident.quiet_because = until, by, because
    return None if known == because else Entry("quieted", "tocsin", f"does not page: {because}", detail)


def unquiet(incident: Incident, because: str) -> Entry:
    """Nothing keeps it quiet any more: it pages."""
    _forget_quiet(incident)
    return Entry("unquieted", "tocsin", because)


def _forget_quiet(incident: Incident) -> None:
    incident.quiet_until = incident.quiet_by = incident.quiet_because = None


def _restart(incident: Incident, level: int) -> None:
    incident.acknowledged_at = incident.acknowledged_by = incident.ack_until = None
    _forget_quiet(incident)
    incident.escalation = "waiting"
    incident.level = level
    incident.round = incident.told_s = 0
    incident.held_until = None
    incident.epoch += 1
    incident.awaiting = 0


def resolve(incident: Incident, actor: str, now: Micros, resolution: Resolution, reason: str) -> Entry:
    """It is over: paging stops."""
    _make(incident, "resolve")
    incident.resolved_at = now
    incident.resolved_by = actor
    incident.resolution = resolution
    incident.ack_until = None
    _forget_quiet(incident)
    incident.escalation = "stopped"
    incident.epoch += 1
    incident.awaiting = 0
    return Entry("resolved", actor, reason, {"resolution": resolution})


def close(incident: Incident, actor: str, now: Micros) -> Entry:
    """Verified; nothing happens to it any more."""
    _make(incident, "close")
    incident.closed_at = now
    return Entry("closed", actor, f"verified by {actor}")


def recur(incident: Incident, now: Micros, because: str) -> Entry:
    """What had recovered by itself is broken again: the same incident goes on, from the first level."""
    _make(incident, "recur")
    quiet = lasting(now - (incident.resolved_at or now))
    incident.resolved_at = incident.resolved_by = incident.resolution = None
    incident.returns += 1
    _restart(incident, level=0)
    times = "" if incident.returns == 1 else f" for the {incident.returns}. time"
    return Entry(
        "came_back", "tocsin", f"back{times} after {quiet}: {because}", {"returns": incident.returns, "restart": True}
    )


def merge(incident: Incident, into: Incident, actor: str, reason: str) -> tuple[Entry, Entry]:
    """It lives on in another, with all of its alerts; paging for it stops. Answers what each timeline says."""
    _make(incident, "merge")
    incident.merged_into = into.id
    incident.ack_until = None
    incident.escalation = "stopped"
    incident.epoch += 1
    into.alerts += incident.alerts
    into.open_alerts += incident.open_alerts
    into.last_alert_at = max(into.last_alert_at, incident.last_alert_at)
    incident.open_alerts = 0
    return (
        Entry("merged", actor, f"merged into #{into.number}: {reason}", {"into": str(into.id)}),
        Entry(
            "took_over", actor, f"took over #{incident.number} ({incident.title}): {reason}", {"from": str(incident.id)}
        ),
    )


def raise_severity(incident: Incident, severity: str, because: str) -> Entry | None:
    """A graver alert makes the incident graver; it never gets lighter by itself.

    Whoever was told by their rules for low urgency is told anew when it becomes high, and what was held back goes on: then
    the entry says `restart`, and the caller adds the job.
    """
    worst = worse(incident.severity, severity)
    if worst == incident.severity:
        return None
    was, before, urgency = incident.severity, incident.priority, incident.urgency
    incident.severity = worst
    incident.urgency = urgency_of(worst)
    incident.priority = priority_of(incident.impact, urgency_of(worst))
    said, detail = f"{before} became {incident.priority}: {because}", {"severity": worst, "was": was}
    if _told_too_mildly(incident, urgency, before):
        _restart(incident, level=0)
        return Entry("severity_raised", "tocsin", f"{said}; paging begins anew", {**detail, "restart": True})
    return Entry("severity_raised", "tocsin", said, detail)


def _told_too_mildly(incident: Incident, urgency: str, priority: str) -> bool:
    """Whether who was told, or held back, before it became graver is to be told otherwise now."""
    if incident.state != "triggered" or incident.escalation == "waiting":
        return False
    return urgency != incident.urgency or (incident.escalation == "held" and priority != incident.priority)
