"""What a document points at, and what points at it: nothing may point to what is not there.

Which fields are references is said once, in `references`; saving checks that each leads somewhere, deleting that none
does. Must never know HTTP.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import or_, select, text

from app.api.problems import FieldError, Invalid, joined
from app.incidents.tables import OPEN, incidents
from app.oncall.codec import PERSON
from app.oncall.facts import schedule_of, schedules_of
from app.oncall.tables import overrides
from app.rota.swaps import open_swaps_of
from app.store import resources
from app.store.database import Reading
from app.store.resources import Refused, Resource
from app.store.tables import resources as stored

USERS: dict[str, tuple[str, ...]] = {
    "person": ("team", "schedule", "policy", "calendar"),
    "team": ("service", "policy", "schedule"),
    "service": ("integration", "heartbeat", "rule"),
    "schedule": ("policy",),
    "policy": ("service",),
    "channel": ("policy", "team"),
    "integration": (),
    "heartbeat": (),
    "calendar": ("schedule",),
    "rule": (),
    "silence": (),
    "inhibition": (),
    "graph": (),
    "aliases": (),
    "table": ("rule",),
}
"""For each kind: the kinds whose documents may point at it."""

SHOWN_INCIDENTS = 6


class Reference(NamedTuple):
    """A field that names another resource."""

    field: str
    kind: str
    id: str
    role: str | None = None
    """A role that the schedule must have."""


def references(kind: str, document: Mapping[str, Any]) -> Iterator[Reference]:
    """Every reference of a document of `kind`. Pure."""
    return _REFERENCES.get(kind, _none)(document)


def _none(_: Mapping[str, Any]) -> Iterator[Reference]:
    return iter(())


def _of_team(document: Mapping[str, Any]) -> Iterator[Reference]:
    for place, member in enumerate(document["members"]):
        yield Reference(f"members.{place}.person_id", "person", member["person_id"])
    yield from _optional(document, channel_id="channel")


def _of_schedule(document: Mapping[str, Any]) -> Iterator[Reference]:
    yield from _optional(document, team_id="team")
    for place, layer in enumerate(document["layers"]):
        for turn, person in enumerate(layer.get("participants", ())):
            yield Reference(f"layers.{place}.participants.{turn}", "person", str(person))
        if layer.get("calendar") is not None:
            yield Reference(f"layers.{place}.calendar", "calendar", str(layer["calendar"]))


def _of_calendar(document: Mapping[str, Any]) -> Iterator[Reference]:
    yield from _optional(document, person_id="person")
    for said, person in document["people"].items():
        yield Reference(f"people.{said}", "person", person)


def _of_policy(document: Mapping[str, Any]) -> Iterator[Reference]:
    for place, level in enumerate(document["levels"]):
        yield from _of_targets(f"levels.{place}.targets", level["targets"])
    yield from _of_targets("fallback", document.get("fallback", ()))


def _of_targets(field: str, targets: Iterable[Mapping[str, Any]]) -> Iterator[Reference]:
    for turn, target in enumerate(targets):
        yield Reference(f"{field}.{turn}.id", target["kind"], target["id"], target.get("role"))


def _of_service(document: Mapping[str, Any]) -> Iterator[Reference]:
    yield from _optional(document, team_id="team", policy_id="policy")
    for place, case in enumerate(document.get("cases", ())):
        if case.get("policy_id") is not None:
            yield Reference(f"cases.{place}.policy_id", "policy", case["policy_id"])


def _of_integration(document: Mapping[str, Any]) -> Iterator[Reference]:
    return _optional(document, service_id="service")


def _of_rule(document: Mapping[str, Any]) -> Iterator[Reference]:
    then = document["then"]
    if then["service_id"] is not None:
        yield Reference("then.service_id", "service", then["service_id"])
    if then["look_up"] is not None:
        yield Reference("then.look_up.table_id", "table", then["look_up"]["table_id"])


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
    "heartbeat": _of_integration,
    "calendar": _of_calendar,
    "rule": _of_rule,
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
    errors += await _roles_missing(view, [one for one in wanted["schedule"] if one.role is not None])
    errors += await _not_of_shifts(view, wanted["calendar"])
    if errors:
        raise Invalid(*errors)


async def _not_of_shifts(view: Reading, pointing: list[Reference]) -> list[FieldError]:
    """The layers that would be read from a calendar of absences: nobody would be on call by them."""
    known = await resources.load(view, "calendar", {int(one.id) for one in pointing if re.fullmatch(PERSON, one.id)})
    said = "this calendar says when people are away; make one with the purpose 'shifts'"
    return [
        FieldError(where="body", field=one.field, message=said)
        for one in pointing
        if any(one.id == str(item) and found.document["purpose"] != "shifts" for item, found in known.items())
    ]


async def _roles_missing(view: Reading, pointing: list[Reference]) -> list[FieldError]:
    """Those that ask a schedule for a role that it does not have."""
    known = await resources.load(view, "schedule", {int(one.id) for one in pointing if re.fullmatch(PERSON, one.id)})
    roles = {str(one.id): schedule_of(one.document).roles() for one in known.values()}
    return [
        FieldError(
            where="body",
            field=f"{one.field.removesuffix('.id')}.role",
            message=f"the schedule has no role {one.role!r}; it has {joined(list(roles[one.id])) or 'none'}",
        )
        for one in pointing
        if one.id in roles and one.role not in roles[one.id]
    ]


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
        users += await _versions_with(view, resource.id, users)
        users += await _overrides_of(view, resource.id)
        users += await _swaps_of(view, resource.id)
    if resource.kind == "service":
        users += await _open_incidents_of(view, resource.id)
    if users:
        raise Refused(
            "in_use", f"the {resource.kind} {resource.name!r} is used by {joined(users)}; change or delete those first"
        )


async def _versions_with(view: Reading, person_id: int, known: list[str]) -> list[str]:
    """Schedules in which somebody takes turns until the version that was saved last comes into force."""
    schedules = await resources.load(view, "schedule", await schedules_of(view, [person_id]))
    found = (f"schedule {schedule.name!r}" for schedule in schedules.values())
    return [user for user in found if user not in known]


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


async def _swaps_of(view: Reading, person_id: int) -> list[str]:
    """The schedules in which a swap with somebody waits for its answer."""
    found = await resources.load(view, "schedule", await open_swaps_of(view, person_id))
    return [f"a swap that is asked for in schedule {schedule.name!r}" for schedule in found.values()]


async def _open_incidents_of(view: Reading, service_id: int) -> list[str]:
    question = (
        select(incidents.c.number)
        .where(incidents.c.service_id == service_id, text(OPEN))
        .order_by(incidents.c.number)
        .limit(SHOWN_INCIDENTS)
    )
    return [f"open incident #{number}" for number in (await view.conn.execute(question)).scalars()]
