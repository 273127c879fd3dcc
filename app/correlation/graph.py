"""Which service calls which, as declared; evidence between alerts of both. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.correlation import weights
from app.correlation.weights import Weight

MAX_NEAR = 64
"""Neighbours of one service that are looked up: a service that everything calls proves little anyway."""


class Near(NamedTuple):
    """A service near another."""

    name: str
    anywhere: str
    """Its entity, wherever it runs."""
    weight: Weight
    words: str
    """A sentence with places for the alert's service and the other."""


class Graph:
    """Services and what they call, in lower case."""

    def __init__(self, calls: Mapping[str, Iterable[str]] | None = None) -> None:
        self._near: dict[str, tuple[Near, ...]] = {}
        out = {one.lower(): [other.lower() for other in others] for one, others in (calls or {}).items()}
        back: dict[str, list[str]] = {}
        for one, others in out.items():
            for other in others:
                back.setdefault(other, []).append(one)
        for one in {*out, *back}:
            self._near[one] = _near(one, out, back)

    def near(self, service: str) -> tuple[Near, ...]:
        """The services that this one calls, and those that call it."""
        return self._near.get(service, ())


def _near(one: str, out: Mapping[str, list[str]], back: Mapping[str, list[str]]) -> tuple[Near, ...]:
    found: dict[str, Near] = {}
    for other in out.get(one, ()):
        found[other] = Near(other, f"service:{other}", weights.CALLS, "{} calls {}")
    for other in back.get(one, ()):
        found.setdefault(other, Near(other, f"service:{other}", weights.CALLED_BY, "{} is called by {}"))
    return tuple(found.values())[:MAX_NEAR]


NO_GRAPH = Graph()
