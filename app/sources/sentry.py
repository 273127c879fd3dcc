"""Sentry: internal integrations (issues, alert rules, metric alerts), and the legacy webhook plugin.

What happened stands in a header (Sentry-Hook-Resource), but each resource has its own field in `data`, so the body tells
it too. The times in a message are those of errors, not of the problem's begin; only metric alerts have a start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources import severity
from app.sources.dialect import Dialect
from app.sources.event import Event, Received, Status
from app.sources.fields import graded, instant, joined, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.signature import Scheme, SignedSettings, proof_of
from app.sources.source import SourceSettings

_ISSUE_ACTIONS: dict[str, Status] = {
    "resolved": "resolved",
    "archived": "acknowledged",
    "ignored": "acknowledged",
    "created": "firing",
    "unresolved": "firing",
    "": "firing",
}
"""Other actions (assigned, and comments) neither open nor close anything."""


_SIGNED = Scheme("Sentry-Hook-Signature", time_header="Sentry-Hook-Timestamp")


class Sentry(Dialect[SignedSettings]):
    """Sentry's webhooks."""

    kind: ClassVar[str] = "sentry"
    title: ClassVar[str] = "Sentry"
    setup: ClassVar[str] = """
*Settings - Developer settings - New internal integration*: webhook URL `{url}`, *Alert rule action* on, the resource *issue*. Put its client
secret into the setting `secret` of this integration. Then choose the integration as the action of alert rules.
"""
    example: ClassVar[dict[str, Any]] = {
        "action": "triggered",
        "data": {"event": {"issue_id": "test", "title": "A test of the way from Sentry", "level": "error"}},
    }
    expected: ClassVar[str] = "`data` with an issue, event or metric_alert, or `event` with `project` was expected"
    Settings: ClassVar[type[SourceSettings]] = SignedSettings
    places: ClassVar[Places] = Places(("action",), ("data.issue.level", "data.event.level", "level"))

    def proven(self, received: Received, settings: SignedSettings, now: Micros) -> str:
        """By the client secret of the internal integration."""
        return proof_of(received, settings, _SIGNED, now)

    def events(self, message: dict[str, Any], settings: SignedSettings, now: Micros) -> Sequence[Event] | None:
        """One issue a message; installations, assignments and comments are none."""
        data, action = part(message, "data"), said(message, "action").lower()
        if alert := part(data, "metric_alert"):
            return (_metric(data, alert, action, now),)
        if issue := part(data, "issue"):
            status = _ISSUE_ACTIONS.get(action)
            return (_issue(issue, status),) if status else ()
        if error := part(data, "event") or part(data, "error"):
            return (_error(error, data),)
        if part(message, "event") and "project" in message:
            return (_plugin(message),)
        return () if "installation" in message or "installation" in data else None


def _issue(issue: dict[str, Any], status: Status) -> Event:
    level, raw = graded(said(issue, "level"))
    project = part(issue, "project")
    return Event(
        status=status,
        key=joined("issue", said(issue, "id") or said(issue, "shortId", "title")),
        title=said(issue, "title", "culprit") or "Sentry issue",
        severity=level,
        labels={
            "project": said(project, "slug", "name"),
            "platform": said(issue, "platform"),
            "level": said(issue, "level"),
            "issue": said(issue, "shortId"),
        },
        annotations={
            "description": said(part(issue, "metadata"), "value"),
            "culprit": said(issue, "culprit"),
            "first_seen": said(issue, "firstSeen"),
            "severity_raw": raw,
        },
        links=links(("Sentry", issue.get("web_url")), ("Sentry", issue.get("permalink"))),
    )


def _error(error: dict[str, Any], data: dict[str, Any]) -> Event:
    level, raw = graded(said(error, "level"))
    return Event(
        status="firing",
        key=joined("issue", said(error, "issue_id") or said(error, "title", "event_id")),
        title=said(error, "title", "message", "culprit") or "Sentry error",
        severity=level,
        labels={
            "project": said(error, "project_slug", "project_name", "project"),
            "platform": said(error, "platform"),
            "environment": said(error, "environment"),
            "level": said(error, "level"),
            "rule": said(data, "triggered_rule"),
        },
        annotations={
            "description": said(error, "message"),
            "culprit": said(error, "culprit"),
            "severity_raw": raw,
        },
        links=links(("Sentry", error.get("web_url"))),
        test=_is_sample(error),
    )


def _metric(data: dict[str, Any], alert: dict[str, Any], action: str, now: Micros) -> Event:
    status: Status = "resolved" if action == "resolved" else "firing"
    level = severity.lookup(action) if status == "firing" else None
    rule = part(alert, "alert_rule")
    return Event(
        status=status,
        key=joined("metric", said(alert, "organization_id"), said(alert, "identifier", "id") or said(rule, "name")),
        title=said(rule, "name") or said(alert, "title") or said(data, "description_title") or "Sentry metric alert",
        severity=level or severity.UNKNOWN,
        labels={"alertname": said(rule, "name"), "environment": said(rule, "environment")},
        annotations={"description": said(data, "description_text"), "query": said(rule, "query")},
        links=links(("Sentry", data.get("web_url"))),
        starts_at=instant(alert, now, "date_started"),
        ends_at=instant(alert, now, "date_closed") if status == "resolved" else None,
    )


def _plugin(message: dict[str, Any]) -> Event:
    level, raw = graded(said(message, "level"))
    event = part(message, "event")
    return Event(
        status="firing",
        key=joined("issue", said(message, "id") or said(event, "event_id", "title")),
        title=said(message, "message") or said(event, "title", "message") or said(message, "culprit") or "Sentry error",
        severity=level,
        labels={
            "project": said(message, "project_slug", "project"),
            "level": said(message, "level"),
            "environment": said(event, "environment"),
        },
        annotations={"culprit": said(message, "culprit"), "severity_raw": raw},
        links=links(("Sentry", message.get("url"))),
        test=_is_sample(event),
    )


def _is_sample(event: dict[str, Any]) -> bool:
    """Whether Sentry made the error up, as it does for a test notification."""
    found = event.get("tags")
    return type(found) is list and ["sample_event", "yes"] in found
