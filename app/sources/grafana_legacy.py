"""Grafana's alerting before version 9: one flat message a rule, without any time. Knows only that shape."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.sources.decode import clean
from app.sources.event import Event, Status
from app.sources.limits import fitted, links, one_line, text

_PREFIX = re.compile(r"^\[[^\]]{1,20}\]\s*")
_MAX_VALUES = 20


def speaks(value: dict[str, Any]) -> bool:
    """Whether this is such a message."""
    return "ruleId" in value and "state" in value


def read(value: dict[str, Any]) -> list[Event]:
    """One event a rule, whatever the number of series that match.

    None for a rule that is pending or paused: there is nothing to open or to close.
    """
    state = text(value.get("state")).strip().lower()
    if state in {"pending", "paused"}:
        return []
    status: Status = "resolved" if state == "ok" else "firing"
    name = one_line(text(value.get("ruleName"))) or _PREFIX.sub("", one_line(text(value.get("title"))))
    title = name or f"Grafana rule {text(value['ruleId'])}"
    labels = {**_shared_tags(value.get("evalMatches")), **_texts(value.get("tags")), "alertname": title}
    annotations = {"state": state, "description": text(value.get("message")), "values": _values(value)}
    event = Event(
        status=status,
        key=_key(value),
        title=f"No data: {title}" if state == "no_data" else title,
        labels=labels,
        annotations=annotations,
        links=links(("Source", value.get("ruleUrl")), ("Image", value.get("imageUrl"))),
        test=title == "Test notification",
    )
    return [fitted(event)]


def _key(value: dict[str, Any]) -> str:
    """Host of the Grafana, organisation, rule: a rule's number is only unique within these."""
    try:
        url = urlsplit(text(value.get("ruleUrl")))
        host, query = url.hostname or "", parse_qs(url.query, max_num_fields=100)
    except ValueError:
        host, query = "", {}
    org = text(value.get("orgId")) or query.get("orgId", [""])[0]
    return clean(f"{host}/{org}/{text(value['ruleId'])}")


def _shared_tags(matches: Any) -> dict[str, str]:
    """The tags that all matching series have in common: what differs between them is not the rule's."""
    if not isinstance(matches, list):
        return {}
    each = [_texts(match.get("tags")) for match in matches if isinstance(match, dict)]
    shared = set.intersection(*(set(tags.items()) for tags in each)) if each else set()
    return dict(sorted(shared))


def _values(value: dict[str, Any]) -> str:
    matches = value.get("evalMatches")
    if not isinstance(matches, list):
        return ""
    told = [match for match in matches if isinstance(match, dict)][:_MAX_VALUES]
    return ", ".join(f"{text(match.get('metric'))}={text(match.get('value'))}" for match in told)


def _texts(value: Any) -> dict[str, str]:
    return {name: text(content) for name, content in value.items()} if isinstance(value, dict) else {}
