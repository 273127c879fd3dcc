"""What happened to an incident, in order, each thing in a sentence that says why. Pure.

Alerts and opens of links are told here, the timeline in deeds.py, pages and their tries in tries.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.clock import MINUTE, SECOND, Micros
from app.explain.deeds import deed
from app.explain.facts import AlertSeen, Changed, Facts, Happened, Visit
from app.explain.tries import page_lines
from app.explain.wording import clock, many, quote, took
from app.incidents.incident import Incident
from app.incidents.priority import Impact, priority_of, urgency_of


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    at: Micros
    kind: str
    sentence: str


Order = tuple[int, int]
"""Among what happened at one instant: an id, and what comes before or after what has that id."""


def entries(facts: Facts) -> tuple[Line, ...]:
    """All of it, in order of time."""
    found: list[tuple[Micros, Order, Line | Visit]] = []
    for alert in facts.alerts:
        # The end of an alert has no id of its own: it comes before what followed from it.
        found += [(line.at, (alert.id, 0) if line.kind == "alert" else (0, 0), line) for line in _alert(facts, alert)]
    for entry in facts.timeline:
        place = _place(facts, entry)
        found += [(entry.at, place, line) for line in _entry(facts, entry)]
    for page in facts.pages:
        found += [(at, order, Line(at, kind, said)) for at, order, kind, said in page_lines(facts, page)]
    found += [(visit.at, (visit.id, 0), visit) for visit in facts.visits]
    found += [
        (change.at, (change.id, 0), Line(change.at, "change", _change(facts, change))) for change in facts.changes
    ]
    # Sorted by instant and id alone: what has the same of both stays in the order in which it was told.
    return tuple(_told(facts, [one for _, _, one in sorted(found, key=lambda one: one[:2])]))


def _told(facts: Facts, found: Iterable[Line | Visit]) -> Iterator[Line]:
    """Visits with nothing between them but other visits are one line for each kind: scanners come many times."""
    alike: dict[tuple[str, str], list[Visit]] = {}
    for one in (*found, None):
        if isinstance(one, Visit):
            alike.setdefault((one.recipient, one.why), []).append(one)
            continue
        yield from (Line(some[0].at, "link", _visits(facts, some)) for some in alike.values())
        alike.clear()
        if one is not None:
            yield one


def _alert(facts: Facts, alert: AlertSeen) -> Iterator[Line]:
    title, begun = quote(alert.title), facts.incident.opened_at
    said = f"Alert {title} ({alert.severity}) came from {quote(alert.integration)} ({alert.kind}): {alert.because}."
    if alert.starts_at is not None and alert.first_seen_at - alert.starts_at >= MINUTE:
        said += f" Its sender says that it began at {clock(alert.starts_at, begun)}."
    if alert.count > 1:
        said += f" It was sent {many(alert.count, 'time')}, last at {clock(alert.last_seen_at, begun)}."
    yield Line(alert.first_seen_at, "alert", said)
    if alert.resolved_at is None or alert.resolved_by == "person":
        return
    silent = alert.resolved_by == "expiry"
    how = "by itself, because its sender stopped repeating it" if silent else "says its sender"
    yield Line(alert.resolved_at, "alert_over", f"Alert {title} ended{' ' if silent else ', '}{how}.")


def _place(facts: Facts, entry: Happened) -> Order:
    """Where an entry stands among what happened at its instant: what was told is read before the pages that tell it."""
    if entry.kind not in ("level_told", "level_reached_nobody"):
        return entry.id, 0
    key = (entry.at, entry.detail.get("level"), entry.detail.get("round"))
    own = [page.id for page in facts.pages if (page.created_at, page.level, page.round) == key and page.id < entry.id]
    return (min(own), -1) if own else (entry.id, 0)


def _entry(facts: Facts, entry: Happened) -> Iterator[Line]:
    if said := deed(facts, entry):
        yield Line(entry.at, entry.kind, said)
    if entry.kind == "triggered":
        if facts.grouping is not None and facts.alerts:
            yield Line(entry.at, "grouping", grouped(facts))
        yield Line(entry.at, "priority", prioritized(facts))


def grouped(facts: Facts) -> str:
    """The rule by which alerts join this incident."""
    assert facts.grouping is not None
    if facts.grouping.by == "evidence":
        return "Alerts join it by evidence: by what they have in common with it, and with each other."
    rule, of = facts.grouping, quote(facts.service) or "an integration without a service"
    within = f"while it is open and its last alert came at most {took(rule.window_s * SECOND)} before"
    if rule.by == "labels":
        return f"Alerts of {of} with the same {', '.join(rule.labels)} join one incident {within}."
    if rule.by == "alert":
        return f"Each problem of {of} has an incident of its own; only the same alert joins it again, {within}."
    return f"Alerts of {of} join one incident {within}."


def prioritized(facts: Facts) -> str:
    """How its urgency and priority came about when it was opened."""
    incident = facts.incident
    return why_priority(severity_at_opening(facts, incident), incident.impact, facts.service)


def why_priority(severity: str, impact: Impact, service: str) -> str:
    """From severity to urgency, from that and the impact to the priority."""
    urgency = urgency_of(severity)
    of = f" of {quote(service)}" if service else ""
    return (
        f"Severity {severity} means {urgency} urgency, by which people's own rules are chosen; with the "
        f"{impact} impact{of} that is {priority_of(impact, urgency)}."
    )


def severity_at_opening(facts: Facts, incident: Incident) -> str:
    """Before anything raised it."""
    raised = (one for one in facts.timeline if one.kind == "severity_raised")
    first = next(raised, None)
    return str(first.detail.get("was") or incident.severity) if first else incident.severity


def _change(facts: Facts, change: Changed) -> str:
    before = facts.incident.opened_at - change.at
    when = f", {took(before)} before the incident" if before > 0 else ""
    source = f", says {quote(change.source, 80)}" if change.source else ""
    return f"In {quote(facts.service)} something was changed{when}{source}: {quote(change.summary)}."


def _visits(facts: Facts, alike: Sequence[Visit]) -> str:
    first, last = alike[0], alike[-1]
    opened = f"opened the link of {quote(first.recipient, 80)}'s page"
    if len(alike) > 1:
        opened += f" {many(len(alike), 'time')}, last at {clock(last.at, facts.incident.opened_at)},"
    if first.by == "person":
        return f"Somebody {opened} and looked ({first.why})."
    return f"A machine {opened.rstrip(',')}: {first.why}. Opening changes nothing."
