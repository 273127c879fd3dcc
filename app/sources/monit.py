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

_GOOD = re.compile(r"\b(succeeded|recovery|recovered|exists?|resumed|running|ok)\b", re.IGNORECASE)
_BAD = re.compile(r"\b(not|no|fail\w*|does)\b", re.IGNORECASE)


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
        """One service a message."""
        fields = lower({name.lower().removeprefix("monit_"): value for name, value in message.items()})
        service, event, word = said(fields, "service"), said(fields, "event"), said(fields, "status")
        if not service or not (event or word):
            return None
        over = status_of(word) == "resolved" if word else bool(_GOOD.search(event)) and not _BAD.search(event)
        status: Status = "resolved" if over else "firing"
        host, how_bad = said(fields, "host"), said(fields, "severity")
        level, raw = graded(how_bad) if how_bad else ("error", "")
        about = f"{service} on {host}" if host else service
        told = Event(
            status=status,
            key=joined(host, service),
            title=f"{about}: {event}" if event else about,
            severity=level,
            labels={"host": host, "service": service},
            annotations={"description": said(fields, "description"), "event": event, "severity_raw": raw},
            starts_at=instant(fields, now, "time") if not over else None,
            ends_at=instant(fields, now, "time") if over else None,
        )
        return (told,)
