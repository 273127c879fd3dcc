"""Who may use the API: keys, roles, and nothing at all for strangers."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import WebSocket

from app.api.app import build
from tests.harness.api_world import api


async def test_without_a_valid_key_every_answer_is_the_same(database: str) -> None:
    async with api(database) as asked:
        for headers in [
            {},
            {"authorization": ""},
            {"authorization": "Bearer"},
            {"authorization": "Bearer "},
            {"authorization": "Bearer tocsin_wrong"},
            {"authorization": "Basic dG9jc2luOng="},
            {"authorization": "Bearer " + "k" * 100_000},
            {"authorization": "Bearer caf\xe9"},
            {"x-api-key": "tocsin_wrong"},
        ]:
            encoded = {name: value.encode("latin-1") for name, value in headers.items()}
            for method, path in (
                ("GET", "/v1/people"),
                ("POST", "/v1/people"),
                ("GET", "/v1/nothing"),
                ("GET", "/nothing"),
            ):
                answer = await asked.story.web.request(method, path, headers=encoded)
                assert answer.status_code == 401
                assert answer.json()["code"] == "unauthorized"
                assert answer.headers["www-authenticate"] == 'Bearer realm="tocsin"'
                assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_is_shown_once_stored_as_a_digest_and_works_at_once(database: str) -> None:
    async with api(database) as asked:
        answer = await asked.admin.ask("POST", "/keys", json={"name": "deploy-bot", "role": "responder"})
        assert answer.headers["cache-control"] == "no-store"
        made = answer.json()
        secret = made["key"]
        assert secret.startswith("tocsin_")
        assert len(secret) >= len("tocsin_") + 43
        assert made["hint"] == secret[-4:]
        incident = await asked.stranger(secret).create("incidents", {"title": "slow"})
        rows = await asked.story.rows("SELECT digest FROM api_keys WHERE name = 'deploy-bot'")
        assert bytes(rows[0].digest) == hashlib.sha256(secret.encode()).digest()
        listed = await asked.admin.ask("GET", "/keys")
        assert secret not in listed.text
        assert [key["name"] for key in listed.json()["items"]][-1] == "deploy-bot"
        timeline = await asked.reader.get(f"/incidents/{incident['number']}/timeline")
        assert timeline["items"][0]["actor"] == "api key deploy-bot"


async def test_a_revoked_key_opens_nothing_a_second_later_and_its_name_is_free(database: str) -> None:
    async with api(database) as asked:
        document = {"name": "bot", "role": "read-only"}
        made = await asked.admin.create("keys", document)
        bot = asked.stranger(made["key"])
        await bot.get("/teams")
        assert (await asked.admin.refused(409, "POST", "/keys", json=document))["code"] == "name_taken"
        revoked = await asked.admin.done(200, "DELETE", f"/keys/{made['id']}")
        assert revoked["revoked_at"] is not None
        await asked.story.passes(seconds=1)
        await bot.refused(401, "GET", "/teams")
        again = await asked.admin.done(200, "DELETE", f"/keys/{made['id']}")
        assert again["revoked_at"] == revoked["revoked_at"]
        await asked.admin.create("keys", document)
        await asked.admin.refused(404, "DELETE", "/keys/7")


async def test_a_key_that_was_never_used_is_refused_at_once_when_revoked(database: str) -> None:
    async with api(database) as asked:
        made = await asked.admin.create("keys", {"name": "bot", "role": "read-only"})
        await asked.admin.done(200, "DELETE", f"/keys/{made['id']}")
        await asked.stranger(made["key"]).refused(401, "GET", "/teams")


async def test_a_repeated_create_of_a_key_does_not_show_its_secret_again(database: str) -> None:
    """The secret is stored nowhere, not even to answer a repeat."""
    async with api(database) as asked:
        again = {"headers": {"idempotency-key": "k-1"}, "json": {"name": "bot", "role": "read-only"}}
        first = await asked.admin.done(201, "POST", "/keys", **again)
        second = await asked.admin.done(201, "POST", "/keys", **again)
        assert second == {**first, "key": "***"}
        rows = await asked.story.rows("SELECT body FROM idempotency")
        assert first["key"] not in rows[0].body


async def test_what_a_role_may_not_do_is_refused_and_the_role_that_may_is_named(database: str) -> None:
    async with api(database) as asked:
        problem = await asked.reader.refused(403, "POST", "/incidents", json={"title": "slow"})
        assert problem["code"] == "role_too_low"
        assert "responder" in problem["detail"]
        problem = await asked.responder.refused(403, "POST", "/teams", json={"name": "SRE"})
        assert "admin" in problem["detail"]
        await asked.responder.refused(403, "GET", "/keys")
        await asked.responder.get("/teams")


async def test_the_gate_stands_before_the_body_is_read(database: str) -> None:
    """A stranger learns nothing of what a route expects, and makes nobody parse anything."""
    async with api(database) as asked:
        for content in (b"not json", b"x" * 3_000_000):
            await asked.stranger().refused(401, "POST", "/people", content=content)
            await asked.reader.refused(403, "POST", "/people", content=content)


async def test_health_and_links_need_no_key(database: str) -> None:
    async with api(database) as asked:
        for path in ("/livez", "/readyz", "/metrics", "/"):
            answer = await asked.story.web.get(path)
            assert answer.status_code != 401, path
        assert (await asked.story.web.get("/a/forged")).status_code == 404
        assert (await asked.story.web.get("/t/forged")).status_code == 404


async def test_a_websocket_is_closed_before_anything_sees_it(database: str) -> None:
    """Nothing is served that way, and what would be could not pass without a key."""
    async with api(database) as asked:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        application = build(asked.story.world, asked.story.process)
        application.router.add_api_websocket_route("/v1/new", _never)
        scope = {"type": "websocket", "path": "/v1/new", "headers": [], "query_string": b"", "subprotocols": []}
        await application(scope, receive, send)
        assert sent == [{"type": "websocket.close", "code": 1008}]


async def _never(websocket: WebSocket) -> None:
    await websocket.accept()
