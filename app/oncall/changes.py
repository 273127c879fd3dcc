"""What is different between two rotas: at which times somebody else would be on call. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.clock import Micros
from app.ids import PersonId
from app.oncall.rota import Era, Rota, Shift
from app.oncall.schedule import Schedule

Watch = tuple[str, PersonId]
"""A role, and who has it."""


@dataclass(frozen=True, slots=True)
class Change:
    """An interval through which other people are on call than before. Why they are is not compared."""

    starts_at: Micros
    ends_at: Micros
    before: tuple[Watch, ...]
    """Sorted; empty where nobody was."""
    after: tuple[Watch, ...]


def changes(before: Iterable[Shift], after: Iterable[Shift]) -> tuple[Change, ...]:
    """Where the shifts of two rotas for one interval differ, in order; neighbours with the same people are one."""
    old, new = list(before), list(after)
    edges = sorted({edge for shift in (*old, *new) for edge in (shift.starts_at, shift.ends_at)})
    was, will = _by_interval(old, edges), _by_interval(new, edges)
    found: list[Change] = []
    for since, until in pairwise(edges):
        change = Change(since, until, was[since], will[since])
        if change.before == change.after:
            continue
        last = found[-1] if found else None
        if last and (last.ends_at, last.before, last.after) == (since, change.before, change.after):
            found[-1] = replace(last, ends_at=until)
        else:
            found.append(change)
    return tuple(found)


def _by_interval(shifts: Sequence[Shift], edges: Sequence[Micros]) -> dict[Micros, tuple[Watch, ...]]:
    """Who is on call from each edge until the next."""
    waiting = sorted(shifts, key=lambda shift: shift.starts_at, reverse=True)
    on: list[Shift] = []
    found = {}
    for edge in edges:
        while waiting and waiting[-1].starts_at <= edge:
            on.append(waiting.pop())
        on = [shift for shift in on if shift.ends_at > edge]
        found[edge] = tuple(sorted({(shift.role, shift.person) for shift in on}))
    return found


def with_version(rota: Rota, schedule: Schedule, at: Micros) -> Rota:
    """The rota if this version came into force at `at`: what follows later is taken back, as saving it would."""
    kept = (replace(era, ends_at=at) if era.ends_at is None or era.ends_at > at else era for era in rota.eras)
    return replace(rota, eras=(*(era for era in kept if era.starts_at < at), Era(at, None, schedule)))
