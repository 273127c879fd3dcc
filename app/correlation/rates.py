"""How often alerts of an entity come anyway: a counter each that decays. Surprise is what is left of evidence then."""

from __future__ import annotations

from collections import OrderedDict
from math import exp

from app.clock import Micros
from app.correlation.weights import RATE_LEAST, RATE_TAU

MAX_RATES = 200_000
"""Entities whose rate is remembered; beyond it the one that was seen longest ago is forgotten."""


class Rates:
    """Alerts an entity, weighted by how long ago they came (time constant `RATE_TAU`)."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Micros]] = OrderedDict()
        self._since: Micros | None = None

    def __len__(self) -> int:
        return len(self._known)

    def per_micro(self, entity: str, now: Micros) -> float:
        """Alerts a microsecond to be expected of `entity`, by what is known until now."""
        known = self._known.get(entity)
        if known is None:
            return 0.0
        count, at = known
        watched = min(RATE_TAU, max(RATE_LEAST, now - (self._since or now)))
        return count * exp((at - now) / RATE_TAU) / watched

    def count(self, entity: str, now: Micros) -> None:
        """One alert of `entity` came."""
        if self._since is None:
            self._since = now
        known = self._known.pop(entity, None)
        self._known[entity] = (1.0 if known is None else known[0] * exp((known[1] - now) / RATE_TAU) + 1.0, now)
        if len(self._known) > MAX_RATES:
            self._known.popitem(last=False)


def surprise(rate: float, age: Micros) -> float:
    """exp(-rate x age): the chance that no unrelated alert of the entity would have come in that time."""
    return exp(-rate * age)
