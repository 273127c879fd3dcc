"""Two processes on one database: no leader, and nothing happens twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.harness.clock import StoryClock
from tests.harness.providers import Answering, provider
from tests.harness.town import Sender, begin


async def test_two_replicas_open_one_incident_for_one_group_and_page_once(database: str) -> None:
    """Different alerts of one service, the same ones twice, all at the same moment through both."""
    async with provider(Answering(200, b"{}")) as fake:
        clock = StoryClock()
        one = await begin(database, clock, fake, seed=1)
        ana = await one.person("Ana")
        service = await one.service("checkout", await one.policy([[ana]], delay_s=3_600))
        alerts = await one.integration("alertmanager", service)
        other = await begin(database, clock, fake, seed=2)
        there = Sender(other, alerts.id, alerts.kind, alerts.key)
        await asyncio.gather(
            *(sender.fires(f"A{number}") for number in range(30) for sender in (alerts, there)),
        )
        await one.settled()
        await other.settled()
        assert [incident.alerts for incident in await one.incidents()] == [30]
        assert len(ana.phone.inbox()) == 1
        assert (await one.rows("SELECT count(*) AS n FROM alerts"))[0].n == 30
        for story in (one, other):
            await story.web.aclose()
            await story.process.stop()


@pytest.mark.parametrize("by", [{}, {"grouping": {"by": "service"}}], ids=["evidence", "rule"])
async def test_replicas_that_open_at_the_same_moment_open_one_incident_for_each_group(
    database: str, by: dict[str, Any]
) -> None:
    """Ten services; through each replica another alert of each, at once: no alert is known to both, only the group is."""
    async with provider(Answering(200, b"{}")) as fake:
        clock = StoryClock()
        one, other = await begin(database, clock, fake, seed=1), await begin(database, clock, fake, seed=2)
        ana = await one.person("Ana")
        policy = await one.policy([[ana]], delay_s=3_600)
        for number in range(10):
            alerts = await one.integration("alertmanager", await one.service(f"service {number}", policy, **by))
            there = Sender(other, alerts.id, alerts.kind, alerts.key)
            await alerts.resolves("Warm")
            await there.resolves("Warm")
            await asyncio.gather(alerts.fires("Here"), there.fires("There"))
        await one.settled()
        assert [incident.alerts for incident in await one.incidents()] == [2] * 10
        assert len(ana.phone.inbox()) == 10
        for story in (one, other):
            await story.web.aclose()
            await story.process.stop()


async def test_what_one_replica_resolved_the_other_does_not_call_a_repeat(database: str) -> None:
    """Nothing in memory decides: an alert fired here, resolved there and fired here again is a new one, and pages."""
    async with provider(Answering(200, b"{}")) as fake:
        clock = StoryClock()
        one, other = await begin(database, clock, fake, seed=1), await begin(database, clock, fake, seed=2)
        ana = await one.person("Ana")
        service = await one.service("checkout", await one.policy([[ana]], delay_s=3_600))
        alerts = await one.integration("alertmanager", service)
        there = Sender(other, alerts.id, alerts.kind, alerts.key, alerts.starts)
        await alerts.fires("DiskFull")
        await there.resolves("DiskFull")
        clock.move_to(clock.now() + 60_000_000)
        await alerts.fires("DiskFull")
        await one.settled()
        await other.settled()
        assert len(ana.phone.inbox()) == 2
        assert [(one.state, one.alerts, one.returns) for one in await one.incidents()] == [("triggered", 2, 1)]
        for story in (one, other):
            await story.web.aclose()
            await story.process.stop()
