"""From the store to what says whom policies reach: their targets, the rotas behind them, and how people are reached. Reads only."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from app.clock import Micros
from app.oncall.facts import mentioned, rotas
from app.oncall.rota import Rota
from app.paging.policy import Channel, Policy, Target
from app.people.contacts import verified
from app.people.person import Person, steps
from app.people.team import Team
from app.rota.reach import Contact, Facts, Lead, Lost, Named, OnDuty, Posted
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource


@dataclass(frozen=True, slots=True)
class _World:
    """Everything that the targets of some policies lead to."""

    schedules: Mapping[int, Resource]
    teams: Mapping[int, Resource]
    channels: Mapping[int, Resource]
    rotas: Mapping[int, Rota]
    contacts: Mapping[int, Contact]
    notifiers: Container[str]


async def facts_of(
    view: Reading, policies: Iterable[Resource], start: Micros, end: Micros, notifiers: Container[str]
) -> dict[int, Facts]:
    """What is needed to say whom each of these policies reaches in [start, end). `notifiers`: the kinds installed."""
    known = {one.id: one.as_a(Policy) for one in policies}
    targets = [target for policy in known.values() for target in _targets(policy)]
    schedules = await resources.load(view, "schedule", _ids(targets, "schedule"))
    teams = await resources.load(view, "team", _ids(targets, "team"))
    found = await rotas(view, schedules, start, end)
    people = _ids(targets, "person") | {person for rota in found.values() for person in everybody(rota)}
    people |= {int(one.person_id) for team in teams.values() for one in team.as_a(Team).members}
    world = _World(
        schedules=schedules,
        teams=teams,
        channels=await resources.load(view, "channel", _ids(targets, "channel")),
        rotas=found,
        contacts=await _contacts(view, people, notifiers),
        notifiers=notifiers,
    )
    return {item: _facts(policy, world) for item, policy in known.items()}


def _targets(policy: Policy) -> list[Target]:
    return [*(target for level in policy.levels for target in level.targets), *policy.fallback]


def _ids(targets: Iterable[Target], kind: str) -> set[int]:
    return {int(target.id) for target in targets if target.kind == kind}


def everybody(rota: Rota) -> set[int]:
    """Everybody who may be on call by a rota."""
    found = {int(person) for era in rota.eras for person in era.schedule.people()}
    found |= {int(booking.person) for booking in rota.bookings} | mentioned(rota.record)
    return found | {int(override.person) for override in rota.overrides}


async def _contacts(view: Reading, people: set[int], notifiers: Container[str]) -> dict[int, Contact]:
    known = {item: one.as_a(Person) for item, one in (await resources.load(view, "person", people)).items()}
    proved = await verified(view, known)
    contacts = {}
    for item, person in known.items():
        used = {step.method.id for step in steps(person, "high") if step.method.kind in notifiers}
        contacts[item] = Contact(person.name, bool(used), bool(used & proved[item]), person.disabled)
    return contacts


def _facts(policy: Policy, world: _World) -> Facts:
    targets = _targets(policy)
    mine = [item for target in targets if target.kind == "schedule" and (item := int(target.id)) in world.schedules]
    return Facts(
        levels=tuple(tuple(_lead(target, world) for target in level.targets) for level in policy.levels),
        fallback=tuple(_lead(target, world) for target in policy.fallback),
        contacts=world.contacts,
        rotas={item: world.rotas[item] for item in mine},
        schedules={item: world.schedules[item].name for item in mine},
        zone=str(world.schedules[mine[0]].document["time_zone"]) if mine else "UTC",
    )


def _lead(target: Target, world: _World) -> Lead:
    key = int(target.id)
    match target.kind:
        case "person":
            return Named((key,))
        case "schedule":
            return OnDuty(key, target.role) if key in world.schedules else Lost("a schedule in the policy was deleted")
        case "team":
            return _of_team(world.teams.get(key))
        case "channel":
            return _of_channel(world.channels.get(key), world.notifiers)


def _of_team(team: Resource | None) -> Lead:
    if team is None:
        return Lost("a team in the policy was deleted")
    members = tuple(int(one.person_id) for one in team.as_a(Team).members)
    return Named(members) if members else Lost(f"team {team.name} has no members")


def _of_channel(channel: Resource | None, notifiers: Container[str]) -> Lead:
    if channel is None:
        return Lost("a channel in the policy was deleted")
    kind = channel.as_a(Channel).kind
    if kind not in notifiers:
        return Lost(f"no notifier of kind {kind!r}, which the channel {channel.name} needs, is installed")
    return Posted(channel.name)
