"""Whether a provider is worth calling: a circuit breaker, one a provider. Pure.

    closed    calls go through; five failures in a row open it
    open      nothing is called until its pause is over: 15 s at first, doubling to 5 min, or as long as the provider asked
    probing   one call is on its way to find out: if it goes well the circuit closes, if not it opens for twice as long

         ┌──────────────── went well ────────────────┐
      closed ── 5 failures in a row ──> open ── pause over, asked ──> probing ── went well ──> closed
                                         ^────────── failed ────────────┘

A failure is what says nothing good of the provider itself: no connection, no answer, 429, 5xx. A refusal is an answer:
the address is wrong, the provider is well. (M. Nygard, Release It!, 2007, calls probing "half-open".)

Must never know what a provider is, nor read a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from app.clock import SECOND, Micros

OPENS_AFTER = 5
FIRST_PAUSE: Micros = 15 * SECOND
LONGEST_PAUSE: Micros = 300 * SECOND
PROBE_LASTS: Micros = 30 * SECOND
"""After this long a probe that never came back (its process stopped, its page was no longer needed) is made again."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of one provider."""

    state: Literal["closed", "open", "probing"] = "closed"
    failures: int = 0
    """In a row."""
    opened: int = 0
    """How often in a row it was opened."""
    until: Micros = 0
    """Open: until when. Probing: how long its probe is waited for."""
    reason: str = ""
    """Why the last call failed."""


CLOSED = Circuit()


def asked(circuit: Circuit, now: Micros) -> tuple[Circuit, bool]:
    """Somebody wants to call: the circuit after that, and whether they may."""
    if circuit.state == "closed":
        return circuit, True
    if now < circuit.until:
        return circuit, False
    return replace(circuit, state="probing", until=now + PROBE_LASTS), True


def went_well(_: Circuit) -> Circuit:
    """A call was answered, whenever it began: the provider is there."""
    return CLOSED


def not_made(circuit: Circuit) -> Circuit:
    """The call that was allowed was not made, or said nothing of the provider: the next who asks probes."""
    return replace(circuit, until=0) if circuit.state == "probing" else circuit


def failed(circuit: Circuit, reason: str, now: Micros, asked_for: Micros = 0) -> Circuit:
    """A call failed; the provider may have asked to be left alone for a while."""
    known = replace(circuit, failures=circuit.failures + 1, reason=reason)
    match circuit.state:
        case "closed" if known.failures < OPENS_AFTER:
            return known
        case "open":
            # It began before the circuit opened, and says nothing new.
            return known
        case "closed" | "probing":
            return replace(
                known,
                state="open",
                opened=circuit.opened + 1,
                until=now + min(LONGEST_PAUSE, max(pause(circuit.opened), asked_for)),
            )


def pause(opened: int) -> Micros:
    """How long it is left alone after having been opened so often before."""
    # The exponent has a limit of its own: nobody needs a number of a thousand digits.
    return min(LONGEST_PAUSE, FIRST_PAUSE << min(opened, 10))
