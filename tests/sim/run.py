"""One run while it happens: a script is told to real processes on a virtual clock, and every commit is looked at."""

from __future__ import annotations

import asyncio
import hashlib
import random
import traceback
from collections import deque
from contextvars import Context
from dataclasses import dataclass, field, replace
from typing import Any

from app.clock import SECOND, Micros
from app.ids import ProcessIds
from app.notifiers.notifier import Message
from app.schema import metadata
from app.store.database import Store
from tests.sim import journal, operators, people, receipts, senders
from tests.sim.book import Book
from tests.sim.eyes import Eyes
from tests.sim.loop import LIFE, Life, VirtualLoop
from tests.sim.machine import Disk, SimClock, SimDatabase, Trouble, Watch
from tests.sim.providers import Call, Providers, Weather
from tests.sim.replica import Ground, Replica
from tests.sim.rules import Rules
from tests.sim.script import DAY_S, Script, Step, told

DRAIN_S = 16 * 3_600.0
"""What the longest policy and the longest snooze take after the day."""
LOOK_EVERY_S = 600.0
PROMPT_S = 120.0
"""A job that is due is taken within this, unless something is wrong: a lease of a dead worker, and the next look."""
EXPIRES_WITHIN: Micros = 7_500 * SECOND
"""The longest after which alerts expire by their sender's settings, and a little."""
BUNDLE = "tocsin-bundle-"
"""How the id of a message with many pages begins."""

EXPECTED = frozenset({"incident_undelivered", "notifier_failed", "paging_held", "synthetic_page_failed"})
"""Errors in the log that are what the script asked for."""


@dataclass
class Run:
    """A run while it happens: what everybody outside works with."""

    script: Script
    keep: int | None
    loop: VirtualLoop = field(default_factory=VirtualLoop)
    broken: str | None = None
    troubled_until: float = 0.0
    """Nobody promises promptness before that."""
    ids: dict[tuple[str, int], int] = field(default_factory=dict)
    days_over: bool = False
    furthest: Micros = 0
    """What the wall clock had reached before somebody set it back; until it is there again, what expires may be late."""

    def __post_init__(self) -> None:
        seed = self.script.seed
        self.lines: deque[str] = deque(maxlen=self.keep)
        self.hash = hashlib.sha256()
        self.watch = Watch(self.loop)
        self.disk = Disk()
        self.trouble = Trouble(random.Random(f"{seed}/trouble"))
        self.providers = Providers(self.loop, seed, self._called, "receipts" in self.script.features)
        self.book = Book()
        self.rules = Rules(Eyes(self.disk, self.book, self.break_rule, self.loop.time, self.watch.now))
        ground = Ground(
            seed,
            self.loop,
            self.watch,
            self.disk,
            self.trouble,
            self.providers,
            self._committed,
            self.say,
            "watching" in self.script.features,
            self.trouble_for,
        )
        self.replicas = [Replica(ground, number) for number in range(self.script.replicas)]

    @property
    def seed(self) -> int:
        return self.script.seed

    def say(self, words: str) -> None:
        """One line of what happened."""
        line = f"{told(self.loop.time())} {words}"
        self.hash.update(line.encode("utf-8", "replace") + b"\n")
        self.lines.append(line)

    def break_rule(self, sentence: str) -> None:
        """A rule is broken; only the first counts."""
        if self.broken is None:
            self.broken = sentence
            self.say(f"BROKEN: {sentence}")
            self.loop.halt()

    def replica(self, key: float) -> Replica:
        """Where a request goes: what a load balancer would choose among those that take connections."""
        up = [replica for replica in self.replicas if replica.up] or self.replicas
        return up[int(key * len(up))]

    def spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        """Something outside that goes on by itself."""
        task = self.loop.create_task(coroutine, context=Context())
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            told_by = "".join(traceback.format_exception(error)[-3:])
            self.break_rule(f"an error nobody expected outside, or a bug of the simulator: {told_by}")

    def trouble_for(self, seconds: float) -> None:
        """Something is wrong for so long from now."""
        self.troubled_until = max(self.troubled_until, self.loop.time() + seconds)

    def _committed(self, life: Life | None) -> None:
        changed = journal.read(self.disk)
        if changed is None:
            return
        for entry in changed.entries:
            ((number, kind, actor, reason),) = self.disk.rows(
                "SELECT i.number, t.kind, t.actor, t.reason FROM timeline t JOIN incidents i ON i.id = t.incident_id "
                "WHERE t.id = ?",
                entry,
            )
            self.say(f"#{number} {kind} by {actor}: {reason} ({life.name if life else 'nobody'})")
        self.rules.check(changed)

    def _called(self, call: Call, message: Message) -> None:
        answer = type(call.answer).__name__ if call.answer else "no answer"
        self.say(f"{call.kind} for {call.to}: #{call.incident} {call.page} [{call.mode}] {answer}, late {call.late_s}")
        pages = self._pages_of(call)
        for one in pages:
            self.book.called(one)
            self.rules.called(one)
        receipts.promised(self, call, message, [one.page for one in pages])
        if call.delivered and call.incident and call.kind != "console":
            people.paged(self, call, message)

    def _pages_of(self, call: Call) -> list[Call]:
        """A bundle is one call for each page that is under way in it; a notice is none."""
        if call.incident:
            return [call]
        if not call.page.startswith(BUNDLE):
            return []
        found = self.disk.rows(
            "SELECT p.id, i.number FROM pages p JOIN incidents i ON i.id = p.incident_id "
            "JOIN attempts a ON a.page_id = p.id AND a.outcome IS NULL "
            "WHERE p.bundle_id = ? AND p.state IN ('waiting', 'blocked', 'quarantined') ORDER BY p.id",
            int(call.page.removeprefix(BUNDLE)),
        )
        return [replace(call, page=f"tocsin-{page}", incident=number) for page, number in found]

    def logged(self, entry: dict[str, Any]) -> None:
        """A line of Tocsin's log that speaks of a fault of its own."""
        life = LIFE.get()
        self.say(f"log: {entry.get('event')} {entry.get('error', '')} ({life.name if life else 'nobody'})")
        if entry.get("event") == "audit_found" and not entry["lost_incidents"] and not entry["left_away"]:
            # Late is what it is while something goes wrong; `look` says when it must not be.
            return
        if entry.get("level") == "error" and entry.get("event") not in EXPECTED:
            self.break_rule(f"an error in the log: {entry.get('event')} {entry.get('exc')}")

    async def day(self) -> None:
        """The whole run."""
        await self._settle_in()
        for replica in self.replicas:
            replica.start()
        self.spawn(self._look_around())
        for step in self.script.steps:
            if step.at > self.loop.time():
                await asyncio.sleep(step.at - self.loop.time())
            self._do(step)
        await asyncio.sleep(max(0.0, DAY_S - self.loop.time()))
        self._end_of_trouble()
        self.days_over = True
        await self._drain()
        self.rules.everything()

    async def _settle_in(self) -> None:
        """The configuration is made before anything goes wrong."""
        clock = SimClock(self.watch, 0, self.disk)
        chance = random.Random(f"{self.seed}/settling in")
        trouble = Trouble(chance)
        database = SimDatabase(self.disk, trouble, self.loop, chance, Life("nobody").effect, lambda _: None)
        await operators.configure(self, Store(database, clock, ProcessIds(self.seed)))
        journal.keep(self.disk)
        terminal = SimDatabase(self.disk, self.trouble, self.loop, chance, Life("a terminal").effect, self._committed)
        self.terminal = Store(terminal, clock, ProcessIds(self.seed + 1))

    def _do(self, step: Step) -> None:
        """One step of the script."""
        args = step.args
        match step.what:
            case "post":
                self.spawn(senders.post(self, step))
            case "act":
                self.spawn(people.act(self, step))
            case "edit":
                self.spawn(operators.edit(self, step))
            case "hold":
                self.spawn(operators.hold(self, step))
            case "stranger":
                self.spawn(operators.stranger(self, step))
            case "weather":
                kind, mode, share, for_s = args
                self.providers.weather.append(Weather(kind, mode, share, self.loop.time() + for_s))
            case "vandal":
                with self.disk.transaction():
                    self.disk.raw.execute(args[0])
                    self.disk.commit()
                self._committed(None)
            case _:
                operators.fault(self, step)
                return
        if step.what not in ("post", "act"):
            self.say(f"{step.what} {' '.join(map(str, args))}")

    def _end_of_trouble(self) -> None:
        self.say("the day is over, and nothing goes wrong any more")
        self.providers.weather.clear()
        self.trouble.armed.clear()
        self.trouble.until = self.trouble.flaky_until = 0.0
        for replica in self.replicas:
            if replica.life is not None:
                replica.life.fuse = None

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Nothing that is due is left lying, unless something was wrong just now."""
        now = self.loop.time()
        if now - self.troubled_until < PROMPT_S or not any(replica.up for replica in self.replicas):
            return
        late = self.watch.now() - int(PROMPT_S * SECOND)
        stuck = self.disk.rows(
            "SELECT kind, subject, due_at FROM jobs WHERE max(due_at, lease_until) < ? ORDER BY due_at LIMIT 1", late
        )
        expired = self.disk.rows("SELECT id FROM alerts WHERE resolved_at IS NULL AND expires_at < ? LIMIT 1", late)
        for (alert,) in expired if self.watch.now() > self.furthest + EXPIRES_WITHIN else ():
            self.break_rule(f"alert {alert} should have ended by itself, and fires")
        for kind, subject, due_at in stuck:
            self.break_rule(f"a job ({kind} of {subject}) was due {(self.watch.now() - due_at) / SECOND:.0f} s ago")

    async def _drain(self) -> None:
        """Time passes until nobody is to be told anything any more."""
        until = self.loop.time() + DRAIN_S
        left = 1
        while left and self.loop.time() < until:
            await asyncio.sleep(120)
            left = self.disk.rows(
                "SELECT count(*) FROM jobs WHERE kind IN ('escalate', 'deliver', 'bundle') OR due_at <= ?",
                self.watch.now(),
            )[0][0]
        if left:
            self.break_rule(f"{left} jobs are still there {DRAIN_S / 3_600:.0f} h after the last fault")

    def facts(self) -> dict[str, int]:
        """What the run did, in numbers: so that nobody trusts a run in which nothing happened."""
        counts = {
            "incidents": "SELECT count(*) FROM incidents",
            "alerts": "SELECT count(*) FROM alerts",
            "pages": "SELECT count(*) FROM pages",
            "attempts": "SELECT count(*) FROM attempts",
            "unknown": "SELECT count(*) FROM attempts WHERE outcome = 'unknown'",
            "entries": "SELECT count(*) FROM timeline",
        }
        found = {name: self.disk.rows(question)[0][0] for name, question in counts.items()}
        found["starts"] = sum(replica.starts for replica in self.replicas)
        found["struck"] = self.trouble.struck
        found["answers"] = self.book.accepted
        found["virtual_h"] = int(self.loop.time() // 3_600)
        found["callbacks"] = self.loop.callbacks
        return found

    def close(self) -> str:
        """Ends everything; answers the digest."""
        for table in metadata.sorted_tables:
            keys = ", ".join(column.name for column in table.primary_key) or "rowid"
            for row in self.disk.rows(f"SELECT * FROM {table.name} ORDER BY {keys}"):
                self.hash.update(repr(row).encode("utf-8", "replace"))
        self.loop.bury([life for replica in self.replicas for life in (*replica.past, replica.life) if life])
        self.disk.close()
        return self.hash.hexdigest()
