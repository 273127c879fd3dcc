"""Senders and libraries of Opsgenie find Opsgenie's Alert API: paths, statuses, identifiers, request status at once, searches."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import opsgenie_sdk
import pytest
from apprise.plugins import opsgenie as apprise_opsgenie

from app.clock import MINUTE, iso, to_datetime
from tests.harness.town import Resident, Sender, Town, town
from tests.harness.wire import TOGETHER, listening

DATA = Path(__file__).parent.parent / "data" / "opsgenie"


async def _checkout(story: Town) -> tuple[Resident, Sender]:
    ana = await story.person("Ana")
    made = await story.service("checkout", await story.policy([[ana]], delay_s=3_600), **TOGETHER)
    return ana, await story.integration("opsgenie", made)


async def _asks(story: Town, sender: Sender, method: str, path: str, body: Any = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {"authorization": f"GenieKey {sender.key}", "content-type": "application/json"}
    answer = await story.web.request(method, f"/v2/alerts{path}", content=content, headers=headers)
    await story.settled()
    return answer


async def _does(story: Town, sender: Sender, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Something that changes an alert; answers what its request did."""
    answer = await _asks(story, sender, method, path, body)
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert said["result"] == "Request will be processed"
    assert isinstance(said["took"], float)
    told = await _asks(story, sender, "GET", f"/requests/{said['requestId']}")
    assert told.status_code == 200, told.text
    assert told.json()["requestId"] == said["requestId"]
    return told.json()["data"] | {"requestId": said["requestId"]}


async def _reads(story: Town, sender: Sender, path: str) -> Any:
    answer = await _asks(story, sender, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_the_life_of_an_alert_by_each_of_its_names(database: str) -> None:
    """Alias (with slashes, spaces and umlauts), id, tiny id and the id of the request that made it; slashes at the end."""
    async with town(database) as story:
        ana, sender = await _checkout(story)
        alias = "db-2/lag ü#1"
        body = json.loads((DATA / "create-full-responders-mixed.json").read_text()) | {"alias": alias}
        made = await _does(story, sender, "POST", "/", body)
        assert (made["action"], made["status"]) == ("Create", "Created alert")
        assert (made["success"], made["isSuccess"], made["alias"]) == (True, True, alias)
        await ana.is_paged("An example alert message")
        named = f"/{quote(alias, safe='')}"
        alert = await _reads(story, sender, f"{named}/?identifierType=alias")
        assert alert["message"] == "An example alert message"
        assert (alert["status"], alert["acknowledged"], alert["priority"], alert["count"]) == ("open", False, "P1", 1)
        assert (alert["tags"], alert["actions"]) == (["tag1", "tag2"], ["action1", "action2"])
        assert alert["details"] == {"key1": "value1", "key2": "value2"}
        assert (alert["entity"], alert["source"]) == ("An example entity", "The source")
        assert alert["responders"][1] == {"type": "team", "id": "NOC", "name": "NOC"}
        assert alert["integration"]["type"] == "API"
        names = [f"/{made['alertId']}", f"/{made['requestId']}", "/1?identifierType=tiny", "/db-2/lag%20%C3%BC%231/"]
        for name in names:
            assert await _reads(story, sender, name) == alert, name

        monitoring = json.loads((DATA / "requests" / "acknowledge-or-close-body.json").read_text())
        taken = await _does(story, sender, "POST", f"{named}/acknowledge?identifierType=alias", monitoring)
        assert (taken["action"], taken["alertId"]) == ("Acknowledge", made["alertId"])
        incident = await story.incident()
        who = f"Monitoring Script ({alert['integration']['name']})"
        assert (incident.state, incident.acknowledged_by) == ("acknowledged", who)
        (note,) = await _reads(story, sender, f"{named}/notes?identifierType=alias")
        assert (note["note"], note["owner"]) == ("Action executed via Alert API", who)
        done = await _does(
            story, sender, "POST", f"{named}/actions/restart%2Fit/?identifierType=alias", {"note": "now"}
        )
        assert (done["action"], done["alertId"]) == ("CustomAction", made["alertId"])
        assert (await _reads(story, sender, f"{names[0]}/notes"))[0]["note"] == "custom action restart/it: now"
        assert (await _reads(story, sender, f"{names[0]}/notes?order=asc&limit=1")) == [note]
        await _does(story, sender, "POST", "/1/unacknowledge?identifierType=tiny")
        await ana.is_paged("An example alert message")
        await story.passes(seconds=1)
        until = iso(story.clock.now() + 10 * MINUTE + 700_000)
        await _does(story, sender, "POST", f"{names[0]}/snooze", {"endTime": until})
        alert = await _reads(story, sender, names[0])
        assert (alert["acknowledged"], alert["snoozed"], alert["snoozedUntil"]) == (True, True, until)
        assert alert["updatedAt"] == iso(story.clock.now()) > alert["lastOccurredAt"]
        await story.passes(minutes=11)
        await ana.is_paged("An example alert message")
        kuma = json.loads((DATA / "requests" / "close-body-from-uptime-kuma.json").read_text())
        closed = await _does(story, sender, "POST", "/db-2/lag%20%C3%BC%231/close/?identifierType=alias", kuma)
        assert closed["status"] == "Closed alert"
        assert (await _reads(story, sender, names[0]))["status"] == "closed"
        assert (await story.incident()).state == "resolved"
        # Afterwards the alias is free: the same create is a new alert, and a new incident.
        await story.passes(minutes=1)
        again = await _does(story, sender, "POST", "", body)
        assert again["alertId"] != made["alertId"]
        await ana.is_paged("An example alert message")


async def test_what_an_alert_shows_is_changed_without_its_being_counted_again(database: str) -> None:
    """What Alertmanager does with `update_alerts`, and people by hand. Only a graver priority pages anew."""
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        service = await story.service("checkout", await story.policy([[ana], [ben]], delay_s=3_600))
        sender = await story.integration("opsgenie", service)
        await _does(story, sender, "POST", "", {"message": "Slow", "alias": "a", "priority": "P3", "tags": "one,two:2"})
        await ana.is_paged("Slow")
        for method, what, body in (
            ("PUT", "message", {"message": "Down"}),
            ("PUT", "description", {"description": "all of it"}),
            ("PUT", "priority", {"priority": "P1"}),
            ("POST", "tags", {"tags": ["three", "two:2"]}),
            ("POST", "details", {"details": {"region": "eu", "password": "x"}}),
            ("POST", "assign", {"owner": {"username": "bo@example.org"}}),
        ):
            assert (await _does(story, sender, method, f"/a/{what}?identifierType=alias", body))["success"]
        await _does(story, sender, "DELETE", "/a/tags?identifierType=alias&tags=one,absent")
        alert = await _reads(story, sender, "/a?identifierType=alias")
        assert (alert["message"], alert["description"], alert["priority"]) == ("Down", "all of it", "P1")
        assert (alert["tags"], alert["details"], alert["count"]) == (["two:2", "three"], {"region": "eu"}, 1)
        assert (await story.incident()).severity == "critical"
        await _does(story, sender, "DELETE", "/a/details?identifierType=alias&keys=region")
        assert (await _reads(story, sender, "/a?identifierType=alias"))["details"] == {}
        await ana.is_paged("Slow")
        labels = json.loads((await story.rows("SELECT labels FROM alerts"))[0].labels)
        assert labels == {"two": "2", "three": "true"}
        await _does(story, sender, "POST", "/a/escalate?identifierType=alias", {"escalation": {"name": "next"}})
        # The same create again is a repeat: counted, with what it says now.
        await _does(story, sender, "POST", "", {"message": "Slow", "alias": "a", "priority": "P3"})
        assert (await _reads(story, sender, "/a?identifierType=alias"))["count"] == 2
        await ben.is_paged("Slow")
        await _does(story, sender, "POST", "/a/assign?identifierType=alias", {"owner": {"username": "ana"}})
        await ana.is_paged("Slow")


async def test_searching_counting_and_pages(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        for number in range(5):
            tag = "even" if number % 2 == 0 else "odd"
            body = {"message": f"Backup {number}", "alias": f"b{number}", "priority": f"P{number + 1}", "tags": [tag]}
            await _does(story, sender, "POST", "", body)
            await story.passes(seconds=1)
        await _does(story, sender, "POST", "/b0/close?identifierType=alias")
        for query, aliases in (
            ("", "b4 b3 b2 b1 b0"),
            ("status: open AND tag: even", "b4 b2"),
            ("status=closed OR (priority: P2 AND NOT tag: even)", "b1 b0"),
            ('message: "backup 3"', "b3"),
            ("backup* NOT odd", "b4 b2 b0"),
            ("count > 0 alias: b1", "b1"),
            ("priority: (P1 OR P5)", "b4 b0"),
            (f"createdAt > {story.clock.now() // 1_000 - 2_500}", "b4 b3"),
            ("createdAt >= 05-01-2026 AND status: open owner:NULL", "b4 b3 b2 b1"),
            ("createdAt > 06-01-2026", ""),
        ):
            found = await _reads(story, sender, f"?query={quote(query)}")
            assert [one["alias"] for one in found] == aliases.split(), query
            counted = await _reads(story, sender, f"/count?query={quote(query)}")
            assert counted == {"count": len(found)}
        page = (await _asks(story, sender, "GET", "?limit=2&offset=2&sort=alias&order=asc")).json()
        assert [one["alias"] for one in page["data"]] == ["b2", "b3"]
        assert "offset=4" in page["paging"]["next"]
        assert "description" not in page["data"][0]
        assert "limit=100&" in (await _asks(story, sender, "GET", "?limit=2000")).json()["paging"]["first"]
        for wrong in ("?query=nonsense:%20x", "?query=(a", "?limit=0", "?sort=beauty", "?searchIdentifier=mine"):
            assert (await _asks(story, sender, "GET", wrong)).status_code == 422, wrong
        text = (Path(__file__).parents[2] / "docs" / "opsgenie.md").read_text()
        (body,) = re.findall(r"v2/alerts -H .*? -d '(.*?)'\n", text)
        assert (await _does(story, sender, "POST", "", body.encode()))["alias"] == "try"
        stranger = await story.integration("opsgenie", None)
        assert await _reads(story, stranger, "") == []
        ana.phone.taken = len(ana.phone.inbox())


async def test_what_is_strange_loses_no_page_and_what_is_wrong_is_said_as_opsgenie_does(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        zabbix = (DATA / "create-from-zabbix-7.json").read_bytes()
        strange = {
            "message": 7,
            "tags": [""],
            "responders": [{"name": ""}],
            "details": "text",
            "actions": "one",
            "priority": "?",
        }
        for body in (zabbix, (DATA / "create-from-alertmanager-empty-message.json").read_bytes(), strange):
            assert (await _does(story, sender, "POST", "", body))["success"]
        large = {"message": "Large", "alias": "large", "description": "x" * 1_200_000}
        assert (await _does(story, sender, "POST", "", large))["success"]
        for what, body in (
            ("notes", {}),
            ("actions/restart", {}),
            ("assign", {"owner": {"username": "nobody"}}),
            ("responders", {"responder": {"name": "nobody"}}),
            ("teams", {"team": {"name": "n" * 20_000}}),
        ):
            long = {"note": "x" * 10_001, **body}
            assert (await _does(story, sender, "POST", f"/large/{what}?identifierType=alias", long))["success"], what
        kept = [len(one["note"]) for one in await _reads(story, sender, "/large/notes?identifierType=alias")]
        assert kept == [10_000, 10_000, 10_000, len("assigned to nobody, whom Tocsin does not know"), 10_000, 10_000]
        # Uptime Kuma's alias is the name of a monitor, as it was typed.
        assert (await _does(story, sender, "POST", "", {"message": "Typed", "alias": " shop "}))["success"]
        closed = await _does(story, sender, "POST", "/%20shop%20/close?identifierType=alias")
        assert (await _reads(story, sender, f"/{closed['alertId']}"))["message"] == "Typed"
        # Unknown ones are answered the same; an alias that is closed unheard is an orphan, and pages nobody.
        assert (await _does(story, sender, "POST", "/99/close?identifierType=alias"))["success"]
        assert (await _does(story, sender, "POST", "/a%00b%FF/close?identifierType=alias", {"note": "\0"}))["success"]
        assert not (await _does(story, sender, "POST", "/nobody/acknowledge?identifierType=alias"))["success"]
        await ana.is_paged()
        for status, method, path, body in (
            (422, "POST", "", {}),
            (400, "POST", "", b'{"message": "x",}'),
            (422, "POST", "/large/snooze?identifierType=alias", {"endTime": "soon"}),
            (422, "POST", "/large/notes?identifierType=alias", {}),
            (422, "PUT", "/large/priority?identifierType=alias", {"priority": "high"}),
            (422, "PUT", "/large/message?identifierType=alias", {"message": " "}),
            (404, "GET", "/nobody?identifierType=alias", None),
            (404, "GET", "/requests/never", None),
            (404, "POST", "/large/attachments?identifierType=alias", {}),
            (404, "GET", "/large/attachments/1?identifierType=alias", None),
            (404, "DELETE", "/large/attachments/1", None),
            (404, "GET", "/saved-searches", None),
        ):
            answer = await _asks(story, sender, method, path, body)
            assert answer.status_code == status, (path, answer.text)
            assert set(answer.json()) >= {"message", "took", "requestId"}
        for path in ("/v2/heartbeats/nightly/ping", "/v2/schedules"):
            answer = await story.web.get(path, headers={"authorization": f"GenieKey {sender.key}"})
            assert (answer.status_code, "are not here" in answer.json()["message"]) == (404, True)
        answer = await story.web.get("/v2/alerts", headers={"authorization": "GenieKey nobody's"})
        assert (answer.status_code, "message" in answer.json()) == (401, True)
        assert (await story.rows("SELECT count(*) AS many FROM unparsed"))[0].many == 2


async def test_a_long_alias_is_good_as_it_is_shown_and_never_another_keys(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        stranger = await story.integration("opsgenie", None)
        alias = "a/" * 200
        assert (await _does(story, sender, "POST", "", {"message": "Long", "alias": alias}))["success"]
        await ana.is_paged("Long")
        (shown,) = [one["alias"] for one in await _reads(story, sender, "")]
        assert len(shown) < 255
        close = f"/{quote(shown, safe='')}/close?identifierType=alias"
        for by, status in ((stranger, "open"), (sender, "closed")):
            assert (await _does(story, by, "POST", close))["success"]
            (alert,) = await _reads(story, sender, "")
            assert alert["status"] == status


async def test_notes_come_in_pages(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        assert (await _does(story, sender, "POST", "", {"message": "Disk", "alias": "a/b"}))["success"]
        await ana.is_paged("Disk")
        for number in range(5):
            await _does(story, sender, "POST", "/a%2Fb/notes?identifierType=alias", {"note": str(number)})
        for order, wanted in (("desc", "43210"), ("asc", "01234")):
            path: str | None = f"/a%2Fb/notes?identifierType=alias&limit=2&order={order}"
            found = []
            while path is not None:
                page = (await _asks(story, sender, "GET", path)).json()
                found.append("".join(one["note"] for one in page["data"]))
                path = page["paging"].get("next", "").partition("/v2/alerts")[2] or None
            assert found == [wanted[:2], wanted[2:4], wanted[4:]]
        back = await _asks(story, sender, "GET", "/a%2Fb/notes?identifierType=alias&direction=prev")
        assert back.status_code == 422


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_libraries_of_opsgenie_and_apprise_work_unchanged(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apprise closes by the id of the request that created; its address is a constant of its own."""
    async with town(database) as story, listening(story) as url:
        ana, sender = await _checkout(story)

        def library() -> Any:
            configuration = opsgenie_sdk.Configuration()
            configuration.host = f"{url}/"
            configuration.api_key["Authorization"] = sender.key
            configuration.retry_count = 1
            api = opsgenie_sdk.AlertApi(opsgenie_sdk.ApiClient(configuration))
            how = {"identifier": "db-2/lag", "identifier_type": "alias"}
            created = api.create_alert(
                opsgenie_sdk.CreateAlertPayload(
                    message="Lag",
                    alias="db-2/lag",
                    priority="P1",
                    tags=["db"],
                    details={"host": "db-2"},
                    responders=[{"type": "team", "name": "NOC"}],
                )
            )
            status = api.get_request_status(created.request_id).data
            assert (status.is_success, status.alias) == (True, "db-2/lag")
            assert api.get_alert(**how).data.message == "Lag"
            assert api.get_alert(identifier=status.alert_id).data.details == {"host": "db-2"}
            assert [one.id for one in api.get_alert(**how).data.responders] == ["NOC"]
            api.add_note(add_note_to_alert_payload=opsgenie_sdk.AddNoteToAlertPayload(note="looking"), **how)
            assert [one.note for one in api.list_notes(**how).data] == ["looking"]
            api.add_tags(add_tags_to_alert_payload=opsgenie_sdk.AddTagsToAlertPayload(tags=["new"]), **how)
            api.remove_tags(tags=["db"], **how)
            assert api.get_alert(**how).data.tags == ["new"]
            api.acknowledge_alert(acknowledge_alert_payload=opsgenie_sdk.AcknowledgeAlertPayload(user="bo"), **how)
            assert [one.alias for one in api.list_alerts(query="status: open").data] == ["db-2/lag"]
            assert api.count_alerts(query="acknowledged: true").data.count == 1
            until = to_datetime(story.clock.now()) + timedelta(hours=1)
            api.snooze_alert(snooze_alert_payload=opsgenie_sdk.SnoozeAlertPayload(end_time=until), **how)
            seen = api.get_alert(**how).data
            assert (seen.snoozed, isinstance(seen.created_at, datetime)) == (True, True)
            api.update_alert_priority(
                update_alert_priority_payload=opsgenie_sdk.UpdateAlertPriorityPayload(priority="P2"), **how
            )
            api.close_alert(close_alert_payload=opsgenie_sdk.CloseAlertPayload(note="fine"), **how)
            return api.get_alert(**how).data.status

        assert await asyncio.to_thread(library) == "closed"
        await story.settled()
        assert (await story.incident()).state == "resolved"

        monkeypatch.setitem(apprise_opsgenie.OPSGENIE_API_LOOKUP, "us", f"{url}/v2/alerts")
        parts = apprise_opsgenie.NotifyOpsgenie.parse_url(f"opsgenie://{sender.key}?action=map&priority=p1")
        tool = apprise_opsgenie.NotifyOpsgenie(**parts)
        assert await asyncio.to_thread(tool.notify, "Backup failed", "nightly", "failure")
        await story.settled()
        assert [one.state for one in await story.incidents()] == ["resolved", "triggered"]
        assert await asyncio.to_thread(tool.notify, "It works again", "nightly", "success")
        await story.settled()
        assert [one.state for one in await story.incidents()] == ["resolved", "resolved"]
        ana.phone.taken = len(ana.phone.inbox())  # whether the first was paged before it was taken is a race
