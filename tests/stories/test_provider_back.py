"""A provider works again: what waited for it goes out once, and the policy goes on from there, at its own pace."""

from __future__ import annotations

from app.api.explain import explained
from app.clock import MINUTE
from app.paging.policy import Policy
from app.store import resources
from tests.harness.providers import FakeProvider
from tests.harness.town import Resident, Sender, Town, town
from tests.stories.test_provider_trouble import FINE, kinds, two_providers


async def reached_by(story: Town, name: str, address: str) -> Resident:
    """Somebody with one phone, at that provider."""
    method = {"id": "0", "kind": "webhook", "label": "phone", "address": {"url": address}}
    return await story.person(name, contact_methods=[method])


async def sender(story: Town, policy: int) -> Sender:
    return await story.integration("alertmanager", await story.service("checkout", policy))


async def minutes(story: Town, other: FakeProvider, many: int) -> dict[int, list[str]]:
    """Who is told in which of the next minutes, counted from the first in which somebody is."""
    told = {}
    for minute in range(many):
        before = len(other.seen)
        await story.passes(minutes=1)
        if came := sorted(seen.path for seen in other.seen[before:]):
            told[minute] = came
    first = next(iter(told), 0)
    return {minute - first: came for minute, came in told.items()}


async def test_a_policy_goes_on_at_its_own_pace_when_the_only_provider_works_again(database: str) -> None:
    """Meanwhile its rounds are not used up: nobody can be told, and each page that waits is the repeat of itself."""
    async with two_providers(database) as (story, other):
        people = [await reached_by(story, name, other.url(f"/{name}")) for name in ("Ana", "Ben")]
        alerts = await sender(story, await story.policy([[one] for one in people], delay_s=300, repeat=1))
        await alerts.fires("DiskFull")
        await story.passes(minutes=5)
        assert [kind for kind in await kinds(story) if kind != "page_failed"] == [
            "triggered",
            "level_told",
            "level_told",
            "page_held",
            "undelivered",
        ]
        assert [error["event"] for error in story.errors] == ["incident_undelivered"]
        story.errors.clear()
        other.usual = FINE
        assert await minutes(story, other, 20) == {0: ["/Ana", "/Ben"], 5: ["/Ana"], 10: ["/Ben"]}
        told = await kinds(story)
        assert told[-4:] == ["policy_goes_on", "level_told", "level_told", "policy_exhausted"]
        assert (await story.incident()).escalation == "exhausted"
        explanation = await explained(story.store, 1)
        assert explanation.summary[-1] == "Nobody has it, and nobody else will be told: the policy has ended."


async def test_who_could_not_be_reached_in_any_round_is_paged_once_when_the_provider_works_again(database: str) -> None:
    async with two_providers(database) as (story, other):
        ana, ben = await reached_by(story, "Ana", other.url("/ana")), await story.person("Ben")
        alerts = await sender(story, await story.policy([[ana], [ben]], delay_s=300, repeat=2))
        await alerts.fires("DiskFull")
        await story.passes(minutes=12)
        await ben.is_paged("DiskFull", times=3)
        other.usual = FINE
        assert await minutes(story, other, 12) == {0: ["/ana"]}
        pages = await story.rows("SELECT number, state, detail FROM pages WHERE recipient = 'Ana' ORDER BY state")
        assert [page.state for page in pages] == ["not_needed", "not_needed", "sent"]
        assert {page.detail for page in pages[:2]} == {
            f"page {pages[2].number} had told the same by the same way before this one could be sent"
        }


async def test_a_fallback_that_could_not_be_reached_either_is_told_once_too(database: str) -> None:
    async with two_providers(database) as (story, other):
        people = [await reached_by(story, name, other.url(f"/{name}")) for name in ("Ana", "Eva")]
        document = {
            "name": "with fallback",
            "levels": [{"targets": [{"kind": "person", "id": str(people[0].id)}], "delay_s": 300}],
            "repeat": 1,
            "fallback": [{"kind": "person", "id": str(people[1].id)}],
        }
        checked = Policy.model_validate(document).model_dump(mode="json")
        policy = await story.store.write(resources.create, "policy", "with fallback", checked, "the story")
        alerts = await sender(story, policy.id)
        await alerts.fires("DiskFull")
        await story.passes(minutes=5)
        told = await kinds(story)
        assert [told.count(kind) for kind in ("level_told", "fallback_told", "undelivered")] == [1, 1, 1]
        story.errors.clear()
        other.usual = FINE
        assert await minutes(story, other, 20) == {0: ["/Ana", "/Eva"], 5: ["/Ana"]}


async def test_a_storm_that_nobody_could_be_told_of_goes_on_when_it_is_told_in_one_message(database: str) -> None:
    async with two_providers(database, page_limit=4, page_window_s=600) as (story, other):
        ana = await reached_by(story, "Ana", other.url("/ana"))
        policy = await story.policy([[ana]], delay_s=300, repeat=1)
        service = await story.service("checkout", policy, grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        await alerts.fires(*(f"A{number}" for number in range(15)))
        await story.passes(minutes=5)
        assert (await kinds(story)).count("undelivered") == 15
        story.errors.clear()
        other.usual = FINE
        tried = len(other.seen)
        await story.passes(minutes=4)
        titles = [seen.json["title"] for seen in other.seen[tried:]]
        assert any("more incidents need you" in title for title in titles)
        await story.passes(minutes=20)
        told = await kinds(story)
        assert [told.count(kind) for kind in ("policy_goes_on", "level_told", "policy_exhausted")] == [15, 30, 15]


async def test_what_waited_in_several_rounds_is_in_one_message_once(database: str) -> None:
    async with two_providers(database, page_limit=1, page_window_s=600) as (story, other):
        ana, desk = await reached_by(story, "Ana", other.url("/ana")), await story.channel("Desk")
        policy = await story.policy([[ana], [desk]], delay_s=300, repeat=2)
        service = await story.service("checkout", policy, grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("A0", "A1", "A2")
        await story.passes(minutes=12)
        await desk.is_paged("A", times=9)
        other.usual = FINE
        await story.passes(minutes=12)
        told = "SELECT p.incident_id FROM attempts a JOIN pages p ON p.id = a.page_id WHERE a.outcome = 'accepted' "
        arrived = [row.incident_id for row in await story.rows(told + "AND p.recipient = 'Ana'")]
        assert sorted(arrived) == sorted({incident.id for incident in await story.incidents()})
        states = [row.state for row in await story.rows("SELECT state FROM pages WHERE recipient = 'Ana'")]
        assert (states.count("sent"), states.count("not_needed")) == (3, 6)


async def test_each_way_of_a_person_tells_once_and_so_does_whoever_asks_them_to_join(database: str) -> None:
    async with two_providers(database) as (story, other):
        methods = [
            {"id": way, "kind": "webhook", "label": way, "address": {"url": other.url(f"/{way}")}}
            for way in ("push", "sms")
        ]
        ana = await story.person("Ana", contact_methods=methods)
        alerts = await sender(story, await story.policy([[ana]], delay_s=300, repeat=3))
        await alerts.fires("DiskFull")
        await story.passes(minutes=3)
        story.errors.clear()
        headers = {"authorization": f"Bearer {await story.api_key('responder')}"}
        ask = {"people": [str(ana.id)], "message": "is it the disk?"}
        assert (await story.web.post("/v1/incidents/1/responders", json=ask, headers=headers)).status_code == 200
        await story.passes(minutes=2)
        other.usual = FINE
        told = await minutes(story, other, 9)
        assert sorted(path for minute, paths in told.items() if minute < 5 for path in paths) == [
            "/push",
            "/push",
            "/sms",
            "/sms",
        ]


async def test_a_phone_that_is_to_ring_every_five_minutes_rings_once_after_a_quarter_of_an_hour_without_us(
    database: str,
) -> None:
    async with town(database) as story:
        rules = [{"contact_method": "ana", "delay_s": minute * 60} for minute in (0, 5, 10)]
        ana = await story.person("Ana", rules=rules)
        alerts = await sender(story, await story.policy([[ana]], delay_s=3_600))
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        story.clock.move_to(story.clock.now() + 15 * MINUTE)
        story.world.wake.set()
        await ana.is_paged("DiskFull")
        await story.passes(minutes=10)
        states = [row.state for row in await story.rows("SELECT state FROM pages ORDER BY number")]
        assert sorted(states) == ["not_needed", "sent", "sent"]
