"""Swaps: one asks, the other answers, and exactly the shifts that were asked for change hands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.rota import swaps
from tests.harness.rota_town import RotaTown, instant, rota_town

GIVES, TAKES = ("01-07", "01-08"), ("01-08", "01-09")
"""A day of Ana's and the day of Ben's after it."""
PLANNED = ["Ben 06T00 07T00", "Ana 07T00 08T00", "Ben 08T00 09T00", "Ana 09T00 10T00"]
SWAPPED = ["Ben 06T00 07T00", "Ben 07T00 08T00", "Ana 08T00 09T00", "Ana 09T00 10T00"]


async def planned(rota: RotaTown) -> list[str]:
    return await rota.shifts("01-06", "01-10")


async def answers(rota: RotaTown, swap: Any, how: str) -> Any:
    """One answer by the API; it must be possible."""
    return await rota.responder.post(f"/swaps/{swap['id']}/{how}")


async def refused(rota: RotaTown, swap: Any, how: str) -> str:
    return str((await rota.responder.refused(409, "POST", f"/swaps/{swap['id']}/{how}"))["code"])


async def told(rota: RotaTown, name: str) -> dict[str, Any]:
    """The one new message on somebody's phone about a swap."""
    await rota.asked.story.settled()
    phone = rota.people[name].phone
    (message,) = [one for one in phone.unread() if "swap" in one["title"] or "cover" in one["title"]]
    phone.taken = len(phone.inbox())
    return message


async def test_a_swap_is_asked_for_accepted_and_both_are_told(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.reads_notices()
        swap = await rota.asks("Ana", "Ben", GIVES, TAKES, reason="a wedding")
        assert (swap["state"], swap["answered_at"], swap["warnings"]) == ("asked", None, [])
        assert rota.changes(swap["changes"]) == ["07T00 08T00 Ana>Ben", "08T00 09T00 Ben>Ana"]
        assert await planned(rota) == PLANNED
        message = await told(rota, "Ben")
        assert message["title"] == "Ana asks you to swap in Primary"
        assert message["url"].startswith("http://tocsin.test/t/")
        done = await answers(rota, swap, "accept")
        assert (done["state"], done["answered_by"]) == ("accepted", "api key responder-bot")
        assert await planned(rota) == SWAPPED
        assert (await told(rota, "Ana"))["title"] == "Ben accepted your swap in Primary"
        assert await rota.asked.reader.get(f"/swaps/{swap['id']}") == done
        made = (await rota.asked.reader.get(f"{rota.path}/overrides"))["items"]
        assert [(one["swap_id"], one["role"], one["reason"]) for one in made] == [
            (swap["id"], "primary", "a wedding")
        ] * 2


async def test_a_cover_is_asked_for_and_nothing_is_given_in_return(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Cat", ("01-07T12", "01-09T12"))
        assert rota.changes(swap["changes"]) == ["07T12 08T00 Ana>Cat", "09T00 09T12 Ana>Cat"]
        await answers(rota, swap, "accept")
        assert await rota.shifts("01-07", "01-10") == [
            "Ana 07T00 07T12",
            "Cat 07T12 08T00",
            "Ben 08T00 09T00",
            "Cat 09T00 09T12",
            "Ana 09T12 10T00",
        ]


async def test_each_shift_goes_over_by_itself_and_others_in_between_are_not_touched(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", "Cat") as rota:
        swap = await rota.asks("Ana", "Ben", ("01-08", "01-13"), ("01-15", "01-18"))
        assert rota.changes(swap["changes"]) == [
            "08T00 09T00 Ana>Ben",
            "11T00 12T00 Ana>Ben",
            "15T00 16T00 Ben>Ana",
        ]
        await answers(rota, swap, "accept")
        assert await rota.shifts("01-08", "01-18") == [
            "Ben 08T00 09T00",
            "Ben 09T00 10T00",
            "Cat 10T00 11T00",
            "Ben 11T00 12T00",
            "Ben 12T00 13T00",
            "Cat 13T00 14T00",
            "Ana 14T00 15T00",
            "Ana 15T00 16T00",
            "Cat 16T00 17T00",
            "Ana 17T00 18T00",
        ]


async def test_one_role_is_swapped_and_the_other_stays(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", "Cat", roles=["primary", "secondary"]) as rota:
        before = await rota.shifts("01-06", "01-12", "secondary")
        swap = await rota.asks("Ana", "Dan", ("01-07", "01-08"))
        assert [one["role"] for one in swap["changes"]] == ["secondary"]
        await answers(rota, swap, "accept")
        after = await rota.shifts("01-06", "01-12", "secondary")
        assert [one for one in after if one not in before] == ["Dan 07T00 08T00"]


async def test_weeks_are_swapped_over_a_change_of_the_clocks(database: str) -> None:
    """Berlin: the week from 23 March is 167 hours long, and its boundaries are at nine on the wall."""
    weekly = {"unit": "week", "handoff": "09:00"}
    async with rota_town(database, "Ana", "Ben", more={"time_zone": "Europe/Berlin"}, **weekly) as rota:
        gives = ("2026-03-23T09:00:00+01:00", "2026-03-30T09:00:00+02:00")
        takes = ("2026-03-30T09:00:00+02:00", "2026-04-06T09:00:00+02:00")
        before = await rota.shifts("03-23T08", "04-06T07")
        assert before == ["Ben 23T08 30T07", "Ana 30T07 06T07"]
        swap = await rota.asks("Ben", "Ana", gives, takes)
        assert rota.changes(swap["changes"]) == ["23T08 30T07 Ben>Ana", "30T07 06T07 Ana>Ben"]
        await answers(rota, swap, "accept")
        assert await rota.shifts("03-23T08", "04-06T07") == ["Ana 23T08 30T07", "Ben 30T07 06T07"]
        assert (await rota.laid_out("03-20", "04-10"))["gaps"] == []


async def test_turns_that_overlap_in_a_repeated_hour_are_swapped_without_a_gap(database: str) -> None:
    """Berlin, 25 October: Ana's turn ends at the second 02:30, Ben's begins at the first. The cut is where people say."""
    berlin = {"time_zone": "Europe/Berlin"}
    async with rota_town(database, "Ana", "Ben", more=berlin, handoff="02:30") as rota:
        gives, takes = ("10-24T00:30", "10-25T01:30"), ("10-25T01:30", "10-26T01:30")
        assert await rota.shifts("10-24T00:30", "10-26T01:30") == ["Ana 24T00:30 25T01:30", "Ben 25T00:30 26T01:30"]
        swap = await rota.asks("Ana", "Ben", gives, takes)
        assert rota.changes(swap["changes"]) == ["24T00:30 25T01:30 Ana>Ben", "25T01:30 26T01:30 Ben>Ana"]
        await answers(rota, swap, "accept")
        assert await rota.shifts("10-24T00:30", "10-26T01:30") == ["Ben 24T00:30 25T01:30", "Ana 25T01:30 26T01:30"]
        assert (await rota.laid_out("10-24", "10-27"))["gaps"] == []


@pytest.mark.parametrize("how", ["decline", "withdraw"])
async def test_declined_or_withdrawn_nothing_changes_and_it_can_not_be_answered_again(database: str, how: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.reads_notices()
        swap = await rota.asks("Ana", "Ben", GIVES, TAKES)
        await told(rota, "Ben")
        state = {"decline": "declined", "withdraw": "withdrawn"}[how]
        assert (await answers(rota, swap, how))["state"] == state
        assert await planned(rota) == PLANNED
        title = (await told(rota, "Ana" if how == "decline" else "Ben"))["title"]
        assert title.startswith("Ben declined" if how == "decline" else "Ana no longer asks")
        assert {await refused(rota, swap, again) for again in ("accept", "decline", "withdraw")} == {"swap_answered"}
        assert await planned(rota) == PLANNED


async def test_shifts_that_moved_since_it_was_asked_do_not_change_hands(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Ben", GIVES, TAKES)
        made = await rota.cover(person="Cat", start="01-08T12", end="01-08T13")
        assert await refused(rota, swap, "accept") == "shifts_changed"
        assert (await rota.asked.reader.get(f"/swaps/{swap['id']}"))["state"] == "asked"
        await rota.responder.done(204, "DELETE", f"{rota.path}/overrides/{made['id']}")
        await answers(rota, swap, "accept")
        assert await planned(rota) == SWAPPED


async def test_of_two_who_are_asked_for_the_same_shift_the_first_to_accept_has_it(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        cat, dan = [await rota.asks("Ana", name, GIVES) for name in ("Cat", "Dan")]
        await answers(rota, dan, "accept")
        assert await refused(rota, cat, "accept") == "shifts_changed"
        assert (await planned(rota))[1] == "Dan 07T00 08T00"


async def test_a_schedule_that_was_edited_since_is_looked_at_again(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Ben", GIVES, TAKES)
        await rota.asked.admin.done(200, "PUT", rota.path, version=1, json=rota.document(rota.layer("Ben", "Ana")))
        assert await refused(rota, swap, "accept") == "shifts_changed"
        assert await refused(rota, swap, "accept") == "shifts_changed"


async def test_a_swap_that_nobody_answered_before_it_begins_is_expired(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Ben", ("01-09", "01-10"), ("01-06", "01-07"))
        await rota.asked.story.passes(hours=24)
        assert (await rota.asked.reader.get(f"/swaps/{swap['id']}"))["state"] == "expired"
        assert {await refused(rota, swap, how) for how in ("accept", "decline", "withdraw")} == {"swap_begun"}
        for state, found in [("expired", [swap["id"]]), ("asked", []), ("accepted", [])]:
            query = {"state": state}
            listed = (await rota.asked.reader.get(f"{rota.path}/swaps", params=query))["items"]
            assert [one["id"] for one in listed] == found


async def test_of_an_accept_and_a_decline_at_once_one_wins(database: str) -> None:
    """By the deeds themselves: the page of a link and the API call the same."""
    async with rota_town(database, "Ana", "Ben") as rota:
        for day in range(6, 16, 2):
            swap = await rota.asks("Ben", "Ana", (f"01-{day:02}", f"01-{day + 1:02}"))
            store, swap_id = rota.asked.story.store, int(swap["id"])
            outcomes = await asyncio.gather(
                store.write(swaps.accept, swap_id, "Ana"),
                store.write(swaps.decline, swap_id, "Ana"),
                store.write(swaps.accept, swap_id, "Ana"),
                return_exceptions=True,
            )
            # The API would have woken the worker for the notices of these deeds.
            rota.asked.story.world.wake.set()
            won = [one for one in outcomes if isinstance(one, swaps.Swap)]
            lost = [one for one in outcomes if isinstance(one, swaps.Refused)]
            assert (len(won), [one.name for one in lost]) == (1, ["swap_answered"] * 2)
            name = {"accepted": "Ana", "declined": "Ben"}[won[0].state]
            assert await rota.shifts(f"01-{day:02}", f"01-{day + 1:02}") == [f"{name} {day:02}T00 {day + 1:02}T00"]


async def test_half_of_a_swap_is_not_taken_back(database: str) -> None:
    """Ana would have both days, or neither. They ask for a swap back, or somebody covers."""
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Ben", GIVES, TAKES)
        await answers(rota, swap, "accept")
        for made in (await rota.asked.reader.get(f"{rota.path}/overrides"))["items"]:
            problem = await rota.responder.refused(409, "DELETE", f"{rota.path}/overrides/{made['id']}")
            assert problem["code"] == "part_of_swap"
            assert swap["id"] in problem["detail"]
        back = await rota.asks("Ben", "Ana", GIVES, TAKES)
        await answers(rota, back, "accept")
        assert await planned(rota) == PLANNED


async def test_what_can_not_be_swapped_is_refused_with_a_name(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = f"{rota.path}/swaps"
        for swap, code in [
            (rota.swap("Ana", "Ben", TAKES, GIVES), "gives_nothing"),
            (rota.swap("Cat", "Ben", GIVES, TAKES), "gives_nothing"),
            (rota.swap("Ana", "Ben", GIVES, ("01-09", "01-10")), "takes_nothing"),
            (rota.swap("Ana", "Cat", GIVES, TAKES), "takes_nothing"),
            (rota.swap("Ana", "Ben", ("01-05", "01-06")), "in_the_past"),
            (rota.swap("Ana", "Ben", ("01-07", "01-09"), ("01-08", "01-10")), "intervals_overlap"),
        ]:
            assert (await rota.responder.refused(409, "POST", path, json=swap))["code"] == code
        for swap, field in [
            (rota.swap("Ana", "Ana", GIVES), "asked"),
            (rota.swap("Ana", "Ben", GIVES) | {"asked": "7"}, "asked"),
            (rota.swap("Ana", "Ben", GIVES) | {"asked_by": "7"}, "asked_by"),
            (rota.swap("Ana", "Ben", ("01-08", "01-07")), "gives.to"),
            (rota.swap("Ana", "Ben", ("01-07", "03-07")), "gives.to"),
            (rota.swap("Ana", "Ben", GIVES, ("2028-01-01T00:00:00Z", "2028-01-02T00:00:00Z")), "takes.from"),
            (rota.swap("Ana", "Ben", GIVES) | {"gives": {"from": "soon", "to": "later"}}, "gives.from"),
        ]:
            problem = await rota.responder.refused(422, "POST", path, json=swap)
            assert field in [one["field"] for one in problem["errors"]]
        await rota.responder.refused(404, "POST", "/schedules/7/swaps", json=rota.swap("Ana", "Ben", GIVES))
        for way in ("GET", "POST"):
            await rota.responder.refused(404, way, f"/swaps/7{'/accept' if way == 'POST' else ''}")
        assert (await rota.asked.reader.get(path))["items"] == []


async def test_both_are_warned_of_what_they_may_not_have_seen(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", "Cat", roles=["primary", "secondary"]) as rota:
        away = {"from": "2026-01-08", "to": "2026-01-08", "reason": "on leave"}
        await rota.responder.create(f"people/{rota.id('Cat')}/absences", away)
        ana = next(one for one in await rota.shifts("01-09", "01-20", "primary") if one.startswith("Ana"))
        day = f"01-{ana[4:6]}"
        secondary = (await rota.shifts(day, f"{day}T12", "secondary"))[0][:3]
        swap = await rota.asks("Ana", secondary, (day, f"{day}T12"))
        assert [one["code"] for one in swap["warnings"]] == ["on_call_twice"]
        there = (await rota.shifts("01-08", "01-09"))[0][:3]
        swap = await rota.asks(there, "Cat", ("01-08", "01-09"))
        assert [one["code"] for one in swap["warnings"]] == ["away"]
        assert "Cat is away then: on leave" in swap["warnings"][0]["message"]


async def test_swaps_are_listed_newest_first_in_pages(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        ids = [(await rota.asks("Ana", name, GIVES))["id"] for name in ("Ben", "Cat", "Dan")]
        first = await rota.asked.reader.get(f"{rota.path}/swaps?limit=2")
        assert [one["id"] for one in first["items"]] == [ids[2], ids[1]]
        rest = await rota.asked.reader.get(f"{rota.path}/swaps?limit=2&cursor={first['next_cursor']}")
        assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([ids[0]], None)
        await rota.asked.reader.refused(422, "GET", f"{rota.path}/swaps?state=gone")
        await rota.asked.reader.refused(404, "GET", "/schedules/7/swaps")


async def test_a_repeated_accept_is_answered_as_the_first_time(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Ben", GIVES, TAKES)
        again = {"headers": {"idempotency-key": "yes"}}
        first = await rota.responder.post(f"/swaps/{swap['id']}/accept", **again)
        assert await rota.responder.post(f"/swaps/{swap['id']}/accept", **again) == first
        assert await planned(rota) == SWAPPED


async def test_somebody_whose_answer_is_waited_for_can_not_be_deleted(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Cat", GIVES)
        path = f"/people/{rota.id('Cat')}"
        problem = await rota.asked.admin.refused(409, "DELETE", path, version=1)
        assert (problem["code"], "a swap that is asked for" in problem["detail"]) == ("in_use", True)
        await answers(rota, swap, "decline")
        await rota.asked.admin.done(204, "DELETE", path, version=1)
        assert (await rota.asked.reader.get(f"/swaps/{swap['id']}"))["asked"] == rota.id("Cat")


async def test_a_swap_of_a_schedule_that_was_deleted_can_be_declined_only(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        swap = await rota.asks("Ana", "Ben", GIVES)
        await rota.asked.admin.done(204, "DELETE", rota.path, version=1)
        assert await refused(rota, swap, "accept") == "shifts_changed"
        assert (await answers(rota, swap, "decline"))["state"] == "declined"


def test_times_are_written_as_instants() -> None:
    """The harness reads as the table does."""
    assert instant("01-05T06:30") == "2026-01-05T06:30:00Z"
