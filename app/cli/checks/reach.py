"""Whether an alert would reach somebody: now, at each level of each policy, and at every hour of the days ahead. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.cli.checks.configured import Configured
from app.cli.checks.finding import Finding, ok, warn, wrong
from app.clock import DAY
from app.notifiers.text import one_line
from app.oncall.shifts import shifts
from app.oncall.wording import when
from app.rota.ahead import AHEAD
from app.rota.gap_words import WHAT_TO_DO, sentence
from app.rota.reach import reach

ABOUT = "on call"


def judge(seen: Configured) -> list[Finding]:
    """Services, levels, the days ahead and people, in this order."""
    if not seen.policies:
        return [
            warn(
                ABOUT,
                "no escalation policy exists: every page goes to the server's console",
                "make one: POST /v1/policies",
            )
        ]
    return [*_services(seen), *_levels(seen), *_ahead(seen), *_people(seen)]


def _services(seen: Configured) -> Iterator[Finding]:
    for service in seen.services.values():
        name = f"service {one_line(service.name)}"
        if service.policy_id is None:
            yield warn(name, "it has no escalation policy: its pages go to the server's console", "set its policy_id")
        elif any(int(policy) not in seen.policies for policy in service.policies()):
            yield wrong(
                name, "its escalation policy was deleted: its pages go to the server's console", "set its policy_id"
            )
        if service.team_id is not None and int(service.team_id) not in seen.teams:
            yield warn(name, "the team that owns it was deleted", "set its team_id")


def _levels(seen: Configured) -> Iterator[Finding]:
    for policy_id, plans in seen.told.items():
        for number, plan in enumerate(plans, start=1):
            where = f"policy {one_line(seen.policies[policy_id].name)}, level {number}"
            told = ", ".join(dict.fromkeys(one_line(page.recipient) for page in plan.pages))
            missed = "; ".join(one_line(one.reason) for one in plan.missed)
            if not told:
                yield wrong(where, f"it reaches nobody now: {missed}", "change its targets, or who is on call")
            elif missed:
                yield warn(where, f"it reaches {told} now, but {missed}", "change its targets, or who is on call")
            else:
                yield ok(where, f"it reaches {told} now")


def _ahead(seen: Configured) -> Iterator[Finding]:
    until = seen.now + AHEAD
    for policy_id, facts in seen.ahead.items():
        about, days = f"policy {one_line(seen.policies[policy_id].name)}", AHEAD // DAY
        found = reach(facts, seen.now, until)
        if not found:
            yield ok(about, f"it reaches somebody at every hour of the next {days} days")
        for kind, caught in dict.fromkeys((one.kind, one.caught) for one in found):
            same = [one for one in found if (one.kind, one.caught) == (kind, caught)]
            more = len(same) - 1
            also = f" And {more} more such time{'' if more == 1 else 's'} in the next {days} days." if more else ""
            says = (one_line(sentence(same[0], facts.zone, until)) + also).removesuffix(".")
            judged = wrong if kind == "nobody" and not caught else warn
            yield judged(about, says, WHAT_TO_DO[kind])


def _people(seen: Configured) -> Iterator[Finding]:
    for person_id, why in _counted_on(seen).items():
        person = seen.people.get(person_id)
        if person is None:
            yield wrong("people", f"somebody who was deleted {why}", "take them out")
            continue
        name = one_line(person.name)
        if person.disabled:
            yield warn(f"person {name}", f"{name} is disabled, and {why}", "take them out, or enable them")
        elif not any(method.enabled for method in person.contact_methods):
            yield wrong(
                f"person {name}", f"{name} has no contact method that is enabled, and {why}", "add or enable one"
            )


def _counted_on(seen: Configured) -> dict[int, str]:
    """Everybody that some policy may page within the days ahead, with the first reason found."""
    found: dict[int, str] = {}
    used = {item: (rota, facts) for facts in seen.ahead.values() for item, rota in facts.rotas.items()}
    for item, (rota, facts) in used.items():
        for shift in shifts(rota, seen.now, seen.now + AHEAD):
            since = when(shift.starts_at, facts.zone)
            found.setdefault(int(shift.person), f"takes a turn in {one_line(facts.schedules[item])} from {since}")
    for policy in seen.policies.values():
        for target in (*(target for level in policy.levels for target in level.targets), *policy.fallback):
            name = one_line(policy.name)
            if target.kind == "person":
                found.setdefault(int(target.id), f"is named in policy {name}")
            elif target.kind == "team" and int(target.id) in seen.teams:
                team = seen.teams[int(target.id)]
                for member in team.members:
                    found.setdefault(int(member.person_id), f"is in team {one_line(team.name)} of policy {name}")
    return found
