"""Standing in for somebody: a whole shift, a part, several; over others; taking over at night; taking it back."""

from __future__ import annotations

import asyncio
from typing import Any

from app.people.person import Person
from tests.harness.rota_town import instant, rota_town


async def test_a_part_of_a_shift_is_covered_and_the_rest_stays(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        made = await rota.cover(person="Cat", replaces="Ana", start="01-05T06", end="01-05T12", reason="at the dentist")
        assert (made["reason"], made["role"], made["swap_id"], made["warnings"]) == ("at the dentist", None, None, [])
        assert await rota.shifts("01-05", "01-07") == [
            "Ana 05T00 05T06",
            "Cat 05T06 05T12",
            "Ana 05T12 06T00",
            "Ben 06T00 07T00",
        ]


async def test_a_cover_over_several_shifts_takes_only_those_of_whom_it_replaces(database: str) -> None:
    """The boundaries to the shifts of others stay where they are, and there is no gap."""
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.cover(person="Cat", replaces="Ana", start="01-05T06", end="01-09T12")
        assert await rota.shifts("01-05", "01-11") == [
            "Ana 05T00 05T06",
            "Cat 05T06 06T00",
            "Ben 06T00 07T00",
            "Cat 07T00 08T00",
            "Ben 08T00 09T00",
            "Cat 09T00 09T12",
            "Ana 09T12 10T00",
            "Ben 10T00 11T00",
        ]
        assert (await rota.laid_out("01-05", "01-11"))["gaps"] == []


async def test_without_replaces_somebody_is_on_call_across_every_handoff(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.cover(person="Cat", start="01-05T20", end="01-06T04")
        assert await rota.shifts("01-05", "01-07") == ["Ana 05T00 05T20", "Cat 05T20 06T04", "Ben 06T04 07T00"]


async def test_one_role_is_covered_and_the_other_stays(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", roles=["primary", "secondary"]) as rota:
        made = await rota.cover(person="Cat", start="01-05T06", end="01-06T06", role="secondary")
        assert made["role"] == "secondary"
        assert await rota.shifts("01-05", "01-07", "primary") == ["Ana 05T00 06T00", "Ben 06T00 07T00"]
        assert await rota.shifts("01-05", "01-07", "secondary") == [
            "Ben 05T00 05T06",
            "Cat 05T06 06T06",
            "Ana 06T06 07T00",
        ]


async def test_a_later_cover_lies_over_an_earlier_one_and_says_so(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        first = await rota.cover(person="Cat", start="01-05T06", end="01-05T18")
        second = await rota.cover(person="Dan", replaces="Cat", start="01-05T10", end="01-05T12")
        assert [one["code"] for one in second["warnings"]] == ["laid_over"]
        assert first["id"] in second["warnings"][0]["message"]
        assert "Cat from 2026-01-05 06:00 UTC" in second["warnings"][0]["message"]
        assert await rota.shifts("01-05T06", "01-05T18") == ["Cat 05T06 05T10", "Dan 05T10 05T12", "Cat 05T12 05T18"]
        apart = await rota.cover(person="Dan", start="01-05T18", end="01-05T19")
        assert apart["warnings"] == []


async def test_a_cover_that_changes_nothing_yet_is_taken_and_says_so(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", roles=["primary", "secondary"]) as rota:
        idle = await rota.cover(person="Dan", replaces="Cat", start="01-05T06", end="01-05T12")
        assert [one["code"] for one in idle["warnings"]] == ["replaces_nobody"]
        other = await rota.cover(person="Dan", replaces="Ana", start="01-05T06", end="01-05T12", role="secondary")
        assert "is not on call as secondary" in other["warnings"][0]["message"]
        assert await rota.shifts("01-05", "01-06", "primary") == ["Ana 05T00 06T00"]


async def test_what_can_not_be_is_refused_by_field_and_nothing_is_written(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        for change, field in [
            # A rule that joins two fields is told of the document; its sentence names them.
            ({"ends_at": "2026-01-05T06:00:00Z"}, ""),
            ({"ends_at": "2026-01-05T05:00:00Z"}, ""),
            ({"starts_at": "2026-01-04T01:00:00Z", "ends_at": "2026-01-04T02:00:00Z"}, "ends_at"),
            ({"ends_at": "2027-01-06T06:00:01Z"}, "ends_at"),
            ({"ends_at": "2126-01-05T06:00:00Z"}, "ends_at"),
            ({"starts_at": "2028-02-05T06:00:00Z", "ends_at": "2028-02-05T07:00:00Z"}, "starts_at"),
            ({"person": "7"}, "person"),
            ({"replaces": "7"}, "replaces"),
            ({"role": "tertiary"}, "role"),
            ({"role": ""}, "role"),
            ({"colour": "red"}, "colour"),
        ]:
            span = rota.override("Cat", "01-05T06", "01-05T12") | change
            problem = await rota.responder.refused(422, "POST", f"{rota.path}/overrides", json=span)
            assert [one["field"] for one in problem["errors"]] == [field], change
        assert (await rota.asked.reader.get(f"{rota.path}/overrides"))["items"] == []


async def test_a_role_that_is_not_there_is_answered_with_those_that_are(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", roles=["primary", "secondary"]) as rota:
        span = rota.override("Cat", "01-05T06", "01-05T12", role="tertiary")
        problem = await rota.responder.refused(422, "POST", f"{rota.path}/overrides", json=span)
        assert "primary, secondary" in problem["errors"][0]["message"]


async def test_somebody_who_was_deleted_can_not_stand_in(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.asked.admin.done(204, "DELETE", f"/people/{rota.id('Cat')}", version=1)
        span = rota.override("Cat", "01-05T06", "01-05T12")
        problem = await rota.responder.refused(422, "POST", f"{rota.path}/overrides", json=span)
        assert problem["errors"][0]["field"] == "person"


async def test_taking_back_keeps_what_was(database: str) -> None:
    """Also after the schedule is edited: who was on call is written down."""
    async with rota_town(database, "Ana", "Ben") as rota:
        made = await rota.cover(person="Cat", start="01-05", end="01-05T12")
        await rota.asked.story.passes(hours=2)
        await rota.responder.done(204, "DELETE", f"{rota.path}/overrides/{made['id']}")
        kept = ["Cat 05T00 05T02", "Ana 05T02 06T00"]
        assert await rota.shifts("01-05", "01-06") == kept
        await rota.asked.story.passes(hours=24)
        document = rota.document(rota.layer("Dan"))
        await rota.asked.admin.done(200, "PUT", rota.path, version=1, json=document)
        assert await rota.shifts("01-05", "01-07") == [*kept, "Ben 06T00 06T02", "Dan 06T02 07T00"]
        over = await rota.responder.refused(409, "DELETE", f"{rota.path}/overrides/{made['id']}")
        assert over["code"] == "override_over"


async def test_a_repeated_request_makes_one_cover(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        how = {"json": rota.override("Cat", "01-05T06", "01-05T12"), "headers": {"idempotency-key": "one"}}
        first = await rota.responder.done(201, "POST", f"{rota.path}/overrides", **how)
        assert await rota.responder.done(201, "POST", f"{rota.path}/overrides", **how) == first
        assert len((await rota.asked.reader.get(f"{rota.path}/overrides"))["items"]) == 1


async def test_a_shift_is_taken_over_at_night_and_the_next_page_goes_to_the_new_person(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        story = rota.asked.story
        policy = await story.policy(levels=[[int(rota.schedule)]])
        alerts = await story.integration("alertmanager", await story.service("checkout", policy))
        others = await story.integration("alertmanager", await story.service("search", policy))
        await story.passes(hours=3)
        await rota.reads_notices()
        await alerts.fires("DiskFull")
        await rota.people["Ana"].is_paged("DiskFull")
        await rota.people["Ana"].acknowledges()
        made = await rota.responder.create(f"{rota.path[1:]}/take-over", {"person": rota.id("Cat"), "reason": "sick"})
        assert (made["replaces"], made["role"], made["ends_at"]) == (
            rota.id("Ana"),
            "primary",
            "2026-01-06T00:00:00.000Z",
        )
        await rota.reads_notices()
        await others.fires("CpuHot")
        await rota.people["Cat"].is_paged("CpuHot")
        await rota.people["Ana"].is_not_paged()
        await rota.people["Cat"].acknowledges()
        assert await rota.shifts("01-05", "01-07") == ["Ana 05T00 05T03", "Cat 05T03 06T00", "Ben 06T00 07T00"]


async def test_a_take_over_lasts_as_long_as_is_said(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.asked.story.passes(hours=3)
        said = {"person": rota.id("Cat"), "until": instant("01-05T07")}
        await rota.responder.create(f"{rota.path[1:]}/take-over", said)
        assert await rota.shifts("01-05", "01-06") == ["Ana 05T00 05T03", "Cat 05T03 05T07", "Ana 05T07 06T00"]


async def test_of_two_on_call_the_named_one_is_taken_over(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", roles=["primary", "secondary"]) as rota:
        path = f"{rota.path}/take-over"
        problem = await rota.responder.refused(409, "POST", path, json={"person": rota.id("Cat")})
        assert problem["code"] == "several_on_call"
        assert "Ana (primary), Ben (secondary)" in problem["detail"]
        made = await rota.responder.create(path[1:], {"person": rota.id("Cat"), "role": "secondary"})
        assert made["replaces"] == rota.id("Ben")
        made = await rota.responder.create(path[1:], {"person": rota.id("Dan"), "replaces": rota.id("Ana")})
        assert made["role"] == "primary"
        assert await rota.on_call() == ["Dan", "Cat"]


async def test_where_nobody_is_on_call_somebody_takes_over_until_the_next_comes(database: str) -> None:
    async with rota_town(database, "Ana", "Ben", restrictions=[{"start": "08:00", "end": "20:00"}]) as rota:
        made = await rota.responder.create(f"{rota.path[1:]}/take-over", {"person": rota.id("Cat")})
        assert (made["replaces"], made["ends_at"]) == (None, "2026-01-05T08:00:00.000Z")
        assert await rota.on_call() == ["Cat"]


async def test_what_can_not_be_taken_over_is_refused_with_a_name(database: str) -> None:
    async with rota_town(database, "Ana") as rota:
        path = f"{rota.path}/take-over"
        for said, code in [({"person": rota.id("Ana")}, "already_on_call"), ({"person": rota.id("Cat")}, "no_end")]:
            assert (await rota.responder.refused(409, "POST", path, json=said))["code"] == code
        for change, field in [
            ({"person": "7"}, "person"),
            ({"role": "boss"}, "role"),
            ({"replaces": rota.id("Ben")}, "replaces"),
            ({"until": "2026-01-04T00:00:00Z"}, "until"),
            ({"until": "2027-02-04T00:00:00Z"}, "until"),
        ]:
            problem = await rota.responder.refused(422, "POST", path, json={"person": rota.id("Cat")} | change)
            assert [one["field"] for one in problem["errors"]] == [field]
        await rota.responder.refused(404, "POST", "/schedules/7/take-over", json={"person": rota.id("Cat")})
        assert await rota.on_call() == ["Ana"]


async def test_a_reader_changes_nothing(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        reader = rota.asked.reader
        for path in (f"{rota.path}/overrides", f"{rota.path}/take-over", f"{rota.path}/swaps", "/swaps/7/accept"):
            assert (await reader.refused(403, "POST", path, json={}))["code"] == "role_too_low"
        await reader.refused(403, "POST", f"/people/{rota.id('Ana')}/absences", json={})


async def test_two_shifts_of_one_person_that_meet_stay_two_when_they_are_covered(database: str) -> None:
    """A boundary that is swallowed is a handoff that nobody hears of."""
    async with rota_town(database, "Ana") as rota:
        day = rota.layer("Ana", name="day", restrictions=[{"start": "08:00", "end": "20:00"}])
        night = rota.layer("Ana", name="night", restrictions=[{"start": "20:00", "end": "08:00"}])
        document = rota.document(day, night)
        await rota.asked.admin.done(200, "PUT", rota.path, version=1, json=document)
        before = await rota.shifts("01-06", "01-08")
        assert before[1:-1] == ["Ana 06T08 06T20", "Ana 06T20 07T08", "Ana 07T08 07T20"]
        await rota.cover(person="Cat", replaces="Ana", start="01-06", end="01-08")
        assert await rota.shifts("01-06", "01-08") == [one.replace("Ana", "Cat") for one in before]


async def test_who_stands_in_may_be_away_disabled_or_on_call_already_and_a_warning_says_so(database: str) -> None:
    """Also somebody who takes no turns there; only for the time in which they would be on call."""
    async with rota_town(database, "Ana", "Ben", roles=["primary", "secondary"]) as rota:
        path = f"people/{rota.id('Cat')}"
        leave = {"from": "2026-01-06", "to": "2026-01-07", "reason": "on leave"}
        await rota.responder.create(f"{path}/absences", leave)
        dan = await rota.asked.admin.get(f"/people/{rota.id('Dan')}")
        document = {key: dan[key] for key in Person.model_fields} | {"disabled": True}
        await rota.asked.admin.done(200, "PUT", f"/people/{rota.id('Dan')}", json=document, version=dan["version"])

        def said(answer: Any) -> list[tuple[str, str]]:
            return [(one["code"], one["message"]) for one in answer["warnings"] if one["code"] != "laid_over"]

        day = {"start": "01-06", "end": "01-07"}
        away = [("away", "Cat is away then: on leave")]
        assert said(await rota.cover(person="Cat", replaces="Ben", **day)) == away
        assert said(await rota.cover(person="Cat", role="primary", start="01-05", end="01-08")) == away
        assert said(await rota.cover(person="Cat", start="01-08", end="01-09")) == []
        disabled = [("away", "Dan is away then: disabled")]
        assert said(await rota.cover(person="Dan", start="01-09", end="01-10")) == disabled
        twice = [("on_call_twice", "Ben would be on call twice at a time, in two roles")]
        assert said(await rota.cover(person="Ben", replaces="Ana", start="01-11", end="01-12")) == twice
        assert said(await rota.cover(person="Ben", start="01-13", end="01-14")) == []
        take_over = f"{rota.path[1:]}/take-over"
        assert said(await rota.responder.create(take_over, {"person": rota.id("Ben"), "role": "primary"})) == twice
        assert said(await rota.responder.create(take_over, {"person": rota.id("Dan"), "role": "secondary"})) == disabled
        assert said(await rota.asks("Ana", "Dan", ("01-15", "01-16"))) == disabled


async def test_of_two_who_take_over_at_once_the_second_takes_over_from_the_first(database: str) -> None:
    """Nobody is told that they have it while somebody else does."""
    async with rota_town(database, "Ana", "Ben") as rota:
        path = f"{rota.path[1:]}/take-over"
        made = await asyncio.gather(*(rota.responder.create(path, {"person": rota.id(who)}) for who in ("Cat", "Dan")))
        (now,) = await rota.on_call()
        first = "Cat" if now == "Dan" else "Dan"
        assert {(rota.name(one["replaces"]), rota.name(one["person"])) for one in made} == {
            ("Ana", first),
            (first, now),
        }


async def test_somebody_who_is_deleted_meanwhile_does_not_stand_in(database: str) -> None:
    """The override or the deletion comes first, and the other is refused: nobody who is not there is on call."""
    async with rota_town(database, "Ana", "Ben") as rota:
        for number in range(3):
            eva = await rota.asked.admin.create("people", {"name": f"Eva {number}"})
            cover = {**rota.override("Cat", "01-06", "01-07"), "person": eva["id"]}
            both = await asyncio.gather(
                rota.responder.ask("POST", f"{rota.path}/overrides", json=cover),
                rota.asked.admin.ask("DELETE", f"/people/{eva['id']}", version=1),
            )
            assert [one.status_code for one in both] in ([201, 409], [422, 204])
