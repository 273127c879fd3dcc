"""What the engine of correlation remembers in this process, and how it stays level with the other replicas'.

Shared is the table `memberships` alone. Whoever places alerts takes positions in it first, which locks the row of their
counter until the transaction ends; under that lock it folds what others placed meanwhile, decides, and writes what it
decided. So decisions of all replicas are made one after the other, each knowing all before it, and the state is a cache:
thrown away, it is folded anew from the newest `MOST` rows of the last `HORIZON`.

A transaction that did not commit leaves decisions in the state that were never written. The next one sees that its last
position is not there, and takes its incidents out again. Knows no alert's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

import orjson
from sqlalchemy import delete, func, select

from app.clock import HOUR, Micros
from app.correlation import correction, engine
from app.correlation.entities import Facets
from app.correlation.state import State
from app.incidents.tables import memberships
from app.store import bulk
from app.store.database import Reading, Writing

HORIZON: Micros = 6 * HOUR
MOST = 20_000
"""How far back a process that starts folds: nothing older attracts, and a rate needs no more."""


_NEWER = select(memberships.c.position, memberships.c.at, memberships.c.incident_id, memberships.c.body).order_by(
    memberships.c.position
)


@dataclass(frozen=True, slots=True)
class Pending:
    """What a transaction placed that may not have been committed."""

    position: int
    alert_id: int
    opened: frozenset[int]
    before: int
    merged: bool


class Memory:
    """The engine's state, and the position up to which it is folded."""

    def __init__(self) -> None:
        self.state = State()
        self.position = 0
        self.lock = Lock()
        """Held while the state is read or changed: a dry run reads it in another thread."""
        self._pending: Pending | None = None

    async def catch_up(self, view: Reading, before: int | None = None) -> None:
        """Folds what was placed up to `before`; without it, whatever is committed."""
        if self._pending is not None:
            await self._confirm(view, self._pending)
        if before is not None and 0 < self.position == before - 1:
            return
        question = _NEWER.where(memberships.c.position > self.position)
        if before is not None:
            question = question.where(memberships.c.position < before)
        if self.position == 0:
            newest = (await view.conn.execute(select(func.max(memberships.c.position)))).scalar() or 0
            question = question.where(memberships.c.position > newest - MOST, memberships.c.at > view.now - HORIZON)
        for position, at, incident_id, body in await view.conn.execute(question):
            self._fold(at, incident_id, orjson.loads(body))
            self.position = position
        if before is not None:
            self.position = before - 1

    async def look(self, view: Reading) -> None:
        """Folds what is committed, unless a transaction of this process is under way: for those who only read."""
        if self._pending is None:
            await self.catch_up(view)

    def placed(self, pending: Pending) -> None:
        """The state is ahead of the table by what a transaction is about to commit."""
        self._pending = pending
        self.position = pending.position

    def committed(self) -> None:
        """It was."""
        self._pending = None

    async def _confirm(self, view: Reading, pending: Pending) -> None:
        written = select(memberships.c.alert_id).where(memberships.c.position == pending.position)
        self._pending = None
        if (await view.conn.execute(written)).scalar() == pending.alert_id:
            return
        if pending.merged:
            self.state = State()
            self.position = 0
            return
        for incident_id in pending.opened:
            self.state.drop(incident_id)
        self.position = pending.before

    def _fold(self, at: Micros, incident_id: int, body: Any) -> None:
        if isinstance(body, dict):
            self._correct(at, incident_id, body)
            return
        scope, facets, merges = body
        engine.recall(self.state, facets_of(facets), incident_id, scope, at, [(into, gone) for into, gone in merges])

    def _correct(self, at: Micros, incident_id: int, body: dict[str, Any]) -> None:
        if body["what"] == "move":
            alerts = [facets_of(one) for one in body["alerts"]]
            correction.move(self.state, alerts, body["source"], incident_id, body["scope"], at)
        elif body["what"] == "merge":
            correction.merge(self.state, body["gone"], incident_id, body["scope"], at)
        else:
            correction.seal(self.state, incident_id, sealed=body["what"] == "pin")


def facets_of(said: list[Any]) -> Facets:
    """Facets as they were written down."""
    key, check, severity, cause, place, region, names, words, owner = said
    return Facets(key, check, severity, cause, place, region, tuple(names), tuple(words), owner)


_SHAPE = bulk.Rows.of(memberships, ("position", "at", "incident_id", "alert_id", "body"))
_INSERT = "INSERT INTO memberships (position, at, incident_id, alert_id, body) SELECT position, at, incident_id, alert_id, body FROM t"


KEPT = 50_000
"""Memberships that stay in the table; `SWEEP` may be over before they are swept."""
SWEEP = 1_000


async def write(tx: Writing, rows: list[tuple[int, Micros, int, int, str]]) -> None:
    """Adds memberships, and takes out those that nobody will fold any more."""
    await bulk.write(tx, _SHAPE, _INSERT, rows)
    first, last = rows[0][0], rows[-1][0]
    if first // SWEEP != (last + 1) // SWEEP:
        await tx.conn.execute(delete(memberships).where(memberships.c.position < first - KEPT))


def body_of(scope: int, facets: Facets, merges: tuple[engine.Merge, ...]) -> str:
    """What a replica folds, as text."""
    return orjson.dumps((scope, tuple(facets), [(one.into, one.gone) for one in merges])).decode()
