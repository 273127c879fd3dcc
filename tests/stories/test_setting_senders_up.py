"""Setting a sender up by the API: tried before it is saved, tested the whole way, watched while it runs."""

from __future__ import annotations

import argparse
import json
import re
import shlex

from tests.harness.api_world import api

BODY = {"Vorfall": {"Name": "Platte voll", "Rechner": "db-1", "Stufe": "schlimm"}, "Status": "weg"}
MAPPING = {
    "title": "Vorfall.Name",
    "key_parts": ["Vorfall.Rechner", "Vorfall.Name"],
    "status": "Status",
    "statuses": {"weg": "resolved"},
    "severity": "Vorfall.Stufe",
    "severities": {"schlimm": "critical"},
}


async def test_a_mapping_is_tried_on_a_pasted_message_and_nothing_is_written(database: str) -> None:
    async with api(database) as asked:
        senders = (await asked.reader.get("/senders"))["items"]
        assert {"generic", "sns", "azure", "nagios"} <= {one["kind"] for one in senders}
        (generic,) = (one for one in senders if one["kind"] == "generic")
        assert "key_parts" in generic["settings_schema"]["properties"]
        assert await asked.reader.get("/senders/generic") == generic
        await asked.reader.refused(404, "GET", "/senders/pigeon")

        trial = {"settings": MAPPING, "body": json.dumps(BODY)}
        came = await asked.responder.post("/senders/generic/try", trial)
        (event,) = came["events"]
        assert (event["title"], event["key"]) == ("Platte voll", "db-1/Platte voll")
        assert (event["status"], event["severity"]) == ("resolved", "critical")
        assert came["unreadable"] is None

        refused = await asked.responder.post("/senders/sns/try", {"body": "{'no': json}"})
        assert (refused["events"], "neither JSON" in refused["unreadable"]) == ([], True)
        signed = {"settings": {"secret": "hunter2hunter2"}, "body": json.dumps(senders[-1]["example"])}
        assert (await asked.responder.post("/senders/generic/try", signed))["events"]
        wrong = {"settings": {"title": "$.a", "colour": "red"}, "body": "{}"}
        problem = await asked.responder.refused(422, "POST", "/senders/generic/try", json=wrong)
        assert [one["field"] for one in problem["errors"]] == ["settings.title.0", "settings.colour"]
        await asked.reader.refused(403, "POST", "/senders/generic/try", json=trial)
        for table in ("alerts", "unparsed", "samples", "resources"):
            assert await asked.story.rows(f"SELECT 1 FROM {table}") == [], table


async def test_a_test_goes_the_whole_way_and_the_setup_shows_what_came_and_what_went_wrong(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        policy = await asked.story.policy([[ana]], delay_s=3_600)
        service = await asked.story.service("shop", policy, grouping={"by": "alert"})
        document = {"name": "pings", "kind": "pingdom", "service_id": str(service), "settings": {"samples": 5}}
        made = await asked.admin.create("integrations", document)
        assert made["url"] in made["guide"]
        path = f"/integrations/{made['id']}"
        setup = await asked.reader.get(f"{path}/setup")
        assert (setup["last_seen_at"], setup["errors"], setup["open_alerts"]) == (None, [], 0)
        assert "http://tocsin.test/v1/in/pingdom/KEY" in setup["guide"]

        quiet = await asked.responder.post(f"{path}/test")
        assert (quiet["events"], quiet["incident"]) == (1, None)
        await asked.story.settled()
        await ana.is_not_paged()
        loud = await asked.responder.post(f"{path}/test", {"page": True})
        assert loud["incident"] == 1
        await ana.is_paged("A test of the way from Pingdom")
        await asked.reader.refused(403, "POST", f"{path}/test")
        await asked.responder.refused(404, "POST", "/integrations/8012345678901234/test")

        assert (await asked.story.web.post(made["url"], content=b"{}")).status_code == 400
        good = {"check_id": 7, "check_name": "shop", "current_state": "UP", "token": "hunter2"}
        assert (await asked.story.web.post(made["url"], json=good)).status_code == 202
        await ana.is_paged("could not be read")
        seen_at = (await asked.reader.get(f"{path}/setup"))["last_seen_at"]  # at once, though it is written later
        await asked.story.process.watchers.listen()
        setup = await asked.reader.get(f"{path}/setup")
        assert setup["last_seen_at"] == seen_at is not None
        assert (setup["errors_last_day"], "no message of Pingdom" in setup["errors"][0]["reason"]) == (1, True)
        assert setup["open_alerts"] == 3
        (sample,) = (await asked.reader.get(f"{path}/samples"))["items"]
        assert (sample["events"], "hunter2" in sample["body"], "shop" in sample["body"]) == (1, False, True)
        await asked.story.passes(minutes=11)
        (first, second) = await asked.story.incidents()
        assert (first.state, second.state) == ("resolved", "triggered")  # the test is over by itself
        await asked.story.passes(hours=3)


async def test_the_requests_of_the_guides_can_be_pasted(database: str) -> None:
    """Their first fires, their second resolves."""
    curl = argparse.ArgumentParser()
    for option in ("--retry", "-d", "-X"):
        curl.add_argument(option)
    curl.add_argument("-fsS", action="store_true")
    curl.add_argument("-H", action="append", default=[])
    curl.add_argument("url")
    async with api(database) as asked:
        service = await asked.story.service("shop")
        for kind in ("generic", "opsgenie", "pagerduty"):
            made = await asked.admin.create("integrations", {"name": kind, "kind": kind, "service_id": str(service)})
            snippet = re.search(r"```sh\n(.*?)```", made["guide"], re.DOTALL)
            assert snippet
            opened = []
            for request in snippet[1].split("curl ")[1:]:
                said = curl.parse_args(shlex.split(request))
                headers = dict(header.split(": ") for header in said.H)
                answer = await asked.story.web.request(said.X or "POST", said.url, content=said.d, headers=headers)
                assert answer.status_code == 202, answer.text
                opened.append((await asked.reader.get(f"/integrations/{made['id']}/setup"))["open_alerts"])
            assert opened == [1, 0], kind


async def test_only_the_watchdog_is_a_sign_of_life_where_it_is_expected(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        service = str(await asked.story.service("metrics", await asked.story.policy([[ana]], delay_s=36_000)))
        document = {"name": "prometheus", "kind": "alertmanager", "service_id": service}
        expected = {"expect_every_s": 60, "expect_alert": "Watchdog"}
        made = await asked.admin.create("integrations", {**document, **expected})

        async def sends(name: str, severity: str = "none") -> None:
            alert = {"labels": {"alertname": name, "severity": severity}, "status": "firing"}
            answer = await asked.story.web.post(made["url"], json={"status": "firing", "alerts": [alert]})
            assert answer.status_code == 202
            await asked.story.process.watchers.listen()
            await asked.story.settled()

        await sends("Other")
        assert (await asked.reader.get(f"/integrations/{made['id']}/state"))["state"] == "waiting"
        await sends("Watchdog")
        assert (await asked.reader.get(f"/integrations/{made['id']}/state"))["state"] == "up"
        for _ in range(20):  # three intervals and a little, in which others go on sending
            await ana.is_not_paged()
            await asked.story.passes(seconds=10)
            await sends("Other")
        await ana.is_paged("prometheus")
        await sends("Watchdog")
        assert (await asked.reader.get(f"/integrations/{made['id']}/state"))["state"] == "up"
