"""Whether a page goes to its person by itself or in one message with others. Pure.

Nobody can read fifty pages that come within a minute, and nobody hears the fifty-first. So one person gets at most `pages`
single pages in `window_s`; what is more goes into bundles: one message that says how many, with a link to the list.

A quarter of the pages is kept for first pages of other services: the storm of one service, its next levels and its repeats
stop at three quarters, so that the one incident that is about something else still comes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.clock import MINUTE, SECOND, Micros

KEPT = 4
"""One in so many is kept."""
GATHERS: Micros = 10 * SECOND
"""How long a bundle waits for more after its first page."""
APART: Micros = MINUTE
"""Bundles by one contact method are at least so far apart."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one person gets page by page."""

    pages: int
    """0: no limit."""
    window_s: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What one person was told page by page within the window."""

    by_service: Mapping[int | None, int] = field(default_factory=dict)

    @property
    def pages(self) -> int:
        """All of it."""
        return sum(self.by_service.values())

    def and_one(self, service_id: int | None) -> Heard:
        """With one page more, of this service."""
        return Heard({**self.by_service, service_id: self.by_service.get(service_id, 0) + 1})


def alone(heard: Heard, service_id: int | None, *, first: bool, allowance: Allowance) -> bool:
    """Whether a page goes by itself. `first`: it is a first page of its incident, not a next level or a repeat."""
    if not allowance.pages:
        return True
    share = allowance.pages - allowance.pages // KEPT
    if first and heard.by_service.get(service_id, 0) < share:
        return heard.pages < allowance.pages
    return heard.pages < share


def bundle_due(now: Micros, last_sent_at: Micros | None) -> Micros:
    """When a bundle that begins now is sent. `last_sent_at`: when the last one went the same way."""
    return max(now + GATHERS, (last_sent_at or 0) + APART)
