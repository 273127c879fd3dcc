"""Uptime Kuma: its webhook notification, as JSON, as form data, or with the JSON in a field of a multipart form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.decode import Document, decode
from app.sources.dialect import Dialect
from app.sources.event import Event, Received, Severity, Status
from app.sources.fields import instant, joined, part, said
from app.sources.limits import digest, links, one_line
from app.sources.remapping import Places
from app.sources.source import SourceSettings
from app.sources.tags import tags

_FIELD = re.compile(rb'name="?data"?\r?\n(?:[^\r\n]+\r?\n){0,8}\r?\n(.*?)\r?\n--', re.DOTALL)
_NAME = re.compile(r"\[([^\]]{1,300})\]")
_UP = re.compile(r"\[(?:✅ )?Up\]")
_STATES: dict[str, Status] = {"0": "firing", "1": "resolved"}
"""2 is pending and 3 is maintenance: neither opens nor closes anything."""


class UptimeKuma(Dialect[SourceSettings]):
    """Monitors of Uptime Kuma."""

    kind: ClassVar[str] = "uptimekuma"
    title: ClassVar[str] = "Uptime Kuma"
    setup: ClassVar[str] = """
*Settings - Notifications - Setup notification*, type *Webhook*, post URL `{base}`, request body *Preset - application/json*, additional header
`{"X-Tocsin-Key": "{key}"}`. Choose it in the monitors, and set *Resend notification* to a few checks: it does not try again by itself.
A recovery within a maintenance of Uptime Kuma is never told: `expire_after_s`, somewhat more than two of these times, closes it too.
"""
    example: ClassVar[dict[str, Any]] = {
        "heartbeat": {"monitorID": 1, "status": 0, "msg": "test"},
        "monitor": {"id": 1, "name": "A test of the way from Uptime Kuma"},
        "msg": "test",
    }
    expected: ClassVar[str] = "`heartbeat` with `monitor`, or `msg` was expected"
    places: ClassVar[Places] = Places(("heartbeat.status",), ())

    def decoded(self, received: Received) -> Document:
        """As JSON, also out of the field `data` of a multipart form."""
        body = received.body
        if body.startswith(b"--") and (match := _FIELD.search(body)):
            body = match[1]
        return decode(body)

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One monitor a message."""
        beat, monitor = part(message, "heartbeat"), part(message, "monitor")
        if not beat:
            line = one_line(said(message, "msg"))
            return (_text(line, monitor),) if line else None
        status = _STATES.get(said(beat, "status"))
        return () if status is None else (_beat(message, beat, monitor, status, now),)


def _beat(message: dict[str, Any], beat: dict[str, Any], monitor: dict[str, Any], status: Status, now: Micros) -> Event:
    number = said(monitor, "id") or said(beat, "monitorID", "monitor_id")
    name = said(monitor, "name", "pathName") or f"Monitor {number}"
    at = instant(beat, now, "time")
    return Event(
        status=status,
        key=joined("monitor", number or name),
        title=f"{name} is down",
        labels={
            **tags(monitor.get("tags")),
            "alertname": name,
            "type": said(monitor, "type"),
            "host": said(monitor, "hostname"),
        },
        annotations={"description": said(beat, "msg") or said(message, "msg"), "about": said(monitor, "description")},
        links=links(("Monitored", monitor.get("url"))),
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
    )


def _text(line: str, monitor: dict[str, Any]) -> Event:
    """Only a text: the test button, or a certificate that is about to expire."""
    match = _NAME.match(line)
    name = said(monitor, "name") or (match[1] if match else "")
    level: Severity = "warning" if "certificate" in line.lower() else "error"
    about = "certificate" if level == "warning" else "text"
    return Event(
        status="resolved" if _UP.search(line) else "firing",
        key=joined(about, name or digest(line)),
        title=line,
        severity=level,
        labels={"alertname": name},
        test=line.endswith("Testing"),
    )
