"""The words of a page. Pure. What a person reads at 03:00: what is broken, how bad, why them, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.clock import SECOND, Micros, lasting, spoken
from app.incidents.incident import Incident
from app.notifiers.notifier import Action, Message
from app.oncall.wording import beside
from app.paging.storm import Allowance


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What is known of the page that is to be sent."""

    id: int
    number: int
    recipient: str
    reason: str
    service: str
    level: int
    round: int
    url: str
    due_at: Micros
    urgency: Literal["high", "low"] = "high"
    links: tuple[tuple[str, str], ...] = ()
    zone: str = "UTC"
    """Where its person lives."""


def message(page: PageFacts, incident: Incident, now: Micros) -> Message:
    """The page in full; each notifier cuts it to its limits."""
    since = spoken(incident.opened_at) + beside(incident.opened_at, page.zone)
    alerts = "1 alert" if incident.alerts == 1 else f"{incident.alerts} alerts"
    where = f"Service: {page.service}" if page.service else "No service"
    level = "" if page.level < 0 else f"Level {page.level + 1}, "
    told = level + (f"round {page.round + 1}, " if page.round and level else "")
    lines = (
        f"{incident.priority} · {incident.severity} · {where}",
        f"Since {since}, {alerts} ({incident.open_alerts} firing)" if incident.alerts else f"Since {since}",
        f"Why you: {page.reason} ({told}page {page.number})",
    )
    return Message(
        id=f"tocsin-{page.id}",
        kind="page",
        title=f"#{incident.number} {incident.title}",
        text="\n".join(lines),
        url=page.url,
        priority=incident.priority,
        severity=incident.severity,
        urgency=page.urgency,
        incident=incident.number,
        service=page.service,
        to=page.recipient,
        links=page.links,
        actions=(Action("acknowledge", "Acknowledge", page.url),),
        late_s=max(0, now - page.due_at) // SECOND,
    )


def minimal(page: PageFacts, incident: Incident, now: Micros) -> Message:
    """The page in as few words as can be, from as few facts as can be: for when it can't be told in full."""
    return Message(
        id=f"tocsin-{page.id}",
        kind="page",
        title=f"#{incident.number} {incident.title}",
        text=f"Why you: {page.reason}",
        url=page.url,
        priority=incident.priority,
        severity=incident.severity,
        urgency="high",
        incident=incident.number,
        service="",
        to=page.recipient,
        links=(),
        actions=(Action("acknowledge", "Acknowledge", page.url),),
        late_s=max(0, now - page.due_at) // SECOND,
    )


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """What is known of a bundle that is to be sent."""

    id: int
    recipient: str
    url: str
    """Of the list."""
    receipt_url: str
    due_at: Micros
    """When the first of its pages was due."""
    allowance: Allowance


MAX_NAMED = 5
"""Incidents that a bundle names; the list has them all."""
MAX_TITLE_NAMED = 120
"""So that one long title leaves room for the others."""


def bundle_message(bundle: BundleFacts, incidents: Sequence[Incident], now: Micros) -> Message:
    """Several pages in one message: how many, the gravest of them, and where the list is."""
    gravest = sorted(incidents, key=lambda one: (one.priority, one.number))
    named = [f"{one.priority} #{one.number} {one.title[:MAX_TITLE_NAMED]}" for one in gravest[:MAX_NAMED]]
    more = [f"and {len(gravest) - MAX_NAMED} more"] if len(gravest) > MAX_NAMED else []
    window = lasting(bundle.allowance.window_s * SECOND)
    why = f"You get at most {bundle.allowance.pages} single pages in {window}, so these come together."
    return Message(
        id=f"tocsin-bundle-{bundle.id}",
        kind="page",
        title=f"{len(gravest)} more incidents need you",
        text="\n".join((*named, *more, why, "Each goes on to the next level until somebody acknowledges it.")),
        url=bundle.url,
        priority=gravest[0].priority,
        severity=gravest[0].severity,
        urgency="high" if any(one.urgency == "high" for one in gravest) else "low",
        to=bundle.recipient,
        receipt_url=bundle.receipt_url,
        late_s=max(0, now - bundle.due_at) // SECOND,
    )
