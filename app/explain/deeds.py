"""One entry of the timeline in a sentence: what was done, by whom, and what it meant for paging. Pure."""

from __future__ import annotations

from app.clock import SECOND
from app.explain.facts import Facts, Happened, PageSeen
from app.explain.wording import clock, level_name, names, quote, sentence, took

STOPS = ("acknowledged", "snoozed", "resolved")
"""Entries with which paging stops."""
_RESTARTS = ("ack_expired", "unacknowledged", "escalated", "reopened", "reassigned", "policy_changed")
TAKEN = ("accepted", "delivered")
"""Outcomes of tries that went well."""
LEVELS = ("level_told", "level_reached_nobody")


def restarts(entry: Happened) -> bool:
    """Whether paging begins anew with an entry."""
    return entry.kind in _RESTARTS or bool(entry.detail.get("restart"))


def deed(facts: Facts, entry: Happened) -> str:
    """The sentence of an entry; empty for one that is told elsewhere."""
    match entry.kind:
        case "triggered":
            return f"Incident #{facts.incident.number} was {quote(entry.reason)}."
        case "level_told":
            return _level(facts, entry)
        case "level_reached_nobody":
            return _passed_over(facts, entry)
        case "acknowledged" | "acknowledged_by_one" | "snoozed":
            return _held(facts, entry)
        case "resolved" | "closed" | "reopened" | "escalated":
            return _changed(entry)
        case "note":
            return f"{who(facts, entry)} noted: {quote(entry.reason)}"
        case "page_failed" if _told_by_a_try(facts, entry):
            return ""
        case (
            "page_failed"
            | "page_held"
            | "undelivered"
            | "severity_raised"
            | "policy_exhausted"
            | "policy_changed"
            | "ack_expired"
            | "unacknowledged"
        ):
            return sentence(quote(entry.reason))
        case "fallback_told" | "fallback_reached_nobody":
            return sentence(quote(entry.reason, 1_000))
        case _:
            by = "" if entry.actor == "tocsin" else f"{who(facts, entry).rstrip(',')}: "
            return sentence(f"{by}{quote(entry.reason)}")


def _told_by_a_try(facts: Facts, entry: Happened) -> bool:
    failed = (attempt for page in facts.pages for attempt in page.tries if attempt.outcome not in TAKEN)
    return any(attempt.finished_at == entry.at for attempt in failed)


def who(facts: Facts, entry: Happened) -> str:
    """Who did it, and by what."""
    actor = quote(entry.actor, 100)
    if entry.actor.startswith("api key "):
        return f"{actor[:1].upper()}{actor[1:]}, by the API,"
    if entry.actor.startswith("someone via "):
        return f"Someone, by the link of a page to {quote(entry.actor.removeprefix('someone via '), 80)},"
    if any(page.recipient == entry.actor for page in facts.pages):
        return f"{actor}, by the link of a page,"
    if any(alert.integration == entry.actor for alert in facts.alerts):
        return f"The sender {actor}"
    return actor


def _held(facts: Facts, entry: Happened) -> str:
    if entry.kind == "acknowledged_by_one":
        return sentence(f"{who(facts, entry)} {quote(entry.reason.removeprefix(entry.actor).strip())}")
    until = entry.detail.get("until")
    taken = f" ({quote(entry.reason.partition('(')[2])}" if "(taken over from" in entry.reason else ""
    after = _since_first_page(facts, entry)
    begun = facts.incident.opened_at
    if entry.kind == "snoozed":
        said = f"{who(facts, entry)} asked for quiet until {clock(until, begun)}{after}" if until else entry.reason
        return f"{said}; then paging begins anew."
    said = f"{who(facts, entry)} acknowledged{taken}{after}: paging stopped."
    return said + (f" It begins anew at {clock(until, begun)} unless this is resolved before." if until else "")


def _since_first_page(facts: Facts, entry: Happened) -> str:
    """How long after their first page they answered."""
    tries = [
        attempt.started_at
        for page in facts.pages
        if page.recipient == entry.actor.removeprefix("someone via ")
        for attempt in page.tries
        if attempt.started_at <= entry.at and page.state == "sent"
    ]
    return f" {took(entry.at - min(tries))} after the first page" if tries else ""


def _changed(entry: Happened) -> str:
    actor, reason = quote(entry.actor, 100), quote(entry.reason)
    match entry.kind:
        case "resolved" if entry.actor == "tocsin":
            return f"The incident is resolved: {reason}."
        case "resolved":
            return f"{sentence(actor)[:-1]} resolved it: {reason.removesuffix(f', says {actor}')}."
        case "closed":
            return f"{sentence(actor)[:-1]} closed it: verified."
        case "reopened":
            return f"{sentence(actor)[:-1]} reopened it: paging begins anew."
        case _:
            return f"{sentence(actor)[:-1]} did not wait: {reason}."


def _own_pages(facts: Facts, entry: Happened) -> list[PageSeen]:
    key = (entry.at, entry.detail.get("level"), entry.detail.get("round"))
    return [page for page in facts.pages if (page.created_at, page.level, page.round) == key]


def level_of(entry: Happened) -> str:
    """As people count, of an entry that tells a level: "level 1, round 2"."""
    return level_name(int(entry.detail.get("level", 0)), int(entry.detail.get("round", 0)))


def missed_of(entry: Happened) -> list[str]:
    """Why others were not told at that level."""
    return [quote(str(one.get("reason", ""))) for one in entry.detail.get("missed", ())]


def _rules(facts: Facts, entry: Happened) -> str:
    policy = facts.policy_of(entry)
    if policy is None:
        return ""
    newer = f", which is at version {policy.newest} by now" if policy.newest > policy.version else ""
    because = f", {quote(str(entry.detail['because']))}" if entry.detail.get("because") else ""
    return f" ({quote(policy.name, 80)}, version {policy.version}{newer}{because})"


def _level(facts: Facts, entry: Happened) -> str:
    own = _own_pages(facts, entry)
    if entry.detail.get("policy_version") is None and own:
        return sentence(quote(own[0].reason))
    if not own:
        return sentence(quote(entry.reason))
    told = names(page.recipient for page in own)
    said = f"{sentence(level_of(entry))[:-1]}{_rules(facts, entry)} told {told}{_why_now(facts, entry)}."
    missed = missed_of(entry)
    return said + (f" Not told: {'; '.join(missed)}." if missed else "")


def _passed_over(facts: Facts, entry: Happened) -> str:
    missed = missed_of(entry)
    why = "; ".join(missed) if missed else quote(entry.reason.partition(": ")[2])
    name = sentence(level_of(entry))[:-1]
    return f"{name}{_rules(facts, entry)} reached nobody and was passed over at once: {why}."


def _why_now(facts: Facts, entry: Happened) -> str:
    """Why a level that is not the first was told just then."""
    before = _entry_before(facts, entry)
    if before is None or before.kind not in LEVELS:
        return ""
    if before.kind == "level_reached_nobody":
        return f", because {level_of(before)} reached nobody"
    own = _own_pages(facts, before)
    first = min((attempt.started_at for page in own for attempt in page.tries), default=None)
    used = [page for page in own if page.due_at]
    if used and all(_gone(page, entry) for page in used):
        return f", because nothing that {level_of(before)} sent got through"
    if first is None:
        return ""
    return f", because nobody had it {took((entry.at - first) // SECOND * SECOND)} after {level_of(before)}"


def _gone(page: PageSeen, entry: Happened) -> bool:
    """Whether a page had failed by then, or counted as failed."""
    return page.state == "blocked" or (page.state == "failed" and (page.done_at or 0) <= entry.at)


def _entry_before(facts: Facts, entry: Happened) -> Happened | None:
    """The last entry before it that says how paging went."""
    found = None
    for one in facts.timeline:
        if one.id >= entry.id:
            break
        if one.kind in (*STOPS, *LEVELS) or restarts(one):
            found = one
    return found
