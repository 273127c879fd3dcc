"""Rules of incidents: one story each, levels in their order and time, and a job for whatever is still to come.

They are asked after each commit about what it changed. Knows pages only as far as levels are made of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from app.clock import SECOND, Micros
from tests.sim.eyes import Eyes

_MOVES = {
    "triggered": "triggered",
    "acknowledged": "acknowledged",
    "snoozed": "acknowledged",
    "escalated": "triggered",
    "ack_expired": "triggered",
    "reopened": "triggered",
    "resolved": "resolved",
    "closed": "closed",
}
"""What each entry of a timeline says the state is after it."""
_FROM = {
    "escalated": ("triggered", "acknowledged"),
    "ack_expired": ("acknowledged",),
    "reopened": ("resolved",),
    "resolved": ("triggered", "acknowledged"),
    "closed": ("resolved",),
    "acknowledged": ("triggered", "acknowledged"),
    "snoozed": ("triggered", "acknowledged"),
}
_ENDS = ("fallback_told", "fallback_reached_nobody", "undelivered", "policy_exhausted")
"""How a policy ends."""


@dataclass(slots=True)
class Held:
    """Who has an incident, by its timeline."""

    state: str
    by: str = ""
    until: Micros | None = None


@dataclass
class IncidentRules:
    """What must hold of incidents."""

    eyes: Eyes
    held: dict[int, Held] = field(default_factory=dict)
    told: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """By incident: (epoch, round, level) told last."""
    numbers: dict[int, int] = field(default_factory=dict)
    rescued: dict[int, tuple[int, str]] = field(default_factory=dict)
    """By incident: the epoch in which its fallback's turn came last, and what that came to."""

    def entry(self, entry: int) -> None:
        """I6: the timeline tells one story, in which each move follows from the one before."""
        ((incident, at, kind, actor, reason, detail),) = self.eyes.rows(
            "SELECT incident_id, at, kind, actor, reason, detail FROM timeline WHERE id = ?", entry
        )
        held = self.held.setdefault(incident, Held("new"))
        if kind in ("level_told", "level_reached_nobody"):
            self._level(incident, at, json.loads(detail))
        if kind == "paging_resumed":
            # What had not been sent is planned anew: the same level is told again.
            self.told.pop(incident, None)
        if kind in _ENDS:
            self._fallback(incident, kind)
        if kind not in _MOVES:
            return
        if kind == "triggered":
            if held.state != "new":
                self.eyes.broken(f"incident {incident} was opened twice")
        elif held.state not in _FROM[kind]:
            self.eyes.broken(f"incident {incident} is {held.state}, and then it was {kind} by {actor}")
        if kind == "acknowledged" and held.state == "acknowledged" and held.by != actor and "taken over" not in reason:
            self.eyes.broken(f"incident {incident} was won by {held.by}, and then by {actor} too")
        if kind == "ack_expired" and (held.until is None or at < held.until):
            self.eyes.broken(f"incident {incident}: the hold of {held.by} ended at {at}, {held.until} was promised")
        number = self._number(incident)
        if kind in ("escalated", "reopened") and number not in self.eyes.book.stir:
            self.eyes.broken(f"incident #{number} was {kind}, and nobody had asked for it")
        if kind in ("escalated", "reopened", "ack_expired"):
            self.eyes.book.promises.pop(number, None)
        until = json.loads(detail).get("until") if detail else None
        self.held[incident] = Held(_MOVES[kind], actor, until)

    def _number(self, incident: int) -> int:
        if incident not in self.numbers:
            self.numbers[incident] = self.eyes.rows("SELECT number FROM incidents WHERE id = ?", incident)[0][0]
        return self.numbers[incident]

    def _level(self, incident: int, at: Micros, detail: dict[str, Any]) -> None:
        """Levels come in their order, and each has its time from its first try, unless all of its pages failed."""
        ((epoch, policy_id),) = self.eyes.rows("SELECT epoch, policy_id FROM incidents WHERE id = ?", incident)
        now = (epoch, detail.get("round", 0), detail.get("level", 0))
        before = self.told.get(incident)
        self.told[incident] = now
        # Without a policy (it was removed) the console is told at once, and that is the end.
        if before is None or before[0] != epoch or detail.get("policy_version") is None:
            return
        if now[1:] <= before[1:] or (now[1] == before[1] and now[2] != before[2] + 1):
            self.eyes.broken(f"incident {incident}: (round, level) {now[1:]} was told after {before[1:]}")
        live, first = self.eyes.rows(
            "SELECT count(DISTINCT CASE WHEN p.state IN ('waiting', 'sent') AND (p.fallback = 0 OR p.due_at > 0) "
            "THEN p.id END), min(a.started_at) FROM pages p LEFT JOIN attempts a ON a.page_id = p.id "
            "WHERE p.incident_id = ? AND p.epoch = ? AND p.round = ? AND p.level = ?",
            incident,
            *before,
        )[0]
        rows = self.eyes.rows("SELECT document FROM revisions WHERE resource_id = ?", policy_id)
        levels = [json.loads(row[0])["levels"] for row in rows]
        delays = [level[before[2]]["delay_s"] for level in levels if before[2] < len(level)]
        shrunk = any(before[2] >= len(level) for level in levels)
        if not live or not delays or shrunk:
            return
        if first is None:
            self.eyes.broken(
                f"incident {incident}: level {now[2] + 1} was told before any try of level {before[2] + 1}"
            )
        elif at < first + min(delays) * SECOND:
            after_s = (at - first) / SECOND
            self.eyes.broken(
                f"incident {incident}: level {now[2] + 1} was told {after_s:.3f} s after the first try of the level "
                f"before, which has {min(delays)} s"
            )

    def _fallback(self, incident: int, kind: str) -> None:
        """A policy's fallback is told when nobody could be reached by its levels, once, and before it is given up."""
        ((epoch, service),) = self.eyes.rows("SELECT epoch, service_id FROM incidents WHERE id = ?", incident)
        reached = self.eyes.rows(
            "SELECT count(*) FROM pages WHERE incident_id = ? AND epoch = ? AND state = 'sent'", incident, epoch
        )[0][0]
        if kind == "policy_exhausted":
            if not reached:
                self.eyes.broken(f"incident {incident}: its policy ended, nobody was reached, and it is not called so")
            return
        if reached:
            self.eyes.broken(f"incident {incident}: {kind}, and {reached} pages were sent")
        if kind in ("fallback_told", "fallback_reached_nobody"):
            if self.rescued.get(incident) == (epoch, "fallback_told"):
                self.eyes.broken(f"incident {incident}: its fallback was told twice")
            self.rescued[incident] = (epoch, kind)
        elif self._has_fallback(service) and self.rescued.get(incident, (0, ""))[0] != epoch:
            self.eyes.broken(f"incident {incident} is undelivered, and its fallback was not told")

    def _has_fallback(self, service: int | None) -> bool:
        documents = "SELECT document FROM resources WHERE id = ? AND deleted_at IS NULL"
        for (found,) in self.eyes.rows(documents, service):
            for (policy,) in self.eyes.rows(documents, int(json.loads(found)["policy_id"] or 0)):
                return bool(json.loads(policy)["fallback"])
        return False

    def incident(self, incident: int) -> None:
        """Whatever is still to happen to an incident is a job."""
        found = self.eyes.rows(
            "SELECT state, epoch, escalation, ack_until, open_alerts FROM incidents WHERE id = ?", incident
        )
        if not found:
            return
        ((state, epoch, escalation, ack_until, open_alerts),) = found
        jobs = self.eyes.rows("SELECT kind, payload FROM jobs WHERE subject = ?", incident)
        waiting = {(kind, (said := json.loads(payload)).get("epoch"), said.get("page")) for kind, payload in jobs}
        held = self.held.get(incident)
        if held is None or held.state != state:
            self.eyes.broken(f"incident {incident} is {state}; its timeline says {held and held.state}")
        if state == "triggered" and escalation != "exhausted" and ("escalate", epoch, None) not in waiting:
            self.eyes.broken(
                f"incident {incident} is triggered ({escalation}, epoch {epoch}), and nothing will escalate it"
            )
        if state == "acknowledged" and ack_until is not None and ("ack_expiry", epoch, None) not in waiting:
            self.eyes.broken(f"incident {incident} is held until {ack_until}, and nothing will end that")
        for page, bundle in self.eyes.rows(
            "SELECT id, bundle_id FROM pages WHERE incident_id = ? AND state IN ('waiting', 'blocked') AND due_at > 0",
            incident,
        ):
            if bundle is not None:
                sent = bool(self.eyes.rows("SELECT 1 FROM jobs WHERE kind = 'bundle' AND subject = ?", bundle))
            else:
                sent = ("deliver", None, page) in waiting
            if not sent:
                self.eyes.broken(f"page {page} waits, and nothing will send it")
        ((firing,),) = self.eyes.rows(
            "SELECT count(*) FROM alerts WHERE incident_id = ? AND resolved_at IS NULL", incident
        )
        if firing != open_alerts:
            self.eyes.broken(f"incident {incident} counts {open_alerts} open alerts; there are {firing}")
        if firing and state not in ("triggered", "acknowledged"):
            self.eyes.broken(f"incident {incident} is {state} with {firing} alerts that fire")
