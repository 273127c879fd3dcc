"""Gaps and people who can't be reached are known before they hurt: warned of at save, shown, told a week and a day ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from app.clock import SECOND
from app.people import contacts
from app.people.person import Person
from app.rota import ahead as look_ahead
from app.rota.forewarn import LATER
from app.store import jobs, resources
from app.store.database import Reading, Writing
from app.store.jobs import Job, LeaseLost
from tests.harness.api_world import Asked, api
from tests.harness.rota_town import instant
from tests.harness.town import Resident

LAYER = {"name": "daily", "unit": "day", "length": 1, "start_date": "2026-01-05", "handoff": "00:00"}
QUIET = {"before_minutes": None, "at_handoff": False}
"""Shifts are not what these stories tell of."""


@dataclass
class Ahead:
    """A policy of one schedule in which Ana is on call, a service, and a team whose lead is Lea."""

    asked: Asked
    people: dict[str, Resident] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def lea(self) -> Resident:
        return self.people["Lea"]

    def target(self, name: str) -> dict[str, str]:
        return {"kind": "person", "id": str(self.people[name].id)}

    def schedule(self, **layer: Any) -> dict[str, Any]:
        mine = {**LAYER, "participants": [str(self.people["Ana"].id)], **layer}
        return {"name": "Primary", "time_zone": "UTC", "layers": [mine], "notices": QUIET}

    def policy(self, *more_levels: dict[str, str], **more: Any) -> dict[str, Any]:
        levels = [{"kind": "schedule", "id": self.ids["schedule"]}, *more_levels]
        return {"name": "Night", "levels": [{"targets": [one]} for one in levels], **more}

    async def saves(self, kind: str, document: dict[str, Any]) -> list[str]:
        """Replaces the schedule or the policy; answers what is warned of."""
        path = f"/{kind}/{self.ids[kind.removesuffix('s') if kind == 'schedules' else 'policy']}"
        version = (await self.asked.admin.get(path))["version"]
        answered = await self.asked.admin.done(200, "PUT", path, version=version, json=document)
        return list(answered["warnings"])

    async def found(self) -> list[str]:
        """What the last look found, each as "nobody 01-13T00 01-14T00"."""
        await self.asked.story.passes(seconds=6)
        (item,) = (await self.asked.reader.get("/reachability"))["items"]
        assert item["looked_at"] is not None
        return [f"{one['kind']} {one['starts_at'][5:13]} {one['ends_at'][5:13]}" for one in item["findings"]]


@asynccontextmanager
async def ahead(database: str, *, proved: bool = True, **layer: Any) -> AsyncIterator[Ahead]:
    async with api(database) as asked:
        it = Ahead(asked)
        for name in ("Ana", "Ben", "Lea"):
            it.people[name] = await asked.story.person(name)
            if proved:
                await asked.story.store.write(_prove, it.people[name].id)
        admin = asked.admin
        it.ids["schedule"] = (await admin.create("schedules", it.schedule(**layer)))["id"]
        it.ids["policy"] = (await admin.create("policies", it.policy()))["id"]
        members = [{"person_id": str(it.lea.id), "role": "lead"}, {"person_id": str(it.people["Ben"].id)}]
        it.ids["team"] = (await admin.create("teams", {"name": "Shop", "members": members}))["id"]
        it.ids["service"] = await asked.service("checkout", it.ids["policy"], team_id=it.ids["team"])
        yield it


async def _prove(tx: Writing, person_id: int) -> None:
    """This person reads what is sent to all of their contact methods."""
    found = (await resources.load(tx, "person", [person_id]))[person_id]
    for method in Person.model_validate(found.document).contact_methods:
        await contacts.verify(tx, person_id, method, "code")


async def covers(it: Ahead, start: str, end: str) -> None:
    """Ben takes a part of the schedule."""
    span = {"person": str(it.people["Ben"].id), "starts_at": instant(start), "ends_at": instant(end)}
    await it.asked.responder.create(f"schedules/{it.ids['schedule']}/overrides", span)


ENDS = {"ends_at": "2026-01-13T00:00:00Z"}
"""Eight days after the story begins."""


async def test_a_gap_in_eight_days_is_told_a_week_ahead_and_a_day_ahead_and_no_more(database: str) -> None:
    async with ahead(database, **ENDS) as it:
        story = it.asked.story
        await story.passes(hours=23)
        await it.lea.is_not_paged()
        await story.passes(hours=2)
        week = await it.lea.is_paged("Nobody will be reached by policy 'Night' from Tue 13 Jan 00:00, UTC")
        assert week["text"].startswith(
            "From Tue 13 Jan 00:00, UTC, nobody is reached: level 1: nobody is on call in Primary "
            "(every layer with participants has ended); there is no fallback."
        )
        assert "override" in week["text"]
        await story.passes(hours=5 * 24 + 22)
        await it.lea.is_not_paged()
        await story.passes(hours=1)
        await it.lea.is_paged("Nobody will be reached by policy 'Night'")
        await story.passes(hours=3 * 24)
        await it.people["Ben"].is_not_paged()


async def test_what_is_mended_in_time_is_not_told(database: str) -> None:
    async with ahead(database, **ENDS) as it:
        assert await it.found() == ["nobody 01-13T00 02-04T00"]
        await covers(it, "01-13", "02-28")
        assert await it.found() == []
        await it.asked.story.passes(hours=10 * 24)
        await it.lea.is_not_paged()


async def test_a_gap_that_is_on_already_is_told_at_once_and_not_each_day(database: str) -> None:
    async with ahead(database, start_date="2026-02-01") as it:
        await it.asked.story.passes(seconds=6)
        await it.lea.is_paged("Nobody is reached by policy 'Night'")
        await it.asked.story.passes(hours=5 * 24)
        assert [one[:18] for one in await it.found()] == ["nobody 01-05T00 02"]


async def test_several_gaps_are_one_notice(database: str) -> None:
    """Nobody on three days of the week to come."""
    closed = {"restrictions": [{"weekdays": ["mon", "wed", "fri", "sun"], "start": "00:00", "end": "00:00"}]}
    async with ahead(database, **closed) as it:
        await it.asked.story.passes(seconds=6)
        told = await it.lea.is_paged("(3 findings)")
        assert "Tue 6 Jan 00:00 to Wed 7 Jan 00:00, UTC" in told["text"]
        await it.asked.story.passes(hours=23)
        await it.lea.is_not_paged()
        # On Tuesday the one of next Tuesday is a week away; on Wednesday the one of Thursday is a day away.
        await it.asked.story.passes(hours=2)
        await it.lea.is_paged("Nobody will be reached")
        await it.asked.story.passes(hours=24)
        it.lea.phone.taken = len(it.lea.phone.inbox())


async def test_a_team_without_a_lead_hears_in_its_channel_or_all_of_it_does(database: str) -> None:
    async with ahead(database, **ENDS) as it:
        story, admin = it.asked.story, it.asked.admin
        room = await story.channel("room")
        members = [{"person_id": str(it.people[name].id)} for name in ("Ben", "Lea")]
        team = {"name": "Shop", "members": members}
        await admin.done(200, "PUT", f"/teams/{it.ids['team']}", version=1, json={**team, "channel_id": str(room.id)})
        await story.passes(hours=25)
        await room.is_paged("Nobody will be reached")
        await it.lea.is_not_paged()
        await admin.done(200, "PUT", f"/teams/{it.ids['team']}", version=2, json=team)
        await story.passes(hours=6 * 24)
        for name in ("Ben", "Lea"):
            await it.people[name].is_paged("Nobody will be reached")


async def test_who_never_verified_a_contact_method_is_warned_of_at_save_and_told(database: str) -> None:
    async with ahead(database, proved=False) as it:
        (warned,) = await it.saves("policies", it.policy())
        assert warned == (
            "Policy 'Night': From Mon 5 Jan 00:00, UTC, only people are reached who have not verified a contact method: Ana."
        )
        assert await it.found() == ["unverified 01-05T00 02-04T00"]
        told = await it.lea.is_paged("Only unverified contact methods are used by policy 'Night'")
        assert "Ask them to verify a contact method" in told["text"]
        await it.asked.story.store.write(_prove, it.people["Ana"].id)
        assert await it.saves("policies", it.policy()) == []
        assert await it.found() == []


async def test_a_schedule_is_saved_with_what_it_does_to_the_policies_that_use_it(database: str) -> None:
    async with ahead(database) as it:
        nights = {"weekdays": ["sat", "sun"], "start": "20:00", "end": "08:00"}
        open_hours = {"weekdays": ["mon", "tue", "wed", "thu", "fri"], "start": "00:00", "end": "00:00"}
        (warned,) = await it.saves("schedules", it.schedule(restrictions=[open_hours, nights]))
        assert warned.startswith(
            "Policy 'Night': Sat 10 Jan 00:00 to 20:00, UTC, nobody is reached: level 1: nobody is"
        )
        assert warned.endswith("And 7 more such times until Wed 4 Feb 00:00, UTC.")
        assert await it.saves("schedules", it.schedule()) == []


async def test_the_same_person_on_every_level_is_told_a_week_ahead_only(database: str) -> None:
    async with ahead(database) as it:
        (warned,) = await it.saves("policies", it.policy(it.target("Ana")))
        assert "every level reaches one and the same person: Ana" in warned
        await it.asked.story.passes(seconds=6)
        await it.lea.is_paged("Every level reaches the same person by policy 'Night'")
        await it.asked.story.passes(hours=72)
        await it.lea.is_not_paged()


async def test_a_fallback_that_catches_a_gap_is_named(database: str) -> None:
    async with ahead(database, **ENDS) as it:
        (warned,) = await it.saves("policies", it.policy(fallback=[it.target("Lea")]))
        assert warned.endswith("; the fallback is told: Lea.")
        assert await it.found() == ["nobody 01-13T00 02-04T00"]


async def test_any_interval_of_a_policy_is_computed_when_it_is_asked_for(database: str) -> None:
    async with ahead(database, **ENDS) as it:
        path = f"/policies/{it.ids['policy']}/reachability"
        answered = await it.asked.reader.get(path)
        assert (answered["starts_at"], answered["ends_at"]) == ("2026-01-05T00:00:00.000Z", "2026-02-04T00:00:00.000Z")
        (one,) = answered["findings"]
        assert (one["kind"], one["starts_at"], one["ends_at"]) == (
            "nobody",
            "2026-01-13T00:00:00.000Z",
            answered["ends_at"],
        )
        before = {"from": instant("01-05"), "to": instant("01-12")}
        assert (await it.asked.reader.get(path, params=before))["findings"] == []
        for wrong in ({"from": instant("01-05"), "to": instant("01-05")}, {"to": "2027-01-07T00:00:00Z"}):
            problem = await it.asked.reader.refused(422, "GET", path, params=wrong)
            assert [error["field"] for error in problem["errors"]] == ["to"]
        await it.asked.reader.refused(404, "GET", "/policies/7/reachability")


async def test_a_policy_that_is_deleted_is_forgotten(database: str) -> None:
    async with ahead(database, start_date="2026-02-01") as it:
        await it.found()
        await it.lea.is_paged("Nobody is reached")
        admin = it.asked.admin
        await admin.done(204, "DELETE", f"/services/{it.ids['service']}", version=1)
        await admin.done(204, "DELETE", f"/policies/{it.ids['policy']}", version=1)
        await it.asked.story.passes(seconds=6)
        assert (await it.asked.reader.get("/reachability"))["items"] == []
        for left in ("reach_findings", "reach_looks", "jobs WHERE kind LIKE 'reach%'"):
            assert await it.asked.story.rows(f"SELECT * FROM {left}") == []


async def test_many_edits_are_one_look_and_every_policy_gets_its_own(database: str) -> None:
    async with ahead(database) as it:
        story, admin = it.asked.story, it.asked.admin
        for number in range(40):
            await admin.create("policies", {**it.policy(), "name": f"policy {number}"})
        await story.passes(seconds=10)
        for version in range(1, 6):
            team = {"name": f"Shop {version}", "members": []}
            await admin.done(200, "PUT", f"/teams/{it.ids['team']}", version=version, json=team)
        assert len(await story.rows("SELECT id FROM jobs WHERE kind = 'reach_all'")) == 1
        await story.passes(seconds=10)
        looks = await story.rows("SELECT policy_id, looked_at FROM reach_looks ORDER BY looked_at")
        assert len(looks) == 41
        # One after the other, so that a page never waits behind all of them.
        assert len({look.looked_at for look in looks}) == 41
        answered = await it.asked.reader.get("/reachability", params={"limit": 40})
        assert len(answered["items"]) == 40
        rest = await it.asked.reader.get("/reachability", params={"limit": 40, "cursor": answered["next_cursor"]})
        assert (len(rest["items"]), rest["next_cursor"]) == (1, None)


async def test_only_the_policies_that_lead_to_a_changed_schedule_are_looked_at_anew(database: str) -> None:
    async with ahead(database) as it:
        story = it.asked.story
        other = await it.asked.admin.create("policies", {"name": "Other", "levels": [{"targets": [it.target("Ben")]}]})
        await story.passes(seconds=10)
        before = dict(await story.rows("SELECT policy_id, looked_at FROM reach_looks"))
        await covers(it, "01-10", "01-11")
        await story.passes(seconds=10)
        after = dict(await story.rows("SELECT policy_id, looked_at FROM reach_looks"))
        assert {str(policy) for policy in before if before[policy] == after[policy]} == {other["id"]}


async def test_what_changes_during_a_look_is_looked_at_again_and_a_look_that_was_taken_over_writes_nothing(
    database: str,
) -> None:
    async with ahead(database, **ENDS) as it:
        store = it.asked.story.store
        await it.asked.story.passes(seconds=10)
        await it.asked.story.process.supervisor.cancel("worker")
        policy = int(it.ids["policy"])

        async def claimed(tx: Writing) -> Job:
            await tx.conn.execute(text("UPDATE jobs SET due_at = 0 WHERE kind = 'reach'"))
            (job,) = await jobs.claim(tx, 1, SECOND)
            return job

        async def due(view: Reading) -> int:
            return int((await view.conn.execute(text("SELECT due_at FROM jobs WHERE kind = 'reach'"))).scalar_one())

        now = it.asked.story.clock.now()
        looks = []
        for _ in range(2):
            look = await store.write(look_ahead.begin, await store.write(claimed))
            assert look is not None
            looks.append((look, *(await store.read(look_ahead.facts, look.policy, it.asked.story.world.notifiers))))
        await store.write(look_ahead.look_at, [policy])
        (late, facts, since), (mine, _, _) = looks
        with pytest.raises(LeaseLost):
            await store.write(look_ahead.keep, late, facts, (), since)
        assert [one[:6] for one in (await remembered(it))] == ["nobody"]
        await store.write(look_ahead.keep, mine, facts, (), since)
        assert await remembered(it) == []
        assert await store.read(due) == now + look_ahead.GATHER


async def remembered(it: Ahead) -> list[str]:
    (item,) = (await it.asked.reader.get("/reachability"))["items"]
    return [one["kind"] for one in item["findings"]]


async def test_what_is_too_much_to_be_checked_at_once_says_so(database: str) -> None:
    """Layers that hand over hourly: thousands of changes a month."""
    async with ahead(database) as it:
        layers = [{**LAYER, "name": name, "unit": "hour", "participants": [str(it.lea.id)]} for name in ("a", "b", "c")]
        warned = await it.saves("schedules", {**it.schedule(), "layers": layers})
        assert warned == [LATER]
