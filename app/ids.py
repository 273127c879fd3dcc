"""Ids and chance, as they are handed to everything that needs them.

An id is a 63-bit number: 41 bits of milliseconds since 2024, 10 bits that tell processes apart, 12 bits of sequence.
Ordered by time, so that rows are appended and not scattered (three times the insert rate of random keys on SQLite), and
made without asking anybody. Two processes that drew the same 10 bits can at worst collide on a primary key within one
millisecond: the transaction fails and is retried with new ids; nothing is overwritten.
"""

from __future__ import annotations

import random
import secrets
from typing import NewType, Protocol

from app.clock import Micros

IntegrationId = NewType("IntegrationId", int)
ServiceId = NewType("ServiceId", int)
TeamId = NewType("TeamId", int)
PersonId = NewType("PersonId", int)
ContactMethodId = NewType("ContactMethodId", int)
ChannelId = NewType("ChannelId", int)
ScheduleId = NewType("ScheduleId", int)
PolicyId = NewType("PolicyId", int)
AlertId = NewType("AlertId", int)
IncidentId = NewType("IncidentId", int)
PageId = NewType("PageId", int)
JobId = NewType("JobId", int)

_EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z


def first_id(at: Micros) -> int:
    """No id that was made at this instant or later is smaller: a cheap "since" for tables without an index by time."""
    return max(0, at // 1_000 - _EPOCH_MS) << 22


class Ids(Protocol):
    """Where new ids and secrets come from."""

    def new(self, now: Micros) -> int:
        """A new id, larger than each one this source gave before."""

    def secret(self, size: int) -> str:
        """`size` bytes nobody can guess, as URL-safe text."""

    def chance(self) -> float:
        """A number in [0, 1), for jitter."""


class ProcessIds:
    """Ids of one process. `seed` makes them repeatable (simulator, tests); without it they come from the system."""

    def __init__(self, seed: int | None = None) -> None:
        self._seeded = None if seed is None else random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._random = self._seeded or random.SystemRandom()
        self._node = self._random.randrange(1 << 10) << 12
        self._millisecond = 0
        self._sequence = 0

    def new(self, now: Micros) -> int:
        millisecond = now // 1_000 - _EPOCH_MS
        if millisecond > self._millisecond:
            self._millisecond = millisecond
            self._sequence = 0
        else:
            # The same millisecond, or a clock that went back: go on from the last one given.
            self._sequence += 1
            if self._sequence == 1 << 12:
                self._millisecond += 1
                self._sequence = 0
        return self._millisecond << 22 | self._node | self._sequence

    def secret(self, size: int) -> str:
        if self._seeded is not None:
            return f"{self._seeded.getrandbits(size * 8):0{size * 2}x}"
        return secrets.token_urlsafe(size)

    def chance(self) -> float:
        return self._random.random()
