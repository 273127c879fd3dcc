"""Five people acknowledge at once, over two processes, while the page is on its way: one wins, and nothing is sent afterwards."""

from __future__ import annotations

import asyncio

from app.incidents import respond
from app.store.errors import Contended
from tests.harness.town import Town, replicas

INCIDENTS = 60
PEOPLE = ("Ana", "Ben", "Cat", "Dan", "Eva")


async def _tries(story: Town, number: int) -> int:
    question = (
        "SELECT count(*) AS n FROM attempts a JOIN pages p ON p.id = a.page_id "
        "JOIN incidents i ON i.id = p.incident_id WHERE i.number = :number"
    )
    return int((await story.rows(question, number=number))[0].n)


async def _acknowledged(story: Town, number: int, who: str) -> int:
    """How often had been tried to page when this person's acknowledgement was committed; some came too late to count."""
    while True:
        try:
            await story.store.write(respond.acknowledge, number, who)
        except Contended:
            continue
        return await _tries(story, number)


async def test_of_three_hundred_acknowledgements_one_of_each_five_wins_and_no_page_follows_it(database: str) -> None:
    async with replicas(database) as (one, other):
        ana = await one.person("Ana")
        service = await one.service("s", await one.policy([[ana], [ana]], delay_s=60), grouping={"by": "alert"})
        alerts = await one.integration("alertmanager", service)
        for number in range(1, INCIDENTS + 1):
            document = alerts._group("firing", [f"A{number}"], "critical", {})
            assert (await one.web.post(alerts.path, json=document)).status_code == 202
            both = (one, other)
            tried = await asyncio.gather(
                *(_acknowledged(both[place % 2], number, who) for place, who in enumerate(PEOPLE))
            )
            await one.settled()
            assert await _tries(one, number) <= min(tried)
        one.clock.move_to(one.clock.now() + 3_600_000_000)
        for story in (one, other):
            story.world.wake.set()
        await one.settled()
        rows = await one.rows(
            "SELECT i.number, i.state, (SELECT count(*) FROM attempts a JOIN pages p ON p.id = a.page_id "
            "WHERE p.incident_id = i.id) AS tries FROM incidents i"
        )
        assert {row.state for row in rows} == {"acknowledged"}
        assert all(row.tries <= 1 for row in rows)
