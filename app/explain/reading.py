"""From the store to the facts of one incident. Bounded: an incident with 100,000 alerts costs as much as one with thirty.

Of what there is too much the beginning and the end are read, and what lies between is counted. Reads only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Table, and_, func, select

from app.clock import Micros
from app.dedup.tables import alerts, alerts_seen, last_seen, times_seen
from app.explain.facts import (
    AlertSeen,
    Attempt,
    Changed,
    Facts,
    Happened,
    LeftOut,
    PageSeen,
    PolicySeen,
    Unreached,
    Visit,
    policy_key,
)
from app.explain.stopped import stopped
from app.explain.wording import a_way
from app.incidents import changes, ledger
from app.incidents.incident import Incident
from app.incidents.respond import NoSuchIncident
from app.incidents.service import Grouping, Service
from app.incidents.states import OPEN_STATES
from app.incidents.tables import timeline
from app.paging.ahead import ahead_of
from app.paging.course import Rules, given_to, rules_of
from app.paging.plan import InTurn, Missed, Reached
from app.paging.policy import Level, Policy
from app.paging.recipients import Found, find
from app.paging.tables import attempts, bundles, link_opens, pages
from app.store import resources
from app.store.database import Reading
from app.store.tables import jobs, revisions

MOST_ALERTS = 20
MOST_CHANGES = 10
MOST_PAGES = 200
MOST_ENTRIES = 200
MOST_VISITS = 40
MOST_WAITING = 1_000
MOST_VERSIONS = 20
MOST_UNREACHED = 60
"""Of people on levels that were not reached."""


async def facts_of(view: Reading, number: int) -> Facts:
    """All that is known of the incident. Raises NoSuchIncident."""
    incident = await ledger.by_number(view, number)
    if incident is None:
        raise NoSuchIncident(f"there is no incident #{number}")
    entries, more_entries = await _ends(view, timeline, incident.id, MOST_ENTRIES)
    happened = tuple(Happened(row.id, row.at, row.kind, row.actor, row.reason, row.detail or {}) for row in entries)
    seen, more_alerts = await _alerts(view, incident.id)
    rows, more_pages = await _ends(view, pages, incident.id, MOST_PAGES)
    visits, more_visits = await _ends(view, link_opens, incident.id, MOST_VISITS)
    policies = await _policies(view, happened, incident)
    unreached = await _unreached(view, incident, happened)
    meant = {one.person_id for one in unreached if one.person_id is not None} | set(_missed(happened))
    return Facts(
        now=view.now,
        incident=incident,
        service=await _service(view, incident.service_id),
        grouping=await _grouping(view, incident),
        timeline=happened,
        alerts=seen,
        pages=await _pages(view, incident.id, rows),
        visits=tuple(Visit(row.id, row.at, row.recipient, row.by, row.why) for row in visits),
        names={item: one.name for item, one in (await resources.load(view, "person", meant, deleted=True)).items()},
        policies=policies,
        unreached=unreached,
        told_before=await _told(view, incident.id, meant),
        ahead=await ahead_of(view, incident) if incident.state in OPEN_STATES else None,
        changes=tuple(
            Changed(row.id, row.at, row.summary, row.source)
            for row in await changes.beside(view, incident, MOST_CHANGES)
        ),
        left_out=LeftOut(more_alerts, more_pages, more_entries, more_visits),
    )


async def _ends(view: Reading, table: Table, incident_id: int, most: int) -> tuple[list[Any], int]:
    """The first and the last rows of an incident, at most so many, in order; and how many lie between."""
    question = select(table).where(table.c.incident_id == incident_id)
    first = (await view.conn.execute(question.order_by(table.c.id).limit(most // 2))).all()
    if len(first) < most // 2:
        return list(first), 0
    rest = question.where(table.c.id > first[-1].id)
    last = (await view.conn.execute(rest.order_by(table.c.id.desc()).limit(most // 2))).all()
    if len(last) < most // 2:
        return [*first, *reversed(last)], 0
    between = select(func.count()).where(
        table.c.incident_id == incident_id, table.c.id > first[-1].id, table.c.id < last[-1].id
    )
    return [*first, *reversed(last)], int((await view.conn.execute(between)).scalar_one())


async def _alerts(view: Reading, incident_id: int) -> tuple[tuple[AlertSeen, ...], int]:
    ends, between = await _ends(view, alerts, incident_id, MOST_ALERTS)
    question = alerts_seen().where(alerts.c.id.in_([row.id for row in ends])).order_by(alerts.c.id)
    rows = (await view.conn.execute(question)).all() if ends else []
    ids = {row.integration_id for row in rows}
    senders = await resources.load(view, "integration", ids, deleted=True)
    senders |= await resources.load(view, "heartbeat", ids - set(senders), deleted=True)
    return tuple(_alert(row, senders) for row in rows), between


def _alert(row: Any, senders: Mapping[int, resources.Resource]) -> AlertSeen:
    sender = senders.get(row.integration_id)
    return AlertSeen(
        id=row.id,
        title=row.title,
        severity=row.severity,
        integration=sender.name if sender else "a sender that is gone",
        kind=str(sender.document.get("kind", sender.kind)) if sender else "unknown",
        because="; ".join([*(orjson.loads(row.routed) if row.routed else ()), row.because]),
        first_seen_at=row.first_seen_at,
        last_seen_at=last_seen(row),
        count=times_seen(row),
        starts_at=row.starts_at,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
    )


async def _pages(view: Reading, incident_id: int, rows: Sequence[Any]) -> tuple[PageSeen, ...]:
    tries = await _tries(view, [row.id for row in rows])
    ways = await _ways(view, rows)
    waiting = await _waiting(view, incident_id)
    bundled = await _bundled(view, rows)
    return tuple(
        PageSeen(
            id=row.id,
            number=row.number,
            epoch=row.epoch,
            round=row.round,
            level=row.level,
            person_id=row.person_id,
            channel_id=row.channel_id,
            recipient=row.recipient,
            way=a_way(row.notifier, ways.get((row.person_id or 0, row.method_id), "")),
            reason=row.reason,
            policy_version=row.policy_version,
            fallback=row.fallback,
            due_at=row.due_at,
            state=row.state,
            outcome=row.outcome,
            detail=row.detail,
            created_at=row.created_at,
            done_at=row.done_at,
            tries=tuple(tries.get(row.id, ())),
            next_try_at=waiting.get(row.id) or bundled.get(row.bundle_id or 0, (None, 0))[0],
            others=bundled[row.bundle_id][1] - 1 if row.bundle_id in bundled else None,
        )
        for row in rows
    )


async def _tries(view: Reading, page_ids: Sequence[int]) -> Mapping[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = defaultdict(list)
    if page_ids:
        question = select(attempts).where(attempts.c.page_id.in_(page_ids))
        for row in await view.conn.execute(question.order_by(attempts.c.page_id, attempts.c.number)):
            found[row.page_id].append(
                Attempt(
                    row.id,
                    row.number,
                    row.started_at,
                    row.finished_at,
                    row.outcome,
                    row.detail,
                    row.receipt,
                    row.late_s,
                    row.receipt_at,
                )
            )
    return found


async def _ways(view: Reading, rows: Iterable[Any]) -> dict[tuple[int, str], str]:
    """What people call their contact methods, by person and method."""
    wanted = {row.person_id for row in rows if row.person_id is not None}
    return {
        (person_id, str(method["id"])): str(method.get("label", ""))
        for person_id, person in (await resources.load(view, "person", wanted, deleted=True)).items()
        for method in person.document.get("contact_methods", ())
    }


async def _waiting(view: Reading, incident_id: int) -> dict[int, Micros]:
    """When each page that waits is tried."""
    question = select(jobs.c.payload, jobs.c.due_at).where(jobs.c.subject == incident_id, jobs.c.kind == "deliver")
    rows = await view.conn.execute(question.order_by(jobs.c.due_at).limit(MOST_WAITING))
    return {int(payload["page"]): due_at for payload, due_at in rows}


async def _bundled(view: Reading, rows: Iterable[Any]) -> dict[int, tuple[Micros | None, int]]:
    """When each bundle of these pages is tried, where it is still to be, and how many pages it has."""
    ids = {row.bundle_id for row in rows if row.bundle_id is not None}
    if not ids:
        return {}
    question = (
        select(bundles.c.id, bundles.c.pages, jobs.c.due_at)
        .outerjoin(jobs, and_(jobs.c.subject == bundles.c.id, jobs.c.kind == "bundle"))
        .where(bundles.c.id.in_(ids))
    )
    return {row.id: (row.due_at, row.pages) for row in await view.conn.execute(question)}


async def _service(view: Reading, service_id: int | None) -> str:
    if service_id is None:
        return ""
    found = await resources.load(view, "service", [service_id], deleted=True)
    return found[service_id].name if service_id in found else "a service that is gone"


async def _grouping(view: Reading, incident: Incident) -> Grouping | None:
    """How alerts were grouped when it was opened."""
    if incident.service_id is None:
        return Grouping()
    question = (
        select(revisions.c.document)
        .where(revisions.c.resource_id == incident.service_id, revisions.c.changed_at <= incident.opened_at)
        .order_by(revisions.c.version.desc())
        .limit(1)
    )
    document = (await view.conn.execute(question)).scalar()
    return Service.model_validate(document).grouping if document else None


async def _policies(
    view: Reading, happened: Iterable[Happened], incident: Incident
) -> dict[tuple[int, int], PolicySeen]:
    """Those by which somebody was told, as they were then."""
    keys = dict.fromkeys(
        policy_key(entry.detail, incident.policy_id) for entry in happened if entry.detail.get("policy_version")
    )
    newest = await resources.load(view, "policy", {policy_id for policy_id, _ in keys}, deleted=True)
    found = {}
    for policy_id, version in list(keys)[-MOST_VERSIONS:]:
        document = await resources.revision(view, policy_id, version)
        if document is not None and policy_id in newest:
            policy = Policy.model_validate(document)
            delays_s = tuple(level.delay_s for level in policy.levels)
            found[policy_id, version] = PolicySeen(policy.name, version, newest[policy_id].version, delays_s)
    return found


async def _unreached(view: Reading, incident: Incident, happened: Sequence[Happened]) -> tuple[Unreached, ...]:
    """Who the levels lead to, at the instant at which paging was stopped, that were not told any more."""
    by = stopped(happened)
    if by is None or incident.state == "triggered" or not by.first_round:
        return ()
    then = Reading(view.conn, by.entry.at, view.postgres)
    levels = await _levels(then, incident, by.last)
    found: list[Unreached] = []
    for place, level in list(enumerate(levels))[by.next_level :]:
        found += [unreached for one in await find(then, level.targets) for unreached in _unreached_of(place, one)]
        if len(found) >= MOST_UNREACHED:
            break
    return tuple(found[:MOST_UNREACHED])


def _unreached_of(place: int, one: Found) -> Sequence[Unreached]:
    """Of a team of which one is told: the one whose turn it is."""
    match one:
        case Missed():
            return [Unreached(place, one.person_id, "", one.reason, reachable=False)]
        case Reached():
            return [Unreached(place, one.id if one.person else None, one.name, one.reason)]
        case InTurn():
            return _unreached_of(place, one.members[0])


async def _levels(view: Reading, incident: Incident, last: Happened | None) -> tuple[Level, ...]:
    """The levels of the policy as it was when a level was told last, or as it is where none was."""
    if last is not None:
        document = await resources.revision(view, *policy_key(last.detail, incident.policy_id))
        followed = Rules(Policy.model_validate(document) if document else None)
        policy = given_to(followed, incident.assigned or {}).policy
        return policy.levels if policy else ()
    rules = await rules_of(view, incident)
    return rules.policy.levels if rules.policy else ()


def _missed(happened: Iterable[Happened]) -> list[int]:
    """People who were meant and could not be told."""
    return [
        int(one["person_id"])
        for entry in happened
        for one in entry.detail.get("missed", ())
        if one.get("person_id") is not None
    ]


async def _told(view: Reading, incident_id: int, people: Iterable[int]) -> frozenset[int]:
    """Those of these people for whom there is a page, told here or left out."""
    wanted = sorted(set(people))[:500]
    if not wanted:
        return frozenset()
    question = select(pages.c.person_id).where(pages.c.incident_id == incident_id, pages.c.person_id.in_(wanted))
    return frozenset((await view.conn.execute(question.distinct())).scalars())
