"""Datadog's webhook integration: its default body, the body that its guide recommends, and what others wrote by hand.

The user writes the body and Datadog fills in $VARIABLES, so the same fact comes under many names, as text, at times as
"null", and at times as the variable itself. What no field says is read from the title and from the links in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple
from urllib.parse import unquote_plus

from app.clock import Micros
from app.sources import severity, times
from app.sources.conventions import first_line
from app.sources.decode import clean, unescaped
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity, Status
from app.sources.limits import digest, links, one_line, text
from app.sources.remapping import Places
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
_NOWHERE = ""
"""Stands for a field that says a fact which none says."""
_OUTER = {name[:at] for name in _WANTED for at, sign in enumerate(name) if sign == "_"}
_JOINT = {
    outer: {name.removeprefix(f"{outer}_"): name for name in _WANTED if name.startswith(f"{outer}_")}
    for outer in _OUTER
}
"""The wanted names in two parts, as in a map within a map: `alert`, then `id`, is `alert_id`."""
_NONE: dict[str, str] = {}
_ABSENT = frozenset({"null", "none"})
_ABSENT_LENGTH = 4

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
_TRANSITIONS = _FIRING | _RESOLVED
_PRIORITIES = frozenset({"p1", "p2", "p3", "p4", "p5"})
_WARNS = frozenset({"warn", "warning"})
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


class _Facts(NamedTuple):
    """What the fields of a body say, under the names of _NAMES; absent facts are empty."""

    cycle: str = ""
    monitor: str = ""
    aggregate: str = ""
    transition: str = ""
    type: str = ""
    priority: str = ""
    title: str = ""
    full_title: str = ""
    scope: str = ""
    tags: str = ""
    host: str = ""
    message: str = ""
    markup: str = ""
    link: str = ""
    date: str = ""
    updated: str = ""
    org: str = ""
    metric: str = ""
    query: str = ""
    snapshot: str = ""
    status: str = ""

    @property
    def enough(self) -> bool:
        """Whether they make a body Datadog's."""
        return bool(self.title or self.message or self.transition or self.monitor or self.cycle or self.aggregate)


class _Head(NamedTuple):
    """What a title says, part by part; absent parts are empty."""

    priority: str
    transition: str
    scope: str
    name: str


class _Monitor(NamedTuple):
    """What the link to the monitor in the text says; absent parts are empty."""

    id: str
    query: str
    url: str

    @property
    def scope(self) -> str:
        """The group that it links to."""
        group = _GROUP.search(self.query) if self.query else None
        return clean(unquote_plus(group[1])) if group else ""


class Datadog(Dialect[DatadogSettings]):
    """Datadog's webhooks."""

    kind: ClassVar[str] = "datadog"
    title: ClassVar[str] = "Datadog"
    setup: ClassVar[str] = """
*Integrations - Webhooks - New*: name `tocsin`, URL `{url}`, and this payload:

```json
{
  "alert_id": "$ALERT_ID",
  "alert_cycle_key": "$ALERT_CYCLE_KEY",
  "aggreg_key": "$AGGREG_KEY",
  "transition": "$ALERT_TRANSITION",
  "type": "$ALERT_TYPE",
  "priority": "$ALERT_PRIORITY",
  "title": "$ALERT_TITLE",
  "scope": "$ALERT_SCOPE",
  "tags": "$TAGS",
  "host": "$HOSTNAME",
  "message": "$TEXT_ONLY_MSG",
  "link": "$LINK",
  "snapshot": "$SNAPSHOT",
  "date": "$DATE",
  "org_id": "$ORG_ID",
  "metric": "$ALERT_METRIC",
  "query": "$ALERT_QUERY"
}
```

Write `@webhook-tocsin` into the monitors' messages, outside any `{{#is_alert}}`, so that recoveries are sent too.
"""
    example: ClassVar[dict[str, Any]] = {
        "alert_id": "1",
        "transition": "Triggered",
        "type": "error",
        "title": "[Triggered] A test of the way from Datadog",
        "scope": "host:test",
    }
    Settings: ClassVar[type[SourceSettings]] = DatadogSettings
    expected: ClassVar[str] = "a title, a text, a transition or an alert id was expected"
    places: ClassVar[Places] = Places(("transition", "type"), ("priority", "type"))

    def events(self, message: dict[str, Any], settings: DatadogSettings, now: Micros) -> Sequence[Event] | None:
        """See Dialect.events: one event a message."""
        facts = _facts(message)
        return (_event(facts, now),) if facts.enough else None


def _facts(body: dict[str, Any]) -> _Facts:
    """Each fact that some field says; nested maps count as `outer_inner` and as `inner`, after the upper level."""
    fields = {_NOWHERE: ""}
    for name, value in body.items():
        if (known := name if name in _WANTED else name.lower().lstrip("$")) in _WANTED:
            _learn(fields, known, value)
    for outer, values in body.items():
        if type(values) is dict:
            joint = _JOINT.get(outer.lower(), _NONE)
            for name, value in values.items():
                inner = name.lower()
                if inner in joint:
                    _learn(fields, joint[inner], value)
                if inner in _WANTED:
                    _learn(fields, inner, value)
    return _Facts(*_telling(tuple(fields))(fields))


@lru_cache(maxsize=256)
def _telling(names: tuple[str, ...]) -> Callable[[dict[str, str]], tuple[str, ...]]:
    """What takes each fact from the best field of these that says it; a user's template has the same fields each time."""
    best = (next((name for name in _NAMES[fact] if name in names), _NOWHERE) for fact in _Facts._fields)
    return itemgetter(*best)


def _learn(fields: dict[str, str], name: str, value: Any) -> None:
    """Keeps the first value of a field that says something."""
    if name in fields:
        return
    said = (value if type(value) is str else text(value)).strip()
    # Names of variables are upper case: hardly any text needs a closer look.
    if said and not ((said[0] == "$" or said.isupper() or len(said) == _ABSENT_LENGTH) and _is_void(said)):
        fields[name] = said


def _is_void(said: str) -> bool:
    """Whether a text says that the fact does not apply."""
    if len(said) > _LONGEST_NAME:
        return False
    return said.lower() in _ABSENT or bool(_VARIABLE.fullmatch(said) or _LITERAL.fullmatch(said))


def _event(facts: _Facts, now: Micros) -> Event:
    head = _head(facts)
    said = unescaped(facts.message[:_MAX_MARKUP])
    markup = said if facts.markup == facts.message else unescaped(facts.markup[:_MAX_MARKUP])
    monitor = _monitor(markup)
    transition = facts.transition or head.transition
    word = _plain(transition)
    status = _status(word, facts.type)
    scope = facts.scope or head.scope or monitor.scope
    level, raw = _severity(facts, head, word, status)
    key, cycle = _key(facts, head, monitor, scope)
    message = _bare(said)
    name = one_line(head.name) or first_line(message) or f"Datadog monitor {facts.monitor or monitor.id}".strip()
    return Event(
        status=status,
        key=key,
        title=f"No data: {name}" if word == "no data" else name,
        severity=level,
        labels=_labels(facts, head, monitor, scope, name),
        annotations={
            "description": message,
            "transition": transition,
            "query": facts.query,
            "alert_status": facts.status,
            "severity_raw": raw,
        },
        links=links(("Event", facts.link), ("Monitor", monitor.url), ("Snapshot", facts.snapshot)),
        # Only Triggered names a beginning: the date of a Re-Triggered, Renotify or Warn is that of the message.
        starts_at=next(_dates(facts, now), None) if transition.lower() == "triggered" else None,
        ends_at=max(_dates(facts, now), default=None) if status == "resolved" else None,
        once=cycle,
        test=head.name.startswith("[TEST]") and "Test notification triggered by" in markup + message,
    )


def _dates(facts: _Facts, now: Micros) -> Iterator[Micros]:
    """The believable ones, that of the event first."""
    for date in (facts.date, facts.updated):
        if (at := times.sane(times.parse(date), now)) is not None:
            yield at


def _bare(said: str) -> str:
    """A text without Datadog's marks of Markdown, which stand around it."""
    said = said.strip().removeprefix("%%%").removesuffix("%%%")
    return (said.replace("%%%", "") if "%%%" in said else said).strip()


def _plain(transition: str) -> str:
    """A transition without its repeat: Re-Triggered is Triggered."""
    return transition.strip().lower().removeprefix("re-")


def _head(facts: _Facts) -> _Head:
    """The parts of the title; when there are two titles, what the better name lacks comes from the other."""
    best = _split(facts.title)
    if facts.title == facts.full_title:
        return best
    return _Head(*(mine or others for mine, others in zip(best, _split(facts.full_title), strict=True)))


def _split(title: str) -> _Head:
    """`[P1] [Triggered on {host:a,env:b}] [Anything] name`: a first bracket that is no transition belongs to the name."""
    match = _HEAD.fullmatch(title[:_MAX_HEAD]) if "[" in title else None
    if match is None:
        return _Head("", "", "", title)
    priority, transition, scope, name = match.groups("")
    known = _plain(transition) in _TRANSITIONS or transition.lower().endswith("recovered")
    if transition and not known and not scope:
        return _Head(priority, "", "", title[match.start("transition") - 1 :])
    return _Head(priority, transition, scope.strip(), name + title[_MAX_HEAD:])


def _monitor(markup: str) -> _Monitor:
    path = _MONITOR_PATH.search(markup)
    match = _MONITOR.search(markup, max(0, path.start() - _LONGEST_HOST)) if path else None
    if match is None:
        return _Monitor("", "", "")
    return _Monitor(match[1], match[2] or "", match[0].rstrip("?"))


def _status(word: str, kind: str) -> Status:
    """An unknown transition fires. Without any, the type `success` is the only word for an end."""
    if word:
        return "resolved" if word in _RESOLVED or word.endswith("recovered") else "firing"
    return "resolved" if kind.lower() == "success" else "firing"


def _severity(facts: _Facts, head: _Head, word: str, status: Status) -> tuple[Severity, str]:
    """Priority, else type; a Warn is never worse than a warning. And the raw word, when nobody knows it."""
    kind = facts.type.lower()
    for priority in (facts.priority, head.priority):
        # normal and low are $PRIORITY, which is not the monitor's.
        if priority.lower() in _PRIORITIES:
            level = severity.lookup(priority, severity.DATADOG)
            break
    else:
        level = severity.lookup(kind, severity.DATADOG)
    if word in _WARNS and (level is None or severity.RANK[level] > severity.RANK["warning"]):
        level = "warning"
    raw = kind if level is None and status == "firing" else ""
    return level or severity.UNKNOWN, raw


def _key(facts: _Facts, head: _Head, monitor: _Monitor, scope: str) -> tuple[str, bool]:
    """What stays the same from trigger to recovery, the best that is there; and whether it never comes again after it."""
    if facts.cycle:
        return f"cycle:{facts.cycle}", True
    where = ",".join(sorted([part.strip() for part in scope.split(",")])) if "," in scope else scope.strip()
    if number := facts.monitor or monitor.id:
        return f"monitor:{facts.org}/{number}/{where or facts.aggregate}", False
    if facts.aggregate:
        return f"aggregate:{facts.org}/{facts.aggregate}", False
    return "title:" + digest([facts.org, head.name or facts.message, where]), False


def _labels(facts: _Facts, head: _Head, monitor: _Monitor, scope: str, name: str) -> dict[str, str]:
    own = {
        "alertname": name,
        "host": facts.host,
        "priority": head.priority or facts.priority,
        "monitor_id": facts.monitor or monitor.id,
        "aggreg_key": facts.aggregate,
        "metric": facts.metric,
        "org_id": facts.org,
    }
    if ":" in scope:
        own |= tags(scope)
    if facts.tags:
        own |= tags(facts.tags)
    return own
