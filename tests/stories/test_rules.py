"""Rules of people, on their way from a request to what is paged: stories on both databases."""

from __future__ import annotations

from typing import Any

from tests.harness.api_world import Asked, api


async def _rule(asked: Asked, name: str, *when: str, place: int = 100, **more: Any) -> Any:
    rest = {one: more.pop(one) for one in list(more) if one in ("stop", "examples", "enabled")}
    return await asked.admin.create("rules", {"name": name, "place": place, "when": when, "then": more, **rest})


async def test_rules_choose_enrich_suppress_and_drop_and_nothing_is_hidden(database: str) -> None:
    """One way in for everybody: rules send alerts to services by a table, and tell what they did."""
    async with api(database) as asked:
        story = asked.story
        ana, ben = await story.person("Ana"), await story.person("Ben")
        checkout = await story.service("checkout", await story.policy([[ana]]))
        orders = await story.service("orders", await story.policy([[ben]]), auto_resolve=False)
        alerts = await story.integration("alertmanager", checkout)
        csv = "host,service,team\ndb-1,orders,storage\n"
        table = await asked.admin.create("tables", {"name": "hosts", "key": "host", "csv": csv})
        assert table["rows"] == [{"host": "db-1", "service": "orders", "team": "storage"}]
        look = {"table_id": table["id"], "by": "host", "take": ["service", "team"]}
        await _rule(asked, "hosts", 'host=~".+"', place=1, look_up=look, service_from="service")
        await _rule(
            asked,
            "storage",
            'team="storage"',
            place=2,
            impact="high",
            severity="critical",
            category="storage",
            links=[{"text": "Runbook", "url": "https://runbooks.example/{alertname}"}],
        )
        lab = await _rule(asked, "lab", 'env="lab"', place=3, drop="the lab pages nobody")
        quiet = await _rule(asked, "quiet", 'alertname="Chatty"', place=4, suppress="known, see 12")

        await alerts.fires("DiskFull", severity="warning", host="db-1")
        await ben.is_paged("DiskFull")
        incident = await story.incident()
        assert (incident.service_id, incident.priority, incident.severity) == (orders, "P1", "critical")
        (found,) = (await asked.reader.get("/alerts"))["items"]
        assert found["labels"] == {
            "alertname": "DiskFull",
            "severity": "warning",
            "host": "db-1",
            "service": "orders",
            "team": "storage",
            "category": "storage",
        }
        assert found["links"][-1] == {"label": "Runbook", "url": "https://runbooks.example/DiskFull"}
        assert found["rules"] == [
            "rule 'hosts' took service, team from the table 'hosts', chose the service 'orders'",
            (
                "rule 'storage' put it into the category 'storage', added the link 'Runbook', made warning critical, "
                "set the impact high"
            ),
        ]
        why = await asked.reader.get(f"/incidents/{incident.number}/explain")
        assert "rule 'storage' put it into the category" in str(why)

        await alerts.fires("DiskFull", severity="warning", host="db-1")  # a repeat is one, whatever rules added
        await alerts.resolves("DiskFull", severity="warning", host="db-1")
        assert (await story.incident()).state == "triggered", "its own service does not resolve it"

        await alerts.fires("Noise", "More", env="lab")
        await alerts.resolves("More", env="lab")
        await alerts.fires("Chatty")
        (chatty,) = (await asked.reader.get("/alerts", params={"state": "open"}))["items"]
        assert (chatty["title"], chatty["incident"], chatty["reason"]) == ("Chatty", None, "suppressed")
        assert chatty["because"] == "rule 'quiet' suppressed it: known, see 12"
        assert len(await story.incidents()) == 1

        await story.passes(1)
        await story.flushed()
        hits = {one["name"]: (one["hits"], one["dropped"]) for one in (await asked.reader.get("/rule-hits"))["items"]}
        assert hits == {"hosts": (1, 0), "storage": (1, 0), "lab": (3, 3), "quiet": (1, 0)}
        seen = (await asked.reader.get(f"/rules/{lab['id']}/dropped"))["items"]
        assert [(one["title"], one["reason"]) for one in seen] == [
            ("More", "the lab pages nobody"),
            ("More", "the lab pages nobody"),
            ("Noise", "the lab pages nobody"),
        ]
        assert seen[0]["labels"]["env"] == "lab"

        # A rule that is gone hides nothing any more: what still fires is an alert with its next message.
        await asked.admin.done(204, "DELETE", f"/rules/{lab['id']}", version=lab["version"])
        await alerts.fires("Noise", env="lab")
        await ana.is_paged("Noise")
        assert (await asked.reader.get(f"/rules/{lab['id']}/dropped"))["items"]
        await asked.admin.refused(409, "DELETE", f"/tables/{table['id']}", version=1)
        assert quiet["warnings"] == []


async def test_an_update_goes_by_the_rules_too(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("checkout", await story.policy([[ana]])))
        await _rule(asked, "less", 'env="test"', urgency="low", labels={"seen": "yes"})
        await alerts.fires("Disk", severity="critical", env="test")
        await ana.is_paged()
        changed = alerts._group("firing", ["Disk"], "critical", {"env": "test"})
        changed["alerts"][0]["annotations"]["summary"] = "Disk is quite full"
        await alerts.posts(changed)
        (found,) = (await asked.reader.get("/alerts"))["items"]
        assert found["title"] == "Disk is quite full"
        assert (found["severity"], found["labels"]["seen"]) == ("warning", "yes")
        assert (await story.incident()).priority == "P4"


async def test_a_dry_run_tells_what_rules_would_do(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana")
        checkout = await story.service("checkout", await story.policy([[ana]]))
        alerts = await story.integration("alertmanager", None)
        await _rule(asked, "to checkout", 'alertname="Disk"', service_id=str(checkout))
        await _rule(asked, "lab", 'alertname="Lab"', drop="the lab")
        payload = alerts._group("firing", ["Disk", "Lab"], "critical", {})
        found = await asked.responder.post("/dry-run", {"integration_id": str(alerts.id), "payload": payload})
        assert "rule 'to checkout' chose the service 'checkout'" in found["events"][0]["sentence"]
        assert "rule 'lab' dropped it: the lab" in found["events"][1]["sentence"]
        assert found["incidents"][0]["service"] == "checkout"
        assert not await story.rows("SELECT 1 FROM rule_hits")


async def test_what_is_saved_is_checked_first(database: str) -> None:
    async with api(database) as asked:

        async def refused(**document: Any) -> Any:
            said = {"name": "r", "then": {"severity": "info"}, **document}
            (error, *_) = (await asked.admin.refused(422, "POST", "/rules", json=said))["errors"]
            return error["field"], error["message"]

        assert await refused(when=['host=~"("']) == (
            "when.0",
            (
                "the expression '(' can't be used (missing ): (); it must be RE2, which has no look-around and no "
                "back-references"
            ),
        )
        assert (await refused(then={"service_id": "77"})) == ("then.service_id", "there is no service with the id '77'")
        field, said = await refused(when=['@service="nobody"'])
        assert (field, said) == ("when.0", "can never match: there is no service called nobody")
        field, said = await refused(when=['a="1"'], examples=[{"labels": {"a": "2"}}])
        assert (field, said) == ("examples.0", 'does not match: a="1" does not hold')
        assert (await asked.reader.get("/rules"))["items"] == []

        rows = [{"host": "a", "team": "x"}]
        table = await asked.admin.create("tables", {"name": "hosts", "key": "host", "rows": rows})
        look = {"table_id": table["id"], "by": "host", "take": ["team"]}
        assert (await refused(then={"look_up": {**look, "take": ["owner"]}}))[0] == "then.look_up.take.0"
        example = {"labels": {"host": "a"}, "gives": {"team": "x"}}
        await _rule(asked, "first", 'host=~".+"', place=1, look_up=look, examples=[example], stop=True)
        changed = {"name": "hosts", "key": "host", "rows": [{"host": "a", "team": "y"}]}
        problem = await asked.admin.refused(422, "PUT", f"/tables/{table['id']}", json=changed, version=1)
        assert "the rule 'first' would not keep its examples 0" in str(problem)
        hidden = await _rule(asked, "second", 'host=~".+"', 'a="1"', place=2, severity="info")
        assert hidden["warnings"] == [
            "this rule is never asked: the rule 'first' before it stops all that it could match"
        ]
