"""From the targets of a level to the people and channels behind them, as configured at this instant. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update

from app.clock import SECOND, Micros
from app.oncall.facts import mentioned, rotas, why
from app.oncall.resolve import NOBODY, OnCall, on_call
from app.oncall.windows import Windows, closes_at, restriction
from app.paging.plan import InTurn, Missed, Reached
from app.paging.policy import Channel, Target
from app.paging.tables import team_turns
from app.people.person import ContactMethod, Person
from app.people.team import Team
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Resource
from app.store.tables import resources as stored

CONSOLE = ContactMethod(id="console", kind="console", label="console")

UNCONFIGURED = "no escalation policy is configured for this service, so the console is told"
LAST_RESORT = "the policy reached nobody, so the console is told"


Found = Reached | Missed | InTurn
Drawn = Mapping[int, Sequence[int]]
"""By team: who had a turn, one after the other, since what is stored."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that targets may lead to, at an instant."""

    now: Micros
    people: dict[int, Resource]
    schedules: dict[int, Resource]
    teams: dict[int, Resource]
    channels: dict[int, Resource]
    turns: dict[tuple[int, int], int]
    """When somebody of a team had their last turn, counted; who is not here had none."""
    named: str
    """Why a person who is a target is told."""


def _ids(targets: Sequence[Target], kind: str) -> list[int]:
    return [int(target.id) for target in targets if target.kind == kind]


async def find(view: Reading, targets: Sequence[Target], drawn: Drawn | None = None, because: str = "") -> list[Found]:
    """Who these targets lead to now, in order; what leads nowhere says why. `because`: why them, if not by a policy.

    A deed that asks whose turn it is keeps others away from the team until it is done, so that nobody's turn is taken twice.
    """
    schedules = await resources.load(view, "schedule", _ids(targets, "schedule"))
    teams = await resources.load(view, "team", _ids(targets, "team"))
    channels = await resources.load(view, "channel", _ids(targets, "channel"))
    duties = await _duties(view, schedules)
    wanted = set(_ids(targets, "person")) | mentioned(duty for found in duties.values() for duty in found.people)
    for team in teams.values():
        wanted |= {int(member.person_id) for member in team.as_a(Team).members}
    turns = await _turns(view, sorted({int(one.id) for one in targets if one.pick == "next"}), drawn or {})
    people = await resources.load(view, "person", wanted)
    named = because or "named in the escalation policy"
    facts = Facts(view.now, people, schedules, teams, channels, turns, named)
    found: list[Found] = []
    for target in targets:
        found += _of_target(target, facts, duties)
    return found


async def _turns(view: Reading, teams: Sequence[int], drawn: Drawn) -> dict[tuple[int, int], int]:
    if not teams:
        return {}
    if isinstance(view, Writing) and view.postgres:
        locked = select(stored.c.id).where(stored.c.id.in_(teams)).order_by(stored.c.id).with_for_update(key_share=True)
        await view.conn.execute(locked)
    columns = team_turns.c
    question = select(columns.team_id, columns.person_id, columns.taken).where(columns.team_id.in_(teams))
    found = {(row[0], row[1]): int(row[2]) for row in await view.conn.execute(question)}
    last = max(found.values(), default=0)
    later = [(team, person) for team, people in drawn.items() for person in people]
    return found | {which: last + place for place, which in enumerate(later, start=1)}


async def take_turns(tx: Writing, turns: Sequence[tuple[int, int]]) -> None:
    """Somebody of a team had their turn; the caller has asked `find` in this transaction, so nobody else does so meanwhile."""
    columns = team_turns.c
    for team_id, person_id in turns:
        last = await tx.conn.execute(select(func.max(columns.taken)).where(columns.team_id == team_id))
        taken = (last.scalar() or 0) + 1
        mine = (columns.team_id == team_id, columns.person_id == person_id)
        raised = await tx.conn.execute(update(team_turns).where(*mine).values(taken=taken))
        if not raised.rowcount:
            await tx.conn.execute(insert(team_turns).values(team_id=team_id, person_id=person_id, taken=taken))


async def _duties(view: Reading, schedules: dict[int, Resource]) -> dict[int, OnCall]:
    """Who is on call now, in each schedule."""
    known = await rotas(view, schedules, view.now, view.now + 1)
    return {schedule_id: on_call(rota, view.now) for schedule_id, rota in known.items()}


def _of_target(target: Target, facts: Facts, duties: dict[int, OnCall]) -> Sequence[Found]:
    key = int(target.id)
    match target.kind:
        case "person":
            return [_person(facts, key, facts.named, None)]
        case "schedule":
            if key not in duties:
                return [Missed("a schedule in the policy was deleted")]
            return _on_call(facts, key, duties[key], target.role)
        case "team":
            return _team(facts, key) if target.pick == "all" else _in_turn(facts, key)
        case "channel":
            channel = facts.channels.get(key)
            if channel is None:
                return [Missed("a channel in the policy was deleted")]
            document = channel.as_a(Channel)
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
    person = found.as_a(Person)
    if person.disabled:
        return Missed(f"{found.name} is disabled", person_id)
    quiet_s = quiet_left_s(person, facts.now)
    return Reached(person_id, found.name, reason, person=person, schedule_id=schedule_id, quiet_s=quiet_s)


def quiet_left_s(person: Person, at: Micros) -> int:
    """For how long somebody's quiet hours go on. Hours that never end are none: nobody is to be silenced for good."""
    if not person.quiet_hours:
        return 0
    spans = tuple(restriction(one.weekdays, one.start, one.end) for one in person.quiet_hours)
    until = closes_at(Windows(person.time_zone, spans), at)
    return 0 if until is None else -(-(until - at) // SECOND)


def _team(facts: Facts, team_id: int) -> list[Reached | Missed]:
    team = facts.teams.get(team_id)
    if team is None:
        return [Missed("a team in the policy was deleted")]
    members = team.as_a(Team).members
    if not members:
        return [Missed(f"team {team.name} has no members")]
    return [_person(facts, int(member.person_id), f"member of team {team.name}", None) for member in members]


def _in_turn(facts: Facts, team_id: int) -> Sequence[Found]:
    """The members in the order of their turns: who had none, then whose last one is longest ago."""
    team = facts.teams.get(team_id)
    members = team.as_a(Team).members if team else ()
    if team is None or not members:
        return _team(facts, team_id)
    waiting = sorted((int(one.person_id) for one in members), key=lambda one: facts.turns.get((team_id, one), 0))
    reason = f"whose turn it is in team {team.name}"
    return [InTurn(team_id, team.name, tuple(_person(facts, one, reason, None) for one in waiting))]


def console(reason: str) -> Reached:
    """The way that is always there: the terminal or log of the server itself."""
    return Reached(0, "console", reason, channel=CONSOLE)
