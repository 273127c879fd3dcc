"""The requests of docs/escalation.md, sent as they stand there, do what the page says."""

from __future__ import annotations

from tests.harness.api_world import api
from tests.stories.test_routing_doc import send


async def test_the_requests_of_the_page_do_what_it_says(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, ben, cleo = [await story.person(name) for name in ("Ana", "Ben", "Cleo")]
        members = [{"person_id": str(one.id)} for one in (ana, ben)]
        team = await asked.admin.create("teams", {"name": "Shop", "members": members})
        service = await story.service("down", await story.policy([[ana]]))
        await asked.responder.create("incidents", {"title": "Shop is down", "service_id": str(service)})
        await ana.is_paged("Shop is down")
        ids = {one.name.upper(): str(one.id) for one in (ana, ben, cleo)}
        answers = await send(asked, "escalation.md", TEAM=team["id"], NIGHTS=str(await story.policy([[ben]])), **ids)
        assert answers[0]["warnings"], "nobody has verified a contact method yet"
        await ben.is_paged("Shop is down")
        page = await cleo.is_paged("Shop is down")
        assert "Can you look at the replication?" in page["text"]
        dry = {"service_id": answers[1]["id"], "title": "Slow", "severity": "warning", "at": "2026-01-10T03:00:00Z"}
        (incident,) = (await asked.responder.post("/dry-run", dry))["incidents"]
        said = [one["sentence"] for one in incident["expected"]]
        assert said[0].startswith("Nobody is told before 12 Jan 08:00:00 UTC: urgency is low")
        assert said[1].startswith("Level 1 (Shop by day, version 1) tells Ana.")
        assert "Each of them must acknowledge" in said[2]
        assert said[3] == "Level 1, round 2 (Shop by day, version 1) tells Ben." or "tells Ben" in said[3]
