"""Whether a sender has fallen silent. Pure, and the only place that decides it.

    waiting ──first signal──▶ up ──silence, or a failure is reported──▶ down ──a signal──▶ up

A sender that was never heard is waited for: setting one up wakes nobody. Silence counts from the last signal, or from
when we began to listen again: an outage of ours is nobody's silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.clock import HOUR, SECOND, Micros, lasting, spoken

PulseState = Literal["waiting", "up", "down", "unwatched"]

UNWRITTEN: Micros = 15 * SECOND
"""How far behind what is stored of a sender may be: signals are written seldom, silence is declared this much later."""
REMINDED: Micros = HOUR
"""How often, at most, a silence that goes on is told again: if a person declared it resolved, it opens anew."""


FAILED = "it reported a failure"


@dataclass(frozen=True, slots=True)
class Expected:
    """A signal at least each `interval`, and how much later it may come."""

    interval: Micros
    grace: Micros

    @property
    def patience(self) -> Micros:
        """The longest silence that is none."""
        return self.interval + self.grace


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known of a sender; the names are the columns."""

    state: PulseState
    last_seen_at: Micros | None = None
    counted_from: Micros = 0
    failed_at: Micros | None = None
    said: str = ""
    down_since: Micros | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sender is now, since when if down, why, and when to look again (None: when something comes)."""

    state: PulseState
    down_since: Micros | None = None
    because: str = ""
    look_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class Deaf:
    """An interval in which no process of ours listened."""

    start: Micros
    end: Micros


def silent_at(pulse: Pulse, expected: Expected) -> Micros | None:
    """When it counts as silent unless something comes; None when it was never heard."""
    if pulse.last_seen_at is None:
        return None
    return max(pulse.last_seen_at, pulse.counted_from) + expected.patience + UNWRITTEN


def judge(pulse: Pulse, expected: Expected | None, now: Micros) -> Verdict:
    """What a sender is now."""
    if expected is None:
        return Verdict("unwatched", because="nothing is expected of it any more")
    if pulse.failed_at is not None:
        return _down(pulse, expected, now, FAILED + (f": {pulse.said}" if pulse.said else ""))
    due = silent_at(pulse, expected)
    if due is None or pulse.last_seen_at is None:
        return Verdict("waiting")
    returned = pulse.down_since is None or pulse.last_seen_at >= pulse.down_since
    if now >= due or (pulse.state == "down" and not returned):
        return _down(pulse, expected, now, _silence(pulse.last_seen_at, expected))
    return Verdict("up", because=f"it was heard at {spoken(pulse.last_seen_at)}", look_at=due)


def _down(pulse: Pulse, expected: Expected, now: Micros, because: str) -> Verdict:
    since = pulse.down_since if pulse.state == "down" and pulse.down_since is not None else now
    return Verdict("down", since, because, now + max(REMINDED, expected.patience))


def _silence(last_seen_at: Micros, expected: Expected) -> str:
    grace = f", with {lasting(expected.grace)} of grace" if expected.grace else ""
    return f"nothing was heard since {spoken(last_seen_at)}; a signal is expected every {lasting(expected.interval)}{grace}"


def may_have_missed(pulse: Pulse, expected: Expected, deaf: Deaf) -> bool:
    """Whether a signal may have come while nobody listened, so that silence can only count from the end of that.

    A short outage long before the signal is expected costs nothing: it is still to come.
    """
    if pulse.state != "up" or pulse.last_seen_at is None or pulse.last_seen_at >= deaf.end:
        return False
    return deaf.end - deaf.start > expected.grace or deaf.end >= pulse.last_seen_at + expected.interval
