"""Incidents by the API: reported, acted on, and told with every reason."""

from __future__ import annotations

from typing import Any

from tests.harness.api_world import Asked, api


async def team(asked: Asked) -> Any:
    """Ana, then Ben, behind the service checkout; answers both and a sender."""
    story = asked.story
    ana, ben = await story.person("Ana"), await story.person("Ben")
    service = await story.service("checkout", await story.policy([[ana], [ben]], delay_s=300), impact="high")
    return ana, ben, await story.integration("alertmanager", service), str(service)


async def test_a_reported_incident_pages_at_once_with_the_priority_of_its_service(database: str) -> None:
    async with api(database) as asked:
        ana, _, _, service = await team(asked)
        document = {"title": " checkout is slow ", "service_id": service, "description": "since the deploy"}
        made = await asked.responder.create("incidents", document)
        assert (made["number"], made["title"], made["state"]) == (1, "checkout is slow", "triggered")
        assert (made["priority"], made["impact"], made["alerts"]) == ("P1", "high", 0)
        await ana.is_paged("checkout is slow")
        low = await asked.responder.create("incidents", {"title": "typo", "service_id": service, "urgency": "low"})
        assert (low["number"], low["priority"]) == (2, "P3")
        await ana.is_paged("typo")
        timeline = (await asked.reader.get("/incidents/1/timeline"))["items"]
        assert timeline[0]["reason"] == "reported by api key responder-bot"
        assert timeline[0]["detail"] == {"description": "since the deploy"}


async def test_no_alert_ever_joins_a_reported_incident(database: str) -> None:
    async with api(database) as asked:
        ana, _, alerts, service = await team(asked)
        await asked.responder.create("incidents", {"title": "slow", "service_id": service})
        await ana.is_paged("slow")
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        assert [one["number"] for one in (await asked.reader.get("/incidents"))["items"]] == [2, 1]


async def test_a_report_sent_again_is_one_incident(database: str) -> None:
    async with api(database) as asked:
        again = {"headers": {"idempotency-key": "r-1"}, "json": {"title": "slow"}}
        answers = [await asked.responder.ask("POST", "/incidents", **again) for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["location"] == "/v1/incidents/1"
        assert len((await asked.reader.get("/incidents"))["items"]) == 1


async def test_a_report_about_a_service_that_is_not_there_is_refused_by_field(database: str) -> None:
    async with api(database) as asked:
        problem = await asked.responder.refused(422, "POST", "/incidents", json={"title": "slow", "service_id": "7"})
        assert [one["field"] for one in problem["errors"]] == ["service_id"]


async def test_an_acknowledgement_ends_paging_and_names_the_key(database: str) -> None:
    async with api(database) as asked:
        ana, ben, alerts, _ = await team(asked)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        shown = await asked.responder.post("/incidents/1/acknowledge")
        assert (shown["state"], shown["acknowledged_by"]) == ("acknowledged", "api key responder-bot")
        await asked.story.passes(hours=1)
        await ben.is_not_paged()


async def test_escalating_tells_the_next_level_now_or_the_one_that_is_named(database: str) -> None:
    async with api(database) as asked:
        ana, ben, alerts, _ = await team(asked)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await asked.responder.post("/incidents/1/escalate")
        await ben.is_paged("DiskFull")
        await asked.responder.post("/incidents/1/escalate", {"level": 1})
        await ana.is_paged("DiskFull")
        again = {"headers": {"idempotency-key": "e-1"}, "json": {"level": 2}}
        for _ in range(2):
            await asked.responder.post("/incidents/1/escalate", **again)
        await ben.is_paged("DiskFull")
        await asked.responder.post("/incidents/1/resolve")


async def test_a_snoozed_incident_pages_again_when_its_time_is_over(database: str) -> None:
    async with api(database) as asked:
        ana, ben, alerts, _ = await team(asked)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        shown = await asked.responder.post("/incidents/1/snooze", {"seconds": 3600})
        assert shown["ack_until"] == "2026-01-05T01:00:00.000Z"
        await asked.story.passes(minutes=59)
        await ben.is_not_paged()
        await asked.story.passes(minutes=2)
        await ana.is_paged("DiskFull")
        entry = next(
            one for one in (await asked.reader.get("/incidents/1/timeline"))["items"] if one["kind"] == "snoozed"
        )
        assert entry["detail"] == {"until": "2026-01-05T01:00:00.000Z"}
        await asked.responder.post("/incidents/1/resolve")


async def test_an_incident_is_resolved_reopened_and_closed_and_what_can_not_be_is_named(database: str) -> None:
    async with api(database) as asked:
        responder = asked.responder
        await responder.create("incidents", {"title": "slow"})
        assert (await responder.refused(409, "POST", "/incidents/1/close"))["code"] == "already_triggered"
        shown = await responder.post("/incidents/1/resolve", {"resolution": "workaround"})
        assert (shown["state"], shown["resolution"]) == ("resolved", "workaround")
        assert (await responder.refused(409, "POST", "/incidents/1/acknowledge"))["code"] == "already_resolved"
        assert (await responder.post("/incidents/1/reopen"))["state"] == "triggered"
        await responder.post("/incidents/1/resolve")
        assert (await responder.post("/incidents/1/close"))["state"] == "closed"
        assert (await responder.refused(409, "POST", "/incidents/1/reopen"))["code"] == "already_closed"


async def test_a_note_is_kept_word_for_word_and_once(database: str) -> None:
    async with api(database) as asked:
        await asked.responder.create("incidents", {"title": "slow"})
        text = "<script>alert(1)</script>\nrolled back \u202e\U0001f525"
        for _ in range(2):
            await asked.responder.post("/incidents/1/notes", {"text": text}, headers={"idempotency-key": "n-1"})
        notes = [one for one in (await asked.reader.get("/incidents/1/timeline"))["items"] if one["kind"] == "note"]
        assert [one["reason"] for one in notes] == [text]
        for bad in ("", " \n ", "x" * 10_001):
            await asked.responder.refused(422, "POST", "/incidents/1/notes", json={"text": bad})


async def test_the_story_tells_alerts_pages_and_acts_in_order_each_with_its_reason(database: str) -> None:
    async with api(database) as asked:
        ana, ben, alerts, _ = await team(asked)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await asked.story.passes(minutes=1)
        await alerts.fires("DiskSlow")
        await asked.story.passes(minutes=4)
        await ben.is_paged("DiskFull")
        await asked.responder.post("/incidents/1/acknowledge")
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            answer = await asked.reader.get("/incidents/1/timeline", params=query)
            found += answer["items"]
            if answer["next_cursor"] is None:
                break
            query["cursor"] = answer["next_cursor"]
        kinds = [one["kind"] for one in found]
        assert kinds == ["alert", "triggered", "page", "level_told", "alert", "page", "level_told", "acknowledged"]
        assert [one["at"] for one in found] == sorted(one["at"] for one in found)
        assert all(one["reason"] for one in found)
        assert {one["actor"] for one in found if one["kind"] == "alert"} == {"alertmanager 1"}
        assert found[4]["reason"].startswith("0.93: the same service checkout")
        assert [one["detail"]["level"] for one in found if one["kind"] in ("page", "level_told")] == [1, 1, 2, 2]
        shown = await asked.reader.get("/incidents/1")
        assert (shown["alerts"], shown["open_alerts"], shown["level"]) == (2, 2, 2)


async def test_pages_tell_who_why_and_every_try(database: str) -> None:
    async with api(database) as asked:
        ana, _, alerts, _ = await team(asked)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        (page,) = (await asked.reader.get("/incidents/1/pages"))["items"]
        assert (page["number"], page["recipient"], page["state"], page["level"]) == (1, "Ana", "sent", 1)
        assert page["reason"] == "named in the escalation policy"
        assert [(one["number"], one["outcome"]) for one in page["attempts"]] == [(1, "accepted")]
        await asked.responder.post("/incidents/1/resolve")


async def test_alerts_are_listed_read_and_filtered(database: str) -> None:
    async with api(database) as asked:
        ana, _, alerts, _ = await team(asked)
        await alerts.fires("DiskFull", "DiskSlow", host="<b>a</b>")
        await ana.is_paged()
        await alerts.resolves("DiskFull", host="<b>a</b>")
        listed = (await asked.reader.get("/alerts"))["items"]
        assert [one["title"] for one in listed] == ["DiskSlow", "DiskFull"]
        assert [one["state"] for one in listed] == ["open", "resolved"]
        assert {one["incident"] for one in listed} == {1}
        assert listed[0]["labels"]["host"] == "<b>a</b>"
        assert await asked.reader.get(f"/alerts/{listed[0]['id']}") == listed[0]
        for query, many in (
            ("state=open", 1),
            ("state=resolved", 1),
            (f"integration_id={alerts.id}", 2),
            ("integration_id=7", 0),
            (f"integration_id={alerts.id}&state=open", 1),
        ):
            assert len((await asked.reader.get(f"/alerts?{query}"))["items"]) == many
        of_incident = (await asked.reader.get("/incidents/1/alerts"))["items"]
        assert [one["title"] for one in of_incident] == ["DiskFull", "DiskSlow"]
        await asked.reader.refused(404, "GET", "/alerts/7")
        await asked.responder.post("/incidents/1/resolve")


async def test_incidents_are_listed_newest_first_and_filtered(database: str) -> None:
    async with api(database) as asked:
        service = await asked.service("checkout")
        for number in range(1, 6):
            body = {"title": f"slow {number}"} | ({"service_id": service} if number % 2 else {})
            await asked.responder.create("incidents", body)
        await asked.responder.post("/incidents/3/resolve")
        await asked.responder.post("/incidents/4/acknowledge")

        async def numbers(query: str) -> list[int]:
            return [one["number"] for one in (await asked.reader.get(f"/incidents?{query}"))["items"]]

        assert await numbers("") == [5, 4, 3, 2, 1]
        assert await numbers("state=resolved") == [3]
        assert await numbers("state=resolved&state=acknowledged") == [4, 3]
        assert await numbers(f"service_id={service}&state=triggered") == [5, 1]
        assert await numbers("service_id=7") == []
        first = await asked.reader.get("/incidents?limit=2")
        assert await numbers(f"limit=2&cursor={first['next_cursor']}") == [3, 2]
        await asked.reader.refused(422, "GET", "/incidents?state=gone")


async def test_an_incident_that_is_not_there_is_not_found(database: str) -> None:
    async with api(database) as asked:
        for path in ["", "/timeline", "/alerts", "/pages"]:
            await asked.reader.refused(404, "GET", f"/incidents/7{path}")
            await asked.responder.refused(404, "POST", "/incidents/7/acknowledge")


async def test_reading_changes_nothing(database: str) -> None:
    """GET of everything there is leaves every row as it was."""
    async with api(database) as asked:
        ana, _, alerts, _ = await team(asked)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await asked.story.settled()
        tables = ("resources", "revisions", "instance", "incidents", "timeline", "alerts", "pages", "jobs", "api_keys")

        async def everything() -> list[Any]:
            return [await asked.story.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables]

        before = await everything()
        for path in ("/incidents", "/incidents/1", "/incidents/1/timeline", "/incidents/1/pages", "/alerts", "/people"):
            await asked.reader.get(path)
        for path in ("/services", "/policies", "/integrations", "/oncall", "/teams", "/channels", "/schedules"):
            await asked.reader.get(path)
        assert await everything() == before
        await asked.responder.post("/incidents/1/resolve")
