"""Datadog's webhook integration: its default body, the body that docs/sources.md recommends, and what others wrote by hand.

The user writes the body and Datadog fills in $VARIABLES, so the same fact comes under many names, as text, at times as
"null", and at times as the variable itself. What no field says is read from the title and from the links in the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple
from urllib.parse import unquote_plus

from app.clock import Micros
from app.sources import severity, times
from app.sources.conventions import first_line
from app.sources.decode import clean, decode, unescaped
from app.sources.event import Event, Reading, Received, Severity, Status, Unreadable
from app.sources.limits import digest, finish, fitted, links, one_line, text
from app.sources.remapping import Places, remapped
from app.sources.source import SourceSettings
from app.sources.tags import tags

_NAMES: dict[str, tuple[str, ...]] = {
    "cycle": ("alert_cycle_key", "cycle_key"),
    "monitor": ("alert_id", "monitor_id"),
    "aggregate": ("aggreg_key", "aggregate", "aggreg", "aggregation_key"),
    "transition": ("alert_transition", "transition"),
    "type": ("alert_type", "type"),
    "priority": ("alert_priority", "priority", "monitor_priority"),
    "title": ("alert_title", "title", "event_title"),
    "full_title": ("title", "event_title", "alert_title"),
    "scope": ("alert_scope", "scope", "group"),
    "tags": ("tags", "event_tags", "alert_tags"),
    "host": ("hostname", "host"),
    "message": ("text_only_msg", "message", "event_msg", "body", "text"),
    "markup": ("body", "event_msg", "message", "text"),
    "link": ("link", "event_url", "url"),
    "date": ("date", "last_updated"),
    "updated": ("last_updated", "date"),
    "org": ("org_id",),
    "metric": ("alert_metric", "metric"),
    "query": ("alert_query", "query"),
    "snapshot": ("snapshot", "snapshot_url"),
    "status": ("alert_status",),
}
"""What we want to know, and the fields that may say it, the best first."""
_WANTED = frozenset(name for names in _NAMES.values() for name in names)
_ABSENT = frozenset({"null", "none"})

_PLACES = Places(("transition", "type"), ("priority", "type"))

_ENOUGH = frozenset({"title", "message", "transition", "monitor", "cycle", "aggregate"})
"""One of these makes a body Datadog's."""

# A forgotten $ leaves the bare name of the variable, a misspelt one stays as it was written.
_VARIABLE = re.compile(
    "ID|DATE|HOSTNAME|LAST_UPDATED|LINK|PRIORITY|SNAPSHOT|TAGS|TEXT_ONLY_MSG|USER|AGGREG_KEY|(?:EVENT|ORG|ALERT)_[A-Z_]+"
)
_LITERAL = re.compile(r"\$\{?[A-Z_]+\}?")

_HEAD = re.compile(
    r"\s*(?:\[(?P<priority>P[1-5])\]\s*)?"
    r"(?:\[(?P<transition>[A-Za-z][A-Za-z -]{1,29}?)(?:\s+on\s+\{(?P<scope>.{0,2000}?)\})?\]\s*)?(?P<name>.*)",
    re.DOTALL,
)
_FIRING = frozenset({"triggered", "no data", "warn", "renotify", "alert", "warning", "error"})
_RESOLVED = frozenset({"recovered", "ok", "resolved"})
_MONITOR = re.compile(r"https?://[^\s()\[\]<>\"]{1,200}?/monitors[/#](\d{1,20})(\?[^\s()\[\]<>\"]{0,2000})?")
_MONITOR_PATH = re.compile(r"/monitors[/#]\d")
_LONGEST_HOST = 210
"""What can stand before the path of a monitor in its address."""
_GROUP = re.compile(r"[?&]group=([^&#\s]{1,1000})")
_MAX_HEAD = 5_000
_LONGEST_NAME = 60
"""No variable of Datadog is longer."""
_MAX_MARKUP = 50_000


class DatadogSettings(SourceSettings):
    """What an integration of Datadog can set."""


class _Head(NamedTuple):
    """What a title says, part by part; absent parts are empty."""

    priority: str
    transition: str
    scope: str
    name: str


class _Monitor(NamedTuple):
    """What the link to the monitor in the text says; absent parts are empty."""

    id: str
    group: str
    url: str


class Datadog:
    """Datadog's webhooks."""

    kind: ClassVar[str] = "datadog"
    title: ClassVar[str] = "Datadog"
    setup: ClassVar[str] = """
*Integrations - Webhooks - New*: name `tocsin`, URL `{url}`, and as payload the one in
[Datadog](sources.md#datadog). Write `@webhook-tocsin` into the monitors' messages, outside any `{{#is_alert}}`, so that recoveries
are sent too.
"""
    example: ClassVar[dict[str, Any]] = {
        "alert_id": "1",
        "transition": "Triggered",
        "type": "error",
        "title": "[Triggered] A test of the way from Datadog",
        "scope": "host:test",
    }
    Settings: ClassVar[type[SourceSettings]] = DatadogSettings

    def read(self, received: Received, settings: DatadogSettings, now: Micros) -> Reading:
        """See Source.read. One event a request; a list of bodies is read as that many."""
        value, scrubbed = decode(received.body)
        bodies = value if isinstance(value, list) else [value]
        told = [(body, facts) for body in bodies if (facts := _facts(body)).keys() & _ENOUGH]
        if not told:
            raise Unreadable("This is no Datadog message: it has no title, no text, no transition and no alert id.")
        lost = len(bodies) - len(told)
        problems = [f"{lost} of {len(bodies)} parts of the body are no Datadog message."] if lost else []
        events = [_event(facts, now) for _, facts in told]
        if settings.remaps:
            events = [
                remapped(event, settings, _PLACES, body, value) for event, (body, _) in zip(events, told, strict=True)
            ]
        return finish(events, problems, scrubbed=scrubbed)


def _facts(body: Any) -> dict[str, str]:
    """Each fact that some field says; nested maps count as `outer_inner` and as `inner`, after the upper level."""
    if not isinstance(body, dict):
        return {}
    fields: dict[str, str] = {}
    for name, value in body.items():
        _learn(fields, name if name in _WANTED else name.lower().lstrip("$"), value)
    for outer, values in body.items():
        if type(values) is dict:
            for name, value in values.items():
                if (joined := f"{outer}_{name}".lower()) in _WANTED:
                    _learn(fields, joined, value)
                _learn(fields, name.lower(), value)
    return _named(fields)


def _learn(fields: dict[str, str], name: str, value: Any) -> None:
    """Keeps the first value of a field that says something."""
    if name in _WANTED and name not in fields and (said := _clean(value)):
        fields[name] = said


def _named(fields: Mapping[str, str]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for fact, names in _NAMES.items():
        for name in names:
            if name in fields:
                facts[fact] = fields[name]
                break
    return facts


def _clean(value: Any) -> str:
    """The text of a value, or nothing when it says that it does not apply."""
    said = (value if type(value) is str else text(value)).strip()
    if not said or len(said) > _LONGEST_NAME:
        return said
    # Names of variables are upper case: no other text needs a closer look.
    if (said[0] == "$" or said.isupper()) and (_VARIABLE.fullmatch(said) or _LITERAL.fullmatch(said)):
        return ""
    return "" if said.lower() in _ABSENT else said


def _event(facts: Mapping[str, str], now: Micros) -> Event:
    head = _head(facts)
    said = unescaped(facts.get("message", "")[:_MAX_MARKUP])
    markup = said if facts.get("markup") == facts.get("message") else unescaped(facts.get("markup", "")[:_MAX_MARKUP])
    monitor = _monitor(markup)
    transition = facts.get("transition") or head.transition
    status = _status(transition, facts.get("type", ""))
    scope = facts.get("scope") or head.scope or monitor.group
    level, raw = _severity(facts, head, transition, status)
    key, cycle = _key(facts, head, monitor, scope)
    message = said.replace("%%%", "").strip()
    name = one_line(head.name) or first_line(message) or f"Datadog monitor {facts.get('monitor') or monitor.id}".strip()
    dates = [at for fact in ("date", "updated") if (at := times.sane(times.parse(facts.get(fact)), now)) is not None]
    return fitted(
        Event(
            status=status,
            key=key,
            title=f"No data: {name}" if _plain(transition) == "no data" else name,
            severity=level,
            labels=_labels(facts, head, monitor, scope, name),
            annotations={
                "description": message,
                "transition": transition,
                "query": facts.get("query", ""),
                "alert_status": facts.get("status", ""),
                "severity_raw": raw,
            },
            links=links(("Event", facts.get("link")), ("Monitor", monitor.url), ("Snapshot", facts.get("snapshot"))),
            # Only Triggered names a beginning: the date of a Re-Triggered, Renotify or Warn is that of the message.
            starts_at=dates[0] if dates and transition.lower() == "triggered" else None,
            ends_at=max(dates) if dates and status == "resolved" else None,
            once=cycle,
            test=head.name.startswith("[TEST]") and "Test notification triggered by" in markup + message,
        )
    )


def _plain(transition: str) -> str:
    """A transition without its repeat: Re-Triggered is Triggered."""
    return transition.strip().lower().removeprefix("re-")


def _head(facts: Mapping[str, str]) -> _Head:
    """The parts of the title; when there are two titles, what the better name lacks comes from the other."""
    title, full = facts.get("title", ""), facts.get("full_title", "")
    best = _split(title)
    if title == full:
        return best
    other = _split(full)
    return _Head(
        best.priority or other.priority,
        best.transition or other.transition,
        best.scope or other.scope,
        best.name or other.name,
    )


def _split(title: str) -> _Head:
    """`[P1] [Triggered on {host:a,env:b}] [Anything] name`: a first bracket that is no transition belongs to the name."""
    match = _HEAD.fullmatch(title[:_MAX_HEAD]) if "[" in title else None
    if match is None:
        return _Head("", "", "", title)
    priority, transition, scope, name = (match[part] or "" for part in _Head._fields)
    name += title[_MAX_HEAD:]
    known = _plain(transition) in _FIRING | _RESOLVED or transition.lower().endswith("recovered")
    if transition and not known and not scope:
        transition, name = "", title[match.start("transition") - 1 :]
    return _Head(priority, transition, scope.strip(), name)


def _monitor(markup: str) -> _Monitor:
    path = _MONITOR_PATH.search(markup)
    match = _MONITOR.search(markup, max(0, path.start() - _LONGEST_HOST)) if path else None
    if match is None:
        return _Monitor("", "", "")
    group = _GROUP.search(match[2] or "")
    return _Monitor(match[1], clean(unquote_plus(group[1])) if group else "", match[0].rstrip("?"))


def _status(transition: str, kind: str) -> Status:
    """An unknown transition fires. Without any, the type `success` is the only word for an end."""
    word = _plain(transition)
    if word:
        return "resolved" if word in _RESOLVED or word.endswith("recovered") else "firing"
    return "resolved" if kind.lower() == "success" else "firing"


def _severity(facts: Mapping[str, str], head: _Head, transition: str, status: Status) -> tuple[Severity, str]:
    """Priority, else type; a Warn is never worse than a warning. And the raw word, when nobody knows it."""
    kind = facts.get("type", "").lower()
    for word in (facts.get("priority", ""), head.priority):
        # normal and low are $PRIORITY, which is not the monitor's.
        if word.lower() in {"p1", "p2", "p3", "p4", "p5"}:
            level: Severity | None = severity.lookup(word, severity.DATADOG)
            break
    else:
        level = severity.lookup(kind, severity.DATADOG)
    warns = _plain(transition) in {"warn", "warning"}
    if warns and (level is None or severity.RANK[level] > severity.RANK["warning"]):
        level = "warning"
    raw = kind if level is None and status == "firing" else ""
    return level or severity.UNKNOWN, raw


def _key(facts: Mapping[str, str], head: _Head, monitor: _Monitor, scope: str) -> tuple[str, bool]:
    """What stays the same from trigger to recovery, the best that is there; and whether it never comes again after it."""
    if cycle := facts.get("cycle"):
        return f"cycle:{cycle}", True
    org, aggregate = facts.get("org", ""), facts.get("aggregate", "")
    where = ",".join(sorted(part.strip() for part in scope.split(",")))
    if number := facts.get("monitor") or monitor.id:
        return f"monitor:{org}/{number}/{where or aggregate}", False
    if aggregate:
        return f"aggregate:{org}/{aggregate}", False
    return "title:" + digest([org, head.name or facts.get("message", ""), where]), False


def _labels(facts: Mapping[str, str], head: _Head, monitor: _Monitor, scope: str, name: str) -> dict[str, str]:
    own = {
        "alertname": name,
        "host": facts.get("host", ""),
        "priority": (facts.get("priority") if not head.priority else head.priority) or "",
        "monitor_id": facts.get("monitor") or monitor.id,
        "aggreg_key": facts.get("aggregate", ""),
        "metric": facts.get("metric", ""),
        "org_id": facts.get("org", ""),
    }
    return own | (tags(scope) if ":" in scope else {}) | tags(facts.get("tags", ""))
