"""What is known of one incident when it is explained. Values only, as they were read; all of it bounded.

Must never know the database, or what time it is: `now` is one of the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.clock import Micros
from app.incidents.incident import Incident
from app.incidents.service import Grouping
from app.paging.ahead import Ahead


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry of the timeline. Ids are in order of time, across all kinds of facts."""

    id: int
    at: Micros
    kind: str
    actor: str
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """An alert of the incident."""

    id: int
    title: str
    severity: str
    integration: str
    kind: str
    """Of its sender: alertmanager, zabbix, ..."""
    because: str
    """Why it is an alert of its own, and why in this incident; before that, what rules did to it."""
    first_seen_at: Micros
    last_seen_at: Micros
    count: int
    starts_at: Micros | None = None
    resolved_at: Micros | None = None
    resolved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a page."""

    id: int
    number: int
    started_at: Micros
    finished_at: Micros | None
    outcome: str | None
    detail: str = ""
    receipt: str = ""
    late_s: int = 0
    receipt_at: Micros | None = None
    """When the provider said what became of it."""


@dataclass(frozen=True, slots=True)
class PageSeen:
    """A page and every try to send it."""

    id: int
    number: int
    epoch: int
    round: int
    level: int
    person_id: int | None
    channel_id: int | None
    recipient: str
    way: str
    """By what: "ntfy (work phone)"."""
    reason: str
    policy_version: int | None
    fallback: bool
    due_at: Micros
    """0: a way that waits until the one before it has failed."""
    state: str
    outcome: str | None
    detail: str
    created_at: Micros
    done_at: Micros | None
    tries: tuple[Attempt, ...] = ()
    next_try_at: Micros | None = None
    """When it is tried for the first time, or again."""
    others: int | None = None
    """With how many other pages it goes out in one message; None: it goes by itself."""

    @property
    def whom(self) -> tuple[str, int | str]:
        """What makes two pages go to the same one."""
        if self.person_id is not None:
            return ("person", self.person_id)
        return ("channel", self.channel_id) if self.channel_id is not None else ("", self.recipient)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody, or a machine, opened the link of a page."""

    id: int
    at: Micros
    recipient: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that was changed in the service of the incident, shortly before it or while it lasted."""

    id: int
    at: Micros
    summary: str
    source: str


@dataclass(frozen=True, slots=True)
class Unreached:
    """Who a level would have told that was not told any more."""

    level: int
    person_id: int | None
    name: str
    """Empty: nobody in particular."""
    reason: str
    """Why them, or why nobody."""
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class PolicySeen:
    """The policy that was followed."""

    name: str
    version: int
    newest: int
    """Its version by now."""
    delays_s: tuple[int, ...] = ()
    """How long each of its levels had."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was too much to be told: how many of each."""

    alerts: int = 0
    pages: int = 0
    entries: int = 0
    visits: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known."""

    now: Micros
    incident: Incident
    service: str
    """Empty: it belongs to none."""
    grouping: Grouping | None = None
    """How alerts of its service were grouped when it was opened."""
    impact_of: str = ""
    timeline: tuple[Happened, ...] = ()
    alerts: tuple[AlertSeen, ...] = ()
    pages: tuple[PageSeen, ...] = ()
    visits: tuple[Visit, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    """Of people who are mentioned, deleted ones too."""
    policies: Mapping[tuple[int, int], PolicySeen] = field(default_factory=dict)
    """By id and version: those by which somebody was told."""
    unreached: tuple[Unreached, ...] = ()
    told_before: frozenset[int] = frozenset()
    """Of those who are missed or not reached: who was paged all the same, at another time."""
    ahead: Ahead | None = None
    changes: tuple[Changed, ...] = ()
    """The newest first."""
    left_out: LeftOut = LeftOut()

    def policy_of(self, entry: Happened) -> PolicySeen | None:
        """The policy by which a level was told."""
        return self.policies.get(policy_key(entry.detail, self.incident.policy_id))


def policy_key(detail: Mapping[str, Any], otherwise: int | None) -> tuple[int, int]:
    """The id and version of the policy of an entry that tells a level; `otherwise` is the id where it has none."""
    return int(detail.get("policy_id") or otherwise or 0), int(detail.get("policy_version") or 0)
