"""Certificates that prove a sender's messages, fetched once by the guarded way out and remembered for a day."""

from __future__ import annotations

from app.clock import DAY, Micros
from app.notifiers.fetch import Failed, Fetched, fetch
from app.notifiers.outbound import Outbound

REMEMBERED: Micros = DAY
MAX_REMEMBERED = 50
MAX_CERTIFICATE = 64 * 1024


class Unobtainable(Exception):
    """It could not be fetched now; the text says why. The sender is asked to come again."""


class Certificates:
    """The memory of one process. The addresses it is asked for were checked by the source that names them."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._known: dict[str, tuple[bytes, Micros]] = {}

    async def at(self, url: str) -> bytes:
        """The certificate at this address, as PEM. Raises Unobtainable."""
        now = self._outbound.now()
        known = self._known.get(url)
        if known is not None and now - known[1] < REMEMBERED:
            return known[0]
        found = await fetch(self._outbound, url, accept="*/*", limit_bytes=MAX_CERTIFICATE)
        if not isinstance(found, Fetched):
            raise Unobtainable(found.reason if isinstance(found, Failed) else "it was not there")
        if len(self._known) >= MAX_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[url] = (found.body, now)
        return found.body

    async def confirm(self, url: str) -> None:
        """Asks an address once, as a sender wants it before it begins to send. Raises Unobtainable."""
        found = await fetch(self._outbound, url, accept="*/*", limit_bytes=MAX_CERTIFICATE)
        if isinstance(found, Failed):
            raise Unobtainable(found.reason)
