"""Entries of Azure's activity log, which alerts of both schemas carry: service health, resource health, and all else there.

An alert about the log always says Fired, under a new id each time, and always Sev4: whether it is over, what it is about and
how bad it is stands in the entry. Knows neither schema.
"""

from __future__ import annotations

from typing import Any

from app.clock import Micros
from app.sources import severity
from app.sources.event import Event, Severity, Status
from app.sources.fields import graded, instant, joined, part, said

_LEVELS: dict[str, Severity] = {
    **severity.WORDS,
    "1": "critical",
    "2": "error",
    "3": "warning",
    "4": "info",
    "5": "info",
}
"""As words, or as the numbers of .NET's EventLevel."""
_OVER = frozenset({"resolved", "rca", "complete", "canceled"})
_HEALTH: dict[str, Severity] = {"unavailable": "error", "degraded": "warning", "unknown": "warning"}
"""Its level is Informational even of a machine that is down; unless a person stopped it, the state says how bad that is."""


def alert(entry: dict[str, Any], now: Micros) -> Event:
    """The alert that one entry is, where nothing but the entry is sent."""
    target = said(entry, "resourceId") or f"/subscriptions/{said(entry, 'subscriptionId')}"
    resource = target.rpartition("/")[2] if said(entry, "resourceId") else ""
    operation = said(entry, "operationName") or "Azure activity log"
    words = f"{operation} {said(entry, 'status')}".strip()
    bare = Event(
        status="firing",
        # What was started and what became of it have the same id.
        key=joined("operation", said(entry, "operationId", "correlationId", "eventDataId") or words, target),
        title=f"{words} on {resource}" if resource else words,
        labels={
            "alertname": operation,
            "resource": resource,
            "resource_group": said(entry, "resourceGroupName"),
            "resource_type": said(entry, "resourceType"),
            "service": said(entry, "eventSource"),
        },
        annotations={"description": said(entry, "description")},
        starts_at=instant(entry, now, "eventTimestamp"),
    )
    return refined(bare, entry, target, now)


def refined(event: Event, entry: dict[str, Any], target: str, now: Micros) -> Event:
    """The same, as its entry has it: its status, its key and its words where it is about health, and how bad it is."""
    more, level = part(entry, "properties"), said(entry, "level")
    if level:
        known, raw = graded(level.lower(), _LEVELS)
        event = event._replace(severity=known, annotations={**event.annotations, "severity_raw": raw})
    title, health, tracked = said(more, "title"), said(more, "currentHealthStatus").lower(), said(more, "trackingId")
    if not health and not tracked:
        return event
    over = said(entry, "status").lower() == "resolved" or said(more, "stage").lower() in _OVER or health == "available"
    status: Status = "resolved" if over else "firing"
    if health in _HEALTH and said(more, "cause").lower() != "userinitiated":
        event = event._replace(severity=_HEALTH[health])
    where = f"{event.labels['resource']}: " if health and event.labels.get("resource") else ""
    return event._replace(
        status=status,
        key=joined("service-health", target.lower(), tracked) if tracked else joined("resource-health", target.lower()),
        title=f"{where}{title}" if title else event.title,
        labels={**event.labels, "azure_service": said(more, "service"), "region": said(more, "region")},
        annotations={**event.annotations, "tracking_id": tracked, "state": said(more, "stage") or health},
        starts_at=instant(more, now, "impactStartTime") or (None if over else event.starts_at),
        ends_at=instant(more, now, "impactMitigationTime") or instant(entry, now, "eventTimestamp") if over else None,
    )
