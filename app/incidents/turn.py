"""Whose turn it is when more is due than there are hands: the rank of work. Pure.

    rank = what it is + how crowded its service is

    the first page of an incident     0        the service opened up to 16 incidents within a minute     + 0
    the next levels                   1        up to 128                                                 + 1
    repeats of the policy             2        up to 1,024                                               + 2
    what can wait                     3        more                                                      + 3

So the first page of a service that has opened few incidents never waits behind another's storm, whatever that has opened:
of each other service it can have 16 first pages before it. The n-th of a small storm waits for about 8 n of a large one,
because the large one, too, had its first ones. And the rest of a storm goes beside what can wait, never behind it for ever:
a worker takes the oldest first now and then, whatever its rank (app/paging/worker.py).
"""

from __future__ import annotations

from app.clock import MINUTE, Micros

FIRST = 0
NEXT = 1
REPEAT = 2
STATUS = 3
LAST = 5

CROWDED_FOR: Micros = MINUTE
"""How far back incidents of a service are counted."""
_STEPS = (16, 128, 1_024)
COUNTED = _STEPS[-1]
"""More need not be counted."""


def of(level: int, round_: int) -> int:
    """What the pages of a level are: `level` and `round_` from 0."""
    if round_:
        return REPEAT
    return NEXT if level else FIRST


def crowd(before: int) -> int:
    """How crowded a service is that has opened `before` incidents lately."""
    return sum(before >= step for step in _STEPS)


def rank(what: int, crowded: int = 0) -> int:
    """The rank of work: FIRST, NEXT, REPEAT or STATUS, in such a crowd."""
    return min(LAST, what + crowded)
