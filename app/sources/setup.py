"""How a sender is pointed at Tocsin, from the registry: the guide with the address in it, and a message to try the way with.

A source says both in its own file (`setup`, `example`); one of a third party may say neither. Pure.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import orjson

from app.clock import MINUTE, Micros
from app.sources.event import Event
from app.sources.source import Source

KEY = "KEY"
"""Stands for the key where it is not known any more: keys are shown once."""
TEST_LIFE: Micros = 10 * MINUTE
"""How long a test that pages stays open."""
MARK = "tocsin_test"


def mail_address(base_url: str, key: str, domain: str = "") -> str:
    """Where mail to an integration goes: its key at our domain."""
    return f"{key}@{domain or urlsplit(base_url).hostname or 'localhost'}"


def guide_of(source: Source[Any], base_url: str, key: str = KEY, domain: str = "") -> str:
    """What to do in the sender's own settings, as Markdown with the address in it. `domain`: that of mail, if another."""
    base = f"{base_url}/v1/in/{source.kind}"
    said = str(getattr(source, "setup", "")).strip() or "Let it POST to `{base}` with the header `X-Tocsin-Key: {key}`."
    url = urlsplit(f"{base}/{key}")
    places = {
        "url": url.geturl(),
        "base": base,
        "root": base_url,
        "scheme": url.scheme,
        "host": url.netloc,
        "path": url.path,
        "key": key,
        "address": mail_address(base_url, key, domain),
    }
    for name, place in places.items():
        said = said.replace(f"{{{name}}}", place)
    return said


def example_of(source: Source[Any]) -> dict[str, Any] | str | None:
    """A message of this sender's own form in which something fires; None when the source has none."""
    example = getattr(source, "example", None)
    return example if isinstance(example, dict | str) else None


def message_of(source: Source[Any]) -> bytes | None:
    """The example as it would come."""
    example = example_of(source)
    if example is None:
        return None
    return example.encode() if isinstance(example, str) else orjson.dumps(example)


def as_test(event: Event, mark: str, now: Micros, *, pages: bool) -> Event:
    """An event of an example as a test: an alert of its own for each `mark`, soon over; `pages` as any other."""
    return event._replace(
        status="firing",
        key=f"tocsin/test/{mark}/{event.key}",
        labels={**event.labels, MARK: "true"},
        starts_at=None,
        ends_at=None,
        expires_at=now + TEST_LIFE,
        once=False,
        test=not pages,
    )
