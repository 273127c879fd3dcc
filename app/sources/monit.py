"""monit: the script in integrations/ posts what monit hands it, once a change of state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.conventions import status_of
from app.sources.dialect import Dialect
from app.sources.event import Event, Status
from app.sources.fields import graded, instant, joined, lower, said
from app.sources.remapping import Places
from app.sources.source import SourceSettings

# How monit says that a test failed, passed, saw a change or saw none: by the end of its words, but for a few (its event.c).
_OUTCOME = re.compile(
    r"(?:^|\s)(?:(?P<over>not changed|succeeded|recovery|recovered|resumed|running|ok|up|started|doesn't match)"
    r"|start failed|failed|matched limit|matched|exceeded|detected|changed|match|error|down)$"
)
_ODD = {
    "timeout": ("timeout", False),
    "does not exist": ("existence", False),
    "exists": ("existence", True),
    "does exist": ("existence", False),
    "exists not": ("existence", True),
    "invalid type": ("type", False),
    "process is a zombie": ("zombie", False),
    "zombie check succeeded": ("zombie", True),
    "zombie state changed": ("zombie", False),
    "zombie state not changed": ("zombie", True),
    "certificate changed": ("certificate validity", False),
    "certificate not changed": ("certificate validity", True),
    "program start changed": ("program", False),
    "program start not changed": ("program", True),
}


class Monit(Dialect[SourceSettings]):
    """monit, by `exec`."""

    kind: ClassVar[str] = "monit"
    title: ClassVar[str] = "monit"
    setup: ClassVar[str] = """
1. Copy `integrations/monit/tocsin-notify` to `/usr/local/bin/`, executable, put `{base}` into it and `{key}` into
   `/etc/tocsin/monit.key`.
2. In the checks:

```text
check process nginx with pidfile /run/nginx.pid
  if failed port 80 protocol http then exec "/usr/local/bin/tocsin-notify firing critical" repeat every 5 cycles
  else if succeeded then exec "/usr/local/bin/tocsin-notify resolved"
```

Without `repeat` monit says it once, and never again when that was lost.
"""
    example: ClassVar[dict[str, Any]] = {
        "service": "A test of the way from monit",
        "host": "test",
        "event": "Connection failed",
        "status": "firing",
    }
    expected: ClassVar[str] = "`service` and `event` or `status` were expected, as the script sends them"
    places: ClassVar[Places] = Places(("status", "event"), ("severity",))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One test of one service a message: the first of two that passes again is not the end of the other."""
        fields = lower({name.lower().removeprefix("monit_"): value for name, value in message.items()})
        service, event, word = said(fields, "service"), said(fields, "event"), said(fields, "status")
        if not service or not (event or word):
            return None
        test, passed = _test(event)
        over = status_of(word) == "resolved" if word else passed
        status: Status = "resolved" if over else "firing"
        host, how_bad = said(fields, "host"), said(fields, "severity")
        level, raw = graded(how_bad) if how_bad else ("error", "")
        about = f"{service} on {host}" if host else service
        told = Event(
            status=status,
            key=joined(host, service, test) if test else joined(host, service),
            title=f"{about}: {event}" if event else about,
            severity=level,
            labels={"host": host, "service": service},
            annotations={"description": said(fields, "description"), "event": event, "severity_raw": raw},
            starts_at=instant(fields, now, "time") if not over else None,
            ends_at=instant(fields, now, "time") if over else None,
        )
        return (told,)


def _test(event: str) -> tuple[str, bool]:
    """Which test of a service this is, called the same when it fails and when it passes, and whether it passed.

    Other words than monit's are no test; they are about the service as a whole.
    """
    words = event.lower()
    if words in _ODD:
        return _ODD[words]
    outcome = _OUTCOME.search(words)
    return (words[: outcome.start()], outcome["over"] is not None) if outcome else ("", False)
