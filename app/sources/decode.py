"""Bytes of a request -> one JSON value: by content, never by Content-Type, and never with any error but Unreadable.

The fast way is orjson alone. What orjson refuses (NaN, a byte order mark, bytes that are not UTF-8, half of a surrogate
pair, raw newlines in text, form fields) is read once more, slowly and tolerantly: a page is worth more than good form.
Knows nothing of any sender.
"""

from __future__ import annotations

import html
import json
import re
from html.entities import html5
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson

from app.sources.event import Unreadable

MAX_DEPTH = 64
MAX_KEYS = 200_000
MAX_COMMAS = 1_000_000
"""More than this in one body is a bomb and not an alert: a group of 500 alerts has about 15,000 keys, four levels deep."""

_MAX_FIELDS = 1_000
_MAX_DIGITS = 18
_WRAPPERS = ("payload", "data", "json", "body")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_BRACES = bytes.maketrans(b"[]", b"{}")
_CONTAINERS = frozenset((dict, list))

_KEY = re.compile(rb'"[ \t\r\n]*:')
_FORM = re.compile(r"[\w.\-\[\]%+$]{1,200}=")

# What PostgreSQL can't store (NUL), what no UTF-8 can say (lone surrogates), and what makes text read backwards to a
# person (the direction overrides and isolates).
_BAD = re.compile("[\x00\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_BAD_ESCAPE = re.compile(rb"\\u(?:0000|202[a-eA-E]|206[6-9])")
_BAD_BYTES = re.compile(b"\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])")
"""The direction overrides and isolates in UTF-8."""

_UNENDED = "|".join(
    f"{first}(?:{'|'.join(name[1:] for name in names)})"
    for first, names in groupby(sorted({name[:4] for name in html5 if not name.endswith(";")}), itemgetter(0))
)
"""How the entities begin that need no semicolon. By their first letter, because each branch of a pattern costs time."""
_ENTITY = re.compile(rf"&(?:#\w+;?|[A-Za-z0-9]{{2,32}};|(?:{_UNENDED})[A-Za-z0-9]{{0,30}};?)")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'", "&amp;": "&"}

_TOO_DEEP = f"The body is nested more than {MAX_DEPTH} levels deep; an alert has four or five."


class Document(NamedTuple):
    """What a body says."""

    value: Any
    """dict, list, str, int, float, bool or None; every text in it is valid UTF-8 without NUL."""
    scrubbed: bool = False
    """Some text held what can't be stored or shown; it stands as U+FFFD now."""


def decode(body: bytes) -> Document:
    """The JSON value (or the form fields) of `body`. Duplicate keys: the last wins.

    Raises Unreadable, and nothing else, for text that is neither JSON nor a form, for more than MAX_KEYS keys or
    containers, and for more than MAX_DEPTH levels. A body that hides its depth behind brackets in its texts can pass
    that last check up to the 1,024 levels of orjson; nothing in the sources recurses, so that costs nothing.
    """
    if len(body) > 2 * MAX_KEYS:
        _refuse_bombs(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _tolerant(body)
    if _may_be_deep(body) and _is_deep(value):
        raise Unreadable(_TOO_DEEP)
    return scrub(value) if _may_be_bad(body) else Document(value)


def _refuse_bombs(body: bytes) -> None:
    """Counts before parsing, because the memory is spent by the parser."""
    keys = 0
    if body.count(b":") > MAX_KEYS:
        keys = sum(1 for _ in _KEY.finditer(body))
    if keys > MAX_KEYS or body.count(b"{") + body.count(b"[") > MAX_KEYS or body.count(b",") > MAX_COMMAS:
        raise Unreadable(f"The body holds more than {MAX_KEYS} keys or lists; send alerts in smaller groups.")


def _may_be_deep(body: bytes) -> bool:
    """Whether nesting beyond MAX_DEPTH is possible: takes pairs of brackets away until none is left."""
    brackets = body.translate(_BRACES, _NOT_BRACKETS)
    if len(brackets) <= 2 * MAX_DEPTH:
        return False
    # One round takes one level away, so half as many rounds never hide a level too many, and no alert needs more.
    for _ in range(MAX_DEPTH // 2):
        brackets = brackets.replace(b"{}", b"")
        if not brackets:
            return False
    return True


def _is_deep(value: Any) -> bool:
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(MAX_DEPTH):
        below = chain.from_iterable([parent.values() if type(parent) is dict else parent for parent in level])
        level = [child for child in below if type(child) in _CONTAINERS]
        if not level:
            return False
    return True


def _may_be_bad(body: bytes) -> bool:
    if b"\\" in body and _BAD_ESCAPE.search(body):  # one pass, faster than looking for each of them
        return True
    return b"\xe2" in body and _BAD_BYTES.search(body) is not None


def clean(text: str) -> str:
    """The same text without what can't be stored or shown.

    For text that a source unpacks itself after decoding: out of HTML entities or percent signs.
    """
    return text if text.isascii() and "\0" not in text else _BAD.sub("\ufffd", text)


def unescaped(text: str) -> str:
    """A clean text with what its HTML entities mean, and clean: as by `html.unescape`, which is slow where there is none.

    It takes ten times as long for the `&` of an address: it tries every beginning of `&from_ts=1` for an entity.
    """
    return _ENTITY.sub(_meant, text) if "&" in text else text


def _meant(entity: re.Match[str]) -> str:
    return _ENTITIES.get(entity[0]) or clean(html.unescape(entity[0]))


def scrub(value: Any) -> Document:
    """The same value with every bad character of its texts replaced. Raises Unreadable for endless nesting."""
    found = False

    def walk(part: Any) -> Any:
        nonlocal found
        if isinstance(part, str):
            cleaned = clean(part)
            found = found or cleaned != part
            return cleaned
        if isinstance(part, dict):
            return {walk(name): walk(child) for name, child in part.items()}
        return [walk(child) for child in part] if isinstance(part, list) else part

    try:
        walked = walk(value)
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    return Document(walked, found)


def _tolerant(body: bytes) -> Document:
    """What orjson refused, read as forgivingly as the meaning allows."""
    try:
        text, replaced = body.decode(json.detect_encoding(body)), False
    except UnicodeDecodeError:
        text, replaced = body.decode("utf-8", "replace"), True
    text = text.strip("\ufeff \t\r\n\v\f\0")
    if not text:
        raise Unreadable("The body is empty; JSON was expected.")
    try:
        value = _TOLERANT.decode(text)
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        value = _form(text)
        if value is None:
            where = f"{error.msg}, line {error.lineno}, column {error.colno}"
            raise Unreadable(f"The body is neither JSON ({where}) nor a form.") from None
    if _is_deep(value):
        raise Unreadable(_TOO_DEEP)
    document = scrub(value)
    return Document(document.value, document.scrubbed or replaced)


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


# NaN and Infinity stay as their names; numbers too long for a number stay as their digits.
_TOLERANT = json.JSONDecoder(strict=False, parse_constant=str, parse_int=_int)


def _form(text: str) -> Any:
    """The JSON that a form wraps, or its fields, or None when it is no form."""
    if not _FORM.match(text):
        return None
    name, _, rest = text.partition("=")
    # `payload={...}` put together without encoding: the text may hold & and +, so it is tried as it stands first.
    candidates = [rest] if name in _WRAPPERS else []
    try:
        fields = dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise Unreadable(f"The form has more than {_MAX_FIELDS} fields.") from None
    candidates += [fields[wrapper] for wrapper in _WRAPPERS if wrapper in fields]
    for candidate in candidates:
        if candidate.lstrip().startswith(("{", "[")):
            try:
                return _TOLERANT.decode(candidate)
            except json.JSONDecodeError:
                continue
            except RecursionError:
                raise Unreadable(_TOO_DEEP) from None
    return fields
