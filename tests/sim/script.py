"""What happens in a run, written down before it begins: the configuration, and the steps of everybody outside Tocsin.

A step is a value, so a run can be told again without some of them (tests/sim/shrink.py). Scripts are written by seed
(tests/sim/seeds.py). What people do when a page reaches them is no step: it follows from the seed and the page
(tests/sim/people.py).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

DAY_S = 86_400.0
LEVELS_S = (60, 120, 300, 300, 900, 1_800)
"""How long levels have."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens at `at` (seconds after the beginning)."""

    at: float
    what: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{told(self.at)} {self.what} {' '.join(map(str, self.args))}"


def told(at: float) -> str:
    """An instant of a run for people: day and time to the millisecond."""
    whole = int(at)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{at - whole // 60 * 60:06.3f}"


@dataclass(frozen=True, slots=True)
class Script:
    """A whole run."""

    seed: int
    replicas: int
    documents: tuple[tuple[str, dict[str, Any]], ...]
    """(kind, document) in the order in which they are made; "@person:3" stands for the id of the fourth person."""
    steps: tuple[Step, ...]
    features: tuple[str, ...]


@dataclass
class Draft:
    """A script while it is made."""

    chance: random.Random
    features: set[str]
    documents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def has(self, feature: str) -> bool:
        return feature in self.features

    def add(self, at: float, what: str, *args: Any) -> None:
        self.steps.append(Step(round(at, 3), what, args))
