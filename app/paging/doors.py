"""The doors to the providers: who may call now, and who is to come back when. One object a process.

What is known of a provider (circuit, bucket, who is on their way) is kept in memory only, on purpose: it is an
observation, not a promise. A process that starts knows nothing and finds out with a few calls; written down it would cost
a transaction a call, and be wrong for a replica whose way to the provider is another. So with N replicas a provider gets
up to N times its pace.

A provider is a kind of notifier and, where addresses lead to different ones, its host: one webhook that is down does not
keep others from being called. Must never know what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.clock import SECOND, Micros
from app.metrics import Metrics
from app.notifiers.notifier import Notifier, Outcome, TryAgain, Unknown
from app.notifiers.pace import Pace
from app.notifiers.registry import BadAddress, pace_of, parse_address, provider_of
from app.paging import breaker, bucket
from app.paging.breaker import CLOSED, Circuit
from app.paging.bucket import Bucket

MOST = 1_000
"""Providers that are remembered; of more, those of which nothing is to be remembered are forgotten."""
LOOKS_AGAIN: Micros = 5 * SECOND
"""While a probe is on its way."""
CROWDED: Micros = SECOND // 4
"""While as many calls are on their way as may be."""
APART: Micros = SECOND // 50
"""Those who wait for a broken provider come back one after the other."""
NOTIFIER_FAILED = "the notifier failed"
"""How the reason begins when a notifier raised: that says nothing of the provider."""


@dataclass(frozen=True, slots=True)
class Shut:
    """Not now."""

    until: Micros
    """When to ask again."""
    reason: str
    broken: bool
    """The provider does not work; otherwise it is only busy."""


@dataclass(slots=True)
class _Door:
    name: str
    kind: str
    pace: Pace
    left: Bucket
    circuit: Circuit = CLOSED
    inside: set[int] = field(default_factory=set)
    tails: dict[int, Micros] = field(default_factory=dict)
    """By rank: when the last of those who wait comes back."""

    def enter(self, job: int, rank: int, now: Micros, hands: int) -> Shut | None:
        """Takes a place, or says when to come back."""
        circuit, may = breaker.asked(self.circuit, now)
        if not may:
            until = circuit.until if circuit.state == "open" else now + LOOKS_AGAIN
            return Shut(self.queued(rank, until, APART), _broken(self.name, circuit), broken=True)
        at_once = self.pace.at_once or hands
        if len(self.inside) >= at_once:
            again = self.queued(rank, now + CROWDED, SECOND // at_once)
            return Shut(again, f"{at_once} messages are on their way to {self.name}", broken=False)
        left, wait = bucket.take(self.left, self.pace, rank, now)
        if wait:
            again = self.queued(rank, now + wait, int(SECOND / (self.pace.per_second or 1)))
            return Shut(
                again, f"{self.name} gets no more than {self.pace.per_second:g} messages a second", broken=False
            )
        self.circuit, self.left = circuit, left
        self.inside.add(job)
        return None

    def queued(self, rank: int, earliest: Micros, apart: Micros) -> Micros:
        """When the next who waits comes back."""
        self.tails[rank] = max(earliest, self.tails.get(rank, 0) + apart)
        return self.tails[rank]


class Doors:
    """Asked before each call, told after each. Who asks is known by the id of their job."""

    def __init__(
        self,
        notifiers: Mapping[str, Notifier[Any]],
        paces: Mapping[str, Pace] | None = None,
        *,
        hands: int = 32,
        metrics: Metrics | None = None,
    ) -> None:
        self._notifiers = notifiers
        self._paces = paces or {}
        self._at_once = max(1, hands // 2)
        self._metrics = metrics
        self._doors: dict[tuple[str, str], _Door] = {}
        self._inside: dict[int, _Door] = {}

    def ask(self, kind: str, address: Mapping[str, Any], job: int, rank: int, now: Micros) -> Shut | None:
        """None: go, and say what came of it (`came_of`) or that nothing was sent (`give_back`). Asking twice takes one place."""
        if job in self._inside:
            return None
        door = self._door(kind, address, now)
        if door is None:
            return None
        shut = door.enter(job, rank, now, self._at_once)
        if shut is None:
            self._inside[job] = door
        elif self._metrics is not None:
            self._metrics.pages_put_off.labels(kind, "broken" if shut.broken else "busy").inc()
        return shut

    def give_back(self, job: int) -> None:
        """Nothing was sent after all; nothing to do for a job that never got in."""
        door = self._leave(job)
        if door is not None:
            door.circuit, door.left = breaker.not_made(door.circuit), bucket.given_back(door.left, door.pace)

    def came_of(self, job: int, outcome: Outcome, now: Micros, *, stood_still: bool = False) -> None:
        """What came of the call. `stood_still`: our process did meanwhile, so that having no answer is not the provider's fault."""
        door = self._leave(job)
        if door is None:
            return
        before = door.circuit.state
        match outcome:
            case Unknown(reason) if stood_still or reason.startswith(NOTIFIER_FAILED):
                door.circuit = breaker.not_made(door.circuit)
            case TryAgain(reason, after_s):
                door.circuit = breaker.failed(door.circuit, reason, now, int((after_s or 0) * SECOND))
            case Unknown(reason):
                door.circuit = breaker.failed(door.circuit, reason, now)
            case _:
                door.circuit = breaker.went_well(door.circuit)
        self._measure(door, before)

    def _leave(self, job: int) -> _Door | None:
        door = self._inside.pop(job, None)
        if door is not None:
            door.inside.discard(job)
        return door

    def _door(self, kind: str, address: Mapping[str, Any], now: Micros) -> _Door | None:
        """None where there is nothing to be called: sending will say why."""
        try:
            where = provider_of(self._notifiers[kind], parse_address(self._notifiers, kind, address))
        except (KeyError, BadAddress):
            return None
        door = self._doors.get((kind, where))
        if door is None:
            pace = self._paces.get(kind) or pace_of(self._notifiers[kind])
            title = self._notifiers[kind].title
            door = _Door(f"{title} ({where})" if where else title, kind, pace, bucket.full(pace, now))
            if len(self._doors) >= MOST:
                self._forget(now)
            self._doors[kind, where] = door
        return door

    def _forget(self, now: Micros) -> None:
        for key, door in list(self._doors.items()):
            if door.circuit == CLOSED and not door.inside and max(door.tails.values(), default=0) < now:
                del self._doors[key]

    def _measure(self, door: _Door, before: str) -> None:
        if self._metrics is None or before == door.circuit.state:
            return
        if door.circuit.state == "open":
            self._metrics.breaker_opened.labels(door.kind).inc()
        open_now = sum(one.kind == door.kind and one.circuit.state != "closed" for one in self._doors.values())
        self._metrics.breakers_open.labels(door.kind).set(open_now)


def _broken(name: str, circuit: Circuit) -> str:
    times = f"{circuit.failures} times in a row"
    return f"{name} does not work: it failed {times}, the last time with: {circuit.reason}. It is tried again soon"
