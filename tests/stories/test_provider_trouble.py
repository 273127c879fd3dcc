"""A provider in trouble: the person's next way at once, the next level at once, and the page itself when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

from app.cli.checks.ways_out import judge_tries
from app.clock import SECOND
from app.paging.failing import failing
from app.paging.notices import Notice, tell
from tests.harness.providers import Answering, FakeProvider, provider
from tests.harness.town import Resident, Town, town

DOWN = Answering(503, b"overloaded")
FINE = Answering(200, b"{}")


@asynccontextmanager
async def two_providers(database: str, **settings: object) -> AsyncIterator[tuple[Town, FakeProvider]]:
    """The town with its phones, and another provider that is down."""
    async with provider(DOWN) as other, town(database, **settings) as story:
        yield story, other


async def reached_by(story: Town, name: str, *addresses: str, **more: object) -> Resident:
    methods = [
        {"id": str(place), "kind": "webhook", "label": f"way {place}", "address": {"url": address}}
        for place, address in enumerate(addresses)
    ]
    return await story.person(name, contact_methods=methods, **more)


async def kinds(story: Town) -> list[str]:
    return [row.kind for row in await story.rows("SELECT kind FROM timeline ORDER BY id")]


async def test_a_refused_push_brings_the_sms_forward_that_was_to_come_after_two_minutes(database: str) -> None:
    async with town(database) as story:
        story.provider.by_path["/push"] = Answering(404, b"no such topic")
        ana = await reached_by(
            story,
            "Ana",
            story.provider.url("/push"),
            story.provider.url("/ana"),
            rules=[{"contact_method": "0"}, {"contact_method": "1", "delay_s": 120}],
        )
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        page, *_ = await story.rows("SELECT due_at, created_at FROM pages WHERE number = 2")
        assert page.due_at - page.created_at < 1_000_000
        await ana.acknowledges()


async def test_while_a_provider_is_broken_nobody_waits_for_it_and_nothing_is_lost(database: str) -> None:
    """Ana has one phone, at a provider that is down. Her level's five minutes are not waited for."""
    async with two_providers(database) as (story, other):
        ana = await reached_by(story, "Ana", other.url("/ana"))
        ben = await story.person("Ben")
        policy = await story.policy([[ana], [ben]], delay_s=300)
        alerts = await story.integration("alertmanager", await story.service("s", policy, grouping={"by": "alert"}))
        await alerts.fires("DiskFull")
        await ben.is_not_paged()
        await story.passes(60)
        await ben.is_paged("DiskFull")
        tried = len(other.seen)
        assert tried == 6
        # The provider is known to be broken by now: the next incident is not even tried there.
        await alerts.fires("LinkDown")
        await ben.is_paged("LinkDown")
        assert len(other.seen) == tried
        metrics = story.world.metrics.registry
        assert metrics.get_sample_value("tocsin_breakers_open", {"notifier": "webhook"}) == 1
        assert [row.state for row in await story.rows("SELECT state FROM pages ORDER BY id")] == ["blocked", "sent"] * 2
        assert {"page_failed", "page_held"} <= set(await kinds(story))
        # It works again: what was meant for Ana arrives, and says how late it is.
        other.usual = FINE
        await story.passes(minutes=6)
        came = sorted((seen.json["title"], seen.json["late_s"] > 0, seen.json["notes"]) for seen in other.seen[tried:])
        assert came == [
            ("#1 DiskFull", True, ["This message is late by 1 min."]),
            ("#2 LinkDown", True, []),  # by seconds
        ]
        assert [row.state for row in await story.rows("SELECT DISTINCT state FROM pages")] == ["sent"]
        assert metrics.get_sample_value("tocsin_breakers_open", {"notifier": "webhook"}) == 0


async def test_an_acknowledgement_ends_what_waits_for_a_provider(database: str) -> None:
    async with two_providers(database) as (story, other):
        ana = await reached_by(story, "Ana", other.url("/ana"))
        ben = await story.person("Ben")
        service = await story.service("s", await story.policy([[ana], [ben]]))
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await story.passes(60)
        await ben.is_paged("DiskFull")
        await ben.acknowledges()
        other.usual = FINE
        tried = len(other.seen)
        await story.passes(minutes=30)
        assert len(other.seen) == tried
        assert {row.state for row in await story.rows("SELECT state FROM pages WHERE recipient = 'Ana'")} == {
            "not_needed"
        }


async def test_a_page_that_waited_its_turn_and_is_refused_is_followed_by_the_next_way_at_once(database: str) -> None:
    async with town(database, provider_pace=("webhook=1:1",)) as story:
        story.provider.by_path["/push"] = Answering(404)
        ben = await story.person("Ben")
        ana = await reached_by(story, "Ana", story.provider.url("/push"), story.provider.url("/ana"))
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ben, ana]])))
        await alerts.fires("DiskFull")
        await story.passes(8)
        await ben.is_paged("DiskFull")
        await ana.is_paged("DiskFull")
        await ana.acknowledges()


async def test_a_short_budget_delays_and_loses_nothing(database: str) -> None:
    """A provider that takes one message a second: ten pages leave within about nine seconds, each once."""
    async with town(database, provider_pace=("webhook=1:1",)) as story:
        people = [await story.person(f"P{number}") for number in range(10)]
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([people])))
        began = story.clock.now()
        await alerts.fires("DiskFull")
        assert len(story.provider.seen) == 1
        await story.passes(60)
        for person in people:
            await person.is_paged("DiskFull")
        starts = [row.started_at for row in await story.rows("SELECT started_at FROM attempts ORDER BY started_at")]
        assert len(starts) == 10
        assert all(later - earlier >= 990_000 for earlier, later in pairwise(starts))
        assert starts[-1] - began < 15_000_000
        await people[0].acknowledges()


async def test_a_provider_that_is_down_for_half_an_hour_costs_nobody_a_page_and_brings_none_twice(
    database: str,
) -> None:
    """Fifteen incidents come meanwhile: each by the other way at once. Of those that nobody has, each arrives once when it is back."""
    async with two_providers(database) as (story, other):
        ana = await reached_by(story, "Ana", other.url("/push"), story.provider.url("/ana"))
        policy = await story.policy([[ana]], delay_s=86_400)
        alerts = await story.integration("alertmanager", await story.service("s", policy, grouping={"by": "alert"}))
        for number in range(15):
            await alerts.fires(f"A{number}")
            await ana.is_paged(f"A{number}")
            if number % 3 == 0:
                await ana.acknowledges()
            await story.passes(minutes=2)
        # Five tries found it out, six more are those of the first pages, and then one now and then.
        asked = len(other.seen)
        assert asked < 25
        # Whoever looks is told, whichever process they ask.
        headers = {"authorization": f"Bearer {await story.api_key('read-only')}"}
        (shown,) = (await story.web.get("/v1/paging", headers=headers)).json()["failing"]
        assert (shown["notifier"], shown["people"], shown["tries"]) == ("webhook", ["Ana"], asked)
        (line,) = judge_tries(await story.store.read(failing))
        assert line.says == f"{asked} tries failed since 2026-01-05 00:00 UTC (Ana): Webhook answered 503"
        # A shift, a swap, a drill: what is no page goes by the way that works, too.
        await story.store.write(tell, [Notice(kind="gap", title="Nobody on Sunday", text="", person_id=ana.id)])
        story.world.wake.set()
        await ana.is_paged("Nobody on Sunday")
        assert len(other.seen) == asked
        other.usual = FINE
        other.close_all()
        await story.passes(minutes=16)
        came = [seen.json for seen in other.seen[asked:]]
        assert sorted(page["title"] for page in came) == sorted(f"#{n + 1} A{n}" for n in range(15) if n % 3)
        assert all(page["late_s"] for page in came)
        assert (await story.web.get("/v1/paging", headers=headers)).json()["failing"] == []
        assert {row.outcome for row in await story.rows("SELECT outcome FROM attempts")} == {"try_again", "accepted"}
        states = {(row.method_id, row.state): row.n for row in await story.rows(STATES)}
        assert states == {("0", "sent"): 10, ("0", "not_needed"): 5, ("1", "sent"): 15}


STATES = "SELECT method_id, state, count(*) AS n FROM pages GROUP BY method_id, state"


async def test_calls_that_end_in_a_stall_of_our_own_say_nothing_of_the_provider(database: str) -> None:
    """All that were on their way time out at once, and would shut a provider's door that is well."""
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("s", await story.policy([[ana]], delay_s=3_600), grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        await alerts.resolves("Warm")
        story.provider.usual = Answering(how="hang")
        names = [f"A{number}" for number in range(6)]
        await story.web.post(alerts.path, json=alerts._group("firing", names, "critical", {}))
        async with asyncio.timeout(20):
            while len(ana.phone.inbox()) < len(names):
                await asyncio.sleep(0.002)
        story.clock.move_to(story.clock.now() + 20 * SECOND)
        story.provider.usual = Answering(200, b"{}")
        story.provider.close_all()
        await story.passes(minutes=5)
        ana.phone.taken = len(ana.phone.inbox())
        assert ana.phone.taken == 2 * len(names)
        assert "page_held" not in await kinds(story)
