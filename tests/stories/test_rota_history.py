"""What was stays: no edit, no late absence and no other zone rules change who was on call; what is planned can be seen."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.oncall.record import settle
from app.store.database import Writing
from tests.harness.api_world import Asked, api
from tests.stories.test_api_oncall import on_call, rota

DAY_S = 86_400


async def who(asked: Asked, at: str) -> str:
    found = await on_call(asked, at)
    return found["people"][0]["person"] if found["people"] else found["nobody"]


async def edit(asked: Asked, schedule: str, **changes: Any) -> dict[str, Any]:
    """Saves the schedule with other fields; `participants` is of its only layer."""
    now = await asked.reader.get(f"/schedules/{schedule}")
    layer = {**now["layers"][0]}
    if "participants" in changes:
        layer["participants"] = changes.pop("participants")
    kept = {
        key: value for key, value in now.items() if key not in ("id", "version", "created_at", "updated_at", "warnings")
    }
    body = {**kept, "layers": [layer], **changes}
    return dict(await asked.admin.done(200, "PUT", f"/schedules/{schedule}", json=body, version=now["version"]))


async def test_an_edit_of_the_order_counts_from_now_on_and_never_before(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        await asked.story.passes(hours=60)
        await edit(asked, schedule, participants=[people["Cat"]])
        past = [await who(asked, f"2026-01-0{day}T11:00:00Z") for day in (5, 6, 7)]
        assert past == ["Ana", "Ben", "Ana"]
        assert await who(asked, "2026-01-07T11:59:59Z") == "Ana"
        assert await who(asked, "2026-01-08T12:00:00Z") == "Cat"


async def test_an_edit_takes_effect_at_the_instant_it_says(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        made = await edit(asked, schedule, participants=[people["Cat"]], effective_at="2026-01-07T06:00:00Z")
        assert made["effective_at"] == "2026-01-07T06:00:00Z"
        seen = [await who(asked, f"2026-01-07T0{hour}:00:00Z") for hour in (5, 6)]
        assert seen == ["Ana", "Cat"]
        await asked.story.passes(hours=24 * 4)
        assert [await who(asked, f"2026-01-07T0{hour}:00:00Z") for hour in (5, 6)] == seen


async def test_saving_again_takes_back_what_has_not_begun(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        await edit(asked, schedule, participants=[people["Cat"]], effective_at="2026-01-07T06:00:00Z")
        await edit(asked, schedule, participants=[people["Ben"]], effective_at=None)
        assert [await who(asked, f"2026-01-0{day}T12:00:00Z") for day in (5, 7, 9)] == ["Ben", "Ben", "Ben"]


async def test_somebody_who_is_on_call_until_an_edit_takes_effect_can_not_be_deleted(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        await edit(asked, schedule, participants=[people["Cat"]], effective_at="2026-01-09T00:00:00Z")
        problem = await asked.admin.refused(409, "DELETE", f"/people/{people['Ana']}", version=1)
        assert "Primary" in problem["detail"]


async def test_the_past_of_a_deleted_schedule_is_still_told(database: str) -> None:
    async with api(database) as asked:
        schedule, _ = await rota(asked)
        await asked.story.passes(hours=30)
        await asked.admin.done(204, "DELETE", f"/schedules/{schedule}", version=1)
        assert await who(asked, "2026-01-05T12:00:00Z") == "Ana"
        assert (await asked.reader.get("/oncall"))["items"] == []


async def test_before_it_was_made_a_schedule_put_nobody_on_call(database: str) -> None:
    async with api(database) as asked:
        await asked.story.passes(hours=1)
        await rota(asked)
        assert await who(asked, "2026-01-05T00:30:00Z") == "the schedule did not exist then"


async def test_other_rules_of_the_zone_do_not_change_what_was(database: str) -> None:
    """The record is read, not the rules: what is written down stays, whatever would be computed today."""
    async with api(database) as asked:
        schedule, _ = await rota(asked)
        await asked.story.passes(hours=36)
        await asked.story.store.write(settle, [int(schedule)])

        async def rules_that_were(tx: Writing) -> None:
            # As a release with other rules would have it: the handoff of that night was an hour later.
            handoff, later = 1_767_657_600_000_000, 1_767_661_200_000_000
            for column in ("starts_at", "ends_at"):
                statement = f"UPDATE shift_record SET {column} = {later} WHERE {column} = {handoff}"
                await tx.conn.execute(text(statement))

        await asked.story.store.write(rules_that_were)
        assert [await who(asked, f"2026-01-06T0{hour}:30:00Z") for hour in (0, 1)] == ["Ana", "Ben"]
        shifts = await asked.reader.get(
            f"/schedules/{schedule}/shifts", params={"from": "2026-01-05T00:00:00Z", "to": "2026-01-07T12:00:00Z"}
        )
        assert [(one["person"], one["starts_at"][:13]) for one in shifts["items"]] == [
            ("Ana", "2026-01-05T00"),
            ("Ben", "2026-01-06T01"),
            ("Ana", "2026-01-07T00"),
        ]
        assert shifts["gaps"] == []


async def test_settling_again_and_again_writes_each_shift_once(database: str) -> None:
    async with api(database) as asked:
        schedule, _ = await rota(asked)
        for _ in range(5):
            await asked.story.passes(hours=7)
            await asked.story.store.write(settle, [int(schedule)])
            await asked.story.store.write(settle, [int(schedule)])
        rows = await asked.story.rows("SELECT starts_at, ends_at FROM shift_record ORDER BY starts_at")
        assert [(int(row.ends_at) - int(row.starts_at)) // 3_600_000_000 for row in rows] == [24, 11]


async def test_a_preview_tells_what_would_change_and_keeps_nothing(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        before = await asked.reader.get(f"/schedules/{schedule}")
        layer = {**before["layers"][0], "participants": [people["Ana"], people["Cat"]]}
        body = {"name": "Primary", "time_zone": "UTC", "layers": [layer]}
        params = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-09T00:00:00Z"}
        seen = await asked.responder.post(f"/schedules/{schedule}/preview", body, params=params)
        assert [
            (one["starts_at"][:10], one["before"][0]["person"], one["after"][0]["person"]) for one in seen["changes"]
        ] == [
            ("2026-01-06", "Ben", "Cat"),
            ("2026-01-08", "Ben", "Cat"),
        ]
        assert [one["person"] for one in seen["shifts"]] == ["Ana", "Cat", "Ana", "Cat"]
        assert await asked.reader.get(f"/schedules/{schedule}") == before
        assert await who(asked, "2026-01-06T12:00:00Z") == "Ben"


async def test_a_new_schedule_is_previewed_with_the_absences_of_its_people(database: str) -> None:
    async with api(database) as asked:
        people = {name: await asked.person(name) for name in ("Ana", "Ben")}
        leave = {"from": "2026-01-06", "to": "2026-01-06"}
        await asked.responder.create(f"people/{people['Ben']}/absences", leave)
        layer = {
            "name": "daily",
            "participants": list(people.values()),
            "unit": "day",
            "length": 1,
            "start_date": "2026-01-05",
            "handoff": "00:00",
        }
        body = {"name": "New", "time_zone": "UTC", "layers": [layer]}
        params = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-09T00:00:00Z"}
        seen = await asked.responder.post("/schedules/preview", body, params=params)
        assert [(one["person"], one["via"]["how"]) for one in seen["shifts"]] == [
            ("Ana", "turn"),
            ("Ana", "stands_in"),
            ("Ben", "pays_back"),
            ("Ben", "turn"),
        ]


@pytest.mark.parametrize("how", ["unknown zone", "empty", "nobody of that id", "a century"])
async def test_what_can_not_be_is_refused_with_what_to_do(database: str, how: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        layer = (await asked.reader.get(f"/schedules/{schedule}"))["layers"][0]
        body = {"name": "Other", "time_zone": "UTC", "layers": [layer]}
        if how == "unknown zone":
            problem = await asked.admin.refused(422, "POST", "/schedules", json={**body, "time_zone": "Mars/Olympus"})
            assert "Mars/Olympus" in str(problem)
        if how == "empty":
            made = await asked.admin.create("schedules", {**body, "layers": [{**layer, "participants": []}]})
            found = await asked.reader.get("/oncall", params={"schedule_id": made["id"]})
            assert found["items"][0]["nobody"] == "no layer in force has participants"
        if how == "nobody of that id":
            problem = await asked.admin.refused(
                422, "POST", "/schedules", json={**body, "layers": [{**layer, "participants": ["12345"]}]}
            )
            assert "12345" in str(problem)
        if how == "a century":
            params = {"from": "2026-01-01T00:00:00Z", "to": "2126-01-01T00:00:00Z"}
            problem = await asked.reader.refused(422, "GET", f"/schedules/{schedule}/shifts", params=params)
            assert "366 days" in str(problem)
        found = (await asked.reader.get("/oncall", params={"schedule_id": schedule}))["items"]
        assert [one["people"][0]["person_id"] for one in found] == [people["Ana"]]
