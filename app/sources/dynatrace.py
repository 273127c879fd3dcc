"""Dynatrace: problem notifications by custom integration, and Davis events as they are forwarded by workflows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity, Status
from app.sources.fields import graded, instant, joined, listed, part, said
from app.sources.limits import links, text
from app.sources.remapping import Places
from app.sources.source import SourceSettings
from app.sources.tags import tags

_UNFILLED = re.compile(r"\{\w{1,60}\}")
_OVER = frozenset({"resolved", "merged", "closed"})
_SEVERITIES: dict[str, Severity] = {
    "availability": "critical",
    "error": "error",
    "custom_alert": "error",
    "performance": "warning",
    "slowdown": "warning",
    "resource_contention": "warning",
    "resource": "warning",
    "monitoring_unavailable": "warning",
    "info": "info",
}
_TEST = "Dynatrace problem notification test run"
_DAVIS_LABELS = {
    "problem": "display_id",
    "cluster": "k8s.cluster.name",
    "namespace": "k8s.namespace.name",
    "entity": "dt.source_entity",
    "type": "event.type",
    "category": "event.category",
}


class Dynatrace(Dialect[SourceSettings]):
    """Dynatrace problems."""

    kind: ClassVar[str] = "dynatrace"
    title: ClassVar[str] = "Dynatrace"
    setup: ClassVar[str] = """
*Settings - Integration - Problem notifications - Add*, type *Custom integration*, URL `{url}`, *Call webhook if problem is closed* on:

```json
{"PID": "{PID}", "ProblemID": "{ProblemID}", "State": "{State}", "ProblemTitle": "{ProblemTitle}",
 "ProblemSeverity": "{ProblemSeverity}", "ProblemImpact": "{ProblemImpact}", "ImpactedEntity": "{ImpactedEntity}",
 "ProblemURL": "{ProblemURL}", "Tags": "{Tags}"}
```
"""
    example: ClassVar[dict[str, Any]] = {
        "PID": "1",
        "ProblemID": "P-1",
        "State": "OPEN",
        "ProblemTitle": "A test of the way from Dynatrace",
        "ProblemSeverity": "ERROR",
    }
    expected: ClassVar[str] = "`PID`, `ProblemID` or `event.id` was expected"
    places: ClassVar[Places] = Places(("State", "event.status"), ("ProblemSeverity", "event.category"))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One problem a message. A placeholder that was not filled in counts as absent."""
        filled = {name: value for name, value in message.items() if not _UNFILLED.fullmatch(text(value))}
        if filled.keys() & {"PID", "ProblemID", "ProblemTitle"}:
            return (_problem(filled),)
        return (_davis(filled, now),) if filled.keys() & {"event.id", "event.name"} else None


def _problem(problem: dict[str, Any]) -> Event:
    level, raw = graded(said(problem, "ProblemSeverity"), _SEVERITIES)
    title = said(problem, "ProblemTitle") or f"Dynatrace problem {said(problem, 'ProblemID', 'PID')}"
    return Event(
        status=_status(said(problem, "State")),
        # The display id can come again; PID can't.
        key=joined("problem", said(problem, "PID", "ProblemID") or title),
        title=title,
        severity=level,
        labels={
            **tags(said(problem, "Tags")),
            "impact": said(problem, "ProblemImpact"),
            "entity": said(problem, "ImpactedEntity"),
            "problem": said(problem, "ProblemID"),
            "severity": said(problem, "ProblemSeverity"),
        },
        annotations={
            "description": said(problem, "ProblemDetailsText", "ProblemDetails"),
            "severity_raw": raw,
        },
        links=links(("Dynatrace", problem.get("ProblemURL"))),
        test=_TEST in title,
    )


def _davis(event: dict[str, Any], now: Micros) -> Event:
    status = _status(said(event, "event.status"))
    level, raw = graded(said(event, "event.category"), _SEVERITIES)
    name, host = said(event, "event.name") or "Dynatrace event", listed(event.get("host.name"))
    where = host or _affected(event)
    return Event(
        status=status,
        key=joined("event", number) if (number := said(event, "event.id")) else joined("name", name, host),
        title=name if where.lower() in name.lower() else f"{name} on {where}",
        severity=level,
        labels={
            **tags(event.get("entity_tags")),
            "alertname": name,
            "host": host,
            **{label: listed(event.get(field)) for label, field in _DAVIS_LABELS.items()},
        },
        annotations={"description": said(event, "event.description"), "severity_raw": raw},
        starts_at=instant(event, now, "event.start"),
        ends_at=instant(event, now, "event.end") if status == "resolved" else None,
    )


def _affected(event: dict[str, Any]) -> str:
    """A problem has no host; it names its root cause, or what it affects, by one of two lists."""
    entities = event.get("smartscape.affected_entities")
    names = [said(part(entity), "name") for entity in entities[:50]] if type(entities) is list else []
    return said(event, "root_cause_entity_name") or listed(event.get("affected_entity_names")) or listed(names)


def _status(word: str) -> Status:
    """A problem that was merged into another is told of under the other's id from then on."""
    return "resolved" if word.lower() in _OVER else "firing"
