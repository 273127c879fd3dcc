"""The pure rules of the API: who may do what, how a body is read, what points at what, which problem is answered."""

from __future__ import annotations

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.access import ROLES, Role, allows, needed_role
from app.api.body import document_of
from app.api.parameters import cursor_of, position, seen_version
from app.api.problems import Invalid, NotFound, RoleTooLow, Unauthorized, VersionMissing, refusal_of
from app.api.references import USERS, Reference, references
from app.dedup.committer import Overloaded
from app.incidents.respond import NoSuchIncident
from app.store.errors import Conflict, Unavailable
from app.store.resources import Refused


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/livez", None),
        ("GET", "/a/token", None),
        ("POST", "/a/token", None),
        ("GET", "/t/token", None),
        ("GET", "/c/token.ics", None),
        ("POST", "/v1/schedules/{item_id}/calendar-link", "responder"),
        ("GET", "/v1/schedules/{item_id}/calendar-link", "read-only"),
        ("DELETE", "/v1/people/{item_id}/calendar-link", "responder"),
        ("POST", "/v1/calendars", "admin"),
        ("POST", "/v1/calendars/{item_id}/refresh", "responder"),
        ("POST", "/t/token", None),
        ("POST", "/v1/people/{item_id}/contact-methods/{method_id}/code", "responder"),
        ("POST", "/v1/people/{item_id}/contact-methods/{method_id}/verify", "responder"),
        ("POST", "/v1/schedules/{item_id}/drill", "responder"),
        ("POST", "/v1/schedules/{item_id}/preview", "responder"),
        ("POST", "/v1/schedules/preview", "responder"),
        ("GET", "/", None),
        ("GET", "/v1/people", "read-only"),
        ("HEAD", "/v1/people", "read-only"),
        ("POST", "/v1/people", "admin"),
        ("PUT", "/v1/people/{item_id}", "admin"),
        ("GET", "/v1/incidents/{number}", "read-only"),
        ("POST", "/v1/incidents", "responder"),
        ("POST", "/v1/incidents/{number}/acknowledge", "responder"),
        ("DELETE", "/v1/incidents/{number}", "admin"),
        ("POST", "/v1/incidentsandmore", "admin"),
        ("POST", "/v1/schedules", "admin"),
        ("POST", "/v1/schedules/{item_id}/overrides", "responder"),
        ("DELETE", "/v1/schedules/{item_id}/overrides/{override_id}", "responder"),
        ("POST", "/v1/services/{item_id}/overrides", "admin"),
        ("POST", "/v1/schedules/{item_id}/swaps", "responder"),
        ("POST", "/v1/schedules/{item_id}/take-over", "responder"),
        ("POST", "/v1/swaps/{item_id}/accept", "responder"),
        ("POST", "/v1/swaps/{item_id}/decline", "responder"),
        ("POST", "/v1/swaps/{item_id}/withdraw", "responder"),
        ("GET", "/v1/swaps/{item_id}", "read-only"),
        ("DELETE", "/v1/swaps/{item_id}", "admin"),
        ("POST", "/v1/swapsandmore", "admin"),
        ("POST", "/v1/people/{item_id}/absences", "responder"),
        ("DELETE", "/v1/people/{item_id}/absences/{absence_id}", "responder"),
        ("GET", "/v1/people/{item_id}/absences", "read-only"),
        ("POST", "/v1/people/{item_id}", "admin"),
        ("POST", "/v1/people/{item_id}/overrides", "admin"),
        ("POST", "/v1/schedules/{item_id}/absences", "admin"),
        ("GET", "/v1/keys", "admin"),
        ("GET", "/v1/keys/{item_id}", "admin"),
        ("GET", "/anything/new", "read-only"),
        ("POST", "/anything/new", "admin"),
        ("OPTIONS", "/v1/people", "admin"),
        ("GET", "/livez/more", "read-only"),
        ("POST", "/V1/incidents", "admin"),
    ],
)
def test_each_request_needs_a_role_and_what_nobody_thought_of_needs_the_highest(
    method: str, path: str, role: Role | None
) -> None:
    assert needed_role(method, path) == role


def test_each_role_may_what_those_before_it_may() -> None:
    assert [[allows(has, needs) for needs in ROLES] for has in ROLES] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("item_id", [1, 7, 2**31, 2**53 + 1, 2**63 - 1])
def test_a_cursor_says_its_id_back(item_id: int) -> None:
    assert position(cursor_of(item_id), 0) == item_id


@pytest.mark.parametrize("cursor", ["", "1", "AAAAAAAAAA", "__________8", "AAAAAAAAAAA=", "\u00e9" * 11])
def test_a_text_that_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        position(cursor, 0)


@pytest.mark.parametrize("text", ["", "3", '"0"', '"-1"', 'W/"3"', "*", '"3", "4"', '"99999999999"'])
def test_only_one_strong_etag_names_a_version(text: str) -> None:
    with pytest.raises(Refused):
        seen_version(text)
    assert seen_version(' "3" ') == 3


def test_a_document_is_read_as_it_is_and_no_body_is_none() -> None:
    assert document_of(b"") is None
    assert document_of('{"a": ["\u00e9\\n\\t"]}'.encode()) == {"a": ["\u00e9\n\t"]}


def test_ten_faults_of_text_are_enough() -> None:
    with pytest.raises(Invalid) as caught:
        document_of(b'["' + b'\\u0000","' * 100 + b'"]')
    assert len(caught.value.errors) == 10


def test_every_reference_of_a_document_is_found() -> None:
    levels = [{"targets": [{"kind": "person", "id": "1"}, {"kind": "team", "id": "2"}]}]
    assert list(references("policy", {"levels": levels})) == [
        Reference("levels.0.targets.0.id", "person", "1"),
        Reference("levels.0.targets.1.id", "team", "2"),
    ]
    assert list(references("service", {"team_id": None, "policy_id": "3"})) == [Reference("policy_id", "policy", "3")]
    assert list(references("person", {"name": "Ana"})) == []
    assert list(references("calendar", {"people": {"AK": "4"}, "person_id": "5"})) == [
        Reference("person_id", "person", "5"),
        Reference("people.AK", "person", "4"),
    ]


def test_whoever_can_point_at_a_kind_is_asked_before_one_is_deleted() -> None:
    """The two tables of references.py say the same."""
    pointed = {
        ("team", "person"),
        ("schedule", "person"),
        ("service", "team"),
        ("service", "policy"),
        ("integration", "service"),
        ("heartbeat", "service"),
        ("rule", "service"),
        ("rule", "table"),
        ("calendar", "person"),
        ("schedule", "calendar"),
        ("schedule", "team"),
        ("team", "channel"),
        *(("policy", kind) for kind in ("person", "schedule", "team", "channel")),
    }
    assert {(user, kind) for kind, users in USERS.items() for user in users} == pointed


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unauthorized(), 401, "unauthorized"),
        (RoleTooLow("no"), 403, "role_too_low"),
        (NotFound("no"), 404, "not_found"),
        (NoSuchIncident("no"), 404, "not_found"),
        (VersionMissing("no"), 428, "version_missing"),
        (Refused("version_mismatch", "no"), 412, "version_mismatch"),
        (Refused("in_use", "no"), 409, "in_use"),
        (RequestValidationError([]), 422, "invalid"),
        (Unavailable("no"), 503, "store_unavailable"),
        (Conflict("no"), 503, "store_unavailable"),
        (Overloaded(), 503, "busy"),
        (HTTPException(404), 404, "no_such_path"),
        (HTTPException(405), 405, "method_not_allowed"),
        (HTTPException(400), 400, "unreadable"),
        (HTTPException(418), 418, "http_418"),
    ],
)
def test_each_error_has_its_status_and_name(error: Exception, status: int, code: str) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (status, code)
    assert refusal.detail
    assert ("Retry-After" in refusal.headers) == (status == 503)


def test_an_error_nobody_foresaw_is_nobodys() -> None:
    assert refusal_of(KeyError("secret")) is None
