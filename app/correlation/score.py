"""How likely an alert belongs to each live incident, and why. Pure: reads the state, changes nothing.

Pieces of evidence are taken as independent chances: together 1 - prod(1 - w). Of pieces that say the same in other words
(the same pod and its service) only the strongest counts.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

from app.clock import SECOND, Micros
from app.correlation import weights
from app.correlation.causes import EXPLAINS
from app.correlation.entities import named
from app.correlation.graph import NO_GRAPH, Graph
from app.correlation.live import Live
from app.correlation.rates import surprise
from app.correlation.state import Seen, State
from app.correlation.weights import Weight

_SAME = {
    "pod": "the same pod {}",
    "at": "the same service {}",
    "host": "the same host {}",
    "ip": "the same host {}",
    "queue": "the same queue {}",
    "party": "the same third party {}",
    "group": "a host of the same group {}",
    "service": "the same service {} elsewhere",
    "check": "the same check {}",
    "checkat": "the same check {}",
    "namespace": "the same namespace {}",
}
_FAMILY = {"pod": "thing", "at": "thing", "host": "thing", "ip": "thing", "group": "thing", "service": "thing"}
_FAMILY |= {"check": "check", "checkat": "check", "queue": "queue", "party": "party", "namespace": "namespace"}


_CIRCUMSTANCE = frozenset({"check", "nearby"})
"""What never joins alerts of two services that somebody declared as two."""


LEAST = 0.02
"""Evidence that is worth less is none."""
MOST = 8
"""Incidents that are answered: the best is joined, the next few may be merged with it."""


class Evidence(NamedTuple):
    """One piece: what it is worth here and now."""

    value: float
    name: str
    sentence: str


class Match(NamedTuple):
    """What speaks for one incident."""

    incident_id: int
    score: float
    evidence: tuple[Evidence, ...]
    """The strongest first."""


def matches(state: State, seen: Seen, scope: int, now: Micros, graph: Graph = NO_GRAPH) -> list[Match]:
    """The live incidents of the scope for which most speaks, the likeliest first; of two equal ones the older."""
    found: dict[int, dict[str, Evidence]] = {}
    collect = _Collector(state, seen, scope, now, found)
    collect.same_things()
    collect.mentions()
    collect.calls(graph)
    collect.causes()
    collect.nearby()
    rated = []
    for incident_id, evidence in found.items():
        doubt = 1.0
        for piece in evidence.values():
            doubt *= 1.0 - piece.value
        rated.append((doubt, incident_id))
    rated.sort()
    return [Match(one, 1.0 - doubt, _strongest_first(found[one])) for doubt, one in rated[:MOST]]


def _strongest_first(evidence: dict[str, Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(evidence.values(), key=lambda piece: -piece.value))


class _Collector:
    """Gathers evidence for one alert."""

    def __init__(
        self, state: State, seen: Seen, scope: int, now: Micros, found: dict[int, dict[str, Evidence]]
    ) -> None:
        self.state = state
        self.seen = seen
        self.scope = scope
        self.now = now
        self.found = found

    def same_things(self) -> None:
        """Entities that an incident has too."""
        facets = self.seen.facets
        self._by_entity(f"key:{facets.key}", weights.SAME_ALERT, "thing", "same_alert", "the same alert again")
        for entity in self.seen.entities:
            kind, _, name = entity.partition(":")
            weight = weights.WEIGHTS.get(kind)
            if weight is not None:
                self._by_entity(entity, weight, _FAMILY[kind], f"same_{kind}", _SAME[kind].format(name))
        self._by_entity(
            f"checkat:{facets.check}@{facets.place}",
            weights.WEIGHTS["checkat"],
            "check",
            "same_check",
            f"the same check in {facets.place}",
        )
        self._by_entity(f"check:{facets.check}", weights.WEIGHTS["check"], "check", "same_check", "the same check")

    def mentions(self) -> None:
        """Text that names a member, members whose text names this, texts that name the same."""
        for mention in self.seen.mentions:
            name = named(mention)
            self._by_entity(mention, weights.NAMES_MEMBER, "named", "names_member", f"names {name}")
            self._by_entity(f"says:{mention}", weights.NAME_SAME, "named", "name_same", f"both name {name}")
        for entity in self.seen.entities:
            if not entity.startswith(("at:", "group:", "namespace:", "pod:")):
                said = f"an alert there names {named(entity)}"
                self._by_entity(f"says:{entity}", weights.NAMED_BY_MEMBER, "named", "named_by_member", said)

    def calls(self, graph: Graph) -> None:
        """Services that call each other, by a declared graph."""
        for entity in self.seen.entities:
            if entity.startswith("service:"):
                for other, weight, words in graph.near(named(entity)):
                    said = words.format(named(entity), other)
                    here = f"at:{other}@{self.seen.facets.place}"
                    self._by_entity(here, weight, "calls", "calls", said)
                    self._by_entity(f"service:{other}", weight, "calls", "calls", said)

    def causes(self) -> None:
        """A class of checks that explains another, or is explained by it, in the same place."""
        facets = self.seen.facets
        if not facets.cause:
            return
        for (cause, effect), value in EXPLAINS.items():
            if facets.cause not in (cause, effect):
                continue
            other = effect if facets.cause == cause else cause
            where = self.seen.region if cause == "network" else facets.place
            index = f"region:{where}" if cause == "network" else f"place:{where}"
            rate = self.state.rates.per_micro(f"cause:{other}@{facets.place}", self.now)
            for incident_id in self.state.having(index):
                live = self.state.live[incident_id]
                last = live.causes.get((other, where))
                if last is None:
                    continue
                age = self.now - last
                worth = value * _fade(age, weights.CAUSE_FULL) * surprise(rate, age)
                said = f"{cause} trouble explains {effect} trouble in {where}"
                self._add(live, "cause", worth, "cause", said, last, identity=False)

    def nearby(self) -> None:
        """Just after the last alert of the place; in a burst of the place, with most of it."""
        place = self.seen.facets.place
        rate = self.state.rates.per_micro(f"place:{place}", self.now)
        owner = self.seen.facets.owner
        oldest = self.now - 6 * weights.JUST_AFTER.full
        for incident_id in self.state.having(f"place:{place}"):
            live = self.state.live[incident_id]
            at = live.places[place]
            if at < oldest or owner not in live.owners:
                continue
            age = self.now - at
            worth = weights.JUST_AFTER.value * _fade(age, weights.JUST_AFTER.full) * surprise(rate, age)
            if worth >= LEAST:
                said = f"{age // SECOND} s after its last alert in {place}"
                self._add(live, "nearby", worth, "just_after", said, at, identity=False)
        self._burst(place)

    def _burst(self, place: str) -> None:
        burst = self.state.bursts.get(place)
        if burst is None or burst.things < weights.BURST_COMPONENTS:
            return
        largest, own = burst.largest()
        live = self.state.live.get(largest)
        if live is not None and own * 2 >= burst.things:
            said = f"{burst.things} things of {place} failed within 2 min, most of them here"
            self._add(live, "nearby", weights.BURST.value, "burst", said, self.now, identity=False)

    def _by_entity(self, entity: str, weight: Weight, family: str, name: str, said: str) -> None:
        for incident_id in self.state.having(entity):
            live = self.state.live[incident_id]
            member = live.members[entity]
            age = self.now - member.last
            worth = weight.value * _fade(age, weight.full) * surprise(member.rate, age)
            self._add(live, family, worth, name, said, member.first, identity=weight.identity or name == "same_alert")

    def _add(
        self, live: Live, family: str, worth: float, name: str, said: str, since: Micros, *, identity: bool
    ) -> None:
        if live.scope != self.scope or live.sealed:
            return
        if family in _CIRCUMSTANCE and self.seen.facets.owner not in live.owners:
            return
        joined = self.now - since
        if name == "same_alert":
            pass
        elif joined > (weights.IDENTITY_FOR if identity else weights.NEW_COMPONENT_FOR):
            return
        if not identity and len(live.components) >= weights.MANY_COMPONENTS:
            worth *= live.lives_in(self.seen.region)
        if worth < LEAST:
            return
        evidence = self.found.setdefault(live.id, {})
        if family not in evidence or evidence[family].value < worth:
            evidence[family] = Evidence(worth, name, said)


def _fade(age: Micros, full: Micros) -> float:
    return 1.0 if age <= full else exp((full - age) / full)
