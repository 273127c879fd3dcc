"""What one integration reads otherwise than its kind does: its dedup key, and what the sender's words mean.

Pure. A setting that finds nothing in a message changes nothing, and a missing key is told beside the alert: a setting may
never cost a page. Knows no sender.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from app.sources import conventions, severity
from app.sources.event import Event, Severity, Status
from app.sources.fields import joined
from app.sources.limits import fitted
from app.sources.mapping import Lookup, look
from app.sources.source import SourceSettings

NOTE = "mapping"
"""The annotation that says what of the settings did not fit a message."""


class Places(NamedTuple):
    """Where a kind's messages have the words that `statuses` and `severities` speak of, unless a path is set."""

    status: Lookup = ()
    severity: Lookup = ()


def remapped(event: Event, settings: SourceSettings, places: Places, message: Any, body: Any) -> Event:
    """The event as this integration's settings have it. Call only where `settings.remaps`."""
    status = _status(event.status, settings, places, message, body)
    level, raw = severity_of(look(settings.severity or places.severity, message, body), settings)
    if level is None:
        level, raw = event.severity, event.annotations.get("severity_raw", "")
    key, note = key_of(settings, message, body)
    annotations = {**event.annotations, "severity_raw": raw}
    if note:
        annotations[NOTE] = note
    return fitted(
        event._replace(
            status=status,
            severity=level,
            key=key or event.key,
            annotations=annotations,
            once=event.once and not key,
            ends_at=event.ends_at if status == "resolved" else None,
            expires_at=event.expires_at if status == "firing" else None,
        )
    )


def key_of(settings: SourceSettings, message: Any, body: Any) -> tuple[str, str]:
    """The key that the settings find (empty when they name none, or not all of it is there), and what was missing."""
    missing: list[str] = []
    if settings.key_parts:
        parts = [look((path,), message, body) for path in settings.key_parts]
        if all(parts):
            return joined(*parts), ""
        missing = [path for path, piece in zip(settings.key_parts, parts, strict=True) if not piece]
    elif settings.key:
        if found := look(settings.key, message, body):
            return found, ""
        missing = list(settings.key)
    return (
        "",
        f"No key at {', '.join(f'`{path}`' for path in missing)}: other fields stand in for it." if missing else "",
    )


def status_of(word: str, settings: SourceSettings) -> Status | None:
    """What a status word means: by the settings, else by the common words where a path is set; None for no word."""
    if not word:
        return None
    return folded(settings.statuses).get(word.lower()) or (conventions.status_of(word) if settings.status else None)


def severity_of(word: str, settings: SourceSettings) -> tuple[Severity | None, str]:
    """As `status_of`; and the word itself when nobody knows it."""
    if not word:
        return None, ""
    known = folded(settings.severities).get(word.lower())
    if known is None and settings.severity:
        known = severity.lookup(word)
        return known or severity.UNKNOWN, "" if known else word
    return known, ""


def folded(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of words whose case does not matter."""
    return {word.lower(): meaning for word, meaning in table.items()}


def _status(now: Status, settings: SourceSettings, places: Places, message: Any, body: Any) -> Status:
    return status_of(look(settings.status or places.status, message, body), settings) or now
