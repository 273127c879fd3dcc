"""Who is told, by which policy, in whose turn: cases by priority and support hours, waiting, quiet hours, teams in turns."""

from __future__ import annotations

from typing import Any

from app.paging.policy import Policy
from app.people.team import Team
from app.store import resources
from tests.harness.town import Resident, Town, town

OFFICE = {
    "time_zone": "UTC",
    "windows": [{"weekdays": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:00"}],
}
"""Stories begin on Monday 2026-01-05 at 00:00 UTC."""


async def team_policy(story: Town, team: int, delay_s: int = 300) -> int:
    target = {"kind": "team", "id": str(team), "pick": "next"}
    document = Policy.model_validate(
        {"name": "In turns", "levels": [{"targets": [target], "delay_s": delay_s}], "repeat": 2}
    )
    made = await story.store.write(
        resources.create, "policy", "In turns", document.model_dump(mode="json"), "the story"
    )
    return made.id


async def team(story: Town, *members: Resident) -> int:
    document = Team.model_validate({"name": "Shop", "members": [{"person_id": str(one.id)} for one in members]})
    return (await story.store.write(resources.create, "team", "Shop", document.model_dump(mode="json"), "the story")).id


async def edited(story: Town, kind: str, resource_id: int, **changes: Any) -> None:
    found = await story.store.read(resources.load, kind, [resource_id])
    old = found[resource_id]
    await story.store.write(
        resources.replace, old, old.name, {**old.document, **changes}, "the story", seen=old.version
    )


async def reasons(story: Town, kind: str) -> list[str]:
    return [
        row.reason for row in await story.rows("SELECT reason FROM timeline WHERE kind = :kind ORDER BY id", kind=kind)
    ]


async def test_low_urgency_waits_for_support_hours_and_is_told_when_they_begin(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        waits = {"hours": "outside", "wait": True}
        shop = await story.service("shop", await story.policy([[ana]]), support_hours=OFFICE, cases=[waits])
        alerts = await story.integration("alertmanager", shop)
        await alerts.fires("DiskSlow", severity="warning")
        await story.passes(hours=8.9)
        await ana.is_not_paged()
        assert (await story.incident()).escalation == "held"
        assert await reasons(story, "paging_waits") == [
            "nobody is told before 2026-01-05 09:00 UTC: urgency is low and this is outside support hours"
        ]
        await story.passes(minutes=6.1)
        page = await ana.is_paged("DiskSlow")
        assert page["urgency"] == "low"
        await alerts.resolves("DiskSlow", severity="warning")
        await story.passes(hours=9)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull"), "high urgency never waits"


async def test_what_waits_is_told_at_once_when_it_becomes_graver_or_somebody_escalates(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        waits = {"hours": "outside", "wait": True}
        for name, person in (("shop", ana), ("pay", ben)):
            service = await story.service(name, await story.policy([[person]]), support_hours=OFFICE, cases=[waits])
            alerts = await story.integration("alertmanager", service)
            await alerts.fires(f"{name}Slow", severity="warning")
            if name == "shop":
                await ana.is_not_paged()
                await alerts.fires("shopDown")
        await ana.is_paged("shopSlow")
        assert await reasons(story, "severity_raised") == ["P4 became P2: shopDown is critical; paging begins anew"]
        assert (await story.incidents())[1].escalation == "held"
        answer = await story.web.post(
            "/v1/incidents/2/escalate", headers={"authorization": f"Bearer {await story.api_key('responder')}"}
        )
        assert answer.status_code == 200
        await ben.is_paged("paySlow")


async def test_who_was_told_mildly_is_told_anew_when_the_urgency_rises(database: str) -> None:
    """Ana reads mail in the morning; her phone rings when the warning becomes critical, and once only."""
    async with town(database) as story:
        rules = [{"contact_method": "phone"}, {"contact_method": "mail", "urgency": "low"}]
        ana = await story.person("Ana", contact_methods=story.phones("phone", "mail"), rules=rules)
        alerts = await story.integration("alertmanager", await story.service("shop", await story.policy([[ana]])))
        await alerts.fires("Slow", severity="warning")
        await story.passes(minutes=1)
        await alerts.fires("Down")
        await alerts.fires("DownToo")
        await story.passes(minutes=1)
        assert [seen.path for seen in story.provider.seen] == ["/mail", "/phone"]


async def test_another_policy_is_followed_outside_support_hours_and_from_its_first_level_when_they_begin(
    database: str,
) -> None:
    async with town(database) as story:
        ana, ben, cleo = await story.person("Ana"), await story.person("Ben"), await story.person("Cleo")
        nights, days = await story.policy([[ana], [ana], [ana]]), await story.policy([[ben], [cleo]])
        cases = [
            {"hours": "outside", "priorities": ["P1", "P2"], "policy_id": str(nights)},
            {"hours": "support", "urgency": "low"},
        ]
        shop = await story.service("shop", days, support_hours=OFFICE, cases=cases)
        alerts = await story.integration("alertmanager", shop)
        await story.passes(hours=8.95)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.passes(minutes=5.1)
        page = await ben.is_paged("DiskFull")
        assert page["urgency"] == "low"
        await ana.is_not_paged()
        assert await reasons(story, "policy_changed") == [
            "from here on policy 1 is followed, in support hours: paging begins anew"
        ]
        await story.passes(minutes=5.1)
        await cleo.is_paged("DiskFull")
        told = await story.rows("SELECT detail FROM timeline WHERE kind = 'level_told' ORDER BY id LIMIT 1")
        assert "for P2 outside support hours" in told[0].detail


async def test_a_team_takes_turns_fairly_also_when_many_incidents_come_at_once(database: str) -> None:
    async with town(database) as story:
        members = [await story.person(name) for name in ("Ana", "Ben", "Cleo")]
        policy = await team_policy(story, await team(story, *members))
        shop = await story.service("shop", policy, grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", shop)
        await alerts.fires("One", "Two", "Three", "Four", "Five", "Six")
        for member in members:
            await member.is_paged(times=2)
        await alerts.resolves("One", "Two", "Three", "Four", "Five", "Six")
        await alerts.fires("Seven")
        first = await _who(members)
        await story.passes(minutes=5.1)
        second = await _who(members)
        await story.passes(minutes=5.1)
        third = await _who(members)
        assert {first, second, third} == {"Ana", "Ben", "Cleo"}, "a repeat is another's turn"


async def _who(members: list[Resident]) -> str:
    await members[0].story.settled()
    (paged,) = [one for one in members if one.phone.unread()]
    await paged.is_paged("Seven")
    return paged.name


async def test_whose_turn_it_is_and_can_not_be_told_is_passed_over_and_the_turn_survives_edits(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana", contact_methods=[]), await story.person("Ben")
        shop = await team(story, ana, ben)
        service = await story.service("shop", await team_policy(story, shop), grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("One")
        page = await ben.is_paged("One")
        assert "whose turn it is in team Shop" in page["text"]
        assert "Ana has no contact method" in (await reasons(story, "level_told"))[0]
        dan = await story.person("Dan")
        await edited(story, "team", shop, members=[{"person_id": str(one.id), "role": "member"} for one in (ben, dan)])
        await alerts.fires("Two")
        await dan.is_paged("Two")
        await edited(story, "team", shop, members=[])
        await alerts.fires("Three")
        await story.settled()
        assert "team Shop has no members" in (await reasons(story, "level_reached_nobody"))[-1]
        assert [error["event"] for error in story.errors] == ["incident_undelivered"]
        story.errors.clear()


async def test_quiet_hours_put_low_urgency_off_and_the_level_waits_with_it(database: str) -> None:
    """Until 07:00 Ana sleeps; the next level has its turn five minutes after her page, not while she sleeps."""
    async with town(database) as story:
        ana = await story.person("Ana", quiet_hours=[{"start": "22:00", "end": "07:00"}])
        ben = await story.person("Ben")
        alerts = await story.integration(
            "alertmanager", await story.service("shop", await story.policy([[ana], [ben]]))
        )
        await alerts.fires("DiskSlow", severity="warning")
        await story.passes(hours=6.9)
        await ana.is_not_paged()
        await ben.is_not_paged()
        await story.passes(minutes=8)
        page = await ana.is_paged("DiskSlow")
        assert page["late_s"] == 0
        await ben.is_not_paged()
        await story.passes(minutes=4)
        await ben.is_paged("DiskSlow")


async def test_an_edit_of_a_policy_counts_for_what_has_not_begun(database: str) -> None:
    """The level that was told keeps its two minutes; the one after it is the edited one."""
    async with town(database) as story:
        ana, ben, cleo = await story.person("Ana"), await story.person("Ben"), await story.person("Cleo")
        policy = await story.policy([[ana], [ben]], delay_s=120)
        alerts = await story.integration("alertmanager", await story.service("shop", policy))
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        levels = [
            {"targets": [{"kind": "person", "id": str(one.id), "role": None}], "delay_s": 3_600} for one in (ana, cleo)
        ]
        await edited(story, "policy", policy, levels=levels)
        await story.passes(minutes=2.1)
        await cleo.is_paged("DiskFull")
        await ben.is_not_paged()
        versions = await story.rows("SELECT policy_version FROM pages ORDER BY number")
        assert [row.policy_version for row in versions] == [1, 2]
