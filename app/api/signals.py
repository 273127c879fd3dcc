"""The way in for heartbeats: `/v1/in/heartbeat/KEY` says "all is well", `/v1/in/heartbeat/KEY/fail` "it went wrong".

"All is well" may be said by GET and HEAD too, because much can do nothing else (cron with curl, routers, appliances): the
one GET of all that writes. It can end only what this same signal's absence began, and never acknowledges anything; a
failure tells people, so it needs POST. Must never decide what a silence is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from app.api.ingest import (
    PREFIX,
    READ_HEADERS,
    STORE_TROUBLE,
    UNAUTHORIZED,
    Hangup,
    Reply,
    Scope,
    answer,
    body_of,
    key_of,
    problem,
)
from app.api.packed import TooLarge
from app.sources.limits import one_line
from app.store.errors import StoreError
from app.watch.heartbeat import KIND
from app.watch.signals import MAX_SAID, beat, fail, is_fresh
from app.world import World

HERE = f"{PREFIX}{KIND}"
FAIL = "fail"
_ALIVE_BY = ("GET", "HEAD", "POST")
MAX_BODY = 16 * 1024
"""More of what a failure says is not read: a page shows its beginning."""
WELL = Reply(200, {"status": "ok"}, ((b"content-type", b"application/json"), (b"cache-control", b"no-store")))
NO_SUCH_SIGNAL = problem(
    404, "unknown_signal", "No such signal", f"The path is {HERE}/KEY, or {HERE}/KEY/{FAIL} for a failure."
)
_METHODS = {
    "": problem(
        405, "method", "Use POST or GET", "Say that all is well by POST, GET or HEAD.", (b"allow", b"GET, HEAD, POST")
    ),
    FAIL: problem(
        405, "method", "Use POST", "A failure tells people, so it is said by POST: curl -X POST.", (b"allow", b"POST")
    ),
}


def is_signal(path: str) -> bool:
    """Whether a path is that of a heartbeat."""
    return path == HERE or path.startswith(f"{HERE}/")


class Signals:
    """The ASGI application of heartbeats."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        parts = scope["path"][len(HERE) :].strip("/").split("/")
        try:
            reply = await self._reply(scope, receive, parts)
        except Hangup:
            return
        except StoreError:
            reply = STORE_TROUBLE
        self._world.metrics.ingest_requests.labels(KIND, str(reply.status)).inc()
        await answer(send, reply)

    async def _reply(self, scope: Scope, receive: Any, parts: list[str]) -> Reply:
        said = parts[1] if len(parts) > 1 else ""
        if said not in _METHODS or len(parts) > 2:
            return NO_SUCH_SIGNAL
        if scope["method"] not in (_ALIVE_BY if said == "" else ("POST",)):
            return _METHODS[said]
        headers = {name: value for name, value in scope["headers"] if name in READ_HEADERS}
        key = unquote(parts[0]) or key_of(headers, {})
        inlet = await self._world.directory.inlet(KIND, key) if key else None
        if inlet is None:
            return UNAUTHORIZED
        if said == FAIL:
            await self._fail(inlet.integration_id, await _text(receive, headers))
        else:
            await self._beat(inlet.integration_id)
        return WELL

    async def _beat(self, heartbeat_id: int) -> None:
        self._world.metrics.heartbeat_signals.labels("alive").inc()
        if not await self._world.store.read(is_fresh, heartbeat_id):
            await self._world.store.write(beat, heartbeat_id)
            self._world.wake.set()

    async def _fail(self, heartbeat_id: int, said: str) -> None:
        self._world.metrics.heartbeat_signals.labels("failed").inc()
        await self._world.store.write(fail, heartbeat_id, said)
        self._world.wake.set()


async def _text(receive: Any, headers: Mapping[bytes, bytes]) -> str:
    """The beginning of what a failure says, as one line of printable text."""
    try:
        body = await body_of(receive, headers, MAX_BODY)
    except TooLarge as error:
        body = error.start
    return one_line(body.decode("utf-8", "replace").replace("\x00", " "))[:MAX_SAID].strip()
