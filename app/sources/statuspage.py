"""Statuspage: the webhook that a subscriber of somebody's page gets. Planned maintenance is not a problem.

Pages of Instatus and Better Stack send nearly the same, with words of their own and maintenance apart from incidents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity
from app.sources.fields import graded, instant, joined, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_OVER = frozenset({"resolved", "postmortem"})
_PLANNED = frozenset({"scheduled", "in_progress", "verifying", "completed"})
_MAINTENANCE = frozenset({"under_maintenance", "maintenance"})
_IMPACTS: dict[str, Severity] = {"none": "info", "minor": "warning", "major": "error", "critical": "critical"}
_STATES: dict[str, Severity] = {
    "degraded_performance": "warning",
    "degraded": "warning",
    "minor_outage": "warning",
    "partial_outage": "error",
    "major_outage": "critical",
    "downtime": "critical",
}
_SAME = {word.replace("_", ""): word for word in (*_PLANNED, *_MAINTENANCE, *_STATES)}
"""MAJOROUTAGE is Instatus' major_outage."""


class Statuspage(Dialect[SourceSettings]):
    """Somebody's status page."""

    kind: ClassVar[str] = "statuspage"
    title: ClassVar[str] = "Statuspage"
    setup: ClassVar[str] = """
On the status page *Subscribe to updates - Webhook*: `{url}`. Choose the components that matter to you; planned maintenance wakes nobody.
"""
    example: ClassVar[dict[str, Any]] = {
        "page": {"id": "test"},
        "incident": {
            "id": "test",
            "name": "A test of the way from Statuspage",
            "status": "investigating",
            "impact": "major",
        },
    }
    expected: ClassVar[str] = "`incident` or `component` was expected"
    places: ClassVar[Places] = Places(
        ("incident.status", "component_update.new_status"), ("incident.impact", "component_update.new_status")
    )

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One incident or one component a message."""
        page = part(message, "page")
        if incident := part(message, "incident"):
            return _incident(incident, page, now)
        if part(message, "maintenance"):
            return ()
        component = part(message, "component")
        return _component(component, part(message, "component_update"), page, now) if component else None


def _incident(incident: dict[str, Any], page: dict[str, Any], now: Micros) -> Sequence[Event]:
    state, impact = _plain(said(incident, "status")), _plain(said(incident, "impact"))
    if not state and said(page, "status_indicator").lower() == "operational":
        # Better Stack never says how an incident stands, only how the page does.
        state = "resolved"
    if said(incident, "scheduled_for") or state in _PLANNED or impact == "maintenance":
        return ()
    over = state in _OVER
    level, raw = graded(impact, _IMPACTS if impact in _IMPACTS else _STATES)
    updates = incident.get("incident_updates")
    latest = part(updates[0]) if type(updates) is list and updates else {}
    event = Event(
        status="resolved" if over else "firing",
        key=joined("incident", said(incident, "id") or said(incident, "name")),
        title=said(incident, "name") or "Incident on a status page",
        severity=level,
        labels={"page": said(page, "name", "id"), "impact": impact},
        annotations={"description": said(latest, "body"), "state": state, "severity_raw": raw},
        links=links(("Status page", incident.get("shortlink") or incident.get("url"))),
        starts_at=instant(incident, now, "started_at", "created_at"),
        ends_at=instant(incident, now, "resolved_at", "updated_at") if over else None,
    )
    return (event,)


def _component(component: dict[str, Any], update: dict[str, Any], page: dict[str, Any], now: Micros) -> Sequence[Event]:
    state = _plain(said(update, "new_status") or said(component, "status"))
    if state in _MAINTENANCE:
        return ()
    over = state == "operational"
    level, raw = graded(state, _STATES) if not over else ("error", "")
    name = said(component, "name") or "A component"
    at = instant(update, now, "created_at") or instant(component, now, "updated_at")
    event = Event(
        status="resolved" if over else "firing",
        key=joined("component", said(component, "id") or name),
        title=f"{name}: {state.replace('_', ' ')}" if state else name,
        severity=level,
        labels={"page": said(page, "name", "id"), "component": name},
        annotations={"description": said(component, "description"), "state": state, "severity_raw": raw},
        starts_at=None if over else at,
        ends_at=at if over else None,
    )
    return (event,)


def _plain(word: str) -> str:
    """A word as Statuspage writes it."""
    return _SAME.get(word.lower(), word.lower())
