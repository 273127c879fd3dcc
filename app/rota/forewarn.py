"""What somebody who saves a policy or a schedule is warned of, in the answer to the edit. Reads only.

The same look as the one in the background, in the transaction of the edit: so only as much as is done in a moment.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from app.rota.ahead import AHEAD
from app.rota.gap_notices import schedules_in
from app.rota.gap_words import warnings
from app.rota.reach import Facts, Lost, Named, reach, weight
from app.rota.reach_facts import facts_of
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource

MOST_POLICIES = 20
MOST_WEIGHT = 1_500
"""Some 50 ms of laying out; a schedule that hands over hourly has 720 changes a month, a weekly one 5."""
MOST_WARNINGS = 20

LATER = "This is too much to be checked while it is saved; what is found ahead will stand in /v1/reachability in a few minutes."


async def of_policy(view: Reading, policy: Resource, notifiers: Container[str]) -> list[str]:
    """Of the policy itself, and of each target that leads to nobody whatever the hour."""
    facts = (await facts_of(view, [policy], view.now, view.now + 1, notifiers))[policy.id]
    return [*_in_vain(policy.name, facts), *await _warned(view, [policy], notifiers)][:MOST_WARNINGS]


def _in_vain(name: str, facts: Facts) -> Iterator[str]:
    places = [
        *((f"level {place}", level) for place, level in enumerate(facts.levels, start=1)),
        ("the fallback", facts.fallback),
    ]
    for where, leads in places:
        for lead in leads:
            match lead:
                case Lost(reason):
                    yield f"Policy {name!r}, {where}: {reason}."
                case Named(people) if not any(facts.contacts[one].reachable for one in people if one in facts.contacts):
                    names = " and ".join(facts.contacts[one].name for one in people if one in facts.contacts)
                    yield f"Policy {name!r}, {where}: {names or 'somebody who was deleted'} can't be reached."


async def of_schedule(view: Reading, schedule: Resource, notifiers: Container[str]) -> list[str]:
    """Of the policies that lead to the schedule."""
    policies = [one for one in await resources.listed(view, "policy") if schedule.id in schedules_in(one)]
    return await _warned(view, policies, notifiers)


async def _warned(view: Reading, policies: Sequence[Resource], notifiers: Container[str]) -> list[str]:
    if len(policies) > MOST_POLICIES:
        return [LATER]
    start, end = view.now, view.now + AHEAD
    known = await facts_of(view, policies, start, end, notifiers)
    if sum(weight(rota, start, end) for facts in known.values() for rota in facts.rotas.values()) > MOST_WEIGHT:
        return [LATER]
    said = []
    for policy in policies:
        facts = known[policy.id]
        said += warnings(policy.name, reach(facts, start, end), facts.zone, end)
    return said[:MOST_WARNINGS]
