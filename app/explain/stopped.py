"""Where paging was stopped, and which levels were therefore not reached. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.clock import SECOND, Micros
from app.explain.deeds import LEVELS, STOPS, restarts
from app.explain.facts import Facts, Happened
from app.explain.wording import clock, quote, took


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last time that paging was stopped."""

    entry: Happened
    """By what."""
    last: Happened | None
    """The level that was told or passed over last, since paging had begun."""
    first_level: int
    """The level with which it had begun."""

    @property
    def next_level(self) -> int:
        """The first level that was not reached."""
        return self.first_level if self.last is None else int(self.last.detail.get("level", 0)) + 1

    @property
    def first_round(self) -> bool:
        """Whether levels were left that nobody had been told by."""
        return self.last is None or not self.last.detail.get("round")


def stopped(timeline: Iterable[Happened]) -> Stopped | None:
    """Where paging was stopped for good so far; None when it goes on, has run out, or never began."""
    last: Happened | None = None
    first_level, found = 0, None
    running = True
    for entry in timeline:
        if entry.kind in LEVELS:
            last = entry
        elif restarts(entry):
            last, found, running = None, None, True
            first_level = int(entry.detail.get("level", 0)) if entry.kind == "escalated" else 0
        elif entry.kind in STOPS and running:
            found, running = Stopped(entry, last, first_level), False
    return found


def why_stopped(facts: Facts, by: Stopped, level: int) -> str:
    """Why a level was not reached: "Ana acknowledged 40 s before it was due (03:06:00 UTC)"."""
    entry = by.entry
    begun = facts.incident.opened_at
    due = next_due(facts, by) if level == by.next_level else None
    if due is None or due < entry.at:
        return f"{_deed(entry)} at {clock(entry.at, begun)}"
    return f"{_deed(entry)} {took(due - entry.at)} before it was due ({clock(due, begun)})"


def next_due(facts: Facts, by: Stopped) -> Micros | None:
    """When the first level that was not reached would have been told."""
    if by.last is None:
        return None
    at, level = by.last.at, int(by.last.detail.get("level", 0))
    tries = [
        attempt.started_at
        for page in facts.pages
        if (page.created_at, page.level) == (at, level)
        for attempt in page.tries
    ]
    delay_s = by.last.detail.get("delay_s") or _delay_s(facts, by.last, level)
    return min(tries) + delay_s * SECOND if tries and delay_s else None


def _delay_s(facts: Facts, told: Happened, level: int) -> int | None:
    """How long a level has by its policy; of entries that were written before they said so themselves."""
    policy = facts.policy_of(told)
    return policy.delays_s[level] if policy and level < len(policy.delays_s) else None


def _deed(entry: Happened) -> str:
    actor = quote(entry.actor, 100)
    match entry.kind:
        case "acknowledged":
            return f"{actor} acknowledged"
        case "snoozed":
            return f"{actor} asked for quiet"
        case _:
            return "the incident was resolved" if entry.actor == "tocsin" else f"{actor} resolved it"
