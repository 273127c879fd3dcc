"""The whole explanation of one incident, from its facts: a summary, person by person, and in order of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.clock import Micros
from app.explain.entries import Line, entries
from app.explain.facts import Facts, LeftOut
from app.explain.forecast import Expected, expected
from app.explain.people import OnePerson, nobody, people
from app.explain.wording import clock, day_and_clock, joined, level_name, many, names, quote, sentence, why_quiet

IN_SUMMARY = 3
"""People who are named in the summary; the rest are counted there and told below."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why each person was paged or not."""

    number: int
    title: str
    service: str
    state: str
    priority: str
    opened_at: Micros
    as_of: Micros
    summary: tuple[str, ...]
    people: tuple[OnePerson, ...]
    nobody: tuple[str, ...]
    """Where a target led to nobody, and why."""
    entries: tuple[Line, ...]
    ahead: tuple[Expected, ...]
    """What follows if nobody does anything."""
    left_out: tuple[str, ...]


def explain(facts: Facts) -> Explanation:
    """The explanation of what is known."""
    incident = facts.incident
    everybody = people(facts)
    ahead = expected(facts.ahead, incident.opened_at) if facts.ahead else ()
    return Explanation(
        number=incident.number,
        title=quote(incident.title),
        service=quote(facts.service),
        state=incident.state,
        priority=incident.priority,
        opened_at=incident.opened_at,
        as_of=facts.now,
        summary=tuple(_summary(facts, everybody, ahead)),
        people=everybody,
        nobody=nobody(facts),
        entries=entries(facts),
        ahead=ahead,
        left_out=tuple(_left_out(facts.left_out)),
    )


def _summary(facts: Facts, everybody: Sequence[OnePerson], ahead: Sequence[Expected]) -> Iterator[str]:
    incident = facts.incident
    of = f" of {quote(facts.service)}" if facts.service else ""
    opened = day_and_clock(incident.opened_at)
    yield (
        f"#{incident.number} {quote(incident.title)}{of} was opened on {opened} and is "
        f"{incident.priority} ({incident.urgency} urgency)."
    )
    paged = [one for one in everybody if one.paged]
    others = [one for one in everybody if not one.paged]
    yield _briefly(paged, "were paged too") if paged else "Nobody was paged so far."
    if others:
        yield _briefly(others, "were not paged either")
    if facts.ahead is not None and facts.ahead.quiet is not None:
        yield why_quiet(facts.ahead.quiet.says)
    yield _now(facts, ahead)


def _briefly(found: Sequence[OnePerson], too: str) -> str:
    shown = [one.brief for one in found[:IN_SUMMARY]]
    rest = len(found) - len(shown)
    more = f"; {many(rest, 'other')} {too if rest > 1 else too.replace('were', 'was', 1)}" if rest else ""
    return sentence("; ".join(shown) + more)


def _now(facts: Facts, ahead: Sequence[Expected]) -> str:
    """How it stands, and what comes next."""
    incident, begun = facts.incident, facts.incident.opened_at
    match incident.state:
        case "triggered":
            return _open(facts, ahead)
        case "acknowledged":
            until = f" until {clock(incident.ack_until, begun)}; then paging begins anew" if incident.ack_until else ""
            return f"{quote(incident.acknowledged_by or 'Somebody', 100)} has it{until}."
        case "resolved" | "closed":
            by = incident.resolved_by or "tocsin"
            how = {"recovered": "it recovered by itself", "false_alarm": "a false alarm"}.get(
                incident.resolution or "", incident.resolution or "no reason is known"
            )
            at = clock(incident.resolved_at or incident.updated_at, begun)
            who = "" if by == "tocsin" else f" by {quote(by, 100)}"
            return f"It was resolved at {at}{who} ({how})."
        case _:
            return f"It is {incident.state}."


def _open(facts: Facts, ahead: Sequence[Expected]) -> str:
    begun = facts.incident.opened_at
    ends = [entry.kind for entry in facts.timeline if entry.kind in ("undelivered", "policy_exhausted")]
    if ends[-1:] == ["undelivered"] and facts.incident.escalation == "exhausted":
        return "Nobody has it and nobody could be reached: the policy has ended, and the console was told."
    if facts.incident.escalation == "exhausted":
        return "Nobody has it, and nobody else will be told: the policy has ended."
    telling = next((one for one in ahead if one.told), None)
    has = _who_has_it(facts)
    if telling is None:
        return f"{has}, and nobody else will be told."
    whom = names(one.name for one in telling.told)
    if telling.kind == "console":
        return f"{has}: the console is told at {clock(telling.at, begun)} unless somebody acknowledges."
    what = level_name(telling.level or 0, telling.round) if telling.kind == "level" else "the fallback"
    return f"{has}: {what} tells {whom} at {clock(telling.at, begun)} unless {'they do' if facts.incident.awaiting else 'somebody acknowledges'}."


def _who_has_it(facts: Facts) -> str:
    """Where each of several people must acknowledge: who has, and who has not."""
    if not facts.incident.awaiting:
        return "Nobody has it"
    last = next((entry for entry in reversed(facts.timeline) if entry.kind == "acknowledged_by_one"), None)
    return quote(last.reason) if last else "Each person of the level must acknowledge, and nobody has"


def _left_out(left: LeftOut) -> Iterator[str]:
    counts = (
        (left.alerts, "alert", "alerts"),
        (left.pages, "page", "pages"),
        (left.entries, "entry of the timeline", "entries of the timeline"),
        (left.visits, "open of a link", "opens of links"),
    )
    told = [many(count, one, more) for count, one, more in counts if count]
    if told:
        yield f"Left out, from the middle: {joined(told)}. The incident's own lists have all of them."
