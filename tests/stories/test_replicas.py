"""Two processes on one database: no leader, and nothing happens twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.harness.providers import Answering
from tests.harness.town import Sender, replicas


async def test_two_replicas_open_one_incident_for_one_group_and_page_once(database: str) -> None:
    """Different alerts of one service, the same ones twice, all at the same moment through both."""
    async with replicas(database) as (one, other):
        ana = await one.person("Ana")
        service = await one.service("checkout", await one.policy([[ana]], delay_s=3_600))
        alerts = await one.integration("alertmanager", service)
        there = Sender(other, alerts.id, alerts.kind, alerts.key)
        await asyncio.gather(
            *(sender.fires(f"A{number}") for number in range(30) for sender in (alerts, there)),
        )
        await one.settled()
        assert [incident.alerts for incident in await one.incidents()] == [30]
        assert len(ana.phone.inbox()) == 1
        assert (await one.rows("SELECT count(*) AS n FROM alerts"))[0].n == 30


@pytest.mark.parametrize("by", [{}, {"grouping": {"by": "service"}}], ids=["evidence", "rule"])
async def test_replicas_that_open_at_the_same_moment_open_one_incident_for_each_group(
    database: str, by: dict[str, Any]
) -> None:
    """Ten services; through each replica another alert of each, at once: no alert is known to both, only the group is."""
    async with replicas(database) as (one, other):
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


async def test_what_one_replica_resolved_the_other_does_not_call_a_repeat(database: str) -> None:
    """Nothing in memory decides: an alert fired here, resolved there and fired here again is a new one, and pages."""
    async with replicas(database) as (one, other):
        ana = await one.person("Ana")
        service = await one.service("checkout", await one.policy([[ana]], delay_s=3_600))
        alerts = await one.integration("alertmanager", service)
        there = Sender(other, alerts.id, alerts.kind, alerts.key, alerts.starts)
        await alerts.fires("DiskFull")
        await there.resolves("DiskFull")
        one.clock.move_to(one.clock.now() + 60_000_000)
        await alerts.fires("DiskFull")
        await one.settled()
        assert len(ana.phone.inbox()) == 2
        assert [(one.state, one.alerts, one.returns) for one in await one.incidents()] == [("triggered", 2, 1)]


async def test_a_story_that_lets_time_go_by_waits_for_all_replicas(database: str) -> None:
    """Else the clock would end the claim of one that is at work, and the page would come twice."""
    async with replicas(database, hints_url="off") as (one, other):
        ana = await one.person("Ana")
        service = await one.service("s", await one.policy([[ana]], delay_s=3_600))
        there = await other.integration("alertmanager", service)
        await there.resolves("Warm")
        one.provider.usual = Answering(200, b"{}", slow_s=0.3)
        assert (await other.web.post(there.path, json=there._group("firing", ["DiskFull"], "critical", {}))).is_success
        await one.provider.asked.wait()
        await one.passes(minutes=6)
        assert len(ana.phone.inbox()) == 1
