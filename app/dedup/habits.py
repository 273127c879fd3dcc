"""The learned hold: how often incidents in which a check stayed alone ended by themselves within minutes, and what then.

Counted for services that ask for it (`learned` of app/incidents/service.py), by service and check. One that grew within
minutes, or was merged, says nothing: growth ends the wait, so nobody would have been told later. Of each sender is counted
how many of the quick ends it told of in time. Bounded: a check or a sender has one of `SLOTS` counters of its service, so
that two may, rarely, share one; and only the last `REMEMBERED` or so count.
"""

from __future__ import annotations

from collections.abc import Mapping
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
_TOLD_S = SOON_S + GRACE_S
"""A sender that tells of a quick end later than this does so when the shorter wait is over."""


class Habit(NamedTuple):
    """What is known of a check in a service; of a sender, its quick ends and how many of them it told of `soon`."""

    service_id: int
    slot: int
    opened: int = 0
    """Those that stayed alone: until they ended, or for longer than anybody waits."""
    soon: int = 0
    """Ended alone, by themselves, within `SOON_S`."""
    later: int = 0
    """Within `LATER_S`."""
    told_late: bool = False
    """Its sender tells of quick ends when the shorter wait is over."""

    def wait(self) -> tuple[int, str]:
        """For how many seconds the first page waits while one thing alone has failed, and why; 0 for no longer than usual."""
        for within_s, cleared in ((SOON_S, self.soon), (LATER_S, self.later)):
            if _most(cleared, self.opened):
                said = f"{cleared} of the last {self.opened} incidents in which this check stayed alone ended by themselves"
                said += f" within {within_s // 60} min"
                if self.told_late and within_s == SOON_S:
                    return LATER_S + GRACE_S, f"{said}, of which its sender tells minutes later"
                return within_s + GRACE_S, said
        return 0, ""


def _most(some: int, of: int) -> bool:
    return some >= LEAST and some >= SHARE * of


def slot_of(event: Event, view: View) -> int:
    """Which counter of its service an event's check has."""
    return _slot(entities.facets(event, "", "", aliases=view.aliases).check)


def _slot(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=2).digest())


def sender_slot(integration_id: int) -> int:
    """Which counter of a service one of its senders has."""
    return _slot(f"sender {integration_id}")


def learns(view: View, service_id: int | None) -> bool:
    """Whether a service asks for it."""
    served = view.services.get(service_id or 0)
    return served is not None and (served.first_page.high.learned or served.first_page.low.learned)


_KEY = bulk.Rows.of(habits, ("service_id", "slot"))
_FIND = "FROM t JOIN habits AS h ON h.service_id = t.service_id AND h.slot = t.slot"


async def recall(view: Reading, work: Work) -> None:
    """Notes in `work` what is known of the checks of the alerts that wait for a place."""
    asked = {
        one.row["id"]: [
            Habit(one.inlet.service_id, slot)
            for slot in (slot_of(one.item.event, work.view), sender_slot(one.inlet.integration_id))
        ]
        for one in work.waiting
        if one.inlet.service_id and learns(work.view, one.inlet.service_id)
    }
    keys = sorted({habit[:2] for pair in asked.values() for habit in pair})
    found = await bulk.ask(view, _KEY, _FIND, keys, ("h.opened", "h.soon", "h.later"))
    known = {keys[place]: Habit(*keys[place], *counts) for place, *counts in found}
    for alert_id, pair in asked.items():
        check, sender = (known.get(habit[:2], habit) for habit in pair)
        work.habits[alert_id] = check._replace(told_late=_most(sender.opened - sender.soon, sender.opened))


_TAUGHT = bulk.Rows.of(habits, Habit._fields[:-1])
_KEPT = f"/ CASE WHEN habits.opened >= {REMEMBERED} THEN 2 ELSE 1 END + excluded."
_ADD = (
    "INSERT INTO habits (service_id, slot, opened, soon, later) "  # noqa: S608 - a number of this file
    "SELECT service_id, slot, sum(opened), sum(soon), sum(later) FROM t "
    "GROUP BY service_id, slot ORDER BY service_id, slot ON CONFLICT (service_id, slot) DO UPDATE SET "
    f"opened = habits.opened {_KEPT}opened, soon = habits.soon {_KEPT}soon, later = habits.later {_KEPT}later"
)


async def count(tx: Writing, work: Work, loaded: Mapping[int, Incident]) -> None:
    """What incidents that ended or grew in this transaction teach of the checks that opened them, and of their senders."""
    found = taught(work, loaded)
    if not found:
        return
    counts = []
    for row in await tx.conn.execute(select(alerts).where(alerts.c.incident_id.in_(found))):
        habit = found[row.incident_id]
        counts.append(habit._replace(slot=slot_of(shown(row), work.view))[:-1])
        if habit.soon:
            counts.append((habit.service_id, sender_slot(row.integration_id), 1, int(not habit.told_late), 0))
    await bulk.write(tx, _TAUGHT, _ADD, counts)


def taught(work: Work, loaded: Mapping[int, Incident]) -> dict[int, Habit]:
    """By incident, of whichever check: those that ended alone here, and those that grew after they had been alone for long."""
    found = {
        incident.id: _ended(incident, work.now, ended_at)
        for episode, _, ended_at, _ in work.resolves
        if (incident := loaded.get(episode.incident_id or 0)) and incident.alerts == 1
    }
    for incident in work.grown:
        if work.now - incident.opened_at > LATER_S * SECOND:
            found[incident.id] = Habit(incident.service_id or 0, 0, 1)
    return {one: habit for one, habit in found.items() if learns(work.view, habit.service_id)}


def _ended(incident: Incident, now: Micros, ended_at: Micros | None) -> Habit:
    """By the sender's own account, where it gives one: some tell of an end minutes later."""
    by_itself = incident.resolution == "recovered" and incident.acknowledged_at is None
    took = (ended_at or now) - incident.opened_at
    soon, later = (by_itself and took <= within_s * SECOND for within_s in (SOON_S, LATER_S))
    told_late = soon and now - incident.opened_at > _TOLD_S * SECOND
    return Habit(incident.service_id or 0, 0, 1, int(soon), int(later), told_late)
