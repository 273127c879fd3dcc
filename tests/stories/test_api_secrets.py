"""Addresses of people and channels by the API: checked when saved, their secrets never shown, kept when sent back hidden."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import update

from app.store.tables import resources
from tests.harness.api_world import Asked, api

URL = "https://hooks.example.com/services/T0/B0/verysecret"
PHONE = {"kind": "webhook", "label": "phone", "address": {"url": URL, "authorization": "Bearer verysecret"}}


async def stored(asked: Asked) -> dict[str, Any]:
    """The document of the only person or channel as it lies in the database."""
    rows = await asked.story.rows("SELECT document FROM resources WHERE kind IN ('person', 'channel')")
    assert len(rows) == 1
    return dict(orjson.loads(rows[0].document))


async def test_secrets_are_stored_and_never_shown(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("people", {"name": "Ana", "contact_methods": [PHONE]})
        item = f"/people/{made['id']}"
        answers = [await asked.admin.ask("GET", path) for path in ("/people", item, f"{item}/history")]
        assert made["contact_methods"][0]["address"] == {
            "url": "***",
            "secret": None,
            "authorization": "***",
            "receipts": False,
        }
        assert all("verysecret" not in answer.text for answer in answers)
        assert (await stored(asked))["contact_methods"][0]["address"]["url"] == URL


async def test_the_topic_of_a_public_server_is_a_secret(database: str) -> None:
    """Whoever knows it reads the pages, with the links that acknowledge them: it is not for keys that may only read."""
    async with api(database) as asked:
        push = {"kind": "ntfy", "address": {"topic": "verysecret"}}
        made = await asked.admin.create("people", {"name": "Ana", "contact_methods": [push]})
        assert made["contact_methods"][0]["address"] == {"server": "https://ntfy.sh", "topic": "***", "token": None}
        methods = [{**made["contact_methods"][0], "label": "phone"}]
        await asked.admin.done(
            200, "PUT", f"/people/{made['id']}", version=1, json={"name": "Ana", "contact_methods": methods}
        )
        assert (await stored(asked))["contact_methods"][0]["address"]["topic"] == "verysecret"


async def test_a_secret_sent_back_hidden_stays_what_it_was(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("people", {"name": "Ana", "contact_methods": [PHONE]})
        methods = [{**made["contact_methods"][0], "label": "work phone"}]
        document = {"name": "Ana", "contact_methods": methods}
        changed = await asked.admin.done(200, "PUT", f"/people/{made['id']}", version=1, json=document)
        assert changed["contact_methods"][0]["label"] == "work phone"
        address = (await stored(asked))["contact_methods"][0]["address"]
        assert address == {"url": URL, "secret": None, "authorization": "Bearer verysecret", "receipts": False}


async def test_a_stored_secret_never_follows_to_another_address(database: str) -> None:
    """Who may edit an address must not be able to have its stored secret sent to a place of their own."""
    async with api(database) as asked:
        made = await asked.admin.create("people", {"name": "Ana", "contact_methods": [PHONE]})
        method = made["contact_methods"][0]
        for address in (
            {"url": "https://evil.example.com/", "authorization": "***"},
            {"url": "***", "authorization": "***", "secret": "new"},
            {"url": "***"},
        ):
            document = {"name": "Ana", "contact_methods": [{**method, "address": address}]}
            problem = await asked.admin.refused(422, "PUT", f"/people/{made['id']}", version=1, json=document)
            assert problem["errors"][0]["field"].startswith("contact_methods.0.address.")


async def test_a_stored_secret_never_follows_to_another_kind(database: str) -> None:
    async with api(database) as asked:
        slack = {"kind": "slack", "address": {"url": URL}}
        made = await asked.admin.create("people", {"name": "Ana", "contact_methods": [slack]})
        moved = {**made["contact_methods"][0], "kind": "webhook"}
        document = {"name": "Ana", "contact_methods": [moved]}
        await asked.admin.refused(422, "PUT", f"/people/{made['id']}", version=1, json=document)
        room = await asked.admin.create("channels", {"name": "room", **slack})
        document = {"name": "room", "kind": "webhook", "address": {"url": "***"}}
        await asked.admin.refused(422, "PUT", f"/channels/{room['id']}", version=1, json=document)


async def test_a_hidden_secret_where_none_is_stored_is_refused(database: str) -> None:
    async with api(database) as asked:
        hidden = {**PHONE, "address": {"url": "***"}}
        problem = await asked.admin.refused(422, "POST", "/people", json={"name": "Ana", "contact_methods": [hidden]})
        assert [one["field"] for one in problem["errors"]] == ["contact_methods.0.address.url"]


async def test_an_address_its_notifier_would_not_take_is_refused_by_field_and_never_repeated(database: str) -> None:
    async with api(database) as asked:
        for method, field in (
            ({"kind": "webhook", "address": {"url": "ftp://verysecret"}}, "contact_methods.0.address.url"),
            ({"kind": "webhook", "address": {"url": URL, "colour": "verysecret"}}, "contact_methods.0.address.colour"),
            ({"kind": "pigeon", "address": {}}, "contact_methods.0.kind"),
        ):
            problem = await asked.admin.refused(
                422, "POST", "/people", json={"name": "Ana", "contact_methods": [method]}
            )
            assert [one["field"] for one in problem["errors"]] == [field]
            assert "verysecret" not in str(problem)


async def test_contact_methods_get_an_id_and_keep_it(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("people", {"name": "Ana", "contact_methods": [PHONE, {"kind": "console"}]})
        ids = [method["id"] for method in made["contact_methods"]]
        assert all(ids)
        assert len(set(ids)) == 2
        document = {"name": "Ana", "contact_methods": [*made["contact_methods"], {"kind": "console"}]}
        changed = await asked.admin.done(200, "PUT", f"/people/{made['id']}", version=1, json=document)
        assert [method["id"] for method in changed["contact_methods"]][:2] == ids
        twice = {"name": "Ana", "contact_methods": [changed["contact_methods"][0]] * 2}
        await asked.admin.refused(422, "PUT", f"/people/{made['id']}", version=2, json=twice)


async def test_a_channels_secret_is_treated_alike(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("channels", {"name": "room", "kind": "slack", "address": {"url": URL}})
        assert made["address"] == {"url": "***"}
        document = {"name": "war room", "kind": "slack", "address": {"url": "***"}}
        await asked.admin.done(200, "PUT", f"/channels/{made['id']}", version=1, json=document)
        assert (await stored(asked))["address"] == {"url": URL}


async def test_a_kind_that_is_no_longer_installed_shows_nothing_of_its_address(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("channels", {"name": "room", "kind": "slack", "address": {"url": URL}})
        changed = {"name": "room", "kind": "gone", "address": {"token": "verysecret", "room": "verysecret"}}
        await asked.story.store.write(_store_document, int(made["id"]), changed)
        assert (await asked.reader.get(f"/channels/{made['id']}"))["address"] == {"token": "***", "room": "***"}


async def _store_document(tx: Any, resource_id: int, document: dict[str, Any]) -> None:
    await tx.conn.execute(update(resources).where(resources.c.id == resource_id).values(document=document))
