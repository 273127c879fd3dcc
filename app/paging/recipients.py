"""From the targets of a level to the people and channels behind them, as configured at this instant. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.oncall.facts import mentioned, rotas, why
from app.oncall.resolve import NOBODY, OnCall, on_call
from app.paging.plan import Missed, Reached
from app.paging.policy import Channel, Target
from app.people.person import ContactMethod, Person
from app.people.team import Team
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource

CONSOLE = ContactMethod(id="console", kind="console", label="console")

UNCONFIGURED = "no escalation policy is configured for this service, so the console is told"
LAST_RESORT = "the policy reached nobody, so the console is told"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that targets may lead to."""

    people: dict[int, Resource]
    schedules: dict[int, Resource]
    teams: dict[int, Resource]
    channels: dict[int, Resource]


def _ids(targets: Sequence[Target], kind: str) -> list[int]:
    return [int(target.id) for target in targets if target.kind == kind]


async def find(view: Reading, targets: Sequence[Target]) -> list[Reached | Missed]:
    """Who these targets lead to now, in order; what leads nowhere says why."""
    schedules = await resources.load(view, "schedule", _ids(targets, "schedule"))
    teams = await resources.load(view, "team", _ids(targets, "team"))
    channels = await resources.load(view, "channel", _ids(targets, "channel"))
    duties = await _duties(view, schedules)
    wanted = set(_ids(targets, "person")) | mentioned(duty for found in duties.values() for duty in found.people)
    for team in teams.values():
        wanted |= {int(member.person_id) for member in Team.model_validate(team.document).members}
    facts = Facts(await resources.load(view, "person", wanted), schedules, teams, channels)
    found: list[Reached | Missed] = []
    for target in targets:
        found += _of_target(target, facts, duties)
    return found


async def _duties(view: Reading, schedules: dict[int, Resource]) -> dict[int, OnCall]:
    """Who is on call now, in each schedule."""
    known = await rotas(view, schedules, view.now, view.now + 1)
    return {schedule_id: on_call(rota, view.now) for schedule_id, rota in known.items()}


def _of_target(target: Target, facts: Facts, duties: dict[int, OnCall]) -> list[Reached | Missed]:
    key = int(target.id)
    match target.kind:
        case "person":
            return [_person(facts, key, "named in the escalation policy", None)]
        case "schedule":
            if key not in duties:
                return [Missed("a schedule in the policy was deleted")]
            return _on_call(facts, key, duties[key], target.role)
        case "team":
            return _team(facts, key)
        case "channel":
            channel = facts.channels.get(key)
            if channel is None:
                return [Missed("a channel in the policy was deleted")]
            document = Channel.model_validate(channel.document)
            method = ContactMethod(id=str(key), kind=document.kind, label=channel.name, address=document.address)
            return [Reached(key, channel.name, "a channel of the escalation policy", channel=method)]


def _on_call(facts: Facts, schedule_id: int, answer: OnCall, role: str | None) -> list[Reached | Missed]:
    name = facts.schedules[schedule_id].name
    if answer.nobody is not None:
        return [Missed(f"nobody is on call in {name}: {NOBODY[answer.nobody]}")]
    people = [duty for duty in answer.people if role in (None, duty.role)]
    if not people:
        return [Missed(f"nobody is on call as {role} in {name}")]
    names = {person_id: person.name for person_id, person in facts.people.items()}
    return [_person(facts, int(duty.person), why(duty, name, names), schedule_id) for duty in people]


def _person(facts: Facts, person_id: int, reason: str, schedule_id: int | None) -> Reached | Missed:
    found = facts.people.get(person_id)
    if found is None:
        return Missed(f"somebody {reason} was deleted", person_id)
    return Reached(person_id, found.name, reason, person=Person.model_validate(found.document), schedule_id=schedule_id)


def _team(facts: Facts, team_id: int) -> list[Reached | Missed]:
    team = facts.teams.get(team_id)
    if team is None:
        return [Missed("a team in the policy was deleted")]
    members = Team.model_validate(team.document).members
    if not members:
        return [Missed(f"team {team.name} has no members")]
    return [_person(facts, int(member.person_id), f"member of team {team.name}", None) for member in members]


def console(reason: str) -> Reached:
    """The way that is always there: the terminal or log of the server itself."""
    return Reached(0, "console", reason, channel=CONSOLE)
