"""The secret addresses by which calendar programs follow schedules and people, on a running Tocsin."""

from __future__ import annotations

from typing import Any

import httpx
import icalendar
import structlog

from app.clock import DAY
from tests.harness.providers import Answering
from tests.harness.rota_town import RotaTown, rota_town

QUIET = {"notices": {"before_minutes": None, "at_handoff": False}}


def path_of(url: str) -> str:
    assert url.startswith("http://tocsin.test/c/")
    return url.removeprefix("http://tocsin.test")


async def made(rota: RotaTown, subject: str = "") -> str:
    """The path of a new address."""
    answer = await rota.responder.post(f"{subject or rota.path}/calendar-link", status=201)
    return path_of(answer["url"])


async def fetched(rota: RotaTown, path: str, **headers: str) -> httpx.Response:
    """As a calendar program does: without a key."""
    return await rota.asked.story.web.get(path, headers={name.replace("_", "-"): one for name, one in headers.items()})


def titles(answer: httpx.Response) -> list[str]:
    calendar = icalendar.Calendar.from_ical(answer.content)
    return [str(event["SUMMARY"]) for event in calendar.walk("VEVENT")]


async def test_a_schedule_is_followed_by_its_address(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", more=QUIET) as rota:
        answer = await fetched(rota, await made(rota))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["x-robots-tag"] == "noindex"
        calendar = icalendar.Calendar.from_ical(answer.content)
        assert calendar["X-WR-CALNAME"] == "Primary on call"
        first, *_, last = calendar.walk("VEVENT")
        assert (first["SUMMARY"], first["DTSTART"].to_ical()) == ("Ana: Primary on call", b"20260105T000000Z")
        assert last["DTEND"].to_ical() == b"20270106T000000Z"


async def test_nothing_is_sent_again_while_nothing_changes(database: str) -> None:
    """The tag holds from request to request and through a day that passes, and changes with the first shift that does."""
    async with rota_town(database, "Ana", "Ben", more=QUIET) as rota:
        path = await made(rota)
        answer = await fetched(rota, path)
        tag = answer.headers["etag"]
        for seen in (tag, f'"x", W/{tag}', "*"):
            again = await fetched(rota, path, If_None_Match=seen)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        await rota.asked.story.passes(hours=12)
        assert (await fetched(rota, path, If_None_Match=tag)).status_code == 304
        head = await rota.asked.story.web.head(path)
        assert (head.status_code, head.headers["etag"], head.content) == (200, tag, b"")
        assert head.headers["content-length"] == str(len(answer.content))
        await rota.cover(person="Cat", replaces="Ben", start="01-06T06", end="01-06T12")
        changed = await fetched(rota, path, If_None_Match=tag)
        assert changed.status_code == 200
        assert "Cat: Primary on call" in titles(changed)


async def test_a_person_is_followed_through_all_schedules(database: str) -> None:
    """Turns, and what they take over elsewhere."""
    async with rota_town(database, "Ana", "Ben", more=QUIET) as rota:
        other = rota.document(rota.layer("Dan", name="all"), name="Bank", **QUIET)
        await rota.asked.admin.create("schedules", other)
        path = await made(rota, f"/people/{rota.id('Cat')}")
        assert titles(await fetched(rota, path)) == []
        await rota.cover(person="Cat", replaces="Ben", start="01-06T06", end="01-06T12")
        assert titles(await fetched(rota, path)) == ["On call: Primary"]
        dans = titles(await fetched(rota, await made(rota, f"/people/{rota.id('Dan')}")))
        assert dans == ["On call: Bank"]
        await rota.asked.story.passes(hours=48)
        assert titles(await fetched(rota, path)) == ["On call: Primary"], "what was stays in it"


async def test_a_new_address_ends_the_one_before(database: str) -> None:
    async with rota_town(database, "Ana", more=QUIET) as rota:
        link = f"{rota.path}/calendar-link"
        assert await rota.responder.get(link) == {"active": False, "created_at": None, "created_by": None}
        first = await made(rota)
        second = await made(rota)
        assert (await fetched(rota, first)).status_code == 404
        assert (await fetched(rota, second)).status_code == 200
        shown = await rota.asked.reader.get(link)
        assert shown == {
            "active": True,
            "created_at": "2026-01-05T00:00:00.000Z",
            "created_by": "api key responder-bot",
        }
        await rota.responder.done(204, "DELETE", link)
        assert (await fetched(rota, second)).status_code == 404
        assert (await rota.responder.get(link))["active"] is False
        await rota.responder.done(204, "DELETE", link)


async def test_an_address_that_opens_nothing_is_answered_the_same_whatever_the_reason(database: str) -> None:
    async with rota_town(database, "Ana", more=QUIET) as rota:
        ended = await made(rota)
        await made(rota)
        deleted = await made(rota, f"/people/{rota.id('Dan')}")
        await rota.asked.admin.done(204, "DELETE", f"/people/{rota.id('Dan')}", version=1)
        paths = (ended, deleted, "/c/unknown.ics", f"/c/{'x' * 5_000}.ics", "/c/%00%ff.ics")
        answers = [await fetched(rota, path) for path in paths]
        assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
        assert b"no calendar at this address" in answers[0].content


async def test_who_may_make_one(database: str) -> None:
    async with rota_town(database, "Ana", more=QUIET) as rota:
        link = f"{rota.path}/calendar-link"
        for method in ("POST", "DELETE"):
            await rota.asked.reader.refused(403, method, link)
            await rota.asked.stranger().refused(401, method, link)
            await rota.responder.refused(404, method, "/schedules/12345/calendar-link")
            await rota.responder.refused(404, method, f"/people/{rota.schedule}/calendar-link")
        await rota.asked.reader.refused(404, "GET", "/people/12345/calendar-link")


async def test_the_address_is_said_once_and_written_nowhere(database: str) -> None:
    """Not in the database, the log, the metrics, nor in the repeat of the request that made it."""
    lines: list[str] = []

    def keep(_: Any, __: str, entry: dict[str, Any]) -> dict[str, Any]:
        lines.append(repr(entry))
        raise structlog.DropEvent

    async with rota_town(database, "Ana", more=QUIET) as rota:
        structlog.configure(processors=[keep])
        again = {"headers": {"idempotency-key": "once"}, "status": 201}
        first = await rota.responder.post(f"{rota.path}/calendar-link", **again)
        token = path_of(first["url"]).removeprefix("/c/").removesuffix(".ics")
        assert len(token) >= 43, "256 bits"
        repeated = await rota.responder.post(f"{rota.path}/calendar-link", **again)
        assert repeated["url"] == "***"
        assert (await fetched(rota, path_of(first["url"]))).status_code == 200
        metrics = await rota.asked.story.web.get("/metrics")
        rows = await rota.asked.story.rows("SELECT * FROM calendar_links")
        kept = await rota.asked.story.rows("SELECT * FROM idempotency")
        assert token not in repr((metrics.text, rows, kept, lines))


async def test_one_schedule_read_by_another_gives_the_same_shifts(database: str) -> None:
    """The round trip through the whole of Tocsin: out by an address, in by a calendar layer."""
    async with rota_town(database, "Ana", "Ben", "Cat", more=QUIET, handoff="10:00") as rota:
        await rota.cover(person="Dan", replaces="Ben", start="01-06T12", end="01-08T09")
        body = (await fetched(rota, await made(rota))).content
        story = rota.asked.story
        story.provider.by_path["/feed.ics"] = Answering(200, body)
        calendar = await rota.asked.admin.create("calendars", {"name": "Feed", "url": story.provider.url("/feed.ics")})
        await story.settled()
        original, rota.schedule = (
            rota.schedule,
            (
                await rota.asked.admin.create(
                    "schedules",
                    rota.document({"name": "feed", "calendar": calendar["id"]}, name="Copy", **QUIET),
                )
            )["id"],
        )
        copied = await rota.shifts("01-05", "06-01")
        rota.schedule = original
        assert copied == await rota.shifts("01-05", "06-01")
        assert len(copied) > 100
        state = await rota.asked.reader.get(f"/calendars/{calendar['id']}/state")
        assert (state["left_out"], state["events"] * DAY >= 366 * DAY) == ([], True)
