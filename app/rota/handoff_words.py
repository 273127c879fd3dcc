"""What people are told when they come on call: when, why, from whom, what is open, and how busy it was. Pure.

Titles of incidents come from senders: they are text, cut here and made harmless by each notifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.clock import DAY, Micros, lasting
from app.oncall.schedule import PRIMARY
from app.oncall.wording import span, when

SHOWN = 5
"""More open incidents than these are counted, not listed."""
MAX_INCIDENT_TITLE = 120


@dataclass(frozen=True, slots=True)
class Load:
    """How it goes with what a schedule is on call for. Incidents are those of the services whose policy uses it."""

    open: tuple[tuple[int, str], ...]
    """Number and title of the first SHOWN that are open, oldest first."""
    open_count: int
    pages_day: int
    """Pages that were sent by way of this schedule in the last 24 hours."""
    pages_week: int
    incidents_day: int
    incidents_week: int
    changed_since: Micros
    """From when the next two count."""
    opened: int
    resolved: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who comes on call."""

    person: str
    schedule: str
    role: str
    reason: str
    """Why them, as a sentence without a capital."""
    handing_over: tuple[str, ...]
    starts_at: Micros
    ends_at: Micros | None
    """None: not within what was laid out."""


Text = tuple[str, str]
"""A title and what stands below it."""


def before_text(one: Arrival, load: Load, zone: str, now: Micros) -> Text:
    """For the person, ahead of it."""
    title = f"Your on-call in {_place(one)} begins in {lasting(one.starts_at - now)}"
    lines = [_time(one, zone), f"Why: {one.reason}", *_from(one, "You take over from"), *_open(load), _busy(load)]
    return title, "\n".join(lines)


def arrived_text(one: Arrival, load: Load, zone: str, now: Micros) -> Text:
    """For the person, at the handoff."""
    title = f"You are on call in {_place(one)} now"
    lines = [_time(one, zone), f"Why: {one.reason}", *_from(one, "You take over from"), _changed(load, now)]
    return title, "\n".join([*lines, *_open(load), _busy(load)])


def handoff_text(one: Arrival, load: Load, zone: str, now: Micros, *, late: bool) -> Text:
    """For the team's channel. `late`: it began a while ago and nobody could be told."""
    since = f"since {when(one.starts_at, zone)}" if late else "now"
    until = f" (until {when(one.ends_at, zone)})" if one.ends_at is not None else ""
    taking = f", taking over from {_names(one.handing_over)}" if one.handing_over else ""
    lines = [f"Why: {one.reason}", _changed(load, now), *_open(load), _busy(load)]
    return f"{one.person} is on call in {_place(one)} {since}{until}{taking}", "\n".join(lines)


def _place(one: Arrival) -> str:
    return one.schedule if one.role == PRIMARY else f"{one.schedule} ({one.role})"


def _time(one: Arrival, zone: str) -> str:
    if one.ends_at is None:
        return f"From {when(one.starts_at, zone)}, for a long time ({one.role})"
    return f"{span(one.starts_at, one.ends_at, zone)} ({one.role})"


def _from(one: Arrival, words: str) -> list[str]:
    return [f"{words} {_names(one.handing_over)}."] if one.handing_over else []


def _names(people: Sequence[str]) -> str:
    return " and ".join(people)


def _open(load: Load) -> list[str]:
    if not load.open_count:
        return ["No incident is open."]
    more = load.open_count - len(load.open)
    lines = [f"- #{number} {title[:MAX_INCIDENT_TITLE]}" for number, title in load.open]
    return [f"{_many(load.open_count, 'incident')} open:", *lines, *([f"- and {more} more"] if more else [])]


def _busy(load: Load) -> str:
    if not load.pages_week and not load.incidents_week:
        return "Quiet: no page and no incident in the last 7 days."
    day = f"{_many(load.pages_day, 'page')} and {_many(load.incidents_day, 'incident')} in the last 24 h"
    week = f"{_many(load.pages_week, 'page')} and {_many(load.incidents_week, 'incident')} in the last 7 days"
    return f"{'Busy' if load.pages_day else 'Quiet lately'}: {day}; {week}."


def _changed(load: Load, now: Micros) -> str:
    gap = now - load.changed_since
    since = "In the last 7 days" if gap >= 7 * DAY else f"Since your last shift, {lasting(gap)} ago"
    return f"{since}: {_many(load.opened, 'incident')} opened, {load.resolved} resolved."


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
