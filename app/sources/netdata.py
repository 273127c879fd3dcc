"""Netdata: the webhook of Netdata Cloud, and the agent's custom sender in integrations/.

The agent gives each transition a new id; what stays the same is the alarm's id on its host. The Cloud sends no id at all:
the node (of older messages the one in the alert's address), the alert and the chart stand in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from app.clock import Micros
from app.sources import severity, times
from app.sources.decode import Document, decode
from app.sources.dialect import Dialect
from app.sources.event import Event, Received, Status, Unreadable
from app.sources.fields import graded, instant, joined, lower, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_NODE = re.compile(r"(?:/nodes/|:::)([\w-]{1,100})")
_CHART = re.compile(r"[?&]chart=([^&#]{1,300})")
_BARE = re.compile(rb'("severity"\s*:\s*)([A-Z]{1,20})\b')
_OVER = frozenset({"clear", "cleared", "removed"})
_NO_PROBLEM = frozenset({"undefined", "uninitialized"})
_REACH = frozenset({"reachable", "unreachable"})


class Netdata(Dialect[SourceSettings]):
    """Netdata agents and Netdata Cloud."""

    kind: ClassVar[str] = "netdata"
    title: ClassVar[str] = "Netdata"
    setup: ClassVar[str] = """
An agent: add `integrations/netdata/health_alarm_notify.conf` to the agent's file of that name, with `{base}` and `{key}` in it, and try
`/usr/libexec/netdata/plugins.d/alarm-notify.sh test`. Netdata Cloud: *Space settings - Alerts & Notifications - Webhook*, URL `{url}`.
The token that it asks for after *Test* is in the title of the test message that Tocsin got.
"""
    example: ClassVar[dict[str, Any]] = {
        "alarm_id": "1",
        "host": "test",
        "name": "A test of the way from Netdata",
        "chart": "test",
        "status": "CRITICAL",
    }
    expected: ClassVar[str] = "`alert` or `alarm_id` with `severity` or `status` was expected"
    places: ClassVar[Places] = Places(
        ("alert.state.status", "status", "severity"), ("alert.state.status", "severity", "status")
    )

    def decoded(self, received: Received) -> Document:
        """As JSON; a severity without quotes, as one of the agent's own senders writes it, is quoted."""
        try:
            return decode(received.body)
        except Unreadable:
            mended, found = _BARE.subn(rb'\1"\2"', received.body)
            if not found:
                raise
            return decode(mended)

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One alarm a message, or whether a node can be reached."""
        fields = lower(message)
        if reach := part(fields.get("status")):
            return (_reachability(fields, said(fields, "host"), back=reach.get("reachable") is True),)
        if (word := said(fields, "status").lower()) in _REACH:
            nodes = fields.get("nodes")
            hosts = [said(part(node), "hostname", "name") for node in nodes] if type(nodes) is list else []
            return [_reachability(fields, host, back=word == "reachable") for host in hosts or [""]]
        if "token" in fields and "alert" not in fields:
            return (_token(said(fields, "token")),)
        if part(fields.get("alert")):
            fields = _flat(fields)
        details = part(message, "payload", "custom_details")
        if details:  # the agent's PagerDuty sender
            fields = {**fields, **lower(part(message, "payload")), **lower(details)}
        name = said(fields, "alert", "name", "alarm")
        if not name and not said(fields, "alarm_id", "alarmid"):
            return None
        word = (said(fields, "severity", "status") if not details else said(fields, "status", "severity")).lower()
        if word in _NO_PROBLEM:
            return ()
        return (_alarm(fields, name or "Netdata alarm", word, now),)


def _alarm(fields: dict[str, Any], name: str, word: str, now: Micros) -> Event:
    status: Status = "resolved" if word in _OVER or said(fields, "event_action") == "resolve" else "firing"
    level, raw = graded(word) if word and status == "firing" else (severity.UNKNOWN, "")
    host, chart = said(fields, "host", "hostname", "source"), said(fields, "chart")
    # The agent's PagerDuty sender writes the local time of its host, without a zone.
    at = instant(fields, now, "date", "when") or times.sane(times.zoned(fields.get("timestamp")), now)
    info = said(fields, "info", "message", "summary")
    return Event(
        status=status,
        key=_key(fields, host, name, chart),
        title=f"{name} on {host}" if host else name,
        severity=level,
        labels={
            "alertname": name,
            "host": host,
            "chart": chart,
            "context": said(fields, "context"),
            "family": said(fields, "family"),
            "class": said(fields, "class"),
            "space": said(fields, "space"),
        },
        annotations={
            "description": info,
            "value": said(fields, "value", "value_string"),
            "severity_raw": raw,
        },
        links=links(("Netdata", said(fields, "alert_url", "url", "client_url"))),
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
    )


def _key(fields: dict[str, Any], host: str, name: str, chart: str) -> str:
    if alarm := said(fields, "alarm_id", "alarmid"):
        return joined("alarm", host, alarm)
    return joined(host or _node(said(fields, "alert_url")), name, chart)


def _node(url: str) -> str:
    """The node in an address of Netdata Cloud, else the address' host."""
    if match := _NODE.search(url):
        return match[1]
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """The Cloud's newer message, with a map for the alert and one for the node, under the names of the older one."""
    alert, state = part(fields["alert"]), part(fields["alert"], "state")
    chart, rendered, linked = part(alert, "chart"), part(alert, "rendered"), _CHART.search(said(alert, "url"))
    return {
        **fields,
        "alert": said(alert, "name"),
        "status": said(state, "status"),
        "value": said(state, "value_str", "value"),
        "host": said(part(fields.get("node")), "hostname", "name"),
        "chart": said(chart, "id", "name") or (linked[1] if linked else ""),
        "context": said(alert, "context"),
        "class": said(part(alert, "config"), "classification"),
        "info": said(rendered, "info", "summary"),
        "space": said(part(fields.get("space")), "name", "slug"),
        "alert_url": said(alert, "url"),
    }


def _token(token: str) -> Event:
    """The Cloud's test button: a person has to type the token in there, so that it begins to send."""
    return Event(
        status="firing",
        key="token",
        title=f"Netdata Cloud reaches Tocsin; the token that it asks for is {token}",
        severity="info",
        test=True,
    )


def _reachability(fields: dict[str, Any], node: str, *, back: bool) -> Event:
    host = node or "a node"
    return Event(
        status="resolved" if back else "firing",
        key=joined("reachable", host),
        title=f"{host} is unreachable",
        severity="critical",
        labels={"alertname": "unreachable", "host": host},
        annotations={"description": said(fields, "message")},
        links=links(("Netdata", fields.get("url"))),
    )
