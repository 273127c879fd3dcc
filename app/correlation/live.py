"""One incident as the engine sees it: who is in it since when, where it lives. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.clock import Micros

MAX_MEMBERS = 1_000
"""Entities one incident remembers; in a larger one new ones no longer attract."""


@dataclass(slots=True)
class Member:
    """An entity of an incident."""

    first: Micros
    last: Micros
    rate: float
    """How often its alerts came anyway, before it came in."""
    count: int = 1
    """Alerts that have it."""


@dataclass(slots=True)
class Live:
    """An incident that may still attract alerts."""

    id: int
    scope: int
    opened_at: Micros
    last_at: Micros
    members: dict[str, Member] = field(default_factory=dict)
    components: dict[str, str] = field(default_factory=dict)
    """Each with its region."""
    regions: dict[str, int] = field(default_factory=dict)
    """Components a region."""
    places: dict[str, Micros] = field(default_factory=dict)
    """Last alert in each place."""
    causes: dict[tuple[str, str], Micros] = field(default_factory=dict)
    """Last alert of a class of checks in a place or region."""
    alerts: int = 0
    severity: int = 0
    """The worst of its alerts, from 0 to 2."""
    owners: set[str] = field(default_factory=set)
    """Declared services whose integrations its alerts came by."""
    sealed: bool = False
    """A person said what belongs here: nothing joins by score, and it is not merged."""
    apart: set[int] = field(default_factory=set)
    """Incidents that a person parted it from."""
    ties: dict[int, int] = field(default_factory=dict)
    """How many alerts tie it to others."""

    def lives_in(self, region: str) -> float:
        """Locality: the share of its components in `region`, twice, at most 1."""
        return min(1.0, 2.0 * self.regions.get(region, 0) / (len(self.components) or 1))
