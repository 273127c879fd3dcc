"""The configuration as the doctor reads it: every document once, in one transaction. Decides nothing."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from app.clock import Micros
from app.incidents.service import Service
from app.paging.plan import LevelPlan, plan_level
from app.paging.policy import Channel, Policy
from app.paging.recipients import find
from app.people.person import Person
from app.people.team import Team
from app.rota.ahead import AHEAD
from app.rota.reach import Facts
from app.rota.reach_facts import facts_of
from app.sources.integration import Integration
from app.store import resources
from app.store.database import Reading


@dataclass(frozen=True, slots=True)
class Configured:
    """Everything that is configured, by id, and who each level of each policy would tell: now, and in the days ahead."""

    now: Micros
    people: Mapping[int, Person]
    teams: Mapping[int, Team]
    services: Mapping[int, Service]
    integrations: Mapping[int, Integration]
    policies: Mapping[int, Policy]
    channels: Mapping[int, Channel]
    told: Mapping[int, tuple[LevelPlan, ...]]
    ahead: Mapping[int, Facts]


async def read(view: Reading, notifiers: Container[str]) -> Configured:
    """All of it, at one instant. `notifiers`: the kinds installed."""
    stored = await resources.listed(view, "policy")
    policies = {one.id: one.as_a(Policy) for one in stored}
    told = {}
    for policy_id, policy in policies.items():
        found = [await find(view, level.targets) for level in policy.levels]
        told[policy_id] = tuple(plan_level(level, "high") for level in found)
    return Configured(
        now=view.now,
        people={one.id: one.as_a(Person) for one in await resources.listed(view, "person")},
        teams={one.id: one.as_a(Team) for one in await resources.listed(view, "team")},
        services={one.id: one.as_a(Service) for one in await resources.listed(view, "service")},
        integrations={one.id: one.as_a(Integration) for one in await resources.listed(view, "integration")},
        policies=policies,
        channels={one.id: one.as_a(Channel) for one in await resources.listed(view, "channel")},
        told=told,
        ahead=await facts_of(view, stored, view.now, view.now + AHEAD, notifiers),
    )
