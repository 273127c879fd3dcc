"""Icinga 2: the notification command in integrations/, and what sources post to Icinga Notifications (`/process-event`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.event import Event, Severity, Status
from app.sources.fields import graded, joined, part, said
from app.sources.limits import links, text
from app.sources.nagios import Nagios
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_SEVERITIES: dict[str, Severity] = {
    "emerg": "critical",
    "alert": "critical",
    "crit": "critical",
    "err": "error",
    "warning": "warning",
    "notice": "info",
    "info": "info",
    "debug": "info",
}
_TYPES: dict[str, Status] = {"state": "firing", "acknowledgement-set": "acknowledged"}


class Icinga(Nagios):
    """Icinga 2 and Icinga Notifications."""

    kind: ClassVar[str] = "icinga"
    title: ClassVar[str] = "Icinga"
    setup: ClassVar[str] = """
1. Copy `integrations/icinga2/tocsin.conf` to `/etc/icinga2/conf.d/` and `tocsin-notify` to `/etc/icinga2/scripts/`, executable.
2. Put `{key}` into `/etc/icinga2/tocsin.key`, readable for Icinga alone, and `{base}` into `tocsin.conf`.
3. Set `vars.tocsin = true` on what should page, and reload.
"""
    example: ClassVar[dict[str, Any]] = {
        "type": "PROBLEM",
        "host": "test",
        "service": "A test of the way from Icinga",
        "state": "CRITICAL",
        "output": "test",
    }
    places: ClassVar[Places] = Places(("type",), ("severity", "state"))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One host or service a message."""
        if part(message, "tags") and "type" in message:
            return _processed(message, part(message, "tags"))
        return super().events(message, settings, now)


def _processed(message: dict[str, Any], identity: dict[str, Any]) -> Sequence[Event]:
    """An event of Icinga Notifications: its tags are its identity. Downtimes, flapping and the like are no problems."""
    status = _TYPES.get(said(message, "type"))
    word = said(message, "severity").lower()
    if status is None:
        return ()
    if word == "ok":
        status = "resolved"
    level, raw = graded(word, _SEVERITIES) if word not in ("", "ok") else ("error", "")
    labels = {name: text(value) for name, value in identity.items()}
    event = Event(
        status=status,
        key=joined("tags", *(f"{name}={labels[name]}" for name in sorted(labels))),
        title=said(message, "name") or ", ".join(labels.values()),
        severity=level,
        labels=labels,
        annotations={
            "description": said(message, "message"),
            "acknowledged_by": said(message, "username") if status == "acknowledged" else "",
            "severity_raw": raw,
        },
        links=links(("Icinga", message.get("url"))),
    )
    return (event,)
