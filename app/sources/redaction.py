"""A message as it may be kept to be looked at: its secrets masked, its size bounded. Pure; knows no sender.

By name, as everywhere: a field called like a secret loses its value, in JSON and in forms, and so does what looks like an
Authorization header in any text.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.sources.conventions import secret
from app.sources.decode import decode
from app.sources.event import Unreadable

MAX_SAMPLE = 16_384
MASK = "***"

# Each begins at a word and is bounded, so that a long text costs its length and no more.
_NAMED = re.compile(
    r"""((?:secret|token|passw|api_?key|credential|authorization|routing_key|service_key)[\w.-]{0,40}["']?\s{0,5}[=:]\s{0,5})"""
    r"""("[^"]{0,2000}"|[^&\s,;}"]{1,2000})""",
    re.IGNORECASE,
)
_SCHEMES = re.compile(r"\b(Bearer|Basic|GenieKey|Token)\s{1,5}[\w+/=.:-]{8,2000}", re.IGNORECASE)
_USER = re.compile(r"(https?://)[^\s/@\"]{1,500}@")
_NAMES = re.compile(r"routing_key|service_key|signature", re.IGNORECASE)


def redacted(body: bytes) -> str:
    """The message as text without its secrets, at most MAX_SAMPLE characters."""
    try:
        shown = orjson.dumps(_masked(decode(body).value), option=orjson.OPT_INDENT_2)
    except (Unreadable, RecursionError, orjson.JSONEncodeError):  # both of the latter: nested too deep to show
        return _text(body[:MAX_SAMPLE].decode("utf-8", "replace").replace("\0", "\ufffd"))
    return _text(shown.decode()[:MAX_SAMPLE])


def _masked(value: Any) -> Any:
    if type(value) is dict:
        return {
            name: MASK if content and (secret(name) or _NAMES.search(name)) else _masked(content)
            for name, content in value.items()
        }
    return [_masked(item) for item in value] if type(value) is list else value


def _text(said: str) -> str:
    said = _SCHEMES.sub(rf"\1 {MASK}", said)
    said = _NAMED.sub(lambda match: f"{match[1]}{MASK}", said)
    return _USER.sub(rf"\1{MASK}@", said)[:MAX_SAMPLE]
