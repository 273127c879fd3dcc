"""How the load is shared and what it is worth, by the API: after two days of work, and of days to come."""

from __future__ import annotations

import csv
import io
from typing import Any

from tests.harness.api_world import Asked, api
from tests.harness.town import Resident

TWO_DAYS = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-07T00:00:00Z"}
QUIET = {"before_minutes": None, "at_handoff": False}
PAY = {"currency": "EUR", "day": "1", "night": "2", "weekend": "3", "holiday": "10", "per_page": "5"}
EVIL = '=HYPERLINK("http://evil.example","Ben")'


async def rota(asked: Asked, name: str, *people: str, team: str | None = None, **more: Any) -> dict[str, Any]:
    """A daily rotation in UTC from the day the story begins."""
    daily = {
        "name": "daily",
        "participants": list(people),
        "unit": "day",
        "length": 1,
        "start_date": "2026-01-05",
        "handoff": "00:00",
    }
    document = {"name": name, "time_zone": "UTC", "team_id": team, "notices": QUIET, "layers": [daily], **more}
    return dict(await asked.admin.create("schedules", document))


async def table(asked: Asked, path: str, **asking: str) -> tuple[str, list[dict[str, str]]]:
    """The name of the file, and its rows."""
    headers = {"authorization": f"Bearer {asked.reader.key}"}
    answer = await asked.story.web.get(f"/v1{path}", params=asking, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return answer.headers["content-disposition"], list(csv.DictReader(io.StringIO(answer.text, newline="")))


def short(person: dict[str, Any]) -> tuple[Any, ...]:
    paid = person["paid_as"]
    return (person["hours"], paid["day"], paid["night"], paid["holiday"], person["pages"], person["pages_at_night"])


async def two_days(asked: Asked) -> tuple[dict[str, Any], str, Resident, str, str]:
    """Ana has Monday and is called at once; Ben has Tuesday, a holiday where he lives, of which Cleo takes six hours."""
    story = asked.story
    ana = await story.person("Ana")
    ben = await asked.person(EVIL, country="DE", subdivision="BY", time_zone="UTC")
    cleo = await asked.person("Cleo")
    team = (await asked.admin.create("teams", {"name": "SRE"}))["id"]
    schedule = await rota(asked, "+Primary", str(ana.id), ben, team=team, pay=PAY)
    alerts = await story.integration(
        "alertmanager", await story.service("shop", await story.policy([[schedule["id"]]]))
    )
    await alerts.fires("DiskFull")
    await ana.is_paged("DiskFull")
    await ana.acknowledges()
    span = {"starts_at": "2026-01-06T06:00:00Z", "ends_at": "2026-01-06T12:00:00Z", "person": cleo, "replaces": ben}
    await asked.responder.create(f"schedules/{schedule['id']}/overrides", span)
    await alerts.resolves("DiskFull")
    await story.passes(hours=48)
    return schedule, team, ana, ben, cleo


async def test_who_had_how_much_what_was_their_part_and_what_it_is_worth(database: str) -> None:
    async with api(database) as asked:
        schedule, _, ana, ben, cleo = await two_days(asked)
        found = await asked.reader.get(f"/schedules/{schedule['id']}/fairness", params=TWO_DAYS)
        people = {person["person_id"]: person for person in found["people"]}
        assert {item: short(person) for item, person in people.items()} == {
            str(ana.id): (24, 16, 8, 0, 1, 1),
            ben: (18, 0, 0, 18, 0, 0),
            cleo: (6, 6, 0, 0, 0, 0),
        }
        assert (people[ben]["handed_hours"], people[cleo]["covered_hours"]) == (6, 6)
        assert [people[one]["difference_hours"] for one in (str(ana.id), ben, cleo)] == [0, -6, 6]
        assert (people[ben]["expected_share"], people[ben]["actual_share"]) == (0.5, 0.375)
        amounts = [people[one]["pay"] for one in (str(ana.id), ben, cleo)]
        assert amounts == [[{"currency": "EUR", "amount": value}] for value in ("37.00", "180.00", "6.00")]
        assert found["score"] == {"hours": 87.5, "nights": 100, "weekends": None, "pages": 50, "mean": 79.2}
        assert found["pay"]["night"] == "2"
        usual = await asked.reader.get(f"/schedules/{schedule['id']}/fairness")
        assert (usual["from"], usual["to"]) == ("2025-12-10T00:00:00.000Z", "2026-01-07T00:00:00.000Z")
        assert usual["people"] == found["people"]


async def test_the_table_says_the_same_and_no_name_in_it_is_run(database: str) -> None:
    async with api(database) as asked:
        schedule, team, _, ben, cleo = await two_days(asked)
        path = f"/schedules/{schedule['id']}/fairness"
        kept_as, rows = await table(asked, f"{path}.csv", **TWO_DAYS)
        assert kept_as == f'attachment; filename="on-call-schedule-{schedule["id"]}-2026-01-05-2026-01-07.csv"'
        shown = (await asked.reader.get(path, params=TWO_DAYS))["people"]
        assert [row["person_id"] for row in rows] == [person["person_id"] for person in shown]
        for row, person in zip(rows, shown, strict=True):
            for column in ("hours", "night_hours", "covered_hours", "difference_hours", "pages", "expected_share"):
                assert float(row[column]) == person[column], column
            for kind, hours in person["paid_as"].items():
                assert float(row[f"paid_{kind}_hours"]) == hours
            assert row["amount"] == person["pay"][0]["amount"]
        by_id = {row["person_id"]: row for row in rows}
        assert by_id[ben]["person"] == f"'{EVIL}"
        assert {row["schedule"] for row in rows} == {"'+Primary"}
        assert by_id[cleo]["difference_hours"] == "6"
        _, of_team = await table(asked, f"/teams/{team}/fairness.csv", **TWO_DAYS)
        assert of_team == rows


async def test_a_team_is_the_sum_of_its_schedules(database: str) -> None:
    async with api(database) as asked:
        schedule, team, ana, ben, _ = await two_days(asked)
        second = await rota(asked, "Secondary", ben, str(ana.id), team=team, pay={**PAY, "currency": "USD"})
        await rota(asked, "Of others", ben)
        weekend = {"from": "2026-01-10T00:00:00Z", "to": "2026-01-12T00:00:00Z"}
        found = await asked.reader.get(f"/teams/{team}/fairness", params=weekend)
        assert [one["schedule_id"] for one in found["schedules"]] == [schedule["id"], second["id"]]
        assert {(one["hours"], one["weekend_hours"], one["nights"]) for one in found["people"]} == {(48, 48, 2)}
        assert found["people"][0]["pay"] == [
            {"currency": "EUR", "amount": "72.00"},
            {"currency": "USD", "amount": "72.00"},
        ]
        assert found["score"] == {"hours": 100, "nights": 100, "weekends": 100, "pages": None, "mean": 100}
        _, rows = await table(asked, f"/teams/{team}/fairness.csv", **weekend)
        assert len(rows) == 4
        assert sum(float(row["hours"]) for row in rows) == 96


async def test_a_corrected_rate_counts_for_what_was_and_a_deleted_schedule_is_still_told(database: str) -> None:
    async with api(database) as asked:
        schedule, team, _, _, cleo = await two_days(asked)
        path = f"/schedules/{schedule['id']}"
        kept = ("name", "time_zone", "team_id", "layers", "notices")
        document = {key: schedule[key] for key in kept} | {"pay": {**PAY, "day": "2.005"}}
        await asked.admin.done(200, "PUT", path, json=document, version=1)
        (of_cleo,) = await of_person(asked, path, cleo)
        assert of_cleo["pay"] == [{"currency": "EUR", "amount": "12.03"}]
        policy = (await asked.reader.get("/policies"))["items"][0]
        await asked.admin.done(200, "PUT", f"/policies/{policy['id']}", json=_telling(policy, cleo), version=1)
        await asked.admin.done(204, "DELETE", path, version=2)
        assert (await of_person(asked, path, cleo)) == [of_cleo]
        whole = await asked.reader.get(f"/teams/{team}/fairness", params=TWO_DAYS)
        assert [one["schedule_id"] for one in whole["schedules"]] == [schedule["id"]]


def _telling(policy: dict[str, Any], person: str) -> dict[str, Any]:
    level = {"targets": [{"kind": "person", "id": person}], "delay_s": 300}
    return {"name": policy["name"], "levels": [level]}


async def of_person(asked: Asked, path: str, person: str) -> list[dict[str, Any]]:
    found = await asked.reader.get(f"{path}/fairness", params=TWO_DAYS)
    return [one for one in found["people"] if one["person_id"] == person]


async def test_intervals_and_schedules_that_are_none_are_refused(database: str) -> None:
    async with api(database) as asked:
        schedule = await rota(asked, "Primary", await asked.person("Ana"))
        path = f"/schedules/{schedule['id']}/fairness"
        for asking in (
            {"from": "2026-02-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
            {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
            {"from": "2026-01-01T00:00:00Z", "to": "2027-01-03T00:00:00Z"},
            {"to": "1970-01-02T00:00:00Z"},
            {"from": "yesterday"},
        ):
            for ending in ("", ".csv"):
                problem = await asked.reader.refused(422, "GET", f"{path}{ending}", params=asking)
                assert problem["errors"][0]["in"] == "query"
        await asked.reader.refused(404, "GET", "/schedules/1/fairness")
        await asked.reader.refused(404, "GET", "/teams/1/fairness.csv")


async def test_a_place_whose_holidays_nobody_knows_is_refused_when_it_is_saved(database: str) -> None:
    async with api(database) as asked:
        for fault, field in (
            ({"country": "XX"}, "country"),
            ({"country": "de"}, "country"),
            ({"country": "DE", "subdivision": "XX"}, "subdivision"),
            ({"subdivision": "BY"}, "country"),
            ({"off_on_public_holidays": True}, "country"),
        ):
            problem = await asked.admin.refused(422, "POST", "/people", json={"name": "Ana", **fault})
            assert [error["field"] for error in problem["errors"]] == [field], fault
        made = await asked.admin.create("people", {"name": "Ana", "country": "DE", "subdivision": "BY"})
        assert (made["country"], made["subdivision"]) == ("DE", "BY")


async def test_rates_that_are_no_money_are_refused(database: str) -> None:
    async with api(database) as asked:
        document = {"name": "Primary", "time_zone": "UTC", "layers": [], "pay": {"currency": "EUR", "day": "1e9"}}
        problem = await asked.admin.refused(422, "POST", "/schedules", json=document)
        assert problem["errors"][0]["field"] == "pay.day"


async def test_one_call_by_two_ways_is_one_page_and_one_that_no_schedule_asked_for_is_none(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ways = [{"contact_method": "ana"}, {"contact_method": "second", "delay_s": 120}]
        ana = await story.person("Ana", contact_methods=story.phones("ana", "second"), rules=ways)
        ben = await story.person("Ben")
        schedule = await rota(asked, "Primary", str(ana.id), str(ben.id))
        policy = await story.policy([[schedule["id"], ben]])
        alerts = await story.integration("alertmanager", await story.service("shop", policy))
        await alerts.fires("DiskFull")
        await story.passes(minutes=3)
        assert len([seen for seen in story.provider.seen if seen.path == "/second"]) == 1
        await ben.is_paged("DiskFull")
        await ana.is_paged("DiskFull")
        await ana.acknowledges()
        path = f"/schedules/{schedule['id']}/fairness"
        for since, until, pages in (("00:00", "01:00", 1), ("00:00", "00:01", 1), ("00:01", "01:00", 0)):
            asking = {"from": f"2026-01-05T{since}:00Z", "to": f"2026-01-05T{until}:00Z"}
            found = await asked.reader.get(path, params=asking)
            assert {one["person"]: one["pages"] for one in found["people"]} == {"Ana": pages, "Ben": 0}, asking
