"""What follows a send. Pure: the outcome and how often it was tried in, what to do next out.

    delivered, accepted   done; where a receipt is promised, it is waited for
    refused               this page has failed; the person's next way is used at once
    try again             again after a growing pause, or when the provider asked; the next way starts beside it. After six
                          tries it is blocked: it counts as failed for what follows, and is tried on, ever more rarely,
                          while somebody still needs it, because it was surely not sent
    unknown               again, because it may not have arrived; a duplicate is possible and carries the same number

Pauses grow by doubling and are spread by chance, so that many pages do not come back at one instant
("full jitter", M. Brooker, Exponential Backoff And Jitter, 2015; here over the upper half, so that none is at once).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import SECOND, Micros
from app.notifiers.notifier import Accepted, Delivered, Outcome, Refused, TryAgain, Unknown

MAX_TRIES = 6
"""After so many a page that was surely not sent is blocked."""
LAST_TRY = 120
"""After so many, about a day, it is given up."""
MAX_UNKNOWN_TRIES = 3
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
LONGEST_BLOCKED_PAUSE_S = 900.0
RECEIPT_WITHIN: Micros = 60 * SECOND
"""A provider that promises receipts and gives none for so long has failed, for what follows."""
LONGEST_ASKED_S = 300.0
"""A provider that asks for a longer pause is as good as down: the person's next way is used meanwhile."""


@dataclass(frozen=True, slots=True)
class Done:
    """The page is sent."""


@dataclass(frozen=True, slots=True)
class Awaits:
    """The page is sent; a receipt must have come by an instant."""

    until: Micros


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


@dataclass(frozen=True, slots=True)
class Blocked:
    """Try this way on at an instant, and go on as if it had failed."""

    at: Micros
    reason: str


Next = Done | Awaits | Failed | Again | Blocked


def after_send(outcome: Outcome, tries: int, now: Micros, chance: float) -> Next:
    """What follows try number `tries` (from 1). `chance` is in [0, 1)."""
    match outcome:
        case Accepted(awaits_receipt=True):
            return Awaits(now + RECEIPT_WITHIN)
        case Delivered() | Accepted():
            return Done()
        case Refused(reason):
            return Failed(reason)
        case TryAgain(reason, after_s):
            if tries >= LAST_TRY:
                return Failed(f"given up after {tries} tries: {reason}")
            blocked = tries >= MAX_TRIES
            pause_s = backoff_s(tries, chance, LONGEST_BLOCKED_PAUSE_S if blocked else LONGEST_PAUSE_S)
            if after_s is not None:
                pause_s = max(pause_s, min(after_s, LONGEST_ASKED_S))
            at = now + int(pause_s * SECOND)
            return Blocked(at, f"not sent in {tries} tries: {reason}") if blocked else Again(at, reason, beside=True)
        case Unknown(reason):
            if tries >= MAX_UNKNOWN_TRIES:
                return Failed(f"no answer after {tries} tries: {reason}")
            return Again(now + int(backoff_s(tries, chance) * SECOND), reason, beside=True)


def backoff_s(tries: int, chance: float, longest_s: float = LONGEST_PAUSE_S) -> float:
    """The pause after try number `tries`: between half and all of 2, 4, 8, ... seconds, at most a minute (or `longest_s`)."""
    whole: float = min(longest_s, FIRST_PAUSE_S * 2 ** (tries - 1))
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
