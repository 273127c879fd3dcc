"""Healthchecks.io: the webhook with the body of the set-up page, or with the check itself ($JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Status
from app.sources.fields import instant, joined, lower, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_STATES: dict[str, Status] = {"down": "firing", "up": "resolved"}
"""new, started, grace and paused neither open nor close anything."""


class Healthchecks(Dialect[SourceSettings]):
    """Checks of Healthchecks.io."""

    kind: ClassVar[str] = "healthchecks"
    title: ClassVar[str] = "Healthchecks.io"
    setup: ClassVar[str] = """
*Integrations - Webhook*: for *down* and for *up* the method POST, the URL `{url}` and this body:

```json
{"name": $NAME_JSON, "status": "$STATUS", "code": "$CODE", "tags": "$TAGS", "now": "$NOW", "body": $BODY_JSON}
```

`$NAME_JSON` and not `$NAME`: a quote in a name would break the message.
"""
    example: ClassVar[dict[str, Any]] = {
        "name": "A test of the way from Healthchecks",
        "status": "down",
        "code": "test",
    }
    expected: ClassVar[str] = "`status` with `name` or `code` was expected"
    places: ClassVar[Places] = Places(("status",), ())

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One check a message."""
        check = lower(message)
        number, name, word = said(check, "code", "uuid", "unique_key"), said(check, "name"), said(check, "status")
        if not word or not (number or name):
            return None
        status = _STATES.get(word.lower())
        if status is None:
            return ()
        title = name or f"Check {number}"
        event = Event(
            status=status,
            key=joined("check", number or said(check, "ping_url") or name),
            title=f"{title} is down",
            labels={"alertname": title, "tags": said(check, "tags"), "slug": said(check, "slug")},
            annotations={
                "description": said(check, "body", "desc"),
                "exit_status": said(check, "exitstatus"),
                "last_ping": said(check, "last_ping") if status == "firing" else "",
            },
            links=links(("Healthchecks", said(check, "url", "details_url"))),
            starts_at=instant(check, now, "now") if status == "firing" else None,
            ends_at=instant(check, now, "now", "last_ping") if status == "resolved" else None,
        )
        return (event,)
