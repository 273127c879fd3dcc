"""From whom something came, remembered until it is written: a storm of requests costs one write a sender, seldom.

Must never know what came.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.clock import Micros


class Heard:
    """The memory of one process."""

    def __init__(self) -> None:
        self._at: dict[int, Micros] = {}

    def note(self, integration_id: int, now: Micros) -> None:
        """Something came from it."""
        self._at[integration_id] = now

    def last(self, integration_id: int) -> Micros:
        """When something last came from it that is not written yet; 0 for nothing."""
        return self._at.get(integration_id, 0)

    def taken(self) -> dict[int, Micros]:
        """What was noted since the last time."""
        taken, self._at = self._at, {}
        return taken

    def give_back(self, taken: Mapping[int, Micros]) -> None:
        """It could not be written: it is remembered again, unless something newer is."""
        self._at = {**taken, **self._at}
