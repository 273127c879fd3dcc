"""What a document points at, and what points at it: nothing may point to what is not there.

Which fields are references is said once, in `references`; saving checks that each leads somewhere, deleting that none
does. Must never know HTTP.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import or_, select, text

from app.api.problems import FieldError, Invalid, joined
from app.incidents.tables import OPEN, incidents
from app.oncall.codec import PERSON
from app.oncall.tables import overrides
from app.store import resources
from app.store.database import Reading
from app.store.resources import Refused, Resource
from app.store.tables import resources as stored

USERS: dict[str, tuple[str, ...]] = {
    "person": ("team", "schedule", "policy"),
    "team": ("service", "policy"),
    "service": ("integration",),
    "schedule": ("policy",),
    "policy": ("service",),
    "channel": ("policy",),
    "integration": (),
}
"""For each kind: the kinds whose documents may point at it."""

SHOWN_INCIDENTS = 6


class Reference(NamedTuple):
    """A field that names another resource."""

    field: str
    kind: str
    id: str


def references(kind: str, document: Mapping[str, Any]) -> Iterator[Reference]:
    """Every reference of a document of `kind`. Pure."""
    return _REFERENCES.get(kind, _none)(document)


def _none(_: Mapping[str, Any]) -> Iterator[Reference]:
    return iter(())


def _of_team(document: Mapping[str, Any]) -> Iterator[Reference]:
    for place, member in enumerate(document["members"]):
        yield Reference(f"members.{place}.person_id", "person", member["person_id"])


def _of_schedule(document: Mapping[str, Any]) -> Iterator[Reference]:
    for place, layer in enumerate(document["layers"]):
        for turn, person in enumerate(layer["participants"]):
            yield Reference(f"layers.{place}.participants.{turn}", "person", str(person))


def _of_policy(document: Mapping[str, Any]) -> Iterator[Reference]:
    for place, level in enumerate(document["levels"]):
        for turn, target in enumerate(level["targets"]):
            yield Reference(f"levels.{place}.targets.{turn}.id", target["kind"], target["id"])


def _of_service(document: Mapping[str, Any]) -> Iterator[Reference]:
    return _optional(document, team_id="team", policy_id="policy")


def _of_integration(document: Mapping[str, Any]) -> Iterator[Reference]:
    return _optional(document, service_id="service")


def _optional(document: Mapping[str, Any], **fields: str) -> Iterator[Reference]:
    for name, kind in fields.items():
        if document.get(name) is not None:
            yield Reference(name, kind, document[name])


_REFERENCES: dict[str, Callable[[Mapping[str, Any]], Iterator[Reference]]] = {
    "team": _of_team,
    "schedule": _of_schedule,
    "policy": _of_policy,
    "service": _of_service,
    "integration": _of_integration,
}


async def check(view: Reading, found: Iterator[Reference]) -> None:
    """Raises Invalid, naming each field that leads nowhere."""
    wanted: dict[str, list[Reference]] = defaultdict(list)
    for reference in found:
        wanted[reference.kind].append(reference)
    errors: list[FieldError] = []
    for kind, pointing in wanted.items():
        there = await _there(view, kind, {one.id for one in pointing if re.fullmatch(PERSON, one.id)})
        errors += [
            FieldError(where="body", field=one.field, message=f"there is no {kind} with the id {one.id[:40]!r}")
            for one in pointing
            if one.id not in there
        ]
    if errors:
        raise Invalid(*errors)


async def _there(view: Reading, kind: str, ids: set[str]) -> set[str]:
    """Those of `ids` that are there."""
    columns = stored.c
    question = select(columns.id).where(
        columns.kind == kind, columns.deleted_at.is_(None), columns.id.in_(sorted(int(one) for one in ids))
    )
    return {str(found) for found in (await view.conn.execute(question)).scalars()}


async def check_unused(view: Reading, resource: Resource) -> None:
    """Raises Refused(`in_use`), naming who uses it."""
    users = [f"{user.kind} {user.name!r}" for user in await _documents_using(view, resource)]
    if resource.kind == "person":
        users += await _overrides_of(view, resource.id)
    if resource.kind == "service":
        users += await _open_incidents_of(view, resource.id)
    if users:
        raise Refused(
            "in_use", f"the {resource.kind} {resource.name!r} is used by {joined(users)}; change or delete those first"
        )


async def _documents_using(view: Reading, resource: Resource) -> list[Resource]:
    found = []
    for kind in USERS[resource.kind]:
        for user in await resources.listed(view, kind):
            pointed = references(kind, user.document)
            if any(one.kind == resource.kind and one.id == str(resource.id) for one in pointed):
                found.append(user)
    return found


async def _overrides_of(view: Reading, person_id: int) -> list[str]:
    """The schedules in which somebody stands in, or is stood in for, now or later."""
    question = (
        select(overrides.c.schedule_id)
        .where(
            or_(overrides.c.person_id == person_id, overrides.c.replaces == person_id),
            overrides.c.ends_at > view.now,
            overrides.c.cancelled_at.is_(None),
        )
        .distinct()
    )
    ids = (await view.conn.execute(question)).scalars().all()
    found = await resources.load(view, "schedule", ids)
    return [f"an override of schedule {schedule.name!r}" for schedule in found.values()]


async def _open_incidents_of(view: Reading, service_id: int) -> list[str]:
    question = (
        select(incidents.c.number)
        .where(incidents.c.service_id == service_id, text(OPEN))
        .order_by(incidents.c.number)
        .limit(SHOWN_INCIDENTS)
    )
    return [f"open incident #{number}" for number in (await view.conn.execute(question)).scalars()]
