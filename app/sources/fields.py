"""Looking into a sender's JSON without trusting its shape, and the few things every dialect makes of what it finds.

A field that is missing, null or of another shape says nothing; that is never an error. Knows no sender.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.clock import Micros
from app.sources import severity, times
from app.sources.conventions import secret
from app.sources.event import Severity
from app.sources.limits import text

_SHORT = 200
_NUMBER = re.compile(r"[\d.]+")
_NO_FIELDS: dict[str, Any] = {}


def part(value: Any, *path: str) -> dict[str, Any]:
    """The map at `path` inside `value`; an empty one when there is none."""
    for step in path:
        if type(value) is not dict:
            return _NO_FIELDS
        value = value.get(step)
    return value if type(value) is dict else _NO_FIELDS


def said(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that says something, as text without spaces around it; else an empty text."""
    for name in names:
        found = fields.get(name)
        if found is not None and (words := (found if type(found) is str else text(found)).strip()):
            return words
    return ""


def lower(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields under names in lower case; of two that become one the first that says something stays."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if found.get(small := name.lower()) in (None, ""):
            found[small] = value
    return found


def listed(value: Any, limit: int = 50) -> str:
    """A list of plain values as one text, each once, in their order; a single value as it is."""
    if type(value) is not list:
        return text(value).strip()
    if len(value) == 1:
        return text(value[0]).strip()
    return ", ".join(dict.fromkeys(words for item in value[:limit] if (words := text(item).strip())))


def joined(*parts: str) -> str:
    """A dedup key of several parts, none of which can run into the next."""
    key = "/".join(parts)
    if "%" not in key and key.count("/") < len(parts):
        return key
    return "/".join([piece.replace("%", "%25").replace("/", "%2F") for piece in parts])


def instant(fields: Mapping[str, Any], now: Micros, *names: str) -> Micros | None:
    """The first of these fields that names an instant, when it is a believable one."""
    for name in names:
        if (at := times.parse(fields.get(name))) is not None:
            return times.sane(at, now)
    return None


def graded(word: str, table: Mapping[str, Severity] = severity.WORDS) -> tuple[Severity, str]:
    """What a severity word means, and the word itself when nobody knows it."""
    level = severity.lookup(word, table)
    return level or severity.UNKNOWN, "" if level else word


def facts_and_words(given: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Labels (short texts) and annotations (long ones, and numbers, which change) of a sender's own fields.

    Fields whose name smells of a secret are neither. What is no map of fields is a description.
    """
    if type(given) is not dict:
        return {}, ({"description": text(given)} if given else {})
    facts: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, content in given.items():
        if secret(name):
            continue
        if type(content) is not str:
            others[name] = text(content)
        elif len(content) <= _SHORT and content.isprintable() and not _NUMBER.fullmatch(content):
            facts[name] = content
        else:
            others[name] = content
    return facts, others
