"""A recorded stream of messages: one JSON object a line, `{"at", "source", "integration", "payload"}`.

`at` is seconds since the stream began, or since 1970. Knows nothing of what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from app.cli.trouble import Trouble
from app.clock import DAY, MINUTE, SECOND, Micros
from app.sources.event import Event, Received, Unreadable
from app.sources.source import Source

EPOCH_S: Final = 1_000_000_000
"""An `at` above is an instant of its own."""


@dataclass(frozen=True, slots=True)
class Post:
    """One message, and when it came in the stream's own seconds."""

    at_s: float
    source: str
    integration: str
    body: bytes


def posts(file: Path) -> Iterator[Post]:
    """The messages in their order. Raises Trouble that names the line."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _post(line, f"{file}, line {number}")


def _post(line: bytes, where: str) -> Post:
    try:
        found = orjson.loads(line)
        payload = found["payload"]
        body = payload.encode() if isinstance(payload, str) else orjson.dumps(payload)
        return Post(float(found["at"]), str(found["source"]), str(found.get("integration") or found["source"]), body)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Trouble(
            f'{where} is no message: {type(error).__name__} {error}; expected {{"at": seconds, "source": kind, '
            '"integration": name, "payload": body}'
        ) from None


def began_at(file: Path, sources: Mapping[str, Source[Any]]) -> Micros:
    """When a stream's second 0 was, by the newest beginning that its messages name; to the minute.

    Somewhere a message was sent soon after its problem began, and second 0 lies just above. That may be hours into the
    stream: a quiet platform begins with repeats of what has failed for days.
    """
    newest: Micros | None = None
    for post in posts(file):
        if post.at_s >= EPOCH_S:
            return 0
        for event in _events(post, sources):
            if event.starts_at is not None and event.status == "firing":
                seconds = event.starts_at - int(post.at_s * SECOND)
                newest = seconds if newest is None else max(newest, seconds)
    if newest is None:
        raise Trouble("no message of the stream says when its problem began: say --base INSTANT, its second 0")
    return -(-newest // MINUTE) * MINUTE


def _events(post: Post, sources: Mapping[str, Source[Any]]) -> tuple[Event, ...]:
    source = sources.get(post.source)
    if source is None:
        return ()
    try:
        return source.read(Received(post.body), source.Settings(), 50 * 365 * DAY + 40 * 365 * DAY).events
    except Unreadable:
        return ()


def name_of(event: Event) -> str:
    """What the sender itself calls this episode, where it says so; for reading the result, never for deciding it.

    Alertmanager: the parameter `ep` of the link to its source; Datadog: the cycle; Zabbix: the event id.
    """
    for prefix in ("cycle:", "event:"):
        if event.key.startswith(prefix):
            return event.key.removeprefix(prefix)
    for _, address in event.links:
        _, found, rest = address.partition("ep=")
        if found and address[len(address) - len(rest) - 4] in "?&":
            return rest.partition("&")[0]
    return ""
