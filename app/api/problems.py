"""What a caller is told when something can't be done: problem+json (RFC 9457), one sentence that says what to do.

The only place where the HTTP status of a refusal is chosen. The API's own refusals:

    ApiError
    ├── Unauthorized      401  no key, or one that opens nothing
    ├── RoleTooLow        403  the key may not do this
    ├── NotFound          404
    ├── TooLarge          413
    ├── Invalid           422  names each field
    └── VersionMissing    428  an edit without If-Match

What comes from below: Refused is 409 (version_mismatch: 412), NoSuchIncident 404, our own trouble (StoreError,
Overloaded) 503 with Retry-After. Anything else is a fault of ours: 500, answered by edge.py.
Must never know a route, nor repeat a value that was sent: it may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.dedup.committer import Overloaded
from app.incidents.respond import NoSuchIncident
from app.oncall.codec import CLOCK, DATE, INSTANT, PERSON
from app.oncall.schedule import BadField
from app.store.errors import StoreError
from app.store.resources import Refused

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "5"}
MAX_ERRORS = 50
"""More faults of one request are counted, not listed."""

Where = Literal["body", "query", "path", "header"]


class FieldError(BaseModel):
    """One field of the request, and what it must be."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    where: Where = Field(alias="in", description="Which part of the request.")
    field: str = Field(description="Its path: levels.0.targets.0.id. Empty: all of that part.")
    message: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="Names the kind of problem; a reference, not an address to open.")
    title: str
    status: int
    detail: str = Field(description="A sentence for people: what is wrong and what to do.")
    code: str = Field(description="The kind of problem for programs; never renamed.")
    errors: list[FieldError] | None = Field(default=None, description="The fields at fault, when there are any.")


class ApiError(Exception):
    """A request that the API itself refuses."""


class Unauthorized(ApiError):
    """No key, or one that opens nothing."""


class RoleTooLow(ApiError):
    """The key may not do this."""


class NotFound(ApiError):
    """What the path names is not there."""


class TooLarge(ApiError):
    """The body is over the limit."""


class VersionMissing(ApiError):
    """An edit that does not say which version was seen."""


class Invalid(ApiError):
    """Fields whose values can't be taken."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


def invalid(path: str, message: str, where: Where = "body") -> Invalid:
    """One field at fault."""
    return Invalid(FieldError(where=where, field=path, message=message))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A problem with the status and headers it is answered with."""

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The answer."""
        body = Problem(
            type=f"/problems/{self.code}", title=self.title, status=self.status, detail=self.detail, code=self.code
        ).model_dump(exclude_none=True)
        if self.errors:
            body["errors"] = [error.model_dump(by_alias=True) for error in self.errors]
        return Response(orjson.dumps(body), self.status, dict(self.headers), MEDIA_TYPE)


UNAUTHORIZED = Refusal(
    401,
    "unauthorized",
    "A valid API key is needed",
    "Send `Authorization: Bearer KEY` with an API key that was not revoked. An administrator makes one with POST /v1/keys "
    "or `tocsin key create`.",
    headers={"WWW-Authenticate": 'Bearer realm="tocsin"'},
)


def refusal_of(error: Exception) -> Refusal | None:
    """What is answered for `error`; None for one that nobody foresaw."""
    return _of_ours(error) if isinstance(error, ApiError) else _of_below(error)


def _of_ours(error: ApiError) -> Refusal | None:
    match error:
        case Unauthorized():
            return UNAUTHORIZED
        case RoleTooLow():
            return Refusal(403, "role_too_low", "This key may not do that", str(error))
        case NotFound():
            return Refusal(404, "not_found", "Not found", str(error))
        case TooLarge():
            return Refusal(413, "too_large", "The body is too large", f"{error} Send less at a time.")
        case VersionMissing():
            return Refusal(428, "version_missing", "If-Match is needed", str(error))
        case Invalid():
            return _invalid(error.errors)
        case _:
            return None


def _of_below(error: Exception) -> Refusal | None:
    match error:
        case NoSuchIncident():
            return Refusal(404, "not_found", "Not found", f"{error}.")
        case BadField():
            return _invalid([FieldError(where="body", field=error.field, message=error.rule)])
        case RequestValidationError():
            return _invalid([_field_error(fault) for fault in _first(error.errors())][: MAX_ERRORS + 1])
        case Refused():
            status = 412 if error.name == "version_mismatch" else 409
            return Refusal(status, error.name, error.name.replace("_", " ").capitalize(), f"{error}.")
        case StoreError():
            return _later(
                "store_unavailable",
                "The database did not confirm this, so it may be done or not. Try again: with the same Idempotency-Key "
                "nothing is done twice.",
            )
        case Overloaded():
            return _later("busy", "More is waiting than can be written at once. Nothing of this was done; try again.")
        case HTTPException():
            return _of_status(error)
        case _:
            return None


def _later(code: str, detail: str) -> Refusal:
    return Refusal(503, code, "Not now", detail, headers=RETRY_AFTER)


def _invalid(errors: Sequence[FieldError]) -> Refusal:
    said = "; ".join(f"{error.field or error.where}: {error.message.removesuffix('.')}" for error in errors[:3])
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return Refusal(422, "invalid", "The request can't be taken as it is", f"{said}{more}.", errors[:MAX_ERRORS])


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "there is no such field; leave it out",
    "model_attributes_type": "must be a JSON object, sent with Content-Type: application/json",
}
_SHAPES = {
    INSTANT: "must be a time with its offset from UTC, such as 2026-01-05T09:00:00Z",
    DATE: "must be a day, such as 2026-01-05",
    CLOCK: "must be a time of day, such as 09:00",
    PERSON: 'must be an id, digits written as text, such as "8012345678901234"',
    r"\S": "must not be blank",
}
"""What the patterns of fields mean, for whoever does not read patterns."""


def _first(faults: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without the lists that are too short only because something in them is at fault."""
    inside = {tuple(fault["loc"][:depth]) for fault in faults for depth in range(1, len(fault["loc"]))}
    return [fault for fault in faults if fault["type"] != "too_short" or tuple(fault["loc"]) not in inside]


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    where, *path = fault["loc"]
    shape = _SHAPES.get(fault.get("ctx", {}).get("pattern", ""))
    message = _WORDS.get(fault["type"]) or shape or fault["msg"].removeprefix("Value error, ")
    return FieldError(where=where, field=".".join(map(str, path)), message=message)


_STATUSES = {
    400: (
        "unreadable",
        "The request can't be read",
        "The body ended early or is not what its headers say. Send it again.",
    ),
    404: ("no_such_path", "There is nothing at this path", "Check the path; openapi/openapi.json lists all there are."),
    405: ("method_not_allowed", "This path does not take that method", "The Allow header lists what it takes."),
}


def _of_status(error: HTTPException) -> Refusal:
    """What Starlette and FastAPI refuse by themselves."""
    unknown = (f"http_{error.status_code}", "The request was refused", "The server refused it without saying more.")
    code, title, detail = _STATUSES.get(error.status_code, unknown)
    return Refusal(error.status_code, code, title, detail, headers=dict(error.headers or {}))


def fault(error_id: str) -> Refusal:
    """A fault of ours: `error_id` stands in the log beside what happened."""
    detail = f"This is a fault of Tocsin. Its log tells more under the error id {error_id}."
    return Refusal(500, "fault", "Something went wrong here", detail)


_SAYS = {
    400: "It can't be read.",
    401: "No key, or one that opens nothing.",
    403: "The key's role is too low.",
    404: "Not there.",
    405: "Another method is meant.",
    409: "Not possible as things are; `code` says why.",
    412: "Changed by somebody else since it was read.",
    413: "The body is too large.",
    422: "Fields that can't be taken; `errors` names them.",
    428: "If-Match is missing.",
    503: "Our trouble, which passes: try again after Retry-After seconds.",
}
"""Our own words: those of the standard library change with the Python that runs it."""


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the problems it may be answered with, beside those that every route has."""
    return {status: {"description": _SAYS[status]} for status in statuses}


def reference(status: str) -> dict[str, Any]:
    """How an operation names the problem of a status in the OpenAPI document."""
    return {"$ref": f"#/components/responses/Problem{status.capitalize()}"}


def components() -> dict[str, dict[str, Any]]:
    """What `reference` points at, for the OpenAPI document."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    said = {**{str(status): says for status, says in _SAYS.items()}, "default": "Anything else that went wrong."}
    return {
        "schemas": {**schema.pop("$defs"), "Problem": schema},
        "responses": {
            f"Problem{status.capitalize()}": {"description": says, "content": content} for status, says in said.items()
        },
    }


def joined(names: Iterable[str], most: int = 5) -> str:
    """Names for a sentence: the first few, and how many more."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
