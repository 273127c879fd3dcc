"""Tags, in all the shapes senders give them, -> labels. Knows no sender."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
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
    found: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for given, _, said in _pairs(value, separator) if value else ():
        if len(found) >= _MAX_TAGS:
            break
        name, content = given.strip(), said.strip() or "true"
        if name not in found:
            if name:
                found[name] = content
        elif content not in several.setdefault(name, [found[name]]):
            several[name].append(content)
    for name, contents in several.items():
        found[name] = ",".join(contents)
    return found


def _pairs(value: Any, separator: str) -> Iterable[tuple[str, str, str]]:
    """As by `partition`: what stands between name and content does not matter."""
    if type(value) is str:
        if value.lstrip().startswith(("[", "{")):
            try:
                inner = decode(value.encode()).value
            except Unreadable:
                inner = None
            if type(inner) is list or type(inner) is dict:
                return _pairs(inner, separator)
        return map(str.partition, value.split(","), repeat(separator))
    if type(value) is dict:
        return [(name, separator, text(content)) for name, content in value.items()]
    if type(value) is list:
        return [_listed(item, separator) for item in value]
    return ()


def _listed(item: Any, separator: str) -> tuple[str, str, str]:
    if type(item) is dict:
        return next((text(item[key]) for key in _NAMES if key in item), ""), separator, text(item.get("value"))
    return text(item).partition(separator)
