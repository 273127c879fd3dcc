"""What it means for an alert to open an incident or to join one. Pure: changes the values it is handed, and notes the rest.

The first page of an incident is due at once unless its service holds it (app/incidents/service.py); one that keeps
coming back is paged again only if it stays; one that became urgent is paged anew, as urgent.
"""

from __future__ import annotations

from app.clock import MINUTE, SECOND, Micros
from app.dedup.directory import Inlet
from app.dedup.work import Due, Waiting, Work
from app.incidents.incident import Entry, Incident, opened, raise_severity, recur
from app.incidents.priority import urgency_of
from app.incidents.service import Hold

NOTHING_LEARNED = (0, "")
NEW_SENDER: Micros = 30 * MINUTE
"""For how long what an integration tells of hours ago, before there was any, is no emergency: it is told mildly."""
CONFIRMED = 2
"""Things that must have failed for one to confirm the other."""


def open_for(work: Work, one: Waiting, incident_id: int, because: str) -> Incident:
    """A new incident for an alert; its number is given later."""
    event = one.item.event
    severity = _severity(work, one)
    if severity != event.severity:
        because += "; it is taken as a warning, as it began hours before its integration was made"
    incident = opened(
        incident_id=incident_id,
        number=0,
        service_id=one.inlet.service_id,
        title=event.title,
        severity=severity,
        impact=one.inlet.impact,
        grouping=one.grouping,
        now=work.now,
    )
    one.row["because"] = f"{one.row['because']}; {because}"
    reason = f"opened by {event.title}: {because}"
    work.entries.append((incident.id, Entry("triggered", one.inlet.name, reason, {"alert": str(one.row["id"])})))
    _count(work, incident, one)
    _page(work, incident, one.inlet, _learned(work, incident, one))
    return incident


def join(work: Work, incident: Incident, one: Waiting, name: str, because: str, things: int = 0) -> None:
    """An alert joins an incident. `things`: how many different things have failed in it, 0 when nobody counts."""
    one.row["reason"], one.row["because"] = name, because
    waits = incident.state == "triggered" and incident.escalation == "waiting"
    if incident.alerts == 1 and incident.state != "resolved":
        work.grown.append(incident)
    _count(work, incident, one)
    event = one.item.event
    if incident.state == "resolved":
        work.entries.append((incident.id, recur(incident, work.now, event.title)))
        _page(work, incident, one.inlet, after_s=_return(incident, one))
    severity = _severity(work, one)
    if severity != incident.severity:
        worsen(work, incident, one.inlet, severity, f"{event.title} is {severity}")
    if not waits:
        return
    if incident.returns == 1 and not _milder(incident, event.severity):
        # Only a mild return is waited for: this one would have paged at once itself.
        work.confirmed.append((incident.id, work.now))
        return
    hold = _hold(incident, one.inlet)
    if hold.learned or (things >= CONFIRMED and hold.alone_s > hold.confirmed_s):
        # What was learned is about alerts that stay alone.
        wait_s = hold.confirmed_s if things >= CONFIRMED else hold.alone_s
        work.confirmed.append((incident.id, max(work.now, incident.opened_at + wait_s * SECOND)))


def worsen(work: Work, incident: Incident, inlet: Inlet, severity: str, because: str) -> None:
    """An alert of it is graver than all before; whoever was told mildly is told anew when that makes it urgent."""
    was_low = incident.urgency == "low"
    entry = raise_severity(incident, severity, because)
    if entry is None:
        return
    work.entries.append((incident.id, entry))
    if entry.detail.get("restart"):
        _page(work, incident, inlet)
    elif was_low and incident.urgency == "high" and incident.escalation == "waiting":
        # It waited as what is not urgent does.
        work.confirmed.append((incident.id, work.now + _hold(incident, inlet).alone_s * SECOND))


def _count(work: Work, incident: Incident, one: Waiting) -> None:
    # The episode itself, not the last one of its key: a key may have opened, resolved and opened again in here.
    one.episode.incident_id = one.row["incident_id"] = incident.id
    incident.last_alert_at = work.now
    incident.alerts += 1
    incident.open_alerts += 1


def _hold(incident: Incident, inlet: Inlet) -> Hold:
    return inlet.first_page.high if incident.urgency == "high" else inlet.first_page.low


def _return(incident: Incident, one: Waiting) -> int:
    """How long it has to stay until it pages again: what comes back once is news; what is milder, or again, must stay."""
    at_once = incident.returns <= 1 and not _milder(incident, one.item.event.severity)
    return 0 if at_once else one.inlet.first_page.returned_s


def _milder(incident: Incident, severity: str) -> bool:
    """Whether an alert would wake nobody, while its incident is one that does."""
    return incident.urgency == "high" and urgency_of(severity) == "low"


def _severity(work: Work, one: Waiting) -> str:
    """How grave an alert is for its incident: what a new integration tells of before is no emergency."""
    said = one.item.event.severity
    old = one.is_old_news(work.now) and work.now - one.inlet.made_at <= NEW_SENDER
    return "warning" if old and urgency_of(said) == "high" else said


def _learned(work: Work, incident: Incident, one: Waiting) -> tuple[int, str]:
    """How long checks such as this one are waited for, and why."""
    habit = work.habits.get(one.row["id"])
    return habit.wait() if habit and _hold(incident, one.inlet).learned else NOTHING_LEARNED


def _page(
    work: Work,
    incident: Incident,
    inlet: Inlet,
    learned: tuple[int, str] = NOTHING_LEARNED,
    *,
    after_s: int | None = None,
) -> None:
    usual_s = _hold(incident, inlet).alone_s if after_s is None else after_s
    wait_s = max(usual_s, learned[0])
    work.due.append(Due(incident.id, incident.service_id, incident.epoch, work.now + wait_s * SECOND))
    if wait_s:
        said = (
            f"its first page waits {wait_s} s, in case it clears by itself"
            if after_s is None
            else f"it pages again if it is still there in {wait_s} s"
        )
        if wait_s > usual_s:
            said += f": {learned[1]}"
        work.entries.append((incident.id, Entry("held", "tocsin", said, {"until": work.now + wait_s * SECOND})))
