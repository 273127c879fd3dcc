"""Which key belongs to which integration, and how that one's alerts are grouped: remembered, and never out of date.

Each ingest transaction compares the version of the configuration with the one remembered and reads it again when they
differ, so a decision never uses settings older than its own transaction. For keys the memory may be `TRUSTED` old: a key
that was revoked in another replica opens for that long at most, in the one that revoked it for no instant. A key that is
not known is always looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from app.clock import SECOND, Micros
from app.correlation.aliases import SHIPPED, Labels, table
from app.correlation.graph import NO_GRAPH, Graph
from app.dedup.memory import Memory
from app.dedup.tables import integration_keys
from app.incidents.priority import Impact
from app.incidents.service import FirstPage, Grouping, Service
from app.routing.inhibition import Inhibitions
from app.routing.quieting import read_inhibitions
from app.routing.reading import Rules
from app.routing.rulebook import Rulebook
from app.sources.source import SourceSettings
from app.store.database import Reading, Store
from app.store.resources import config_version, listed, readable

DEFAULT_GROUPING = Grouping()
DEFAULT_FIRST_PAGE = FirstPage()


@dataclass(frozen=True, slots=True)
class Inlet:
    """One integration as the hot path needs it."""

    integration_id: int
    name: str
    kind: str
    settings: SourceSettings
    service_id: int | None
    grouping: Grouping = DEFAULT_GROUPING
    impact: Impact = "medium"
    auto_resolve: bool = True
    first_page: FirstPage = DEFAULT_FIRST_PAGE
    scope: int = 0
    """The escalation policy whose people are told; 0 for none. Evidence never leads from one's incidents to another's."""
    service_name: str = ""
    made_at: Micros = 0
    """When somebody made the integration."""
    expects: str = ""
    """The alert whose firing is the sender's sign of life; empty: whatever it sends is."""


@dataclass(frozen=True, slots=True)
class View:
    """The configuration of ingest at one version."""

    version: str = ""
    by_digest: Mapping[bytes, tuple[Inlet, Micros | None]] = field(default_factory=dict)
    by_id: Mapping[int, Inlet] = field(default_factory=dict)
    services: Mapping[int, Inlet] = field(default_factory=dict)
    """What alerts have from each service: the way in of no sender."""
    rules: Rulebook = field(default_factory=Rulebook)
    inhibitions: Inhibitions = field(default_factory=Inhibitions)
    aliases: Labels = field(default_factory=lambda: SHIPPED)
    graph: Graph = NO_GRAPH


def digest_of(key: str) -> bytes:
    """What is stored of a key. Keys are 256-bit random, so a fast hash is enough."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


ParseSettings = Callable[[str, Mapping[str, Any]], SourceSettings]
"""Turns an integration's document into its kind's settings; for a kind that is gone, the defaults."""


async def read_view(view: Reading, parse: ParseSettings, remembered: Rules) -> View:
    """The whole directory. Integrations and services are few (thousands), alerts are many."""
    version = await config_version(view)
    services = readable(await listed(view, "service"), Service)
    inlets = {}
    # A heartbeat is a sender too, of one alert: its own silence.
    for item in (*await listed(view, "integration"), *await listed(view, "heartbeat")):
        document = item.document
        kind = document["kind"] if item.kind == "integration" else item.kind
        service_id = int(document["service_id"]) if document.get("service_id") else None
        settings = parse(kind, document.get("settings", {}))
        inlet = _inlet(item.id, item.name, kind, settings, service_id, services)
        inlets[item.id] = replace(inlet, expects=document.get("expect_alert") or "", made_at=item.created_at)
    keys = await view.conn.execute(
        select(integration_keys.c.digest, integration_keys.c.integration_id, integration_keys.c.expires_at)
    )
    by_digest = {bytes(row[0]): (inlets[row[1]], row[2]) for row in keys if row[1] in inlets}
    served = {item: _inlet(0, "", "", SourceSettings(), item, services) for item in services}
    rules = await remembered.read(view, {item: one.name for item, one in services.items()})
    own: dict[str, str] = {}
    for item in await listed(view, "aliases"):
        own |= item.document["labels"]
    calls: dict[str, list[str]] = {}
    for item in await listed(view, "graph"):
        for name, node in item.document["services"].items():
            calls.setdefault(name, []).extend(node["calls"])
    inhibitions = await read_inhibitions(view)
    return View(version, by_digest, inlets, served, rules, inhibitions, table(own), Graph(calls))


def _inlet(
    sender_id: int,
    name: str,
    kind: str,
    settings: SourceSettings,
    service_id: int | None,
    services: Mapping[int, Service],
) -> Inlet:
    service = services.get(service_id) if service_id else None
    return Inlet(
        integration_id=sender_id,
        name=name,
        kind=kind,
        settings=settings,
        service_id=service_id if service else None,
        grouping=service.grouping if service else Grouping(),
        impact=service.impact if service else "medium",
        auto_resolve=service.auto_resolve if service else True,
        first_page=service.first_page if service else DEFAULT_FIRST_PAGE,
        scope=int(service.policy_id or 0) if service else 0,
        service_name=service.name if service else "",
    )


TRUSTED = SECOND
"""How long a remembered key is believed without asking."""


class Directory:
    """The remembered View of one process."""

    def __init__(self, store: Store, parse: ParseSettings) -> None:
        self._store = store
        self._parse = parse
        self._rules = Rules()
        self._asked_at: Micros = 0
        self.view = View()
        self.memory = Memory()
        """What the engine of correlation remembers in this process."""

    def forget(self) -> None:
        """The configuration was changed here: the next look-up asks."""
        self._asked_at = 0

    async def refresh(self, view: Reading) -> View:
        """The View of this transaction: remembered, or read anew when the configuration has changed."""
        if await config_version(view) != self.view.version:
            self.view = await read_view(view, self._parse, self._rules)
        self._asked_at = view.now
        return self.view

    def remembered(self, kind: str, key: str) -> Inlet | None:
        """The integration whose key this is, as far as that can be told without asking; `inlet` asks."""
        now = self._store.clock.now()
        return self._opened(kind, key, now) if now - self._asked_at <= TRUSTED else None

    async def inlet(self, kind: str, key: str) -> Inlet | None:
        """The integration whose key this is; None for a key that is unknown, revoked or of another kind."""
        if found := self.remembered(kind, key):
            return found
        await self._store.read(self.refresh)
        return self._opened(kind, key, self._store.clock.now())

    def _opened(self, kind: str, key: str, now: Micros) -> Inlet | None:
        inlet, expires_at = self.view.by_digest.get(digest_of(key), (None, None))
        if inlet is None or inlet.kind != kind or (expires_at is not None and expires_at <= now):
            return None
        return inlet
