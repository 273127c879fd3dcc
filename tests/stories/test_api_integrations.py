"""Integrations by the API: settings checked, keys shown once and rotated without losing an alert, unreadable messages seen."""

from __future__ import annotations

from typing import Any

from tests.harness.api_world import Asked, api

ALERT = {"title": "disk full", "status": "firing", "key": "disk"}


async def sends(asked: Asked, url: str, **how: Any) -> int:
    """The status a sender gets at the address it was given."""
    assert url.startswith("http://tocsin.test/v1/in/")
    answer = await asked.story.web.post(url, **(how or {"json": ALERT}))
    await asked.story.settled()
    return answer.status_code


async def test_a_new_integration_answers_an_address_that_works_and_is_shown_once(database: str) -> None:
    async with api(database) as asked:
        document = {"name": "scripts", "kind": "generic", "settings": {"expire_after_s": 3600}}
        made = await asked.admin.create("integrations", document, headers={"idempotency-key": "i-1"})
        assert made["url"].endswith(f"/v1/in/generic/{made['key']}")
        assert await sends(asked, made["url"]) == 202
        again = await asked.admin.create("integrations", document, headers={"idempotency-key": "i-1"})
        assert again == {**made, "key": "***", "url": "***", "guide": "***"}
        read = await asked.admin.ask("GET", f"/integrations/{made['id']}")
        keys = await asked.admin.ask("GET", f"/integrations/{made['id']}/keys")
        rows = await asked.story.rows("SELECT body FROM idempotency")
        assert not any(made["key"] in text for text in (read.text, keys.text, rows[0].body))
        assert [key["hint"] for key in keys.json()["items"]] == [made["key"][-4:]]


async def test_after_a_rotation_both_keys_work_until_the_grace_is_over(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("integrations", {"name": "scripts", "kind": "generic"})
        keys = f"/integrations/{made['id']}/keys"
        new = await asked.admin.post(f"/integrations/{made['id']}/rotate-key", {"grace_s": 600}, status=201)
        assert [await sends(asked, url) for url in (made["url"], new["url"])] == [202, 202]
        assert [key["expires_at"] for key in (await asked.reader.get(keys))["items"]].count(None) == 1
        await asked.story.passes(minutes=10)
        assert [await sends(asked, url) for url in (made["url"], new["url"])] == [401, 202]
        last = await asked.admin.post(f"/integrations/{made['id']}/rotate-key", {"grace_s": 0}, status=201)
        assert [await sends(asked, one["url"]) for one in (made, new, last)] == [401, 401, 202]
        await asked.story.passes(minutes=1)
        await asked.admin.post(f"/integrations/{made['id']}/rotate-key", status=201)
        assert len((await asked.reader.get(keys))["items"]) == 2


async def test_a_rotation_never_lengthens_the_life_of_a_key_that_is_about_to_end(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("integrations", {"name": "scripts", "kind": "generic"})
        for grace_s in (60, 86_400):
            await asked.admin.post(f"/integrations/{made['id']}/rotate-key", {"grace_s": grace_s}, status=201)
        await asked.story.passes(minutes=2)
        assert await sends(asked, made["url"]) == 401


async def test_a_deleted_integration_takes_nothing(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("integrations", {"name": "scripts", "kind": "generic"})
        await asked.admin.done(204, "DELETE", f"/integrations/{made['id']}", version=1)
        assert await sends(asked, made["url"]) == 401
        for path in ("keys", "unparsed"):
            await asked.admin.refused(404, "GET", f"/integrations/{made['id']}/{path}")
        await asked.admin.refused(404, "POST", f"/integrations/{made['id']}/rotate-key")


async def test_what_a_deleted_integration_brought_keeps_its_name(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("integrations", {"name": "scripts", "kind": "generic"})
        assert await sends(asked, made["url"]) == 202
        await asked.admin.done(204, "DELETE", f"/integrations/{made['id']}", version=1)
        assert (await asked.reader.get("/incidents/1/timeline"))["items"][0]["actor"] == "scripts"


async def test_settings_its_source_does_not_know_are_refused_by_field(database: str) -> None:
    async with api(database) as asked:
        for document, field in [
            ({"kind": "carrier-pigeon"}, "kind"),
            ({"kind": "generic", "settings": {"expire_after_s": 1}}, "settings.expire_after_s"),
            ({"kind": "generic", "settings": {"colour": "red"}}, "settings.colour"),
        ]:
            problem = await asked.admin.refused(422, "POST", "/integrations", json={"name": "x", **document})
            assert [one["field"] for one in problem["errors"]] == [field]


async def test_an_integration_keeps_its_kind(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("integrations", {"name": "x", "kind": "generic"})
        other = {"name": "x", "kind": "zabbix"}
        problem = await asked.admin.refused(409, "PUT", f"/integrations/{made['id']}", version=1, json=other)
        assert problem["code"] == "kind_fixed"


async def test_a_message_nobody_could_read_is_seen_as_text_with_its_reason(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("integrations", {"name": "prometheus", "kind": "alertmanager"})
        for body in (b"<b>not json</b> \xff\x00", b"[1, 2"):
            assert await sends(asked, made["url"], content=body, headers={"content-type": "text/plain"}) == 400
        path = f"/integrations/{made['id']}/unparsed"
        newest = await asked.reader.get(path, params={"limit": 1})
        assert newest["items"][0]["body"] == "[1, 2"
        older = await asked.reader.get(path, params={"limit": 1, "cursor": newest["next_cursor"]})
        (item,) = older["items"]
        assert item["body"] == "<b>not json</b> \ufffd\x00"
        assert (item["content_type"], item["size"], bool(item["reason"])) == ("text/plain", 18, True)
        assert older["next_cursor"] is None


async def test_the_secret_that_a_sender_signs_with_is_never_shown_and_kept_when_sent_back(database: str) -> None:
    async with api(database) as asked:
        document = {"name": "sentry", "kind": "sentry", "settings": {"secret": "hunter2hunter2", "samples": 1}}
        made = await asked.admin.create("integrations", document)
        assert made["settings"] == {"secret": "***", "samples": 1}
        path = f"/integrations/{made['id']}"
        edited = {**document, "settings": {**made["settings"], "samples": 2}}
        assert (await asked.admin.ask("PUT", path, version=1, json=edited)).json()["settings"]["samples"] == 2
        (row,) = await asked.story.rows("SELECT document FROM resources WHERE kind = 'integration'")
        assert "hunter2hunter2" in str(row.document)
        shown = [await asked.reader.ask("GET", where) for where in (path, "/integrations", f"{path}/revisions")]
        assert not any("hunter2" in answer.text for answer in shown)
        problem = await asked.admin.refused(422, "POST", "/integrations", json=edited)
        assert problem["errors"][0]["field"] == "settings.secret"
