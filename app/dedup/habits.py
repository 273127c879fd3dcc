"""The learned hold: how often incidents that a check opened ended alone and by themselves within minutes, and what to do then.

Counted for services that ask for it (`learned` of app/incidents/service.py), by service and check. Bounded: a check has one
of `SLOTS` counters of its service, so that two checks may, rarely, share one; and only the last `REMEMBERED` or so count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from app.clock import SECOND, Micros
from app.correlation import entities
from app.dedup.amend import shown
from app.dedup.directory import View
from app.dedup.tables import alerts, habits
from app.incidents.incident import Incident
from app.sources.event import Event
from app.store import bulk
from app.store.database import Reading, Writing

if TYPE_CHECKING:
    from app.dedup.work import Work

SLOTS = 65_536
REMEMBERED = 20
"""When so many incidents are counted, all counts are halved: what was long ago is forgotten."""
LEAST = 2
SHARE = 0.6
"""A check is known to clear when at least so many incidents, and so large a part of them, did."""
SOON_S, LATER_S = 120, 300
GRACE_S = 30
"""The first page waits this much longer than such incidents took."""


class Habit(NamedTuple):
    """What is known of a check in a service."""

    service_id: int
    slot: int
    opened: int = 0
    soon: int = 0
    """Ended alone, by themselves, within `SOON_S`."""
    later: int = 0
    """Within `LATER_S`."""

    def wait(self) -> tuple[int, str]:
        """For how many seconds the first page waits while one thing alone has failed, and why; 0 for no longer than usual."""
        for within_s, cleared in ((SOON_S, self.soon), (LATER_S, self.later)):
            if cleared >= LEAST and cleared >= SHARE * self.opened:
                said = f"{cleared} of the last {self.opened} incidents that this check opened ended by themselves"
                return within_s + GRACE_S, f"{said} within {within_s // 60} min"
        return 0, ""


def slot_of(event: Event, view: View) -> int:
    """Which counter of its service an event's check has."""
    check = entities.facets(event, "", "", aliases=view.aliases).check
    return int.from_bytes(blake2b(check.encode(), digest_size=2).digest())


def learns(view: View, service_id: int | None) -> bool:
    """Whether a service asks for it."""
    served = view.services.get(service_id or 0)
    return served is not None and (served.first_page.high.learned or served.first_page.low.learned)


_KEY = bulk.Rows.of(habits, ("service_id", "slot"))
_FIND = "FROM t JOIN habits AS h ON h.service_id = t.service_id AND h.slot = t.slot"


async def recall(view: Reading, work: Work) -> None:
    """Notes in `work` what is known of the checks of the alerts that wait for a place."""
    asked = [
        (one.row["id"], Habit(one.inlet.service_id, slot_of(one.item.event, work.view)))
        for one in work.waiting
        if one.inlet.service_id and learns(work.view, one.inlet.service_id)
    ]
    work.habits = dict(asked)
    keys = [(habit.service_id, habit.slot) for _, habit in asked]
    for place, *counts in await bulk.ask(view, _KEY, _FIND, keys, ("h.opened", "h.soon", "h.later")):
        alert_id, habit = asked[place]
        work.habits[alert_id] = Habit(habit.service_id, habit.slot, *counts)


_OPENED = bulk.Rows.of(habits, ("service_id", "slot", "opened"))
_COUNT = (
    f"UPDATE habits SET opened = habits.opened / d + t.opened, soon = soon / d, later = later / d FROM t, "  # noqa: S608 - a number of this file
    f"(SELECT service_id AS s, slot AS n, CASE WHEN opened >= {REMEMBERED} THEN 2 ELSE 1 END AS d FROM habits) AS h "
    "WHERE habits.service_id = t.service_id AND habits.slot = t.slot AND h.s = t.service_id AND h.n = t.slot"
)


async def count_openings(tx: Writing, work: Work) -> None:
    """Incidents that checks with a counter opened. One begins to be counted when an incident of it ends soon."""
    many = Counter((habit.service_id, habit.slot) for habit in work.openings if habit.opened)
    await bulk.write(tx, _OPENED, _COUNT, [(*key, count) for key, count in sorted(many.items())])


_ENDED = bulk.Rows.of(habits, ("service_id", "slot", "opened", "soon", "later"))
_END = (
    "INSERT INTO habits (service_id, slot, opened, soon, later) SELECT service_id, slot, opened, soon, later FROM t "
    "WHERE true ON CONFLICT (service_id, slot) DO UPDATE SET soon = habits.soon + excluded.soon, "
    "later = habits.later + excluded.later"
)


async def count_endings(tx: Writing, work: Work, loaded: Mapping[int, Incident]) -> None:
    """Incidents of one alert that ended here by themselves, soon."""
    ended = {
        episode.id: incident
        for episode, _, ended_at, _ in work.resolves
        if (incident := loaded.get(episode.incident_id or 0)) and _ended_soon(incident, work, ended_at)
    }
    if not ended:
        return
    found = await tx.conn.execute(select(alerts).where(alerts.c.id.in_(ended)))
    rows = [(ended[row.id], slot_of(shown(row), work.view)) for row in found]
    await _add(tx, work, rows)


def _ended_soon(incident: Incident, work: Work, ended_at: Micros | None) -> bool:
    """By the sender's own account, where it gives one: some tell of an end minutes later."""
    by_itself = incident.resolution == "recovered" and incident.acknowledged_at is None
    alone = incident.alerts == 1 and learns(work.view, incident.service_id)
    return alone and by_itself and (ended_at or work.now) - incident.opened_at <= LATER_S * SECOND


async def _add(tx: Writing, work: Work, ended: Iterable[tuple[Incident, int]]) -> None:
    soon, later = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for incident, slot in ended:
        key = (incident.service_id or 0, slot)
        soon[key] += work.now - incident.opened_at <= SOON_S * SECOND
        later[key] += 1
    await bulk.write(tx, _ENDED, _END, [(*key, many, soon[key], many) for key, many in sorted(later.items())])
