"""How often alerts of an entity come anyway: a counter each that decays. Surprise is what is left of evidence then."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp

from app.clock import Micros
from app.correlation.recent import Recent
from app.correlation.weights import RATE_LEAST, RATE_TAU

MAX_RATES = 200_000
"""Entities whose rate is remembered; beyond half of it those that were seen longest ago are forgotten."""


class Rates:
    """Alerts an entity, weighted by how long ago they came (time constant `RATE_TAU`)."""

    def __init__(self) -> None:
        self._known: Recent[tuple[float, Micros]] = Recent(MAX_RATES)
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

    def count(self, entities: Iterable[str], now: Micros) -> None:
        """One alert came that has these entities."""
        if self._since is None:
            self._since = now
        young, old = self._known.young, self._known.old
        first = (1.0, now)
        for entity in entities:
            known = young.get(entity) or old.get(entity)
            if known is None:
                young[entity] = first
            else:
                count, at = known
                young[entity] = ((count if at == now else count * exp((at - now) / RATE_TAU)) + 1.0, now)
        self._known.age()


def surprise(rate: float, age: Micros) -> float:
    """exp(-rate x age): the chance that no unrelated alert of the entity would have come in that time."""
    return exp(-rate * age)
