"""Our own trouble, told to each foreign API's senders so that they come again: nothing is answered 2xx that is not committed."""

from __future__ import annotations

import gzip
import json
import random
from contextlib import suppress

import pytest

from app.api.wire.opsgenie_query import BadQuery, parse
from app.sources.event import Unreadable
from app.sources.pagerduty import read_change
from tests.harness.town import town

NOW = 1_785_000_000_000_000

EVENT = {"event_action": "trigger", "dedup_key": "k", "payload": {"summary": "s", "severity": "critical"}}


async def test_what_could_not_be_committed_is_sent_again_by_every_kind_of_sender(database: str) -> None:
    """PagerDuty v2: 429, which each of its libraries retries; where a 4xx is final, 503. Then all of it arrives, once."""
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("checkout", await story.policy([[ana]], delay_s=3_600))
        pager, genie, prometheus = [
            await story.integration(kind, service) for kind in ("pagerduty", "opsgenie", "alertmanager")
        ]
        v1 = {"service_key": pager.key, "event_type": "trigger", "incident_key": "k", "description": "s"}
        nagios = {"CONTACTPAGER": pager.key, "NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "h", "HOSTSTATE": "DOWN"}
        genie_key = {"authorization": f"GenieKey {genie.key}"}
        requests = (
            (429, 202, "/v2/enqueue", {"json": {"routing_key": pager.key, **EVENT}}),
            (503, 200, "/generic/2010-04-15/create_event.json", {"json": v1}),
            (503, 200, "/nagios/2010-04-15/create_event", {"data": nagios}),
            (503, 202, "/v2/alerts", {"json": {"message": "m", "alias": "a"}, "headers": genie_key}),
            (503, 202, "/v2/alerts/a/close?identifierType=alias", {"json": {}, "headers": genie_key}),
            (503, 200, f"{prometheus.path}/api/v2/alerts", {"json": [{"labels": {"alertname": "A"}}]}),
        )
        queue = story.world.committer
        story.world.committer = type(queue)(story.store, story.world.directory, story.clock, on_written=lambda _: None)
        story.world.committer.close()  # it takes nothing, as when it is full
        for ill, _, path, how in requests:
            answer = await story.web.post(path, **how)
            assert (answer.status_code, answer.headers["retry-after"]) == (ill, "5"), path
        assert await story.rows("SELECT id FROM alerts") == []
        story.world.committer = queue
        for _, well, path, how in requests:
            assert (await story.web.post(path, **how)).status_code == well, path
        await story.settled()
        assert len(await story.rows("SELECT id FROM alerts")) == 4
        ana.phone.taken = len(ana.phone.inbox())


async def test_what_is_large_is_read_only_with_a_key(database: str) -> None:
    """A body that anybody may send is kept in memory whole, so it is small; with a key in the path or a header it may be large."""
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("checkout", await story.policy([[ana]], delay_s=3_600))
        pager, genie = [await story.integration(kind, service) for kind in ("pagerduty", "opsgenie")]
        large = "x" * 2 * 1024 * 1024
        event = {"routing_key": pager.key, **EVENT, "client": large}
        assert (await story.web.post("/v2/enqueue", json=event)).status_code == 413
        assert (await story.web.post(f"{pager.path}/v2/enqueue", json=event)).status_code == 202
        packed = {"content": gzip.compress(json.dumps(event).encode()), "headers": {"content-encoding": "gzip"}}
        assert (await story.web.post("/v2/enqueue", **packed)).status_code == 413
        assert (await story.web.post(f"{pager.path}/v2/enqueue", **packed)).status_code == 202
        for key, status in (("other", 413), (genie.key, 202)):
            headers = {"authorization": f"GenieKey {key}"}
            alert = {"message": "m", "alias": "a", "description": large}
            assert (await story.web.post("/v2/alerts", json=alert, headers=headers)).status_code == status
        await story.settled()
        ana.phone.taken = len(ana.phone.inbox())


@pytest.mark.parametrize("seed", range(4))
def test_no_mutated_change_and_no_query_raises_anything_unforeseen(seed: int) -> None:
    chance = random.Random(seed)
    tokens = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '"',
        "null",
        "1e999",
        '"payload"',
        '"summary"',
        '"links"',
        '"href"',
        "\\u0000",
        "(",
        "é",
    ]
    whole = json.dumps(
        {"payload": {"summary": "s", "timestamp": "x", "custom_details": {"a": [1]}}, "links": [{"href": 1}]}
    )
    for _ in range(500):
        cut = chance.randrange(len(whole))
        text = whole[:cut] + "".join(chance.choices(tokens, k=3)) + whole[cut + chance.randrange(6) :]
        with suppress(Unreadable):
            read_change(text.encode(), NOW)
        with suppress(BadQuery):
            parse(text[:200])
