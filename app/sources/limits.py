"""What an event may keep of what a sender said: how long, how many, which addresses. Text of alerts is hostile.

Everything cut here is cut on code points and told by the label `tocsin_truncated`; everything replaced by `decode` is
told by `tocsin_scrubbed`. Knows no sender.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.sources.event import MAX_LABELS, MAX_TITLE, MAX_VALUE, Event, Reading

TRUNCATED = "tocsin_truncated"
SCRUBBED = "tocsin_scrubbed"

_WEB = re.compile(r"https?://[^/?#:@\\]")
_PLAIN_WEB = re.compile(r"https?://(?![/?#:@\\])[!-~]+")
"""What most addresses are, in one look."""
_LONGEST = 20_000
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160), 0x2028, 0x2029], " ")


def text(value: Any) -> str:
    """Any JSON value as one text: null is empty, a list or map is its JSON."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, dict | list):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        except orjson.JSONEncodeError:
            return "(nested too deep to show)"
    return str(value)


def one_line(value: str) -> str:
    """A title: no line breaks or control characters, no space around it; not cut yet."""
    if value.isprintable():
        return value.strip()
    return " ".join(value[:_LONGEST].translate(_CONTROLS).split())


def is_web(address: str) -> bool:
    """Whether `address` is an http or https address with a host, without spaces or invisible characters."""
    # What has just the greatest length was cut, and what was scrubbed leads astray.
    if len(address) >= MAX_VALUE:
        return False
    return _PLAIN_WEB.fullmatch(address) is not None or (
        _WEB.match(address) is not None and address.isprintable() and " " not in address and "\ufffd" not in address
    )


def links(*named: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    """Of these (text, address) pairs the ones that may be shown as links, each address once."""
    kept: dict[str, tuple[str, str]] = {}
    for pair in named:
        address = pair[1]
        if address and type(address) is str and is_web(address):
            kept.setdefault(address, pair)
    return tuple(kept.values())


def digest(value: Any) -> str:
    """32 hex digits that stand for a JSON value; the order of its keys does not matter."""
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def bounded(pairs: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """The pairs that are kept, none of them empty, and whether anything was cut.

    A long value loses its end; of too many pairs the first MAX_LABELS by name stay.
    """
    kept, cut = dict(pairs), False
    for name, value in pairs.items():
        if not value:
            del kept[name]
        elif len(value) + len(name) > MAX_VALUE and (len(value) > MAX_VALUE or len(name) > MAX_VALUE):
            cut = True
    if len(kept) > MAX_LABELS:
        kept = {name: kept[name] for name in sorted(kept)[:MAX_LABELS]}
        cut = True
    return {name[:MAX_VALUE]: value[:MAX_VALUE] for name, value in kept.items()} if cut else kept, cut


def fitted(event: Event) -> Event:
    """The same event within the limits, marked when something had to go. Its key is left whole: it is hashed later."""
    status, key, title, severity, facts, words, shown, starts_at, ends_at, expires_at, once, test = event
    labels, cut_labels = bounded(facts)
    annotations, cut_annotations = bounded(words)
    title = one_line(title)
    if cut_labels or cut_annotations or len(title) > MAX_TITLE:
        labels[TRUNCATED] = "true"
        title = title[:MAX_TITLE].rstrip()
    # As _replace, which takes four times as long.
    return Event._make(
        (status, key, title, severity, labels, annotations, shown, starts_at, ends_at, expires_at, once, test)
    )


def finish(
    events: Sequence[Event], problems: Sequence[str], *, scrubbed: bool, proof: str = "", confirm: str = ""
) -> Reading:
    """The reading of one request, with the mark of scrubbed text on its events."""
    if scrubbed:
        events = [event._replace(labels={**event.labels, SCRUBBED: "true"}) for event in events]
    return Reading(tuple(events), tuple(problems), proof, confirm)
