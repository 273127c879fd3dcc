"""Senders of PagerDuty find PagerDuty: the same paths, statuses and bodies, and their incidents end when they should."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pagerduty
import pytest
from apprise.plugins import pagerduty as apprise_pagerduty

from tests.harness.api_world import api
from tests.harness.town import Resident, Sender, Town, town
from tests.harness.wire import TOGETHER, listening, trusting

DATA = Path(__file__).parent.parent / "data" / "pagerduty"
V1 = "/generic/2010-04-15/create_event.json"
NAGIOS = "/nagios/2010-04-15/create_event"


async def _checkout(story: Town, **settings: Any) -> tuple[Resident, Sender]:
    ana = await story.person("Ana")
    service = await story.service("checkout", await story.policy([[ana]], delay_s=3_600), **TOGETHER)
    return ana, await story.integration("pagerduty", service, **settings)


def _event(sender: Sender, action: str = "trigger", **more: Any) -> dict[str, Any]:
    payload = {"summary": "Disk full", "source": "db-1", "severity": "critical"}
    return {"routing_key": sender.key, "event_action": action, "payload": payload, **more}


async def _posts(story: Town, path: str, body: Any, **how: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await story.web.post(path, content=content, **how)
    await story.settled()
    return answer


async def test_an_event_triggers_is_acknowledged_and_resolves(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        answer = await _posts(story, "/v2/enqueue", _event(sender, dedup_key="disk/1 ü#"))
        assert (answer.status_code, answer.json()) == (
            202,
            {"status": "success", "message": "Event processed", "dedup_key": "disk/1 ü#"},
        )
        await ana.is_paged("Disk full")
        bare = {"routing_key": sender.key, "dedup_key": "disk/1 ü#"}
        assert (await _posts(story, "/v2/enqueue/", {**bare, "event_action": "acknowledge"})).status_code == 202
        assert (await story.incident()).state == "acknowledged"
        assert (await _posts(story, "/v2/enqueue", {**bare, "event_action": "resolve"})).status_code == 202
        assert (await story.incident()).state == "resolved"
        # The same key again is a new problem; an acknowledge or resolve of an unknown one pages nobody.
        await story.passes(minutes=1)
        await _posts(story, "/v2/enqueue", _event(sender, dedup_key="disk/1 ü#"))
        await ana.is_paged("Disk full")
        for action in ("acknowledge", "resolve"):
            unknown = {"routing_key": sender.key, "dedup_key": "never seen", "event_action": action}
            assert (await _posts(story, "/v2/enqueue", unknown)).status_code == 202
        assert len(await story.incidents()) == 2


async def test_a_trigger_without_a_key_is_given_one_and_its_retry_is_no_second_incident(database: str) -> None:
    """Also across the turn of a minute; after a minute, and from another host, it is another problem."""
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("checkout", await story.policy([[ana]], delay_s=3_600), grouping={"by": "alert"})
        sender = await story.integration("pagerduty", service)
        keys = []
        for seconds in (50, 40, 40):
            await story.passes(seconds=seconds)
            keys.append((await _posts(story, "/v2/enqueue", _event(sender))).json()["dedup_key"])
        assert keys[0] == keys[1] != keys[2]
        other = _event(sender)
        other["payload"]["source"] = "db-2"
        keys.append((await _posts(story, "/v2/enqueue", other)).json()["dedup_key"])
        assert len(set(keys)) == 3
        await ana.is_paged(times=3)
        resolve = {"routing_key": sender.key, "dedup_key": keys[0], "event_action": "resolve"}
        assert (await _posts(story, "/v2/enqueue", resolve)).status_code == 202
        assert [incident.state for incident in await story.incidents()] == ["resolved", "triggered", "triggered"]


async def test_what_fails_again_after_a_person_resolved_it_pages_though_it_is_sent_once(database: str) -> None:
    """A rerun that fails says so in the same words; only within a minute may it be the repeat of what was resolved."""
    async with town(database) as story:
        ana, sender = await _checkout(story)
        await _posts(story, "/v2/enqueue", _event(sender, dedup_key="backup"))
        await ana.is_paged("Disk full")
        await story.resolves(await story.incident(), by="Ana")
        await story.passes(seconds=30)
        await _posts(story, "/v2/enqueue", _event(sender, dedup_key="backup"))
        await ana.is_not_paged()
        await story.passes(seconds=60)
        await _posts(story, "/v2/enqueue", _event(sender, dedup_key="backup"))
        await ana.is_paged("Disk full")


async def test_version_1_and_the_nagios_plugin_speak_of_the_same_problems(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        event = {"service_key": sender.key, "event_type": "trigger", "incident_key": "web/HTTP", "description": "Down"}
        answer = await _posts(story, V1, event)
        assert (answer.status_code, answer.json()) == (
            200,
            {"status": "success", "message": "Event processed", "incident_key": "web/HTTP"},
        )
        await ana.is_paged("Down")
        form = {
            "CONTACTPAGER": sender.key,
            "NOTIFICATIONTYPE": "PROBLEM",
            "HOSTNAME": "web",
            "SERVICEDESC": "HTTP",
            "SERVICESTATE": "CRITICAL",
            "SERVICEOUTPUT": "no answer",
            "pd_nagios_object": "service",
        }
        for kind in ("PROBLEM", "FLAPPINGSTART", "ACKNOWLEDGEMENT", "RECOVERY"):
            assert (await story.web.post(NAGIOS, data=form | {"NOTIFICATIONTYPE": kind})).status_code == 200
        await story.settled()
        assert (await story.incident()).state == "resolved"
        assert [row.count for row in await story.rows("SELECT count(*) AS count FROM alerts")] == [1]


async def test_what_nobody_can_read_is_refused_kept_and_seen_and_the_rest_goes_on(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        key = sender.key.encode()
        for path, body, said in (
            ("/v2/enqueue", b'{"routing_key": "%b", "event_action": "trigger",}' % key, "neither JSON"),
            ("/v2/enqueue", _event(sender, "resolve"), "dedup_key is missing or blank"),
            ("/v2/change/enqueue", {"routing_key": sender.key}, "no change event"),
            (V1, {"service_key": sender.key, "event_type": "resolve"}, "incident_key is missing"),
        ):
            answer = await _posts(story, path, body)
            assert answer.status_code == 400
            assert answer.json()["status"] == "invalid event"
            assert answer.json()["message"] == "Event object is invalid"
            assert said in answer.json()["errors"][0]
        await ana.is_paged("could not be read")
        assert (await story.rows("SELECT count(*) AS many FROM unparsed"))[0].many == 4
        for strange in ({"routing_key": "nobody's", "event_action": "trigger"}, [], "text", {}):
            answer = await _posts(story, "/v2/enqueue", strange)
            assert (answer.status_code, answer.json()["status"]) == (400, "invalid event")
        assert (await story.web.get("/v2/enqueue")).status_code == 405
        large = _event(sender, dedup_key="large")
        large["payload"]["custom_details"] = {"log": "x" * 1_200_000}
        assert (await _posts(story, "/v2/enqueue", large)).status_code == 202
        assert {row.dedup_key for row in await story.rows("SELECT dedup_key FROM alerts")} >= {"large"}


async def test_strange_fields_and_headers_lose_no_page(database: str) -> None:
    """No severity, no source, a number as key, JSON as a form, the key in a header: each of them is an alert."""
    async with town(database) as story:
        _, sender = await _checkout(story)
        form = {"content-type": "application/x-www-form-urlencoded"}
        for number, event in enumerate(
            (
                _event(sender, dedup_key=1),
                {"routing_key": sender.key, "event_action": "trigger", "payload": {"summary": "Test"}},
                {"routing_key": sender.key, "event_action": "Panic!", "payload": "all is lost", "dedup_key": "2"},
                _event(sender, dedup_key="3", payload={"summary": "x", "severity": ["odd"], "custom_details": [1, 2]}),
                _event(
                    sender, dedup_key="4", links=[None, {"href": 7}], images="none", client=5, client_url="javascript:1"
                ),
            )
        ):
            answer = await _posts(story, "/v2/enqueue", b"  " + json.dumps(event).encode(), headers=form)
            assert (answer.status_code, number) == (202, number)
        headed = {"event_action": "trigger", "payload": {"summary": "by header"}, "dedup_key": "5"}
        answer = await _posts(story, "/v2/enqueue", headed, headers={"x-routing-key": sender.key})
        assert answer.status_code == 202
        answer = await _posts(story, f"{sender.path}/v2/enqueue", headed | {"dedup_key": "6"})
        assert answer.status_code == 202
        await story.residents[0].is_paged()
        assert (await story.incident()).open_alerts == 7


async def test_a_key_that_changes_each_time_is_replaced_by_one_that_stays(database: str) -> None:
    """Netdata's agent: the dedup_key is that of the transition, so its resolve would match nothing."""
    async with town(database) as story:
        ana, sender = await _checkout(story, key_parts=["payload.custom_details.alarm_id", "payload.source"])
        for transition, action in enumerate(("trigger", "trigger", "resolve")):
            event = _event(sender, action, dedup_key=f"transition-{transition}")
            event["payload"]["custom_details"] = {"alarm_id": "1783", "status": str(transition)}
            assert (await _posts(story, "/v2/enqueue", event)).json()["dedup_key"] == "1783/db-1"
        await ana.is_paged("Disk full")
        assert (await story.incident()).state == "resolved"


async def test_changes_stand_beside_the_incidents_of_their_service_and_page_nobody(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, sender = await _checkout(story)
        build = json.loads((DATA / "v2-change-event-build.json").read_text()) | {"routing_key": sender.key}
        for _ in range(2):  # a retry is the same change
            answer = await _posts(story, "/v2/change/enqueue", build)
            assert (answer.status_code, answer.json()["status"]) == (202, "success")
        await story.passes(minutes=5)
        await _posts(story, "/v2/enqueue", _event(sender, dedup_key="1"))
        await ana.is_paged("Disk full")
        number = (await story.incident()).number
        (change,) = (await asked.reader.get(f"/incidents/{number}/changes"))["items"]
        assert change["summary"] == "Build Success: Increase snapshot create timeout to 30 seconds"
        assert change["source"] == "prod-build-agent-i-0b148d1040d565540"
        assert change["details"] == {"build_state": "passed", "build_number": "220", "run_time": "1236s"}
        assert change["links"][0]["url"] == "https://buildpipeline.com/pagerduty/deployment/builds/220"
        assert (await asked.reader.get("/changes"))["items"] == [change]
        assert "Increase snapshot create timeout" in (await ana.opens_link()).text
        told = (await asked.reader.get(f"/incidents/{number}/explain"))["entries"][0]
        assert (told["kind"], "before the incident" in told["sentence"]) == ("change", True)
        # Another service's incidents know nothing of it, and neither do those of the day after tomorrow.
        await story.resolves(await story.incident(), by="Ana")
        await story.passes(hours=30)
        await _posts(story, "/v2/enqueue", _event(sender, dedup_key="2"))
        await ana.is_paged("Disk full")
        number = max(incident.number for incident in await story.incidents())
        assert (await asked.reader.get(f"/incidents/{number}/changes"))["items"] == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_libraries_of_pagerduty_and_apprise_work_unchanged(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pagerduty` refuses http, so it is given TLS; Apprise's address is a constant of its own."""
    async with town(database) as story, listening(story, tls=True) as safe, listening(story) as plain:
        ana, sender = await _checkout(story)

        def library() -> str:
            with pagerduty.EventsApiV2Client(sender.key, base_url=safe, verify=trusting()) as client:
                key = client.trigger("Queue is stuck", "worker-1", custom_details={"depth": 9_000})
                client.acknowledge(key)
                client.resolve(key)
                client.submit("Deployed 1.2.3", source="ci", timestamp="2026-01-05T00:00:00+00:00Z")
                return key

        assert (await asyncio.to_thread(library)).startswith("tocsin-")
        await story.settled()
        assert (await story.incident()).state == "resolved"
        assert [row.summary for row in await story.rows("SELECT summary FROM changes")] == ["Deployed 1.2.3"]

        monkeypatch.setitem(apprise_pagerduty.PAGERDUTY_API_LOOKUP, "us", f"{plain}/v2/enqueue")
        parts = apprise_pagerduty.NotifyPagerDuty.parse_url(f"pagerduty://{sender.key}@api-key/cron/backup?action=map")
        tool = apprise_pagerduty.NotifyPagerDuty(**parts)
        assert await asyncio.to_thread(tool.notify, "Backup failed", "nightly", "failure")
        await story.settled()
        assert [one.title for one in await story.incidents()][1:] == ["nightly Backup failed"]
        ana.phone.taken = len(ana.phone.inbox())  # whether the first one was paged before its resolve is a race


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_sender_keeps_its_key_and_the_requests_of_the_document_work(database: str) -> None:
    async with api(database) as asked:
        admin = asked.admin
        made = await admin.create("integrations", {"name": "from PagerDuty", "kind": "pagerduty"})
        other = await admin.create("integrations", {"name": "another", "kind": "pagerduty"})
        old = "e93facc04764012d7bfb002500d5d1a6"
        shown = await admin.post(f"/integrations/{made['id']}/rotate-key", {"key": old}, status=201)
        assert shown["key"] == old
        taken = await admin.refused(409, "POST", f"/integrations/{other['id']}/rotate-key", json={"key": old})
        assert taken["code"] == "key_taken"
        await admin.refused(422, "POST", f"/integrations/{other['id']}/rotate-key", json={"key": "short"})
        text = (Path(__file__).parents[2] / "docs" / "pagerduty.md").read_text()
        bodies = re.findall(r"curl https://tocsin\.example\.org(\S+) -d '(.*?)'", text, re.DOTALL)
        assert len(bodies) == 2
        for path, body in bodies:
            answer = await _posts(asked.story, path, body.replace("<key>", old).encode())
            assert (answer.status_code, answer.json()["dedup_key"]) == (202, "try")
        assert (await asked.story.incident()).state == "resolved"
