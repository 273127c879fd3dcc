"""From a host's name to addresses that may be dialled, and to a connected socket.

A name is resolved once for each new connection, every answer is judged, and what is dialled is a judged answer: no
second look-up in between, so a name that changes its mind (DNS rebinding) gains nothing. One forbidden answer among good
ones refuses the name. Knows no protocol.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from app.notifiers.errors import Forbidden, NotSent
from app.notifiers.guard import Allowed, why_forbidden, why_odd

MAX_ADDRESSES: Final = 4
"""How many answers of one name are tried; the rest would only eat the deadline."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A host and a port in, its addresses out; OSError when there are none."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The machine's own resolver, in the order the system prefers."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(frozen=True, slots=True)
class Dial:
    """The one way from a host to a connection."""

    allowed: Allowed
    resolve: Resolve = resolve

    async def addresses(self, host: str, port: int, *, trusted: bool = False) -> tuple[str, ...]:
        """The judged addresses of a host, best first, at most MAX_ADDRESSES.

        `trusted` is for hosts that the operator wrote into the settings: resolved, not judged.
        Raises NotSent when there is no such name, Forbidden when any answer may not be dialled.
        """
        odd = why_odd(host)
        if odd and not trusted:
            raise Forbidden(odd)
        answers = await self._look_up(host, port)
        for answer in () if trusted else answers:
            reason = why_forbidden(self.allowed, (host,), answer)
            if reason:
                raise Forbidden(reason if answer == host else f"{host} leads nowhere it may: {reason}")
        return tuple(answers[:MAX_ADDRESSES])

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        try:
            return (str(ip_address(host.strip("[]"))),)
        except ValueError:
            pass
        try:
            answers = await self.resolve(host, port)
        except (OSError, UnicodeError):
            raise NotSent(f"the name {host} was not found") from None
        if not answers:
            raise NotSent(f"the name {host} has no address")
        return answers

    async def open(self, host: str, port: int, *, trusted: bool = False) -> socket.socket:
        """A connected, non-blocking socket to the first address that answers; the caller closes it.

        Raises NotSent or Forbidden. The caller sets the deadline.
        """
        trouble = ""
        for address in await self.addresses(host, port, trusted=trusted):
            try:
                return await _connect(address, port)
            except OSError as error:
                trouble = error.strerror or type(error).__name__
        raise NotSent(f"no connection to {host}:{port}: {trouble}")


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()  # also when the task is cancelled
        raise
    return connection
