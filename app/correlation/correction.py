"""What people said about where alerts belong, as the engine remembers it: from then on it decides by that. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from app.clock import Micros
from app.correlation.entities import Facets
from app.correlation.state import State


def move(state: State, alerts: Iterable[Facets], source: int, target: int, scope: int, at: Micros) -> None:
    """Alerts were put from one incident into another: they, and what looks like them, belong there; the two stay two."""
    to = state.live.get(target) or state.open(target, scope, at)
    was = state.live.get(source)
    for facets in alerts:
        seen = state.see(facets)
        if was is not None:
            state.take_out(was, seen)
        state.add(to, seen, at)
        state.pin(facets.key, target)
    if was is not None:
        was.apart.add(target)
        to.apart.add(source)


def merge(state: State, gone: int, into: int, scope: int, at: Micros) -> None:
    """One incident was put into another, whatever the engine thinks of it."""
    other = state.live.get(gone)
    if other is not None:
        state.merge(state.live.get(into) or state.open(into, scope, at), other)


def seal(state: State, incident_id: int, *, sealed: bool) -> None:
    """An incident is what it is: its own alerts come back to it, and nothing else joins or merges by itself."""
    live = state.live.get(incident_id)
    if live is None:
        return
    live.sealed = sealed
    if sealed:
        for entity in live.members:
            if entity.startswith("key:"):
                state.pin(entity[4:], incident_id)
