"""Bad input and our own trouble by the API: a clear answer, never a crash, never a secret, and the next request goes on."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import text, update

from app.store.tables import resources
from tests.harness.api_world import api

JSON = {"content-type": "application/json"}


async def test_a_body_that_is_no_json_object_is_refused(database: str) -> None:
    async with api(database) as asked:
        for content in [
            b"{",
            b'{"name": "SRE"',
            b"null and void",
            b'{"name": NaN}',
            b'{"name": "\\ud800"}',
            b'{"name": "\xff"}',
            b'\xef\xbb\xbf{"name": "SRE"}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"null",
            b"[]",
            b'"SRE"',
            b"7",
            b"",
        ]:
            problem = await asked.admin.refused(422, "POST", "/teams", content=content, headers=JSON)
            assert problem["errors"][0]["in"] == "body"
        await asked.admin.create("teams", {"name": "SRE"})


async def test_a_body_of_another_type_is_told_which_type_to_send(database: str) -> None:
    async with api(database) as asked:
        form = {"content": b'{"name": "SRE"}', "headers": {"content-type": "application/x-www-form-urlencoded"}}
        problem = await asked.admin.refused(422, "POST", "/teams", **form)
        assert "Content-Type: application/json" in problem["detail"]


async def test_control_characters_are_refused_by_field(database: str) -> None:
    async with api(database) as asked:
        for document, field in [
            ({"name": "a\x00b"}, "name"),
            ({"name": "a\x1b[31mb"}, "name"),
            ({"name": "x", "description": "a\x7f"}, "description"),
            ({"name": "x", "members": [{"person_id": "1\x00"}]}, "members.0.person_id"),
            ({"name": "x", "desc\x00ription": ""}, ""),
        ]:
            problem = await asked.admin.refused(422, "POST", "/teams", json=document)
            assert [one["field"] for one in problem["errors"]] == [field]


async def test_every_field_at_fault_is_named_at_once(database: str) -> None:
    async with api(database) as asked:
        document = {"name": "", "levels": [{"targets": [{"kind": "pigeon", "id": "1"}], "delay_s": 1}], "colour": "red"}
        problem = await asked.admin.refused(422, "POST", "/policies", json=document)
        fields = {one["field"] for one in problem["errors"]}
        assert fields == {"name", "levels.0.targets.0.kind", "levels.0.delay_s", "colour"}
        assert all(one["message"] for one in problem["errors"])


async def test_what_a_field_must_look_like_is_told_in_words(database: str) -> None:
    """A regular expression is no answer to somebody who types a date."""
    layer = {
        "name": " ",
        "participants": ["Ana"],
        "unit": "week",
        "length": 1,
        "start_date": "1.12.2026",
        "handoff": "9",
    }
    async with api(database) as asked:
        rota = {"name": "Shop", "time_zone": "Europe/Madrid", "layers": [layer], "effective_at": "tomorrow"}
        problem = await asked.admin.refused(422, "POST", "/schedules", json=rota)
        assert {one["field"]: one["message"] for one in problem["errors"]} == {
            "layers.0.name": "must not be blank",
            "layers.0.participants.0": 'must be an id, digits written as text, such as "8012345678901234"',
            "layers.0.start_date": "must be a day, such as 2026-01-05",
            "layers.0.handoff": "must be a time of day, such as 09:00",
            "effective_at": "must be a time with its offset from UTC, such as 2026-01-05T09:00:00Z",
        }
        kind = await asked.admin.refused(422, "POST", "/integrations", json={"name": "x", "kind": "datadg"})
        assert kind["detail"].endswith("zabbix.")
        assert not kind["detail"].endswith("..")


async def test_nothing_is_called_by_a_blank(database: str) -> None:
    """It would stand in a page as nothing at all."""
    async with api(database) as asked:
        made = await asked.admin.create("services", {"name": "checkout"})
        for method, path, more in (
            ("POST", "/services", {}),
            ("PUT", f"/services/{made['id']}", {"headers": {"If-Match": '"1"'}}),
        ):
            problem = await asked.admin.refused(422, method, path, json={"name": " "}, **more)
            assert problem["detail"] == "name: must not be blank."


async def test_what_was_sent_is_not_repeated(database: str) -> None:
    """A value at the wrong place may be a secret."""
    async with api(database) as asked:
        document = {
            "name": 7,
            "email": ["verysecret"],
            "contact_methods": [{"kind": "webhook", "address": "verysecret"}],
        }
        problem = await asked.admin.refused(422, "POST", "/people", json=document)
        assert "verysecret" not in str(problem)


async def test_a_thousand_faults_are_a_short_answer(database: str) -> None:
    async with api(database) as asked:
        members = [{"person_id": [], "role": "king"}] * 500
        answer = await asked.admin.ask("POST", "/teams", json={"name": "x", "members": members})
        assert answer.status_code == 422
        assert len(answer.content) < 20_000


async def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_size(database: str) -> None:
    async with api(database) as asked:

        async def chunks() -> Any:
            for _ in range(40):
                yield b" " * 65_536

        for content in (b" " * 2_000_000, chunks()):
            problem = await asked.admin.refused(413, "POST", "/teams", content=content, headers=JSON)
            assert problem["code"] == "too_large"
        await asked.admin.create("teams", {"name": "SRE"})


async def test_an_id_that_can_not_be_one_is_refused(database: str) -> None:
    async with api(database) as asked:
        for path in [
            "/people/x",
            "/people/0",
            "/people/-1",
            "/people/99999999999999999999",
            "/people/1e3",
            "/incidents/0",
            "/incidents/x",
        ]:
            problem = await asked.reader.refused(422, "GET", path)
            assert problem["errors"][0]["in"] == "path"


async def test_what_is_not_there_is_not_found(database: str) -> None:
    async with api(database) as asked:
        for path in ["/people/7", "/people/8999999999999999999", "/incidents/9007199254740991", "/people/7/history"]:
            await asked.reader.refused(404, "GET", path)


async def test_a_path_that_is_no_route_is_a_problem_and_never_a_redirect(database: str) -> None:
    async with api(database) as asked:
        for path in ["/nothing", "/people/", "/people//", "/People", "/people/7/", "/../people", ""]:
            assert (await asked.reader.refused(404, "GET", path))["code"] == "no_such_path"


async def test_a_browser_that_is_lost_gets_a_page_and_programs_what_they_know(database: str) -> None:
    async with api(database) as asked:
        get = asked.story.web.get
        browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": "de"}
        pages = [await get(path, headers=browser) for path in ("/nothing", "/login", "/r/x/y/z", "/docs", "/v2")]
        assert {(page.status_code, page.headers["content-type"]) for page in pages} == {
            (404, "text/html; charset=utf-8")
        }
        assert len({page.text for page in pages}) == 1
        assert "Nothing is at this address" in pages[0].text
        assert (await get("/nothing", headers={"accept": "*/*"})).status_code == 401
        assert (await get("/nothing", headers={**browser, "authorization": "Bearer tocsin_x"})).status_code == 401
        for path in ("/v1", "/v1/people", "/v1/nothing"):
            answer = await get(path, headers=browser)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_method_a_path_does_not_take_is_refused_with_those_it_takes(database: str) -> None:
    async with api(database) as asked:
        answer = await asked.admin.ask("PATCH", "/people")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, POST"
        answer = await asked.admin.ask("POST", "/people/7")
        assert answer.headers["allow"] == "DELETE, GET, PUT"


async def test_an_idempotency_key_is_printable_and_short(database: str) -> None:
    async with api(database) as asked:
        for key in ["", "x" * 201, "caf\xe9", "a b"]:
            headers = {"idempotency-key": key.encode("latin-1")}
            problem = await asked.admin.refused(422, "POST", "/teams", json={"name": "SRE"}, headers=headers)
            assert [(one["in"], one["field"]) for one in problem["errors"]] == [("header", "idempotency-key")]


async def test_hostile_text_is_stored_and_given_back_as_it_is(database: str) -> None:
    async with api(database) as asked:
        name = "<script>alert('x')</script> {{7*7}} %s ${x} '; DROP TABLE resources; -- \u202e\U0001f525"
        made = await asked.admin.create("teams", {"name": name})
        answer = await asked.admin.ask("GET", f"/teams/{made['id']}")
        assert answer.json()["name"] == name
        assert answer.headers["content-type"] == "application/json"


async def test_a_database_in_trouble_is_503_and_asks_to_come_again(database: str) -> None:
    async with api(database) as asked:
        await asked.story.store.write(_run, "ALTER TABLE revisions RENAME TO gone")
        answer = await asked.admin.ask("POST", "/teams", json={"name": "SRE"})
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        assert answer.headers["retry-after"] == "5"
        await asked.story.store.write(_run, "ALTER TABLE gone RENAME TO revisions")
        await asked.admin.create("teams", {"name": "SRE"})


async def test_a_gate_that_can_not_ask_the_database_is_503_and_lets_nobody_in(database: str) -> None:
    async with api(database) as asked:
        await asked.story.store.write(_run, "ALTER TABLE api_keys RENAME TO gone")
        await asked.admin.refused(503, "GET", "/teams")
        await asked.story.store.write(_run, "ALTER TABLE gone RENAME TO api_keys")


async def test_a_fault_of_ours_is_500_with_an_id_that_the_log_has_and_nothing_else(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("people", {"name": "Ana"})
        await asked.story.store.write(_break, int(made["id"]))
        answer = await asked.story.web.get(
            f"/v1/people/{made['id']}", headers={"authorization": f"Bearer {asked.reader.key}"}
        )
        assert answer.status_code == 500
        assert answer.json()["code"] == "fault"
        assert "verysecret" not in answer.text
        (error,) = asked.story.errors
        assert error["error_id"] in answer.json()["detail"]
        assert (error["event"], error["route"]) == ("request_failed", "/v1/people/{item_id}")
        asked.story.errors.clear()
        await asked.reader.get("/teams")


async def _run(tx: Any, statement: str) -> None:
    await tx.conn.execute(text(statement))


async def _break(tx: Any, person_id: int) -> None:
    """A document that no code of ours ever wrote."""
    broken = orjson.loads('{"name": "Ana", "contact_methods": ["verysecret"]}')
    await tx.conn.execute(update(resources).where(resources.c.id == person_id).values(document=broken))
