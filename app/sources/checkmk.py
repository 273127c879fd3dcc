"""Checkmk: the notification script in integrations/, and the JSON that other scripts of that kind send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event
from app.sources.fields import instant, joined, lower, said
from app.sources.limits import links
from app.sources.nagios import STATES, Check, status_of, title_of
from app.sources.remapping import Places
from app.sources.source import SourceSettings


class Checkmk(Dialect[SourceSettings]):
    """Checkmk, by a notification script."""

    kind: ClassVar[str] = "checkmk"
    title: ClassVar[str] = "Checkmk"
    setup: ClassVar[str] = """
1. Copy `integrations/checkmk/tocsin` to `~/local/share/check_mk/notifications/` of the site and make it executable.
2. *Setup - Notifications - Add rule*: method *Tocsin*, parameter 1 `{base}`, parameter 2 `{key}`.
"""
    example: ClassVar[dict[str, Any]] = {
        "notification_type": "PROBLEM",
        "what": "SERVICE",
        "host": "test",
        "service": "A test of the way from Checkmk",
        "status": "CRITICAL",
        "output": "test",
        "site": "test",
    }
    expected: ClassVar[str] = "`host` and `status` or `event` were expected, as the notification script sends them"
    places: ClassVar[Places] = Places(("notification_type",), ("status",))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One host or service a message."""
        fields = lower(message)
        # `DOWN -> UP`: the state it went to.
        state = said(fields, "status", "state") or said(fields, "event").rpartition("->")[2].strip()
        service = "" if said(fields, "what").upper() == "HOST" else said(fields, "service", "service_description")
        seen = Check(
            said(fields, "host", "hostname"), service, state, said(fields, "notification_type"), said(fields, "output")
        )
        if not seen.host or not (state or seen.type):
            return None
        status = status_of(seen)
        if status is None:
            return ()
        site, at = said(fields, "site"), instant(fields, now, "micro_time", "time")
        event = Event(
            status=status,
            key=joined(site, seen.host, service),
            title=title_of(seen),
            severity=STATES.get(state.lower(), "error"),
            labels={
                "host": seen.host,
                "service": service,
                "site": site,
                "address": said(fields, "address"),
            },
            annotations={
                "description": seen.output,
                "details": said(fields, "long_output"),
                "state": state,
                "acknowledged_by": said(fields, "author") if status == "acknowledged" else "",
                "note": said(fields, "comment"),
            },
            links=links(("Checkmk", said(fields, "url"))),
            starts_at=at if status == "firing" else None,
            ends_at=at if status == "resolved" else None,
        )
        return (event,)
