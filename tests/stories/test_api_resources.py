"""Configuration by the API: one promise a test, the same for every kind, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.idempotency import Asked as Request
from app.api.idempotency import Made, once
from app.ids import ProcessIds
from app.store import resources
from app.store.database import Writing
from app.store.opening import open_store
from tests.conftest import TEMPLATE
from tests.harness.api_world import Asked, api
from tests.harness.clock import StoryClock
from tests.harness.postgres import Cluster


@pytest.fixture
def shared(postgres: Cluster) -> Iterator[str]:
    url = postgres.fresh(TEMPLATE)
    yield url
    postgres.drop(url)


async def documents(asked: Asked, name: str) -> dict[str, dict[str, Any]]:
    """A document of each kind that can be created at once."""
    person = await asked.person(f"person of {name}")
    layer = {
        "name": "weekly",
        "participants": [person],
        "unit": "week",
        "length": 1,
        "start_date": "2026-01-05",
        "handoff": "09:00",
    }
    return {
        "people": {"name": name, "time_zone": "Europe/Berlin"},
        "teams": {"name": name, "members": [{"person_id": person, "role": "lead"}]},
        "services": {"name": name, "impact": "high"},
        "schedules": {"name": name, "time_zone": "Europe/Berlin", "layers": [layer]},
        "policies": {"name": name, "levels": [{"targets": [{"kind": "person", "id": person}]}]},
        "channels": {"name": name, "kind": "console"},
        "integrations": {"name": name, "kind": "alertmanager"},
    }


async def test_a_document_is_created_read_replaced_and_deleted_and_each_version_is_kept(database: str) -> None:
    async with api(database) as asked:
        for path, document in (await documents(asked, "First")).items():
            await lives(asked, path, document)


async def lives(asked: Asked, path: str, document: dict[str, Any]) -> None:
    admin = asked.admin
    answer = await admin.ask("POST", f"/{path}", json=document)
    made = answer.json()
    item = f"/{path}/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/v1{item}"
    read = await admin.ask("GET", item)
    assert read.headers["etag"] == '"1"'
    assert {**made, **read.json()} == made
    await asked.story.passes(minutes=1)
    changed = await admin.done(200, "PUT", item, version=1, json={**document, "name": "Second"})
    assert (changed["name"], changed["version"], changed["created_at"]) == ("Second", 2, made["created_at"])
    assert changed["updated_at"] > made["updated_at"]
    await admin.done(204, "DELETE", item, version=2)
    await admin.refused(404, "GET", item)
    history = (await admin.get(f"{item}/history"))["items"]
    assert [(one["version"], one["action"], one["document"]["name"]) for one in history] == [
        (1, "created", "First"),
        (2, "changed", "Second"),
        (3, "deleted", "Second"),
    ]
    assert {one["changed_by"] for one in history} == {"api key admin-bot"}


async def test_an_edit_needs_the_version_that_was_seen(database: str) -> None:
    async with api(database) as asked:
        for path, document in (await documents(asked, "First")).items():
            await asked.admin.create(path, document)
            item = f"/{path}/{(await asked.admin.get(f'/{path}'))['items'][-1]['id']}"
            for method, body in (("PUT", {"json": document}), ("DELETE", {})):
                assert (await asked.admin.refused(428, method, item, **body))["code"] == "version_missing"
                for stale in ('"2"', 'W/"1"', "1", "*", '"1", "2"'):
                    problem = await asked.admin.refused(412, method, item, headers={"if-match": stale}, **body)
                    assert problem["code"] == "version_mismatch"
            assert (await asked.admin.get(item))["version"] == 1


async def test_of_two_edits_of_one_version_at_once_exactly_one_is_taken(database: str) -> None:
    async with api(database) as asked:
        team = await asked.admin.create("teams", {"name": "SRE"})
        item = f"/teams/{team['id']}"
        answers = await asyncio.gather(
            *(asked.admin.ask("PUT", item, version=1, json={"name": f"SRE {n}"}) for n in range(8))
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
        assert (await asked.admin.get(item))["version"] == 2


async def test_a_list_is_walked_page_by_page_and_nothing_is_seen_twice(database: str) -> None:
    async with api(database) as asked:
        made = [(await asked.admin.create("teams", {"name": f"team {n}"}))["id"] for n in range(7)]
        seen, cursor = [], None
        for _ in range(4):
            found = await asked.reader.get("/teams", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            seen += [team["id"] for team in found["items"]]
            cursor = found["next_cursor"]
        assert (seen, cursor) == (made, None)


async def test_a_limit_or_cursor_that_means_nothing_is_refused_by_name(database: str) -> None:
    async with api(database) as asked:
        for query in ["limit=0", "limit=501", "limit=x", "cursor=!", "cursor=AAAA", "cursor=" + "z" * 11]:
            problem = await asked.reader.refused(422, "GET", f"/teams?{query}")
            assert [(one["in"], one["field"]) for one in problem["errors"]] == [("query", query.partition("=")[0])]


async def test_a_name_is_taken_once_and_free_again_after_a_delete(database: str) -> None:
    async with api(database) as asked:
        team = await asked.admin.create("teams", {"name": "SRE"})
        problem = await asked.admin.refused(409, "POST", "/teams", json={"name": "SRE"})
        assert problem["code"] == "name_taken"
        other = await asked.admin.create("teams", {"name": "Ops"})
        await asked.admin.refused(409, "PUT", f"/teams/{other['id']}", version=1, json={"name": "SRE"})
        await asked.admin.done(204, "DELETE", f"/teams/{team['id']}", version=1)
        await asked.admin.create("teams", {"name": "SRE"})


async def test_a_create_sent_again_is_done_once_and_answered_alike(database: str) -> None:
    async with api(database) as asked:
        again = {"headers": {"idempotency-key": "a-1"}, "json": {"name": "SRE"}}
        answers = [await asked.admin.ask("POST", "/teams", **again) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201] * 3
        assert len({answer.content for answer in answers}) == 1
        assert [answer.headers.get("idempotent-replay") for answer in answers] == [None, "true", "true"]
        assert {answer.headers["etag"] for answer in answers} == {'"1"'}
        assert len((await asked.admin.get("/teams"))["items"]) == 1


async def test_equal_creates_at_the_same_time_are_done_once(database: str) -> None:
    async with api(database) as asked:
        again = {"headers": {"idempotency-key": "a-1"}, "json": {"name": "SRE"}}
        answers = await asyncio.gather(*(asked.admin.ask("POST", "/teams", **again) for _ in range(6)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}


async def test_who_is_overtaken_by_an_equal_request_is_answered_as_that_one_was(shared: str) -> None:
    """It has looked for an answer, and then the other makes what both were to make: on PostgreSQL, where two write at once."""
    store = open_store(shared, StoryClock(), ProcessIds(7))
    request = Request("key:1", "a-1", b"the same")
    quicker = [True]

    async def create(tx: Writing) -> Made:
        if quicker:
            quicker.clear()
            await store.write(once, request, create)
        return Made({"id": (await resources.create(tx, "team", "SRE", {}, "Ana")).id})

    try:
        made = await store.write(once, request, create)
        (team,) = await store.read(resources.listed, "team")
    finally:
        await store.close()
    assert (made.body, made.headers) == ({"id": team.id}, {"Idempotent-Replay": "true"})


async def test_an_idempotency_key_belongs_to_one_request_of_one_caller_for_a_day(database: str) -> None:
    async with api(database) as asked:
        key = {"idempotency-key": "a-1"}
        await asked.admin.create("teams", {"name": "SRE"}, headers=key)
        for path, name in (("/teams", "Ops"), ("/services", "SRE")):
            problem = await asked.admin.refused(409, "POST", path, headers=key, json={"name": name})
            assert problem["code"] == "idempotency_key_reused"
        await asked.responder.create("incidents", {"title": "slow"}, headers=key)
        await asked.story.settled()
        await asked.story.passes(hours=24)
        await asked.admin.create("services", {"name": "SRE"}, headers=key)


async def test_a_create_that_was_refused_is_not_remembered(database: str) -> None:
    async with api(database) as asked:
        key, document = {"idempotency-key": "a-1"}, {"name": "SRE"}
        first = await asked.admin.create("teams", document)
        await asked.admin.refused(409, "POST", "/teams", headers=key, json=document)
        await asked.admin.done(204, "DELETE", f"/teams/{first['id']}", version=1)
        await asked.admin.create("teams", document, headers=key)


async def test_a_reference_that_leads_nowhere_is_refused_by_its_field(database: str) -> None:
    async with api(database) as asked:
        for path, document, field in [
            ("teams", {"name": "x", "members": [{"person_id": "7"}]}, "members.0.person_id"),
            ("services", {"name": "x", "team_id": "7"}, "team_id"),
            ("services", {"name": "x", "policy_id": "not a number"}, "policy_id"),
            ("integrations", {"name": "x", "kind": "generic", "service_id": "7"}, "service_id"),
            (
                "policies",
                {"name": "x", "levels": [{"targets": [{"kind": "schedule", "id": "9" * 40}]}]},
                "levels.0.targets.0.id",
            ),
        ]:
            problem = await asked.admin.refused(422, "POST", f"/{path}", json=document)
            assert [one["field"] for one in problem["errors"]] == [field]


async def test_a_person_in_a_schedule_must_exist_and_a_kind_of_target_must_fit(database: str) -> None:
    async with api(database) as asked:
        schedule = (await documents(asked, "x"))["schedules"]
        schedule["layers"][0]["participants"].append("8")
        problem = await asked.admin.refused(422, "POST", "/schedules", json=schedule)
        assert [one["field"] for one in problem["errors"]] == ["layers.0.participants.1"]
        person = await asked.person("Ana")
        levels = [{"targets": [{"kind": "team", "id": person}]}]
        await asked.admin.refused(422, "POST", "/policies", json={"name": "x", "levels": levels})


async def test_what_is_in_use_can_not_be_deleted_and_its_users_are_named(database: str) -> None:
    async with api(database) as asked:
        admin = asked.admin
        ids = {}
        ids["people"] = await asked.person("Ana")
        team = {"name": "SRE", "members": [{"person_id": ids["people"]}]}
        ids["teams"] = (await admin.create("teams", team))["id"]
        layer = {
            "name": "a",
            "participants": [ids["people"]],
            "unit": "day",
            "length": 1,
            "start_date": "2026-01-05",
            "handoff": "00:00",
        }
        rota = {"name": "Primary", "time_zone": "UTC", "layers": [layer]}
        ids["schedules"] = (await admin.create("schedules", rota))["id"]
        ids["channels"] = (await admin.create("channels", {"name": "war room", "kind": "console"}))["id"]
        targets = [
            {"kind": kind, "id": ids[path]} for kind, path in (("schedule", "schedules"), ("channel", "channels"))
        ]
        ids["policies"] = (await admin.create("policies", {"name": "Default", "levels": [{"targets": targets}]}))["id"]
        ids["services"] = await asked.service("checkout", ids["policies"], team_id=ids["teams"])
        way_in = {"name": "prometheus", "kind": "alertmanager", "service_id": ids["services"]}
        ids["integrations"] = (await admin.create("integrations", way_in))["id"]
        for path, users in (
            ("people", ["team 'SRE'", "schedule 'Primary'"]),
            ("teams", ["service 'checkout'"]),
            ("schedules", ["policy 'Default'"]),
            ("channels", ["policy 'Default'"]),
            ("policies", ["service 'checkout'"]),
            ("services", ["integration 'prometheus'"]),
        ):
            problem = await admin.refused(409, "DELETE", f"/{path}/{ids[path]}", version=1)
            assert problem["code"] == "in_use"
            assert all(user in problem["detail"] for user in users), problem["detail"]
        for path in ("integrations", "services", "policies", "channels", "schedules", "teams", "people"):
            await admin.done(204, "DELETE", f"/{path}/{ids[path]}", version=1)


async def test_a_person_who_stands_in_and_a_service_with_an_open_incident_are_in_use(database: str) -> None:
    async with api(database) as asked:
        admin, ana = asked.admin, await asked.person("Ana")
        rota = await admin.create("schedules", {"name": "Primary", "time_zone": "UTC", "layers": []})
        span = {"starts_at": "2026-01-05T01:00:00Z", "ends_at": "2026-01-05T02:00:00Z", "person": ana}
        over = {"starts_at": "2026-01-05T00:00:00Z", "ends_at": "2026-01-05T00:30:00Z", "person": ana}
        await admin.create(f"schedules/{rota['id']}/overrides", over)
        standing_in = await admin.create(f"schedules/{rota['id']}/overrides", span)
        problem = await admin.refused(409, "DELETE", f"/people/{ana}", version=1)
        assert "an override of schedule 'Primary'" in problem["detail"]
        service = await asked.service("checkout")
        incident = await admin.create("incidents", {"title": "slow", "service_id": service})
        problem = await admin.refused(409, "DELETE", f"/services/{service}", version=1)
        assert f"open incident #{incident['number']}" in problem["detail"]
        await admin.post(f"/incidents/{incident['number']}/resolve")
        await admin.done(204, "DELETE", f"/services/{service}", version=1)
        await asked.story.passes(minutes=45)
        await admin.done(204, "DELETE", f"/schedules/{rota['id']}/overrides/{standing_in['id']}")
        await admin.done(204, "DELETE", f"/people/{ana}", version=1)


async def test_a_reference_and_the_delete_of_what_it_points_at_never_both_succeed(database: str) -> None:
    async with api(database) as asked:
        for turn in range(5):
            person = await asked.person(f"person {turn}")
            team = {"name": f"team {turn}", "members": [{"person_id": person}]}
            made, gone = await asyncio.gather(
                asked.admin.ask("POST", "/teams", json=team),
                asked.admin.ask("DELETE", f"/people/{person}", version=1),
            )
            assert (made.status_code, gone.status_code) in ((201, 409), (422, 204))
