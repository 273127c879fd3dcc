"""What senders say, however they say it: nothing accepted is lost, nobody is paged twice for nothing."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from typing import Any, ClassVar

import pytest

from app.clock import Micros
from app.sources.event import Event, Reading, Received
from app.sources.source import SourceSettings
from tests.harness.town import Sender, Town, town


async def _settings(story: Town, **service: Any) -> tuple[Any, Sender]:
    ana = await story.person("Ana")
    service_id = await story.service("checkout", await story.policy([[ana]], delay_s=3_600), **service)
    return ana, await story.integration("alertmanager", service_id)


async def test_a_repeat_pages_nobody_and_is_counted_within_a_second(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        for _ in range(5):
            await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.passes(seconds=2)
        await story.flushed()
        assert await story.times_seen() == 5


async def test_a_repeat_that_changes_nothing_writes_nothing_of_its_own(database: str) -> None:
    """A hundred repeats inside one second leave the alert's row as it is until they are added up."""
    async with town(database) as story:
        ana, alerts = await _settings(story)
        await alerts.fires("DiskFull")
        for _ in range(100):
            await alerts.fires("DiskFull")
        assert await story.times_seen() == 1
        await story.passes(seconds=2)
        await story.flushed()
        assert await story.times_seen() == 101
        await ana.is_paged()


async def test_alerts_of_one_service_join_one_incident_each_with_its_reason(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        await alerts.fires("DiskFull", "DiskSlow")
        await alerts.fires("CpuHot")
        await ana.is_paged("DiskFull")
        assert (await story.incident()).alerts == 3
        reasons = [row.reason for row in await story.rows("SELECT reason FROM alerts ORDER BY id")]
        assert reasons == ["first", "same_at", "same_at"]


async def test_after_the_window_a_new_alert_is_a_new_incident(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story, grouping={"by": "service", "window_s": 600})
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.passes(minutes=11)
        await alerts.fires("CpuHot")
        await ana.is_paged("CpuHot")
        assert len(await story.incidents()) == 2


async def test_grouping_by_labels_keeps_clusters_apart(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story, grouping={"by": "labels", "labels": ["cluster"]})
        await alerts.fires("DiskFull", "CpuHot", cluster="eu")
        await alerts.fires("NetDown", cluster="us")
        await ana.is_paged(times=2)
        assert [incident.alerts for incident in await story.incidents()] == [2, 1]


async def test_one_by_one_makes_an_incident_of_each_alert(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story, grouping={"by": "alert"})
        await alerts.fires("A", "B", "C")
        await ana.is_paged(times=3)


async def test_a_resolve_for_something_never_seen_succeeds_and_pages_nobody(database: str) -> None:
    async with town(database) as story:
        _, alerts = await _settings(story)
        await alerts.resolves("DiskFull")
        assert await story.incidents() == []
        assert [(row.reason, row.count) for row in await story.rows("SELECT reason, count FROM alerts")] == [
            ("orphan_resolve", 0)
        ]


async def test_a_firing_that_its_resolve_overtook_pages_nobody(database: str) -> None:
    async with town(database) as story:
        _, alerts = await _settings(story)
        started = story.clock.now()
        await story.passes(seconds=30)
        alerts.starts["DiskFull"] = started
        await alerts.resolves("DiskFull")
        alerts.starts["DiskFull"] = started
        await alerts.fires("DiskFull")
        assert await story.incidents() == []


async def test_what_fires_again_after_it_resolved_pages_again(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await alerts.resolves("DiskFull")
        await story.passes(minutes=1)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        assert [row.episode for row in await story.rows("SELECT episode FROM alerts ORDER BY id")] == [1, 2]


async def test_what_a_person_called_fixed_and_still_fires_pages_again_after_a_while(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.resolves(await story.incident(), by="Ana")
        await alerts.fires("DiskFull")
        await ana.is_not_paged()
        await story.passes(minutes=6)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")


async def test_what_a_person_called_fixed_and_its_sender_then_too_wakes_nobody_by_a_late_copy(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        await alerts.fires("DiskFull")
        started = alerts.starts["DiskFull"]
        await ana.is_paged("DiskFull")
        await story.resolves(await story.incident(), by="Ana")
        await story.passes(minutes=6)
        await alerts.resolves("DiskFull")
        alerts.starts["DiskFull"] = started
        await alerts.fires("DiskFull")
        await ana.is_not_paged()
        assert len(await story.rows("SELECT id FROM alerts")) == 1


async def test_an_alert_whose_sender_fell_silent_expires_and_its_incident_with_it(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("checkout", await story.policy([[ana]]))
        alerts = await story.integration("alertmanager", service, expire_after_s=300)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.passes(minutes=4)
        await alerts.fires("DiskFull")  # a repeat moves the end
        await story.passes(minutes=4)
        assert (await story.incident()).state == "triggered"
        await story.passes(minutes=2)
        assert (await story.incident()).state == "resolved"
        assert (await story.rows("SELECT resolved_by FROM alerts"))[0].resolved_by == "expiry"


async def test_a_watchdog_that_fires_for_ever_pages_nobody_and_is_kept(database: str) -> None:
    async with town(database) as story:
        _, alerts = await _settings(story)
        await alerts.fires("Watchdog", severity="none")
        assert await story.incidents() == []
        assert (await story.rows("SELECT reason FROM alerts"))[0].reason == "severity_none"


async def test_a_graver_alert_makes_its_incident_graver(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        await alerts.fires("Slow", severity="warning")
        assert (await ana.is_paged("Slow"))["priority"] == "P4"
        await alerts.fires("Down", severity="critical")
        assert (await ana.is_paged("Slow"))["priority"] == "P2"
        assert (await story.incident()).priority == "P2"


@pytest.mark.parametrize("way", ["path", "bearer", "basic", "header", "query", "slash"])
async def test_every_way_a_sender_can_give_its_key_opens(database: str, way: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        basic = base64.b64encode(f"any:{alerts.key}".encode()).decode()
        path, headers = {
            "path": (alerts.path, {}),
            "slash": (alerts.path + "/", {}),
            "bearer": ("/v1/in/alertmanager", {"Authorization": f"Bearer {alerts.key}"}),
            "basic": ("/v1/in/alertmanager", {"Authorization": f"Basic {basic}"}),
            "header": ("/v1/in/alertmanager", {"X-Tocsin-Key": alerts.key}),
            "query": (f"/v1/in/alertmanager?key={alerts.key}", {}),
        }[way]
        document = alerts._group("firing", ["DiskFull"], "critical", {})
        answer = await story.web.post(path, content=json.dumps(document), headers=headers)
        assert answer.status_code == 202
        await ana.is_paged("DiskFull")


@pytest.mark.parametrize("key", ["wrong", "key-1x", "", "%00", "ключ", "a" * 5_000])
async def test_a_wrong_key_is_told_nothing(database: str, key: str) -> None:
    """The same answer whatever is wrong with it: another integration's kind, a key that never was."""
    async with town(database) as story:
        _, alerts = await _settings(story)
        body = json.dumps(alerts._group("firing", ["DiskFull"], "critical", {}))
        answer = await story.web.post(f"/v1/in/alertmanager/{key}", content=body)
        other = await story.web.post(f"/v1/in/datadog/{alerts.key}", content=body)
        assert answer.status_code == other.status_code == 401
        assert answer.content == other.content
        assert await story.rows("SELECT 1 FROM alerts") == []


BAD_BODIES = {
    "empty": b"",
    "not json": b"{'status': firing}",
    "another shape": b'{"hello": "world"}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "keys": b"{" + b",".join(b'"%d":1' % number for number in range(250_000)) + b"}",
    "bytes": bytes(range(256)) * 10,
    "a number": b"17",
    "truncated": b'{"alerts": [{"status": "firing", "labels": {"alertname": "X"',
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_body_that_can_not_be_read_is_kept_answered_and_told_to_a_person_once(database: str, name: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        for _ in range(3):
            answer = await story.web.post(alerts.path, content=BAD_BODIES[name])
            assert answer.status_code == 400, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
        await ana.is_paged("could not be read")
        rows = await story.rows("SELECT reason, size FROM unparsed")
        assert [row.size for row in rows] == [len(BAD_BODIES[name])] * 3
        await story.passes(hours=3)


async def test_a_body_over_the_limit_is_refused_and_told_to_a_person(database: str) -> None:
    async with town(database, max_body_bytes=2_000) as story:
        ana, alerts = await _settings(story)
        answer = await story.web.post(alerts.path, content=b"x" * 5_000)
        assert answer.status_code == 413
        assert "2000 bytes" in answer.json()["detail"]
        await ana.is_paged("could not be read")


def _bare(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKED = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"X-GZIP", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "bare deflate": (b"deflate", _bare),
    "plain after all": (b"gzip", bytes),
    "no coding at all": (b"utf-8", bytes),
}


@pytest.mark.parametrize("name", PACKED)
async def test_a_packed_body_is_read(database: str, name: str) -> None:
    coding, pack = PACKED[name]
    async with town(database) as story:
        ana, alerts = await _settings(story)
        body = json.dumps(alerts._group("firing", ["DiskFull"], "critical", {})).encode()
        answer = await story.web.post(alerts.path, content=pack(body), headers={"content-encoding": coding})
        assert answer.status_code == 202, answer.text
        api = f"{alerts.path}/api/v2/alerts"
        body = json.dumps([{"labels": {"alertname": "CpuHot"}}]).encode()
        answer = await story.web.post(api, content=pack(body), headers={"content-encoding": coding})
        assert answer.status_code == 200, answer.text
        await ana.is_paged("DiskFull")
        assert {alert["labels"]["alertname"] for alert in (await story.web.get(api)).json()} == {"DiskFull", "CpuHot"}


async def test_a_packed_body_that_is_broken_or_a_bomb_is_refused_and_told_to_a_person(database: str) -> None:
    whole = gzip.compress(b'{"title": "Disk"}')
    broken = {
        "ends too early": whole[:-9],
        "there is more": whole * 100_000,
        "damaged": b"\x1f\x8b" + b"x" * 50,
        "not packed": b"title=Disk",
    }
    async with town(database) as story:
        ana, alerts = await _settings(story)
        for body in broken.values():
            for path, status in ((alerts.path, 400), (f"{alerts.path}/api/v2/alerts", 400)):
                answer = await story.web.post(path, content=body, headers={"content-encoding": "gzip"})
                assert answer.status_code == status
                assert "packed" in answer.text
        bomb = gzip.compress(bytes(64 * 1024 * 1024))
        for path in (alerts.path, f"{alerts.path}/api/v2/alerts"):
            answer = await story.web.post(path, content=bomb, headers={"content-encoding": "gzip"})
            assert answer.status_code == 413
        await ana.is_paged("could not be read")
        kept = await story.rows("SELECT reason, size FROM unparsed ORDER BY id")
        assert len(kept) == len(broken) + 1
        assert "8388608 bytes" in kept[-1].reason
        assert kept[-1].size == 8388608 + 1, "no more than that was unpacked"


async def test_put_and_patch_say_what_post_says_and_any_other_method_nothing(database: str) -> None:
    """Grafana, Site24x7, Healthchecks and others let their users choose. A GET may be a scanner of mail that looks at links."""
    async with town(database) as story:
        ana, alerts = await _settings(story)
        for method in ("GET", "HEAD", "DELETE"):
            answer = await story.web.request(method, f"{alerts.path}?summary=Disk", json={"title": "Disk"})
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST, PUT, PATCH")
            assert method == "HEAD" or "method to POST" in answer.json()["detail"]
        assert await story.rows("SELECT 1 FROM alerts") == []
        document = alerts._group("firing", ["DiskFull"], "critical", {})
        assert (await story.web.put(alerts.path, json=document)).status_code == 202
        await ana.is_paged("DiskFull")
        document = alerts._group("resolved", ["DiskFull"], "critical", {})
        assert (await story.web.patch(alerts.path, json=document)).status_code == 202
        assert (await story.incident()).state == "resolved"


async def test_a_revoked_key_opens_nothing_from_the_next_instant(database: str) -> None:
    """Through the API, on a process that has just used the key: 401, nothing stored."""
    async with town(database) as story:
        _, alerts = await _settings(story)
        admin = await story.api_key("admin")
        await alerts.resolves("Warm")
        rotated = await story.web.post(
            f"/v1/integrations/{alerts.id}/rotate-key",
            json={"grace_s": 0},
            headers={"Authorization": f"Bearer {admin}"},
        )
        assert rotated.status_code in (200, 201), rotated.text
        document = alerts._group("firing", ["DiskFull"], "critical", {})
        assert (await story.web.post(alerts.path, json=document)).status_code == 401
        assert (await story.rows("SELECT count(*) AS n FROM alerts"))[0].n == 1
        alerts.key = rotated.json()["key"]
        await alerts.resolves("Warm again")


async def test_an_unknown_kind_names_those_there_are(database: str) -> None:
    async with town(database) as story:
        answer = await story.web.post("/v1/in/nagiosx/key", content=b"{}")
        assert answer.status_code == 404
        assert "alertmanager" in answer.json()["detail"]


async def test_hostile_text_is_stored_harmless_and_pages(database: str) -> None:
    """NUL, lone surrogates, a label of a megabyte, ten thousand labels: one page, no error."""
    async with town(database) as story:
        ana, alerts = await _settings(story)
        body = (
            b'{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Disk\\u0000Full",'
            b'"lone":"\\ud800","big":"'
            + b"x" * 1_000_000
            + b'",'
            + b",".join(b'"l%d":"v"' % number for number in range(10_000))
            + b"}}]}"
        )
        answer = await story.web.post(alerts.path, content=body)
        assert answer.status_code == 202, answer.text
        page = await ana.is_paged("Disk")
        assert "\0" not in page["title"]


class Fragile:
    """A sender of a plug-in with a fault: one of its events can't be written."""

    kind: ClassVar[str] = "fragile"
    title: ClassVar[str] = "Fragile"
    Settings: ClassVar[type[SourceSettings]] = SourceSettings

    def read(self, received: Received, settings: SourceSettings, now: Micros) -> Reading:
        word = received.body.decode()
        severity: Any = "no such severity" if word == "broken" else "critical"
        return Reading((Event("firing", word, word, severity),))


async def test_a_request_that_makes_its_group_fail_fails_alone(database: str) -> None:
    """Neighbours in the same transaction are committed; the one at fault is kept as it came, and told to a person."""
    async with town(database) as story:
        story.world.sources = {**story.world.sources, "fragile": Fragile()}
        ana = await story.person("Ana")
        service = await story.service("s", await story.policy([[ana]]), grouping={"by": "alert"})
        fragile = await story.integration("fragile", service)
        words = [*(f"good-{number}" for number in range(20)), "broken"]
        answers = await asyncio.gather(*(story.web.post(fragile.path, content=word) for word in words))
        assert [answer.status_code for answer in answers] == [202] * 21
        assert answers[-1].json()["status"] == "kept"
        await ana.is_paged(times=21)
        assert (await story.rows("SELECT body FROM unparsed"))[0].body == b"broken"
        assert len(story.errors) == 2
        story.errors.clear()


async def test_when_the_queue_is_full_senders_are_asked_to_come_again(database: str) -> None:
    """503 and Retry-After, nothing stored of the refused, everything of the taken."""
    async with town(database, queue_requests=5) as story:
        ana, alerts = await _settings(story)
        documents = [alerts._group("firing", [f"A{number}"], "critical", {}) for number in range(200)]
        answers = await asyncio.gather(*(story.web.post(alerts.path, json=document) for document in documents))
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {202, 503}
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert int(refused.headers["retry-after"]) > 0
        assert (await story.rows("SELECT count(*) AS n FROM alerts"))[0].n == codes.count(202)
        await ana.is_paged()


async def test_a_stopping_server_takes_nothing_new_and_keeps_what_it_took(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        document = alerts._group("firing", ["DiskFull"], "critical", {})
        taken = asyncio.create_task(story.web.post(alerts.path, json=document))
        await asyncio.sleep(0)
        assert (await taken).status_code == 202
        story.world.committer.close()
        assert (await story.web.post(alerts.path, json=document)).status_code == 503
        await ana.is_paged("DiskFull")


async def test_a_hundred_copies_at_once_are_one_alert_and_one_page(database: str) -> None:
    """Two Alertmanagers, hang-ups and batches: identical messages within milliseconds."""
    async with town(database) as story:
        ana, alerts = await _settings(story)
        document = alerts._group("firing", ["DiskFull"], "critical", {})
        answers = await asyncio.gather(*(story.web.post(alerts.path, json=document) for _ in range(100)))
        assert {answer.status_code for answer in answers} == {202}
        await ana.is_paged("DiskFull")
        assert len(await story.rows("SELECT 1 FROM alerts")) == 1


async def test_an_alert_that_changes_twice_in_one_message_shows_the_last_and_counts_both(database: str) -> None:
    async with town(database) as story:
        ana, alerts = await _settings(story)
        document = alerts._group("firing", [], "critical", {})

        def said(*texts: str) -> dict[str, object]:
            labels = {"alertname": "DiskFull", "severity": "critical"}
            shown = [{"summary": "DiskFull", "description": text} for text in texts]
            told = [{"status": "firing", "labels": labels, "annotations": one} for one in shown]
            return {**document, "alerts": told}

        await alerts.posts(said("90 %"))
        await ana.is_paged("DiskFull")
        await alerts.posts(said("91 %", "92 %"))
        (row,) = await story.rows("SELECT count, annotations FROM alerts")
        assert row.count == 3
        assert "92 %" in row.annotations


async def test_an_alert_that_comes_ends_and_comes_again_in_one_message_is_one_open_alert(database: str) -> None:
    """What queued up while we stood still is written together: when the last of it ends, so does its incident."""
    async with town(database) as story:
        ana, alerts = await _settings(story)
        first = {"labels": {"alertname": "Flapping", "severity": "critical"}, "startsAt": "2026-01-05T00:00:00Z"}
        again = {**first, "startsAt": "2026-01-05T00:02:00Z"}
        ended = {**first, "status": "resolved", "endsAt": "2026-01-05T00:01:00Z"}
        document = alerts._group("firing", [], "critical", {})
        await alerts.posts(
            {**document, "alerts": [{**first, "status": "firing"}, ended, {**again, "status": "firing"}]}
        )
        await ana.is_paged("Flapping")
        assert (await story.rows("SELECT open_alerts FROM incidents"))[0].open_alerts == 1
        await alerts.posts({**document, "alerts": [{**again, "status": "resolved", "endsAt": "2026-01-05T00:03:00Z"}]})
        assert (await story.incident()).state == "resolved"
