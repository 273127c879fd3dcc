"""What an event may keep of what a sender said: how long, how many, which addresses. Text of alerts is hostile.

Everything cut here is cut on code points and told by the label `tocsin_truncated`; everything replaced by `decode` is
told by `tocsin_scrubbed`. Knows no sender.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.sources.event import MAX_LABELS, MAX_TITLE, MAX_VALUE, Event, Reading

TRUNCATED = "tocsin_truncated"
SCRUBBED = "tocsin_scrubbed"

_NO_HOST = "/?#:@\\"
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
    if address.startswith("https://"):
        host = address[8:9]
    elif address.startswith("http://"):
        host = address[7:8]
    else:
        return False
    # An empty host is "in" the text too; what has just the greatest length was cut, and what was scrubbed leads astray.
    return (
        host not in _NO_HOST
        and address.isprintable()
        and " " not in address
        and "\ufffd" not in address
        and len(address) < MAX_VALUE
    )


def links(*named: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    """Of these (text, address) pairs the ones that may be shown as links, each address once."""
    kept: dict[str, str] = {}
    for name, address in named:
        if address and type(address) is str and is_web(address):
            kept.setdefault(address, name)
    return tuple((name, address) for address, name in kept.items()) if kept else ()


def digest(value: Any) -> str:
    """32 hex digits that stand for a JSON value; the order of its keys does not matter."""
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def bounded(pairs: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """The pairs that are kept, none of them empty, and whether anything was cut.

    A long value loses its end; of too many pairs the first MAX_LABELS by name stay.
    """
    kept = {name: value for name, value in pairs.items() if value}
    if len(kept) <= MAX_LABELS and len("".join([*kept, *kept.values()])) <= MAX_VALUE:
        return kept, False  # nearly always, at the speed of C
    cut = False
    if len(kept) > MAX_LABELS:
        kept = {name: kept[name] for name in sorted(kept)[:MAX_LABELS]}
        cut = True
    if any(len(name) > MAX_VALUE or len(value) > MAX_VALUE for name, value in kept.items()):
        kept = {name[:MAX_VALUE]: value[:MAX_VALUE] for name, value in kept.items()}
        cut = True
    return kept, cut


def fitted(event: Event) -> Event:
    """The same event within the limits, marked when something had to go. Its key is left whole: it is hashed later."""
    labels, cut_labels = bounded(event.labels)
    annotations, cut_annotations = bounded(event.annotations)
    title = one_line(event.title)
    if cut_labels or cut_annotations or len(title) > MAX_TITLE:
        labels[TRUNCATED] = "true"
        title = title[:MAX_TITLE].rstrip()
    # As _replace, which takes four times as long.
    return Event._make((event.status, event.key, title, event.severity, labels, annotations, *event[6:]))


def finish(
    events: Sequence[Event], problems: Sequence[str], *, scrubbed: bool, proof: str = "", confirm: str = ""
) -> Reading:
    """The reading of one request, with the mark of scrubbed text on its events."""
    if scrubbed:
        events = [event._replace(labels={**event.labels, SCRUBBED: "true"}) for event in events]
    return Reading(tuple(events), tuple(problems), proof, confirm)
