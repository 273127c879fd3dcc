"""The list behind the link of a bundle: which incidents it has, and acknowledging some or all of them at once.

An acknowledgement here is the one of a single page's link (answer.py): nobody else's incident is taken from them.
Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select

from app.clock import HOUR, Micros
from app.ids import first_id
from app.incidents.tables import incidents
from app.paging.answer import DONE, Wish, answer
from app.paging.bundle_links import BundleLink
from app.paging.links import Expired, Link
from app.paging.tables import bundles, pages
from app.people.active import GONE, active
from app.store import resources
from app.store.database import Reading, Writing

SHOWN = 200
"""Incidents on one page; the next ones follow when these are acknowledged."""
MOST = 5_000
"""Incidents that one press acknowledges."""
AT_ONCE = 50
"""In one transaction: others wait for no more than that."""
BACK = 24 * HOUR
"""For how long an incident that was told in a bundle stays on the list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One incident of the list."""

    id: int
    number: int
    title: str
    priority: str
    severity: str
    service: str
    opened_at: Micros


@dataclass(frozen=True, slots=True)
class BundleList:
    """All that the page needs."""

    now: Micros
    zone: str
    open: tuple[Listed, ...]
    """Those that nobody has yet: the gravest first, and of these the oldest first."""
    yours: tuple[Listed, ...]
    """Those that the person has, in the same order."""
    waiting: int
    """How many nobody has yet, those that are not shown included."""
    newest: int
    """The id of the newest of these."""
    mine: int
    theirs: int
    over: int


async def listed(view: Reading, link: BundleLink) -> BundleList:
    """The list as it is now. Raises Expired when the link's person was removed."""
    zone = await _zone(view, link)
    told = _told(view, link)
    waits = await _some(view, incidents.c.id.in_(told), incidents.c.state == "triggered")
    has = (incidents.c.state == "acknowledged", incidents.c.acknowledged_by == link.recipient)
    yours = await _some(view, incidents.c.id.in_(told), *has)
    counted = (
        select(incidents.c.state, incidents.c.acknowledged_by, func.count(), func.max(incidents.c.id))
        .where(incidents.c.id.in_(told))
        .group_by(incidents.c.state, incidents.c.acknowledged_by)
    )
    many = {"triggered": 0, "mine": 0, "theirs": 0, "over": 0}
    newest = 0
    for state, holder, count, last in await view.conn.execute(counted):
        newest = max(newest, last) if state == "triggered" else newest
        held = "mine" if holder == link.recipient else "theirs"
        many[state if state == "triggered" else held if state == "acknowledged" else "over"] += count
    return BundleList(
        view.now, zone, waits, yours, many["triggered"], newest, many["mine"], many["theirs"], many["over"]
    )


async def _some(view: Reading, *which: ColumnElement[bool]) -> tuple[Listed, ...]:
    question = select(incidents).where(*which).order_by(incidents.c.priority, incidents.c.id).limit(SHOWN)
    rows = (await view.conn.execute(question)).all()
    services = await resources.load(view, "service", {row.service_id for row in rows if row.service_id}, deleted=True)
    return tuple(
        Listed(
            id=row.id,
            number=row.number,
            title=row.title,
            priority=row.priority,
            severity=row.severity,
            service=services[row.service_id].name if row.service_id in services else "",
            opened_at=row.opened_at,
        )
        for row in rows
    )


async def _zone(view: Reading, link: BundleLink) -> str:
    person = (await active(view, [link.person_id])).get(link.person_id)
    if person is None:
        raise Expired(GONE)
    return str(person.document.get("time_zone") or "UTC")


def _told(view: Reading, link: BundleLink) -> Select[tuple[int]]:
    """Ids of incidents that were told to the person in a bundle."""
    return (
        select(pages.c.incident_id)
        .join(bundles, bundles.c.id == pages.c.bundle_id)
        .where(bundles.c.person_id == link.person_id, bundles.c.id >= first_id(view.now - BACK))
    )


async def open_up_to(view: Reading, link: BundleLink, last: int) -> list[tuple[int, int]]:
    """Id and number of those that nobody has yet, none of a later id than `last`: what the person has not seen stays."""
    question = (
        select(incidents.c.id, incidents.c.number)
        .where(incidents.c.id.in_(_told(view, link)), incidents.c.state == "triggered", incidents.c.id <= last)
        .order_by(incidents.c.id)
        .limit(MOST)
    )
    return [(row.id, row.number) for row in await view.conn.execute(question)]


async def acknowledge_some(tx: Writing, link: BundleLink, wanted: Sequence[tuple[int, int]]) -> int:
    """Acknowledges these for the person; answers how many are theirs by that. Raises Expired, NoSuchIncident."""
    done = 0
    for incident_id, number in sorted(wanted):
        one = Link("acknowledge", incident_id, number, link.recipient, link.person_id, link.expires_at)
        done += await answer(tx, one, Wish()) in DONE
    return done
