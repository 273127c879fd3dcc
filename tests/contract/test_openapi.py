"""The OpenAPI document: what is committed is what the code says, each operation says all, and no route forgets the gate."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.access import ROLES, needed_role
from app.api.openapi import operations
from app.cli.openapi import document
from tests.harness.api_world import CONTRACT, api

COMMITTED = Path(__file__).parents[2] / "openapi" / "openapi.json"
DOCUMENT = CONTRACT.document
OPERATIONS = sorted((method, path) for method, path, _ in operations(DOCUMENT))
UNDER_V1 = [(method, path) for method, path in OPERATIONS if path.startswith("/v1/") and not path.startswith("/v1/in/")]
"""What needs an API key; senders have keys of their own."""

_MATRIX = {
    "responder": {
        ("POST", "/v1/incidents"),
        *(
            ("POST", f"/v1/incidents/{{number}}/{act}")
            for act in (
                "acknowledge",
                "snooze",
                "escalate",
                "resolve",
                "reopen",
                "close",
                "notes",
                "reassign",
                "responders",
                "merge",
                "split",
                "pin",
                "unpin",
            )
        ),
        ("POST", "/v1/incidents/{number}/responders/{item_id}/reply"),
        ("POST", "/v1/dry-run"),
        ("POST", "/v1/silences"),
        ("PUT", "/v1/silences/{item_id}"),
        ("DELETE", "/v1/silences/{item_id}"),
        ("POST", "/v1/silences/{item_id}/end"),
        ("POST", "/v1/silences/preview"),
        ("POST", "/v1/schedules/{item_id}/overrides"),
        ("DELETE", "/v1/schedules/{item_id}/overrides/{override_id}"),
        ("POST", "/v1/schedules/{item_id}/take-over"),
        ("POST", "/v1/schedules/{item_id}/swaps"),
        *(("POST", f"/v1/swaps/{{item_id}}/{act}") for act in ("accept", "decline", "withdraw")),
        ("POST", "/v1/people/{item_id}/absences"),
        ("DELETE", "/v1/people/{item_id}/absences/{absence_id}"),
        ("POST", "/v1/schedules/{item_id}/drill"),
        ("POST", "/v1/schedules/{item_id}/preview"),
        ("POST", "/v1/schedules/preview"),
        *(
            (method, f"/v1/{path}/{{item_id}}/calendar-link")
            for method in ("POST", "DELETE")
            for path in ("schedules", "people")
        ),
        ("POST", "/v1/calendars/{item_id}/refresh"),
        ("POST", "/v1/integrations/{item_id}/test"),
        ("POST", "/v1/senders/{kind}/try"),
        ("POST", "/v1/people/{item_id}/contact-methods/{method_id}/code"),
        ("POST", "/v1/people/{item_id}/contact-methods/{method_id}/verify"),
        ("POST", "/v1/people/{item_id}/contact-methods/{method_id}/test"),
    },
    "admin": {("GET", "/v1/keys")},
}
"""Which operations need more than their method says; kept here by hand, so that a slip of the rule is seen."""


def expected_role(method: str, path: str) -> str:
    for role, those in _MATRIX.items():
        if (method, path) in those:
            return role
    return "read-only" if method == "GET" else "admin"


def test_the_committed_document_is_what_the_code_says() -> None:
    """`tocsin openapi --write` writes it anew."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == DOCUMENT, "run `tocsin openapi --write` and commit"


def test_it_is_made_the_same_each_time() -> None:
    assert json.dumps(document()) == json.dumps(DOCUMENT)


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own() -> None:
    names = []
    for method, path, operation in operations(DOCUMENT):
        assert operation.get("summary"), f"{method} {path}"
        assert operation.get("description"), f"{method} {path}"
        assert operation.get("tags"), f"{method} {path}"
        names.append(operation["operationId"])
    assert len(set(names)) == len(names)


def test_every_operation_tells_its_problems() -> None:
    for method, path, operation in operations(DOCUMENT):
        responses = operation["responses"]
        assert responses["default"] == {"$ref": "#/components/responses/ProblemDefault"}, f"{method} {path}"
        if path.startswith("/v1/in/"):
            assert {"400", "401", "404", "405", "413", "503"} <= set(responses)
        if (method, path) not in UNDER_V1:
            continue
        assert {"401", "403", "422", "503"} <= set(responses), f"{method} {path}"
        assert ("404" in responses) == ("{" in path), f"{method} {path}"
        assert ("413" in responses) == ("requestBody" in operation), f"{method} {path}"
        assert operation["security"] == [{"key": []}], f"{method} {path}"


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    text = json.dumps(DOCUMENT)
    for reference in set(re.findall(r'"#/([^"]+)"', text)):
        found: Any = DOCUMENT
        for part in reference.split("/"):
            found = found[part]
    for name in DOCUMENT["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name


def test_the_document_lists_every_route_under_v1() -> None:
    """Nothing is reachable that the document does not tell of."""
    assert len(UNDER_V1) > 60
    assert {path for _, path in OPERATIONS if not path.startswith("/v1/")} == {"/livez", "/readyz"}


@pytest.mark.parametrize(("method", "path"), UNDER_V1)
def test_each_operation_needs_the_role_it_is_meant_to_need(method: str, path: str) -> None:
    assert needed_role(method, path) == expected_role(method, path)
    assert DOCUMENT["paths"][path][method.lower()]["description"].endswith(
        f"Needs the role {needed_role(method, path)}."
    )


def filled() -> Iterator[tuple[str, str, str]]:
    """(method, template, address) of every operation under /v1."""
    for method, path in UNDER_V1:
        yield method, path, re.sub(r"\{\w+\}", "7", path).removeprefix("/v1")


async def test_every_route_refuses_a_request_without_a_key_or_with_a_wrong_one(database: str) -> None:
    async with api(database) as asked:
        stranger = asked.stranger()
        for method, path, address in filled():
            answers = [await stranger.ask(method, address), await stranger.web.request(method, f"/v1{address}")]
            assert [answer.status_code for answer in answers] == [401, 401], f"{method} {path}"
            assert answers[0].content == answers[1].content


async def test_the_document_is_served_to_whoever_has_a_key(database: str) -> None:
    async with api(database) as asked:
        assert (await asked.stranger().web.get("/v1/openapi.json")).status_code == 401
        headers = {"authorization": f"Bearer {asked.reader.key}"}
        assert (await asked.reader.web.get("/v1/openapi.json", headers=headers)).json() == DOCUMENT


async def test_each_role_gets_through_the_gate_exactly_where_it_may(database: str) -> None:
    """The whole matrix of route and role: 403 where it may not, anything else where it may."""
    async with api(database) as asked:
        for role in ROLES:
            for method, path, address in filled():
                answer = await asked.clients[role].ask(method, address)
                may = ROLES.index(role) >= ROLES.index(expected_role(method, path))
                assert (answer.status_code != 403) == may, f"{role} {method} {path}: {answer.status_code}"
                assert answer.status_code < 500, f"{role} {method} {path}: {answer.text}"
