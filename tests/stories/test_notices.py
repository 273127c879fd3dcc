"""What is told beside pages: sent like a page by one way after the other, once, in time or not at all, and explained."""

from __future__ import annotations

from typing import Any

import pytest

from app.clock import HOUR, MINUTE, SECOND
from app.notifiers.notifier import Accepted, Unknown
from app.notifiers.registry import build
from app.paging import notify
from app.paging.doors import Doors
from app.paging.notices import Notice, tell
from app.store import jobs, resources
from app.store.database import Writing
from app.store.jobs import LeaseLost
from tests.harness.api_world import Asked, api
from tests.harness.link_world import LinkWorld, link_world
from tests.harness.providers import answering
from tests.harness.town import Resident, Town, town

LEASE = 60 * SECOND
DOORS = Doors(build(offered=()))


def about(resident: Resident, **more: Any) -> Notice:
    return Notice(
        **({"kind": "gap", "title": "Nobody on Sunday", "text": "From 03:00.", "person_id": resident.id} | more)
    )


async def told(story: Town, *notices: Notice) -> list[int]:
    made = await story.store.write(tell, notices)
    story.world.wake.set()
    await story.settled()
    return made


async def only(asked: Asked, person: Resident) -> dict[str, Any]:
    """The person's only notice, as the API explains it."""
    (item,) = (await asked.reader.get(f"/people/{person.id}/notices"))["items"]
    return item


async def test_a_notice_arrives_as_what_it_is(database: str) -> None:
    """An update about no incident: nothing of a page is in it."""
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        await told(asked.story, about(ana))
        seen = await ana.is_paged("Nobody on Sunday")
        assert (seen["kind"], seen["priority"], seen["severity"], seen["incident"]) == ("update", None, None, None)
        assert (seen["actions"], seen["url"], seen["to"], seen["text"]) == ([], None, "Ana", "From 03:00.")
        shown = await only(asked, ana)
        assert (shown["state"], shown["tried"][0]["outcome"], shown["detail"]) == ("sent", "accepted", "")
        assert shown["title"] == "Nobody on Sunday"


async def test_nobody_is_told_twice_under_one_name(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        first = await told(story, about(ana, once="gap:1"), about(ben, once="gap:1"), about(ana, once="gap:2"))
        assert len(first) == 2
        assert await told(story, about(ana, once="gap:1"), about(ben, once="gap:2")) == []
        await ana.is_paged(times=2)


async def test_the_next_way_is_used_when_one_fails_and_never_two_at_once(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        story.provider.by_path["/old"] = answering(404)
        ana = await story.person("Ana")
        person = await asked.admin.get(f"/people/{ana.id}")
        methods = story.phones("old", "ana")
        document = {"name": "Ana", "contact_methods": methods}
        await asked.admin.done(200, "PUT", f"/people/{ana.id}", version=person["version"], json=document)
        await told(story, about(ana))
        await ana.is_paged("Nobody on Sunday")
        shown = await only(asked, ana)
        assert shown["state"] == "sent"
        assert [(way["label"], way["state"], way["outcome"]) for way in shown["tried"]] == [
            ("old", "failed", "refused"),
            ("ana", "sent", "accepted"),
        ]


async def test_a_busy_provider_is_asked_again_and_nothing_else_is_tried_meanwhile(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana", contact_methods=story.phones("busy", "ana"))
        story.provider.by_path["/busy"] = answering(503)
        await told(story, about(ana))
        assert (await only(asked, ana))["state"] == "waiting"
        await ana.is_not_paged()
        story.provider.by_path["/busy"] = answering(200)
        await story.passes(minutes=1)
        await ana.is_not_paged()
        shown = await only(asked, ana)
        assert (shown["state"], [way["tries"] for way in shown["tried"]]) == ("sent", [2])
        ids = {seen.json["id"] for seen in story.provider.seen}
        assert len(ids) == 1, "the same notice, whatever the try"


async def test_when_no_way_works_it_says_why_of_each(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana", contact_methods=story.phones("one", "two"))
        for path in ("/one", "/two"):
            story.provider.by_path[path] = answering(404)
        await told(story, about(ana))
        shown = await only(asked, ana)
        assert shown["state"] == "failed"
        assert "one: " in shown["detail"]
        assert "two: " in shown["detail"]
        counted = story.world.metrics.registry.get_sample_value
        assert counted("tocsin_notices_total", {"kind": "gap", "state": "failed"}) == 1
        assert counted("tocsin_notice_outcomes_total", {"notifier": "webhook", "outcome": "refused"}) == 2


async def test_what_came_too_late_is_not_sent_and_says_so(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana")
        story.provider.by_path["/ana"] = answering(503)
        await told(story, about(ana, useful=10 * SECOND))
        sent = len(ana.phone.inbox())
        await story.passes(minutes=1)
        ana.phone.taken = len(ana.phone.inbox())
        shown = await only(asked, ana)
        assert shown["state"] == "expired"
        assert "it was of use until 2026-01-05 00:00 UTC only; ana: " in shown["detail"]
        assert len(ana.phone.inbox()) - sent < 4
        assert await story.rows("SELECT * FROM jobs WHERE kind = 'notice'") == []


async def test_a_notice_waits_for_its_time(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        await told(story, about(ana, due_at=story.clock.now() + HOUR))
        await story.passes(minutes=59)
        await ana.is_not_paged()
        await story.passes(minutes=1)
        await ana.is_paged("Nobody on Sunday")


async def test_a_channel_is_told_by_its_own_address(database: str) -> None:
    async with town(database) as story:
        shop = await story.channel("Shop")
        await told(story, about(shop, person_id=None, channel_id=shop.id))
        assert (await shop.is_paged("Nobody on Sunday"))["to"] == "Shop"


async def test_nobody_to_tell_is_a_failure_with_its_reason(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana", contact_methods=[]), await story.person("Ben")
        await story.store.write(_remove, ben.id)
        await told(story, about(ana), about(ben))
        assert await story.rows("SELECT state, detail FROM notices ORDER BY id") == [
            ("failed", "this person has no contact method"),
            ("failed", "this person was deleted"),
        ]


async def _remove(tx: Writing, person_id: int) -> None:
    found = (await resources.load(tx, "person", [person_id]))[person_id]
    await resources.remove(tx, found, "the story", seen=found.version)


async def test_one_contact_method_can_be_asked_for(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana", contact_methods=story.phones("ana", "other"))
        await told(story, about(ana, method_id="other"), about(ana, method_id="gone"))
        await ana.is_not_paged()
        assert [seen.path for seen in story.provider.seen] == ["/other"]
        rows = await story.rows("SELECT state, detail FROM notices ORDER BY id")
        assert rows[1] == ("failed", "this contact method was removed")


async def test_links_and_codes_are_not_shown_to_who_reads_the_list(database: str) -> None:
    """Each is the permission to answer for that person."""
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        url = "http://tocsin.test/t/secret-ticket"
        await told(asked.story, about(ana, kind="swap", url=url), about(ana, kind="code", text="Your code is 123456."))
        await ana.is_paged(times=2)
        answer = await asked.reader.ask("GET", f"/people/{ana.id}/notices")
        assert "secret-ticket" not in answer.text
        assert "123456" not in answer.text
        assert await asked.story.rows("SELECT * FROM notices WHERE text LIKE '%123456%'") == []


async def test_the_list_is_newest_first_in_pages_and_tells_of_deleted_people_too(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana", contact_methods=[])
        await told(asked.story, *(about(ana, title=f"n{place}") for place in range(5)))
        await asked.story.store.write(_remove, ana.id)
        first = await asked.reader.get(f"/people/{ana.id}/notices?limit=3")
        rest = await asked.reader.get(f"/people/{ana.id}/notices?limit=3&cursor={first['next_cursor']}")
        assert [item["title"] for item in first["items"] + rest["items"]] == ["n4", "n3", "n2", "n1", "n0"]
        assert rest["next_cursor"] is None
        await asked.reader.refused(404, "GET", "/people/7/notices")


# Without a worker: what is left when a process dies at a bad moment.


async def _begun(story: LinkWorld) -> tuple[jobs.Job, Any]:
    store = story.world.store
    (job,) = await store.write(jobs.claim, 10, LEASE)
    return job, await store.write(notify.begin, job, DOORS)


async def _waiting(story: LinkWorld) -> None:
    ana = await story.person("Ana")
    methods = [{"id": "p", "kind": "console", "label": "phone", "address": {}, "enabled": True}]
    await story.world.store.write(_give, ana.id, methods)
    await story.world.store.write(tell, [Notice("gap", "t", "x", person_id=ana.id)])


async def _give(tx: Writing, person_id: int | None, methods: list[dict[str, Any]]) -> None:
    found = (await resources.load(tx, "person", [person_id or 0]))[person_id or 0]
    document = {**found.document, "contact_methods": methods}
    await resources.replace(tx, found, found.name, document, "the story", seen=found.version)


async def test_a_death_in_the_middle_is_seen_and_the_notice_is_sent_again(database: str) -> None:
    async with link_world(database) as story:
        await _waiting(story)
        _, first = await _begun(story)
        story.clock.move_to(story.clock.now() + LEASE)
        _, second = await _begun(story)
        assert first.message.id == second.message.id
        assert (second.used[0].tries, second.used[0].perhaps) == (2, True)
        await story.world.store.write(notify.record, second, Accepted())
        (row,) = await story.rows("SELECT state, tries FROM notices")
        assert row == ("sent", 2)
        assert await story.rows("SELECT * FROM jobs") == []


async def test_who_lost_the_notice_to_another_worker_writes_nothing(database: str) -> None:
    async with link_world(database) as story:
        await _waiting(story)
        _, first = await _begun(story)
        story.clock.move_to(story.clock.now() + LEASE)
        _, second = await _begun(story)
        with pytest.raises(LeaseLost):
            await story.world.store.write(notify.record, first, Accepted())
        assert await story.world.store.write(notify.record, second, Unknown("no answer")) is None
        ((state, outcome),) = await story.rows("SELECT state, outcome FROM notices")
        assert (state, outcome) == ("waiting", "unknown")


async def test_a_server_that_was_down_until_it_was_of_no_use_sends_nothing(database: str) -> None:
    async with link_world(database) as story:
        await _waiting(story)
        story.clock.move_to(story.clock.now() + 12 * HOUR)
        _, ended = await _begun(story)
        assert (ended.state, ended.kind) == ("expired", "gap")
        ((state, used, done_at),) = await story.rows("SELECT state, used, done_at FROM notices")
        assert (state, used, done_at) == ("expired", "[]", story.clock.now())


async def test_a_notice_is_late_when_it_says_so(database: str) -> None:
    async with link_world(database) as story:
        await _waiting(story)
        story.clock.move_to(story.clock.now() + 3 * MINUTE)
        _, tried = await _begun(story)
        assert tried.message.late_s == 180
