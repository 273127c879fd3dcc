"""What does not page while something else explains it: stories on both databases."""

from __future__ import annotations

from typing import Any

from tests.harness.api_world import Asked, api
from tests.harness.town import Resident, Sender

NODE = {
    "name": "a node explains its pods",
    "source": ['alertname="NodeDown"'],
    "target": ['alertname=~"Pod.*|NodeDown"'],
    "equal": ["node"],
}


async def _cluster(asked: Asked) -> tuple[Resident, Sender]:
    story = asked.story
    ana = await story.person("Ana")
    service = await story.service("cluster", await story.policy([[ana]], delay_s=86_400), grouping={"by": "alert"})
    return ana, await story.integration("alertmanager", service)


async def test_a_target_pages_when_its_source_has_ended(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, alerts = await _cluster(asked)
        await asked.admin.create("inhibitions", NODE)
        await alerts.fires("NodeDown", node="n1")
        await ana.is_paged("NodeDown")  # it is a target of its own rule, and does not inhibit itself
        await alerts.fires("NodeDown", node="n1", probe="other")
        await ana.is_paged("NodeDown")  # nor does another that is both
        await alerts.fires("PodCrash", node="n1")
        await ana.is_not_paged()
        await alerts.fires("PodCrash", node="n2")
        await ana.is_paged("PodCrash")
        quiet = [one for one in await story.incidents() if one.quiet_because]
        assert [one.quiet_because for one in quiet] == ["inhibited by 'NodeDown' (rule 'a node explains its pods')"]
        why = await asked.reader.get(f"/incidents/{quiet[0].number}/explain")
        assert "inhibited by 'NodeDown'" in str(why["entries"])
        await story.passes(minutes=30)
        await ana.is_not_paged()
        await alerts.resolves("NodeDown", node="n1", probe="other")
        await ana.is_not_paged()  # there is another that fires
        await alerts.resolves("NodeDown", node="n1")
        await ana.is_paged("PodCrash")
        assert not await story.rows("SELECT 1 FROM inhibitors")


async def test_a_person_who_resolves_the_source_wakes_what_it_inhibited(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, alerts = await _cluster(asked)
        await asked.admin.create("inhibitions", NODE)
        await alerts.fires("NodeDown", node="n1")
        await ana.is_paged("NodeDown")
        await alerts.fires("PodCrash", node="n1")
        await ana.is_not_paged()
        (node, *_) = await story.incidents()
        await story.resolves(node, by="Ana")
        story.world.wake.set()
        await ana.is_paged("PodCrash")


async def test_a_rule_that_is_new_looks_at_what_fires_already_and_one_that_is_gone_inhibits_nothing(
    database: str,
) -> None:
    async with api(database) as asked:
        ana, alerts = await _cluster(asked)
        await alerts.fires("NodeDown", node="n1")
        await ana.is_paged("NodeDown")
        rule = await asked.admin.create("inhibitions", NODE)
        await asked.story.settled()
        await alerts.fires("PodCrash", node="n1")
        await ana.is_not_paged()
        await asked.admin.done(204, "DELETE", f"/inhibitions/{rule['id']}", version=1)
        await ana.is_paged("PodCrash")


async def test_a_rule_that_can_never_match_is_refused(database: str) -> None:
    async with api(database) as asked:

        async def refused(**more: Any) -> str:
            return str((await asked.admin.refused(422, "POST", "/inhibitions", json={**NODE, **more}))["detail"])

        assert "`source` can never match" in await refused(source=['a="1"', 'a="2"'])
        assert "RE2" in await refused(target=['a=~"(?=x)"'])


async def test_what_is_down_explains_the_services_above_it(database: str) -> None:
    """By the declared graph: the shop needs orders, which needs the database."""
    async with api(database) as asked:
        ana, alerts = await _cluster(asked)
        services = {"shop": {"calls": ["orders"]}, "orders": {"calls": ["db"]}, "db": {}, "mail": {}}
        await asked.admin.create("graphs", {"name": "all", "services": services})
        said = {"name": "down", "source": ['alertname="Down"'], "target": ['alertname="Slow"'], "needs": "service"}
        await asked.admin.create("inhibitions", said)
        await alerts.fires("Down", service="db")
        await ana.is_paged("Down")
        await alerts.fires("Slow", service="shop")
        await ana.is_not_paged()
        await alerts.fires("Slow", service="mail")
        await ana.is_paged("Slow")
        await alerts.resolves("Down", service="db")
        await ana.is_paged("Slow")
