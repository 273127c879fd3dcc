"""Splunk: the webhook alert action. It carries the first row of a search, and never says that anything is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event
from app.sources.fields import graded, joined, listed, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_WORDS = ("severity", "urgency", "alert_severity", "priority")


class Splunk(Dialect[SourceSettings]):
    """Saved searches of Splunk."""

    kind: ClassVar[str] = "splunk"
    title: ClassVar[str] = "Splunk"
    setup: ClassVar[str] = """
In the alert *Add actions - Webhook*, URL `{url}`; trigger *for each result*, so that each host is an alert of its own. Splunk never says
that something is over: set `expire_after_s`.
"""
    example: ClassVar[dict[str, Any]] = {
        "search_name": "A test of the way from Splunk",
        "sid": "1",
        "result": {"host": "test", "severity": "critical"},
    }
    expected: ClassVar[str] = "`search_name` or `sid` with `result` was expected"
    places: ClassVar[Places] = Places((), tuple(f"result.{word}" for word in _WORDS))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One search a message. Its id is new each time, so a search and a host are what stays the same."""
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
