"""Site24x7: the webhook integration, as JSON or as a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity
from app.sources.fields import graded, instant, joined, listed, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_SEVERITIES: dict[str, Severity] = {"down": "critical", "critical": "critical", "trouble": "warning"}
_NO_PROBLEM = frozenset({"MAINTENANCE", "SUSPENDED", "DISCOVERY"})


class Site24x7(Dialect[SourceSettings]):
    """Monitors of Site24x7."""

    kind: ClassVar[str] = "site24x7"
    title: ClassVar[str] = "Site24x7"
    setup: ClassVar[str] = """
*Admin - Third-party integrations - Webhooks - Add*: URL `{url}`, POST, *Post as JSON*, with the default parameters; for trouble, critical,
down and up.
"""
    example: ClassVar[dict[str, Any]] = {
        "MONITORNAME": "A test of the way from Site24x7",
        "STATUS": "DOWN",
        "MONITOR_ID": "test",
    }
    expected: ClassVar[str] = "`STATUS` with `MONITORNAME` or `MONITOR_ID` was expected"
    places: ClassVar[Places] = Places(("STATUS",), ("STATUS",))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One monitor a message."""
        name, number, state = said(message, "MONITORNAME"), said(message, "MONITOR_ID"), said(message, "STATUS").upper()
        if not (name or number) or not state:
            return None
        if state in _NO_PROBLEM:
            return ()
        over = state == "UP"
        level, raw = graded(state, _SEVERITIES) if not over else ("error", "")
        url = said(message, "MONITORURL")
        at = instant(message, now, "INCIDENT_TIME_ISO", "OUTAGE_TIME_UNIX_FORMAT")
        event = Event(
            status="resolved" if over else "firing",
            key=joined("monitor", number) if number else joined("name", name, url),
            title=f"{name or number} is {state}",
            severity=level,
            labels={
                "alertname": name,
                "type": said(message, "MONITORTYPE"),
                "group": said(message, "MONITOR_GROUPNAME"),
                "tags": listed(message.get("TAGS")),
            },
            annotations={
                "description": said(message, "INCIDENT_REASON"),
                "locations": said(message, "FAILED_LOCATIONS"),
                "severity_raw": raw,
            },
            links=links(
                ("Monitored", url),
                ("Cause", message.get("RCA_LINK")),
                ("Dashboard", message.get("MONITOR_DASHBOARD_LINK")),
            ),
            starts_at=None if over else at,
            ends_at=at if over else None,
        )
        return (event,)
