"""Datadog's webhook integration: its default body, the body that its guide recommends, and what others wrote by hand.

The user writes the body and Datadog fills in $VARIABLES, so the same fact comes under many names, as text, at times as
"null", and at times as the variable itself. What no field says is read from the title and from the links in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

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
_OUTER = {name[:at] for name in _WANTED for at, sign in enumerate(name) if sign == "_"}
_JOINT = {
    outer: {name.removeprefix(f"{outer}_"): name for name in _WANTED if name.startswith(f"{outer}_")}
    for outer in _OUTER
}
"""The wanted names in two parts, as in a map within a map: `alert`, then `id`, is `alert_id`."""
_NONE: dict[str, str] = {}
TEMPLATES: dict[tuple[str | int, ...], tuple[tuple[int, int, str], ...]] = {}
"""Where the wanted fields are in bodies of these names: what a user's template fills in has the same names each time."""
MAX_TEMPLATES = 100
MAX_NAMES = 2_000
"""Characters that the names of a template which is kept may have together."""
_ABSENT = frozenset({"null", "none"})
_ABSENT_LENGTH = 4

# A forgotten $ leaves the bare name of the variable, a misspelt one stays as it was written.
_VARIABLE = re.compile(
    "ID|DATE|HOSTNAME|LAST_UPDATED|LINK|PRIORITY|SNAPSHOT|TAGS|TEXT_ONLY_MSG|USER|AGGREG_KEY|(?:EVENT|ORG|ALERT)_[A-Z_]+"
)
_LITERAL = re.compile(r"\$\{?[A-Z_]+\}?")
_DOUBTFUL = frozenset("$IDHLPSTUAEONn")
"""How what says nothing begins."""

_HEAD = re.compile(
    r"\s*(?:\[(P[1-5])\]\s*)?"
    r"(?:\[(?:([A-Za-z][A-Za-z -]{1,29}+)|([A-Za-z][A-Za-z -]{1,29}?)\s+on\s+\{(.{0,2000}?)\})\]\s*)?",
    re.DOTALL,
)
"""The priority, the transition by itself, or it with its scope."""
_FIRING = frozenset({"triggered", "no data", "warn", "renotify", "alert", "warning", "error"})
_RESOLVED = frozenset({"recovered", "ok", "resolved"})
_TRANSITIONS = _FIRING | _RESOLVED
_PRIORITIES = {word: severity.DATADOG[word] for word in ("p1", "p2", "p3", "p4", "p5")}
"""`normal` and `low` are not among them: they are $PRIORITY, which is not the monitor's."""
_WARNS = frozenset({"warn", "warning"})
_MONITOR = re.compile(r"/monitors[/#](\d{1,20})(\?[^\s()\[\]<>\"]{0,2000})?")
_HOST = re.compile(r"[^\s()\[\]<>\"]{1,200}")
_LONGEST_HOST = 210
"""What can stand before the path of a monitor in its address, with the scheme."""
_GROUP = re.compile(r"[?&]group=([^&#\s]{1,1000})")
_MAX_HEAD = 5_000
_LONGEST_NAME = 60
"""No variable of Datadog is longer."""
_MAX_MARKUP = 50_000


class DatadogSettings(SourceSettings):
    """What an integration of Datadog can set."""


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
        event = _event(_facts(message), now)
        return None if event is None else (event,)


def _facts(body: dict[str, Any]) -> list[str]:
    """Each fact of _NAMES that some field says, else an empty text."""
    names: list[str | int] = [*body]
    maps = [body]
    for place, inner in enumerate(body.values()):
        if type(inner) is dict:
            names.append(place)
            names += inner
            maps.append(inner)
    template = tuple(names)
    facts = [""] * len(_NAMES)
    for fact, which, field in TEMPLATES.get(template) or _wanted(template):
        if not facts[fact]:
            value = maps[which][field]
            said = (value if type(value) is str else text(value)).strip()
            if said and (said[0] not in _DOUBTFUL or not _is_void(said)):
                facts[fact] = said
    return facts


def _wanted(template: tuple[str | int, ...]) -> tuple[tuple[int, int, str], ...]:
    """What may say each fact in a body of these names, the best first: the fact, and the map and name of the field.

    Nested maps count as `outer_inner` and as `inner`, after the upper level. A number in the template names the field of
    the map to which the names after it belong.
    """
    places: dict[str, list[tuple[int, str]]] = {}
    which, joint = 0, _NONE
    for name in template:
        if isinstance(name, int):
            which, joint = which + 1, _JOINT.get(str(template[name]).lower(), _NONE)
            continue
        known = name.lower() if which else name.lower().lstrip("$")
        for meant in {known, joint.get(known, known)}:
            places.setdefault(meant, []).append((which, name))
    found = tuple(
        (fact, *place) for fact, names in enumerate(_NAMES.values()) for name in names for place in places.get(name, ())
    )
    if len(TEMPLATES) >= MAX_TEMPLATES:
        TEMPLATES.clear()
    if sum(len(name) for name in template if isinstance(name, str)) <= MAX_NAMES:
        TEMPLATES[template] = found
    return found


def _is_void(said: str) -> bool:
    """Whether a text says that the fact does not apply. Names of variables are upper case."""
    if len(said) > _LONGEST_NAME or not (said.isupper() or said[0] == "$" or len(said) == _ABSENT_LENGTH):
        return False
    return said.lower() in _ABSENT or bool(_VARIABLE.fullmatch(said) or _LITERAL.fullmatch(said))


def _event(facts: list[str], now: Micros) -> Event | None:
    """The event that these facts of _NAMES are; None when they do not make a body Datadog's."""
    cycle, number, aggregate, transition, kind, priority, title, full_title, scope, tagged = facts[:10]
    host, message, markup, link, date, updated, org, metric, query, snapshot, state = facts[10:]
    if not (title or message or transition or number or cycle or aggregate):
        return None
    head_priority, head_transition, head_scope, name = _head(title, full_title)
    said = unescaped(message[:_MAX_MARKUP])
    markup = said if markup == message else unescaped(markup[:_MAX_MARKUP])
    linked, asked, monitor = _monitor(markup)
    number, transition, scope = number or linked, transition or head_transition, scope or head_scope or _group(asked)
    word, kind = _plain(transition), kind.lower()
    status = _status(word, kind)
    level = _severity(priority, head_priority, kind, word)
    key = f"cycle:{cycle}" if cycle else _key(org, number, aggregate, scope, name or message)
    test = name.startswith("[TEST]")
    said = _bare(said)
    name = one_line(name) or first_line(said) or f"Datadog monitor {number}".strip()
    # Only Triggered names a beginning: the date of a Re-Triggered, Renotify or Warn is that of the message.
    starts_at = _date(date, now) or _date(updated, now) if transition.lower() == "triggered" else None
    ends_at = max(_date(date, now) or 0, _date(updated, now) or 0) or None if status == "resolved" else None
    labels = {
        "alertname": name,
        "host": host,
        "priority": head_priority or priority,
        "monitor_id": number,
        "aggreg_key": aggregate,
        "metric": metric,
        "org_id": org,
    }
    if ":" in scope:
        labels |= tags(scope)
    if tagged:
        labels |= tags(tagged)
    annotations = {
        "description": said,
        "transition": transition,
        "query": query,
        "alert_status": state,
        "severity_raw": kind if level is None and status == "firing" else "",
    }
    return Event(
        status,
        key,
        f"No data: {name}" if word == "no data" else name,
        level or severity.UNKNOWN,
        labels,
        annotations,
        links(("Event", link), ("Monitor", monitor), ("Snapshot", snapshot)),
        starts_at,
        ends_at,
        None,
        bool(cycle),
        test and "Test notification triggered by" in markup + said,
    )


def _date(said: str, now: Micros) -> Micros | None:
    """A date, when it is a believable one."""
    return times.sane(times.parse(said), now)


def _bare(said: str) -> str:
    """A text without Datadog's marks of Markdown, which stand around it."""
    return said[3 * said.startswith("%%%") : len(said) - 3 * said.endswith("%%%")].strip()


def _plain(transition: str) -> str:
    """A transition without its repeat: Re-Triggered is Triggered."""
    return transition.strip().lower().removeprefix("re-")


def _head(title: str, full_title: str) -> tuple[str, ...]:
    """The parts of the title, as _split; when there are two, what the better name lacks comes from the other."""
    best = _split(title)
    if title == full_title:
        return best
    return tuple(mine or others for mine, others in zip(best, _split(full_title), strict=True))


def _split(title: str) -> tuple[str, str, str, str]:
    """The priority, transition, scope and name in `[P1] [Triggered on {host:a,env:b}] [Anything] name`.

    Absent parts are empty; a first bracket that is no transition belongs to the name.
    """
    match = _HEAD.match(title, 0, _MAX_HEAD) if "[" in title else None
    if match is None:
        return "", "", "", title
    priority, alone, beside, scope = match.groups("")
    transition = alone or beside
    known = scope or _plain(transition) in _TRANSITIONS or _over(transition.lower())
    if transition and not known:
        return priority, "", "", title[title.index("[", match.end(1) + 1) :]
    return priority, transition, scope.strip(), title[match.end() :]


def _monitor(markup: str) -> tuple[str, str, str]:
    """The id, the query and the whole of the link to the monitor in the text; empty when there is none."""
    end = markup.find("/monitors")
    while end >= 0:
        path = _MONITOR.match(markup, end)
        colon = markup.rfind("://", max(0, end - _LONGEST_HOST), end)
        start = markup.rfind("http", max(0, colon - 5), colon) if colon > 0 else -1
        if path and start >= 0 and _HOST.fullmatch(markup, colon + 3, end):
            return path[1], path[2] or "", markup[start : path.end()].rstrip("?")
        end = markup.find("/monitors", end + 1)
    return "", "", ""


def _group(query: str) -> str:
    """The group that the link to a monitor names."""
    group = _GROUP.search(query) if "group=" in query else None
    return clean(unquote_to_bytes(group[1].replace("+", " ")).decode("utf-8", "replace")) if group else ""


def _over(word: str) -> bool:
    """Also `Warn Recovered`, `Recovered from No Data` and `Alert Recovery`."""
    return word in _RESOLVED or word.startswith("recovered") or word.endswith(("recovered", "recovery"))


def _status(word: str, kind: str) -> Status:
    """An unknown transition fires. Without any, the type `success` is the only word for an end."""
    if word:
        return "resolved" if _over(word) else "firing"
    return "resolved" if kind == "success" else "firing"


def _severity(priority: str, head_priority: str, kind: str, word: str) -> Severity | None:
    """Priority, else type; a Warn is never worse than a warning."""
    given = _PRIORITIES.get(priority.lower()) or _PRIORITIES.get(head_priority.lower())
    level = given or severity.DATADOG.get(kind)
    if word in _WARNS and (level is None or severity.RANK[level] > severity.RANK["warning"]):
        return "warning"
    return level


def _key(org: str, number: str, aggregate: str, scope: str, name: str) -> str:
    """What stays the same from trigger to recovery, the best that is there."""
    where = ",".join(sorted([part.strip() for part in scope.split(",")])) if "," in scope else scope.strip()
    if number:
        return f"monitor:{org}/{number}/{where or aggregate}"
    if aggregate:
        return f"aggregate:{org}/{aggregate}"
    return "title:" + digest([org, name, where])
