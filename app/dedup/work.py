"""What one transaction of ingest knows, decides and has done. Values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.clock import Micros
from app.correlation.weights import OLD_NEWS
from app.dedup.arrival import Prepared
from app.dedup.directory import Inlet, View
from app.dedup.episodes import Episode, Touch
from app.dedup.habits import Habit
from app.incidents.incident import Entry, Incident
from app.routing.tally import Tally

NewId = Callable[[], int]
"""Where the ids of new alerts and incidents come from."""


@dataclass(slots=True)
class Written:
    """What one transaction did."""

    changes: Counter[str] = field(default_factory=Counter)
    touches: list[Touch] = field(default_factory=list)
    opened: int = 0
    tally: Tally = field(default_factory=Tally)
    due: int = 0
    """Incidents whose first page is due, or soon will be."""
    synthetic: int = 0
    """How many of those opened are synthetic (app/watch/synthetic.py): nobody counts them."""


class Due(NamedTuple):
    """The first page of an incident is to be told at an instant."""

    incident_id: int
    service_id: int | None
    epoch: int
    at: Micros


class Waiting(NamedTuple):
    """A new open alert that needs a place."""

    row: dict[str, Any]
    episode: Episode
    inlet: Inlet
    item: Prepared
    grouping: bytes

    def is_old_news(self, now: Micros) -> bool:
        """It began long before it was first heard of."""
        starts_at = self.item.event.starts_at
        return starts_at is not None and now - starts_at > OLD_NEWS


@dataclass(slots=True)
class Work:
    """The state of one transaction while it decides."""

    now: Micros
    known: dict[bytes, Episode]
    view: View
    """The configuration by which it decides."""
    written: Written = field(default_factory=Written)
    new: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Rows of alerts that open or begin as ended here, by id."""
    waiting: list[Waiting] = field(default_factory=list)
    updates: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What alerts that were open before show now, by alert; `count` is how many firings are new."""
    resolves: list[tuple[Episode, Inlet, Micros | None, str]] = field(default_factory=list)
    habits: dict[int, Habit] = field(default_factory=dict)
    """What is known of the checks of alerts that wait for a place, by alert; of services that hold by what they learned."""
    grown: list[Incident] = field(default_factory=list)
    """Incidents of one alert that another one joined here."""
    ends: dict[int, Micros | None] = field(default_factory=dict)
    """When alerts that were over ended, as their senders say now, by alert."""
    graver: list[tuple[Episode, Inlet, str, str]] = field(default_factory=list)
    acknowledged: list[tuple[Episode, Inlet]] = field(default_factory=list)
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    routings: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What rules did to alerts that open here, by alert."""
    inhibitors: list[dict[str, Any]] = field(default_factory=list)
    """What alerts that open here stand for, as sources of inhibition."""
    expiries: list[Micros] = field(default_factory=list)
    moved: dict[int, int] = field(default_factory=dict)
    """Incidents that were merged here, and which one each lives on in."""
    due: list[Due] = field(default_factory=list)
    """First pages of incidents that opened, came back or became urgent."""
    confirmed: list[tuple[int, Micros]] = field(default_factory=list)
    """Incidents whose first page need not wait longer than until then."""
    groupings: dict[int, bytes] = field(default_factory=dict)
    """The one grouping of each service, or integration without one, whose alerts are not told apart by what they are."""

    def auto_resolves(self, incident: Incident, inlet: Inlet | None) -> bool:
        """Whether an incident ends with its last alert: its own service says so, wherever the alert came in."""
        served = self.view.services.get(incident.service_id or 0)
        if served is not None:
            return served.auto_resolve
        return inlet.auto_resolve if inlet else True

    def lives_in(self, incident_id: int) -> int:
        """The incident itself, or the one it was merged into here."""
        while incident_id in self.moved:
            incident_id = self.moved[incident_id]
        return incident_id
