"""What one person was told lately, and the bundles that gather what is too much. Reads and deeds inside a transaction.

Whether a page goes alone is decided in storm.py; how a bundle is sent in bundles.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, insert, or_, select, update

from app.clock import SECOND, Micros
from app.incidents import turn
from app.incidents.incident import Incident
from app.incidents.tables import incidents
from app.paging.storm import Allowance, Heard, alone, bundle_due
from app.paging.tables import attempts, bundles, pages
from app.store import jobs
from app.store.database import Reading, Writing
from app.store.jobs import NewJob
from app.store.tables import resources

MOST = 500
"""Pages of one bundle: what one transaction can carry. The next bundle has the rest."""


# Made once: making a statement costs more than running it, and these run for each page.
_PEOPLE: BindParameter[Any] = bindparam("people", expanding=True)
_LOCK = (
    select(resources.c.id).where(resources.c.id.in_(_PEOPLE)).order_by(resources.c.id).with_for_update(key_share=True)
)
_HEARD = (
    select(attempts.c.person_id, incidents.c.service_id, func.count())
    .join(pages, pages.c.id == attempts.c.page_id)
    .join(incidents, incidents.c.id == pages.c.incident_id)
    .where(
        attempts.c.person_id.in_(_PEOPLE),
        attempts.c.started_at > bindparam("since"),
        or_(attempts.c.outcome.is_(None), attempts.c.outcome.in_(("delivered", "accepted", "unknown"))),
    )
    .group_by(attempts.c.person_id, incidents.c.service_id)
)
"""What surely did not arrive does not count."""


async def lock_people(tx: Writing, people: Iterable[int]) -> None:
    """Until the transaction ends nobody else begins a page of theirs: two replicas don't both count up to the last one."""
    await tx.conn.execute(_LOCK, {"people": sorted(set(people))})


async def too_many(tx: Writing, some: Sequence[Any], of: Mapping[int, Incident], allowance: Allowance) -> list[Any]:
    """Those of these pages, in the order of their turn, that don't go to their person by themselves."""
    people = {page.person_id for page in some if page.person_id is not None} if allowance.pages else set()
    if not people:
        return []
    await lock_people(tx, people)
    heard = await _heard(tx, people, allowance)
    found = []
    for page in some:
        if page.person_id is None:
            continue
        service_id = of[page.incident_id].service_id
        told = heard.get(page.person_id, Heard())
        first = turn.of(page.level, page.round) == turn.FIRST
        if alone(told, service_id, first=first, allowance=allowance):
            heard[page.person_id] = told.and_one(service_id)
        else:
            found.append(page)
    return found


async def _heard(view: Reading, people: Iterable[int], allowance: Allowance) -> dict[int, Heard]:
    """What was sent to each of them page by page."""
    values = {"people": sorted(people), "since": view.now - allowance.window_s * SECOND}
    found: dict[int, dict[int | None, int]] = {}
    for person_id, service_id, many in await view.conn.execute(_HEARD, values):
        found.setdefault(person_id, {})[service_id] = many
    return {person_id: Heard(by_service) for person_id, by_service in found.items()}


async def gather(tx: Writing, some: Iterable[Any]) -> None:
    """Puts pages into the bundles of their people and contact methods. The people are locked."""
    by_way: dict[tuple[int, str], list[Any]] = {}
    for page in some:
        by_way.setdefault((page.person_id, page.method_id), []).append(page)
    for alike in by_way.values():
        while alike:
            bundle_id, room = await _open_bundle(tx, alike[0])
            joining, alike = alike[:room], alike[room:]  # noqa: PLW2901 - what is left goes into the next one
            ids = [page.id for page in joining]
            await tx.conn.execute(update(pages).where(pages.c.id.in_(ids)).values(bundle_id=bundle_id))
            more = update(bundles).where(bundles.c.id == bundle_id).values(pages=bundles.c.pages + len(joining))
            await tx.conn.execute(more)


async def _open_bundle(tx: Writing, page: Any) -> tuple[int, int]:
    """The bundle that gathers what goes the way of this page, and for how many it has room."""
    question = (
        select(bundles)
        .where(bundles.c.person_id == page.person_id, bundles.c.method_id == page.method_id)
        .order_by(bundles.c.id.desc())
        .limit(1)
    )
    last = (await tx.conn.execute(question)).one_or_none()
    if last is not None and last.state == "waiting" and last.pages < MOST:
        return last.id, MOST - last.pages
    bundle_id, due_at = tx.new_id(), bundle_due(tx.now, last.due_at if last is not None else None)
    await tx.conn.execute(insert(bundles).values(_new(page, bundle_id, due_at, tx.now)))
    await jobs.add(tx, [NewJob("bundle", bundle_id, due_at, once=f"bundle:{bundle_id}", rank=turn.FIRST)])
    return bundle_id, MOST


def _new(page: Any, bundle_id: int, due_at: Micros, now: Micros) -> dict[str, Any]:
    return {
        "id": bundle_id,
        "person_id": page.person_id,
        "method_id": page.method_id,
        "notifier": page.notifier,
        "recipient": page.recipient,
        "created_at": now,
        "due_at": due_at,
        "state": "waiting",
        "pages": 0,
        "tries": 0,
    }
