"""One request to a foreign API, read whole, and the form each of these APIs has. Knows none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from app.api.ingest import Reply
from app.api.intake import IN_THREAD_BYTES
from app.sources.decode import decode
from app.sources.event import Unreadable

JSON = ((b"content-type", b"application/json"),)
RETRY_AFTER = (b"retry-after", b"5")


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked."""

    method: str
    path: tuple[str, ...]
    """The steps of the path below the API's root, each decoded once: an encoded slash stays inside its step."""
    query: Sequence[tuple[str, str]]
    headers: Mapping[bytes, bytes]
    content_type: str
    key: str
    """The key in the path or the header; some APIs have it in the body instead."""
    body: bytes = b""

    def asked(self, name: str, default: str = "") -> str:
        """The last value of a field of the query."""
        return next((value for known, value in reversed(self.query) if known == name), default)


class Door(Protocol):
    """One foreign API."""

    kind: ClassVar[str]
    """Of the integrations whose keys open it."""

    def claims(self, path: Sequence[str]) -> bool:
        """Whether a path is this API's."""

    async def answer(self, call: Call) -> Reply:
        """Does what is asked; 2xx means committed. May raise Overloaded and StoreError."""

    def failed(self, call: Call, status: int, sentence: str) -> Reply:
        """An error as this API says it."""

    def busy(self, call: Call) -> Reply:
        """Our own trouble, in the way that makes the senders of this API come again."""


async def value_of(body: bytes) -> tuple[Any, Unreadable | None]:
    """The value of a body, or why it has none. A large one is read in a thread."""
    try:
        read = await asyncio.to_thread(decode, body) if len(body) > IN_THREAD_BYTES else decode(body)
    except Unreadable as error:
        return None, error
    return read.value, None
