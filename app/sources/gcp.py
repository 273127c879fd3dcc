"""Google Cloud Monitoring: the webhook notification channel, versions 1.1 and 1.2, and the same by a push of Pub/Sub."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources import severity
from app.sources.decode import Document, decode
from app.sources.dialect import Dialect
from app.sources.event import Event, Received, Severity, Status
from app.sources.fields import graded, instant, joined, part, said
from app.sources.limits import links, text
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_SEVERITIES: dict[str, Severity] = {**severity.WORDS, "no severity": severity.UNKNOWN}


class Gcp(Dialect[SourceSettings]):
    """Alerting policies of Google Cloud."""

    kind: ClassVar[str] = "gcp"
    title: ClassVar[str] = "Google Cloud Monitoring"
    setup: ClassVar[str] = """
*Monitoring - Alerting - Edit notification channels - Webhooks - Add*: endpoint URL `{base}`, basic authentication with any user and
the password `{key}`. Choose the channel in the policies, and *Notify on incident closure*.

Or a channel of type *Pub/Sub*, which tries for days: give its topic a push subscription to `{url}`, without authentication.
"""
    example: ClassVar[dict[str, Any]] = {
        "version": "1.2",
        "incident": {
            "incident_id": "test",
            "policy_name": "Test",
            "state": "open",
            "summary": "A test of the way from Google Cloud",
            "severity": "Critical",
        },
    }
    expected: ClassVar[str] = "`incident` was expected"
    places: ClassVar[Places] = Places(("incident.state",), ("incident.severity",))

    def decoded(self, received: Received) -> Document:
        """As JSON, also out of the message of a push subscription."""
        pushed = decode(received.body)
        try:
            inner = b64decode(said(part(pushed.value, "message"), "data"), validate=True)
        except ValueError:
            return pushed
        if not inner:
            return pushed
        told = decode(inner)
        return Document(told.value, told.scrubbed or pushed.scrubbed)

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One incident a message."""
        incident = part(message, "incident")
        return (_event(incident, now, test=message.get("version") == "test"),) if incident else None


def _event(incident: dict[str, Any], now: Micros, *, test: bool) -> Event:
    policy, condition = said(incident, "policy_name"), said(incident, "condition_name")
    resource = said(incident, "resource_name", "resource_display_name", "resource_id")
    status: Status = "resolved" if said(incident, "state").lower() == "closed" else "firing"
    word = said(incident, "severity")
    level, raw = graded(word, _SEVERITIES) if word else (severity.UNKNOWN, "")
    own = {
        "alertname": policy,
        "condition": condition,
        "resource": resource,
        "resource_type": said(part(incident, "resource"), "type"),
        "metric": said(part(incident, "metric"), "type"),
        "project": said(incident, "scoping_project_id"),
        "severity": word,
    }
    shared = {
        name: text(value)
        for labels in (part(incident, "resource", "labels"), part(incident, "metric", "labels"))
        for name, value in labels.items()
    }
    return Event(
        status=status,
        key=said(incident, "incident_id") or joined("policy", policy, condition, resource),
        title=said(incident, "summary") or policy or condition or "Google Cloud incident",
        severity=level,
        labels={**shared, **{name: value for name, value in own.items() if value}},
        annotations={
            "description": said(part(incident, "documentation"), "content"),
            "severity_raw": raw,
        },
        links=links(("Google Cloud", incident.get("url"))),
        starts_at=instant(incident, now, "started_at"),
        ends_at=instant(incident, now, "ended_at") if status == "resolved" else None,
        test=test,
    )
