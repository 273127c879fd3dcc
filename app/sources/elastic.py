"""Elastic and Kibana: the webhook connector with the body of the set-up page, the xMatters form, and detection alerts.

Bodies that were written for others are read too, as far as they name a rule.

Users write the body with Mustache, which escapes for HTML in some connectors; keys with dots may be nested or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources import severity, times
from app.sources.conventions import status_of
from app.sources.decode import unescaped
from app.sources.dialect import Dialect
from app.sources.event import Event, Status
from app.sources.fields import graded, joined
from app.sources.limits import links
from app.sources.mapping import look
from app.sources.remapping import Places
from app.sources.source import SourceSettings
from app.sources.tags import tags

_ACTIONS = (
    "alertActionGroupName",
    "alertActionGroup",
    "action_group",
    "actionGroup",
    "alert.actionGroup",
    "alert.action_group",
    "kibana.alert.actionGroup",
    "alert.actionGroupName",
    "alert.action_group_name",
    "kibana.alert.status",
)
# What Kibana calls the end of an alert; rules of tracking containment have a word of their own.
_OVER = ("recovered", "notgeocontained", "no longer contained")
_STATES = ("kibana.alert.status", "alert.status", "status", "state")
_SEVERITIES = ("severity", "kibana.alert.severity", "alert.severity", "context.rule.severity")
_RULE = ("rule_name", "ruleName", "rule.name", "kibana.alert.rule.name", "alertName", "alert_name")
_RULE_ID = ("rule_id", "ruleId", "rule.id", "kibana.alert.rule.uuid", "alertId")
# What Kibana before 7.13 calls an alert's id is the id of its rule.
_ALERT_ID = (
    "alertInstanceId",
    "alert_instance_id",
    "alert_id",
    "alert.id",
    "kibana.alert.instance.id",
    "kibana.alert.uuid",
    "kibana.alert.id",
    "alertId",
    "fingerprint",
)
_HOST = ("host.name", "host", "kibana.alert.instance.id")
_REASON = (
    "reason",
    "message",
    "alert.reason",
    "context.reason",
    "context.message",
    "context_message",
    "kibana.alert.reason",
    "description",
)
_LINK = ("url", "alert_url", "alert.url", "context.alertDetailsUrl", "kibana.alert.url", "link", "rule.url", "ruleUrl")
_TEST = "test-alert"


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

        rule = told(_RULE) or (told(_RULE_ID) and told(("name",)))
        both = told(("signalId",))
        if not rule and not both:
            return None
        action, alert = told(_ACTIONS), told(_ALERT_ID)
        over = any(word in action.lower() for word in _OVER) or "resolved" in (
            status_of(action),
            *(status_of(told((state,))) for state in _STATES),
        )
        status: Status = "resolved" if over else "firing"
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
            test=both == _TEST,
        )
        return (event,)
