"""Who is told of what was found ahead: the teams whose services the policy is for, and whose schedules it leads to. Reads only.

Must never know what was found, nor when it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.clock import DAY, Micros
from app.incidents.service import Service
from app.paging.notices import Notice
from app.people.team import Team
from app.rota.gap_words import notice_text
from app.rota.reach import FindingKind
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource

MOST_TOLD = 200
"""People and channels that one look tells; somebody has to act, not everybody."""
USEFUL: Micros = DAY


async def notices_of(
    view: Reading, policy: Resource, found: Sequence[tuple[FindingKind, Micros, str]], zone: str
) -> list[Notice]:
    """One notice for each who is to hear of all of these; none when the policy is used by no service."""
    people, channels = await _who_hears(view, policy)
    title, text = notice_text(policy.name, found, zone, view.now)
    told = [Notice("gap", title, text, person_id=one, useful=USEFUL) for one in people]
    told += [Notice("gap", title, text, channel_id=one, useful=USEFUL) for one in channels]
    return told[:MOST_TOLD]


async def _who_hears(view: Reading, policy: Resource) -> tuple[list[int], list[int]]:
    """People and channels, each once."""
    services = [
        one for one in await resources.listed(view, "service") if str(policy.id) in one.as_a(Service).policies()
    ]
    if not services:
        return [], []
    schedules = await resources.load(view, "schedule", schedules_in(policy))
    wanted = [one.document.get("team_id") for one in (*services, *schedules.values())]
    people: dict[int, None] = {}
    channels: dict[int, None] = {}
    for team in (await resources.load(view, "team", (int(one) for one in wanted if one))).values():
        known = team.as_a(Team)
        people |= dict.fromkeys(_people(known))
        channels |= {int(known.channel_id): None} if known.channel_id else {}
    return list(people), list(channels)


def _people(team: Team) -> Iterable[int]:
    """The leads; where a team has neither a lead nor a channel, everybody in it."""
    leads = [one for one in team.members if one.role == "lead"]
    return (int(one.person_id) for one in (leads if leads or team.channel_id else team.members))


def schedules_in(policy: Resource) -> set[int]:
    """The schedules that a policy leads to, by any of its levels or its fallback."""
    targets = [target for level in policy.document["levels"] for target in level["targets"]]
    targets += policy.document.get("fallback") or []
    return {int(target["id"]) for target in targets if target["kind"] == "schedule"}
