"""Absences: the rotation moves on to who is there, the skipped turn is paid back, and the past stays as it was."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import insert

from app.oncall.tables import absences
from app.people.person import Person
from app.rota.rest import rest
from app.store import resources
from app.store.database import Writing
from tests.harness.rota_town import RotaTown, rota_town

ROTATION = ("Ana", "Ben", "Cat", "Dan")
"""Ana has the 5th, 9th, 13th, ...; Ben the 6th, 10th, ..."""


async def away(rota: RotaTown, name: str, start: str, end: str | None = None, **more: Any) -> Any:
    """Somebody is away for days of January; answers what was answered."""
    days = {"from": f"2026-01-{start}", "to": f"2026-01-{end or start}", **more}
    return await rota.responder.create(f"people/{rota.id(name)}/absences", days)


async def who(rota: RotaTown, first: int, last: int) -> list[str]:
    """Who has each day of January."""
    found = (await rota.shifts(f"01-{first:02}", f"01-{last + 1:02}")) if last < 31 else []
    by_day = {}
    for shift in found:
        name, start, end = shift.split()
        end_day = int(end[:2]) if int(end[:2]) > int(start[:2]) else last + 1
        by_day |= dict.fromkeys(range(int(start[:2]), end_day), name)
    return [by_day[day] for day in range(first, last + 1)]


async def listed(rota: RotaTown, name: str, **query: str) -> list[dict[str, Any]]:
    found = await rota.asked.reader.get(f"/people/{rota.id(name)}/absences", params=query)
    return list(found["items"])


async def test_the_rotation_moves_on_and_the_turn_is_paid_back(database: str) -> None:
    async with rota_town(database, *ROTATION) as rota:
        plan = await who(rota, 5, 24)
        assert plan == list(ROTATION) * 5
        made = await away(rota, "Ana", "09", reason="on leave")
        assert made["days"] == {"from": "2026-01-09", "to": "2026-01-09"}
        assert (made["source"], made["soft"], made["warnings"]) == ("entered", False, [])
        after = await who(rota, 5, 24)
        assert after[4] != "Ana"
        # Turns are exchanged: everybody still has as many, and only two days moved.
        assert sorted(after) == sorted(plan)
        moved = [day for day in range(20) if plan[day] != after[day]]
        assert (len(moved), moved[0], after[moved[1]]) == (2, 4, "Ana")
        shown = (await rota.laid_out("01-05", "01-25"))["items"]
        assert {one["via"]["how"] for one in shown} == {"turn", "stands_in", "pays_back"}
        assert any("on leave" in one["reason"] for one in shown)


async def test_the_answer_says_who_is_on_call_instead(database: str) -> None:
    async with rota_town(database, *ROTATION) as rota:
        made = await away(rota, "Ana", "09")
        (schedule,) = made["schedules"]
        assert (schedule["schedule_id"], schedule["schedule"]) == (rota.schedule, "Primary")
        first = schedule["changes"][0]
        assert (first["starts_at"], first["ends_at"]) == ("2026-01-09T00:00:00.000Z", "2026-01-10T00:00:00.000Z")
        assert [one["person"] for one in first["before"]] == ["Ana"]
        assert [one["person"] for one in first["after"]] == [(await who(rota, 9, 9))[0]]
        assert [one["person"] for one in schedule["changes"][1]["after"]] == ["Ana"]


async def test_when_nobody_else_is_there_the_person_stays_and_a_warning_says_so(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        assert (await away(rota, "Ben", "06", "12"))["warnings"] == []
        made = await away(rota, "Ana", "07")
        assert [one["code"] for one in made["warnings"]] == ["nobody_else"]
        assert "from 2026-01-07 00:00 UTC until 2026-01-08 00:00 UTC" in made["warnings"][0]["message"]
        assert await rota.on_call("01-07T12") == ["Ana"]
        assert (await rota.laid_out("01-05", "01-14"))["gaps"] == []


async def test_an_override_of_the_person_stays_and_a_warning_says_so(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.cover(person="Cat", start="01-06T06", end="01-06T12")
        made = await away(rota, "Cat", "06")
        assert [one["code"] for one in made["warnings"]] == ["not_by_turn"]
        assert made["schedules"] == []


async def test_taken_back_before_it_begins_it_never_was(database: str) -> None:
    async with rota_town(database, *ROTATION) as rota:
        made = await away(rota, "Ana", "09")
        path = f"/people/{rota.id('Ana')}/absences/{made['id']}"
        await rota.responder.done(204, "DELETE", path)
        await rota.responder.refused(404, "DELETE", path)
        assert await who(rota, 5, 24) == list(ROTATION) * 5
        assert await listed(rota, "Ana") == []


async def test_taken_back_while_it_is_on_its_past_stays(database: str) -> None:
    async with rota_town(database, *ROTATION) as rota:
        made = await away(rota, "Ana", "09")
        await rota.asked.story.passes(hours=24 * 4 + 12)
        (instead,) = await rota.on_call()
        assert instead != "Ana"
        path = f"/people/{rota.id('Ana')}/absences/{made['id']}"
        await rota.responder.done(204, "DELETE", path)
        assert await rota.on_call("01-09T06") == [instead]
        assert [one["ends_at"] for one in await listed(rota, "Ana", **{"from": "2026-01-09T00:00:00Z"})] == [
            "2026-01-09T12:00:00.000Z"
        ]
        await rota.asked.story.passes(hours=1)
        assert (await rota.responder.refused(409, "DELETE", path))["code"] == "absence_over"


async def test_one_that_is_entered_late_changes_only_from_now_on(database: str) -> None:
    async with rota_town(database, *ROTATION) as rota:
        await rota.asked.story.passes(hours=12)
        made = await away(rota, "Ana", "05", reason="ill")
        (schedule,) = made["schedules"]
        assert schedule["changes"][0]["starts_at"] == "2026-01-05T12:00:00.000Z"
        assert await rota.on_call("01-05T11:59") == ["Ana"]
        (instead,) = await rota.on_call()
        assert instead != "Ana"
        assert (await rota.laid_out("01-05", "01-25"))["gaps"] == []


async def test_days_are_those_of_the_place_where_the_person_lives(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        tokyo = await rota.asked.person("Eri", time_zone="Asia/Tokyo")
        days = {"from": "2026-01-06", "to": "2026-01-07"}
        made = await rota.responder.create(f"people/{tokyo}/absences", days)
        assert (made["starts_at"], made["ends_at"]) == ("2026-01-05T15:00:00.000Z", "2026-01-07T15:00:00.000Z")
        span = {"starts_at": "2026-01-06T09:00:00+09:00", "ends_at": "2026-01-06T10:00:00+09:00"}
        made = await rota.responder.create(f"people/{tokyo}/absences", span)
        assert (made["days"], made["starts_at"]) == (None, "2026-01-06T00:00:00.000Z")


async def _from_calendar(tx: Writing, person: int) -> int:
    calendar = await resources.create(tx, "calendar", "leave", {"name": "leave"}, "the story")
    row = {"id": tx.new_id(), "person_id": person, "starts_at": tx.now, "ends_at": tx.now + 1, "soft": False}
    more = {"reason": "skiing", "calendar_id": calendar.id, "created_at": tx.now, "created_by": "calendar leave"}
    await tx.conn.execute(insert(absences).values(row | more))
    return int(str(row["id"]))


async def test_calendars_and_public_holidays_stand_beside_what_was_entered(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        eva = await rota.asked.person("Eva", country="DE", subdivision="BW", off_on_public_holidays=True)
        await rota.responder.create(f"people/{eva}/absences", {"from": "2026-01-07", "to": "2026-01-07"})
        read = await rota.asked.story.store.write(_from_calendar, int(eva))
        query = {"from": "2026-01-05T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
        found = (await rota.asked.reader.get(f"/people/{eva}/absences", params=query))["items"]
        assert [(one["source"], one["reason"]) for one in found] == [
            ("calendar", "skiing"),
            ("public_holiday", "public holiday (Epiphany)"),
            ("entered", ""),
        ]
        assert [one["id"] is None for one in found] == [False, True, False]
        problem = await rota.responder.refused(409, "DELETE", f"/people/{eva}/absences/{read}")
        assert (problem["code"], "in that calendar" in problem["detail"]) == ("of_a_calendar", True)


async def test_what_can_not_be_is_refused_by_field(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = f"/people/{rota.id('Ana')}/absences"
        for said, field in [
            ({}, ""),
            ({"from": "2026-01-06"}, ""),
            ({"from": "2026-01-06", "ends_at": "2026-01-07T00:00:00Z"}, ""),
            ({"from": "2026-01-06", "to": "2026-01-07", "starts_at": "2026-01-06T00:00:00Z"}, ""),
            ({"from": "2026-01-07", "to": "2026-01-06"}, "to"),
            ({"from": "2026-02-30", "to": "2026-03-01"}, "from"),
            ({"from": "2026-01-06", "to": "2029-01-06"}, "ends_at"),
            ({"from": "2026-01-01", "to": "2026-01-04"}, "ends_at"),
            ({"from": "0001-01-01", "to": "0001-01-04"}, "from"),
            ({"from": "9999-12-30", "to": "9999-12-31"}, "from"),
            ({"from": "2199-12-31", "to": "2200-01-01"}, "to"),
            ({"starts_at": "2026-01-06T00:00:00Z", "ends_at": "2026-01-06T00:00:00Z"}, "ends_at"),
            ({"starts_at": "2026-01-06T00:00:00Z", "ends_at": "2199-01-06T00:00:00Z"}, "ends_at"),
            ({"starts_at": "9999-12-30T00:00:00Z", "ends_at": "9999-12-31T00:00:00Z"}, "starts_at"),
            ({"starts_at": "0001-01-01T00:00:00Z", "ends_at": "2026-01-06T00:00:00Z"}, "starts_at"),
            ({"starts_at": "2026-01-06", "ends_at": "2026-01-07"}, "starts_at"),
            ({"from": "2026-01-06", "to": "2026-01-07", "reason": "x" * 501}, "reason"),
        ]:
            problem = await rota.responder.refused(422, "POST", path, json=said)
            assert field in [one["field"] for one in problem["errors"]], said
        assert await listed(rota, "Ana") == []
        await away(rota, "Ana", "06", "06", **{"from": "2199-12-30", "to": "2199-12-31"})


async def test_an_interval_of_the_list_and_people_that_are_not_there_are_refused(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = f"/people/{rota.id('Ana')}/absences"
        for query in ("from=soon", "to=2026-01-01T00:00:00Z", "from=2026-01-01T00:00:00Z&to=2126-01-01T00:00:00Z"):
            await rota.asked.reader.refused(422, "GET", f"{path}?{query}")
        days = {"from": "2026-01-06", "to": "2026-01-06"}
        await rota.responder.refused(404, "POST", "/people/7/absences", json=days)
        await rota.responder.refused(404, "GET", "/people/7/absences")
        await rota.responder.refused(404, "DELETE", f"{path}/7")


async def test_a_repeated_request_enters_one_absence(database: str) -> None:
    async with rota_town(database, *ROTATION) as rota:
        how = {"json": {"from": "2026-01-09", "to": "2026-01-09"}, "headers": {"idempotency-key": "one"}}
        path = f"/people/{rota.id('Ana')}/absences"
        first = await rota.responder.done(201, "POST", path, **how)
        assert await rota.responder.done(201, "POST", path, **how) == first
        assert len(await listed(rota, "Ana")) == 1


async def test_somebody_who_is_only_away_can_be_deleted(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await away(rota, "Cat", "09")
        await rota.asked.admin.done(204, "DELETE", f"/people/{rota.id('Cat')}", version=1)


async def paged_at_night(rota: RotaTown) -> None:
    """Ana has the night of the 5th and is paged at two; then it is six."""
    story = rota.asked.story
    policy = await story.policy(levels=[[int(rota.schedule)]])
    alerts = await story.integration("alertmanager", await story.service("checkout", policy))
    await story.passes(hours=24 + 2)
    await rota.reads_notices()
    await alerts.fires("DiskFull")
    await story.settled()
    await story.passes(hours=3.99)
    await rota.reads_notices()


async def test_who_was_paged_at_night_rests_when_others_can(database: str) -> None:
    handoff = {"handoff": "12:00", "more": {"limits": {"rest_after_paged_night_h": 30}}}
    async with rota_town(database, "Ana", "Ben", "Cat", **handoff) as rota:
        await paged_at_night(rota)
        write = rota.asked.story.store.write
        assert await listed(rota, "Ana") == []
        await rota.asked.story.passes(minutes=1)
        assert await write(rest, [int(rota.schedule)]) == []
        (given,) = await listed(rota, "Ana")
        assert (given["source"], given["soft"], given["reason"]) == ("rest", True, "rest after a night with pages")
        assert (given["starts_at"], given["ends_at"]) == ("2026-01-06T06:00:00.000Z", "2026-01-07T12:00:00.000Z")
        await rota.responder.done(204, "DELETE", f"/people/{rota.id('Ana')}/absences/{given['id']}")
        assert await write(rest, [int(rota.schedule)]) == []


async def test_rest_is_for_turns_that_begin_and_relieves_nobody_in_the_middle_of_one(database: str) -> None:
    """Ana keeps the day that she is serving; Cat takes her next one, because Ben has the one after."""
    handoff = {"handoff": "12:00", "more": {"limits": {"rest_after_paged_night_h": 36}}}
    async with rota_town(database, "Ana", "Ana", "Ben", "Cat", **handoff) as rota:
        await paged_at_night(rota)
        await rota.asked.story.passes(minutes=1)
        await rota.reads_notices()
        shifts = await rota.shifts("01-06", "01-08")
        assert shifts[:3] == ["Ana 06T00 06T12", "Cat 06T12 07T12", "Ben 07T12 08T00"]


async def test_nobody_rests_where_no_rest_is_asked_for(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", handoff="12:00") as rota:
        await paged_at_night(rota)
        await rota.asked.story.passes(minutes=1)
        assert await rota.asked.story.store.write(rest, [int(rota.schedule)]) == []
        assert await listed(rota, "Ana") == []


async def test_days_of_leave_go_with_the_person_to_another_time_zone(database: str) -> None:
    """Leave is entered, and then somebody sets where they live; what was entered as instants stays."""
    async with rota_town(database, "Ana", "Ben") as rota:
        await away(rota, "Ben", "06", "07")
        hours = {"starts_at": "2026-01-12T08:00:00Z", "ends_at": "2026-01-12T12:00:00Z"}
        await rota.responder.create(f"people/{rota.id('Ben')}/absences", hours)
        assert await rota.on_call("01-08T02") == ["Ben"]
        ben = await rota.asked.admin.get(f"/people/{rota.id('Ben')}")
        document = {key: ben[key] for key in Person.model_fields} | {"time_zone": "America/New_York"}
        await rota.asked.admin.done(200, "PUT", f"/people/{rota.id('Ben')}", json=document, version=ben["version"])
        found = [(one["starts_at"], one["ends_at"], one["days"]) for one in await listed(rota, "Ben")]
        assert found == [
            ("2026-01-06T05:00:00.000Z", "2026-01-08T05:00:00.000Z", {"from": "2026-01-06", "to": "2026-01-07"}),
            ("2026-01-12T08:00:00.000Z", "2026-01-12T12:00:00.000Z", None),
        ]
        assert await rota.on_call("01-08T02") == ["Ana"]


async def test_an_absence_that_undoes_a_cover_says_so(database: str) -> None:
    """Ana has given her day to Dan, and enters leave for it: the rotation passes it on, and Dan's cover has nothing to replace."""
    async with rota_town(database, *ROTATION[:3]) as rota:
        await rota.cover(person="Dan", replaces="Ana", start="01-08", end="01-09")
        made = await away(rota, "Ana", "08")
        assert await rota.on_call("01-08T12") != ["Dan"]
        (warning,) = made["warnings"]
        assert warning["code"] == "cover_undone"
        assert "Dan stands in no more in Primary (primary) from 2026-01-08 00:00 UTC" in warning["message"]
        other = await away(rota, "Ana", "11")
        assert other["warnings"] == []


async def test_leave_that_is_entered_while_its_person_moves_has_the_days_of_the_new_place(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = f"/people/{rota.id('Ben')}"
        for day, zone in (("12", "America/New_York"), ("13", "UTC"), ("14", "America/New_York")):
            ben = await rota.asked.admin.get(path)
            document = {key: ben[key] for key in Person.model_fields} | {"time_zone": zone}
            await asyncio.gather(
                rota.asked.admin.done(200, "PUT", path, json=document, version=ben["version"]), away(rota, "Ben", day)
            )
            hours = {one["starts_at"][11:13] for one in await listed(rota, "Ben")}
            assert hours == {"00" if zone == "UTC" else "05"}
