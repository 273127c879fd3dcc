"""A month of calls, told by check, service and rule; a change tried on it; and what somebody reads when it comes back."""

from __future__ import annotations

from typing import Any

from tests.harness.api_world import Asked, api


async def disk_fills(asked: Asked, alerts: Any, minutes: int) -> None:
    """One night of a check that ends by itself."""
    await alerts.fires("DiskFull", instance="db-3")
    await asked.story.passes(minutes=minutes)
    await alerts.resolves("DiskFull", instance="db-3")
    await asked.story.passes(minutes=60 - minutes)


async def test_what_is_noisy_is_named_with_what_would_help_and_what_comes_back_says_what_helped(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana")
        service = await story.service("shop", await story.policy([[ana]], delay_s=3_600))
        alerts = await story.integration("alertmanager", service)
        rule = {"name": "tag", "when": ['alertname="DiskFull"'], "then": {"labels": {"team": "shop"}}}
        await asked.admin.create("rules", rule)
        for minutes in (3, 4, 2):
            await disk_fills(asked, alerts, minutes)
        ana.phone.taken = len(ana.phone.inbox())
        await alerts.fires("DiskFull", instance="db-3")
        await ana.is_paged("DiskFull")
        await ana.acknowledges()
        await asked.responder.post("/incidents/4/notes", {"text": "grew the volume"})
        await asked.responder.post("/incidents/4/resolve")
        await story.passes(minutes=10)

        noise = await asked.reader.get("/noise")
        (line,) = noise["items"]
        assert (noise["incidents"], noise["complete"], line["key"]) == (4, True, "DiskFull")
        told = (line["incidents"], line["calls"], line["night_calls"], line["over_within_5_min"])
        assert told == (4, 4, 4, 3), "the story begins at midnight"
        assert [(one["change"], one["minutes"], one["spared"]) for one in line["proposals"]] == [("hold", 5, 3)]
        for by, key in (("service", str(service)), ("rule", "tag")):
            (line,) = (await asked.reader.get("/noise", params={"by": by}))["items"]
            assert (line["key"], line["calls"]) == (key, 4)

        trial = {"change": "delete", "key": "DiskFull"}
        assert (await asked.reader.get("/noise/trial", params=trial))["missed"] == [4]
        problem = await asked.reader.refused(422, "GET", "/noise/trial", params={"change": "hold", "key": "DiskFull"})
        assert "minutes" in str(problem)
        await asked.reader.refused(422, "GET", "/noise", params={"from": "2020-01-01T00:00:00Z"})

        await alerts.fires("DiskFull", instance="db-3")
        await ana.is_paged("DiskFull")
        similar = await asked.reader.get("/incidents/5/similar")
        assert [(one["number"], one["likeness"]) for one in similar["items"]] == [
            (4, "key"),
            (3, "key"),
            (2, "key"),
            (1, "key"),
        ]
        assert similar["sentence"].startswith(
            "Seen 4 times in 30 days before this; usually ended by itself, after 3 min;"
        )
        page = (await ana.opens_link()).text
        assert "Seen 4 times in 30 days" in page
        assert "grew the volume" in page
        assert (await asked.reader.get("/incidents/1/similar")) == {"sentence": "", "items": []}
        await asked.reader.refused(404, "GET", "/incidents/99/similar")
