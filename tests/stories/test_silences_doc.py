"""The requests of docs/silences.md, sent as they stand there, do what the page says."""

from __future__ import annotations

from app.clock import DAY, HOUR, iso
from tests.harness.api_world import api
from tests.stories.test_routing_doc import send


async def test_the_requests_of_the_page_are_taken(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana")
        checkout = await story.service("checkout", await story.policy([[ana]]), tags=["rack-7"])
        alerts = await story.integration("alertmanager", checkout)
        now = story.clock.now()
        made, preview, window, everything, inhibition, above = await send(
            asked, "silences.md", LATER=iso(now + 2 * HOUR), NEXT_MONTH=iso(now + 30 * DAY)
        )
        assert (preview["looked_at"], preview["alerts"]) == (0, 0)
        assert everything["warnings"]
        await asked.responder.post(f"/silences/{everything['id']}/end")
        await alerts.fires("DiskFull", host="db-1")
        await ana.is_not_paged()
        assert f"silence '{made['name']}'" in str((await story.incident()).quiet_because)
        assert window["repeats"]["time_zone"] == "Europe/Berlin"
        assert inhibition["equal"] == ["cluster", "node"]
        assert above["needs"] == "service"
        await asked.responder.post(f"/silences/{made['id']}/end")
        await asked.responder.post(f"/silences/{window['id']}/end")
        await ana.is_paged("DiskFull")
