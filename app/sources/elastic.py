"""Elastic and Kibana: the webhook connector with the body of the set-up page, the xMatters form, and detection alerts.

Users write the body with Mustache, which escapes for HTML in some connectors; keys with dots may be nested or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources import severity, times
from app.sources.decode import unescaped
from app.sources.dialect import Dialect
from app.sources.event import Event, Status
from app.sources.fields import graded, joined
from app.sources.limits import links
from app.sources.mapping import look
from app.sources.remapping import Places
from app.sources.source import SourceSettings
from app.sources.tags import tags

_ACTIONS = ("alertActionGroupName", "alertActionGroup", "action_group", "alert.actionGroup", "kibana.alert.status")
_SEVERITIES = ("severity", "kibana.alert.severity", "alert.severity")
_RULE = ("rule_name", "ruleName", "rule.name", "kibana.alert.rule.name")
_RULE_ID = ("rule_id", "rule.id", "kibana.alert.rule.uuid")
_ALERT_ID = ("alert_id", "alert.id", "kibana.alert.instance.id", "kibana.alert.uuid")
_HOST = ("host.name", "host", "kibana.alert.instance.id")
_REASON = ("reason", "message", "context.reason", "context.message", "kibana.alert.reason")
_LINK = ("url", "alert_url", "context.alertDetailsUrl", "kibana.alert.url")


class Elastic(Dialect[SourceSettings]):
    """Rules of Kibana and of Elastic Observability and Security."""

    kind: ClassVar[str] = "elastic"
    title: ClassVar[str] = "Elastic"
    setup: ClassVar[str] = """
*Stack Management - Connectors - Webhook*: POST to `{base}` with the header `X-Tocsin-Key: {key}`. In the rule add two actions with
this body: one for *Alert* (or each action group), one for *Recovered*, without which nothing resolves.

```json
{"rule_id": "{{rule.id}}", "rule_name": "{{rule.name}}", "alert_id": "{{alert.id}}",
 "action_group": "{{alert.actionGroup}}", "severity": "critical", "reason": "{{context.reason}}",
 "url": "{{context.alertDetailsUrl}}", "date": "{{date}}"}
```
"""
    example: ClassVar[dict[str, Any]] = {
        "rule_id": "test",
        "rule_name": "A test of the way from Elastic",
        "alert_id": "test",
        "action_group": "default",
        "severity": "high",
    }
    expected: ClassVar[str] = "the name of a rule was expected, in `rule_name` or `kibana.alert.rule.name`"
    places: ClassVar[Places] = Places(_ACTIONS, _SEVERITIES)

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One alert a message; it is over when its action group says so, which needs an action of its own."""

        def told(paths: tuple[str, ...]) -> str:
            return unescaped(look(paths, message, message))

        rule = told(_RULE)
        both = told(("signalId",))
        if not rule and not both:
            return None
        action, alert = told(_ACTIONS), told(_ALERT_ID)
        status: Status = "resolved" if "recovered" in action.lower() else "firing"
        host, word = told(_HOST), told(_SEVERITIES)
        level, raw = graded(word) if word else (severity.UNKNOWN, "")
        name, about = rule or "Elastic rule", host or alert
        event = Event(
            status=status,
            key=both or joined(told(_RULE_ID) or name, alert or host),
            title=f"{name}: {about}" if about else name,
            severity=level,
            labels={
                **tags(message.get("tags")),
                "alertname": name,
                "host": host,
                "space": told(("spaceId", "space")),
                "severity": word,
            },
            annotations={"description": told(_REASON), "action_group": action, "severity_raw": raw},
            links=links(("Kibana", told(_LINK))),
            starts_at=times.sane(times.parse(told(("kibana.alert.start", "start"))), now),
            ends_at=times.sane(times.parse(told(("kibana.alert.end", "date"))), now) if status == "resolved" else None,
        )
        return (event,)
