"""Opsgenie's Alert API: the body of a create -> an event. What else is done to an alert is app/api/wire/opsgenie.py's.

The alias is the dedup key. Lenient where Opsgenie answers 422 (no message, too long a text): the alternative is a lost page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import MAX_TITLE, Event, Severity
from app.sources.fields import facts_and_words, graded, listed, part, said
from app.sources.limits import links, one_line, text
from app.sources.made import made_key
from app.sources.remapping import Places
from app.sources.source import SourceSettings
from app.sources.tags import tags

USUAL = "P3"
"""The priority of an alert that has none."""
_SAYS = ("message", "description", "alias", "entity", "details")
_NAMES = ("name", "username", "id")


class Opsgenie(Dialect[SourceSettings]):
    """Everything that speaks to api.opsgenie.com."""

    kind: ClassVar[str] = "opsgenie"
    title: ClassVar[str] = "Opsgenie Alert API"
    setup: ClassVar[str] = """
Change `https://api.opsgenie.com` in the sender to `{root}`; the API key (GenieKey) is `{key}`. A sender that can have nothing but an
address posts to `{url}`. As any client does:

```sh
curl -fsS --retry 3 {root}/v2/alerts -H 'Authorization: GenieKey {key}' -d '{"message": "Disk full", "alias": "db-1", "priority": "P1"}'
curl -fsS --retry 3 -X POST '{root}/v2/alerts/db-1/close?identifierType=alias' -H 'Authorization: GenieKey {key}'
```
"""
    example: ClassVar[dict[str, Any]] = {
        "message": "A test of the way from a sender of Opsgenie",
        "alias": "test",
        "priority": "P1",
    }
    expected: ClassVar[str] = "`message` was expected"
    places: ClassVar[Places] = Places((), ("priority",))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """A create fires; nothing else has a body that says what it is."""
        if not said(message, *_SAYS):
            return None
        priority = said(message, "priority")
        level, raw = graded(priority or USUAL)
        facts, words = facts_and_words(message.get("details"))
        told = said(message, "message")
        title = one_line(told) or one_line(said(message, "description", "alias", "entity")) or "Alert without a message"
        tagged = tag_list(message.get("tags"))
        annotations = {
            **words,
            "description": said(message, "description") or (told if len(told) > MAX_TITLE else ""),
            "tags": ", ".join(tagged),
            "responders": ", ".join(_responders(message.get("responders") or message.get("teams"))),
            "actions": listed(message.get("actions")),
            "note": said(message, "note"),
            "user": said(message, "user"),
            "priority": priority,
            "severity_raw": raw,
        }
        own = {name: said(message, name) for name in ("entity", "source")}
        return (
            Event(
                status="firing",
                key=said(message, "alias") or made_key(message, now),
                title=title,
                severity=level,
                labels={**tags(tagged), **facts, **own},
                annotations=annotations,
                links=_links(message),
            ),
        )


def severity_of(priority: str) -> Severity:
    """What a priority stands for."""
    return graded(priority)[0]


def tag_list(given: Any) -> list[str]:
    """Tags as they were given: a list, or one text with commas."""
    items: Iterable[Any] = given if isinstance(given, list) else text(given).split(",")
    return list(dict.fromkeys(one for item in items if (one := one_line(text(item)))))


def _responders(given: Any) -> list[str]:
    """Whom the sender would have told, for people to read: who is told here is the policy's to say."""
    found = [one for one in (given if isinstance(given, list) else ()) if isinstance(one, dict)]
    return [f"{said(one, 'type')} {said(one, *_NAMES)}".strip() for one in found if said(one, *_NAMES)]


def _links(message: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    details = part(message, "details")
    named = [
        (one_line(name) or "Link", at) for name, at in details.items() if type(at) is str and at.startswith("http")
    ]
    return links(("Source", message.get("source")), *named)
