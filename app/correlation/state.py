"""What the engine remembers: incidents that may still attract, an index of their entities, rates, names it has learned.

All of it is folded from memberships, in their order; it is a cache that can be thrown away. Everything is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice

from app.clock import Micros
from app.correlation.burst import Burst
from app.correlation.entities import Facets, component, named
from app.correlation.live import MAX_MEMBERS, Live, Member
from app.correlation.rates import Rates
from app.correlation.weights import NOTHING_AFTER

MAX_LIVE = 2_000
"""Incidents that may attract at a time; of more the one that was quiet longest is left alone."""
MAX_LEARNED = 50_000
MOST_HAVING = 12
"""What a thousand incidents have in common tells none of them apart, and is not to cost a thousand looks."""
_VOCABULARY = ("service:", "host:", "queue:", "party:")


class Seen:
    """Facets with what the engine knows: learned names added, words reduced to names, entities to look up."""

    __slots__ = ("component", "entities", "facets", "mentions", "region")

    def __init__(self, facets: Facets, entities: tuple[str, ...], mentions: tuple[str, ...], region: str) -> None:
        self.facets = facets
        self.entities = entities
        self.mentions = mentions
        self.region = region
        self.component = component(entities, facets.place)


class State:
    """The engine's memory."""

    def __init__(self) -> None:
        self.live: OrderedDict[int, Live] = OrderedDict()
        self.index: dict[str, dict[int, None]] = {}
        self.rates = Rates()
        self.bursts: dict[str, Burst] = {}
        self.pins: OrderedDict[str, int] = OrderedDict()
        """Keys of alerts that a person put somewhere."""
        self._hosts: OrderedDict[str, str] = OrderedDict()
        self._regions: OrderedDict[str, str] = OrderedDict()
        self._vocabulary: OrderedDict[str, str] = OrderedDict()

    # ---- what it has learned

    def see(self, facets: Facets) -> Seen:
        """Learns the names an alert carries, and answers it with what is known of them."""
        entities = dict.fromkeys(facets.names)
        self._learn(facets, entities)
        for entity in facets.names:
            if entity.startswith("ip:") and (host := self._hosts.get(entity)):
                entities[host] = None
                stem = host.rpartition("-")
                if stem[2].isdigit():
                    entities["group:" + stem[0][5:]] = None
        self._owners(facets, entities)
        own = {named(entity) for entity in entities}
        mentions = []
        for word in facets.words:
            if word not in own and (known := self._vocabulary.get(word)):
                if known.startswith("service:") and any(word in name and name != word for name in own):
                    entities[known] = None
                else:
                    mentions.append(known)
        for entity in [one for one in entities if one.startswith("service:")]:
            entities[f"at:{entity[8:]}@{facets.place}"] = None
        region = facets.region or self._regions.get(facets.place, facets.place)
        return Seen(facets, tuple(entities), tuple(mentions), region)

    def _learn(self, facets: Facets, entities: dict[str, None]) -> None:
        ips = [one for one in entities if one.startswith("ip:")]
        hosts = [one for one in entities if one.startswith("host:")]
        if len(ips) == 1 and len(hosts) == 1:
            _put(self._hosts, ips[0], hosts[0])
        if facets.region and facets.place != facets.region:
            _put(self._regions, facets.place, facets.region)
        elif facets.region:
            _put(self._regions, facets.region, facets.region)
        for entity in entities:
            if entity.startswith(_VOCABULARY):
                _put(self._vocabulary, named(entity), entity)

    def _owners(self, facets: Facets, entities: dict[str, None]) -> None:
        """A group of hosts that is named after a place belongs to the service it is named after."""
        for entity in [one for one in entities if one.startswith("group:")]:
            stem = entity[6:]
            for place in (facets.place, facets.region):
                if place and stem.endswith("-" + place) and place in self._regions:
                    owner = stem[: -len(place) - 1]
                    entities["service:" + owner] = None
                    _put(self._vocabulary, owner, "service:" + owner)

    # ---- looking up

    def having(self, entity: str) -> Iterable[int]:
        """The live incidents that have an entity: the last `MOST_HAVING` that it came into (of a place: that it was in)."""
        having = self.index.get(entity)
        return islice(reversed(having), MOST_HAVING) if having else ()

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
        for entity in self._keys(seen):
            member = live.members.get(entity)
            if member is not None:
                member.last = at
                member.count += 1
            elif len(live.members) < MAX_MEMBERS:
                live.members[entity] = Member(at, at, self.rates.per_micro(entity, at))
                self.index.setdefault(entity, {})[live.id] = None
        live.places[facets.place] = at
        here = self.index.setdefault(f"place:{facets.place}", {})
        here.pop(live.id, None)
        here[live.id] = None
        if facets.cause:
            live.causes[facets.cause, facets.place] = at
            live.causes[facets.cause, seen.region] = at
            self.index.setdefault(f"region:{seen.region}", {})[live.id] = None
        burst = self.bursts.get(facets.place)
        if burst is None:
            burst = self.bursts[facets.place] = Burst()
        burst.add(at, seen.component, live.id)

    def _keys(self, seen: Seen) -> Iterator[str]:
        facets = seen.facets
        yield f"key:{facets.key}"
        yield f"check:{facets.check}"
        yield f"checkat:{facets.check}@{facets.place}"
        yield from seen.entities
        for mention in seen.mentions:
            yield f"says:{mention}"

    def count(self, seen: Seen, at: Micros) -> None:
        """An alert came, whatever becomes of it."""
        for entity in self._keys(seen):
            self.rates.count(entity, at)
        self.rates.count(f"place:{seen.facets.place}", at)
        if seen.facets.cause:
            self.rates.count(f"cause:{seen.facets.cause}@{seen.facets.place}", at)

    def merge(self, into: Live, other: Live) -> None:
        """All that is in `other` is in `into`."""
        for entity, member in other.members.items():
            known = into.members.get(entity)
            if known is None:
                into.members[entity] = member
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
        for entity in self._keys(seen):
            member = live.members.get(entity)
            if member is None:
                continue
            member.count -= 1
            if not member.count:
                del live.members[entity]
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
        keys = [*live.members, *(f"place:{place}" for place in live.places)]
        keys += [f"region:{where}" for _, where in live.causes]
        for entity in keys:
            self._forget(entity, incident_id)

    def prune(self, now: Micros) -> None:
        """Forgets what can't attract any more."""
        while self.live:
            incident_id, oldest = next(iter(self.live.items()))
            if oldest.last_at + NOTHING_AFTER > now and len(self.live) <= MAX_LIVE:
                break
            self.drop(incident_id)
        for place, burst in list(self.bursts.items()):
            burst.passes_to(now)
            if not burst:
                del self.bursts[place]


def _put(table: OrderedDict[str, str], name: str, value: str) -> None:
    table[name] = value
    table.move_to_end(name)
    if len(table) > MAX_LEARNED:
        table.popitem(last=False)
