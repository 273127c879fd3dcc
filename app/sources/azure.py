"""Azure Monitor: the common alert schema, and the bodies that came before it (metric, log, activity log and classic alerts)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources import azure_log
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity, Status
from app.sources.fields import graded, instant, joined, listed, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_SEVERITIES: dict[str, Severity] = {
    "sev0": "critical",
    "sev1": "error",
    "sev2": "warning",
    "sev3": "info",
    "sev4": "info",
}
_OVER = frozenset({"resolved", "deactivated"})
_TESTS = frozenset(
    {
        "test-activityLogAlertRule",
        "test-availabilityTest-test-applicationInsights",
        "test-dynamicMetricAlertRule",
        "test-logAlertRule-v1-metricMeasurement",
        "test-logAlertRule-v1-numResults",
        "test-logAlertRule-v2",
        "test-metricAlertRule",
        "test-ResourceHealthAlertRule",
        "test-ServiceHealthAlertRule",
        "test-SmartAlertRule",
    }
)
"""The rules that *Test action group* pretends of."""


class Azure(Dialect[SourceSettings]):
    """Action groups of Azure Monitor."""

    kind: ClassVar[str] = "azure"
    title: ClassVar[str] = "Azure Monitor"
    setup: ClassVar[str] = """
*Monitor - Alerts - Action groups - Create*: action type *Webhook*, URI `{url}`, *Enable the common alert schema: Yes*. Choose the
group in the alert rules; let log search rules resolve automatically.
"""
    example: ClassVar[dict[str, Any]] = {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": "/test/1",
                "alertRule": "A test of the way from Azure",
                "severity": "Sev1",
                "monitorCondition": "Fired",
                "configurationItems": ["test"],
            }
        },
    }
    expected: ClassVar[str] = "`data.essentials` (the common alert schema), `context` or `AlertRuleName` was expected"
    places: ClassVar[Places] = Places(
        ("data.essentials.monitorCondition", "data.status", "status"),
        ("data.essentials.severity", "data.context.severity"),
    )

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One alert a message; stateless log alerts never say that they are over."""
        data = part(message, "data")
        if essentials := part(data, "essentials"):
            return (_common(essentials, part(data, "alertContext"), now),)
        older = data if "context" in data else message
        if entry := part(older, "context", "activityLog"):
            return (azure_log.alert(entry, now),)
        if context := part(older, "context"):
            return (_older(older, context, now),)
        search = data if "AlertRuleName" in data else message
        return (_older({}, _searched(search), now),) if said(search, "AlertRuleName") else None


def _common(alert: dict[str, Any], context: dict[str, Any], now: Micros) -> Event:
    rule, resource = said(alert, "alertRule") or "Azure alert", listed(alert.get("configurationItems"))
    status: Status = "resolved" if said(alert, "monitorCondition").lower() in _OVER else "firing"
    level, raw = graded(said(alert, "severity").lower(), _SEVERITIES)
    targets = listed(alert.get("alertTargetIDs"))
    event = Event(
        status=status,
        key=said(alert, "alertId", "originAlertId") or joined("rule", rule, targets),
        title=f"{rule} on {resource}" if resource else rule,
        severity=level,
        labels={
            "alertname": rule,
            "resource": resource,
            "resource_group": said(alert, "targetResourceGroup"),
            "resource_type": said(alert, "targetResourceType"),
            "service": said(alert, "monitoringService"),
            "signal_type": said(alert, "signalType"),
            "severity": said(alert, "severity"),
        },
        annotations={
            "description": said(alert, "description"),
            "condition": _conditions(part(context, "condition")),
            "targets": targets,
            "severity_raw": raw,
        },
        links=links(("Azure", alert.get("investigationLink"))),
        starts_at=instant(alert, now, "firedDateTime"),
        ends_at=instant(alert, now, "resolvedDateTime") if status == "resolved" else None,
        test=rule in _TESTS,
    )
    return azure_log.refined(event, context, targets, now) if "operationName" in context else event


def _older(alert: dict[str, Any], context: dict[str, Any], now: Micros) -> Event:
    name, resource = said(context, "name") or "Azure alert", said(context, "resourceName")
    status: Status = "resolved" if said(alert, "status").lower() in _OVER else "firing"
    word = said(context, "severity")
    level, raw = graded(f"sev{word}" if word.isdigit() else word.lower(), _SEVERITIES)
    at = instant(context, now, "timestamp")
    return Event(
        status=status,
        key=joined(said(context, "id") or name, said(context, "resourceId")),
        title=f"{name} on {resource}" if resource else name,
        severity=level,
        labels={
            "alertname": name,
            "resource": resource,
            "resource_group": said(context, "resourceGroupName"),
            "resource_type": said(context, "resourceType"),
        },
        annotations={
            "description": said(context, "description"),
            "condition": _conditions(part(context, "condition")),
            "severity_raw": raw,
        },
        links=links(("Azure", context.get("portalLink"))),
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
    )


def _searched(alert: dict[str, Any]) -> dict[str, Any]:
    """The log alert of before the common schema, in the words of the other bodies. It never says that it is over."""
    rule, resource = said(alert, "AlertRuleName"), said(alert, "ResourceId")
    return {
        "id": joined("search", rule, listed(alert.get("Dimensions"))),
        "name": rule,
        "description": alert.get("Description"),
        "severity": alert.get("Severity"),
        "resourceId": resource,
        "resourceName": resource.rpartition("/")[2],
        "portalLink": alert.get("LinkToSearchResults"),
        "timestamp": alert.get("SearchIntervalEndtimeUtc"),
    }


def _conditions(condition: dict[str, Any]) -> str:
    """`CPU GreaterThan 5 (was 587.24)`, for each metric of the rule."""
    several = condition.get("allOf")
    each = several if type(several) is list else [condition]
    told = []
    for one in each[:10]:
        fields = part(one)
        words = " ".join(
            filter(None, (said(fields, "metricName"), said(fields, "operator"), said(fields, "threshold")))
        )
        value = said(fields, "metricValue")
        told.append(f"{words} (was {value})" if words and value else words)
    return ", ".join(filter(None, told))
