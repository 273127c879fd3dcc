"""Holds code that dials by itself (Apprise and the libraries under it) to the same guard as everything else.

Python reports every connect, look-up and process start to its audit hooks before doing it. One hook, inert outside
`watched`, refuses there what the guard forbids: whatever library dials, whatever a redirect or a DNS answer says, the
address is judged at the moment it is dialled. It guards against addresses, not against hostile Python code.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

from app.notifiers.guard import Allowed, why_forbidden

_DIALS: Final = frozenset({"socket.connect", "socket.sendto"})
_PROGRAMS: Final = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})


class Watch:
    """What one piece of code tried."""

    def __init__(self, allowed: Allowed) -> None:
        self.allowed = allowed
        self.names: list[str] = []
        self.refusal: str | None = None
        """The first thing that was refused, in words; the code under watch swallows the exception."""

    def judge(self, event: str, args: tuple[Any, ...]) -> None:
        """Raises PermissionError instead of letting a forbidden dial or any program start.

        An OSError, because that is what every library expects of a dial: it closes its socket and reports a failure.
        """
        if event == "socket.getaddrinfo":
            self.names.append(str(args[0]))
            return
        reason = self._why(args[1]) if event in _DIALS else "starting a program is not allowed here"
        if reason:
            self.refusal = self.refusal or reason
            raise PermissionError(reason)

    def _why(self, address: object) -> str | None:
        if not isinstance(address, tuple):
            return "a local socket is not an address to dial"
        return why_forbidden(self.allowed, self.names, str(address[0]))


_watch: ContextVar[Watch | None] = ContextVar("tocsin_outbound_watch", default=None)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in _DIALS or event == "socket.getaddrinfo" or event in _PROGRAMS:
        watch = _watch.get()
        if watch is not None:
            watch.judge(event, args)


@functools.cache
def _install() -> None:
    """Once a process; an audit hook can't be taken out again."""
    sys.addaudithook(_hook)


@contextlib.contextmanager
def watched(allowed: Allowed) -> Iterator[Watch]:
    """Everything that this thread dials inside is judged; threads that it starts itself are not seen."""
    _install()
    watch = Watch(allowed)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)
