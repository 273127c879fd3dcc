"""Bodies that a sender packed (`Content-Encoding: gzip` or `deflate`), unpacked within a limit. Must never know a dialect."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from app.sources.event import Unreadable

_BITS: Final = {b"gzip": (31,), b"x-gzip": (31,), b"deflate": (15, -15)}
"""How zlib calls each. Deflate is zlib's form by the standard, and bare from some senders."""


class Unpackable(Unreadable):
    """It is not packed as its header says."""


class TooLarge(Exception):
    """The body is over the limit; `seen` is how much of it came, `start` its beginning."""

    def __init__(self, start: bytes, seen: int) -> None:
        super().__init__("body too large")
        self.start = start
        self.seen = seen


async def unpacked(body: bytes, coding: bytes, limit: int) -> bytes:
    """What was packed; a body of any other coding, and one that is plain after all, as it came. Raises Unpackable, TooLarge."""
    bits = _BITS.get(coding.strip().lower())
    return await asyncio.to_thread(_unpacked, body, bits, limit) if bits and body else body


def _unpacked(body: bytes, bits: tuple[int, ...], limit: int) -> bytes:
    for form in bits:
        packed = zlib.decompressobj(form)
        try:
            found = packed.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(found) > limit:
            raise TooLarge(found[:limit], len(found))
        if not packed.eof:
            raise Unpackable("The packed body (Content-Encoding) ends too early.")
        if packed.unused_data.strip(b"\0\r\n"):
            raise Unpackable(
                "After the end of the packed body (Content-Encoding) there is more; it must be in one piece."
            )
        return found
    if body.lstrip()[:1] in (b"{", b"["):
        return body
    raise Unpackable("The body is not packed as its Content-Encoding says, or it was damaged on its way.")
