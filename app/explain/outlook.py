"""What a dry run says: of each event, each incident, and of who would be told when; in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.clock import MINUTE, Micros
from app.explain.entries import why_priority
from app.explain.forecast import Expected, expected, gaps
from app.explain.rehearsal import EventFate, IncidentFate, Rehearsal
from app.explain.wording import clock, day_and_clock, level_name, many, names, quote, sentence, why_quiet

SPOKEN = 3
"""Steps that are named in the summary."""


@dataclass(frozen=True, slots=True)
class EventSaid:
    """One event, and what would become of it."""

    fate: EventFate
    incident: str
    """What its incident is called in sentences; empty where it has none."""
    sentence: str


@dataclass(frozen=True, slots=True)
class IncidentSaid:
    """One incident, and what would become of it."""

    fate: IncidentFate
    name: str
    sentences: tuple[str, ...]
    expected: tuple[Expected, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that a dry run says."""

    at: Micros
    summary: tuple[str, ...]
    events: tuple[EventSaid, ...]
    incidents: tuple[IncidentSaid, ...]
    assumed: tuple[str, ...]
    """What was taken for granted, and what was left out."""


def outlook(found: Rehearsal) -> Outlook:
    """What is to be said."""
    named = _names(found)
    said = tuple(_incident(one, named[one.incident.id], found.at) for one in found.incidents)
    events = tuple(_event(one, named) for one in found.events)
    return Outlook(found.at, tuple(_summary(found, said)), events, said, tuple(_assumed(found)))


def _names(found: Rehearsal) -> Mapping[int, str]:
    """How each incident is called: "incident #12", "a new incident"."""
    fresh = [one.incident.id for one in found.incidents if one.new]
    named = {one.incident.id: f"incident #{one.incident.number}" for one in found.incidents if not one.new}
    if len(fresh) == 1:
        return {**named, fresh[0]: "a new incident"}
    return {**named, **{one: f"new incident {place}" for place, one in enumerate(fresh, start=1)}}


def _event(fate: EventFate, named: Mapping[int, str]) -> EventSaid:
    incident = "" if fate.incident_id is None else named.get(fate.incident_id, "an incident that is not told here")
    what = f"{quote(fate.title)} ({fate.severity}, {fate.status}): {quote(fate.because)}"
    return EventSaid(fate, incident, f"{what}. {_becomes(fate, incident)}")


def _becomes(fate: EventFate, incident: str) -> str:
    """What an event does to its alert."""
    of = f" of {incident}" if incident else ""
    match fate.change.kind:
        case "open" if not incident:
            return "It is kept as an alert and concerns nobody: no incident, no page."
        case "open":
            return f"It opens {incident}." if fate.opens else f"It joins {incident.replace('a new', 'the new')}."
        case "repeat":
            return f"It is counted; nothing else happens to the alert{of}."
        case "update":
            return f"The alert{of} shows it from then on."
        case "resolve":
            return f"The alert{of} ends."
        case "orphan":
            return "It is kept as an alert that is over; nobody is paged."
        case "end":
            return "It is over already; when it ended is noted."
        case "nothing":
            return "Nothing happens."
        case "acknowledge":
            return f"It counts as an acknowledgement{of}."


def _incident(fate: IncidentFate, name: str, at: Micros) -> IncidentSaid:
    begun = at if fate.new else fate.incident.opened_at
    steps = expected(fate.ahead, begun) if fate.ahead else ()
    return IncidentSaid(fate, name, tuple(_of_incident(fate, name)), steps, gaps(steps))


def _of_incident(fate: IncidentFate, name: str) -> Iterator[str]:
    incident = fate.incident
    of = f" of {quote(fate.service)}" if fate.service else ""
    if fate.new:
        yield f"{sentence(name)[:-1]}{of} is opened: {quote(incident.title)}."
        yield why_priority(incident.severity, incident.impact, fate.service)
    else:
        yield f"{sentence(name)[:-1]}{of}: {quote(incident.title)}, {incident.priority} ({incident.urgency} urgency)."
    for entry in fate.entries:
        if entry.kind != "triggered":
            yield sentence(quote(entry.reason))
    if fate.ahead is not None and fate.ahead.quiet is not None:
        yield why_quiet(fate.ahead.quiet.says)
    if not fate.new or fate.ahead is None:
        yield _stands(fate)


def _stands(fate: IncidentFate) -> str:
    """Why an incident that is there already pages nobody because of this, and what it does anyway."""
    incident = fate.incident
    match incident.state:
        case "acknowledged":
            until = f" until {clock(incident.ack_until, incident.opened_at)}" if incident.ack_until else ""
            then = "; then paging begins anew" if incident.ack_until else ""
            return f"{quote(incident.acknowledged_by or 'Somebody', 100)} has it{until}, so nobody is told{then}."
        case "triggered" if fate.ahead is not None:
            return "Its escalation is under way and goes on as it would without this: nobody is told again."
        case "triggered":
            return "Its policy has ended already, so nobody else is told."
        case state:
            return f"It is {state} then: nobody is told."


def _summary(found: Rehearsal, said: tuple[IncidentSaid, ...]) -> Iterator[str]:
    when = day_and_clock(found.at)
    if not said:
        yield f"If this arrived on {when}, no incident would be touched and nobody would be told."
        return
    for one in said[:SPOKEN]:
        incident = one.fate.incident
        of = f" of {quote(one.fate.service)}" if one.fate.service else ""
        if one.fate.new:
            what = f"{one.name}{of} would be opened, {incident.priority} ({incident.urgency} urgency)"
        else:
            what = f"it would belong to {one.name}{of}, which is {incident.state} then"
        yield f"If this arrived on {when}, {what}."
        if one.fate.ahead is not None and one.fate.ahead.quiet is not None:
            yield why_quiet(one.fate.ahead.quiet.says)
        yield _told(one)
        yield from (f"BEWARE: {gap}" for gap in one.gaps[:SPOKEN])
    if len(said) > SPOKEN:
        yield f"{many(len(said) - SPOKEN, 'more incident')} would be touched; they are told below."


def _told(said: IncidentSaid) -> str:
    steps = [step for step in said.expected if step.told]
    if not steps:
        return "Nobody would be told."
    begun = said.expected[0].at
    parts = []
    for step in steps[:SPOKEN]:
        at = clock(step.at, begun)
        if step.kind == "console":
            parts.append(f"the console is told at {at}")
            continue
        what = level_name(step.level or 0, step.round) if step.kind == "level" else "the fallback"
        parts.append(f"{what} tells {names(one.name for one in step.told)} at {at}")
    rest = f"; {many(len(steps) - SPOKEN, 'more step follows', 'more steps follow')}" if len(steps) > SPOKEN else ""
    return sentence(f"{'; '.join(parts)}{rest}, as long as nobody acknowledges")


def _assumed(found: Rehearsal) -> Iterator[str]:
    yield "It is assumed that each page can be sent and that nobody acknowledges."
    if found.at > found.now and found.events:
        yield "What is open now is taken to be as it is now, and nothing else to happen until then."
    if found.at < found.now - MINUTE:
        yield "That instant is in the past: on call is told as it was, everything else as it is now."
    if found.more_events:
        yield f"{many(found.more_events, 'more event')} of the message were looked at and are not told one by one."
    if found.more_incidents:
        yield f"{many(found.more_incidents, 'more incident')} would be touched and are left out here."
