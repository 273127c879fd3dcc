"""What follows a send. Pure: the outcome and how often it was tried in, what to do next out.

    delivered, accepted   done
    refused               this page has failed; the person's next way is used at once
    try again             again after a growing pause, or when the provider asked; the next way starts beside it
    unknown               again, because it may not have arrived; a duplicate is possible and carries the same number

Pauses grow by doubling and are spread by chance, so that many pages do not come back at one instant
("full jitter", M. Brooker, Exponential Backoff And Jitter, 2015; here over the upper half, so that none is at once).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import SECOND, Micros
from app.notifiers.notifier import Accepted, Delivered, Outcome, Refused, TryAgain, Unknown

MAX_TRIES = 6
MAX_UNKNOWN_TRIES = 3
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
LONGEST_ASKED_S = 300.0
"""A provider that asks for a longer pause is as good as down: the person's next way is used meanwhile."""


@dataclass(frozen=True, slots=True)
class Done:
    """The page is sent."""


@dataclass(frozen=True, slots=True)
class Failed:
    """This way has failed for good."""

    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """Try this way again at an instant; `beside` also starts the person's next way now."""

    at: Micros
    reason: str
    beside: bool


Next = Done | Failed | Again


def after_send(outcome: Outcome, tries: int, now: Micros, chance: float) -> Next:
    """What follows try number `tries` (from 1). `chance` is in [0, 1)."""
    match outcome:
        case Delivered() | Accepted():
            return Done()
        case Refused(reason):
            return Failed(reason)
        case TryAgain(reason, after_s):
            if tries >= MAX_TRIES:
                return Failed(f"given up after {tries} tries: {reason}")
            pause_s = backoff_s(tries, chance)
            if after_s is not None:
                pause_s = max(pause_s, min(after_s, LONGEST_ASKED_S))
            return Again(now + int(pause_s * SECOND), reason, beside=True)
        case Unknown(reason):
            if tries >= MAX_UNKNOWN_TRIES:
                return Failed(f"no answer after {tries} tries: {reason}")
            return Again(now + int(backoff_s(tries, chance) * SECOND), reason, beside=True)


def backoff_s(tries: int, chance: float) -> float:
    """The pause after try number `tries`: between half and all of 2, 4, 8, ... seconds, at most a minute."""
    whole: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
    return whole * (0.5 + chance / 2)


def outcome_name(outcome: Outcome) -> str:
    """The word for rows and metrics."""
    match outcome:
        case Delivered():
            return "delivered"
        case Accepted():
            return "accepted"
        case Refused():
            return "refused"
        case TryAgain():
            return "try_again"
        case Unknown():
            return "unknown"
