"""A signal that must keep coming: its silence pages, its return resolves, and an outage of ours is nobody's silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.clock import MINUTE, SECOND
from app.watch.presence import listening
from app.watch.silence import UNWRITTEN
from tests.harness.api_world import Asked, api
from tests.harness.town import Resident

SLACK_S = UNWRITTEN // SECOND
"""How much later than its interval and grace a silence is declared."""


@dataclass
class Watched:
    """A heartbeat of a service that pages Ana, and what its sender can do."""

    asked: Asked
    ana: Resident
    service: str
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/heartbeats/{self.made['id']}"

    async def heartbeat(self, name: str = "backup", **document: Any) -> None:
        given = {"name": name, "service_id": self.service, "interval_s": 300, "grace_s": 60, **document}
        self.made = await self.asked.admin.create("heartbeats", given)

    async def signals(self, method: str = "GET", suffix: str = "", **how: Any) -> httpx.Response:
        answer = await self.asked.story.web.request(method, self.made["url"] + suffix, **how)
        await self.asked.story.settled()
        return answer

    async def beats(self) -> None:
        assert (await self.signals()).status_code == 200

    async def state(self) -> dict[str, Any]:
        return dict(await self.asked.reader.get(f"{self.path}/state"))

    async def incident_states(self) -> list[str]:
        return [one.state for one in await self.asked.story.incidents()]

    async def listens(self, *, seconds: float = 0) -> None:
        """Time goes by while a process listens, and says so each ten seconds."""
        story = self.asked.story
        end = story.clock.now() + int(seconds * SECOND)
        await story.store.write(listening)
        while story.clock.now() < end:
            await story.passes(min(10.0, (end - story.clock.now()) / SECOND))
            await story.store.write(listening)


@asynccontextmanager
async def watched(database: str, **settings: Any) -> AsyncIterator[Watched]:
    async with api(database, **settings) as asked:
        ana = await asked.story.person("Ana")
        policy = await asked.story.policy([[ana]], delay_s=3_600)
        service = await asked.story.service("database", policy)
        yield Watched(asked, ana, str(service))


async def test_silence_pages_and_the_return_of_the_signal_resolves(database: str) -> None:
    async with watched(database) as told:
        await told.heartbeat(description="Nightly backup.", runbook_url="https://wiki.test/backup", severity="critical")
        await told.beats()
        assert (await told.state())["state"] == "up"
        await told.asked.story.passes(360 + SLACK_S - 1)
        await told.ana.is_not_paged()
        await told.asked.story.passes(1)
        page = await told.ana.is_paged("backup fell silent")
        assert page["priority"] == "P2"
        (alert,) = (await told.asked.reader.get("/alerts"))["items"]
        assert alert["annotations"]["description"].startswith(
            "Nothing was heard since 2026-01-05 00:00 UTC; a signal is"
        )
        assert alert["annotations"]["about"] == "Nightly backup."
        assert alert["links"] == [{"label": "Runbook", "url": "https://wiki.test/backup"}]
        state = await told.state()
        assert (state["state"], state["silent_at"]) == ("down", None)
        assert state["down_since"] == "2026-01-05T00:06:15.000Z"
        await told.beats()
        assert await told.incident_states() == ["resolved"]
        assert (await told.state())["state"] == "up"


async def test_a_new_heartbeat_waits_for_its_first_signal(database: str) -> None:
    """Setting one up before its sender is ready wakes nobody."""
    async with watched(database) as told:
        await told.heartbeat()
        await told.asked.story.passes(hours=48)
        assert await told.state() == {
            "state": "waiting",
            "last_seen_at": None,
            "silent_at": None,
            "down_since": None,
            "failed_at": None,
            "said": "",
        }
        assert await told.asked.story.incidents() == []


async def test_a_signal_in_time_keeps_it_up_and_a_flood_of_them_costs_few_writes(database: str) -> None:
    """One each second for two minutes: the row is written each few seconds, and the last signal counts."""
    async with watched(database) as told:
        await told.heartbeat(interval_s=30, grace_s=0)
        written = set()
        for _ in range(120):
            await told.asked.story.passes(1)
            await told.beats()
            written.add((await told.state())["last_seen_at"])
        assert len(written) == 24
        await told.asked.story.passes(30)
        await told.ana.is_not_paged()
        await told.asked.story.passes(SLACK_S)
        await told.ana.is_paged("backup fell silent")


async def test_a_reported_failure_pages_at_once_and_says_what_was_said(database: str) -> None:
    async with watched(database) as told:
        await told.heartbeat()
        answer = await told.signals("POST", "/fail", content=b"exit 3:\n<b>disk\x00 full</b> \xff")
        assert answer.status_code == 200
        await told.ana.is_paged("backup: a failure was reported")
        state = await told.state()
        assert (state["state"], state["said"]) == ("down", "exit 3: <b>disk full</b> \ufffd")
        (alert,) = (await told.asked.reader.get("/alerts"))["items"]
        assert alert["annotations"]["description"] == "It reported a failure: exit 3: <b>disk full</b> \ufffd."
        await told.beats()
        assert await told.incident_states() == ["resolved"]
        await told.asked.story.passes(1)
        await told.signals("POST", "/fail", content=b"x" * 100_000)
        await told.ana.is_paged("a failure was reported")
        assert len((await told.state())["said"]) == 1_000


async def test_a_failure_is_not_reported_by_a_request_that_scanners_make(database: str) -> None:
    """A GET may say that all is well and nothing else."""
    async with watched(database) as told:
        await told.heartbeat()
        for method in ("GET", "HEAD"):
            answer = await told.signals(method, "/fail")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        for method in ("GET", "HEAD", "POST"):
            assert (await told.signals(method)).status_code == 200
        assert (await told.signals("DELETE")).status_code == 405
        assert (await told.signals("POST", "/exit/3")).status_code == 404
        assert (await told.signals("POST", "/start")).json()["code"] == "unknown_signal"
        assert await told.asked.story.incidents() == []


async def test_only_its_own_key_speaks_for_a_heartbeat(database: str) -> None:
    async with watched(database) as told:
        await told.heartbeat()
        web, story = told.asked.story.web, told.asked.story
        alerts = await story.integration("generic")
        for url in (
            "/v1/in/heartbeat/wrong",
            f"/v1/in/heartbeat/{alerts.key}",
            "/v1/in/heartbeat",
            "/v1/in/heartbeat/",
        ):
            assert (await web.get(url)).status_code == 401, url
        assert (await web.post(f"/v1/in/generic/{told.made['key']}", json={"title": "x"})).status_code == 401
        bearer = {"authorization": f"Bearer {told.made['key']}"}
        assert (await web.post("/v1/in/heartbeat", headers=bearer)).status_code == 200
        new = await told.asked.admin.post(f"{told.path}/rotate-key", {"grace_s": 0}, status=201)
        assert (await told.signals()).status_code == 401
        assert (await web.get(new["url"])).status_code == 200
        keys = (await told.asked.reader.get(f"{told.path}/keys"))["items"]
        assert sorted(key["expires_at"] is None for key in keys) == [False, True]
        await story.settled()


async def test_while_silent_it_is_told_again_after_somebody_declared_it_over(database: str) -> None:
    """Whoever resolves the incident of a signal that is still missing hears of it again, an hour later."""
    async with watched(database) as told:
        await told.heartbeat()
        await told.beats()
        await told.asked.story.passes(360 + SLACK_S)
        await told.ana.is_paged("fell silent")
        await told.asked.story.resolves(await told.asked.story.incident(), by="Ana")
        await told.asked.story.passes(minutes=59)
        await told.ana.is_not_paged()
        await told.asked.story.passes(minutes=1)
        await told.ana.is_paged("fell silent")
        await told.beats()
        assert await told.incident_states() == ["resolved", "resolved"]


async def test_a_deleted_heartbeat_is_silent_without_telling_anybody(database: str) -> None:
    async with watched(database) as told:
        await told.heartbeat()
        await told.beats()
        assert (await told.asked.admin.refused(409, "DELETE", f"/services/{told.service}", version=1))[
            "code"
        ] == "in_use"
        await told.asked.story.passes(360 + SLACK_S)
        await told.ana.is_paged()
        await told.asked.admin.done(204, "DELETE", told.path, version=1)
        await told.asked.story.passes(hours=5)
        assert await told.incident_states() == ["resolved"]
        assert (await told.signals()).status_code == 401


async def test_a_shorter_interval_counts_from_the_edit(database: str) -> None:
    """Nobody is paged at once because a signal of three hours ago is suddenly too old."""
    async with watched(database) as told:
        await told.heartbeat(interval_s=86_400)
        await told.beats()
        await told.asked.story.passes(hours=3)
        document = {"name": "backup", "service_id": told.service, "interval_s": 300, "grace_s": 0}
        await told.asked.admin.done(200, "PUT", told.path, version=1, json=document)
        await told.asked.story.passes(300 + SLACK_S - 1)
        await told.ana.is_not_paged()
        await told.asked.story.passes(1)
        await told.ana.is_paged("fell silent")


async def test_an_outage_of_ours_pages_nobody_for_the_signals_it_lost(database: str) -> None:
    """Down for an hour: each sender has one whole interval from our return, and only then is its silence one."""
    async with watched(database) as told:
        await told.heartbeat()
        await told.listens()
        await told.beats()
        await told.listens(seconds=120)
        told.asked.story.clock.move_to(told.asked.story.clock.now() + 60 * MINUTE)
        told.asked.story.world.wake.set()
        await told.asked.story.settled()
        await told.ana.is_not_paged()
        await told.listens(seconds=360 + SLACK_S - 1)
        await told.ana.is_not_paged()
        await told.listens(seconds=1)
        await told.ana.is_paged("fell silent")


async def test_a_short_outage_long_before_the_signal_is_due_delays_nothing(database: str) -> None:
    """Forty seconds deaf at noon do not make the watch on tonight's backup any later."""
    async with watched(database) as told:
        await told.heartbeat(interval_s=3_600, grace_s=600)
        await told.listens()
        await told.beats()
        await told.listens(seconds=60)
        told.asked.story.clock.move_to(told.asked.story.clock.now() + 40 * SECOND)
        await told.listens()
        await told.listens(seconds=4_200 + SLACK_S - 100 - 1)
        await told.ana.is_not_paged()
        await told.listens(seconds=1)
        await told.ana.is_paged("fell silent")


async def test_a_sender_of_alerts_that_says_nothing_for_three_intervals_is_told(database: str) -> None:
    """Whatever comes from it counts, readable or not; and it resolves when anything comes again."""
    async with watched(database) as told:
        story, admin = told.asked.story, told.asked.admin
        given = {"name": "prometheus", "kind": "alertmanager", "service_id": told.service, "expect_every_s": 60}
        made = await admin.create("integrations", {**given, "settings": {"expire_after_s": 60}})

        async def state() -> dict[str, Any]:
            return dict(await told.asked.reader.get(f"/integrations/{made['id']}/state"))

        await story.passes(hours=2)
        assert (await state())["state"] == "waiting"
        assert (await story.web.post(made["url"], content=b"no json")).status_code == 400
        await story.settled()
        assert len(await story.incidents()) == 1
        await told.ana.is_paged("could not be read")
        await story.process.watchers.listen()
        story.world.wake.set()
        await story.settled()
        assert ((await state())["state"], (await state())["last_seen_at"]) == ("up", "2026-01-05T02:00:00.000Z")
        await story.resolves(await story.incident(), by="Ana")
        await told.listens(seconds=180 + SLACK_S - 1)
        await told.ana.is_not_paged()
        await told.listens(seconds=1)
        await told.ana.is_paged("prometheus fell silent")
        await told.listens(seconds=300)
        assert (await told.incident_states())[-1] == "triggered"
        heartbeat = {"version": "4", "status": "firing", "groupKey": "{}", "alerts": []}
        await story.web.post(made["url"], json=heartbeat)
        await story.process.watchers.listen()
        story.world.wake.set()
        await story.settled()
        assert (await told.incident_states())[-1] == "resolved"
        await admin.done(200, "PUT", f"/integrations/{made['id']}", version=1, json={**given, "expect_every_s": None})
        await story.settled()
        assert (await state())["state"] == "unwatched"
        await story.passes(hours=5)


async def test_fields_that_cannot_be_meant_are_named(database: str) -> None:
    async with watched(database) as told:
        for more, at_fault in [
            ({"interval_s": 29}, "interval_s"),
            ({"grace_s": -1}, "grace_s"),
            ({"runbook_url": "javascript:alert(1)"}, "runbook_url"),
            ({"severity": "none"}, "severity"),
            ({"service_id": "7"}, "service_id"),
        ]:
            document = {"name": "x", "interval_s": 60, **more}
            problem = await told.asked.admin.refused(422, "POST", "/heartbeats", json=document)
            assert [one["field"] for one in problem["errors"]] == [at_fault]
