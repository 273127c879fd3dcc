"""What the rules of a run look at, and whom they tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.clock import SECOND, Micros
from tests.sim.book import Book
from tests.sim.machine import Disk

SKEW = SECOND // 5
"""How far the clocks of two processes may be apart, and the machine's from both."""


@dataclass(frozen=True)
class Eyes:
    """The database past every fault, the record of the world outside, and the time."""

    disk: Disk
    book: Book
    broken: Callable[[str], None]
    """To be told a sentence when a rule is broken."""
    time: Callable[[], float]
    """The loop's time, which no clock jump changes."""
    wall: Callable[[], Micros]

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """What is committed."""
        return self.disk.rows(sql, *values)
