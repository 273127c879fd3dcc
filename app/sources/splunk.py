"""Splunk: the webhook alert action, and detectors of Splunk Observability Cloud (SignalFx).

The action carries the first row of a search, and never says that anything is over; a detector does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event
from app.sources.fields import graded, instant, joined, listed, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_WORDS = ("severity", "urgency", "alert_severity", "priority")
_OVER = frozenset({"ok", "manually resolved", "stopped"})


class Splunk(Dialect[SourceSettings]):
    """Saved searches of Splunk, and detectors of its cloud."""

    kind: ClassVar[str] = "splunk"
    title: ClassVar[str] = "Splunk"
    setup: ClassVar[str] = """
In the alert *Add actions - Webhook*, URL `{url}`; trigger *for each result*, so that each host is an alert of its own. Splunk never says
that something is over: set `expire_after_s`.

Splunk Observability Cloud: *Data Management - Webhook*, URL `{url}`, the default payload; choose it as recipient of the detectors' rules.
"""
    example: ClassVar[dict[str, Any]] = {
        "search_name": "A test of the way from Splunk",
        "sid": "1",
        "result": {"host": "test", "severity": "critical"},
    }
    expected: ClassVar[str] = "`search_name`, `sid` with `result`, or `incidentId` with `detector` was expected"
    places: ClassVar[Places] = Places(
        ("statusExtended", "status"), (*(f"result.{word}" for word in _WORDS), "severity")
    )

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One search a message. Its id is new each time, so a search and a host are what stays the same."""
        if "incidentId" in message and "detector" in message:
            return (_incident(message, now),)
        row, search = part(message, "result"), said(message, "search_name")
        if not search and not (row and "sid" in message):
            return None
        word, host = said(row, *_WORDS), listed(row.get("host"))
        level, raw = graded(word)
        name = search or "Splunk search"
        event = Event(
            status="firing",
            key=joined(said(message, "app"), name, host),
            title=f"{name} on {host}" if host else name,
            severity=level,
            labels={
                "alertname": name,
                "host": host,
                "source": listed(row.get("source")),
                "sourcetype": listed(row.get("sourcetype")),
                "index": listed(row.get("index")),
                "app": said(message, "app"),
                "owner": said(message, "owner"),
            },
            annotations={"description": said(row, "_raw", "message"), "severity_raw": raw if word else ""},
            links=links(("Splunk", message.get("results_link"))),
        )
        return (event,)


def _incident(message: dict[str, Any], now: Micros) -> Event:
    """An incident of a detector: one rule, for one time series."""
    over = (said(message, "statusExtended") or said(message, "status")).lower() in _OVER
    level, raw = graded(said(message, "severity"))
    detector, rule, at = said(message, "detector"), said(message, "rule"), instant(message, now, "timestamp")
    name, where = rule or detector or "Splunk detector", _dimensions(message.get("inputs"))
    return Event(
        status="resolved" if over else "firing",
        key=joined("incident", said(message, "incidentId")),
        title=": ".join(filter(None, (name, where.get("host", "")))),
        severity=level,
        labels={**where, "alertname": name, "detector": detector, "metric": said(message, "originatingMetric")},
        annotations={
            "description": said(message, "messageBody", "description"),
            "tip": said(message, "tip"),
            "condition": said(message, "detectOnCondition"),
            "severity_raw": raw,
        },
        links=links(
            ("Splunk", message.get("detectorUrl")),
            ("Runbook", message.get("runbookUrl")),
            ("Image", message.get("imageUrl")),
        ),
        starts_at=None if over else at,
        ends_at=at if over else None,
    )


def _dimensions(inputs: Any) -> dict[str, str]:
    """The dimensions of all signals of a rule."""
    found: dict[str, str] = {}
    for signal in part(inputs).values():
        for name, value in {**part(signal, "dimensions"), **part(signal, "key")}.items():
            if words := listed(value):
                found.setdefault(name, words)
    return found
