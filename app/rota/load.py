"""How it goes with what a schedule is on call for: open incidents, what changed, pages. Reads only.

Everything is counted from the ids, which are ordered by time: what happened years ago costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import case, func, select, text

from app.clock import DAY, Micros
from app.ids import first_id
from app.incidents.tables import OPEN, incidents
from app.oncall.tables import shift_record
from app.paging.tables import pages
from app.rota.handoff_words import SHOWN, Load
from app.store import resources
from app.store.database import Reading

WEEK = 7 * DAY
OLDEST = 90 * DAY
"""Incidents that were opened longer ago are not looked for among those that were resolved lately."""
MOST_SERVICES = 5_000


async def load_of(view: Reading, schedule_id: int, changed_since: Micros) -> Load:
    """The load of a schedule now; `changed_since` is at most OLDEST ago."""
    services = await services_of(view, schedule_id)
    mine = incidents.c.service_id.in_(services)
    count = select(func.count()).where(mine, text(OPEN))
    first = select(incidents.c.number, incidents.c.title).where(mine, text(OPEN)).order_by(incidents.c.id).limit(SHOWN)
    shown = (await view.conn.execute(first)).all() if services else []
    day, week = await _opened(view, services, view.now - DAY), await _opened(view, services, view.now - WEEK)
    pages_day, pages_week = await _pages(view, schedule_id)
    return Load(
        open=tuple((row.number, row.title) for row in shown),
        open_count=(await view.conn.execute(count)).scalar_one() if services else 0,
        pages_day=pages_day,
        pages_week=pages_week,
        incidents_day=day,
        incidents_week=week,
        changed_since=changed_since,
        opened=await _opened(view, services, changed_since),
        resolved=await _resolved(view, services, changed_since),
    )


async def services_of(view: Reading, schedule_id: int) -> list[int]:
    """The services whose policy leads to this schedule."""
    policies = {
        str(one.id) for one in await resources.listed(view, "policy") if schedule_id in _schedules(one.document)
    }
    if not policies:
        return []
    services = await resources.listed(view, "service")
    return [one.id for one in services if one.document.get("policy_id") in policies][:MOST_SERVICES]


def _schedules(policy: Mapping[str, Any]) -> Iterator[int]:
    targets = [target for level in policy["levels"] for target in level["targets"]] + list(policy.get("fallback") or ())
    return (int(target["id"]) for target in targets if target["kind"] == "schedule")


async def _opened(view: Reading, services: list[int], since: Micros) -> int:
    question = select(func.count()).where(incidents.c.service_id.in_(services), incidents.c.id >= first_id(since))
    return int((await view.conn.execute(question)).scalar_one()) if services else 0


async def _resolved(view: Reading, services: list[int], since: Micros) -> int:
    question = select(func.count()).where(
        incidents.c.service_id.in_(services),
        incidents.c.id >= first_id(view.now - OLDEST),
        incidents.c.resolved_at >= since,
    )
    return int((await view.conn.execute(question)).scalar_one()) if services else 0


async def _pages(view: Reading, schedule_id: int) -> tuple[int, int]:
    """Pages that were sent in the last day, and in the last week."""
    lately = case((pages.c.id >= first_id(view.now - DAY), 1), else_=0)
    question = select(func.coalesce(func.sum(lately), 0), func.count()).where(
        pages.c.id >= first_id(view.now - WEEK), pages.c.schedule_id == schedule_id, pages.c.state == "sent"
    )
    row = (await view.conn.execute(question)).one()
    return int(row[0]), int(row[1])


async def last_shift_end(view: Reading, schedule_id: int, person_id: int, before: Micros) -> Micros | None:
    """When this person was last on call in this schedule, before a stint that begins at `before`."""
    columns = shift_record.c
    question = select(func.max(columns.ends_at)).where(
        columns.person_id == person_id, columns.schedule_id == schedule_id, columns.ends_at < before
    )
    return (await view.conn.execute(question)).scalar()
