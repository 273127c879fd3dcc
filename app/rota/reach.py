"""Whom a policy reaches, ahead of time: the instants at which it reaches nobody, or too few to be relied on. Pure.

    nobody         no level reaches anybody, neither a person nor a channel; whether the fallback catches it is said
    unverified     people are reached, but none who proved to read what is sent to them, and no channel
    same_person    there are levels to go up, and each reaches one and the same person only

Who is on call changes at a few instants only, so an interval is swept from change to change, and what follows from the same
people is judged once. Must never know the database, or what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

from app.clock import DAY, Micros
from app.oncall.resolve import NOBODY, on_call
from app.oncall.rota import Rota
from app.oncall.schedule import Layer
from app.oncall.segments import Segment, segments

FindingKind = Literal["nobody", "unverified", "same_person"]
"""In the order of how much it hurts."""
KINDS: tuple[FindingKind, ...] = ("nobody", "unverified", "same_person")

MOST_CAUSES = 3
"""Different causes within one finding that are told; there may be one for each night of a month."""

_HOURS = {"hour": 1, "day": 24, "week": 168, "month": 720}


@dataclass(frozen=True, slots=True)
class Contact:
    """A person, as far as pages go."""

    name: str
    reachable: bool
    """There is an enabled contact method whose notifier is installed."""
    verified: bool
    """And one of those is proved."""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A target that leads to the same people at every instant: a person, or the members of a team."""

    people: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Posted:
    """A target that leads to a channel."""

    name: str


@dataclass(frozen=True, slots=True)
class OnDuty:
    """A target that leads to whoever is on call in a schedule; with `role` only to those who have it."""

    schedule: int
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A target that leads nowhere, and why."""

    reason: str


Lead = Named | Posted | OnDuty | Lost


@dataclass(frozen=True, slots=True)
class Facts:
    """One policy, and all that says whom it reaches."""

    levels: tuple[tuple[Lead, ...], ...]
    fallback: tuple[Lead, ...]
    contacts: Mapping[int, Contact]
    """Who is not here was deleted."""
    rotas: Mapping[int, Rota]
    """Of each schedule that a target leads to."""
    schedules: Mapping[int, str]
    """What those are called."""
    zone: str = "UTC"
    """Where the times are read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An interval, and what is wrong in all of it. Two of one kind never meet, unless only one is caught."""

    kind: FindingKind
    starts_at: Micros
    ends_at: Micros
    """Exclusive."""
    causes: tuple[str, ...]
    """Of `nobody` why each level reaches nobody; of the others the names of the people. In the order they come."""
    caught: bool = False
    """The fallback reaches somebody."""
    fallback: str = ""
    """What there is to say of the fallback, at the start."""


@dataclass(frozen=True, slots=True)
class _On:
    """Who a schedule's target leads to, and if to nobody, why."""

    people: frozenset[int]
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Told:
    """What some targets come to."""

    people: tuple[int, ...]
    """Reachable ones."""
    channels: tuple[str, ...]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is wrong at an instant, of one kind."""

    kind: FindingKind
    causes: tuple[str, ...]
    caught: bool = False
    fallback: str = ""


@dataclass(slots=True)
class _Run:
    """A finding that has begun and may go on."""

    starts_at: Micros
    verdict: _Verdict
    causes: dict[str, None] = field(default_factory=dict)

    def ended(self, at: Micros) -> Finding:
        told = self.verdict
        return Finding(told.kind, self.starts_at, at, tuple(self.causes), told.caught, told.fallback)


_Duties = Mapping[OnDuty, _On]


def reach(facts: Facts, start: Micros, end: Micros) -> tuple[Finding, ...]:
    """All findings of [start, end), cut at its ends; in order of their starts, the worst first."""
    found: list[Finding] = []
    running: dict[FindingKind, _Run] = {}
    known: dict[tuple[_On, ...], tuple[_Verdict, ...]] = {}
    for since, duties in _sweep(facts, start, end):
        state = tuple(duties.values())
        if state not in known:
            known[state] = _judged(facts, duties)
        going: dict[FindingKind, _Run] = {}
        for verdict in known[state]:
            run = running.get(verdict.kind)
            if run is None or run.verdict.caught != verdict.caught:
                run = _Run(since, verdict)
            else:
                del running[verdict.kind]
            run.causes |= dict.fromkeys(verdict.causes)
            going[verdict.kind] = run
        found += [run.ended(since) for run in running.values()]
        running = going
    found += [run.ended(end) for run in running.values()]
    return tuple(sorted(found, key=lambda one: (one.starts_at, KINDS.index(one.kind))))


def weight(rota: Rota, start: Micros, end: Micros) -> int:
    """About how many changes a rota has in the interval: what laying it out costs, at some 30 microseconds each."""
    days = (end - start) // DAY + 1
    found = len(rota.overrides) + len(rota.bookings) + len(rota.away)
    for era in rota.eras:
        for layer in era.schedule.layers:
            if isinstance(layer, Layer):
                turns = days * 24 // (_HOURS[layer.unit] * min(layer.lengths)) + 1
                found += turns + 2 * days * len(layer.restrictions)
    return found


def names_in_words(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = len(names) - MOST_CAUSES
    return ", ".join(names[:MOST_CAUSES]) + (f" and {more} more" if more > 0 else "")


def _sweep(facts: Facts, start: Micros, end: Micros) -> Iterator[tuple[Micros, _Duties]]:
    """From change to change: who each target that follows a schedule leads to, from then on."""
    leads = [lead for level in (*facts.levels, facts.fallback) for lead in level if isinstance(lead, OnDuty)]
    laid = {
        item: list(segments(facts.rotas[item], start, end)) for item in dict.fromkeys(one.schedule for one in leads)
    }
    changes: dict[Micros, dict[OnDuty, _On]] = {start: {}}
    for lead in dict.fromkeys(leads):
        for at, on in _steps(facts, lead, laid[lead.schedule]):
            changes.setdefault(at, {})[lead] = on
    now: dict[OnDuty, _On] = {}
    if start < end:
        for at in sorted(changes):
            now = {**now, **changes[at]}
            yield at, now


def _steps(facts: Facts, lead: OnDuty, laid: Iterable[Segment]) -> Iterator[tuple[Micros, _On]]:
    """The instants at which a target leads to others than before."""
    before = None
    for segment in laid:
        on = _on(facts, lead, segment)
        if on != before:
            yield segment.starts_at, on
        before = on


def _on(facts: Facts, lead: OnDuty, segment: Segment) -> _On:
    people = frozenset(int(duty.person) for duty in segment.people if lead.role in (None, duty.role))
    if people:
        return _On(people)
    name = facts.schedules[lead.schedule]
    if segment.people:
        return _On(people, f"nobody is on call as {lead.role} in {name}")
    nobody = on_call(facts.rotas[lead.schedule], segment.starts_at).nobody
    return _On(people, f"nobody is on call in {name}" + (f" ({NOBODY[nobody]})" if nobody else ""))


def _judged(facts: Facts, duties: _Duties) -> tuple[_Verdict, ...]:
    """All that is wrong while these people are on call."""
    levels = [_told(facts, level, duties) for level in facts.levels]
    if not any(level.people or level.channels for level in levels):
        return (_nobody(facts, levels, duties),)
    if any(level.channels for level in levels):
        return ()
    people = dict.fromkeys(person for level in levels for person in level.people)
    names = tuple(facts.contacts[person].name for person in people)
    found = []
    if not any(facts.contacts[person].verified for person in people):
        found.append(_Verdict("unverified", names))
    if len(levels) > 1 and len(people) == 1 and all(level.people for level in levels):
        found.append(_Verdict("same_person", names))
    return tuple(found)


def _nobody(facts: Facts, levels: Sequence[_Told], duties: _Duties) -> _Verdict:
    said = [f"level {number}: {' and '.join(level.missed)}" for number, level in enumerate(levels, start=1)]
    cause = ("; ".join(said),)
    if not facts.fallback:
        return _Verdict("nobody", cause, fallback="there is no fallback")
    caught = _told(facts, facts.fallback, duties)
    names = [*(facts.contacts[person].name for person in caught.people), *caught.channels]
    if not names:
        return _Verdict("nobody", cause, fallback=f"the fallback reaches nobody either: {' and '.join(caught.missed)}")
    return _Verdict("nobody", cause, caught=True, fallback=f"the fallback is told: {names_in_words(names)}")


def _told(facts: Facts, leads: Iterable[Lead], duties: _Duties) -> _Told:
    people: dict[int, None] = {}
    channels: list[str] = []
    missed: dict[str, None] = {}
    for lead in leads:
        match lead:
            case Posted(name):
                channels.append(name)
            case Lost(reason):
                missed[reason] = None
            case Named(found):
                people |= dict.fromkeys(found)
            case OnDuty():
                on = duties[lead]
                people |= dict.fromkeys(sorted(on.people))
                if on.why:
                    missed[on.why] = None
            case _:
                assert_never(lead)
    reached = [person for person in people if person in facts.contacts and facts.contacts[person].reachable]
    for person in people:
        if person not in facts.contacts:
            missed["somebody who was deleted"] = None
        elif person not in reached:
            one = facts.contacts[person]
            missed[f"{one.name} {'is disabled' if one.disabled else 'has no contact method that is enabled'}"] = None
    return _Told(tuple(reached), tuple(channels), tuple(missed))
