"""All foreign APIs as one ASGI application: finds the one whose path it is, reads the request, sends the answer.

Each stands at its own well-known path, and below `/v1/in/KIND/KEY` for senders that can have nothing but an address.
Must never know a dialect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import structlog

from app.api.ingest import PREFIX, READ_HEADERS, Hangup, Reply, Scope, answer, body_of, content_type_of, key_of
from app.api.intake import Intake
from app.api.packed import TooLarge, Unpackable, unpacked
from app.api.wire.alertmanager import AlertmanagerDoor
from app.api.wire.call import Call, Door
from app.api.wire.opsgenie import OpsgenieDoor
from app.api.wire.pagerduty import PagerDutyDoor
from app.dedup.committer import Overloaded
from app.store.errors import StoreError
from app.world import World

log = structlog.get_logger(__name__)

_IN = tuple(PREFIX.strip("/").split("/"))
_READ_HEADERS = READ_HEADERS | {b"x-routing-key"}
_MAX_FIELDS = 100
UNPROVEN_BYTES = 2 * 1024 * 1024
"""What anybody may send, since some of these APIs have the key in the body; more only with a key outside of it."""
_DEEP = 4
"""Slashes of the longest path of an ordinary sender, `/v1/in/KIND/KEY`."""


class Wire:
    """The ASGI application of the foreign APIs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._intake = intake = Intake(world)
        self._doors: tuple[Door, ...] = (
            PagerDutyDoor(world, intake),
            AlertmanagerDoor(world, intake),
            OpsgenieDoor(world, intake),
        )

    def claims(self, scope: Scope) -> bool:
        """Whether a request is for one of these APIs. Asked of each request, also in a storm."""
        path: str = scope["path"]
        if path.startswith("/v1/") and not (path.startswith(PREFIX) and path.count("/") > _DEEP):
            return False
        return self._find(_steps(scope)) is not None

    def _find(self, steps: Sequence[str]) -> tuple[Door, str, tuple[str, ...]] | None:
        """The API of a path, the key in it, and the steps below its root."""
        # No API here tells a path with a slash at its end from one without.
        path = tuple(steps[:-1] if steps and not steps[-1] else steps)
        if path[:2] != _IN:
            return self._claimed("", "", path)
        kind, below = path[2] if len(path) > 2 else "", path[3:]
        if not kind:
            return None
        # The key stands in the path, or in a header.
        return self._claimed(kind, below[0] if below else "", below[1:]) or self._claimed(kind, "", below)

    def _claimed(self, kind: str, key: str, below: tuple[str, ...]) -> tuple[Door, str, tuple[str, ...]] | None:
        found = (door for door in self._doors if kind in ("", door.kind) and door.claims(below))
        return next(((door, key, below) for door in found), None)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        found = self._find(_steps(scope))
        assert found is not None
        door, key, path = found
        headers = {name: value for name, value in scope["headers"] if name in _READ_HEADERS}
        call = _call(scope, headers, key, path)
        try:
            reply = await self._reply(door, call, receive)
        except Hangup:
            return
        self._world.metrics.ingest_requests.labels(door.kind, str(reply.status)).inc()
        await answer(send, reply)

    async def _reply(self, door: Door, call: Call, receive: Any) -> Reply:
        limit = self._world.settings.max_body_bytes
        try:
            if not _is_small(call) and not (call.key and await self._intake.inlet(door.kind, call.key)):
                limit = min(limit, UNPROVEN_BYTES)
            body = await body_of(receive, call.headers, limit)
            if b"content-encoding" in call.headers:
                body = await unpacked(body, call.headers[b"content-encoding"], limit)
            return await door.answer(
                Call(call.method, call.path, call.query, call.headers, call.content_type, call.key, body)
            )
        except TooLarge:
            return door.failed(call, 413, f"A request may have {limit} bytes.")
        except Unpackable as error:
            return door.failed(call, 400, str(error))
        except (Overloaded, StoreError):
            return door.busy(call)
        except Exception:  # one request fails alone, and in words that its sender understands
            log.exception("wire_request_failed", kind=door.kind, method=call.method)
            return door.failed(call, 500, "This is a fault of Tocsin; its log tells more.")


def _is_small(call: Call) -> bool:
    announced = b"" if b"content-encoding" in call.headers else call.headers.get(b"content-length", b"")
    return announced.isdigit() and int(announced) <= UNPROVEN_BYTES


def _steps(scope: Scope) -> list[str]:
    """The steps of the path: split first and decoded then, so that an encoded slash splits nothing.

    A base address with a slash at its end, to which a library adds its own path, makes two of them at the start.
    """
    raw = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    return [unquote(step) for step in raw.lstrip("/").split("/")]


def _call(scope: Scope, headers: Mapping[bytes, bytes], key: str, path: tuple[str, ...]) -> Call:
    try:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        query = []
    opening = key or key_of(headers, dict(query))
    return Call(scope["method"], path, query, headers, content_type_of(headers), opening)
