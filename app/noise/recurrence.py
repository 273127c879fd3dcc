"""Has this been before, how did it end, who knew what to do? Pure.

Past incidents are alike by the same dedup key, the same check, or the same masked text. How alike is said in words, and
nothing is learned: the same incidents give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.clock import DAY, HOUR, MINUTE, SECOND, Micros, to_datetime
from app.noise.past import Past, masked

Likeness = Literal["key", "check", "text"]
ORDER: tuple[Likeness, ...] = ("key", "check", "text")
LOOKED_BACK = 30 * DAY
MANY = 100
"""So many are compared at most, the newest: more say nothing more."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A past incident, and what makes it alike."""

    past: Past
    likeness: Likeness

    @property
    def words(self) -> str:
        """The likeness as a reason."""
        if self.likeness == "key":
            return "the same problem by its sender's own key"
        if self.likeness == "check":
            return f"the same check ({self.past.check}) of the same service"
        return "the same text but for numbers and ids, in the same service"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What is known from before."""

    alike: tuple[Alike, ...]
    """Newest first."""
    sentence: str
    """What somebody who is woken by it wants to know. Empty when it has not been before."""


def recurrence(now: Past, others: Iterable[Past]) -> Recurrence:
    """What is known from before of an incident, from the incidents before it."""
    found = [
        Alike(other, likeness)
        for other in sorted(others, key=lambda past: -past.number)
        if other.number < now.number and (likeness := _likeness(now, other)) is not None
    ]
    return Recurrence(tuple(found), _sentence(found))


def _likeness(now: Past, other: Past) -> Likeness | None:
    if other.key == now.key:
        return "key"
    if other.service_id != now.service_id:
        return None
    if other.check == now.check:
        return "check"
    return "text" if masked(other.title) == masked(now.title) else None


def _sentence(found: Sequence[Alike]) -> str:
    if not found:
        return ""
    pasts = [one.past for one in found]
    times = "once" if len(pasts) == 1 else f"{len(pasts)} times"
    said = [f"Seen {times}{' or more' if len(pasts) >= MANY else ''} in {LOOKED_BACK // DAY} days before this"]
    ended = [past for past in pasts if past.lasted is not None]
    alone = sorted(past.lasted for past in ended if past.by_itself and past.lasted is not None)
    if ended and len(alone) * 2 > len(ended):
        usually = "each time" if len(alone) == len(ended) else "usually"
        said.append(f"{usually if len(ended) > 1 else 'it'} ended by itself, after {about(alone[len(alone) // 2])}")
    solved = next((past for past in pasts if past.acted and past.resolved_by and not past.by_itself), None)
    if solved is not None:
        day = to_datetime(solved.over_at or solved.opened_at)
        words = f": “{solved.words}”" if solved.words else ""
        said.append(f"last resolved by {solved.resolved_by} (#{solved.number}, {day.day} {day:%b}){words}")
    return "; ".join(said) + "."


def about(span: Micros) -> str:
    """A duration as people say it: "40 s", "4 min", "2 h"."""
    if span < MINUTE:
        return f"{max(1, span // SECOND)} s"
    if span < 2 * HOUR:
        return f"{round(span / MINUTE)} min"
    return f"{round(span / HOUR)} h" if span < 2 * DAY else f"{round(span / DAY)} days"
