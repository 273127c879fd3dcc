"""A storm for one person: so many pages one by one, the rest in one message with a list; nothing is lost by it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

from app.api.explain import explained
from app.clock import MINUTE, SECOND
from app.paging.deliver import begin
from app.paging.storm import Allowance
from tests.harness.providers import Answering
from tests.harness.town import BROWSER, FORM, Resident, Town, _path, town
from tests.stories.test_many_pages import DESK, planned


def titles(resident: Resident) -> list[str]:
    """Of the pages that came since last asked, in order."""
    unread = [page["title"] for page in resident.phone.unread()]
    resident.phone.taken += len(unread)
    return unread


async def states(story: Town) -> dict[str, int]:
    return {row.state: row.n for row in await story.rows("SELECT state, count(*) AS n FROM pages GROUP BY state")}


async def storm(story: Town, *people: Resident, delay_s: int = 3_600, **more: Any) -> Any:
    """A sender whose alerts are incidents of their own."""
    policy = await story.policy([[person] for person in people], delay_s=delay_s)
    service = await story.service(f"service {next(story.names)}", policy, grouping={"by": "alert"}, **more)
    return await story.integration("alertmanager", service)


async def test_a_storm_comes_as_a_few_pages_and_one_message_with_a_list(database: str) -> None:
    async with town(database, page_limit=4, page_window_s=600) as story:
        ana = await story.person("Ana")
        alerts = await storm(story, ana)
        await alerts.fires(*(f"Disk{number:02}" for number in range(20)))
        # A quarter is kept for other services: three come by themselves, and one of another service still does.
        assert len(titles(ana)) == 3
        other = await storm(story, ana)
        await other.fires("PaymentsDown")
        await ana.is_paged("PaymentsDown")
        await story.passes(11)
        message = await ana.is_paged("17 more incidents need you")
        assert message["id"].startswith("tocsin-bundle-")
        assert "You get at most 4 single pages in 10 min" in message["text"]
        assert "and 12 more" in message["text"]
        assert await states(story) == {"sent": 21}
        tries = await story.rows("SELECT count(*) AS n, count(DISTINCT page_id) AS pages FROM attempts")
        assert tuple(tries[0]) == (21, 21)
        metrics = story.world.metrics.registry
        assert metrics.get_sample_value("tocsin_bundled_pages_total", {"notifier": "webhook"}) == 17
        explanation = await explained(story.store, 20)
        assert [line.sentence for line in explanation.entries if line.kind == "page_bundled"] == [
            "Page 1 for Ana by webhook (ana) was one too many at a time: it went into one message with 16 other pages."
        ]
        # GET shows the list and changes nothing; one POST acknowledges what was chosen, another the rest.
        shown = await story.web.get(_path(message["url"]), headers=BROWSER)
        assert shown.status_code == 200
        assert "17 incidents have nobody yet" in shown.text
        assert len(re.findall(r'name="incident"', shown.text)) == 17
        assert {one.state for one in await story.incidents()} == {"triggered"}
        last = re.search(r'name="last" value="(\d+)"', shown.text)
        assert last
        numbers = re.findall(r'name="incident" value="(\d+)"', shown.text)[:2]
        await alerts.fires("Disk99")
        for body, said in (
            (f"last={last[1]}&which=chosen&incident={numbers[0]}&incident={numbers[1]}&incident=1", "did=2"),
            (f"last={last[1]}&which=all", "did=15"),
        ):
            answer = await story.web.post(_path(message["url"]), headers=FORM, content=body)
            assert (answer.status_code, answer.headers["location"].partition("?")[2]) == (303, said), answer.text
        # Nothing ticked: the list again, which says what to do. Those that are hers stay a press away.
        nothing = await story.web.post(_path(message["url"]), headers=FORM, content=f"last={last[1]}&which=chosen")
        again = await story.web.get(_path(message["url"]), params={"did": "0"}, headers=BROWSER)
        assert nothing.headers["location"].endswith("?did=0")
        assert "Nothing was acknowledged. Tick some of them, or acknowledge all." in again.text
        assert len(re.findall(r'<li><a href="\.\./a/', again.text)) == 17
        held = [one for one in await story.incidents() if one.state == "acknowledged"]
        assert len(held) == 17
        assert {one.acknowledged_by for one in held} == {"Ana"}
        # What came after the list was shown was not acknowledged with it.
        await story.passes(2 * 60)
        again = await ana.is_paged("Disk99")
        assert not again["id"].startswith("tocsin-bundle-")


async def test_a_bundle_comes_at_most_once_a_minute_and_each_incident_goes_on_to_the_next_level(database: str) -> None:
    async with town(database, page_limit=1, page_window_s=600) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        alerts = await storm(story, ana, ben, delay_s=300)
        came: list[int] = []
        for second in range(0, 120, 5):
            await alerts.fires(f"A{second}")
            await story.passes(5)
            came += [story.clock.now() for _ in titles(ana)]
        await story.passes(60)
        came += [story.clock.now() for _ in titles(ana)]
        assert len(came) <= 1 + 4
        assert all(later - earlier >= MINUTE - 5 * SECOND for earlier, later in pairwise(came[1:]))
        await story.passes(minutes=10)
        # Every incident reached Ben's level too, and there as well as one page and bundles.
        assert {row.level for row in await story.rows("SELECT min(level) AS level FROM incidents")} == {2}
        assert await states(story) == {"sent": 48}
        assert len(titles(ben)) <= 1 + 5


async def test_a_bundle_that_is_refused_starts_the_next_way_of_each_of_its_pages(database: str) -> None:
    async with town(database, page_limit=1) as story:
        story.provider.by_path["/push"] = Answering(404)
        ana = await story.person(
            "Ana",
            contact_methods=[
                {"id": name, "kind": "webhook", "label": name, "address": {"url": story.provider.url(f"/{name}")}}
                for name in ("push", "ana")
            ],
        )
        alerts = await storm(story, ana)
        await alerts.fires("A0")
        await ana.is_paged("A0")
        await alerts.fires(*(f"A{number}" for number in range(1, 5)))
        # Ten seconds for what gathers, and ten more on the next way.
        await story.passes(19.9)
        await ana.is_not_paged()
        await story.passes(0.1)
        await ana.is_paged("4 more incidents need you")
        sent = await story.rows("SELECT count(*) AS n FROM pages WHERE state = 'sent' AND method_id = 'ana'")
        assert sent[0].n == 5
        assert (await story.rows("SELECT count(*) AS n FROM pages WHERE state = 'failed'"))[0].n == 5


async def test_a_bundle_leaves_out_what_nobody_needs_any_more(database: str) -> None:
    async with town(database, page_limit=1) as story:
        ana = await story.person("Ana")
        alerts = await storm(story, ana)
        await alerts.fires("A0")
        await ana.is_paged("A0")
        await alerts.fires("A1", "A2")
        await alerts.fires("A3")
        for incident in (await story.incidents())[1:3]:
            await story.acknowledges(incident, by="Ben")
        await story.passes(15)
        page = await ana.is_paged("A3")
        assert page["actions"], "one that is left is a page like any other"
        assert await states(story) == {"sent": 2, "not_needed": 2}
        await alerts.fires("B0")
        await story.acknowledges((await story.incidents())[-1], by="Ben")
        await story.passes(minutes=2)
        await ana.is_not_paged()


async def test_a_bundle_without_an_answer_is_sent_again_under_the_same_id(database: str) -> None:
    async with town(database, page_limit=1) as story:
        ana = await story.person("Ana")
        alerts = await storm(story, ana)
        await alerts.fires("A0")
        await ana.is_paged("A0")
        await alerts.fires("A1", "A2")
        story.provider.by_path["/ana"] = Answering(how="drop_after")
        await story.passes(10.5)
        story.provider.by_path.clear()
        await story.passes(20)
        first, second = ana.phone.unread()
        ana.phone.taken += 2
        assert first["id"] == second["id"]
        rows = await story.rows("SELECT number, outcome FROM attempts ORDER BY page_id, number")
        assert [tuple(row) for row in rows] == [(1, "accepted"), *[(1, "unknown"), (2, "accepted")] * 2]


async def test_two_replicas_that_begin_at_once_do_not_both_send_the_last_page(database: str) -> None:
    """Eight pages of one person, begun side by side where one may go alone: one does, the rest is gathered."""
    async with planned(database, 8) as (story, claimed):
        desk = replace(DESK, allowance=Allowance(1, 600))
        begun = await asyncio.gather(*(story.store.write(begin, job, desk) for job in claimed))
        assert sum(one is not None for one in begun) == 1
        (bundle,) = await story.rows("SELECT pages, state FROM bundles")
        assert tuple(bundle) == (7, "waiting")
        assert len(await story.rows("SELECT id FROM jobs WHERE kind = 'deliver'")) == 1
