"""A page and every try to send it, in sentences: by which way, what came of it, and what followed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from app.clock import SECOND, Micros
from app.explain.facts import Attempt, Facts, PageSeen
from app.explain.wording import clock, many, quote, relative, sentence, took

_LAST = (2**63, 0)
"""After all that has an id."""

Said = tuple[Micros, tuple[int, int], str, str]
"""When, its order among what happened at that instant, its kind, the sentence."""


def page_lines(facts: Facts, page: PageSeen) -> Iterator[Said]:
    """All there is to say of a page, but what is still to come."""
    if page.due_at > page.created_at and not page.fallback and not _brought_forward(facts, page):
        yield page.created_at, (page.id, 0), "page", _planned(facts, page)
    if page.others:
        yield page.due_at, (page.id, 1), "page_bundled", _bundled(facts, page)
    for attempt, following in zip_longest(page.tries, page.tries[1:]):
        said = attempt_said(facts, page, attempt, following)
        yield attempt.started_at, (attempt.id, 0), "try", said
    if page.state == "not_needed":
        yield (
            page.done_at or page.due_at,
            _LAST,
            "page_not_needed",
            f"{_page(page)} was not sent: {not_needed(facts, page)}.",
        )
    elif page.state == "failed" and not page.tries:
        yield (
            page.done_at or page.due_at,
            _LAST,
            "page_failed",
            f"{_page(page)} could not be tried: {quote(page.detail)}.",
        )


def _brought_forward(facts: Facts, page: PageSeen) -> bool:
    """Whether its own time did not come, because a way before it had failed."""
    ends = {attempt.finished_at for one in facts.pages if _together(page, one) for attempt in one.tries}
    return page.due_at in ends


def _page(page: PageSeen) -> str:
    return f"Page {page.number} for {quote(page.recipient, 80)} by {page.way}"


def _planned(facts: Facts, page: PageSeen) -> str:
    begun = facts.incident.opened_at
    at = f"{clock(page.due_at, begun)} ({relative(page.due_at - begun)})"
    return f"{_page(page)} was put off until {at} by their own rules."


def _bundled(facts: Facts, page: PageSeen) -> str:
    others = many(page.others or 0, "other page")
    if page.tries or page.next_try_at is None:
        return f"{_page(page)} was one too many at a time: it went into one message with {others}."
    at = clock(page.next_try_at, facts.incident.opened_at)
    return f"{_page(page)} was one too many at a time: it goes out at {at}, in one message with {others}."


def not_needed(facts: Facts, page: PageSeen) -> str:
    """Why a page was not sent in the end."""
    due = f" ({clock(page.due_at, facts.incident.opened_at)})" if page.due_at else ""
    return f"{quote(page.detail).replace('before this page was due', 'before it was due')}{due}"


def attempt_said(facts: Facts, page: PageSeen, attempt: Attempt, following: Attempt | None) -> str:
    """One try: how it went, and what followed."""
    again = f", try {attempt.number}," if attempt.number > 1 else ""
    said = [f"{_page(page)}{again} {outcome(attempt)}."]
    if attempt.late_s:
        said.append(f"It went out {took(attempt.late_s * SECOND)} late.")
    said += _followed(facts, page, attempt, following)
    if attempt.number == 1 and not page.fallback and _first_of_person(facts, page):
        said.append(f"Why {quote(page.recipient, 80)}: {quote(page.reason)}.")
    return " ".join(said)


def outcome(attempt: Attempt) -> str:
    """What came of a try."""
    lasted = took((attempt.finished_at or attempt.started_at) - attempt.started_at)
    if attempt.receipt_at is not None:
        said = "that it was delivered" if attempt.outcome == "delivered" else "that it was not delivered"
        later = took(attempt.receipt_at - (attempt.finished_at or attempt.started_at))
        return f"was taken by the provider after {lasted}, which said {later} later {said}"
    receipt = f" (receipt {quote(attempt.receipt, 80)})" if attempt.receipt else ""
    detail = quote(attempt.detail) or "no reason was given"
    match attempt.outcome:
        case "delivered":
            return f"was delivered after {lasted}{receipt}"
        case "accepted":
            return f"was taken by the provider after {lasted}{receipt}"
        case "refused":
            return f"was refused after {lasted}: {detail}"
        case "try_again":
            return f"could not be sent yet: {detail}"
        case "unknown":
            return f"had no clear answer after {lasted} ({detail}): it may have arrived or not"
        case None:
            return "is being sent; there is no answer yet"
        case other:
            return f"ended as {quote(other)}: {detail}"


def _followed(facts: Facts, page: PageSeen, attempt: Attempt, following: Attempt | None) -> Iterator[str]:
    end = attempt.finished_at
    if end is None:
        return
    if following is not None:
        yield f"It was tried again {took(following.started_at - end)} later."
    elif page.state in ("waiting", "blocked") and page.next_try_at is not None:
        yield f"It is tried again at {clock(page.next_try_at, facts.incident.opened_at)}."
    elif page.state == "failed" and attempt.outcome in ("try_again", "unknown"):
        yield f"This way was given up after {len(page.tries)} tries."
    if (next_way := _next_way(facts, page, end)) is not None:
        yield sentence(f"so page {next_way.number}, by {next_way.way}, was due at once")


def _next_way(facts: Facts, page: PageSeen, end: Micros) -> PageSeen | None:
    """The person's next way, when it was this try that started it."""
    return next((one for one in facts.pages if one.due_at == end and _together(one, page)), None)


def _together(one: PageSeen, other: PageSeen) -> bool:
    return one.number > other.number and (one.whom, one.epoch, one.round, one.level) == (
        other.whom,
        other.epoch,
        other.round,
        other.level,
    )


def _first_of_person(facts: Facts, page: PageSeen) -> bool:
    return not any(_together(page, one) for one in facts.pages)
