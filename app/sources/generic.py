"""Any JSON, or a form: read by the mapping an integration was given, and by the common conventions where it has none.

A mapping only says where values stand and which words mean what (see `mapping`). It is checked when it is saved, so a
message never meets a broken one; a message that does not fit it is told as a problem and still becomes an alert.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from app.clock import SECOND, Micros
from app.sources import conventions, severity, times
from app.sources.decode import decode
from app.sources.event import Event, Reading, Received, Severity, Status, Unreadable
from app.sources.limits import finish, fitted, links, one_line
from app.sources.mapping import Lookup, Path, find, look
from app.sources.source import SourceSettings

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class GenericSettings(SourceSettings):
    """The mapping of one integration. Every field is optional: what is not mapped is read by the conventions."""

    events: Path | None = Field(default=None, description="Where the list of events stands, when a body has several.")
    title: Lookup = Field(default=(), description="The headline.")
    description: Lookup = Field(default=(), description="The longer text.")
    key: Lookup = Field(default=(), description="What makes two messages speak of the same problem.")
    key_parts: tuple[Path, ...] = Field(
        default=(), max_length=20, description="As `key`, from several places together, such as the host and the check."
    )
    status: Lookup = Field(default=(), description="Whether it fires, is resolved or was acknowledged.")
    statuses: dict[_Name, Status] = Field(
        default={}, max_length=100, description="What the sender's own words for the status mean, in any case."
    )
    severity: Lookup = Field(default=(), description="How bad it is.")
    severities: dict[_Name, Severity] = Field(
        default={}, max_length=100, description="What the sender's own words for the severity mean, in any case."
    )
    starts_at: Lookup = Field(default=(), description="When it began: RFC 3339 or epoch.")
    ends_at: Lookup = Field(default=(), description="When it ended.")
    link: Lookup = Field(default=(), description="An address to look at.")
    labels: dict[_Name, Lookup] = Field(default={}, max_length=100, description="Labels of your own.")
    annotations: dict[_Name, Lookup] = Field(default={}, max_length=100, description="Texts of your own.")
    expires_in_s: int | None = Field(
        default=None,
        ge=60,
        le=30 * 86_400,
        description="Resolve an alert this long after its last message; for senders that never say it is over.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.key and self.key_parts:
            raise ValueError("set either key or key_parts, not both")
        if self.expires_in_s is not None and self.expire_after_s is not None:
            raise ValueError("set either expires_in_s or expire_after_s, not both")
        for name, table in (("statuses", self.statuses), ("severities", self.severities)):
            if len({word.lower() for word in table}) < len(table):
                raise ValueError(f"{name} has the same word twice, in different case")
        if self.statuses and not self.status:
            raise ValueError("statuses needs status: where is the word found?")
        if self.severities and not self.severity:
            raise ValueError("severities needs severity: where is the word found?")
        return self


class Generic:
    """Scripts, cron jobs, and senders that have no dialect of their own here."""

    kind: ClassVar[str] = "generic"
    title: ClassVar[str] = "Generic JSON"
    Settings: ClassVar[type[SourceSettings]] = GenericSettings

    def read(self, received: Received, settings: GenericSettings, now: Micros) -> Reading:
        """See Source.read. Takes a map, a list, a text, a form, or fields in the query alone."""
        query = dict(received.query or {})
        if not received.body.strip() and any(conventions.first(query, names) for names in _WORTH_READING):
            body, scrubbed = dict(query), False
        else:
            body, scrubbed = decode(received.body)
        problems: list[str] = []
        events = [
            _expiring(_event(item, body, settings, query, now, problems), settings, now)
            for item in _items(body, settings, problems)
        ]
        return finish(events, problems, scrubbed=scrubbed, settings=settings, now=now)


_WORTH_READING = (conventions.TITLES, conventions.TEXTS)


def _items(body: Any, settings: GenericSettings, problems: list[str]) -> list[Any]:
    """The events of a body, each a map or a text."""
    items = body
    if settings.events is not None:
        items = find(settings.events, body, body)
        if not isinstance(items, list):
            problems.append(f"There is no list at `{settings.events}`: the whole body was read as one event.")
            items = body
    if not isinstance(items, list):
        items = [items]
    usable = [item for item in items if isinstance(item, dict | str) and item]
    if items and not usable:
        raise Unreadable("Nothing in the body is an event: a map with fields, a text, or a list of these was expected.")
    if len(usable) < len(items):
        problems.append(f"{len(items) - len(usable)} of {len(items)} items of the list are neither a map nor a text.")
    return usable


def _event(
    item: Any, body: Any, settings: GenericSettings, query: dict[str, str], now: Micros, problems: list[str]
) -> Event:
    """The conventions' event with the mapping laid over it."""
    event = conventions.read(item, now, query)

    def said(lookup: Lookup) -> str:
        return look(lookup, item, body)

    title = one_line(said(settings.title)) or event.title
    status, level, raw = _status(said(settings.status), event, settings), event.severity, said(settings.severity)
    annotations = {**event.annotations, **{name: said(lookup) for name, lookup in settings.annotations.items()}}
    if raw:
        known = _folded(settings.severities).get(raw.lower()) or severity.lookup(raw)
        level = known or severity.UNKNOWN
        annotations["severity_raw"] = "" if known else raw
    if description := said(settings.description):
        annotations["description"] = description
    address = said(settings.link)
    return fitted(
        event._replace(
            status=status,
            key=_key(item, body, settings, title, event, problems),
            title=title,
            severity=level,
            labels={**event.labels, **{name: said(lookup) for name, lookup in settings.labels.items()}},
            annotations=annotations,
            links=links(("Link", address), *event.links) if address else event.links,
            starts_at=times.sane(times.parse(said(settings.starts_at)), now) or event.starts_at,
            ends_at=(times.sane(times.parse(said(settings.ends_at)), now) or event.ends_at)
            if status == "resolved"
            else None,
        )
    )


def _status(word: str, event: Event, settings: GenericSettings) -> Status:
    if not word:
        return event.status
    return _folded(settings.statuses).get(word.lower()) or conventions.status_of(word)


def _key(item: Any, body: Any, settings: GenericSettings, title: str, event: Event, problems: list[str]) -> str:
    """The mapped key; when the message has none at that place, one of its title, and a problem that says so."""
    if settings.key_parts:
        parts = [look((path,), item, body) for path in settings.key_parts]
        if all(parts):
            return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
        missing = [path for path, part in zip(settings.key_parts, parts, strict=True) if not part]
    elif settings.key:
        if found := look(settings.key, item, body):
            return found
        missing = list(settings.key)
    else:
        # A mapped title is a better name than what the conventions hashed, unless they found a key of the sender's own.
        guessed = settings.title and event.key.startswith(conventions.TITLE_KEY)
        return conventions.title_key(item, title) if guessed else event.key
    problems.append(f"No key at {', '.join(f'`{path}`' for path in missing)}: the title stands in for it.")
    return conventions.title_key(item, title)


def _expiring(event: Event, settings: GenericSettings, now: Micros) -> Event:
    if settings.expires_in_s is None or event.status != "firing":
        return event
    return event._replace(expires_at=now + settings.expires_in_s * SECOND)


def _folded(table: dict[str, Any]) -> dict[str, Any]:
    return {word.lower(): meaning for word, meaning in table.items()}
