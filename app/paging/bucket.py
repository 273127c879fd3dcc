"""How fast a provider may be called: a token bucket, and what is kept in it for the pages that matter most. Pure.

A bucket holds up to `burst` calls and fills by `per_second`. The first page of an incident takes the last one there is;
everything else leaves something behind, the more the less urgent it is:

    first pages   leave nothing
    next levels   leave a tenth of the burst
    repeats       leave a quarter
    the rest      leaves a half

So when the budget is short, a first page never waits for calls that repeats have used up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.clock import SECOND, Micros
from app.incidents import turn
from app.notifiers.pace import Pace

_LEFT = {turn.FIRST: 0.0, turn.NEXT: 0.1, turn.REPEAT: 0.25}
_LEFT_BY_THE_REST = 0.5


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many calls were left at an instant."""

    left: float
    at: Micros


def full(pace: Pace, now: Micros) -> Bucket:
    """A bucket from which nothing was taken lately."""
    return Bucket(float(pace.burst), now)


def take(bucket: Bucket, pace: Pace, rank: int, now: Micros) -> tuple[Bucket, Micros]:
    """Takes a call if one is there for this rank of work; the bucket after it, and how long to wait (0: taken)."""
    if pace.per_second is None:
        return bucket, 0
    # A clock that was set back fills nothing and takes nothing away.
    gained = max(0, now - bucket.at) / SECOND * pace.per_second
    left = min(float(pace.burst), bucket.left + gained)
    needed = min(float(pace.burst), 1 + pace.burst * _LEFT.get(rank, _LEFT_BY_THE_REST))
    # A millionth of a call is forgiven: whoever waited exactly long enough must not find a rounding error.
    if left + 1e-6 >= needed:
        return Bucket(left - 1, now), 0
    return Bucket(left, now), math.ceil((needed - left) / pace.per_second * SECOND)


def given_back(bucket: Bucket, pace: Pace) -> Bucket:
    """A call that was taken and not made."""
    return Bucket(min(float(pace.burst), bucket.left + 1), bucket.at)
