"""How likely an alert belongs to each live incident, and why. Pure: reads the state, changes nothing.

Pieces of evidence are taken as independent chances: together 1 - prod(1 - w). Of pieces that say the same in other words
(the same pod and its service) only the strongest counts.
"""

from __future__ import annotations

from itertools import islice
from math import exp
from operator import itemgetter
from typing import NamedTuple

from app.clock import SECOND, Micros
from app.correlation import weights
from app.correlation.causes import NEAR
from app.correlation.entities import named
from app.correlation.graph import NO_GRAPH, Graph
from app.correlation.live import Live
from app.correlation.rates import surprise
from app.correlation.state import MOST_HAVING, Seen, State
from app.correlation.weights import Weight


class Kind(NamedTuple):
    """One way in which an alert and an incident can have something in common."""

    value: float
    full: Micros
    lasts: Micros
    """For how long after it came into the incident it counts at all."""
    identity: bool
    family: str
    """Of one family only the strongest counts."""
    name: str
    words: str
    """A sentence, with a place for each thing that it is about."""


def _kind(weight: Weight, family: str, name: str, words: str) -> Kind:
    lasts = weights.IDENTITY_FOR if weight.identity else weights.NEW_COMPONENT_FOR
    return Kind(weight.value, weight.full, lasts, weight.identity, family, name, words)


def _same(kind: str, family: str, words: str) -> Kind:
    return _kind(weights.WEIGHTS[kind], family, f"same_{kind}", words)


_FOR_EVER: Micros = 1 << 62
_SAME_ALERT = _kind(weights.SAME_ALERT, "thing", "same_alert", "the same alert again")._replace(lasts=_FOR_EVER)
_SAME = {
    "pod": _same("pod", "thing", "the same pod {}"),
    "at": _same("at", "thing", "the same service {}"),
    "host": _same("host", "thing", "the same host {}"),
    "ip": _same("ip", "thing", "the same host {}"),
    "queue": _same("queue", "queue", "the same queue {}"),
    "party": _same("party", "party", "the same third party {}"),
    "group": _same("group", "thing", "a host of the same group {}"),
    "service": _same("service", "thing", "the same service {} elsewhere"),
    "namespace": _same("namespace", "namespace", "the same namespace {}"),
}
_CHECK_HERE = _same("checkat", "check", "the same check in {}")._replace(name="same_check")
_CHECK = _same("check", "check", "the same check")
_NAMES_MEMBER = _kind(weights.NAMES_MEMBER, "named", "names_member", "names {}")
_NAME_SAME = _kind(weights.NAME_SAME, "named", "name_same", "both name {}")
_NAMED_BY_MEMBER = _kind(weights.NAMED_BY_MEMBER, "named", "named_by_member", "an alert there names {}")
_OWNER_NAMED = _kind(weights.OWN, "own", "same_owner", "it came by an integration of {}, which an alert there names")
_NAMES_OWNER = _kind(weights.OWN, "own", "same_owner", "an alert there came by an integration of {}")
_CAUSE_WORDS = "{} trouble explains {} trouble in {}"
_AFTER_WORDS = "{} s after its last alert in {}"
_BURST_WORDS = "{} things of {} failed within 2 min, most of them here"

LEAST = 0.02
"""Evidence that is worth less is none."""
MOST = 5
"""Incidents that are answered: the best is joined, the next few may be merged with it."""

Piece = tuple[float, str, str, tuple[object, ...]]
"""Evidence as it is collected: most of it speaks for incidents that are not chosen, and is never told."""


class Evidence(NamedTuple):
    """One piece: what it is worth here and now."""

    value: float
    name: str
    words: str
    about: tuple[object, ...] = ()

    @property
    def sentence(self) -> str:
        """For people."""
        return self.words.format(*self.about)


_worth = itemgetter(0)


class Match(NamedTuple):
    """What speaks for one incident."""

    incident_id: int
    score: float
    pieces: tuple[Piece, ...]

    @property
    def evidence(self) -> list[Evidence]:
        """The strongest first."""
        return [Evidence(*piece) for piece in sorted(self.pieces, key=_worth, reverse=True)]


class _Stand:
    """An incident as it stands to the alert: whether it may take it, and what speaks for it, by family."""

    __slots__ = ("free", "live", "owned", "pieces", "share")

    def __init__(self, live: Live, seen: Seen, scope: int) -> None:
        self.live = live
        self.free = live.scope == scope and not live.sealed
        # What a check's name and the time say never joins alerts of two services that somebody declared as two, unless
        # a call between them is declared as well.
        self.owned = self.free and seen.facets.owner in live.owners
        self.share = live.lives_in(seen.region) if len(live.components) >= weights.MANY_COMPONENTS else 1.0
        self.pieces: dict[str, Piece] = {}

    def add(self, family: str, piece: Piece) -> None:
        known = self.pieces.get(family)
        if piece[0] >= LEAST and (known is None or known[0] < piece[0]):
            self.pieces[family] = piece


def matches(state: State, seen: Seen, scope: int, now: Micros, graph: Graph = NO_GRAPH) -> list[Match]:
    """The live incidents of the scope for which most speaks, the likeliest first; of two equal ones the older."""
    stands = _Stands(state, seen, scope, now)
    stands.collect(graph)
    rated = []
    for incident_id, stand in stands.items():
        if stand.pieces:
            doubt = 1.0
            for piece in stand.pieces.values():
                doubt *= 1.0 - piece[0]
            rated.append((doubt, incident_id))
    rated.sort()
    return [Match(one, 1.0 - doubt, tuple(stands[one].pieces.values())) for doubt, one in rated[:MOST]]


class _Stands(dict[int, _Stand]):
    """The incidents that were looked at for one alert, by id, each with what speaks for it."""

    __slots__ = ("here", "index", "now", "scope", "seen", "state")

    def __init__(self, state: State, seen: Seen, scope: int, now: Micros) -> None:
        self.state = state
        self.index = state.index
        self.seen = seen
        self.scope = scope
        self.now = now
        self.here = self._having(seen.here)

    def __missing__(self, incident_id: int) -> _Stand:
        made = self[incident_id] = _Stand(self.state.live[incident_id], self.seen, self.scope)
        return made

    def collect(self, graph: Graph) -> None:
        """All that speaks for live incidents."""
        self.same_things()
        self.mentions()
        self.owners()
        if graph is not NO_GRAPH:
            self.calls(graph)
        if self.seen.facets.cause in NEAR:
            self.causes()
        self.nearby()

    def same_things(self) -> None:
        """Entities that an incident has too."""
        index = self.index
        alert, check, check_here = self.seen.keys[:3]
        if alert in index:
            self._by_entity(alert, _SAME_ALERT)
        for entity, name in self.seen.entities.items():
            if entity in index:
                self._by_entity(entity, _SAME[entity.partition(":")[0]], name)
        if check_here in index:
            self._by_entity(check_here, _CHECK_HERE, self.seen.facets.place)
        if check in index:
            self._by_entity(check, _CHECK)

    def mentions(self) -> None:
        """Text that names a member, members whose text names this, texts that name the same."""
        index = self.index
        for mention in self.seen.mentions:
            if mention in index:
                self._by_entity(mention, _NAMES_MEMBER, named(mention))
            if (said := f"says:{mention}") in index:
                self._by_entity(said, _NAME_SAME, named(mention))
        for entity, name in self.seen.entities.items():
            if (said := f"says:{entity}") in index:
                self._by_entity(said, _NAMED_BY_MEMBER, name)

    def owners(self) -> None:
        """A declared service, where one alert names it and the other came by one of its integrations."""
        owner = self.seen.owner
        if owner and (named_there := f"service:{owner}") in self.index:
            self._by_entity(named_there, _OWNER_NAMED, owner)
        for entity, name in self.seen.entities.items():
            if entity.startswith("service:") and (owned := f"own:{name}") in self.index:
                self._by_entity(owned, _NAMES_OWNER, name)

    def calls(self, graph: Graph) -> None:
        """Services that call each other, by a declared graph: then the time counts, whoever owns them."""
        for entity, name in self.seen.entities.items():
            if entity.startswith("service:"):
                for other, anywhere, weight, words in graph.near(name):
                    if anywhere in self.index:
                        kind = _kind(weight, "calls", "calls", words)
                        self._by_entity(f"at:{other}@{self.seen.facets.place}", kind, name, other)
                        self._by_entity(anywhere, kind, name, other)
                        for stand in self._having(anywhere):
                            stand.owned = stand.free

    def causes(self) -> None:
        """A class of checks that explains another, or is explained by it, in the same place."""
        place = self.seen.facets.place
        for cause, effect, other, value in NEAR[self.seen.facets.cause]:
            where = self.seen.region if cause == "network" else place
            rate = None
            for stand in self._having(f"region:{where}") if cause == "network" else self.here:
                last = stand.live.causes.get((other, where))
                if last is None or not stand.free or self.now - last > weights.NEW_COMPONENT_FOR:
                    continue
                if rate is None:
                    rate = self.state.rates.per_micro(f"cause:{other}@{place}", self.now)
                age = self.now - last
                worth = value * _fade(age, weights.CAUSE_FULL) * surprise(rate, age) * stand.share
                stand.add("cause", (worth, "cause", _CAUSE_WORDS, (cause, effect, where)))

    def nearby(self) -> None:
        """Just after the last alert of the place; in a burst of the place, with most of it."""
        place = self.seen.facets.place
        rate = self.state.rates.per_micro(f"place:{place}", self.now)
        value, full, _ = weights.JUST_AFTER
        for stand in self.here:
            age = self.now - stand.live.places[place]
            if not stand.owned or age > 6 * full:
                continue
            worth = value * _fade(age, full) * surprise(rate, age)
            if worth >= LEAST:
                stand.add("nearby", (worth * stand.share, "just_after", _AFTER_WORDS, (age // SECOND, place)))
        self._burst(place)

    def _burst(self, place: str) -> None:
        burst = self.state.bursts.get(place)
        if burst is None:
            return
        burst.passes_to(self.now)
        largest = burst.most_in_one()
        if largest is None or largest not in self.state.live:
            return
        stand = self[largest]
        if stand.owned:
            piece = (weights.BURST.value * stand.share, "burst", _BURST_WORDS, (burst.things, place))
            stand.add("nearby", piece)

    def _by_entity(self, entity: str, kind: Kind, *about: object) -> None:
        value, full, lasts, identity, family, name, words = kind
        now = self.now
        for stand in self._having(entity):
            if not (stand.owned if family == "check" else stand.free):
                continue
            member = stand.live.members[entity]
            if now - member.first > lasts:
                continue
            age = now - member.last
            worth = value if age <= full else value * exp((full - age) / full)
            if age:
                worth *= surprise(member.rate, age)
            stand.add(family, (worth if identity else worth * stand.share, name, words, about))

    def _having(self, entity: str) -> list[_Stand]:
        """The incidents that an entity came into last."""
        having = self.index.get(entity)
        if having is None:
            return []
        return [self[one] for one in islice(reversed(having), MOST_HAVING)]


def _fade(age: Micros, full: Micros) -> float:
    return 1.0 if age <= full else exp((full - age) / full)
