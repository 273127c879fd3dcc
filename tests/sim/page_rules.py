"""Rules of pages and of each try to send one: what a provider got is what is written, and nothing is given up in silence.

They are asked after each commit about what it changed, and whenever a provider is called.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

from app.clock import SECOND, Micros
from app.notifiers import sink
from tests.sim.eyes import SKEW, Eyes
from tests.sim.providers import Call

_OVER = ("sent", "failed", "not_needed")
_SENT = ("delivered", "accepted")
_COUNTS_AS_FAILED = ("failed", "blocked")
_UNSENT = ("waiting", "blocked", "quarantined")
FEWEST_TRIES = 3
"""A page that did not arrive, and was not refused, is tried so often at least."""
HELD_WITHIN_S = 20.0
"""A hold counts everywhere within a second; a transaction that was begun before may take as long as a database hangs."""


@dataclass
class PageRules:
    """What must hold of pages."""

    eyes: Eyes
    begun: dict[int, float] = field(default_factory=dict)
    """By attempt: the instant at which its begin was committed."""
    tries: dict[tuple[int, int], tuple[int, Micros]] = field(default_factory=dict)
    """By job and page: the try that is under way, and until when its worker holds the job."""
    ended: set[int] = field(default_factory=set)
    """Tries whose outcome is written."""
    arrived: dict[int, float] = field(default_factory=dict)
    """When that was."""
    lost: set[int] = field(default_factory=set)
    """Pages that count as failed for what follows."""
    over: dict[int, str] = field(default_factory=dict)
    """Pages that have ended, and how."""
    planned: set[int] = field(default_factory=set)
    taken_away: set[int] = field(default_factory=set)
    """Pages that ended while a try of them was on its way: it may still arrive."""

    def given_back(self, job: int) -> None:
        """A worker gave a job back: its try is not under way any more."""
        for key in [key for key in self.tries if key[0] == job]:
            del self.tries[key]

    def attempt(self, attempt: int) -> None:
        """I3 inside, I4, I7: a try is one more than those before, all of which have ended, of a page somebody needs."""
        ((page, number, started_at, late_s, state, due_at, epoch, incident, bundle),) = self.eyes.rows(
            "SELECT a.page_id, a.number, a.started_at, a.late_s, p.state, p.due_at, p.epoch, p.incident_id, "
            "p.bundle_id FROM attempts a JOIN pages p ON p.id = a.page_id WHERE a.id = ?",
            attempt,
        )
        self.begun[attempt] = self.eyes.time()
        held_since = self.eyes.book.held_since
        if held_since is not None and self.begun[attempt] > held_since + HELD_WITHIN_S:
            self.eyes.broken(
                f"page {page} was begun {self.begun[attempt] - held_since:.0f} s after paging was held back"
            )
        self._one_at_a_time(attempt, page, bundle)
        before = self.eyes.rows(
            "SELECT number, outcome FROM attempts WHERE page_id = ? AND id <> ? ORDER BY number", page, attempt
        )
        if [row[0] for row in before] != list(range(1, number)):
            self.eyes.broken(f"page {page}: try {number} follows tries {[row[0] for row in before]}")
        for row in before:
            if row[1] not in ("unknown", "try_again"):
                self.eyes.broken(f"page {page}: try {number} was begun though try {row[0]} is {row[1]}")
        ((now_epoch, now_state),) = self.eyes.rows("SELECT epoch, state FROM incidents WHERE id = ?", incident)
        if state not in _UNSENT or now_state != "triggered" or epoch != now_epoch:
            self.eyes.broken(
                f"page {page} ({state}) was begun while its incident was {now_state}, epoch {epoch} of {now_epoch}"
            )
        # A message with many pages is as late as the one that waits longest.
        own_s = max(0, started_at - due_at) // SECOND
        if late_s < own_s or (bundle is None and late_s != own_s):
            self.eyes.broken(
                f"page {page}: begun {(started_at - due_at) / SECOND:.1f} s after it was due, marked {late_s}"
            )

    def _one_at_a_time(self, attempt: int, page: int, bundle: int | None) -> None:
        """Nobody begins a try while another's is under way, until that one's claim has ended."""
        name = f"page:{page}" if bundle is None else f"bundle:{bundle}"
        ((job, lease_until),) = self.eyes.rows("SELECT id, lease_until FROM jobs WHERE once = ?", name)
        before, held_until = self.tries.get((job, page), (0, 0))
        self.tries[job, page] = (attempt, lease_until)
        if before and before not in self.ended and held_until > self.eyes.wall() + SKEW:
            self.eyes.broken(
                f"page {page} was tried again while a try was under way, {(held_until - self.eyes.wall()) / SECOND:.1f} s early"
            )

    def outcome(self, attempt: int) -> None:
        """I2: what did not arrive is followed at once by the person's next way, else by the next level."""
        self.ended.add(attempt)
        self.arrived[attempt] = self.eyes.time()
        row = self.eyes.rows(
            "SELECT a.outcome, p.id, p.state, a.number FROM attempts a JOIN pages p ON p.id = a.page_id JOIN incidents i ON i.id = p.incident_id "
            "WHERE a.id = ? AND i.state = 'triggered' AND i.epoch = p.epoch AND a.number = "
            "(SELECT max(number) FROM attempts WHERE page_id = p.id)",
            attempt,
        )
        if not row or row[0][0] is None or row[0][0] in _SENT:
            return
        ((result, page, state, tries),) = row
        self._next_way_is_started(page)
        if state == "failed" and result != "refused" and tries < FEWEST_TRIES:
            self.eyes.broken(f"page {page} was given up after {tries} tries ({result})")

    def _next_way_is_started(self, page: int) -> None:
        """Unless nobody needs the page any more."""
        found = self.eyes.rows(
            "SELECT p.person_id, p.number, p.incident_id, p.round, p.level FROM pages p JOIN incidents i "
            "ON i.id = p.incident_id WHERE p.id = ? AND i.state = 'triggered' AND i.epoch = p.epoch",
            page,
        )
        if not found:
            return
        ((person, number, incident, round_, level),) = found
        unstarted = self.eyes.rows(
            "SELECT id FROM pages WHERE incident_id = ? AND round = ? AND level = ? AND person_id = ? AND number > ? "
            "AND fallback = 1 AND state = 'waiting' AND due_at = 0 AND epoch = (SELECT epoch FROM incidents WHERE id = ?) "
            "ORDER BY number LIMIT 1",
            incident, round_, level, person, number, incident,
        )  # fmt: skip
        started = self.eyes.rows(
            "SELECT id FROM pages WHERE incident_id = ? AND round = ? AND level = ? AND person_id = ? AND number > ? "
            "AND fallback = 1 AND due_at > 0 AND epoch = (SELECT epoch FROM incidents WHERE id = ?) LIMIT 1",
            incident, round_, level, person, number, incident,
        )  # fmt: skip
        if unstarted and not started:
            self.eyes.broken(f"page {page} did not arrive, and the next way (page {unstarted[0][0]}) was not started")

    def _level_lives_or_ends(self, incident: int, page: int) -> None:
        """After a page failed, or its provider does not work: some of its level is on its way, or the next one is due."""
        found = self.eyes.rows(
            "SELECT i.epoch FROM incidents i JOIN pages p ON p.id = ? AND p.epoch = i.epoch "
            "WHERE i.id = ? AND i.state = 'triggered'",
            page, incident,
        )  # fmt: skip
        if not found:
            return
        ((epoch,),) = found
        live = self.eyes.rows(
            "SELECT count(*) FROM pages p JOIN pages f ON f.id = ? AND p.round = f.round AND p.level = f.level "
            "WHERE p.incident_id = ? AND p.epoch = ? AND p.state IN ('waiting', 'sent')",
            page, incident, epoch,
        )[0][0]  # fmt: skip
        now = self.eyes.wall() + SKEW
        jobs = self.eyes.rows("SELECT payload, due_at FROM jobs WHERE subject = ? AND kind = 'escalate'", incident)
        due = any(json.loads(payload)["epoch"] == epoch and due_at <= now for payload, due_at in jobs)
        ((escalation, round_, level),) = self.eyes.rows(
            "SELECT escalation, round, level FROM incidents WHERE id = ?", incident
        )
        ((page_round, page_level),) = self.eyes.rows("SELECT round, level FROM pages WHERE id = ?", page)
        # While the fallback is told, `level` counts the levels that were told, and the fallback's pages bear it.
        next_level = page_level if escalation == "fallback" else page_level + 1
        moved_on = escalation == "exhausted" or (round_, level) > (page_round, next_level)
        if not live and not due and not moved_on:
            self.eyes.broken(f"page {page} was the last hope of its level, and the next level is not due")

    def page(self, page: int) -> None:
        """Pages are numbered without gaps, end once, and are sent only if a provider says so."""
        found = self.eyes.rows("SELECT incident_id, state, outcome, notifier, recipient FROM pages WHERE id = ?", page)
        if not found:
            return
        ((incident, state, outcome, notifier, recipient),) = found
        if page not in self.planned:
            self.planned.add(page)
            self._planned_for(page, f"{recipient.replace(' ', '-')}-{notifier}")
        if state in _COUNTS_AS_FAILED and page not in self.lost:
            self.lost.add(page)
            self._level_lives_or_ends(incident, page)
        known = self.over.get(page)
        if outcome == "no_receipt" and known == "sent":
            self._next_way_is_started(page)
        if known is not None and known != state and not self._may_change(page, known, state, outcome):
            self.eyes.broken(f"page {page} was {known} and is {state}")
        if known is None:
            many = self.eyes.rows("SELECT count(*), max(number) FROM pages WHERE incident_id = ?", incident)[0]
            if many[0] != many[1]:
                self.eyes.broken(f"incident {incident} has {many[0]} pages, numbered up to {many[1]}")
        if state not in _OVER:
            return
        self.over[page] = state
        under_way = self.eyes.rows("SELECT id FROM attempts WHERE page_id = ? AND outcome IS NULL", page)
        if state == "not_needed" and under_way:
            self.taken_away.add(page)
        # Synthetic pages end inside the process: no provider of ours gets them.
        taken = notifier == sink.KIND or f"tocsin-{page}" in self.eyes.book.answered_yes
        if state == "sent" and (outcome not in _SENT or not taken):
            self.eyes.broken(f"page {page} is called sent ({outcome}), and no provider ever took it")
        if state == "sent":
            self._goes_on(page, incident)

    def _goes_on(self, page: int, incident: int) -> None:
        """A policy that is over without having reached anybody goes on when one of its pages comes through after all."""
        over = self.eyes.rows(
            "SELECT (SELECT kind FROM timeline WHERE incident_id = i.id AND kind IN "
            "('undelivered', 'policy_exhausted', 'policy_goes_on') ORDER BY id DESC LIMIT 1) FROM incidents i "
            "JOIN pages p ON p.id = ? AND p.epoch = i.epoch AND coalesce(p.person_id, p.channel_id) IS NOT NULL "
            "WHERE i.id = ? AND p.level >= 0 AND i.state = 'triggered' AND i.escalation = 'exhausted'",
            page, incident,
        )  # fmt: skip
        if over == [("undelivered",)]:
            self.eyes.broken(f"page {page} came through, and the policy of incident {incident} does not go on")

    def _may_change(self, page: int, known: str, state: str, outcome: str) -> bool:
        """Only a receipt, or its absence, changes how a page ended; one that comes late puts it right."""
        if page in self.taken_away:
            return (known, state) == ("not_needed", "sent")
        if f"tocsin-{page}" not in self.eyes.book.promised:
            return False
        ways = {("sent", "failed"): ("no_receipt", "refused"), ("failed", "sent"): ("delivered",)}
        return outcome in ways.get((known, state), ())

    def receipts(self) -> None:
        """At the end: a receipt that did not come was missed, and one that came was not."""
        for page, state, outcome in self.eyes.rows("SELECT id, state, outcome FROM pages"):
            taken = self.eyes.book.promised.get(f"tocsin-{page}")
            if taken is False and (state, outcome) == ("sent", "accepted"):
                self.eyes.broken(f"page {page} had no receipt, and nobody missed it")
            if taken and outcome == "no_receipt":
                self.eyes.broken(f"page {page} had its receipt, and it was missed")

    def _planned_for(self, page: int, device: str) -> None:
        """Nothing is planned for what was removed or disabled before: it would be a way that fails for nothing."""
        _, shut_at = self.eyes.book.shut.get(device, (0, math.inf))
        if shut_at < self.eyes.time():
            self.eyes.broken(f"page {page} was planned for {device} after that had been removed")

    def called(self, call: Call, wall: Micros) -> None:
        """I3 and I5 as a provider and a person see it."""
        page = int(call.page.removeprefix("tocsin-"))
        rows = self.eyes.rows("SELECT id, outcome FROM attempts WHERE page_id = ? ORDER BY number", page)
        if not rows:
            self.eyes.broken(f"page {page} was sent before anything was written of it")
            return
        begun = self.begun[rows[-1][0]]
        promise = self.eyes.book.promises.get(call.incident)
        ends = promise.until if promise else None
        if promise and promise.answered_at <= begun and (ends is None or wall < ends):
            self.eyes.broken(
                f"page {page} of #{call.incident} was begun after {promise.who} had been told {promise.said!r}"
            )
        ((recipient, epoch),) = self.eyes.rows("SELECT recipient, epoch FROM pages WHERE id = ?", page)
        if self.eyes.book.counted.get((call.incident, recipient, epoch), math.inf) <= begun:
            self.eyes.broken(f"page {page} was begun for {recipient}, who had acknowledged for themselves")
        _, shut_at = self.eyes.book.shut.get(call.to, (0, math.inf))
        if shut_at <= begun:
            self.eyes.broken(f"page {page} was begun for {call.to} after that had been removed")
        self._news(page, rows[-1][0])
        unknown = sum(outcome == "unknown" for _, outcome in rows)
        # A try that is under way, or that a dead process left, is not counted yet; the last one is this call's own.
        unended = sum(outcome is None for _, outcome in rows[:-1])
        if self.eyes.book.deliveries[call.page] > 1 + unknown + unended:
            self.eyes.broken(
                f"page {page} came {self.eyes.book.deliveries[call.page]} times with {unknown} unknown outcomes"
            )

    def _news(self, page: int, attempt: int) -> None:
        """Nobody is told late by one way what they have been told by it since that was to be told."""
        others = self.eyes.rows(
            "SELECT o.number, a.id FROM pages p JOIN pages o ON o.incident_id = p.incident_id AND o.epoch = p.epoch "
            "AND o.method_id = p.method_id AND o.id <> p.id AND coalesce(o.person_id, o.channel_id) = "
            "coalesce(p.person_id, p.channel_id) JOIN attempts mine ON mine.id = ? AND mine.started_at > p.due_at + ? "
            "JOIN attempts a ON a.page_id = o.id AND a.started_at BETWEEN p.due_at AND mine.started_at "
            "WHERE p.id = ? AND p.level >= 0 AND o.level >= 0 AND o.state = 'sent' AND a.outcome IN ('delivered', 'accepted')",
            attempt, SECOND, page,
        )  # fmt: skip
        for number, other in others:
            if self.arrived.get(other, math.inf) < self.begun[attempt]:
                self.eyes.broken(f"page {page} was begun though page {number} had told the same by the same way")
