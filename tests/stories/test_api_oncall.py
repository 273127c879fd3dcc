"""Being on call by the API: who, by which layer or override, until when; shifts, gaps, and people standing in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from sqlalchemy import event, update

from app.clock import DAY
from app.ids import ProcessIds
from app.oncall.facts import rotas
from app.oncall.rota import Rota
from app.oncall.tables import rota_states
from app.store.database import Conn, Reading, Writing
from app.store.migrate import migrate
from app.store.opening import open_store
from app.store.sqlite import Sqlite
from tests.harness.api_world import Asked, api
from tests.harness.clock import START, StoryClock

NOTHING = dict.fromkeys(
    ("layer", "turn", "how", "instead_of", "because", "override_id", "replaces", "event"),
)
"""What puts somebody on call, before it is said."""


async def rota(asked: Asked, **layer: Any) -> tuple[str, dict[str, str]]:
    """A daily rotation of Ana and Ben in UTC from 2026-01-05, the day the story begins."""
    people = {name: await asked.person(name) for name in ("Ana", "Ben", "Cat")}
    daily = {
        "name": "daily",
        "participants": [people["Ana"], people["Ben"]],
        "unit": "day",
        "length": 1,
        "start_date": "2026-01-05",
        "handoff": "00:00",
        **layer,
    }
    document = {"name": "Primary", "time_zone": "UTC", "layers": [daily]}
    return (await asked.admin.create("schedules", document))["id"], people


async def on_call(asked: Asked, at: str | None = None) -> dict[str, Any]:
    (found,) = (await asked.reader.get("/oncall", params={"at": at} if at else {}))["items"]
    return dict(found)


async def test_the_layer_and_turn_are_named_and_when_it_ends(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        now = await on_call(asked)
        assert now["schedule_id"] == schedule
        assert now["at"] == "2026-01-05T00:00:00.000Z"
        assert now["until"] == "2026-01-06T00:00:00.000Z"
        assert now["people"] == [
            {
                "person_id": people["Ana"],
                "person": "Ana",
                "role": "primary",
                "reason": "on call in Primary (layer daily, turn 1)",
                "via": {**NOTHING, "layer": "daily", "turn": 1, "how": "turn"},
            }
        ]
        assert (await on_call(asked, "2026-01-06T12:00:00+01:00"))["people"][0]["person"] == "Ben"


async def test_where_nobody_is_on_call_the_reason_is_told(database: str) -> None:
    async with api(database) as asked:
        await rota(asked, restrictions=[{"weekdays": ["mon"], "start": "09:00", "end": "17:00"}])
        now = await on_call(asked)
        assert (now["people"], now["nobody"]) == ([], "no layer is active at this hour")
        assert now["until"] == "2026-01-05T09:00:00.000Z"


async def test_somebody_stands_in_and_is_taken_back(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        span = {
            "starts_at": "2026-01-05T06:00:00Z",
            "ends_at": "2026-01-05T12:00:00Z",
            "person": people["Cat"],
            "replaces": people["Ana"],
            "reason": "at the dentist",
        }
        made = await asked.responder.create(f"schedules/{schedule}/overrides", span)
        assert (made["created_by"], made["reason"]) == ("api key responder-bot", "at the dentist")
        noon = await on_call(asked, "2026-01-05T07:00:00Z")
        assert noon["people"][0]["via"] == {**NOTHING, "override_id": made["id"], "replaces": people["Ana"]}
        assert noon["people"][0]["reason"] == "on call in Primary (override) in place of Ana"
        assert (await on_call(asked))["until"] == "2026-01-05T06:00:00.000Z"
        listed = (await asked.reader.get(f"/schedules/{schedule}/overrides"))["items"]
        assert listed == [{name: made[name] for name in made if name != "warnings"}]
        path = f"/schedules/{schedule}/overrides/{made['id']}"
        await asked.responder.done(204, "DELETE", path)
        await asked.responder.refused(404, "DELETE", path)
        assert (await on_call(asked, "2026-01-05T07:00:00Z"))["people"][0]["person"] == "Ana"


async def test_taking_back_an_override_that_goes_on_leaves_its_past(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        span = {"starts_at": "2026-01-04T00:00:00Z", "ends_at": "2026-01-05T12:00:00Z", "person": people["Cat"]}
        made = await asked.responder.create(f"schedules/{schedule}/overrides", span)
        assert made["starts_at"] == "2026-01-05T00:00:00.000Z"
        await asked.story.passes(hours=2)
        path = f"/schedules/{schedule}/overrides/{made['id']}"
        await asked.responder.done(204, "DELETE", path)
        assert (await on_call(asked))["people"][0]["person"] == "Ana"
        assert (await on_call(asked, "2026-01-05T01:00:00Z"))["people"][0]["person"] == "Cat"
        assert (await asked.responder.refused(409, "DELETE", path))["code"] == "override_over"
        past = await asked.reader.get(f"/schedules/{schedule}/overrides?ends_after=2026-01-05T00:00:00Z")
        assert [one["ends_at"] for one in past["items"]] == ["2026-01-05T02:00:00.000Z"]


async def test_an_override_that_can_not_be_is_refused_by_field(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked)
        for change, field in [
            ({"person": "7"}, "person"),
            ({"replaces": "7"}, "replaces"),
            ({"ends_at": "2026-01-04T12:00:00Z", "starts_at": "2026-01-04T11:00:00Z"}, "ends_at"),
            ({"starts_at": "tomorrow"}, "starts_at"),
            ({"colour": "red"}, "colour"),
        ]:
            span = {"starts_at": "2026-01-05T06:00:00Z", "ends_at": "2026-01-05T12:00:00Z", "person": people["Cat"]}
            path = f"/schedules/{schedule}/overrides"
            problem = await asked.responder.refused(422, "POST", path, json=span | change)
            assert [one["field"] for one in problem["errors"]] == [field]
            await asked.responder.refused(404, "POST", "/schedules/7/overrides", json=span)


async def test_shifts_and_gaps_fill_the_interval(database: str) -> None:
    async with api(database) as asked:
        schedule, people = await rota(asked, restrictions=[{"start": "08:00", "end": "20:00"}])
        query = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-06T20:00:00Z"}
        found = await asked.reader.get(f"/schedules/{schedule}/shifts", params=query)
        assert [(one["person_id"], one["starts_at"]) for one in found["items"]] == [
            (people["Ana"], "2026-01-05T08:00:00.000Z"),
            (people["Ben"], "2026-01-06T08:00:00.000Z"),
        ]
        assert [(one["starts_at"], one["ends_at"]) for one in found["gaps"]] == [
            ("2026-01-05T00:00:00.000Z", "2026-01-05T08:00:00.000Z"),
            ("2026-01-05T20:00:00.000Z", "2026-01-06T08:00:00.000Z"),
        ]
        fortnight = await asked.reader.get(f"/schedules/{schedule}/shifts")
        assert len(fortnight["items"]) == 14


async def test_an_interval_that_can_not_be_laid_out_is_refused(database: str) -> None:
    async with api(database) as asked:
        schedule, _ = await rota(asked)
        for query in [
            "from=yesterday",
            "to=2026-01-04T00:00:00Z",
            "from=2026-01-05T00:00:00Z&to=2026-01-05T00:00:00Z",
            "from=2026-01-05T00:00:00Z&to=2028-01-05T00:00:00Z",
            "from=9999-12-31T23:59:59Z",
        ]:
            await asked.reader.refused(422, "GET", f"/schedules/{schedule}/shifts?{query}")


async def test_an_instant_is_rfc_3339_and_in_our_time_or_refused(database: str) -> None:
    async with api(database) as asked:
        await rota(asked)
        for at in ["now", "2026-01-05", "2026-01-05T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]:
            problem = await asked.reader.refused(422, "GET", "/oncall", params={"at": at})
            assert [(one["in"], one["field"]) for one in problem["errors"]] == [("query", "at")]


@dataclass
class Counting:
    """A transaction that counts what it is asked."""

    conn: Conn
    asked: int = 0

    async def execute(self, statement: Any, parameters: Any) -> Any:
        self.asked += 1
        return await self.conn.execute(statement, parameters)


async def counted(asked: Asked, ids: list[int]) -> tuple[int, dict[int, Rota], set[str]]:
    """How many statements it takes to read these schedules for a day; what they are, and who is named."""

    async def read(view: Reading) -> tuple[int, dict[int, Rota], set[str]]:
        counting, names = Counting(view.conn), dict[int, str]()
        found = await rotas(replace(view, conn=cast("Conn", counting)), ids, view.now, view.now + DAY, names)
        return counting.asked, found, set(names.values())

    return await asked.story.store.read(read)


async def test_however_many_schedules_are_computed_they_are_read_in_one_statement(database: str) -> None:
    """One by one and table by table the way there and back would cost more than all the rest. The first time takes two."""
    async with api(database) as asked:
        first, _ = await rota(asked)
        layers = (await asked.reader.get(f"/schedules/{first}"))["layers"]
        other = {"name": "Other", "time_zone": "UTC", "layers": layers}
        ids = [int(first), int((await asked.admin.create("schedules", other))["id"])]
        await counted(asked, ids)
        times, _, names = await counted(asked, ids)
        assert (times, names) == (1, {"Primary", "Other", "Ana", "Ben"})


async def test_who_comes_into_a_schedule_is_read_with_their_leave_and_so_is_all_of_a_longer_turn(database: str) -> None:
    """Who is looked up on the way is only a guess, by what the schedule was when it was read the last time."""
    async with api(database) as asked:
        schedule, people = await rota(asked)
        for name, first, last in [("Cat", "2026-01-06", "2026-01-07"), ("Ana", "2026-01-20", "2026-01-22")]:
            days = {"from": first, "to": last, "reason": f"leave of {name}"}
            await asked.admin.create(f"people/{people[name]}/absences", days)

        async def leave() -> tuple[int, list[str], set[str]]:
            times, found, names = await counted(asked, [int(schedule)])
            return times, [one.why for one in found[int(schedule)].away], names

        async def change(**layer: Any) -> None:
            document = await asked.admin.get(f"/schedules/{schedule}")
            layers = [{**document["layers"][0], **layer}]
            changed = {"name": "Primary", "time_zone": "UTC", "layers": layers}
            await asked.admin.done(200, "PUT", f"/schedules/{schedule}", version=document["version"], json=changed)

        assert (await leave())[1:] == ([], {"Primary", "Ana", "Ben"})
        await change(participants=list(people.values()))
        assert (await leave())[1:] == (["leave of Cat"], {"Primary", "Ana", "Ben", "Cat"})
        assert (await leave())[0] == 1
        await change(unit="month", participants=list(people.values()))
        assert (await leave())[1:] == (["leave of Ana", "leave of Cat"], {"Primary", "Ana", "Ben", "Cat"})


async def test_a_past_that_is_not_written_down_is_read_from_its_beginning(database: str) -> None:
    """Also when it was written down further the last time that the schedule was read, as after a backup came back."""
    async with api(database) as asked:
        schedule, people = await rota(asked)
        body = {"person": people["Cat"], "starts_at": "2026-01-05T02:00:00Z", "ends_at": "2026-01-05T03:00:00Z"}
        await asked.admin.create(f"schedules/{schedule}/overrides", body)
        await asked.story.passes(hours=48)
        ids = [int(schedule)]

        async def settled(tx: Writing, until: int) -> None:
            await tx.conn.execute(update(rota_states).values(settled_until=until))

        seen = []
        for days in (2, 2, 0):
            await asked.story.store.write(settled, START + days * DAY)
            _, found, _ = await counted(asked, ids)
            seen.append(len(found[ids[0]].overrides))
        assert seen == [0, 0, 1]


async def test_on_sqlite_a_schedule_is_found_by_indexes_alone(tmp_path: Path) -> None:
    """The record of shifts grows for years: nobody reads all of it to say who is on call now."""
    store = open_store(f"sqlite:///{tmp_path}/t.db", StoryClock(), ProcessIds(7), pool_size=1)
    await migrate(store)
    steps: list[str] = []

    def explain(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        if statement.startswith("SELECT"):
            steps.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    assert isinstance(store.database, Sqlite)
    event.listen(store.database._writer, "before_cursor_execute", explain)
    assert await store.write(rotas, [1], START, START + DAY)
    tables = ("overrides", "schedule_eras", "shift_record", "rota_states", "resources", "absences")
    found = {table: [step for step in steps if f" {table} " in step] for table in tables}
    assert all(found.values())
    assert [step for of_table in found.values() for step in of_table if not step.startswith("SEARCH")] == []
    await store.close()
