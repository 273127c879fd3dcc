"""Calendars read from elsewhere, on a running Tocsin with a real server that answers as calendars do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from app.clock import iso
from tests.harness.api_world import Asked, api
from tests.harness.providers import Answering
from tests.harness.town import Resident

SECRET = "private-4f7a1c9e"
FEED = f"/{SECRET}/basic.ics"
HOST = "http://127.0.0.1"


def event(title: str, start: str, end: str, *lines: str, uid: str = "") -> str:
    """An event of January 2026: `start` as "05T10"; a day alone is an all-day event."""

    def at(name: str, when: str) -> str:
        day, _, hour = when.partition("T")
        return f"{name}:202601{day}T{hour}0000Z" if hour else f"{name};VALUE=DATE:202601{day}"

    said = ("BEGIN:VEVENT", f"UID:{uid or title + start}", at("DTSTART", start), at("DTEND", end), f"SUMMARY:{title}")
    return "\r\n".join([*said, *lines, "END:VEVENT", ""])


def file(*events: str) -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


@dataclass
class Reader:
    """A story with a calendar and two people."""

    asked: Asked
    ana: Resident
    ben: Resident
    calendar: str = ""
    schedule: str = ""

    def serves(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.asked.story.provider.by_path[FEED] = Answering(status, body, headers=named)

    def requests(self) -> list[dict[str, str]]:
        return [dict(seen.headers) for seen in self.asked.story.provider.seen if seen.path == FEED]

    def document(self, **more: Any) -> dict[str, Any]:
        return {"name": "Rota in the calendar", "url": self.asked.story.provider.url(FEED), **more}

    async def enters(self, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.asked.admin.create("calendars", self.document(**more))
        self.calendar = made["id"]
        await self.asked.story.settled()
        return made

    async def has_layer(self, **more: Any) -> None:
        """A schedule that is read from the calendar, over Ben who is there at all hours."""
        daily = {"name": "always", "unit": "day", "length": 1, "start_date": "2026-01-01", "handoff": "00:00"}
        layers = [{**daily, "participants": [str(self.ben.id)]}, {"name": "calendar", "calendar": self.calendar}]
        document = {"name": "Shop", "time_zone": "UTC", "layers": layers, **more}
        self.schedule = (await self.asked.admin.create("schedules", document))["id"]
        await self.asked.story.settled()

    async def state(self) -> Any:
        return await self.asked.reader.get(f"/calendars/{self.calendar}/state")

    async def on_call(self, at: str = "") -> list[str]:
        query = {"schedule_id": self.schedule, **({"at": f"2026-01-{at}:00:00Z"} if at else {})}
        (found,) = (await self.asked.reader.get("/oncall", params=query))["items"]
        return [one["person"] for one in found["people"]]

    async def refreshes(self) -> None:
        await self.asked.responder.post(f"/calendars/{self.calendar}/refresh", status=202)
        await self.asked.story.settled()

    async def reads_notices(self) -> list[str]:
        """The titles of what both were told since the last time."""
        await self.asked.story.settled()
        titles = []
        for one in (self.ana, self.ben):
            titles += [str(seen["title"]) for seen in one.phone.unread()]
            one.phone.taken = len(one.phone.inbox())
        return titles


@asynccontextmanager
async def reader(database: str) -> AsyncIterator[Reader]:
    async with api(database) as asked:
        ana = await asked.story.person("Ana", email="ana@example.org")
        there = Reader(asked, ana, await asked.story.person("Ben"))
        yield there
        await there.reads_notices()


QUIET = {"notices": {"before_minutes": None, "at_handoff": False}}


async def test_an_event_puts_its_person_on_call(database: str) -> None:
    async with reader(database) as there:
        there.serves(file(event("Ana on call", "05T10", "05T18"), event("Somebody else", "06T10", "06T18")))
        await there.enters()
        await there.has_layer(**QUIET)
        assert await there.on_call("05T09") == ["Ben"]
        assert await there.on_call("05T10") == ["Ana"]
        assert await there.on_call("05T18") == ["Ben"]
        state = await there.state()
        assert (state["events"], state["trouble"], state["read_at"]) == (1, None, "2026-01-05T00:00:00.000Z")
        assert [(one["event"], one["times"]) for one in state["left_out"]] == [("Somebody else", 1)]
        shifts = await there.asked.reader.get(
            f"/schedules/{there.schedule}/shifts",
            params={"from": "2026-01-05T10:00:00Z", "to": "2026-01-05T18:00:00Z"},
        )
        assert [one["reason"] for one in shifts["items"]] == [
            "on call in Shop (layer calendar, calendar event 'Ana on call')"
        ]


async def test_it_is_asked_for_conditionally_and_read_again_in_time(database: str) -> None:
    async with reader(database) as there:
        there.serves(file(event("Ana", "05T10", "05T18")), ETag='"1"', Last_Modified="Sun, 04 Jan 2026 00:00:00 GMT")
        await there.enters(refresh_minutes=15)
        await there.has_layer(**QUIET)
        there.serves(status=304)
        await there.asked.story.passes(minutes=17)
        first, second = there.requests()
        assert "if-none-match" not in first
        assert (second["if-none-match"], second["if-modified-since"]) == ('"1"', "Sun, 04 Jan 2026 00:00:00 GMT")
        state = await there.state()
        assert "2026-01-05T00:15" <= state["read_at"] < "2026-01-05T00:17"
        assert state["changed_at"] == "2026-01-05T00:00:00.000Z"
        assert await there.on_call("05T12") == ["Ana"]
        there.serves(file(event("Ana", "05T14", "05T18")), ETag='"2"')
        await there.refreshes()
        assert await there.on_call("05T12") == ["Ben"]
        assert (await there.state())["events"] == 1


async def test_another_address_is_not_asked_with_what_the_first_server_said(database: str) -> None:
    async with reader(database) as there:
        there.serves(file(event("Ana", "05T10", "05T18")), ETag='"1"')
        await there.enters()
        moved = there.document(url=there.asked.story.provider.url("/moved.ics"))
        there.asked.story.provider.by_path["/moved.ics"] = Answering(500)
        await there.asked.admin.done(200, "PUT", f"/calendars/{there.calendar}", version=1, json=moved)
        await there.asked.story.settled()
        assert "if-none-match" not in there.asked.story.provider.seen[-1].headers
        state = await there.state()
        assert (state["events"], state["trouble"]) == (1, "127.0.0.1 answered 500")


async def test_a_feed_that_breaks_changes_nothing_and_is_told_of_once(database: str) -> None:
    """Fetched in vain, or no calendar at all: the last good copy stays in force, and the team's lead hears of it once."""
    async with reader(database) as there:
        there.serves(file(event("Ana", "05T10", "07T18")), ETag='"1"')
        await there.enters(refresh_minutes=5)
        team = {"name": "Shop", "members": [{"person_id": str(there.ana.id), "role": "lead"}]}
        team_id = (await there.asked.admin.create("teams", team))["id"]
        await there.has_layer(team_id=team_id, **QUIET)
        await there.reads_notices()
        for broken, trouble in (
            (Answering(500), "127.0.0.1 answered 500"),
            (
                Answering(200, b"<!DOCTYPE html><title>Sign in</title>"),
                "what was answered is a web page and no calendar",
            ),
            (Answering(200, b"BEGIN:VCALENDAR\r\n" + b"x" * 6_000_000), "is larger than 5 MB"),
        ):
            assert not await there.reads_notices()
            there.asked.story.provider.by_path[FEED] = broken
            await there.refreshes()
            state = await there.state()
            assert trouble in state["trouble"]
            assert (state["events"], state["read_at"]) == (1, "2026-01-05T00:00:00.000Z")
            assert await there.on_call("05T12") == ["Ana"]
        assert await there.reads_notices() == ["The calendar 'Rota in the calendar' can't be read"]
        # The pause grows, up to six hours: 20 minutes after the third failure, 40 after the fourth.
        before = len(there.requests())
        await there.asked.story.passes(hours=1)
        assert len(there.requests()) == before + 1
        assert not await there.reads_notices()
        there.serves(file(event("Ana", "05T10", "05T18")))
        await there.refreshes()
        state = await there.state()
        assert (state["trouble"], state["failures"]) == (None, 0)
        assert await there.on_call("06T12") == ["Ben"]


async def test_a_redirect_to_a_private_address_is_refused(database: str) -> None:
    async with reader(database) as there:
        there.asked.story.provider.by_path[FEED] = Answering(302, headers={"Location": "http://10.0.0.1/metadata"})
        await there.enters()
        trouble = (await there.state())["trouble"]
        assert trouble.startswith("127.0.0.1 redirects elsewhere: it is not allowed to go there: 10.0.0.1 is a private")
        assert "TOCSIN_OUTBOUND_ALLOW" in trouble


async def test_the_address_is_never_shown_again(database: str) -> None:
    """Not in answers, histories, problems, states or log lines; and *** sent back keeps it, for the same host only."""
    lines: list[str] = []

    def keep(_: Any, __: str, entry: dict[str, Any]) -> dict[str, Any]:
        lines.append(repr(entry))
        raise structlog.DropEvent

    async with reader(database) as there:
        structlog.configure(processors=[keep])
        there.serves(file(event("Ana", "05T10", "05T18")))
        made = await there.enters()
        admin, path = there.asked.admin, f"/calendars/{made['id']}"
        port = there.asked.story.provider.port
        assert made["url"] == f"{HOST}:{port}/***"
        kept = there.document(url=made["url"], refresh_minutes=60)
        changed = await admin.done(200, "PUT", path, version=1, json=kept)
        assert changed["url"] == made["url"]
        await there.asked.story.settled()
        assert len(there.requests()) == 2, "the stored address is read after the edit"
        elsewhere = there.document(url="http://elsewhere.example/***")
        problem = await admin.refused(422, "PUT", path, version=2, json=elsewhere)
        assert problem["errors"][0]["field"] == "url"
        there.serves(status=500)
        await there.refreshes()
        await there.asked.story.passes(minutes=20)
        answers = [made, changed, problem, await there.state()]
        answers += [await admin.get(address) for address in (path, "/calendars", f"{path}/history")]
        assert SECRET not in repr(answers)
        assert any("calendar_read" in line for line in lines)
        assert SECRET not in repr(lines)


async def test_an_address_that_can_not_be_meant_is_refused_at_save(database: str) -> None:
    async with reader(database) as there:
        for url, said in (
            ("webcal://calendar.example/x.ics", "https:// in place of webcal://"),
            ("ftp://calendar.example/x.ics", "must be an address such as"),
            ("https://ana:pass@calendar.example/x.ics", "user name or password"),
            ("https:///x.ics", "must be an address such as"),
            ("https://calendar.example:99999/x.ics", "must be an address such as"),
            ("https://calendar.example/a b", "must be an address such as"),
            ("calendar", "must be an address such as"),
            ("***", "send the whole address"),
        ):
            problem = await there.asked.admin.refused(422, "POST", "/calendars", json=there.document(url=url))
            assert said in problem["detail"], url
            assert "pass@" not in repr(problem)
        for wrong in ({"time_zone": "Mars/Base"}, {"refresh_minutes": 4}, {"people": {"!": str(there.ana.id)}}):
            await there.asked.admin.refused(422, "POST", "/calendars", json=there.document(**wrong))
        unknown = {"people": {"AK": "12345"}, "person_id": "12346"}
        problem = await there.asked.admin.refused(422, "POST", "/calendars", json=there.document(**unknown))
        assert {one["field"] for one in problem["errors"]} == {"people.AK", "person_id"}


async def test_leave_moves_turns_on(database: str) -> None:
    """A calendar of absences: whole days of whose they are; and what is taken out of it there counts no more."""
    async with reader(database) as there:
        daily = {"name": "daily", "unit": "day", "length": 1, "start_date": "2026-01-05", "handoff": "00:00"}
        people = [str(there.ana.id), str(there.ben.id)]
        document = {"name": "Shop", "time_zone": "UTC", "layers": [{**daily, "participants": people}], **QUIET}
        there.schedule = (await there.asked.admin.create("schedules", document))["id"]
        assert await there.on_call("07T12") == ["Ana"]
        there.serves(
            file(event("Vacation", "07", "08", "ORGANIZER:mailto:ana@example.org"), event("Holiday", "09", "10"))
        )
        await there.enters(purpose="absences")
        assert await there.on_call("07T12") == ["Ben"]
        state = await there.state()
        assert (state["events"], [one["event"] for one in state["left_out"]]) == (1, ["Holiday"])
        absences = (await there.asked.reader.get(f"/people/{there.ana.id}/absences"))["items"]
        assert [(one["days"], one["reason"]) for one in absences] == [
            ({"from": "2026-01-07", "to": "2026-01-07"}, "Vacation")
        ]
        there.serves(file())
        await there.refreshes()
        assert await there.on_call("07T12") == ["Ana"]
        there.serves(file(event("Ana: vacation", "07", "08")))
        await there.refreshes()
        assert await there.on_call("07T12") == ["Ben"]
        await there.asked.admin.done(204, "DELETE", f"/calendars/{there.calendar}", version=1)
        assert await there.on_call("07T12") == ["Ana"]
        await there.asked.story.passes(minutes=30)
        assert not await there.asked.story.rows("SELECT id FROM jobs WHERE kind = 'calendar'")


async def test_what_was_stays_when_the_calendar_changes(database: str) -> None:
    async with reader(database) as there:
        there.serves(file(event("Ana", "05T10", "06T10")))
        await there.enters()
        await there.has_layer(**QUIET)
        await there.asked.story.passes(hours=18)
        there.serves(file())
        await there.refreshes()
        assert await there.on_call("05T12") == ["Ana"]
        assert await there.on_call("05T19") == ["Ben"]


async def test_texts_and_names_are_looked_at_anew_after_an_edit(database: str) -> None:
    """Also when the server says that the file is unchanged: a new person, or another mapping."""
    async with reader(database) as there:
        there.serves(file(event("AK, Cleo", "05T10", "05T18")), ETag='"1"')
        await there.enters()
        await there.has_layer(**QUIET)
        assert await there.on_call("05T12") == ["Ben"]
        there.serves(status=304)
        cleo = await there.asked.person("Cleo")
        await there.refreshes()
        assert await there.on_call("05T12") == ["Cleo"]
        mapped = there.document(people={"AK": str(there.ana.id), "Cleo": cleo})
        await there.asked.admin.done(200, "PUT", f"/calendars/{there.calendar}", version=1, json=mapped)
        await there.asked.story.settled()
        assert sorted(await there.on_call("05T12")) == ["Ana", "Cleo"]


async def test_an_endless_calendar_is_laid_out_further_every_day(database: str) -> None:
    async with reader(database) as there:
        there.serves(file(event("Ana", "01T10", "01T18", "RRULE:FREQ=DAILY")), ETag='"1"')
        await there.enters(refresh_minutes=1_440)
        there.serves(status=304)
        last = "SELECT max(starts_at) AS at FROM bookings"
        (before,) = await there.asked.story.rows(last)
        await there.asked.story.passes(hours=27)
        (after,) = await there.asked.story.rows(last)
        assert (iso(before.at), iso(after.at)) == ("2027-02-08T10:00:00.000Z", "2027-02-09T10:00:00.000Z")


async def test_one_in_use_is_not_deleted(database: str) -> None:
    async with reader(database) as there:
        there.serves(file())
        await there.enters(people={"AK": str(there.ana.id)})
        await there.has_layer(**QUIET)
        problem = await there.asked.admin.refused(409, "DELETE", f"/calendars/{there.calendar}", version=1)
        assert "schedule 'Shop'" in problem["detail"]
        problem = await there.asked.admin.refused(409, "DELETE", f"/people/{there.ana.id}", version=1)
        assert "calendar 'Rota in the calendar'" in problem["detail"]
        layers = [{"name": "calendar", "calendar": "12345"}]
        wrong = {"name": "Bank", "time_zone": "UTC", "layers": layers}
        problem = await there.asked.admin.refused(422, "POST", "/schedules", json=wrong)
        assert problem["errors"][0]["field"] == "layers.0.calendar"


async def test_an_edit_while_it_is_being_read_is_not_overtaken(database: str) -> None:
    """What was read by the old document is not written under the new one, however late it comes."""
    async with reader(database) as there:
        provider = there.asked.story.provider
        body = file(event("AK", "05T10", "05T18"))
        provider.script.append(Answering(200, body, slow_s=0.5))
        there.serves(body)
        provider.asked.clear()
        made = await there.asked.admin.create("calendars", there.document(people={"AK": str(there.ana.id)}))
        await provider.asked.wait()
        there.calendar = made["id"]
        mapped = there.document(people={"AK": str(there.ben.id)})
        await there.asked.admin.done(200, "PUT", f"/calendars/{there.calendar}", version=1, json=mapped)
        await there.asked.story.settled()
        (booked,) = await there.asked.story.rows("SELECT person_id FROM bookings")
        assert booked.person_id == there.ben.id
        assert len(there.requests()) == 2


async def test_a_layer_is_never_read_from_a_calendar_of_absences(database: str) -> None:
    """Nobody would be on call by it; and those who were to be on call would be away."""
    async with reader(database) as there:
        there.serves(file(event("Ana", "05T10", "05T18")))
        await there.enters()
        await there.has_layer(**QUIET)
        path, leave = f"/calendars/{there.calendar}", there.document(purpose="absences")
        problem = await there.asked.admin.refused(409, "PUT", path, version=1, json=leave)
        assert (problem["code"], "schedule 'Shop'" in problem["detail"]) == ("in_use", True)
        assert await there.on_call("05T12") == ["Ana"]
        other = await there.asked.admin.create("calendars", {**leave, "name": "leave"})
        wrong = {"name": "Bank", "time_zone": "UTC", "layers": [{"name": "calendar", "calendar": other["id"]}]}
        problem = await there.asked.admin.refused(422, "POST", "/schedules", json=wrong)
        assert problem["errors"][0]["field"] == "layers.0.calendar"
        assert "purpose 'shifts'" in problem["errors"][0]["message"]
