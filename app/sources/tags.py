"""Tags, in all the shapes senders give them, -> labels. Knows no sender."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.sources.decode import decode
from app.sources.event import Unreadable
from app.sources.limits import text

_NAMES = ("tag", "key", "name")
_MAX_TAGS = 1_000


def tags(value: Any, separator: str = ":") -> dict[str, str]:
    """The labels in `value`. Never raises; what is no tag is left out.

    Text `a:b,c:d:e,monitor`, a list of such tags, a list of {"tag", "value"}, a map, or the JSON text of one of these.
    Split on the first separator only; a tag without one is `true`; a name given twice keeps both values, joined by a comma.
    """
    found: dict[str, list[str]] = {}
    for name, content in _pairs(value, separator):
        if len(found) >= _MAX_TAGS:
            break
        name = name.strip()  # noqa: PLW2901 - the same name, tidied
        content = content.strip() or "true"  # noqa: PLW2901 - the same value, tidied
        if name and content not in found.setdefault(name, []):
            found[name].append(content)
    return {name: ",".join(contents) for name, contents in found.items()}


def _pairs(value: Any, separator: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield from _text_pairs(value, separator)
    elif isinstance(value, dict):
        for name, content in value.items():
            yield name, text(content)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                name = next((text(item[key]) for key in _NAMES if key in item), "")
                yield name, text(item.get("value"))
            else:
                yield _split(text(item), separator)


def _text_pairs(value: str, separator: str) -> Iterator[tuple[str, str]]:
    if value.lstrip().startswith(("[", "{")):
        try:
            inner = decode(value.encode()).value
        except Unreadable:
            inner = None
        if isinstance(inner, list | dict):
            yield from _pairs(inner, separator)
            return
    for item in value.split(","):
        yield _split(item, separator)


def _split(item: str, separator: str) -> tuple[str, str]:
    name, _, content = item.partition(separator)
    return name, content
