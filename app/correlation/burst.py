"""What failed in one place within the last two minutes, and in which incidents: counted as it comes and goes. Bounded."""

from __future__ import annotations

from collections import deque

from app.clock import Micros
from app.correlation.weights import BURST_COMPONENTS, BURST_WINDOW

MOST = 512
"""Alerts of one place that are remembered; of more the oldest go first."""


class Burst:
    """The recent failures of one place."""

    def __init__(self) -> None:
        self._recent: deque[tuple[Micros, str, int]] = deque()
        self._things: dict[str, int] = {}
        self._of: dict[int, dict[str, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._recent)

    @property
    def things(self) -> int:
        """How many different things failed."""
        return len(self._things)

    def most_in_one(self) -> int | None:
        """The incident that at least half of them belong to, if enough failed; of two such ones the older."""
        if len(self._things) < BURST_COMPONENTS:
            return None
        most = max(map(len, self._of.values()))
        if most * 2 < len(self._things):
            return None
        return min(incident_id for incident_id, own in self._of.items() if len(own) == most)

    def add(self, at: Micros, thing: str, incident_id: int) -> None:
        """A thing failed, and belongs to an incident."""
        self._recent.append((at, thing, incident_id))
        _up(self._things, thing)
        _up(self._of.setdefault(incident_id, {}), thing)
        if len(self._recent) > MOST:
            self._forget()

    def passes_to(self, now: Micros) -> None:
        """What is older than the window counts no more."""
        while self._recent and self._recent[0][0] + BURST_WINDOW < now:
            self._forget()

    def merged(self, gone: int, into: int) -> None:
        """What belonged to one incident belongs to another."""
        moved = self._of.pop(gone, None)
        if moved is None:
            return
        for thing, many in moved.items():
            kept = self._of.setdefault(into, {})
            kept[thing] = kept.get(thing, 0) + many
        self._recent = deque((at, thing, into if one == gone else one) for at, thing, one in self._recent)

    def _forget(self) -> None:
        _, thing, incident_id = self._recent.popleft()
        _down(self._things, thing)
        own = self._of[incident_id]
        _down(own, thing)
        if not own:
            del self._of[incident_id]


def _up(counted: dict[str, int], thing: str) -> None:
    counted[thing] = counted.get(thing, 0) + 1


def _down(counted: dict[str, int], thing: str) -> None:
    counted[thing] -= 1
    if not counted[thing]:
        del counted[thing]
