"""The configuration as the doctor reads it: every document once, in one transaction. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.clock import DAY, Micros
from app.incidents.service import Service
from app.notifiers.text import one_line
from app.oncall.overrides import overrides_of, schedule_of
from app.oncall.schedule import Override, Schedule
from app.paging.plan import LevelPlan, plan_level
from app.paging.policy import Channel, Policy
from app.paging.recipients import find
from app.people.person import Person
from app.people.team import Team
from app.sources.integration import Integration
from app.store import resources
from app.store.database import Reading

AHEAD: Micros = 7 * DAY
"""How far ahead the doctor looks for hours in which nobody is on call."""


@dataclass(frozen=True, slots=True)
class Rota:
    """A schedule with its name and the overrides of the days ahead."""

    name: str
    schedule: Schedule
    overrides: tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class Configured:
    """Everything that is configured, by id, and who each level of each policy would tell now."""

    now: Micros
    people: Mapping[int, Person]
    teams: Mapping[int, Team]
    services: Mapping[int, Service]
    integrations: Mapping[int, Integration]
    policies: Mapping[int, Policy]
    channels: Mapping[int, Channel]
    rotas: Mapping[int, Rota]
    told: Mapping[int, tuple[LevelPlan, ...]]


async def read(view: Reading) -> Configured:
    """All of it, at one instant."""
    schedules = {one.id: one for one in await resources.listed(view, "schedule")}
    overrides = await overrides_of(view, schedules, view.now, view.now + AHEAD)
    policies = {one.id: Policy.model_validate(one.document) for one in await resources.listed(view, "policy")}
    told = {}
    for policy_id, policy in policies.items():
        found = [await find(view, policy, level) for level in range(len(policy.levels))]
        told[policy_id] = tuple(plan_level(level, "high") for level in found)
    return Configured(
        now=view.now,
        people={one.id: Person.model_validate(one.document) for one in await resources.listed(view, "person")},
        teams={one.id: Team.model_validate(one.document) for one in await resources.listed(view, "team")},
        services={one.id: Service.model_validate(one.document) for one in await resources.listed(view, "service")},
        integrations={
            one.id: Integration.model_validate(one.document) for one in await resources.listed(view, "integration")
        },
        policies=policies,
        channels={one.id: Channel.model_validate(one.document) for one in await resources.listed(view, "channel")},
        rotas={
            one.id: Rota(one_line(one.name), schedule_of(one.document), tuple(overrides[one.id]))
            for one in schedules.values()
        },
        told=told,
    )
