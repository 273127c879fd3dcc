"""Pingdom: the webhook of uptime and transaction checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity
from app.sources.fields import graded, instant, joined, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings
from app.sources.tags import tags

_OVER = frozenset({"up", "success"})
_IMPORTANCE: dict[str, Severity] = {"high": "error", "low": "warning"}


class Pingdom(Dialect[SourceSettings]):
    """Checks of Pingdom."""

    kind: ClassVar[str] = "pingdom"
    title: ClassVar[str] = "Pingdom"
    setup: ClassVar[str] = """
*Settings - Integrations - Add integration*, type *Webhook*, URL `{url}`; choose it in the checks.
"""
    example: ClassVar[dict[str, Any]] = {
        "check_id": 1,
        "check_name": "A test of the way from Pingdom",
        "current_state": "DOWN",
        "importance_level": "HIGH",
    }
    expected: ClassVar[str] = "`check_id` with `current_state` was expected"
    places: ClassVar[Places] = Places(("current_state",), ("importance_level",))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One check a message."""
        number, name, state = said(message, "check_id"), said(message, "check_name"), said(message, "current_state")
        if not (number or name) or not state:
            return None
        over = state.lower() in _OVER
        word, check = said(message, "importance_level"), part(message, "check_params")
        level, raw = graded(word, _IMPORTANCE)
        at = instant(message, now, "state_changed_timestamp", "state_changed_utc_time")
        title = name or f"Check {number}"
        event = Event(
            status="resolved" if over else "firing",
            key=joined("check", number or name),
            title=f"{title} is {state}",
            severity=level,
            labels={
                **tags(message.get("tags")),
                "alertname": title,
                "host": said(check, "hostname"),
                "type": said(message, "check_type"),
                "importance": word,
            },
            annotations={
                "description": said(message, "long_description", "description"),
                "note": said(message, "custom_message"),
                "probe": said(part(message, "first_probe"), "location"),
                "severity_raw": raw,
            },
            links=links(("Monitored", check.get("full_url"))),
            starts_at=None if over else at,
            ends_at=at if over else None,
        )
        return (event,)
