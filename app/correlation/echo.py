"""What was decided a moment ago, for the next alert that is known by the same things. Pure; for one instant and one deed.

In a storm one rule fires for a thousand hosts that nobody has heard of: all that is known of them is the same. While alerts
of one instant join one incident, what spoke for it speaks for the next such alert at least as loudly, and nothing speaks
louder for another incident than before: so it joins too, for the same reasons, and they need not be weighed again.
"""

from __future__ import annotations

from collections.abc import Container, Hashable
from typing import NamedTuple

from app.correlation.score import Match
from app.correlation.state import Seen, State
from app.correlation.weights import STRONG


class Said(NamedTuple):
    """Which incident an alert joined, and why."""

    incident_id: int
    score: float
    name: str
    """The strongest evidence, as a name for machines."""
    sentence: str
    others: list[Match]
    """Incidents that were likely, too."""


class Echo:
    """The last joins of one incident, by what was known of the alerts. Whoever changes the state otherwise takes a new one."""

    __slots__ = ("_incident_id", "_said")

    def __init__(self) -> None:
        self._incident_id = 0
        self._said: dict[Hashable, Said] = {}

    def get(self, known: Hashable, live: Container[int]) -> Said | None:
        """What was said of an alert of which the same was known, if its incident still draws."""
        return self._said.get(known) if self._incident_id in live else None

    def keep(self, known: Hashable, incident_id: int, said: Said | None = None) -> None:
        """An alert was placed; `said`: why, where it joined by what speaks for it.

        Where incidents may have to be merged, each alert is weighed for itself.
        """
        if incident_id != self._incident_id:
            self._said.clear()
            self._incident_id = incident_id
        if said is not None and known is not None and not any(other.score >= STRONG for other in said.others):
            self._said[known] = said


def known_of(state: State, seen: Seen, scope: int, *, old_news: bool) -> Hashable:
    """All of an alert that can speak for an incident; None where a glance does not tell."""
    index = state.index
    for entity in seen.entities:
        if entity not in index and (entity.startswith("service:") or f"says:{entity}" in index):
            return None
    facets = seen.facets
    burst = state.bursts.get(facets.place)
    known = [key for key in (*seen.keys, *seen.mentions) if key in index]
    crowd = burst.most_in_one() if burst is not None else None
    return (scope, old_news, facets.place, seen.region, facets.owner, facets.cause, crowd, *known)
