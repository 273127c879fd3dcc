"""What services of AWS publish by themselves: events of EventBridge, alarms among them, and notices of RDS and its like.

Knows no envelope; `sns` takes that off.
"""

from __future__ import annotations

from typing import Any

from app.clock import Micros
from app.sources import conventions, severity
from app.sources.event import Event, Status
from app.sources.fields import graded, instant, joined, listed, part, said
from app.sources.limits import links

_NAMES = ("eventArn", "findingArn", "id", "jobName")
"""What stays the same from one event of EventBridge to the next about the same thing."""


def is_event(fields: dict[str, Any]) -> bool:
    """Whether this is an event of EventBridge."""
    return bool(said(fields, "detail-type") and part(fields, "detail"))


def alarm_of(event: dict[str, Any]) -> dict[str, Any]:
    """An alarm's change of state as EventBridge tells it, in the words of CloudWatch's own message; empty when it is none."""
    detail = part(event, "detail")
    if "alarmName" not in detail or not said(event, "detail-type").endswith("State Change"):
        return {}
    settings, state, series = part(detail, "configuration"), part(detail, "state"), part(detail, "alarmContributor")
    metrics = settings.get("metrics")
    metric = part(metrics[0] if type(metrics) is list and metrics else None, "metricStat", "metric")
    return {
        "AlarmName": detail["alarmName"],
        "AlarmArn": listed(event.get("resources")),
        "AlarmDescription": settings.get("description"),
        "AWSAccountId": event.get("account"),
        "NewStateValue": state.get("value"),
        "NewStateReason": state.get("reason"),
        "StateChangeTime": state.get("timestamp"),
        "AlarmContributorId": series.get("id"),
        "AlarmContributorAttributes": series.get("attributes"),
        "Trigger": {
            "Namespace": metric.get("namespace"),
            "MetricName": metric.get("name"),
            "Dimensions": [{"name": name, "value": value} for name, value in part(metric, "dimensions").items()],
        },
    }


def happened(event: dict[str, Any], now: Micros) -> Event | None:
    """Any other event of EventBridge: what happened to what. That an alarm was edited is no problem."""
    detail, kind, resources = part(event, "detail"), said(event, "detail-type"), listed(event.get("resources"))
    if "alarmName" in detail:
        return None
    word, how_bad = said(detail, "statusCode", "state", "status"), said(detail, "severity")
    status: Status = "resolved" if word.lower() == "succeeded" else conventions.status_of(word)
    level, raw = graded(how_bad) if how_bad else (severity.UNKNOWN, "")
    what = said(detail, "title", "eventTypeCode", "jobName") or resources or said(detail, "message")
    told = detail.get("eventDescription")
    health = part(told[0] if type(told) is list and told else None)
    at = instant(event, now, "time")
    return Event(
        status=status,
        key=joined(kind, said(event, "account"), said(detail, *_NAMES) or resources or said(event, "id")),
        title=": ".join(filter(None, (kind, what, word))),
        severity=level,
        labels={
            "alertname": kind,
            "resource": resources,
            "source": said(event, "source"),
            "region": said(event, "region"),
            "account": said(event, "account"),
        },
        annotations={
            "description": said(detail, "description", "message", "stoppedReason", "reason")
            or said(health, "latestDescription"),
            "severity_raw": raw,
        },
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
    )


def announced(notice: dict[str, Any]) -> Event | None:
    """A notice of RDS, DMS or Redshift, whose subject is always the same; None when it is none. Nothing is ever over."""
    about, text = said(notice, "Source ID", "SourceId"), said(notice, "Event Message")
    if not text:
        return None
    number = said(notice, "Event ID").rpartition("#")[2].strip()
    return Event(
        status="firing",
        key=joined("notice", said(notice, "Source ARN") or about, number or text),
        title=f"{about}: {text}" if about else text,
        labels={"alertname": number, "resource": about, "source": said(notice, "Event Source")},
        links=links(("AWS", notice.get("Identifier Link"))),
    )
