"""Who is called for nothing, and by what: incidents added up by check, service or rule, each with what could be done.

Pure. A proposal is made only where the record speaks for it, and always with what it would have done to that record
(trial.py), so that nobody has to believe it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.clock import MINUTE, Micros
from app.noise.past import Past
from app.noise.trial import Change, Trial, tried

By = Literal["check", "service", "rule"]

SOON = 5 * MINUTE
FEW = 3
"""Of fewer incidents with calls nothing is concluded."""
MOSTLY = 0.6
NEARLY_ALL = 0.8
HOLDS = (2, 5, 10, 15)
"""Minutes. Longer than the last nobody would wait with a page."""
TOGETHER = 10
"""Minutes between incidents of one service that look like one fault."""


@dataclass(frozen=True, slots=True)
class Line:
    """One check, service or rule, over an interval."""

    key: str
    """What it is told apart by: the check's or rule's name, the service's id ("": no service)."""
    name: str
    incidents: int
    calls: int
    night_calls: int
    acked_without_action: int
    """Incidents that somebody was called for, acknowledged, did nothing about, and that ended by themselves."""
    over_within_5_min: int
    """Incidents with calls that ended by themselves within SOON."""
    attention: Micros
    """People's time (past.py says how it is counted)."""
    numbers: tuple[int, ...]
    """The last of its incidents, newest first."""
    proposals: tuple[Trial, ...]
    """What could be done about it, what spares most first; empty where nothing speaks for a change."""


def economics(pasts: Iterable[Past], by: By) -> list[Line]:
    """Every check, service or rule that opened an incident, what takes most attention first."""
    of = _KEYS[by]
    found: dict[tuple[str, str], list[Past]] = defaultdict(list)
    for past in pasts:
        for key in of(past):
            found[key].append(past)
    lines = [_line(key, name, sorted(some, key=lambda past: past.number)) for (key, name), some in found.items()]
    return sorted(lines, key=lambda line: (-line.attention, -line.calls, -line.incidents, line.name))


def belongs(past: Past, by: By, key: str) -> bool:
    """Whether an incident counts in the line of that key."""
    return any(key == own for own, _ in _KEYS[by](past))


_KEYS: Mapping[By, Callable[[Past], Sequence[tuple[str, str]]]] = {
    "check": lambda past: [(past.check, past.check)],
    "service": lambda past: [("" if past.service_id is None else str(past.service_id), past.service)],
    "rule": lambda past: [(rule, rule) for rule in past.rules],
}


def _line(key: str, name: str, pasts: Sequence[Past]) -> Line:
    calls = [call for past in pasts for call in past.calls]
    return Line(
        key=key,
        name=name,
        incidents=len(pasts),
        calls=len(calls),
        night_calls=sum(call.night for call in calls),
        acked_without_action=sum(past.idle for past in pasts),
        over_within_5_min=sum(bool(past.calls) and past.ended_itself_within(SOON) for past in pasts),
        attention=sum(past.attention for past in pasts),
        numbers=tuple(past.number for past in pasts[:-6:-1]),
        proposals=proposals(pasts),
    )


def proposals(pasts: Sequence[Past]) -> tuple[Trial, ...]:
    """The changes that the record speaks for, what spares most attention first."""
    told = [past for past in pasts if past.calls]
    if len(told) < FEW:
        return ()
    found = [tried(change, pasts) for change in _candidates(told)]
    good = [trial for trial in found if trial.spared and not trial.missed]
    return tuple(sorted(good, key=lambda trial: (-trial.attention_spared, -trial.spared, trial.later)))


def _candidates(told: Sequence[Past]) -> Iterable[Change]:
    idle = sum(not past.acted and past.by_itself for past in told)
    if idle == len(told) and len(told) > FEW:
        yield Change("delete")
    for minutes in HOLDS:
        if sum(past.ended_itself_within(minutes * MINUTE) for past in told) >= MOSTLY * len(told):
            yield Change("hold", minutes)
            break
    nights = [past for past in told if any(call.night for call in past.calls)]
    if len(nights) >= FEW and sum(not past.acted and past.by_itself for past in nights) >= NEARLY_ALL * len(nights):
        yield Change("silence")
    grouped = tried(Change("group", TOGETHER), told)
    if grouped.spared >= MOSTLY * grouped.calls:
        yield Change("group", TOGETHER)
