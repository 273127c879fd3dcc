"""The invariants of FAULTS.md, looked at after each commit for what it changed, and for everything at the end.

I1 is asked when a sender is answered (tests/sim/senders.py); I8 has no table yet; I9 is asked by strangers
(tests/sim/operators.py); I2, I3, I4, I5 and I7 are rules of pages, I6 is one of incidents.
"""

from __future__ import annotations

from app.clock import SECOND, Micros
from tests.sim.eyes import SKEW, Eyes
from tests.sim.incident_rules import IncidentRules
from tests.sim.journal import Changed
from tests.sim.page_rules import PageRules
from tests.sim.providers import Call


class Rules:
    """The oracle of one run."""

    def __init__(self, eyes: Eyes) -> None:
        self.eyes = eyes
        self.incidents = IncidentRules(eyes)
        self.pages = PageRules(eyes)

    def check(self, changed: Changed) -> None:
        """Everything that one commit may have broken."""
        for held_until in changed.claims:
            self._claim(held_until)
        for job in changed.back:
            self.pages.given_back(job)
        for entry in changed.entries:
            self.incidents.entry(entry)
        for attempt in changed.attempts:
            self.pages.attempt(attempt)
        for page in changed.pages:
            self.pages.page(page)
        for incident in changed.incidents:
            self.incidents.incident(incident)
        for attempt in changed.outcomes:
            self.pages.outcome(attempt)
        if changed.gone:
            self.eyes.broken(f"pages {changed.gone} were deleted")

    def _claim(self, held_until: Micros) -> None:
        early_s = (held_until - self.eyes.wall()) / SECOND
        if held_until > self.eyes.wall() + SKEW:
            self.eyes.broken(f"a job was claimed while somebody held it for {early_s:.1f} s more")

    def called(self, call: Call) -> None:
        """A provider was called."""
        self.pages.called(call, self.eyes.wall())

    def everything(self) -> None:
        """At the end: all that was looked at in passing once more, and what must not be left over."""
        for (incident,) in self.eyes.rows("SELECT id FROM incidents ORDER BY id"):
            self.incidents.incident(incident)
        for page, state in self.eyes.rows("SELECT id, state FROM pages ORDER BY id"):
            self.pages.page(page)
            if state == "waiting" and self.eyes.rows("SELECT due_at FROM pages WHERE id = ?", page)[0][0]:
                self.eyes.broken(f"page {page} was never ended")
        for page, unknown in self.eyes.rows(
            "SELECT page_id, coalesce(sum(outcome = 'unknown'), 0) FROM attempts GROUP BY page_id"
        ):
            if self.eyes.book.deliveries[f"tocsin-{page}"] > 1 + unknown:
                self.eyes.broken(
                    f"page {page} came {self.eyes.book.deliveries[f'tocsin-{page}']} times, {unknown} unknown"
                )
        self.pages.receipts()
        for attempt, page in self.eyes.rows("SELECT id, page_id FROM attempts WHERE outcome IS NULL"):
            self.eyes.broken(f"try {attempt} of page {page} never ended")
        for (alert,) in self.eyes.rows(
            "SELECT a.id FROM alerts a LEFT JOIN incidents i ON i.id = a.incident_id WHERE a.resolved_at IS NULL "
            "AND a.reason NOT IN ('severity_none', 'test') AND (i.state IS NULL OR i.state NOT IN "
            "('triggered', 'acknowledged'))"
        ):
            self.eyes.broken(f"alert {alert} fires, and no open incident has it")
        for incident, number in self.eyes.rows(
            "SELECT id, number FROM incidents WHERE state = 'triggered' AND escalation = 'exhausted'"
        ):
            kinds = {row[0] for row in self.eyes.rows("SELECT kind FROM timeline WHERE incident_id = ?", incident)}
            if not kinds & {"policy_exhausted", "undelivered", "level_told"}:
                self.eyes.broken(f"incident #{number}: its policy ended, and its timeline does not say so")
