"""What hand-made and lesser-known senders call things -> one event, without any mapping.

Takes the shapes of GoAlert, Grafana OnCall, Alerta and Riemann, `{"message": ...}`, and in the end any JSON that holds a
text: an alert nobody foresaw is still an alert. Knows no settings; `generic` lays an integration's mapping over this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from app.clock import Micros
from app.sources import severity, times
from app.sources.event import Event, Status
from app.sources.limits import digest, fitted, links, one_line, text
from app.sources.tags import tags

TITLES = ("title", "summary", "subject", "alertname", "alert_name", "event_name", "name")
TEXTS = ("message", "details", "description", "text", "body", "msg")
STATUSES = ("action", "event_action", "status", "state", "alert_status")
SEVERITIES = ("severity", "level", "priority", "criticality")
KEYS = ("dedup", "dedup_key", "dedupkey", "alert_uid", "alias", "fingerprint", "incident_key", "alert_id", "key", "uid")
STARTS = ("startsat", "starts_at", "started_at", "start_time", "start")
ENDS = ("endsat", "ends_at", "ended_at", "resolved_at", "end_time", "end", "timestamp", "time", "date", "createtime")
PLACES = ("host", "hostname", "instance", "resource", "service", "environment", "source")
IN_QUERY = ("summary", "details", "action", "dedup")
"""What may stand in the query of the address, beside a body or without one. Nothing else: a secret may be there too."""
TITLE_KEY = "text:"
"""What keys made of a title begin with."""
MAPS = ("labels", "tags", "meta", "attributes")

_LINKS = {
    "link": "Link",
    "url": "Link",
    "link_to_upstream_details": "Details",
    "generatorurl": "Source",
    "dashboard_url": "Dashboard",
    "dashboardurl": "Dashboard",
    "runbook_url": "Runbook",
    "runbook": "Runbook",
    "image_url": "Image",
}
_TIMES = frozenset((*STARTS, *ENDS))
_NOT_LABELS = frozenset((*TITLES, *TEXTS, *STATUSES, *KEYS, *_LINKS, *_TIMES, *MAPS, "correlate"))
SECRET = re.compile(r"secret|token|passw|api_?key|credential|authorization|routing_key", re.IGNORECASE)

_BY_STATUS: dict[Status, str] = {
    "resolved": "resolved resolve ok okay close closed recovered recovery normal clear cleared up success healthy",
    "acknowledged": "acknowledged acknowledge acked ack",
}
WORDS: Mapping[str, Status] = MappingProxyType(
    {word: status for status, words in _BY_STATUS.items() for word in words.split()}
)
"""What a status may be called. Any other word fires: a problem told in unknown words is still a problem."""

_CLEARED = frozenset({"ok", "okay", "normal", "cleared", "clear", "closed", "resolved"})
_SHORT = 200
_MAX_NODES = 1_000


def speaks(value: dict[str, Any]) -> bool:
    """Whether a map has one of the names that texts of alerts usually have."""
    return any(name.lower() in TITLES + TEXTS and text(value[name]).strip() for name in value)


def secret(name: str) -> bool:
    """Whether a field of this name smells of a secret."""
    return _smells(name) if len(name) <= _SHORT else SECRET.search(name) is not None


@lru_cache(maxsize=4_096)
def _smells(name: str) -> bool:
    return SECRET.search(name) is not None


def status_of(word: str) -> Status:
    """The status a word stands for; no word fires."""
    return WORDS.get(word.strip().lower(), "firing")


def read(value: Any, now: Micros, query: Mapping[str, str] | None = None) -> Event:
    """The one event in a map, a text, or any other value. Total: whatever it is, it is an alert."""
    fields = {name.lower(): content for name, content in value.items()} if isinstance(value, dict) else {}
    for name in IN_QUERY:
        if query and query.get(name):
            # As GoAlert, the body first for all but the action.
            fields[name] = query[name] if name == "action" else fields.get(name) or query[name]
    if "resource" in fields and "event" in fields:
        event = _alerta(fields, now)
    elif "host" in fields and "service" in fields and "state" in fields and not first(fields, TITLES):
        event = _riemann(fields, now)
    else:
        event = _common(fields, value, now)
    return fitted(event)


def title_key(value: Any, title: str, details: str = "") -> str:
    """A key for an event that has none: its title, and where it is, since the same trouble on two hosts is two."""
    fields = value if isinstance(value, dict) else {}
    return TITLE_KEY + digest([title, details, {name: text(fields[name]) for name in PLACES if name in fields}])


def first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these fields that says something, as text."""
    for name in names:
        found = fields.get(name)
        if found is not None and (said := (found if type(found) is str else text(found)).strip()):
            return said
    return ""


def first_line(said: str) -> str:
    """The first line that says something, as a title."""
    return next((line for part in said.splitlines() if (line := one_line(part))), "")


def any_text(value: Any) -> str:
    """The first text anywhere in a value: of a field named like a text, else of any field that is no secret."""
    found = [(name, said) for name, said in _texts(value) if said.strip()]
    usual = (said for name, said in found if name in TITLES + TEXTS)
    return next(usual, found[0][1] if found else "")


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """The texts of a value with the names of their fields, upper levels first, a thousand at most."""
    level: list[tuple[str, Any]] = [("", value)]
    while level:
        below: list[tuple[str, Any]] = []
        for name, part in level:
            if isinstance(part, str):
                yield name, part
            elif isinstance(part, dict):
                below += [(key.lower(), child) for key, child in part.items() if not secret(key)]
            elif isinstance(part, list):
                below += [(name, child) for child in part]
        level = below[:_MAX_NODES]


def _common(fields: dict[str, Any], value: Any, now: Micros) -> Event:
    title, body = first(fields, TITLES), first(fields, TEXTS)
    said = body or ("" if title else any_text(value))
    named = one_line(title) or first_line(said) or "Alert without a text"
    key = first(fields, KEYS)
    if not key:
        # GoAlert: summary and details are the key.
        key = title_key(fields, title or said, text(fields.get("details")) if "summary" in fields else "")
    annotations = {"description": said} if said != named else {}
    return _event(fields, now, key=key, title=named, labels={}, annotations=annotations)


def _alerta(fields: dict[str, Any], now: Micros) -> Event:
    """Alerta: an event about a resource; the events it correlates with are other words for the same alert."""
    resource, name = text(fields["resource"]), text(fields["event"])
    related = fields.get("correlate")
    family = sorted({text(item) for item in related}) if isinstance(related, list) else []
    topic = ",".join(family) if name in family else name
    said = first(fields, ("text",))
    title = one_line(f"{name} on {resource}: {said}" if said else f"{name} on {resource}")
    key = f"{text(fields.get('environment'))}/{resource}/{topic}"
    return _event(fields, now, key=key, title=title, labels={"alertname": name}, annotations={"description": said})


def _riemann(fields: dict[str, Any], now: Micros) -> Event:
    host, service, state = text(fields["host"]), text(fields["service"]), text(fields["state"])
    said = first(fields, ("description",))
    title = one_line(f"{host} {service}: {said or state}")
    fields.setdefault("severity", None if status_of(state) == "resolved" else state)
    return _event(
        fields,
        now,
        key=f"{host}/{service}",
        title=title,
        labels={"alertname": service},
        annotations={"description": said},
    )


def _event(
    fields: dict[str, Any],
    now: Micros,
    *,
    key: str,
    title: str,
    labels: dict[str, str],
    annotations: dict[str, str],
) -> Event:
    """What all shapes have in common: status, severity, times, links, and the rest as labels and annotations."""
    word = first(fields, SEVERITIES)
    status = status_of(first(fields, STATUSES))
    if word.lower() in _CLEARED:
        status = "resolved"
    known = None if word.lower() in _CLEARED else severity.lookup(word)
    more_labels, more_annotations = _rest(fields)
    if known is None:
        more_annotations["severity_raw"] = word
    ends = times.sane(_time(fields, ENDS), now) if status == "resolved" else None
    return Event(
        status=status,
        key=key,
        title=title,
        severity=known or severity.UNKNOWN,
        labels={**more_labels, **labels},
        annotations={**more_annotations, **annotations},
        links=() if _LINKS.keys().isdisjoint(fields) else links(*((_LINKS[name], fields.get(name)) for name in _LINKS)),
        starts_at=times.sane(_time(fields, STARTS), now),
        ends_at=ends,
    )


def _time(fields: Mapping[str, Any], names: tuple[str, ...]) -> Micros | None:
    for name in names:
        if name in fields and (at := times.parse(fields[name])) is not None:
            return at
    return None


def _rest(fields: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations out of the fields that have no meaning of their own.

    Short texts are labels; long ones and numbers, which change from one message to the next, are annotations. Fields
    whose name smells of a secret are neither.
    """
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for name in MAPS:
        if name in fields:
            kept = annotations if name == "attributes" else labels
            kept.update((tag, said) for tag, said in tags(fields[name]).items() if not secret(tag))
    for name, content in fields.items():
        kind = type(content)
        if name in _NOT_LABELS or kind is dict or secret(name):
            continue
        said = ",".join(map(text, content)) if kind is list else text(content)
        (annotations if kind is int or kind is float or len(said) > _SHORT else labels)[name] = said
    return labels, annotations
