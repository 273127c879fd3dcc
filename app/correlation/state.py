"""What the engine remembers: incidents that may still attract, an index of their entities, rates, names it has learned.

All of it is folded from memberships, in their order; it is a cache that can be thrown away. Everything is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from app.clock import Micros
from app.correlation.burst import Burst
from app.correlation.entities import Facets
from app.correlation.live import MAX_MEMBERS, Live, Member
from app.correlation.rates import Rates
from app.correlation.recent import Recent
from app.correlation.weights import BURST_WINDOW, NOTHING_AFTER

MAX_LIVE = 2_000
"""Incidents that may attract at a time; of more the one that was quiet longest is left alone."""
MAX_KNOWN = 200_000
"""Entities of all of them together; beyond it, too, the one that was quiet longest goes."""
MAX_PLACES = 2_000
"""Places whose bursts are counted, those of the last alerts."""
MAX_LEARNED = 50_000
MOST_HAVING = 12
"""Of the incidents that have an entity only the last that it came into (of a place: that it was in) are looked at: what a
thousand have in common tells none of them apart, and is not to cost a thousand looks."""
_VOCABULARY = frozenset(["service", "host", "queue", "party"])
_FAILS_FIRST = ("host:", "ip:", "pod:", "queue:", "party:")
"""After services: of what an alert names, the thing that fails."""


class Seen:
    """Facets with what the engine knows: learned names added, words reduced to names, entities to look up."""

    __slots__ = ("component", "entities", "facets", "here", "keys", "mentions", "owner", "region")

    def __init__(
        self, facets: Facets, entities: dict[str, str], mentions: list[str], region: str, services: list[str]
    ) -> None:
        self.facets = facets
        self.entities = entities
        """Each with its name alone."""
        self.mentions = mentions
        self.region = region
        self.owner = facets.owner if f"service:{facets.owner}" not in entities else ""
        """The declared service by whose integration it came, unless it names that itself."""
        self.component = f"{services[0]}@{facets.place}" if services else _component(entities, facets.place)
        self.here = f"place:{facets.place}"
        self.keys = [f"key:{facets.key}", f"check:{facets.check}", f"checkat:{facets.check}@{facets.place}", *entities]
        """By what its incident will be found."""
        if self.owner:
            self.keys.append(f"own:{self.owner}")
        if mentions:
            self.keys += [f"says:{mention}" for mention in mentions]


def _component(entities: Iterable[str], place: str) -> str:
    """The one thing of an alert that fails: its service there, else its host, else whatever it names first."""
    named = list(entities)
    for kind in _FAILS_FIRST:
        for entity in named:
            if entity.startswith(kind):
                return entity
    return named[0] if named else f"place:{place}"


class State:
    """The engine's memory."""

    def __init__(self, most_known: int = MAX_KNOWN) -> None:
        self.live: OrderedDict[int, Live] = OrderedDict()
        self.index: dict[str, dict[int, None]] = {}
        self.most_known = most_known
        self.known = 0
        """Entities of all live incidents together."""
        self.rates = Rates()
        self.bursts: OrderedDict[str, Burst] = OrderedDict()
        self.pins: OrderedDict[str, int] = OrderedDict()
        """Keys of alerts that a person put somewhere."""
        self._hosts: Recent[str] = Recent(MAX_LEARNED)
        self._regions: Recent[str] = Recent(MAX_LEARNED)
        self._vocabulary: Recent[str] = Recent(MAX_LEARNED)
        self._sweep_at: Micros = 0

    # ---- what it has learned

    def see(self, facets: Facets) -> Seen:
        """Learns the names an alert carries, and answers it with what is known of them."""
        entities: dict[str, str] = {}
        ips: list[str] = []
        hosts: list[str] = []
        vocabulary = self._vocabulary
        for entity in facets.names:
            kind, _, name = entity.partition(":")
            entities[entity] = name
            if kind in _VOCABULARY:
                vocabulary.young[name] = entity
            if kind == "ip":
                ips.append(entity)
            elif kind == "host":
                hosts.append(entity)
        vocabulary.age()
        if len(ips) == len(hosts) == 1:
            self._hosts.put(ips[0], hosts[0])
        if facets.region:
            self._regions.put(facets.place, facets.region)
        for address in ips:
            self._known_host(address, entities)
        if hosts or ips:
            self._owners(facets, entities)
        mentions = self._mentions(facets.words, entities) if facets.words else []
        services = [one for one in entities if one[:8] == "service:"]
        for entity in services:
            at = f"{entities[entity]}@{facets.place}"
            entities["at:" + at] = at
        region = facets.region or self._regions.get(facets.place) or facets.place
        return Seen(facets, entities, mentions, region, services)

    def _known_host(self, address: str, entities: dict[str, str]) -> None:
        host = self._hosts.get(address)
        if host is None:
            return
        entities[host] = host[5:]
        stem = host.rpartition("-")
        if stem[2].isdigit():
            entities["group:" + stem[0][5:]] = stem[0][5:]

    def _owners(self, facets: Facets, entities: dict[str, str]) -> None:
        """A group of hosts that is named after a place belongs to the service it is named after."""
        for stem in [name for entity, name in entities.items() if entity[:6] == "group:"]:
            for place in (facets.place, facets.region):
                if place and stem.endswith("-" + place) and self._regions.get(place) is not None:
                    owner = stem[: -len(place) - 1]
                    entities["service:" + owner] = owner
                    self._vocabulary.put(owner, "service:" + owner)

    def _mentions(self, words: tuple[str, ...], entities: dict[str, str]) -> list[str]:
        """Words that are names of things seen elsewhere; a longer form of an own name tells whose it is."""
        young, old = self._vocabulary.young, self._vocabulary.old
        own = set(entities.values())
        mentions = []
        for word in words:
            known = young.get(word) or old.get(word)
            if known is None or word in own:
                continue
            if known[:8] == "service:" and any(word in name and name != word for name in own):
                entities[known] = word
            else:
                mentions.append(known)
        return mentions

    # ---- folding

    def open(self, incident_id: int, scope: int, at: Micros) -> Live:
        """A new live incident."""
        live = self.live[incident_id] = Live(incident_id, scope, at, at)
        self.prune(at)
        return live

    def add(self, live: Live, seen: Seen, at: Micros) -> None:
        """An alert is in an incident."""
        facets = seen.facets
        live.alerts += 1
        live.severity = max(live.severity, facets.severity)
        live.last_at = at
        live.owners.add(facets.owner)
        self.live.move_to_end(live.id)
        if seen.component not in live.components and len(live.components) < MAX_MEMBERS:
            live.components[seen.component] = seen.region
            live.regions[seen.region] = live.regions.get(seen.region, 0) + 1
        members, index = live.members, self.index
        for entity in seen.keys:
            member = members.get(entity)
            if member is not None:
                member.last = at
                member.count += 1
            elif len(members) < MAX_MEMBERS:
                members[entity] = Member(at, at, self.rates.per_micro(entity, at))
                index.setdefault(entity, {})[live.id] = None
                self.known += 1
        if facets.place in live.places or len(live.places) < MAX_MEMBERS:
            live.places[facets.place] = at
            here = index.setdefault(seen.here, {})
            here.pop(live.id, None)
            here[live.id] = None
            if facets.cause:
                live.causes[facets.cause, facets.place] = at
                live.causes[facets.cause, seen.region] = at
                index.setdefault(f"region:{seen.region}", {})[live.id] = None
        self._burst(facets.place, at).add(at, seen.component, live.id)

    def _burst(self, place: str, at: Micros) -> Burst:
        burst = self.bursts.get(place)
        if burst is None:
            burst = self.bursts[place] = Burst()
            if len(self.bursts) > MAX_PLACES:
                self.bursts.popitem(last=False)
        else:
            self.bursts.move_to_end(place)
            burst.passes_to(at)
        return burst

    def count(self, seen: Seen, at: Micros) -> None:
        """An alert came, whatever becomes of it."""
        facets = seen.facets
        counted = [*seen.keys, seen.here]
        if facets.cause:
            counted.append(f"cause:{facets.cause}@{facets.place}")
        self.rates.count(counted, at)

    def merge(self, into: Live, other: Live) -> None:
        """All that is in `other` is in `into`."""
        for entity, member in other.members.items():
            known = into.members.get(entity)
            if known is None:
                into.members[entity] = member
                self.known += 1
                self.index.setdefault(entity, {})[into.id] = None
            else:
                known.first = min(known.first, member.first)
                known.last = max(known.last, member.last)
                known.rate = min(known.rate, member.rate)
                known.count += member.count
        for name, region in other.components.items():
            if name not in into.components:
                into.components[name] = region
                into.regions[region] = into.regions.get(region, 0) + 1
        for place, last in other.places.items():
            into.places[place] = max(into.places.get(place, last), last)
            self.index.setdefault(f"place:{place}", {})[into.id] = None
        for cause, last in other.causes.items():
            into.causes[cause] = max(into.causes.get(cause, last), last)
            self.index.setdefault(f"region:{cause[1]}", {})[into.id] = None
        into.alerts += other.alerts
        into.owners |= other.owners
        into.severity = max(into.severity, other.severity)
        into.last_at = max(into.last_at, other.last_at)
        for burst in self.bursts.values():
            burst.merged(other.id, into.id)
        self.drop(other.id)

    def take_out(self, live: Live, seen: Seen) -> None:
        """An alert was never in an incident: what only it brought is not there."""
        for entity in seen.keys:
            member = live.members.get(entity)
            if member is None:
                continue
            member.count -= 1
            if not member.count:
                del live.members[entity]
                self.known -= 1
                self._forget(entity, live.id)
        live.alerts = max(0, live.alerts - 1)

    def _forget(self, entity: str, incident_id: int) -> None:
        having = self.index.get(entity)
        if having is not None:
            having.pop(incident_id, None)
            if not having:
                del self.index[entity]

    def pin(self, key: str, incident_id: int) -> None:
        """A person says where an alert belongs, whenever it comes."""
        self.pins.pop(key, None)
        self.pins[key] = incident_id
        if len(self.pins) > MAX_LEARNED:
            self.pins.popitem(last=False)

    def drop(self, incident_id: int) -> None:
        """An incident attracts nothing any more."""
        live = self.live.pop(incident_id, None)
        if live is None:
            return
        self.known -= len(live.members)
        keys = [*live.members, *(f"place:{place}" for place in live.places)]
        keys += [f"region:{where}" for _, where in live.causes]
        for entity in keys:
            self._forget(entity, incident_id)

    def prune(self, now: Micros) -> None:
        """Forgets what can't attract any more."""
        while self.live:
            incident_id, oldest = next(iter(self.live.items()))
            full = len(self.live) > MAX_LIVE or self.known > self.most_known
            if oldest.last_at + NOTHING_AFTER > now and not full:
                break
            self.drop(incident_id)
        if now >= self._sweep_at:
            self._sweep_at = now + BURST_WINDOW
            for place, burst in list(self.bursts.items()):
                burst.passes_to(now)
                if not burst:
                    del self.bursts[place]
