"""A running Tocsin with an API key of each role; every answer is held against the OpenAPI document.

    async with api(database) as asked:
        person = await asked.admin.create("people", {"name": "Ana"})
        await asked.reader.get(f"/people/{person['id']}")
        problem = await asked.admin.refused(409, "DELETE", f"/people/{person['id']}", version=1)

An answer whose status or body the document does not tell of fails the test.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jsonschema_rs

from app.api.access import create_key
from app.api.openapi import operations
from app.cli.openapi import document
from tests.harness.town import Town, town


class Contract:
    """The OpenAPI document, asked about one answer after another."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._operations = [
            (method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation)
            for method, path, operation in operations(document)
        ]
        self._validators: dict[str, Any] = {}

    def check(self, answer: httpx.Response) -> None:
        """Fails when the answer is none of those the document tells of."""
        path, method = answer.request.url.path, answer.request.method
        operation = next((op for known, form, op in self._operations if known == method and form.fullmatch(path)), None)
        if operation is None:
            assert answer.status_code in (401, 404, 405), f"{method} {path} is no operation, and was answered"
            return
        said = operation["responses"].get(str(answer.status_code))
        assert said, f"{method} {path} answered {answer.status_code}, which openapi does not tell: {answer.text}"
        said = self._resolved(said)
        if "content" not in said:
            assert answer.content == b"", answer.text
            return
        ((media_type, content),) = said["content"].items()
        assert answer.headers["content-type"] == media_type
        self._validator(content["schema"]).validate(answer.json())

    def _resolved(self, item: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in item:
            return item
        found: Any = self.document
        for part in item["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found

    def _validator(self, schema: dict[str, Any]) -> Any:
        name = str(schema)
        if name not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(whole)
        return self._validators[name]


@dataclass
class Client:
    """Somebody with a key."""

    web: httpx.AsyncClient
    key: str
    contract: Contract

    async def ask(self, method: str, path: str, *, version: int | None = None, **how: Any) -> httpx.Response:
        """Any request under /v1; `version` becomes If-Match."""
        headers = {"authorization": f"Bearer {self.key}", **how.pop("headers", {})}
        if version is not None:
            headers["if-match"] = f'"{version}"'
        answer = await self.web.request(method, f"/v1{path}", headers=headers, **how)
        self.contract.check(answer)
        return answer

    async def done(self, status: int, method: str, path: str, **how: Any) -> Any:
        """The document of an answer that must have this status."""
        answer = await self.ask(method, path, **how)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def get(self, path: str, **how: Any) -> Any:
        return await self.done(200, "GET", path, **how)

    async def post(self, path: str, json: Any = None, *, status: int = 200, **how: Any) -> Any:
        return await self.done(status, "POST", path, **({"json": json} if json is not None else {}), **how)

    async def create(self, path: str, json: Any, **how: Any) -> Any:
        return await self.post(f"/{path}", json, status=201, **how)

    async def refused(self, status: int, method: str, path: str, **how: Any) -> Any:
        """The problem of a request that must be refused."""
        problem = await self.done(status, method, path, **how)
        assert problem["status"] == status
        assert problem["type"] == f"/problems/{problem['code']}"
        return problem


@dataclass
class Asked:
    """The API of a story."""

    story: Town
    contract: Contract
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def admin(self) -> Client:
        return self.clients["admin"]

    @property
    def responder(self) -> Client:
        return self.clients["responder"]

    @property
    def reader(self) -> Client:
        return self.clients["read-only"]

    def stranger(self, key: str = "tocsin_unknown") -> Client:
        return Client(self.story.web, key, self.contract)

    async def person(self, name: str, **more: Any) -> str:
        """A person without contact methods unless `more` has some; answers the id."""
        return (await self.admin.create("people", {"name": name, **more}))["id"]

    async def service(self, name: str, policy_id: str | None = None, **more: Any) -> str:
        return (await self.admin.create("services", {"name": name, "policy_id": policy_id, **more}))["id"]


CONTRACT = Contract(document())
"""The same for every story."""


@asynccontextmanager
async def api(database_url: str, **settings: Any) -> AsyncIterator[Asked]:
    """A running Tocsin on an empty database, with the keys admin, responder and reader."""
    async with town(database_url, **settings) as story:
        asked = Asked(story, CONTRACT)
        for role in ("admin", "responder", "read-only"):
            _, secret = await story.store.write(create_key, f"{role}-bot", role)
            asked.clients[role] = Client(story.web, secret, asked.contract)
        yield asked
