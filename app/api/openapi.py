"""The OpenAPI 3.1 document of the API, the same on every machine: no setting, no address and no clock goes into it.

FastAPI describes the routes; here is added what it can't know: which key each needs, and that every problem is
problem+json. `tocsin openapi --write` keeps it as openapi/openapi.json. Must never describe what no route does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.access import needed_role
from app.api.problems import components, reference

TITLE = "Tocsin"
DESCRIPTION = """\
Alerts into incidents, incidents to the right person, awake.

Ids are text of digits. Instants are RFC 3339 in UTC. Lists are answered a page at a time: send `next_cursor` back as
`cursor`. Edits need `If-Match` with the ETag that was read; creates and acts may be repeated with an `Idempotency-Key`.
Errors are problem+json (RFC 9457): programs read `code`, people `detail`. 503 is our trouble and passes: try again after
`Retry-After` seconds.
"""
_METHODS = ("get", "post", "put", "delete", "patch", "head")


def document(app: FastAPI) -> dict[str, Any]:
    """The document of everything `app` serves and shows."""
    # Not the version of the package: it changes with each release, the API's only when the API does.
    found = get_openapi(
        title=TITLE,
        version="1",
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        tags=app.openapi_tags,
        separate_input_output_schemas=False,
    )
    parts = found.setdefault("components", {})
    for group, items in components().items():
        parts.setdefault(group, {}).update(items)
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key (POST /v1/keys)."}
    }
    for method, path, operation in operations(found):
        _complete(method, path, operation)
    found["paths"] |= _ways_in()
    found["paths"] = dict(sorted(found["paths"].items()))
    return found


def _ways_in() -> dict[str, Any]:
    """The way in for senders, which is no route of FastAPI (app/api/ingest.py)."""
    kind = {"name": "kind", "in": "path", "required": True, "schema": {"type": "string"}, "description": "The sender."}
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Its key."}
    body = {
        "required": True,
        "content": {"*/*": {"schema": {}}},
        "description": "What the sender sends, read by content; it may be packed (`Content-Encoding: gzip` or `deflate`).",
    }
    taken = {
        "type": "object",
        "properties": {
            "status": {"enum": ["accepted", "kept"], "description": "kept: stored as it came, not yet understood."},
            "events": {"type": "integer"},
        },
    }
    accepted: dict[str, Any] = {
        "description": "Committed and flushed.",
        "content": {"application/json": {"schema": taken}},
    }
    problems_ = {status: reference(status) for status in ("400", "401", "404", "405", "413", "503", "default")}
    ways = {
        "/v1/in/{kind}/{key}": ("send_events", [kind, key], "The key is in the address."),
        "/v1/in/{kind}": (
            "send_events_with_header",
            [kind],
            "The key is a Bearer token, a Basic password, or X-Tocsin-Key.",
        ),
    }
    signals: dict[str, Any] = {
        "/v1/in/heartbeat/{key}": {
            method: _signal(f"signal_by_{method}", "Say that all is well", said, key)
            for method, said in (
                ("post", "A heartbeat is there. Committed, or a few seconds after one that was."),
                ("get", "The same for what can only GET: it says that all is well, and can say nothing else."),
            )
        },
        "/v1/in/heartbeat/{key}/fail": {
            "post": _signal(
                "signal_failure", "Say that it went wrong", "Tells people at once; the body is shown to them.", key
            )
        },
    }
    senders: dict[str, Any] = {
        path: {
            "post": {
                "tags": ["senders"],
                "summary": "Take a message of a monitoring tool",
                "description": f"{said} A message that can't be read is kept and told to a person, and answered 400.",
                "operationId": name,
                "parameters": parameters,
                "requestBody": body,
                "responses": {"202": accepted, **problems_},
            }
        }
        for path, (name, parameters, said) in ways.items()
    }
    return signals | senders


def _signal(name: str, summary: str, said: str, key: dict[str, Any]) -> dict[str, Any]:
    """One way in for heartbeats (app/api/signals.py)."""
    taken = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
    problems_ = {status: reference(status) for status in ("400", "401", "404", "405", "413", "503", "default")}
    well: dict[str, Any] = {"description": "Taken.", "content": {"application/json": {"schema": taken}}}
    return {
        "tags": ["senders"],
        "summary": summary,
        "description": said,
        "operationId": name,
        "parameters": [key],
        "responses": {"200": well, **problems_},
    }


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of a document."""
    for path, item in found["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield method.upper(), path, operation


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    needs = needed_role(method, path)
    statuses = {status for status in operation["responses"] if needs and status >= "400"} | {"default"}
    if needs is not None:
        operation["security"] = [{"key": []}]
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds the role {needs}.".strip()
        statuses |= {"401", "403", "422", "503"}
    responses = operation["responses"] | {status: reference(status) for status in statuses}
    operation["responses"] = dict(sorted(responses.items()))
