"""Any JSON, or a form: read by the mapping an integration was given, and by the common conventions where it has none.

A mapping only says where values stand and which words mean what (see `mapping`). It is checked when it is saved, so a
message never meets a broken one; a message that does not fit it is told as a problem and still becomes an alert.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from app.clock import SECOND, Micros
from app.sources import conventions, remapping, signature, times
from app.sources.decode import decode, scrub
from app.sources.event import Event, Reading, Received, Unreadable
from app.sources.limits import finish, fitted, links, one_line
from app.sources.mapping import Lookup, Path, find, look
from app.sources.signature import SignedSettings
from app.sources.source import SourceSettings, Word


class GenericSettings(SignedSettings):
    """The mapping of one integration. Every field is optional: what is not mapped is read by the conventions."""

    events: Path | None = Field(default=None, description="Where the list of events stands, when a body has several.")
    title: Lookup = Field(default=(), description="The headline.")
    description: Lookup = Field(default=(), description="The longer text.")
    starts_at: Lookup = Field(default=(), description="When it began: RFC 3339 or epoch.")
    ends_at: Lookup = Field(default=(), description="When it ended.")
    link: Lookup = Field(default=(), description="An address to look at.")
    labels: dict[Word, Lookup] = Field(default={}, max_length=100, description="Labels of your own.")
    annotations: dict[Word, Lookup] = Field(default={}, max_length=100, description="Texts of your own.")
    expires_in_s: int | None = Field(
        default=None,
        ge=60,
        le=30 * 86_400,
        description="Resolve an alert this long after its last message; for senders that never say it is over.",
    )

    signature_header: str = Field(
        default="X-Signature",
        max_length=100,
        pattern=r"^[A-Za-z0-9-]+$",
        description="Where the signature stands, when a secret is set: hex HMAC-SHA256 of the body, with or without `sha256=`.",
    )

    @property
    def mapped(self) -> bool:
        """Whether anything is read otherwise than by the conventions."""
        return bool(
            self.remaps
            or self.title
            or self.description
            or self.starts_at
            or self.ends_at
            or self.link
            or self.labels
            or self.annotations
            or self.expires_in_s
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.expires_in_s is not None and self.expire_after_s is not None:
            raise ValueError("set either expires_in_s or expire_after_s, not both")
        if self.statuses and not self.status:
            raise ValueError("statuses needs status: where is the word found?")
        if self.severities and not self.severity:
            raise ValueError("severities needs severity: where is the word found?")
        return self


class Generic:
    """Scripts, cron jobs, and senders that have no dialect of their own here."""

    kind: ClassVar[str] = "generic"
    title: ClassVar[str] = "Generic JSON"
    setup: ClassVar[str] = """
Anything that can POST JSON or a form:

```sh
curl -fsS --retry 3 -H 'X-Tocsin-Key: {key}' -d '{"title": "Backup failed", "host": "db-1", "severity": "critical"}' {base}
curl -fsS --retry 3 -H 'X-Tocsin-Key: {key}' -d '{"title": "Backup failed", "host": "db-1", "status": "resolved"}' {base}
```

For bodies of another shape write a [mapping](sources.md#a-mapping-of-your-own) and try it on a message of yours first
(`POST /v1/senders/generic/try`).
"""
    example: ClassVar[dict[str, Any]] = {
        "title": "A test of the way from a script",
        "host": "test",
        "severity": "critical",
    }
    Settings: ClassVar[type[SourceSettings]] = GenericSettings

    def read(self, received: Received, settings: GenericSettings, now: Micros) -> Reading:
        """See Source.read. Takes a map, a list, a text, a form, or fields in the query alone."""
        # Two messages of a script may well be the same: an equal signature is no replay.
        signature.proof_of(
            received, settings, signature.Scheme(settings.signature_header, "sha256=", unique=False), now
        )
        query, odd = scrub(
            {name: said for name, said in (received.query or {}).items() if name in conventions.IN_QUERY}
        )
        if query and not received.body.strip():
            body, scrubbed = query, odd
        else:
            body, scrubbed = decode(received.body)
        items, problems, note = _items(body, settings)
        events = [_event(_Message(item, body, query, note), settings, now) for item in items]
        return finish(events, problems, scrubbed=scrubbed or odd)


class _Message(NamedTuple):
    """One event of a request, and where it stood."""

    item: Any
    body: Any
    query: dict[str, str]
    note: str
    """What of the mapping did not fit the body; empty when all did."""


def _items(body: Any, settings: GenericSettings) -> tuple[list[Any], list[str], str]:
    """The events of a body, each a map or a text; what in it is neither; and a note on the mapping."""
    items, note = body, ""
    if settings.events is not None:
        items = find(settings.events, body, body)
        if not isinstance(items, list):
            items, note = body, f"There is no list at `{settings.events}`: the whole body was read as one event."
    if not isinstance(items, list):
        items = [items]
    usable = [item for item in items if isinstance(item, dict | str) and item]
    if items and not usable:
        raise Unreadable("Nothing in the body is an event: a map with fields, a text, or a list of these was expected.")
    lost = len(items) - len(usable)
    return usable, [f"{lost} of {len(items)} items are neither a map nor a text."] if lost else [], note


def _event(message: _Message, settings: GenericSettings, now: Micros) -> Event:
    """The conventions' event with the mapping laid over it."""
    event = conventions.read(message.item, now, message.query)
    if not (settings.mapped or message.note):
        return event

    def said(lookup: Lookup) -> str:
        return look(lookup, message.item, message.body)

    def at(lookup: Lookup) -> Micros | None:
        return times.sane(times.parse(said(lookup)), now)

    title = said(settings.title)
    key, note = _key(message, settings, title, event)
    status = remapping.status_of(said(settings.status), settings) or event.status
    level, raw = remapping.severity_of(said(settings.severity), settings)
    own = {
        "description": said(settings.description) or event.annotations.get("description", ""),
        "severity_raw": raw if level else event.annotations.get("severity_raw", ""),
        remapping.NOTE: " ".join(part for part in (message.note, note) if part),
        **{name: said(lookup) for name, lookup in settings.annotations.items()},
    }
    fires = status == "firing"
    return fitted(
        event._replace(
            status=status,
            key=key,
            title=one_line(title) or event.title,
            severity=level or event.severity,
            labels={**event.labels, **{name: said(lookup) for name, lookup in settings.labels.items()}},
            annotations={**event.annotations, **own},
            links=links(("Link", said(settings.link)), *event.links),
            starts_at=at(settings.starts_at) or event.starts_at,
            ends_at=(at(settings.ends_at) or event.ends_at) if status == "resolved" else None,
            expires_at=now + settings.expires_in_s * SECOND if fires and settings.expires_in_s else None,
        )
    )


def _key(message: _Message, settings: GenericSettings, title: str, event: Event) -> tuple[str, str]:
    """The mapped key; when the message has none at that place, the conventions' or its title's, and a note."""
    key, note = remapping.key_of(settings, message.item, message.body)
    if key:
        return key, ""
    # A mapped title says more than the fields that the conventions took for one, but less than a key of the sender's own.
    if title and event.key.startswith(conventions.TITLE_KEY):
        return conventions.title_key(message.item, title), note
    return event.key, note
