"""How often each rule matched, and the last events it dropped: added up in memory, written together a moment later.

A process that dies loses the counts of its last second at most, like those of repeats. Decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select

from app.clock import DAY, Micros
from app.routing.tables import dropped, rule_hits
from app.store import bulk
from app.store.database import Writing

SHOWN = 20
"""Dropped events of one rule that are kept from one writing to the next."""
KEPT = 200
"""Dropped events of one rule that are kept at all."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event that was not kept as an alert."""

    rule_id: int
    integration_id: int
    at: Micros
    dedup_key: str
    title: str
    severity: str
    labels: str
    reason: str


@dataclass(slots=True)
class Tally:
    """What was counted since it was written last."""

    hits: Counter[int] = field(default_factory=Counter)
    drops: Counter[int] = field(default_factory=Counter)
    last: dict[int, list[Dropped]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.hits)

    def matched(self, rule_ids: Iterable[int]) -> None:
        """These rules matched an event."""
        self.hits.update(rule_ids)

    def drop(self, event: Dropped) -> None:
        """A rule dropped an event."""
        self.drops[event.rule_id] += 1
        self._keep((event,))

    def add(self, other: Tally) -> None:
        """Adds what another counted."""
        self.hits.update(other.hits)
        self.drops.update(other.drops)
        for events in other.last.values():
            self._keep(events)

    def _keep(self, events: Iterable[Dropped]) -> None:
        for event in events:
            kept = self.last.setdefault(event.rule_id, [])
            kept.append(event)
            del kept[:-SHOWN]


_HITS = bulk.Rows.of(rule_hits, ("rule_id", "day", "hits", "dropped", "last_at"))
_COUNT = (
    "INSERT INTO rule_hits (rule_id, day, hits, dropped, last_at) SELECT rule_id, day, hits, dropped, last_at FROM t "
    "WHERE true ON CONFLICT (rule_id, day) DO UPDATE SET hits = rule_hits.hits + excluded.hits, "
    "dropped = rule_hits.dropped + excluded.dropped, last_at = excluded.last_at"
)


async def write_tally(tx: Writing, tally: Tally) -> None:
    """Adds up what was counted. In order of id, so that two replicas never wait for each other in a circle."""
    day = tx.now // DAY
    rows = [(rule, day, tally.hits[rule], tally.drops[rule], tx.now) for rule in sorted(tally.hits)]
    await bulk.write(tx, _HITS, _COUNT, rows)
    for rule_id in sorted(tally.last):
        await _show(tx, rule_id, tally.last[rule_id])


async def _show(tx: Writing, rule_id: int, events: Iterable[Dropped]) -> None:
    rows: list[dict[str, Any]] = [
        {name: getattr(event, name) for name in Dropped.__dataclass_fields__} | {"id": tx.new_id()} for event in events
    ]
    await bulk.insert(tx, dropped, rows)
    mine = dropped.c.rule_id == rule_id
    oldest = select(dropped.c.id).where(mine).order_by(dropped.c.id.desc()).offset(KEPT).limit(1).scalar_subquery()
    await tx.conn.execute(delete(dropped).where(mine, dropped.c.id <= oldest))
