"""New Relic: workflow webhooks with the default template, and the legacy notification channel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity, Status
from app.sources.fields import graded, instant, joined, listed, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_ISSUE = re.compile(r"/(?:issues|redirect)/([\w-]{1,100})")
_STATES: dict[str, Status] = {"closed": "resolved", "acknowledged": "acknowledged"}
_SEVERITIES: dict[str, Severity] = {
    "critical": "critical",
    "high": "error",
    "medium": "warning",
    "warning": "warning",
    "low": "info",
    "info": "info",
}
_EXAMPLE = "0ea2df1c-adab-45d2-aae0-042b609d2322"
"""The issue in the link of the template's example, which stands in real messages too, and in those of every issue."""
_TEST = "d1b1f3fd-995a-4066-88ab-8ce4f6960654"
"""The issue that *Send test notification* makes up."""
_TEST_POLICY = "New Relic Alert - Test Policy"


class NewRelic(Dialect[SourceSettings]):
    """Workflows of New Relic."""

    kind: ClassVar[str] = "newrelic"
    title: ClassVar[str] = "New Relic"
    setup: ClassVar[str] = """
*Alerts - Destinations - Webhook*: endpoint `{base}`, custom header `X-Tocsin-Key: {key}`. Then *Workflows*: choose the destination, keep
the default template, and notify when an issue is activated, acknowledged and closed.
"""
    example: ClassVar[dict[str, Any]] = {
        "issueId": "test",
        "title": "A test of the way from New Relic",
        "priority": "CRITICAL",
        "state": "ACTIVATED",
    }
    expected: ClassVar[str] = "`issueId`, `id` with `state`, or `incident_id` was expected"
    places: ClassVar[Places] = Places(("state", "current_state"), ("priority", "severity"))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One issue a message, or one incident of the legacy channel."""
        if "current_state" in message or "incident_id" in message:
            return (_legacy(message, now),)
        return (_issue(message, now),) if message.keys() & {"issueId", "issueUrl", "issuePageUrl", "state"} else None


def _issue(issue: dict[str, Any], now: Micros) -> Event:
    more = part(issue, "accumulations")
    status = _STATES.get(said(issue, "state").lower(), "firing")
    priority = said(issue, "priority")
    level, raw = graded(priority, _SEVERITIES)
    url = said(issue, "issueUrl", "issuePageUrl")
    url = "" if _EXAMPLE in url else url
    match, number = _ISSUE.search(url), said(issue, "issueId", "id")
    policy = listed(issue.get("alertPolicyNames") or more.get("policyName"))
    condition = listed(issue.get("alertConditionNames") or more.get("conditionName"))
    entities = listed(issue.get("impactedEntities") or more.get("targetName"))
    title = said(issue, "title", "issueTitle") or condition or "New Relic issue"
    tags = {name: listed(value) for name, value in part(more, "tag").items()}
    return Event(
        status=status,
        key=number or (match[1] if match else "") or joined("title", title),
        title=title,
        severity=level,
        labels={
            **tags,
            "alertname": condition or title,
            "policy": policy,
            "entity": entities,
            "priority": priority,
        },
        annotations={
            "query": listed(more.get("nrqlQuery")),
            "workflow": said(issue, "workflowName"),
            "severity_raw": raw,
        },
        links=links(
            ("New Relic", url),
            ("Runbook", listed(more.get("runbookUrl"), 1)),
            ("Chart", listed(more.get("deepLinkUrl"), 1)),
        ),
        starts_at=instant(issue, now, "activatedAt", "createdAt"),
        ends_at=instant(issue, now, "closedAt", "updatedAt") if status == "resolved" else None,
        test=number == _TEST,
    )


def _legacy(incident: dict[str, Any], now: Micros) -> Event:
    status = _STATES.get(said(incident, "current_state").lower(), "firing")
    level, raw = graded(said(incident, "severity"), _SEVERITIES)
    policy, condition = said(incident, "policy_name"), said(incident, "condition_name")
    at = instant(incident, now, "timestamp")
    return Event(
        status=status,
        key=joined("incident", said(incident, "account_id"), said(incident, "incident_id")),
        title=condition or policy or said(incident, "details") or "New Relic incident",
        severity=level,
        labels={"alertname": condition, "policy": policy, "account": said(incident, "account_name")},
        annotations={"description": said(incident, "details"), "severity_raw": raw},
        links=links(("New Relic", incident.get("incident_url")), ("Runbook", incident.get("runbook_url"))),
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
        test=policy == _TEST_POLICY,
    )
