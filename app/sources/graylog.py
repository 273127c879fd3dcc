"""Graylog: the HTTP event notification (3 and newer) and the alarm callback of Graylog 2. It never says that it is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity
from app.sources.fields import graded, instant, joined, part, said
from app.sources.limits import text
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_PRIORITIES: dict[str, Severity] = {"1": "info", "2": "warning", "3": "error", "4": "critical"}
_TESTS = frozenset({"EventDefinitionTestId", "NotificationTestId"})


class Graylog(Dialect[SourceSettings]):
    """Event definitions of Graylog."""

    kind: ClassVar[str] = "graylog"
    title: ClassVar[str] = "Graylog"
    setup: ClassVar[str] = """
*Alerts - Notifications - Create*, type *HTTP Notification*, URL `{url}`; allow the address in *System - URL Whitelist*. Choose the
notification in the event definitions. Graylog never says that something is over: set `expire_after_s`.
"""
    example: ClassVar[dict[str, Any]] = {
        "event_definition_id": "test",
        "event_definition_title": "A test of the way from Graylog",
        "event": {"id": "1", "key": "test", "priority": 3},
    }
    expected: ClassVar[str] = "`event_definition_id` or `check_result` was expected"
    places: ClassVar[Places] = Places((), ("event.priority",))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One event a message."""
        if "event_definition_id" in message:
            return (_event(message),)
        result = part(message, "check_result")
        return (_callback(result, part(message, "stream"), now),) if result else None


def _event(message: dict[str, Any]) -> Event:
    event = part(message, "event")
    definition, key = said(message, "event_definition_id"), said(event, "key")
    level, raw = graded(said(event, "priority"), _PRIORITIES)
    name = said(message, "event_definition_title") or said(event, "message") or "Graylog event"
    fields = {field: text(value) for field, value in part(event, "fields").items()}
    return Event(
        status="firing",
        key=joined(definition or name, key),
        title=f"{name}: {key}" if key else name,
        severity=level,
        labels={**fields, "alertname": name, "source": said(event, "source"), "key": key},
        annotations={
            "description": said(event, "message"),
            "about": said(message, "event_definition_description"),
            "severity_raw": raw,
        },
        test=definition in _TESTS,
    )


def _callback(result: dict[str, Any], stream: dict[str, Any], now: Micros) -> Event:
    condition = part(result, "triggered_condition")
    name = said(condition, "title", "type_string", "type") or "Graylog alert"
    over = result.get("triggered") is False
    at = instant(result, now, "triggered_at")
    return Event(
        status="resolved" if over else "firing",
        key=joined(said(stream, "id", "title"), said(condition, "id") or name),
        title=f"{name} on stream {said(stream, 'title')}" if said(stream, "title") else name,
        labels={"alertname": name, "stream": said(stream, "title")},
        annotations={"description": said(result, "result_description"), "condition": said(condition, "description")},
        starts_at=None if over else at,
        ends_at=at if over else None,
    )
