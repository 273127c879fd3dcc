"""Rather nobody than somebody? The fallback of a policy: told when nothing else could be sent, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.paging.policy import Policy
from app.store import resources
from tests.harness.api_world import api
from tests.harness.providers import answering
from tests.harness.town import Resident, Sender, Town, town


async def policy(
    story: Town, levels: Sequence[Sequence[dict[str, str]]], fallback: Sequence[dict[str, str]], delay_s: int = 300
) -> int:
    """A policy that is gone through once."""
    document = {
        "name": f"policy {next(story.names)}",
        "levels": [{"targets": list(level), "delay_s": delay_s} for level in levels],
        "repeat": 0,
        "fallback": list(fallback),
    }
    checked = Policy.model_validate(document).model_dump(mode="json")
    return (await story.store.write(resources.create, "policy", document["name"], checked, "the story")).id


def person(one: Resident) -> dict[str, str]:
    return {"kind": "person", "id": str(one.id)}


def schedule(schedule_id: int, role: str | None = None) -> dict[str, str]:
    return {"kind": "schedule", "id": str(schedule_id), **({"role": role} if role else {})}


async def sender(story: Town, policy_id: int) -> Sender:
    return await story.integration("alertmanager", await story.service("checkout", policy_id))


async def happened(story: Town) -> list[str]:
    """The kinds of what the timeline tells, after the beginning."""
    return [row.kind for row in await story.rows("SELECT kind FROM timeline ORDER BY id")][1:]


async def said(story: Town, kind: str) -> str:
    (row,) = await story.rows("SELECT reason FROM timeline WHERE kind = :kind", kind=kind)
    return str(row.reason)


WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNTIL_EVENING = {"restrictions": [{"weekdays": list(WEEK), "start": "00:00", "end": "20:00"}]}


async def test_at_night_when_the_schedule_has_a_gap_the_fallback_is_told_and_nobody_else(database: str) -> None:
    """The story begins at midnight; at 21:00 nobody is on call, and Eva is told rather than nobody."""
    async with town(database) as story:
        ana, eva = await story.person("Ana"), await story.person("Eva")
        days = await story.schedule("Days", ana, **UNTIL_EVENING)
        alerts = await sender(story, await policy(story, [[schedule(days)]], [person(eva)]))
        await alerts.fires("ByDay")
        await ana.is_paged("ByDay")
        await alerts.resolves("ByDay")
        await story.passes(hours=21)
        await alerts.fires("ByNight")
        page = await eva.is_paged("ByNight")
        assert "because nobody else could be reached" in page["text"]
        night = (await story.incidents())[-1]
        assert night.escalation == "fallback"
        assert await said(story, "fallback_told") == "nobody could be reached, so the fallback is told: Eva"
        await eva.acknowledges()
        await story.passes(hours=3)
        kinds = await happened(story)
        assert (kinds.count("undelivered"), kinds.count("policy_exhausted")) == (0, 0)
        assert "ByNight" not in story.console.getvalue()


async def test_when_every_page_of_every_level_is_refused_the_fallback_is_told_at_once(database: str) -> None:
    async with town(database) as story:
        ana, ben, eva = await story.person("Ana"), await story.person("Ben"), await story.person("Eva")
        alerts = await sender(story, await policy(story, [[person(ana)], [person(ben)]], [person(eva)]))
        for path in ("/ana", "/ben"):
            story.provider.by_path[path] = answering(404)
        await alerts.fires("DiskFull")
        await eva.is_paged("DiskFull")
        for one in (ana, ben):
            one.phone.taken = len(one.phone.inbox())
        assert [kind for kind in await happened(story) if kind != "page_failed"] == [
            "level_told",
            "level_told",
            "fallback_told",
        ]
        await story.passes(hours=1)
        assert (await story.incident()).escalation == "exhausted"
        assert "the fallback was told too and nobody acknowledged" in await said(story, "policy_exhausted")


async def test_a_fallback_that_fails_too_is_undelivered_and_the_console_is_told(database: str) -> None:
    async with town(database) as story:
        ana, eva = await story.person("Ana", contact_methods=[]), await story.person("Eva")
        alerts = await sender(story, await policy(story, [[person(ana)]], [person(eva)]))
        story.provider.by_path["/eva"] = answering(404)
        await alerts.fires("DiskFull")
        await story.settled()
        eva.phone.taken = len(eva.phone.inbox())
        assert await happened(story) == ["level_reached_nobody", "fallback_told", "page_failed", "undelivered"]
        assert "nor did the fallback" in await said(story, "undelivered")
        assert "DiskFull" in story.console.getvalue()
        assert [error["event"] for error in story.errors] == ["incident_undelivered"]
        story.errors.clear()


async def test_a_fallback_that_leads_to_nobody_says_so_and_the_console_is_told(database: str) -> None:
    async with town(database) as story:
        ana, eva = await story.person("Ana", contact_methods=[]), await story.person("Eva", contact_methods=[])
        alerts = await sender(story, await policy(story, [[person(ana)]], [person(eva)]))
        await alerts.fires("DiskFull")
        await story.settled()
        assert await happened(story) == ["level_reached_nobody", "fallback_reached_nobody", "undelivered"]
        assert "Eva has no contact method" in await said(story, "fallback_reached_nobody")
        assert "DiskFull" in story.console.getvalue()
        story.errors.clear()


async def test_nothing_is_undelivered_while_a_page_of_the_fallback_is_still_tried(database: str) -> None:
    """The fallback's provider is down for longer than a level lasts; then it is back, and the page arrives."""
    async with town(database) as story:
        ana, eva = await story.person("Ana", contact_methods=[]), await story.person("Eva")
        alerts = await sender(story, await policy(story, [[person(ana)]], [person(eva)], delay_s=10))
        story.provider.by_path["/eva"] = answering(503)
        await alerts.fires("DiskFull")
        await story.passes(seconds=25)
        eva.phone.taken = len(eva.phone.inbox())
        assert eva.phone.taken >= 2
        assert await happened(story) == ["level_reached_nobody", "fallback_told"]
        del story.provider.by_path["/eva"]
        await story.passes(minutes=5)
        await eva.is_paged("DiskFull")
        assert (await story.incident()).escalation == "exhausted"
        assert (await happened(story))[-1] == "policy_exhausted"


async def test_a_fallback_is_not_told_when_somebody_was_and_only_did_not_answer(database: str) -> None:
    async with town(database) as story:
        ana, eva = await story.person("Ana"), await story.person("Eva")
        alerts = await sender(story, await policy(story, [[person(ana)]], [person(eva)]))
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.passes(hours=1)
        await eva.is_not_paged()
        assert await happened(story) == ["level_told", "policy_exhausted"]


async def test_an_acknowledgement_ends_what_the_fallback_was_still_to_get(database: str) -> None:
    """Eva's rules send a second message after four minutes; she acknowledges after one."""
    async with town(database) as story:
        rules = [{"contact_method": "push"}, {"contact_method": "sms", "delay_s": 240}]
        ana = await story.person("Ana", contact_methods=[])
        eva = await story.person("Eva", contact_methods=story.phones("push", "sms"), rules=rules)
        alerts = await sender(story, await policy(story, [[person(ana)]], [person(eva)]))
        await alerts.fires("DiskFull")
        await story.passes(minutes=1)
        await story.acknowledges(await story.incident(), by="Eva")
        await story.passes(hours=1)
        assert [seen.path for seen in story.provider.seen] == ["/push"]
        assert [row.state for row in await story.rows("SELECT state FROM pages ORDER BY number")] == [
            "sent",
            "not_needed",
        ]


async def test_a_target_with_a_role_tells_only_those_who_have_it(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        both = await story.schedule("Primary", ana, ben, roles=["primary", "secondary"])
        levels = [[schedule(both, "secondary")], [schedule(both)]]
        alerts = await sender(story, await policy(story, levels, []))
        await alerts.fires("DiskFull")
        await ben.is_paged("DiskFull")
        await ana.is_not_paged()
        await story.passes(minutes=5.1)
        await ana.is_paged("DiskFull")
        await ben.is_paged("DiskFull")


async def test_a_role_that_nobody_has_now_is_named(database: str) -> None:
    async with town(database) as story:
        ana, eva = await story.person("Ana"), await story.person("Eva")
        one = await story.schedule("Primary", ana)
        alerts = await sender(story, await policy(story, [[schedule(one, "secondary")]], [person(eva)]))
        await alerts.fires("DiskFull")
        await eva.is_paged("DiskFull")
        assert "nobody is on call as secondary in Primary" in await said(story, "level_reached_nobody")


async def test_a_role_is_refused_where_it_can_mean_nothing(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.person("Ana")
        layer = {"name": "daily", "unit": "day", "length": 1, "start_date": "2026-01-05", "handoff": "00:00"}
        two = {**layer, "participants": [ana], "roles": ["primary"]}
        rota = await asked.admin.create("schedules", {"name": "Shop", "time_zone": "UTC", "layers": [two]})

        def document(target: dict[str, Any]) -> dict[str, Any]:
            levels = [{"targets": [{"kind": "person", "id": ana}]}]
            return {"name": "Night", "levels": levels, "fallback": [target]}

        wrong = document({"kind": "schedule", "id": rota["id"], "role": "secondary"})
        problem = await asked.admin.refused(422, "POST", "/policies", json=wrong)
        assert [one["field"] for one in problem["errors"]] == ["fallback.0.role"]
        assert "it has primary" in problem["errors"][0]["message"]
        meaningless = document({"kind": "person", "id": ana, "role": "primary"})
        problem = await asked.admin.refused(422, "POST", "/policies", json=meaningless)
        assert "schedules only" in problem["errors"][0]["message"]
        missing = document({"kind": "channel", "id": "7"})
        problem = await asked.admin.refused(422, "POST", "/policies", json=missing)
        assert [one["field"] for one in problem["errors"]] == ["fallback.0.id"]
        await asked.admin.create("policies", document({"kind": "schedule", "id": rota["id"], "role": "primary"}))
        problem = await asked.admin.refused(409, "DELETE", f"/schedules/{rota['id']}", version=1)
        assert "policy 'Night'" in problem["detail"]
