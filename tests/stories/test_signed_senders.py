"""Senders that sign: what is not theirs is refused, kept and told; what comes twice is done once; SNS is subscribed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import httpx

from app.clock import SECOND, iso
from app.server import Tocsin
from tests.harness.aws import CERTIFICATE_URL, SUBSCRIBE_URL, TOPIC, WayToAws, alarm, notification, signed
from tests.harness.town import Sender, Town, town

SECRET = "a secret of twenty"


async def _sender(story: Town, kind: str, **settings: Any) -> tuple[Any, Sender]:
    ana = await story.person("Ana")
    service = await story.service("shop", await story.policy([[ana]], delay_s=3_600), grouping={"by": "alert"})
    return ana, await story.integration(kind, service, **settings)


async def _posts(story: Town, sender: Sender, body: bytes, **headers: str) -> httpx.Response:
    answer = await story.web.post(
        sender.path, content=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    await story.settled()
    return answer


async def test_a_signed_message_counts_once_and_what_is_not_signed_is_kept_and_told(database: str) -> None:
    async with town(database) as story:
        ana, sentry = await _sender(story, "sentry", secret=SECRET, samples=2)
        issue = {"id": "1", "title": "Checkout is down", "level": "fatal"}
        body = json.dumps({"action": "created", "data": {"issue": issue}, "token": "hunter2"}).encode()
        at = str(story.clock.now() // SECOND)
        right = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        good = {"sentry_hook_signature": right, "sentry_hook_timestamp": at}

        assert (await _posts(story, sentry, body, **good)).status_code == 202
        await ana.is_paged("Checkout is down")
        replayed = await _posts(story, sentry, body, **good)
        assert (replayed.status_code, replayed.json()["code"]) == (409, "replayed")

        for wrong in ({}, {**good, "sentry_hook_signature": "0" * 64}, {**good, "sentry_hook_timestamp": "1600000000"}):
            answer = await _posts(story, sentry, body.replace(b"is down", b"is fine"), **wrong)
            assert (answer.status_code, answer.json()["code"]) == (403, "unproven"), answer.text
        await ana.is_paged("could not be read")  # once an hour, whatever comes
        kept = await story.rows("SELECT reason FROM unparsed ORDER BY id")
        assert ["replay" in row.reason for row in kept] == [True, False, False, False]
        counts = await story.rows("SELECT count FROM alerts WHERE title = 'Checkout is down'")
        assert [row.count for row in counts] == [1]
        (sample,) = await story.rows("SELECT body, events FROM samples")
        assert ("hunter2" not in sample.body, sample.events) == (True, 1)

        for minute in range(4):  # samples: one a minute, the newest two
            await story.passes(minutes=1)
            later = {**good, "sentry_hook_timestamp": str(story.clock.now() // SECOND)}
            assert (await _posts(story, sentry, body, **later)).status_code == 202, minute
        assert len(await story.rows("SELECT 1 FROM samples")) == 2
        await story.passes(hours=2.5)


async def test_sns_is_subscribed_its_alarms_page_and_its_retries_do_nothing(database: str) -> None:
    async with town(database) as story:
        ana, topic = await _sender(story, "sns")
        aws: Any = WayToAws(story.clock.now)
        pages_out, story.world.outbound = story.world.outbound, aws
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=Tocsin(story.process)), base_url="http://tocsin.test"
        ) as web:

            async def posts(body: bytes) -> httpx.Response:
                answer = await web.post(topic.path, content=body, headers={"content-type": "text/plain; charset=UTF-8"})
                await story.settled()
                return answer

            now = story.clock.now()
            subscription = {"Type": "SubscriptionConfirmation", "MessageId": "s-1", "TopicArn": TOPIC, "Token": "t"}
            asked = signed({**subscription, "Message": "m", "SubscribeURL": SUBSCRIBE_URL, "Timestamp": iso(now)})
            aws.down = True
            assert (await posts(asked)).status_code == 503  # SNS comes again
            aws.down = False
            assert (await posts(asked)).status_code == 202
            assert aws.asked == [CERTIFICATE_URL, CERTIFICATE_URL, SUBSCRIBE_URL]

            firing = signed(notification(now, 1, alarm("ALARM")), "2")
            assert (await posts(firing)).status_code == 202
            assert (await ana.is_paged("Disk full"))["priority"] == "P2"
            assert (await posts(firing)).status_code == 409
            forged = signed(notification(now, 2, alarm("OK")), "2", signer="mallory")
            assert (await posts(forged)).status_code == 403
            assert (await story.incidents())[0].state == "triggered"
            await ana.is_paged("could not be read")
            assert (await posts(signed(notification(now, 3, alarm("OK")), "2"))).status_code == 202
            assert (await story.incidents())[0].state == "resolved"
            assert aws.asked.count(CERTIFICATE_URL) == 2
        await story.passes(hours=2.5)
        story.world.outbound = pages_out  # closed with the story
