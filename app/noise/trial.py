"""What a change would have done to incidents that have been: which calls would not have been, and what would be missed.

Pure. The record is played again with the change in force; everything else stays as it was. The answer is not a promise
about tomorrow: it says what would have been, and names the incidents that speak against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from app.clock import HOUR, MINUTE, Micros
from app.noise.past import Call, Past

Kind = Literal["hold", "group", "silence", "delete"]
NIGHT = 8 * HOUR
"""What is over by itself within this is over by morning."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to try.

    `hold`: page only after `minutes`, and not if it is over by then. `group`: what opens within `minutes` of an incident of
    the same service joins it. `silence`: nobody is called at night; what is still open is told in the morning. `delete`: it
    pages nobody.
    """

    kind: Kind
    minutes: int = 0

    @property
    def words(self) -> str:
        """As an order to somebody who edits the configuration."""
        match self.kind:
            case "hold":
                return f"wait {self.minutes} min before paging, and not at all when it is over by then"
            case "group":
                return f"put what opens within {self.minutes} min in one service into one incident"
            case "silence":
                return "page nobody about it at night; tell in the morning what is still open"
            case "delete":
                return "let it page nobody: delete the check, or lower it to a severity that does not page"
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True)
class Trial:
    """What would have been."""

    change: Change
    incidents: int
    calls: int
    spared: int
    """Calls that would not have been."""
    night_spared: int
    attention_spared: Micros
    later: int
    """Calls that would have come later."""
    missed: tuple[int, ...]
    """Numbers of incidents on which people acted, and of which nobody would have been told in time (for `group`: not by
    themselves)."""

    @property
    def words(self) -> str:
        """The outcome in a sentence."""
        if not self.calls:
            return "nobody was called about it: there is nothing to spare"
        said = f"of {self.calls} calls {self.spared} would not have been, {self.night_spared} of them at night"
        late = f"; {self.later} would have come later" if self.later else ""
        if not self.missed:
            return f"{said}{late}; no incident on which somebody acted would have been touched"
        named = ", ".join(f"#{number}" for number in self.missed[:5]) + (" and more" if len(self.missed) > 5 else "")
        return f"{said}{late}; but people acted on {len(self.missed)} of the incidents that it touches ({named})"


def tried(change: Change, pasts: Iterable[Past]) -> Trial:
    """Plays the change over incidents, which may be in any order."""
    effects = list(_effects(change, sorted(pasts, key=lambda past: (past.opened_at, past.number))))
    gone = [call for _, spared, _ in effects for call in spared]
    return Trial(
        change=change,
        incidents=len(effects),
        calls=sum(len(past.calls) for past, _, _ in effects),
        spared=len(gone),
        night_spared=sum(call.night for call in gone),
        attention_spared=sum(past.attention for past, spared, _ in effects if spared == past.calls),
        later=sum(later for _, _, later in effects),
        missed=tuple(past.number for past, spared, later in effects if past.acted and _untold(change, spared, later)),
    )


def _untold(change: Change, spared: Sequence[Call], later: int) -> bool:
    """A hold of minutes tells later; a night tells too late."""
    return bool(spared) or (change.kind == "silence" and later > 0)


def _effects(change: Change, known: Sequence[Past]) -> Iterator[tuple[Past, tuple[Call, ...], int]]:
    """Each incident, its calls that would not have been, and how many would have come later."""
    span, last = change.minutes * MINUTE, dict[int | None, Micros]()
    for past in known:
        match change.kind:
            case "hold":
                over = past.ended_itself_within(span)
                yield past, past.calls if over else (), 0 if over else len(past.calls)
            case "group":
                joins = past.service_id in last and past.opened_at - last[past.service_id] <= span
                last[past.service_id] = past.opened_at
                yield past, past.calls if joins else (), 0
            case "silence":
                nights = tuple(call for call in past.calls if call.night)
                over = past.ended_itself_within(NIGHT) and not past.acted
                yield past, nights if over else (), 0 if over else len(nights)
            case "delete":
                yield past, past.calls, 0
            case _:
                assert_never(change.kind)
