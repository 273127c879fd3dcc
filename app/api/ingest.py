"""The way in for senders: `POST /v1/in/<kind>/<key>`, or PUT or PATCH. A plain ASGI application, because a storm comes through here.

    check the key -> read the body -> turn it into events -> wait for the commit -> answer

2xx means committed. A body that can't be read is kept and told to a person, and answered 400; our own trouble is 503 and
Retry-After, never 4xx, because many senders do not send a 4xx again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
import structlog

from app.api.certificates import Unobtainable
from app.api.intake import Intake, Replayed, Unprocessed
from app.api.packed import TooLarge, Unpackable, unpacked
from app.dedup.arrival import Arrival
from app.dedup.committer import Overloaded
from app.dedup.directory import Inlet
from app.sources.event import Received, Unproven, Unreadable
from app.store.errors import StoreError
from app.world import World

log = structlog.get_logger(__name__)

PREFIX = "/v1/in/"
RETRY_AFTER_S = 5
DISCARD_BYTES = 256 * 1024 * 1024
DISCARD_S = 20.0
"""How much, and for how long, of a body that is too large is still read (and thrown away), so that the sender gets to
read our answer instead of a broken connection."""

Scope = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: `body` as JSON, bytes as they are."""

    status: int
    body: Any
    headers: tuple[tuple[bytes, bytes], ...] = ()


def problem(status: int, code: str, title: str, detail: str, *headers: tuple[bytes, bytes]) -> Reply:
    """An error in the form of RFC 9457."""
    body = {"type": f"/problems/{code}", "title": title, "status": status, "code": code, "detail": detail}
    return Reply(status, body, ((b"content-type", b"application/problem+json"), *headers))


METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Some senders let their users choose; what is said counts, whichever of these it is."""
NOT_POSTED = problem(
    405,
    "method",
    "Use POST",
    "Set the sender's HTTP method to POST (PUT and PATCH are taken too). A GET changes nothing here, because programs that"
    " look at links, such as scanners of mail, send one by themselves; so this said nothing.",
    (b"allow", b"POST, PUT, PATCH"),
)
_JSON = ((b"content-type", b"application/json"),)
UNAUTHORIZED = problem(
    401,
    "unknown_key",
    "Unknown key",
    "This key opens no integration of this kind. Check the address or rotate the integration's key.",
    (b"www-authenticate", b'Bearer realm="tocsin"'),
)
BUSY = problem(
    503,
    "busy",
    "Nothing was taken; send it again",
    "More is waiting than can be committed at once. Nothing of this request was stored.",
    (b"retry-after", b"%d" % RETRY_AFTER_S),
)
STORE_TROUBLE = problem(
    503,
    "store_unavailable",
    "Not stored; send it again",
    "The database did not confirm the commit. Sending the same again is safe.",
    (b"retry-after", b"%d" % RETRY_AFTER_S),
)
KEPT = Reply(202, {"status": "kept", "events": 0}, _JSON)
"""What our own code can't write is kept as it came, and a person is told."""


def accepted(found: Arrival) -> Reply:
    """All of it is committed."""
    return Reply(202, {"status": "accepted", "events": len(found.prepared)}, _JSON)


def unreadable(kind: str, error: Unreadable) -> Reply:
    """Nothing of it could be read."""
    return problem(400, "unreadable", f"This is no message of {kind}", f"{error} It was kept, and a person is told.")


def unproven(error: Unproven) -> Reply:
    """It may be anybody's."""
    return problem(403, "unproven", "Not proven to be the sender's", f"{error} It was kept, and a person is told.")


REPLAYED = problem(409, "replayed", "Taken before", f"{Replayed.SENTENCE} Nothing was done.")


def unobtainable(error: Unobtainable) -> Reply:
    """What proves it could not be asked for."""
    again = (b"retry-after", b"%d" % RETRY_AFTER_S)
    return problem(
        503, "proof_unavailable", "Not proven yet; send it again", f"Asking the sender failed: {error}.", again
    )


def too_large(limit: int) -> Reply:
    """It was longer than `limit` bytes."""
    return problem(
        413, "too_large", "Body too large", f"A message may have {limit} bytes; send fewer alerts at a time."
    )


def oversized(limit: int) -> str:
    """What is told to a person of a message that was longer than `limit` bytes."""
    return f"A message of more than {limit} bytes was refused."


def content_type_of(headers: Mapping[bytes, bytes]) -> str:
    """What a sender says its body is."""
    return headers.get(b"content-type", b"").decode("latin-1")[:200]


class Hangup(Exception):
    """The sender went away before its body was complete."""


class Ingest:
    """The ASGI application of the way in."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._intake = Intake(world)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        began = self._world.clock.monotonic()
        parts = scope["path"][len(PREFIX) :].rstrip("/").split("/")
        kind = parts[0] if parts[0] in self._world.sources else "unknown"
        try:
            reply = await self._reply(scope, receive, kind, parts)
        except Hangup:
            return
        metrics = self._world.metrics
        metrics.ingest_requests.labels(kind, str(reply.status)).inc()
        await answer(send, reply)
        metrics.ingest_seconds.observe(self._world.clock.monotonic() - began)

    async def _reply(self, scope: Scope, receive: Any, kind: str, parts: list[str]) -> Reply:
        if scope["method"] not in METHODS:
            return NOT_POSTED
        if kind == "unknown" or len(parts) > 2:
            kinds = ", ".join(sorted(self._world.sources))
            return problem(
                404, "unknown_kind", "No such kind of sender", f"The path is /v1/in/KIND/KEY; KIND is one of {kinds}."
            )
        headers = {name: value for name, value in scope["headers"] if name in READ_HEADERS}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"))) if scope["query_string"] else {}
        key = unquote(parts[1]) if len(parts) == 2 else key_of(headers, query)
        try:
            inlet = await self._intake.inlet(kind, key)
            if inlet is None:
                return UNAUTHORIZED
            return await self._take(inlet, headers, query, receive, tuple(scope["headers"]))
        except Overloaded:
            return BUSY
        except StoreError:
            return STORE_TROUBLE

    async def _take(
        self,
        inlet: Inlet,
        headers: Mapping[bytes, bytes],
        query: Mapping[str, str],
        receive: Any,
        all_headers: tuple[tuple[bytes, bytes], ...],
    ) -> Reply:
        content_type = content_type_of(headers)
        limit = self._world.settings.max_body_bytes
        body = b""
        try:
            body = await body_of(receive, headers, limit)
            if b"content-encoding" in headers:
                body = await unpacked(body, headers[b"content-encoding"], limit)
        except TooLarge as error:
            await self._intake.keep(inlet, oversized(limit), content_type, error.start, error.seen)
            return too_large(limit)
        except Unpackable as error:
            await self._intake.keep(inlet, str(error), content_type, body, len(body))
            return unreadable(inlet.kind, error)
        try:
            received = Received(body, content_type, query, all_headers)
            return accepted(await self._intake.take(inlet, received))
        except Unproven as error:
            return unproven(error)
        except Replayed:
            return REPLAYED
        except Unobtainable as error:
            return unobtainable(error)
        except Unreadable as error:
            return unreadable(inlet.kind, error)
        except Unprocessed:
            return KEPT


READ_HEADERS = {b"authorization", b"content-type", b"content-length", b"content-encoding", b"x-tocsin-key"}


def key_of(headers: Mapping[bytes, bytes], query: Mapping[str, str]) -> str:
    """The key of a request that has none in its path: Bearer, Basic (any user), X-Tocsin-Key, or ?key=."""
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
        except binascii.Error:
            return ""
    if value:
        return value.strip()
    return headers.get(b"x-tocsin-key", b"").decode("latin-1") or query.get("key", "")


async def body_of(receive: Any, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """The whole body. Raises TooLarge, having read the rest away within bounds, or Hangup."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Hangup
    first: bytes = message.get("body", b"")
    if not message.get("more_body") and len(first) <= limit:
        return first
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        await _discard(receive, first, limit, more=bool(message.get("more_body")))
    chunks, size = [first], len(first)
    while message.get("more_body") and size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Hangup
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if size > limit:
        await _discard(receive, b"".join(chunks), limit, more=bool(message.get("more_body")))
    return b"".join(chunks)


async def _discard(receive: Any, start: bytes, limit: int, *, more: bool) -> None:
    """Reads the rest away, then raises TooLarge."""
    seen = len(start)
    try:
        async with asyncio.timeout(DISCARD_S):
            while more and seen < DISCARD_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect":
                    break
                seen += len(message.get("body", b""))
                more = bool(message.get("more_body"))
    except TimeoutError:
        log.info("oversized_body_slow", seen=seen)
    raise TooLarge(start[:limit], seen)


async def answer(send: Any, reply: Reply) -> None:
    """Sends what is answered."""
    body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [*reply.headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})
